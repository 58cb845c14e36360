//! The recording of a call: one file, on the caller's channel, which keeps it through holds,
//! transfers of the far end, other processes and the dialplan.

use super::tape::{Change, ORDERED_MAX, Recording, Stage, add};
use crate::base::millis::Millis;
use crate::call::Call;
use crate::call::describe;
use crate::call::operator::Obeyed;
use crate::call::output::{Action, ActionId, Media, Output, RecordChange};
use crate::call::state::RECORDINGS_MAX;
use crate::call::timer::Timer;
use crate::flow::kind::record::{Record, RecordAction};
use crate::flow::prompt::TonePrompt;
use crate::model::record::RecordingNote;
use crate::model::recording::RecordingState;

/// How long FreeSWITCH may take to say that a recording has begun or ended.
const TOLD_MS: u64 = 5_000;
/// An announcement whose length nobody knows is not longer than this.
const ANNOUNCEMENT_MS: u64 = 10_000;
/// The tone for consent, in Hz and milliseconds.
const BEEP_HZ: u16 = 1_400;
const BEEP_MS: u64 = 400;

/// How a recording is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::call) struct Wish {
    /// Only as long as the step lasts in which it begins.
    pub(in crate::call) conversation: bool,
    /// The parties have been told already.
    pub(in crate::call) announced: bool,
    pub(in crate::call) beep: Option<bool>,
    pub(in crate::call) stereo: Option<bool>,
    pub(in crate::call) max_length: Option<Millis>,
    pub(in crate::call) min_length: Option<Millis>,
}

impl Wish {
    /// The call, from now until its end, as the tenant has it.
    pub(in crate::call) const CALL: Self = Self {
        conversation: false,
        announced: false,
        beep: None,
        stereo: None,
        max_length: None,
        min_length: None,
    };

    /// The conversation that a step leads to.
    pub(in crate::call) const CONVERSATION: Self = Self { conversation: true, ..Self::CALL };

    pub(in crate::call) const fn of(step: &Record) -> Self {
        Self {
            conversation: false,
            announced: !step.prompts.is_empty(),
            beep: step.beep,
            stereo: step.stereo,
            max_length: step.max_length,
            min_length: step.min_length,
        }
    }
}

impl Call {
    /// Changes the recording of the call as a flow, an operator or a key asks for it.
    ///
    /// # Errors
    /// Why nothing was done.
    pub(in crate::call) fn change_recording(&mut self, action: RecordAction, wish: Wish) -> Obeyed {
        match action {
            RecordAction::Start => self.begin_recording(wish),
            RecordAction::Stop => match self.stop_recording() {
                true => Ok(()),
                false => Err("nothing is being recorded".to_owned()),
            },
            RecordAction::Pause => self.pause_recording(true),
            RecordAction::Resume => self.pause_recording(false),
            RecordAction::Mask => self.mask_recording(true),
            RecordAction::Unmask => self.mask_recording(false),
        }
    }

    /// Whether the tenant has a conversation with `far`, one of its extensions or somebody outside,
    /// recorded.
    pub(in crate::call) fn wants_recording(&self, far: Option<&str>) -> bool {
        let settings = &self.program.settings;
        let caller = self.state.arrival.extension();
        self.state.talk.record_number || settings.talk.recording.wants(caller, far)
    }

    /// Whether silence is written to its recording.
    pub(super) fn is_masked(&self) -> bool {
        self.state.talk.recording.as_ref().is_some_and(Recording::is_masked)
    }

    /// Whether it is being recorded, or is to be.
    pub fn is_recorded(&self) -> bool {
        self.state.talk.recording.is_some()
    }

