//! Channels besides the caller's: legs that were called aside (`originate`), and far ends that were
//! taken out of the caller's `bridge`. Each has a life of its own; two of them, or one and the
//! caller, may be joined (`uuid_bridge`). The order of their events is as measured on FreeSWITCH
//! 1.10.12.

mod api;
mod joined;
mod tell;

use super::channel::{Channel, Job, Work};
use super::events::Kind;
use super::variables::Variables;
use super::world::FarEnd;
use crate::base::cause::HangupCause;
use crate::base::digits::Digit;
use crate::base::now::Now;

pub(super) use joined::Joined;

/// Channels besides the caller's at once; one more can't be called.
pub(super) const MAX_OTHERS: usize = 64;

/// What has our dialplan offer a channel to Callwright that is no caller's.
const TIE: &[u8] = b"callwright_tie";

/// One channel.
#[derive(Debug)]
pub(super) struct Other {
    uuid: String,
    number: String,
    vars: Variables,
    doing: Doing,
    /// Since when it does that.
    since: u64,
    /// When its party hangs up by itself.
    ends: Option<(u64, HangupCause)>,
}

#[derive(Debug, PartialEq, Eq)]
enum Doing {
    /// It is called; `job` hears what comes of it, and then it does what `then` says.
    Rings { far_end: FarEnd, limit: u64, job: Vec<u8>, command: Vec<u8>, then: Vec<u8> },
    /// It has answered, and is about to do this.
    Begins { at: u64, then: Vec<u8> },
    /// In silence, until this moment where there is one.
    Parked { until: Option<u64> },
    /// A sound without end.
    Plays,
    /// It hears what this channel says and hears.
    Listens { to: Vec<u8> },
    /// In somebody's dialplan.
    Away,
    /// In the dialplan, for a call of its own.
    Brought,
    /// In a conference room; `two`: it is over when one is left.
    Meets { room: Vec<u8>, two: bool },
    /// `first` is the one of the two whose events tell of it.
    Talks { with: String, first: bool },
}

/// What a channel besides the caller's is doing, for onlookers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FarState {
    Rings,
    /// It lives, and nobody is there for it.
    Silent,
    /// It hears a sound or somebody's conversation.
    Hears,
    /// It is in a room.
    Meets,
    Talks,
}

/// A channel besides the caller's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FarLeg {
    pub uuid: String,
    pub number: String,
    pub state: FarState,
    pub since_ms: u64,
}

impl Other {
    fn due(&self) -> Option<u64> {
        let own = match &self.doing {
            Doing::Rings { far_end, limit, .. } => {
                let outcome = super::bridge::outcome_at(far_end, self.since);
                Some(outcome.map_or(*limit, |at| at.min(*limit)))
            }
            Doing::Begins { at, .. } => Some(*at),
            Doing::Parked { until } => *until,
            Doing::Plays | Doing::Listens { .. } | Doing::Away | Doing::Brought => None,
            Doing::Meets { .. } | Doing::Talks { .. } => None,
        };
        let ends = self.ends.map(|(at, _)| at);
        [own, ends].into_iter().flatten().min()
    }

    const fn state(&self) -> FarState {
        match &self.doing {
            Doing::Rings { .. } => FarState::Rings,
            Doing::Begins { .. } | Doing::Parked { .. } | Doing::Brought => FarState::Silent,
            Doing::Plays | Doing::Listens { .. } | Doing::Away => FarState::Hears,
            Doing::Meets { .. } => FarState::Meets,
            Doing::Talks { .. } => FarState::Talks,
        }
    }

    fn is(&self, uuid: &[u8]) -> bool {
        self.uuid.as_bytes() == uuid
    }
}

impl Channel {
    /// The channels besides the caller's that are up.
    pub fn far_legs(&self) -> Vec<FarLeg> {
        let dialed = self.bridged_leg().map(|(uuid, number)| FarLeg {
            uuid: uuid.to_owned(),
            number,
            state: FarState::Talks,
            since_ms: self.ms(),
        });
        let others = self.others.iter().map(|other| FarLeg {
            uuid: other.uuid.clone(),
            number: other.number.clone(),
            state: other.state(),
            since_ms: other.since,
        });
        let dialed = dialed.filter(|leg| !self.others.iter().any(|other| other.uuid == leg.uuid));
        dialed.into_iter().chain(others).collect()
    }

