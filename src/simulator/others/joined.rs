//! The caller joined to another channel by `uuid_bridge`: it leaves its `socket`, whose connection
//! stays open all the same, and goes where `transfer_after_bridge` says when they part.

use super::{Channel, Doing};
use crate::base::cause::HangupCause;
use crate::simulator::arguments::split;
use crate::simulator::channel::Peer;
use crate::simulator::events::Kind;
use crate::simulator::execute::{Activity, End, Served};
use crate::simulator::observed::Observed;
use crate::simulator::profile::Times;

/// The caller, joined.
#[derive(Debug)]
pub(in crate::simulator) struct Joined {
    other: String,
    /// The caller is the first of the two.
    first: bool,
}

impl Joined {
    pub(super) fn other(&self) -> &str {
        &self.other
    }
}

impl Channel {
    pub(in crate::simulator) fn talks_here(&self, joined: &Joined) -> bool {
        self.others.iter().any(|other| {
            other.uuid == joined.other
                && matches!(&other.doing, Doing::Talks { with, .. } if *with == self.call.uuid)
        })
    }

    pub(in crate::simulator) fn begin_joined(&mut self, text: &[u8]) -> Activity {
        let other = self.find_other(text).and_then(|at| self.others.get(at));
        let first =
            other.is_none_or(|other| !matches!(&other.doing, Doing::Talks { first: true, .. }));
        let joined = Joined { other: String::from_utf8_lossy(text).into_owned(), first };
        if let Some(number) = self.meets(&joined.other) {
            self.times.bridged = self.now.wall.as_microsecond();
            self.vars.set(&b"signal_bond"[..], joined.other.clone().into_bytes());
            self.note(Observed::Bridged { target: number });
            self.tell_joined(Kind::Bridge, &joined);
        }
        Activity::Joined(joined)
    }

    /// From now on events name this channel as the other leg. Gives its number.
    pub(super) fn meets(&mut self, uuid: &str) -> Option<String> {
        let other = self.others.iter().find(|other| other.uuid == uuid)?;
        let (number, micros) = (other.number.clone(), self.now.wall.as_microsecond());
        self.peer = Some(Peer {
            uuid: uuid.to_owned(),
            destination: number.clone().into_bytes(),
            channel_name: [b"sofia/internal/", number.as_bytes()].concat(),
            times: Times { created: micros, answered: micros, ..Times::default() },
        });
        Some(number)
    }

    /// FreeSWITCH tells of the two on the first of them only, who is the caller where it was not
    /// fetched.
    fn tell_joined(&mut self, kind: Kind, joined: &Joined) {
        if joined.first {
            self.fire_bridge(kind);
        }
    }

    pub(in crate::simulator) fn serve_joined(&mut self, joined: &Joined) -> Served {
        if !self.talks_here(joined) {
            let gone = !self.has_other(joined.other.as_bytes());
            self.end_joined(joined, gone.then_some(HangupCause::NormalClearing));
            if let Some(way) = self.vars.get(b"transfer_after_bridge").map(<[u8]>::to_vec) {
                self.vars.unset(b"transfer_after_bridge");
                self.transfer(&split(&way, b':', 3), true);
            }
            return Served::Ends(End::Normal);
        }
        if self.digit_is_due() {
            self.read_digit();
            return Served::Again;
        }
        Served::Waits
    }

    /// The caller is gone, or was taken elsewhere.
    pub(in crate::simulator) fn abandon_joined(&mut self, joined: &Joined) {
        let cause = self.ended.as_ref().map(|ended| ended.cause);
        let talked = self.talks_here(joined) && !self.joins_anew(joined);
        self.end_joined(joined, Some(cause.unwrap_or(HangupCause::NormalClearing)));
        if let Some(at) = self.find_other(joined.other.as_bytes()).filter(|_| talked) {
            self.stay_behind(at, cause);
        }
    }

    /// The caller leaves for the same channel.
    fn joins_anew(&self, joined: &Joined) -> bool {
        self.ended.is_none()
            && self.divert.as_ref().is_some_and(|divert| divert.joins(&joined.other))
    }

    fn end_joined(&mut self, joined: &Joined, cause: Option<HangupCause>) {
        let Some(cause) = cause else {
            self.vars.unset(b"bridge_hangup_cause");
            return self.told_apart(joined, HangupCause::NormalClearing);
        };
        self.vars.set(&b"bridge_hangup_cause"[..], cause.name().as_bytes());
        self.told_apart(joined, cause);
    }

    fn told_apart(&mut self, joined: &Joined, cause: HangupCause) {
        self.vars.set(&b"last_bridge_to"[..], joined.other.clone().into_bytes());
        self.vars.unset(b"signal_bond");
        self.note(Observed::Unbridged { cause });
        self.tell_joined(Kind::Unbridge, joined);
    }
}