    /// Tells the parties where that is wanted, and begins.
    pub(in crate::call) fn begin_recording(&mut self, wish: Wish) -> Obeyed {
        if let Some(last) = &self.state.talk.recording {
            if last.stage != Stage::Stopped {
                return Err("the call is being recorded already".to_owned());
            }
            self.recording_over(None);
        }
        // FreeSWITCH keeps a recording for ever that begins while its channel hangs up
        // (signalwire/freeswitch#2067).
        if self.state.closing.is_some() || self.is_leaving() {
            return Err("the call is about to end".to_owned());
        }
        if self.state.answered_ms.is_none() {
            return Err("a call that rings can't be recorded".to_owned());
        }
        if self.state.recordings.len() >= RECORDINGS_MAX {
            return Err("the call has too many recordings".to_owned());
        }
        self.state.counters.files += 1;
        let policy = &self.program.settings.talk.recording;
        let announcement = policy.announcement.clone().filter(|_| !wish.announced);
        self.state.talk.recording = Some(Recording {
            number: self.state.counters.files,
            stage: Stage::Announced,
            conversation: wish.conversation,
            stereo: wish.stereo.unwrap_or(policy.stereo),
            beep: wish.beep.unwrap_or(policy.beep),
            max_ms: wish.max_length.unwrap_or(policy.max_length).ms(),
            min_ms: wish.min_length.unwrap_or(policy.min_length).ms(),
            began: self.live.now.wall,
            began_ms: self.state.age_ms,
            written_ms: 0,
            since_ms: None,
            paused: false,
            held: self.state.talk.caller_held,
            mask_ms: None,
            masks: Vec::new(),
            gaps: Vec::new(),
            gap_ms: None,
            hold_ms: None,
            ordered: Vec::new(),
        });
        self.worth_writing();
        match announcement.map(|name| self.file(&name)) {
            Some(Ok(file)) => self.announce_recording(file),
            Some(Err(missing)) => {
                self.notice(format!("the recording begins without its announcement: {missing}"));
                self.order_recording();
            }
            None => self.order_recording(),
        }
        Ok(())
    }

    fn announce_recording(&mut self, file: Media) {
        let length_ms = self.longest(&file).min(ANNOUNCEMENT_MS);
        let far = self.state.bridged.clone();
        self.order(Action::Overlay { media: file, far });
        self.state.after(Timer::Announced, length_ms);
    }

    /// The announcement is over.
    pub(in crate::call) fn recording_announced(&mut self) {
        let waits = |recording: &Recording| recording.stage == Stage::Announced;
        if self.state.talk.recording.as_ref().is_some_and(waits) {
            self.order_recording();
            self.worth_writing();
        }
    }

    fn order_recording(&mut self) {
        let Some(recording) = &self.state.talk.recording else { return };
        let (path, stereo, limit) = (recording.path(self), recording.stereo, recording.max_ms);
        if recording.beep {
            let (on, off) = (Millis(BEEP_MS), Millis(0));
            let media = Media::Tone(TonePrompt { tone: vec![BEEP_HZ], on, off, times: 1 });
            let far = self.state.bridged.clone();
            self.order(Action::Overlay { media, far });
        }
        let change = RecordChange::Start { stereo, limit: Millis(limit) };
        let id = self.order(Action::RecordCall { path, change });
        let (age_ms, wall) = (self.state.age_ms, self.live.now.wall);
        if let Some(recording) = &mut self.state.talk.recording {
            recording.stage = Stage::Ordered(id);
            (recording.began, recording.began_ms) = (wall, age_ms);
        }
        self.state.after(Timer::RecordingOverdue, TOLD_MS);
        self.tell_recording(RecordingState::Running, 0);
        self.recorded_anew();
    }

    /// False where nothing is being recorded.
    pub(in crate::call) fn stop_recording(&mut self) -> bool {
        let Some(recording) = &mut self.state.talk.recording else { return false };
        match recording.stage {
            Stage::Stopped => return false,
            Stage::Announced => {
                self.state.talk.recording = None;
                self.state.timers.clear(Timer::Announced);
                self.worth_writing();
                return true;
            }
            Stage::Ordered(_) => recording.settle(self.state.age_ms),
            Stage::Running => {}
        }
        recording.stage = Stage::Stopped;
        self.change_file(RecordChange::Stop, Change::Stop);
        self.state.timers.clear(Timer::RecordingLimit);
        self.state.after(Timer::RecordingOverdue, TOLD_MS);
        self.worth_writing();
        true
    }