    /// A channel that is to have a call of its own, and what it carries for that.
    pub fn brought(&self) -> Option<(String, Vec<u8>)> {
        let other = self.others.iter().find(|other| other.doing == Doing::Brought)?;
        Some((other.uuid.clone(), other.vars.get(TIE)?.to_vec()))
    }

    /// The party of a channel besides the caller's presses a key.
    pub fn press_far(&mut self, uuid: &str, digit: Digit, now: Now) {
        self.tick(now);
        if self.has_leg(uuid.as_bytes()) {
            let key = [digit.byte()];
            let extra: [(&str, &[u8]); 2] = [("DTMF-Digit", &key), ("DTMF-Duration", b"800")];
            self.tell_far(uuid, Kind::Dtmf, &extra);
        }
    }

    /// It hangs up.
    pub fn hang_up_far(&mut self, uuid: &str, cause: HangupCause, now: Now) {
        self.tick(now);
        self.hang_up_leg(uuid.as_bytes(), cause);
        self.tick(now);
    }

    /// Its phone holds, or takes back.
    pub fn hold_far(&mut self, uuid: &str, on: bool, now: Now) {
        self.tick(now);
        if self.has_leg(uuid.as_bytes()) {
            self.tell_far(uuid, if on { Kind::Hold } else { Kind::Unhold }, &[]);
        }
    }

    pub(super) fn others_deadline(&self) -> Option<u64> {
        let listeners = self.others.iter().filter(|other| self.is_deaf(other));
        let deaf = listeners.map(|_| self.ms());
        self.others.iter().filter_map(Other::due).chain(deaf).min()
    }

    /// Nothing is left of what it listened to.
    fn is_deaf(&self, other: &Other) -> bool {
        matches!(&other.doing, Doing::Listens { to } if !self.is_up(to))
    }

    /// Does one thing that is due on another channel.
    pub(super) fn serve_others(&mut self) -> bool {
        let now = self.ms();
        if let Some(at) = self.others.iter().position(|other| self.is_deaf(other)) {
            self.end_other(at, HangupCause::NormalClearing);
            return true;
        }
        let due = |other: &Other| other.due().is_some_and(|at| at <= now);
        let Some(at) = self.others.iter().position(due) else { return false };
        let Some(other) = self.others.get_mut(at) else { return false };
        if let Some((_, cause)) = other.ends.filter(|(ends, _)| *ends <= now) {
            self.end_other(at, cause);
            return true;
        }
        match std::mem::replace(&mut other.doing, Doing::Away) {
            Doing::Rings { far_end, limit, job, command, then } => {
                let outcome = super::bridge::outcome_at(&far_end, other.since);
                if outcome.is_none_or(|at| at > limit.min(now)) {
                    other.doing = Doing::Rings { far_end, limit, job, command, then };
                    self.end_other(at, HangupCause::NoAnswer);
                } else if let FarEnd::Fails { cause, .. } = far_end {
                    other.doing = Doing::Rings { far_end, limit, job, command, then };
                    self.end_other(at, cause);
                } else {
                    self.other_answers(at, &far_end, job, command, then);
                }
            }
            Doing::Begins { then, .. } => self.other_does(at, &then),
            Doing::Parked { .. } => self.end_other(at, HangupCause::NormalClearing),
            doing => other.doing = doing,
        }
        true
    }

    fn other_answers(
        &mut self,
        at: usize,
        far_end: &FarEnd,
        job: Vec<u8>,
        command: Vec<u8>,
        then: Vec<u8>,
    ) {
        let (now, soon) = (self.ms(), self.next_frame());
        let Some(other) = self.others.get_mut(at) else { return };
        if let FarEnd::Answers(answers) = far_end {
            let cause = answers.cause.unwrap_or(HangupCause::NormalClearing);
            other.ends = answers.talk.map(|talk| (now + talk.ms(), cause));
        }
        other.since = now;
        other.doing = Doing::Begins { at: soon, then };
        let uuid = other.uuid.clone();
        self.tell_far(&uuid, Kind::Answer, &[]);
        self.finish_job(job, command, format!("+OK {uuid}\n").into_bytes());
    }

