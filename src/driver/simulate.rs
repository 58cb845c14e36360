//! A flow run without a switch, a network or a clock: a session against a simulated channel, on
//! virtual time, led by a caller's script. The same script gives the same timeline, to the
//! millisecond.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::session::{Offer, Router, Session, Settings};
use crate::base::ids::CallId;
use crate::base::now::Now;
use crate::call::input::{Answer, HttpAnswer, HttpFailure};
use crate::call::output::{HttpRequest, Query, QueryId};
use crate::model::record::CallRecord;
use crate::model::timeline::{Entry, What};
use crate::simulator::{Caller, Channel, Failure, Moment, Script, Verdict};

/// Moments at which something happens in one simulation: more mean a loop.
const MOMENTS_MAX: usize = 1_000_000;
/// How long a simulated call may last: a day.
const LENGTH_MAX_MS: u64 = 24 * 3_600_000;

/// What came of a simulated call.
#[derive(Debug)]
pub struct Outcome {
    pub verdict: Verdict,
    pub timeline: Vec<Entry>,
    /// None where the call was given back to the dialplan.
    pub record: Option<CallRecord>,
    /// Why the call was given back.
    pub refused: Option<String>,
    /// What the caller experienced.
    pub heard: Vec<Moment>,
    pub length_ms: u64,
}

/// One simulated call, moment by moment.
pub struct Simulation<'a> {
    script: Arc<Script>,
    router: &'a dyn Router,
    settings: &'a Settings,
    session: Session,
    channel: Channel,
    caller: Caller,
    now: Now,
    began_ms: u64,
    connected: bool,
    /// Answers under way, by the moment at which they arrive.
    answers: BTreeMap<(u64, QueryId), Answer>,
    timeline: Vec<Entry>,
    records: Vec<CallRecord>,
    refused: Option<String>,
    sent: Vec<u8>,
}

impl<'a> Simulation<'a> {
    /// A call that has just come in at `start`, unless the script says when. `seed` gives it
    /// identities.
    pub fn new(
        script: Arc<Script>,
        router: &'a dyn Router,
        settings: &'a Settings,
        start: Timestamp,
        seed: u64,
    ) -> Self {
        let wall = script.at.as_ref().map_or(start, |at| at.timestamp());
        let now = Now::new(0, wall);
        let uuid = Uuid::from_u128(u128::from(seed) << 64 | 0x8000_0000_0000_0001);
        let channel = Channel::new(script.call(&uuid.to_string()), Arc::new(script.world()), now);
        Self {
            session: Session::new(CallId(uuid), None, now),
            caller: Caller::new(Arc::clone(&script), now),
            channel,
            script,
            router,
            settings,
            now,
            began_ms: now.mono_ms,
            connected: false,
            answers: BTreeMap::new(),
            timeline: Vec::new(),
            records: Vec::new(),
            refused: None,
            sent: Vec::new(),
        }
    }

    /// Lets everything happen that is due, then time pass until something is. False when the call
    /// is over for everybody.
    pub fn step(&mut self) -> bool {
        self.settle();
        let over = self.session.is_closed() && self.caller.verdict().is_some();
        if over || self.now.mono_ms - self.began_ms > LENGTH_MAX_MS {
            return false;
        }
        let answer = self.answers.keys().next().map(|(at_ms, _)| *at_ms);
        let deadlines =
            [self.session.deadline(), self.channel.deadline(), self.caller.deadline(), answer];
        let Some(next) = deadlines.into_iter().flatten().min() else { return false };
        self.now = self.now.plus_ms(next.saturating_sub(self.now.mono_ms).max(1));
        self.channel.tick(self.now);
        self.session.tick(self.now);
        while let Some(entry) = self.answers.first_entry() {
            if entry.key().0 > self.now.mono_ms {
                break;
            }
            let ((_, id), answer) = entry.remove_entry();
            self.session.answer(id, answer, self.now);
        }
        true
    }

    /// The connection breaks.
    pub fn cut(&mut self) {
        self.channel.closed(self.now);
        self.session.link_lost(self.now);
        self.settle();
    }

    /// The far side of the connection, to be tampered with.
    pub fn channel(&mut self) -> (&mut Channel, Now) {
        (&mut self.channel, self.now)
    }

    pub fn session_is_closed(&self) -> bool {
        self.session.is_closed()
    }

    /// The moment at which the simulation stands.
    pub const fn now_ms(&self) -> u64 {
        self.now.mono_ms
    }