    /// The step is over in which a conversation is recorded, and with it the recording.
    pub(in crate::call) fn stop_conversation_recording(&mut self) {
        if self.state.talk.recording.as_ref().is_some_and(|recording| recording.conversation) {
            self.stop_recording();
        }
    }

    fn pause_recording(&mut self, on: bool) -> Obeyed {
        if self.running_recording()?.is_paused() == on {
            let what = if on { "paused already" } else { "not paused" };
            return Err(format!("the recording is {what}"));
        }
        let change = if on { RecordChange::Pause } else { RecordChange::Resume };
        self.change_file(change, Change::Pause(on));
        self.worth_writing();
        Ok(())
    }

    fn mask_recording(&mut self, on: bool) -> Obeyed {
        if self.running_recording()?.is_masked() == on {
            let what = if on { "masked already" } else { "not masked" };
            return Err(format!("the recording is {what}"));
        }
        let change = if on { RecordChange::Mask } else { RecordChange::Unmask };
        self.change_file(change, Change::Mask(on));
        self.worth_writing();
        Ok(())
    }

    fn running_recording(&mut self) -> Result<&mut Recording, String> {
        let runs = |stage| matches!(stage, Stage::Ordered(_) | Stage::Running);
        let recording = self.state.talk.recording.as_mut();
        let recording = recording.filter(|recording| runs(recording.stage));
        let recording = recording.ok_or_else(|| "nothing is being recorded".to_owned())?;
        if recording.ordered.len() >= ORDERED_MAX {
            return Err("the switch has not done earlier changes of the recording yet".to_owned());
        }
        Ok(recording)
    }

    fn change_file(&mut self, what: RecordChange, change: Change) {
        let path = self.state.talk.recording.as_ref().map(|recording| recording.path(self));
        let Some(path) = path else { return };
        let id = self.order(Action::RecordCall { path, change: what });
        let age_ms = self.state.age_ms;
        if let Some(recording) = &mut self.state.talk.recording {
            recording.ordered.push((id, change, age_ms));
        }
    }

    /// The switch has done what this order was, if it was one about a recording.
    pub(in crate::call) fn recording_obeyed(&mut self, id: ActionId) {
        let age_ms = self.state.age_ms;
        let started = |recording: &&Recording| recording.stage == Stage::Ordered(id);
        if let Some(recording) = self.state.talk.recording.as_ref().filter(started) {
            let path = recording.path(self);
            return self.recording_began(&path);
        }
        let recording = self.state.talk.recording.as_mut();
        if recording.is_some_and(|recording| recording.obeyed(id, age_ms)) {
            self.worth_writing();
        }
    }

    /// The switch says that it writes a file.
    pub(in crate::call) fn recording_began(&mut self, path: &str) {
        let Some(recording) = self.recording_of(path) else { return };
        if !matches!(recording.stage, Stage::Ordered(_)) {
            return;
        }
        let (age_ms, wall, max_ms) = (self.state.age_ms, self.live.now.wall, recording.max_ms);
        if let Some(recording) = &mut self.state.talk.recording {
            recording.stage = Stage::Running;
            (recording.began, recording.began_ms) = (wall, age_ms);
            (recording.written_ms, recording.since_ms) = (0, None);
            recording.settle(age_ms);
        }
        self.state.timers.clear(Timer::RecordingOverdue);
        self.state.after(Timer::RecordingLimit, max_ms);
        self.worth_writing();
    }

    /// The switch says that it has closed a file.
    pub(in crate::call) fn recording_ended(
        &mut self,
        path: &str,
        length_ms: Option<u64>,
        cause: &str,
    ) {
        if self.recording_of(path).is_none() {
            return;
        }
        self.notice(format!("the recording has ended: {}", describe::clean(cause)));
        self.recording_over(length_ms);
    }

