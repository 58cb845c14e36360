//! Opening hours that are changed while somebody calls.

use std::fs;

use super::Lab;
use crate::daemon::{TENANT, command_line};
use crate::phone::Phone;

pub(super) fn a_changed_schedule_is_for_who_calls_afterwards(lab: &Lab) {
    let waits = Phone::call(lab, "4112");
    waits.hears(440.0);
    let file = lab.folder().join("shut.yaml");
    fs::write(&file, "weekly: {}\n").unwrap();
    let file = file.to_str().unwrap();
    command_line(lab.folder(), &["schedule", "put", "shop", file, "--tenant", TENANT]);
    // The daemon hears of it within a second: the first call after it may have been faster.
    let refused = (0..3).any(|_| Phone::call(lab, "4112").ends() == "CALL_REJECTED");
    assert!(refused, "callers still hear that it is open");
    waits.hears(1_000.0);
    assert_eq!(waits.ends(), "NORMAL_CLEARING");
}