    /// What was noted so far.
    pub fn timeline(&self) -> &[Entry] {
        &self.timeline
    }

    /// Every byte sent to the switch so far.
    pub fn sent(&self) -> &[u8] {
        &self.sent
    }

    /// Records handed out so far; more than one is a fault.
    pub fn records(&self) -> &[CallRecord] {
        &self.records
    }

    /// Runs to the end.
    pub fn finish(mut self) -> Outcome {
        for _ in 0..MOMENTS_MAX {
            if !self.step() {
                break;
            }
        }
        let verdict = self.caller.verdict().cloned();
        Outcome {
            verdict: verdict.unwrap_or_else(|| Verdict::Failed(self.endless())),
            timeline: self.timeline,
            record: self.records.pop(),
            refused: self.refused,
            heard: self.channel.log().moments().to_vec(),
            length_ms: self.now.mono_ms - self.began_ms,
        }
    }

    fn endless(&self) -> Failure {
        Failure {
            step: 0,
            after: crate::base::millis::Millis(self.now.mono_ms - self.began_ms),
            expected: "the call to end".into(),
            instead: "it went on".into(),
        }
    }

    /// Passes bytes to and fro until both sides are quiet.
    fn settle(&mut self) {
        if !self.connected && self.channel.wants().is_some() {
            self.connected = true;
            self.channel.connected(self.now);
        }
        for _ in 0..MOMENTS_MAX {
            let mut moved = false;
            if let Some(bytes) = self.session.transmit() {
                self.sent.extend_from_slice(&bytes);
                self.channel.receive(&bytes, self.now);
                moved = true;
            }
            let bytes = self.channel.transmit();
            if !bytes.is_empty() {
                self.session.buffer().extend_from_slice(&bytes);
                self.session.received(self.now, self.settings, self.router);
                moved = true;
            }
            if self.session.is_closed() {
                self.channel.closed(self.now);
            } else if self.connected && self.channel.is_closed() {
                self.session.link_lost(self.now);
            }
            self.take_offers();
            self.caller.act(&mut self.channel, self.now);
            if !moved {
                return;
            }
        }
    }

    fn take_offers(&mut self) {
        while let Some(offer) = self.session.poll() {
            match offer {
                Offer::Query(id, Query::Http(request)) => self.ask(id, &request),
                Offer::Note(_, entry) => {
                    if let What::StepEntered { step, .. } = &entry.what {
                        self.caller.entered_step(step.as_str());
                    }
                    self.timeline.push(*entry);
                }
                Offer::Ended(record) => self.records.push(*record),
                Offer::Refused(reason) => self.refused = Some(reason),
                Offer::Begun(_) | Offer::Discard(_) | Offer::HandedOver | Offer::Adrift(_) => {}
            }
        }
    }

    /// The script's answer whose address is the longest beginning of the request's.
    fn ask(&mut self, id: QueryId, request: &HttpRequest) {
        let url = request.url.reveal();
        let matching = self.script.http.iter().filter(|(start, _)| url.starts_with(start.as_str()));
        let best = matching.max_by_key(|(start, _)| start.len());
        let (after, answer) = match best {
            Some((_, canned)) => {
                let json = canned.json.as_ref().map(ToString::to_string);
                let body = json.or_else(|| canned.body.clone()).unwrap_or_default();
                let late = canned.after > request.timeout;
                let long = body.len() > usize::try_from(request.max_bytes).unwrap_or(usize::MAX);
                let answer = match (late, long) {
                    (true, _) => Err(HttpFailure::TimedOut),
                    (false, true) => Err(HttpFailure::TooLong(request.max_bytes)),
                    (false, false) => {
                        Ok(HttpAnswer { status: canned.status, body: body.into_bytes() })
                    }
                };
                (canned.after.min(request.timeout), answer)
            }
            None => {
                let why = "the script has no answer for this address".into();
                (crate::base::millis::Millis(0), Err(HttpFailure::Unreachable(why)))
            }
        };
        let at_ms = self.now.mono_ms.saturating_add(after.ms());
        self.answers.insert((at_ms, id), Answer::Http(answer));
    }
}

impl std::fmt::Debug for Simulation<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulation")
            .field("now", &self.now)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

/// Runs one script to its end.
pub fn simulate(
    script: Arc<Script>,
    router: &dyn Router,
    settings: &Settings,
    start: Timestamp,
) -> Outcome {
    Simulation::new(script, router, settings, start, 1).finish()
}
