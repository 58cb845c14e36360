//! Callers who leave, and callers who can't be taken.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::Lab;
use crate::daemon::{self, TENANT};
use crate::phone::Phone;

pub(super) fn a_caller_may_hang_up_in_any_step(lab: &Lab) {
    // The number, what is pressed once its first tone is heard, and what is heard when it is time
    // to go.
    let steps = [
        // The one whose sound is short comes first.
        ("4103", "", 440.0, "welcome"),
        ("4101", "", 440.0, "main"),
        ("4102", "", 440.0, "ask"),
        ("4104", "2002", 440.0, "dial"),
        ("4104", "2003", 1_300.0, "dial"),
        ("4105", "", 600.0, "message"),
        ("4108", "", 440.0, "ask"),
    ];
    let phones = steps.map(|(number, ..)| Phone::call(lab, number));
    for (phone, (number, keys, hz, step)) in phones.iter().zip(steps) {
        phone.hears(if step == "dial" { 440.0 } else { hz });
        if !keys.is_empty() {
            phone.press(keys);
        }
        phone.hears(hz);
        if number == "4103" {
            phone.hang_up();
            continue;
        }
        std::thread::sleep(Duration::from_millis(1_000));
        phone.hang_up();
    }
    for (phone, (number, _, _, step)) in phones.iter().zip(steps) {
        let record = record(lab, &phone.number);
        assert_eq!(record["termination"]["party"], "caller", "{number}: {record}");
        let last = record["path"].as_array().and_then(|path| path.last());
        assert_eq!(last.map(|visit| &visit["step"]), Some(&Value::from(step)), "{number}");
    }
}

pub(super) fn an_unknown_number_is_told_so(lab: &Lab) {
    let phone = Phone::call(lab, "4999");
    phone.hears(1_900.0);
    assert_eq!(phone.ends(), "UNALLOCATED_NUMBER");
}

/// The record of the call that came from `caller`, once it is written.
#[track_caller]
pub(super) fn record(lab: &Lab, caller: &str) -> Value {
    let began = Instant::now();
    loop {
        if let [head] = &records(lab, caller)[..] {
            let call = head["call"].as_str().unwrap();
            let trace = daemon::json(lab.folder(), &["trace", call]);
            return trace.get("record").unwrap_or(&trace).clone();
        }
        assert!(began.elapsed() < Duration::from_secs(20), "no record of {caller}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// The records of all calls that came from `caller`.
fn records(lab: &Lab, caller: &str) -> Vec<Value> {
    let calls = daemon::json(lab.folder(), &["calls", "--tenant", TENANT, "--limit", "100"]);
    let calls = calls["items"].as_array().cloned().unwrap_or_default();
    calls.into_iter().filter(|call| call["caller_number"] == caller).collect()
}
