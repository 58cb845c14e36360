//! Whenever and however a call breaks off, it ends once, and soon.

use callwright::base::cause::HangupCause;
use callwright::driver::simulate::Simulation;

use crate::support::{router, script, settings};

const FLOW: &str = "
callwright: 1
start: pick-up
steps:
  pick-up: { kind: answer, next: ask }
  ask:
    kind: menu
    prompts: [welcome, second]
    choices: { '1': dial }
    on: { too_many: end }
  dial:
    kind: dial
    targets: [{ extension: '1001' }]
    next: message
    on: { failed: message }
  message: { kind: message, prompts: [bye], max_length: 3s, next: end }
  end: { kind: hangup }
";

const CALLER: &str = "
dial: '100'
far_ends: { '1001': { answer: 1s, talk: 2s } }
steps: [{ hear: welcome }, { press: '1' }, { talk: 20s }, { expect: { ended: {} } }]
";

#[derive(Debug, Clone, Copy)]
enum Break {
    Link,
    Caller,
    Switch,
}

/// Runs the call, breaks it off at the moment `at`; whether that moment came.
fn broken_off(at: usize, how: Break) -> bool {
    let (router, settings) = (router(FLOW), settings());
    let start = "2026-11-23T10:00:00Z".parse().unwrap();
    let mut call = Simulation::new(script(CALLER), &router, &settings, start, 5);
    for _ in 0..at {
        if !call.step() {
            return false;
        }
    }
    let began = !call.timeline().is_empty();
    match how {
        Break::Link => call.cut(),
        Break::Caller => {
            let (channel, now) = call.channel();
            channel.hang_up(HangupCause::NormalClearing, now);
        }
        Break::Switch => {
            let (channel, now) = call.channel();
            channel.hang_up(HangupCause::SystemShutdown, now);
            channel.closed(now);
        }
    }
    let before = call.now_ms();
    while !call.session_is_closed() && call.step() {}
    assert!(call.session_is_closed(), "{how:?} at {at}: the session goes on");
    assert!(call.now_ms() - before < 10_000, "{how:?} at {at}: it took long");
    // A call whose connection breaks may be up: its record is made by whoever hears of its end.
    let (records, adrift) = (call.records().len(), call.adrift());
    assert!(records + adrift <= 1, "{how:?} at {at}: {records} records, {adrift} adrift");
    assert!(records + adrift == 1 || !began, "{how:?} at {at}: nobody knows of it");
    true
}

#[test]
fn a_call_that_breaks_off_at_any_moment_ends_once() {
    for how in [Break::Link, Break::Caller, Break::Switch] {
        let moments = (1..10_000).take_while(|at| broken_off(*at, how)).count();
        assert!(moments > 15, "{how:?}: only {moments} moments");
    }
}
