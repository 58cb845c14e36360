//! Dialing others.

use std::time::Duration;

use super::Lab;
use crate::phone::Phone;

fn dial<'a>(lab: &'a Lab, number: &str) -> Phone<'a> {
    let phone = Phone::call(lab, "4104");
    phone.hears(440.0);
    phone.press(number);
    phone
}

pub(super) fn two_parties_hear_each_other(lab: &Lab) {
    let phone = dial(lab, "2003");
    phone.hears(1_300.0);
    std::thread::sleep(Duration::from_secs(2));
    let (from, to) = phone.sound().tone(1_300.0).unwrap();
    assert!(to - from > 1.5, "the far end was heard for {} s only", to - from);
    assert!(phone.is_up());
}

pub(super) fn the_flow_goes_on_after_the_far_end(lab: &Lab) {
    let phone = dial(lab, "2004");
    let talk = phone.hears(1_300.0);
    let after = phone.hears(1_000.0);
    assert!(after > talk + 1.0);
    assert_eq!(phone.ends(), "NORMAL_CLEARING");
}

pub(super) fn busy_declined_and_silent_are_told_apart(lab: &Lab) {
    let cases = [
        ("2001", 600.0, "USER_BUSY"),
        ("2002", 700.0, "NO_ANSWER"),
        ("2005", 850.0, "CALL_REJECTED"),
        ("2999", 1_150.0, "UNALLOCATED_NUMBER"),
    ];
    let phones = cases.map(|(number, ..)| dial(lab, number));
    for (phone, (number, hz, cause)) in phones.iter().zip(cases) {
        phone.hears(hz);
        assert_eq!(phone.ends(), cause, "{number}");
    }
}