    fn finish_job(&mut self, uuid: Vec<u8>, command: Vec<u8>, output: Vec<u8>) {
        let work = Work::Result { uuid, command, output };
        self.jobs_push(Job { at: self.ms(), group: Vec::new(), work });
    }

    /// Begins an application: `name` or `name:argument`.
    fn other_does(&mut self, at: usize, what: &[u8]) {
        let name = super::wire::until(what, |b| b == b':');
        let argument = what.get(name.len() + 1..).unwrap_or_default();
        let (now, soon) = (self.ms(), self.next_frame());
        let Some(other) = self.others.get_mut(at) else { return };
        other.since = now;
        other.doing = match name {
            b"park" => Doing::Parked { until: None },
            b"endless_playback" | b"playback" => Doing::Plays,
            b"eavesdrop" => Doing::Listens { to: eavesdropped(argument) },
            b"conference" if self.world.room.lets_in() => {
                let (room, two) = super::room::named(argument);
                Doing::Meets { room, two }
            }
            b"dialplan" if other.vars.get(TIE).is_some_and(|tie| !tie.is_empty()) => Doing::Brought,
            // The dialplan of somebody else; here nobody is there.
            _ => {
                other.ends = Some((soon, HangupCause::NormalClearing));
                Doing::Away
            }
        };
        if name == b"park" {
            let uuid = other.uuid.clone();
            self.tell_far(&uuid, Kind::Park, &[]);
        }
    }

    fn find_other(&self, uuid: &[u8]) -> Option<usize> {
        self.others.iter().position(|other| other.is(uuid))
    }

    pub(super) fn has_other(&self, uuid: &[u8]) -> bool {
        self.find_other(uuid).is_some()
    }

    /// Hangs one up; false where there is none.
    pub(super) fn hang_up_other(&mut self, uuid: &[u8], cause: HangupCause) -> bool {
        let at = self.find_other(uuid);
        if let Some(at) = at {
            self.end_other(at, cause);
        }
        at.is_some()
    }

    fn end_other(&mut self, at: usize, cause: HangupCause) {
        if at >= self.others.len() {
            return;
        }
        let other = self.others.remove(at);
        let number = other.number.clone();
        let extra = [("Hangup-Cause", cause.name().as_bytes())];
        self.tell_leg(&other.uuid, &number, Kind::Hangup, &extra);
        match other.doing {
            Doing::Rings { job, command, .. } => {
                self.finish_job(job, command, format!("-ERR {cause}\n").into_bytes());
            }
            Doing::Talks { with, first } => {
                self.unbridge_others(&other.uuid, &with, first, Some(cause));
            }
            Doing::Meets { room, .. } => self.empties(&room),
            _ => {}
        }
        self.tell_leg(&other.uuid, &number, Kind::HangupComplete, &extra);
    }

    /// One of two that talked is gone, or was taken elsewhere. Where the other one is the caller,
    /// it notices by itself.
    fn unbridge_others(
        &mut self,
        left: &str,
        stays: &str,
        left_first: bool,
        cause: Option<HangupCause>,
    ) {
        let Some(at) = self.find_other(stays.as_bytes()) else { return };
        let teller = if left_first { left } else { stays };
        let (one, two) = if left_first { (left, stays) } else { (stays, left) };
        let extra =
            [("Bridge-A-Unique-ID", one.as_bytes()), ("Bridge-B-Unique-ID", two.as_bytes())];
        self.tell_far(teller, Kind::Unbridge, &extra);
        self.stay_behind(at, cause);
    }

    /// Two that talk with one another are about to be joined once more: neither is left behind.
    fn let_go_for_a_moment(&mut self, one: &[u8], two: &[u8]) {
        let Some(at) = self.find_other(one) else { return };
        let Doing::Talks { with, first } = &self.others[at].doing else { return };
        if with.as_bytes() != two {
            return;
        }
        let (with, first) = (with.clone(), *first);
        let teller = if first { self.others[at].uuid.clone() } else { with };
        for uuid in [one, two] {
            if let Some(at) = self.find_other(uuid) {
                self.others[at].doing = Doing::Away;
            }
        }
        self.tell_far(&teller, Kind::Unbridge, &[]);
    }