    fn recording_of(&self, path: &str) -> Option<&Recording> {
        let recording = self.state.talk.recording.as_ref();
        recording.filter(|recording| recording.path(self) == path)
    }

    /// Whether this was an order about the recording, which the switch could not carry out.
    pub(in crate::call) fn recording_refused(&mut self, id: ActionId, reason: &str) -> bool {
        let Some(recording) = &mut self.state.talk.recording else { return false };
        let reason = describe::clean(reason);
        if recording.stage == Stage::Ordered(id) {
            self.notice(format!("the call can't be recorded: {reason}"));
            self.recording_over(Some(0));
            return true;
        }
        let Some(place) = recording.ordered.iter().position(|(ordered, ..)| *ordered == id) else {
            return false;
        };
        recording.ordered.remove(place);
        self.notice(format!("the recording can't be changed: {reason}"));
        self.worth_writing();
        true
    }

    /// It has lasted as long as it may.
    pub(in crate::call) fn recording_full(&mut self) {
        self.note_guard("the recording is as long as it may be");
        self.stop_recording();
    }

    /// The switch did not say that a recording began or ended. What there is of it is kept.
    pub(in crate::call) fn recording_overdue(&mut self) {
        let Some(recording) = &self.state.talk.recording else { return };
        if recording.stage == Stage::Stopped {
            return self.recording_over(None);
        }
        let path = recording.path(self);
        self.notice("the switch does not say that the recording has begun");
        self.recording_began(&path);
    }

    /// The caller's own leg is put on hold or taken back.
    pub(in crate::call) fn recording_held(&mut self, held: bool) {
        self.state.talk.caller_held = held;
        let age_ms = self.state.age_ms;
        if let Some(recording) = &mut self.state.talk.recording {
            recording.held = held;
            recording.settle(age_ms);
            recording.hold_ms.get_or_insert(recording.written_ms);
            self.worth_writing();
        }
    }

    /// Keeps what is known of the recording; the switch closes it by itself at the channel's end.
    pub(in crate::call) fn recording_over(&mut self, length_ms: Option<u64>) {
        let age_ms = self.state.age_ms;
        let Some(recording) = &mut self.state.talk.recording else { return };
        self.state.timers.clear(Timer::RecordingOverdue);
        self.state.timers.clear(Timer::RecordingLimit);
        self.state.timers.clear(Timer::Announced);
        if recording.stage == Stage::Announced {
            self.state.talk.recording = None;
            return;
        }
        recording.unanswered();
        recording.unmask(age_ms);
        recording.settle(age_ms);
        if let Some(from_ms) = recording.gap_ms.take() {
            let passed_ms = age_ms.saturating_sub(recording.began_ms);
            add(&mut recording.gaps, from_ms, passed_ms);
        }
        // What we stopped was counted to the order only; the switch may have written on.
        if let Some(length_ms) = length_ms.filter(|_| recording.stage != Stage::Stopped) {
            recording.align(length_ms);
        }
        let length_ms = length_ms.unwrap_or(recording.written_ms);
        let note = self.tell_recording(RecordingState::Pending, length_ms);
        self.state.talk.recording = None;
        if let Some(note) = note.filter(|_| self.state.recordings.len() < RECORDINGS_MAX) {
            self.state.recordings.push(note);
        }
        self.worth_writing();
    }

    fn tell_recording(&mut self, state: RecordingState, length_ms: u64) -> Option<RecordingNote> {
        let recording = self.state.talk.recording.as_ref()?;
        let note = recording.note(self, state, length_ms);
        self.outputs.push_back(Output::Recording(Box::new(note.clone())));
        Some(note)
    }

    /// Where the recording of this name is.
    pub(in crate::call) fn recording_path(&self, name: &str) -> String {
        format!("{}/{name}.wav", self.program.settings.message_directory)
    }
}
