//! A process that stood still while FreeSWITCH went on with its call.

use std::sync::Arc;

use callwright::base::ids::CallId;
use callwright::base::now::Now;
use callwright::driver::session::{Offer, Session};
use callwright::simulator::{Channel, Script};
use uuid::Uuid;

use super::support::{One, router, script, settings};
use callwright::driver::session::Settings;

const FLOW: &str = "
callwright: 1
start: answer
steps:
  answer: { kind: answer, next: first }
  first: { kind: play, prompts: [welcome], next: second }
  second: { kind: play, prompts: [again], next: bye }
  bye: { kind: hangup }
";

/// A call at its first prompt, and its process.
struct Asleep {
    router: One,
    settings: Settings,
    session: Session,
    channel: Channel,
    now: Now,
}

impl Asleep {
    fn new() -> Self {
        let script: Arc<Script> = script("dial: '100'\nsteps: [{ hear: welcome }]");
        let now = Now::new(0, "2026-11-23T10:00:00Z".parse().unwrap());
        let call = script.call("4be9781d-c0f1-4d7a-a521-b795cb3d13f7");
        let channel = Channel::new(call, Arc::new(script.world()), now);
        let session = Session::new(CallId(Uuid::from_u128(1)), None, now);
        let (router, settings) = (router(FLOW), settings());
        let mut asleep = Self { router, settings, session, channel, now };
        asleep.channel.connected(now);
        asleep.settle();
        asleep.pass(1_000);
        asleep.settle();
        asleep
    }

    fn settle(&mut self) {
        while let Some(bytes) = self.session.transmit() {
            self.channel.receive(&bytes, self.now);
            let bytes = self.channel.transmit();
            self.session.buffer().extend_from_slice(&bytes);
            self.session.received(self.now, &self.settings, &self.router);
        }
    }

    /// Only FreeSWITCH's time passes.
    fn pass(&mut self, ms: u64) {
        for _ in 0..ms / 100 {
            self.now = self.now.plus_ms(100);
            self.channel.tick(self.now);
        }
    }

    /// What the process says when it wakes, and whether the call is another's.
    fn wakes(&mut self, heard: &[u8]) -> (String, bool) {
        while self.session.poll().is_some() {}
        self.session.buffer().extend_from_slice(heard);
        self.session.woken(self.now);
        self.session.received(self.now, &self.settings, &self.router);
        let mut said = Vec::new();
        while let Some(bytes) = self.session.transmit() {
            said.extend_from_slice(&bytes);
            self.channel.receive(&bytes, self.now);
            let bytes = self.channel.transmit();
            self.session.buffer().extend_from_slice(&bytes);
            self.session.received(self.now, &self.settings, &self.router);
        }
        let mut given = false;
        while let Some(offer) = self.session.poll() {
            given |= matches!(offer, Offer::HandedOver);
        }
        (String::from_utf8(said).unwrap(), given)
    }
}

const ASKS: &str = "api uuid_dump 4be9781d-c0f1-4d7a-a521-b795cb3d13f7 json\n\n";

#[test]
fn a_process_that_wakes_gives_its_call_away_before_it_hears_what_is_long_past() {
    let mut asleep = Asleep::new();
    asleep.pass(40_000);
    let heard = asleep.channel.transmit();
    assert!(!heard.is_empty(), "the prompt has ended meanwhile");
    let (said, given) = asleep.wakes(&heard);
    assert!(given && !said.contains("execute"), "{said}");
    let then = said.strip_prefix(ASKS).unwrap_or_else(|| panic!("{said}"));
    assert!(then.starts_with("api uuid_setvar_multi") && then.contains("exit"), "{said}");
}

#[test]
fn a_process_that_wakes_keeps_still_where_its_call_was_sent_elsewhere() {
    let mut asleep = Asleep::new();
    asleep.pass(40_000);
    let heard = String::from_utf8(asleep.channel.transmit()).unwrap();
    let profile = "Caller-Profile-Index: 1";
    assert!(heard.contains(profile), "{heard}");
    // The last of what came meanwhile is of after a transfer.
    let (before, last) = heard.rsplit_once(profile).unwrap();
    let moved = format!("{before}Caller-Profile-Index: 2{last}");
    assert_eq!(asleep.wakes(moved.as_bytes()), (ASKS.to_owned(), true));
}