    /// What becomes of a channel whose partner is gone (`switch_ivr_bridge.c`
    /// audio_bridge_on_exchange_media).
    fn stay_behind(&mut self, at: usize, cause: Option<HangupCause>) {
        let now = self.ms();
        let Some(other) = self.others.get_mut(at) else { return };
        other.since = now;
        if !other.vars.is_true("park_after_bridge") {
            other.doing = Doing::Away;
            return self.end_other(at, cause.unwrap_or(HangupCause::NormalClearing));
        }
        let seconds = other.vars.get(b"park_timeout").map_or(0, super::wire::atoi);
        let limit = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0);
        other.doing = Doing::Parked { until: limit.map(|seconds| now + seconds * 1_000) };
        let uuid = other.uuid.clone();
        self.tell_far(&uuid, Kind::Park, &[]);
    }

    /// Takes a channel out of what it does.
    fn take_out(&mut self, at: usize) {
        let now = self.ms();
        let Some(other) = self.others.get_mut(at) else { return };
        let uuid = other.uuid.clone();
        other.since = now;
        match std::mem::replace(&mut other.doing, Doing::Away) {
            Doing::Talks { with, first } => self.unbridge_others(&uuid, &with, first, None),
            Doing::Meets { room, .. } => self.empties(&room),
            Doing::Rings { job, command, .. } => {
                self.finish_job(job, command, format!("+OK {uuid}\n").into_bytes());
            }
            _ => {}
        }
    }

    /// Somebody has left a room: one that is for two at least is over when one is left
    /// (`conference_member.c` conference_member_del).
    pub(super) fn empties(&mut self, room: &[u8]) {
        let in_it =
            |other: &Other| matches!(&other.doing, Doing::Meets { room: r, .. } if r == room);
        let others: Vec<_> = self.others.iter().filter(|other| in_it(other)).collect();
        let two = others.iter().any(|other| matches!(other.doing, Doing::Meets { two: true, .. }));
        let names: Vec<_> = others.iter().map(|other| other.uuid.clone()).collect();
        let caller = self.stays_in(room);
        match (&names[..], caller) {
            ([last], false) if two => {
                self.hang_up_other(last.as_bytes(), HangupCause::NormalClearing);
            }
            ([], true) => self.stays_alone(room),
            _ => {}
        }
    }

    /// Who is in a room is put out of it, and has nothing else to do.
    pub(super) fn empty(&mut self, room: &[u8]) {
        let soon = self.next_frame();
        for other in &mut self.others {
            if matches!(&other.doing, Doing::Meets { room: known, .. } if known == room) {
                other.doing = Doing::Away;
                other.ends = Some((soon, HangupCause::NormalClearing));
            }
        }
    }

    /// A far end that leaves the caller's `bridge` has a life of its own from now on.
    fn adopt_far_end(&mut self, uuid: &[u8]) -> Option<usize> {
        let (_, number) = self.bridged_leg().filter(|(leg, _)| leg.as_bytes() == uuid)?;
        let ends = self.transfer_far_end()?;
        let other = Other {
            uuid: String::from_utf8_lossy(uuid).into_owned(),
            number,
            vars: Variables::default(),
            doing: Doing::Away,
            since: self.ms(),
            ends,
        };
        self.others.push(other);
        Some(self.others.len() - 1)
    }

    fn place(&mut self, uuid: &[u8]) -> Option<usize> {
        self.find_other(uuid).or_else(|| self.adopt_far_end(uuid))
    }

    fn call_other(&mut self, other: Other) {
        if self.others.len() < MAX_OTHERS {
            self.others.push(other);
        }
    }
}

/// `%[eavesdrop_whisper_bleg=true]<uuid>`.
fn eavesdropped(argument: &[u8]) -> Vec<u8> {
    let end = argument.iter().rposition(|byte| *byte == b']');
    argument[end.map_or(0, |end| end + 1)..].to_vec()
}
