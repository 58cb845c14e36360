//! More calls than the limits allow.

use std::time::{Duration, Instant};

use crate::callers::call;
use crate::daemon::{Place, eventually};

/// Calls in a second that the daemon takes.
const RATE: u32 = 50;
/// For how long twice as many come.
const SECONDS: u32 = 3;

#[test]
fn at_twice_the_rate_every_call_is_heard_at_once_and_half_go_back() {
    let place = Place::new("[limits]\nper_second = 50\nburst = 10");
    let running = place.start("serve");
    let address = place.address(&running);
    let began = Instant::now();
    let mut slowest = Duration::ZERO;
    for number in 0..RATE * 2 * SECONDS {
        let due = began + Duration::from_secs(1) / (RATE * 2) * number;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        slowest = slowest.max(call(address).unwrap());
    }
    let took = began.elapsed().as_secs_f64();
    let refused = eventually(&running, || place.status()?["refused"]["rate"].as_u64());
    let all = f64::from(RATE * 2 * SECONDS);
    let taken = all - refused as f64;
    let fair = 10.0 + f64::from(RATE) * took;
    eprintln!("{taken} of {all} calls taken in {took:.1} s, the slowest answered in {slowest:?}");
    assert!(taken <= fair + 1.0, "{taken} taken, {fair} allowed");
    assert!(taken >= fair * 0.8, "{taken} taken, {fair} allowed");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}

#[test]
fn beyond_its_memory_a_daemon_is_not_ready() {
    let place = Place::new("[limits]\nmemory = 1000000");
    let running = place.start("serve");
    let status =
        eventually(&running, || place.status().filter(|status| status["shedding"] == "memory"));
    assert_eq!(status["ready"], false);
    call(place.address(&running)).unwrap();
    eventually(&running, || (place.status()?["refused"]["memory"] == 1).then_some(()));
}
