//! Recording of both parties.

use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::call::operator::Obeyed;
use crate::call::output::Action;
use crate::call::state::RECORDINGS_MAX;
use crate::model::record::RecordingNote;

/// A recording of the whole call that runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Recording {
    name: String,
    /// On the call's clock.
    began_ms: u64,
}

impl Call {
    pub(in crate::call) fn start_recording(&mut self) -> Obeyed {
        self.notice("an operator asks to record the call");
        let full = self.state.recordings.len() >= RECORDINGS_MAX;
        let why = match &self.state.talk.recording {
            Some(_) => "the call is being recorded already",
            None if self.state.answered_ms.is_none() => "a call that rings can't be recorded",
            None if full => "the call has too many recordings",
            None => "",
        };
        if !why.is_empty() {
            return Err(why.to_owned());
        }
        self.state.counters.files += 1;
        let name = format!("{}-{}", self.state.arrival.call, self.state.counters.files);
        let path = self.recording_path(&name);
        self.state.talk.recording = Some(Recording { name, began_ms: self.state.age_ms });
        self.order(Action::RecordCall { path, on: true });
        self.recorded_anew();
        self.worth_writing();
        Ok(())
    }

    /// False where nothing is being recorded.
    pub(in crate::call) fn stop_recording(&mut self) -> bool {
        let Some(path) = self.keep_recording() else { return false };
        self.order(Action::RecordCall { path, on: false });
        self.worth_writing();
        true
    }

    /// Keeps what was recorded until now; the switch stops by itself at the channel's end.
    pub(in crate::call) fn keep_recording(&mut self) -> Option<String> {
        let Recording { name, began_ms } = self.state.talk.recording.take()?;
        let length_ms = self.state.age_ms.saturating_sub(began_ms);
        let path = self.recording_path(&name);
        if self.state.recordings.len() < RECORDINGS_MAX {
            let path = path.clone();
            let note = RecordingNote { name, path, length_ms, ..RecordingNote::default() };
            self.state.recordings.push(note);
        }
        Some(path)
    }

    /// Where the recording of this name is.
    pub(in crate::call) fn recording_path(&self, name: &str) -> String {
        format!("{}/{name}.wav", self.program.settings.message_directory)
    }
}
