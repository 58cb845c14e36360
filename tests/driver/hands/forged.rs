//! States that are not this call's.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callwright::base::millis::Millis;
use callwright::driver::simulate::{Blow, NextProcess, Reached, Simulation, Trouble};
use callwright::simulator::Observed;

use super::calls::{Play, all, world};
use super::settings;

const STATE: &str = "callwright_state";
/// The input at which the first process is killed: the caller is in the menu by then.
const KILLED_AT: u64 = 40;

fn play() -> Play {
    all().into_iter().find(|play| play.name == "another flow and back").unwrap()
}

/// A call killed in its menu; before the next process speaks, its state becomes what `forge` makes
/// of it. How often the caller heard the welcome, and why the call was refused.
fn forged(forge: impl Fn(String) -> Option<String>) -> (usize, Option<String>, u32) {
    let (play, settings) = (play(), settings());
    let start = "2026-11-23T10:00:00Z".parse().unwrap();
    let trouble = Trouble {
        input: KILLED_AT,
        blow: Blow::Killed(Reached::Sent(1_000)),
        next: NextProcess::SpeaksAfter(Millis(500)),
    };
    let script = std::sync::Arc::clone(&play.script);
    let mut sim = Simulation::within(world(&script), script, &*play.router, &settings, start, 1)
        .with_troubles(&[trouble]);
    while sim.blows().is_empty() {
        assert!(sim.step(), "it ended before it was killed");
    }
    let (channel, _) = sim.channel();
    let state = String::from_utf8(channel.variable(STATE).unwrap().to_vec()).unwrap();
    let state = forge(state).unwrap_or_default();
    channel.set_variable(STATE, state.as_bytes());
    sim.run();
    let outcome = sim.outcome();
    let welcome = outcome.heard.iter().filter(
        |moment| matches!(&moment.what, Observed::Heard { item, .. } if item.contains("welcome")),
    );
    let hands = outcome.record.as_ref().map_or(0, |record| record.hands);
    (welcome.count(), outcome.refused, hands)
}

#[test]
fn a_state_that_was_not_touched_is_gone_on_with() {
    let (welcomes, refused, hands) = forged(Some);
    assert_eq!((welcomes, refused, hands), (2, None, 1), "twice is what the flow asks for");
}

#[test]
fn without_a_state_or_with_a_damaged_one_the_call_begins_anew() {
    let changed = |at: usize| {
        forged(move |state| {
            let mut bytes = URL_SAFE_NO_PAD.decode(state).unwrap();
            let at = if at == usize::MAX { bytes.len() - 1 } else { at };
            bytes[at] ^= 1;
            Some(URL_SAFE_NO_PAD.encode(bytes))
        })
    };
    let anew = (4, None, 0);
    assert_eq!(forged(|_| None), anew);
    assert_eq!(forged(|_| Some("not a state".into())), anew);
    assert_eq!(forged(|state| Some(state[..state.len() / 2].into())), anew);
    assert_eq!(forged(|state| Some(state[..20].into())), anew);
    for at in [1, 4, 5, 16, 17, 60, usize::MAX] {
        assert_eq!(changed(at), anew, "byte {at}");
    }
}

#[test]
fn a_state_of_another_release_is_left_to_whoever_can_read_it() {
    let (_, refused, hands) = forged(|state| {
        let mut bytes = URL_SAFE_NO_PAD.decode(state).unwrap();
        bytes[0] ^= 1;
        Some(URL_SAFE_NO_PAD.encode(bytes))
    });
    assert_eq!((refused.as_deref(), hands), (Some("state"), 0));
}

#[test]
fn the_state_of_another_call_begins_the_call_anew() {
    let (play, settings) = (play(), settings());
    let start = "2026-11-23T10:00:00Z".parse().unwrap();
    let script = std::sync::Arc::clone(&play.script);
    let mut other = Simulation::within(world(&script), script, &*play.router, &settings, start, 2);
    while other.inputs() < KILLED_AT {
        assert!(other.step());
    }
    let (channel, _) = other.channel();
    let state = String::from_utf8(channel.variable(STATE).unwrap().to_vec()).unwrap();
    assert_eq!(forged(|_| Some(state.clone())), (4, None, 0));
}
