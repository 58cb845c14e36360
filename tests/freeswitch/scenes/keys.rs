//! Menus and digits.

use std::time::Duration;

use super::Lab;
use crate::phone::Phone;

pub(super) fn no_key_ends_in_no_input(lab: &Lab) {
    let phone = Phone::call(lab, "4101");
    phone.hears(600.0);
    assert_eq!(phone.ends(), "NO_ANSWER");
}

pub(super) fn wrong_keys_end_in_invalid(lab: &Lab) {
    let phone = Phone::call(lab, "4101");
    phone.hears(440.0);
    for _ in 0..3 {
        phone.press("9");
        std::thread::sleep(Duration::from_millis(700));
    }
    phone.hears(700.0);
    assert_eq!(phone.ends(), "CALL_REJECTED");
}

pub(super) fn both_together_end_in_too_many(lab: &Lab) {
    let phone = Phone::call(lab, "4101");
    phone.hears(440.0);
    // Wrong, nothing, wrong, nothing: two of each, four together. A round of nothing takes 1.1 s.
    phone.press("9");
    std::thread::sleep(Duration::from_millis(1_800));
    phone.press("9");
    phone.hears(850.0);
    assert_eq!(phone.ends(), "USER_BUSY");
}

pub(super) fn a_digit_acts_at_once(lab: &Lab) {
    let phone = Phone::call(lab, "4101");
    phone.hears(440.0);
    phone.press("1");
    let pressed = phone.sound().length().as_secs_f64();
    let heard = phone.hears(1_000.0);
    assert!(heard - pressed < 0.6, "{} s from the key to the answer", heard - pressed);
    assert_eq!(phone.ends(), "NORMAL_CLEARING");
}

pub(super) fn a_digit_waits_for_a_longer_choice(lab: &Lab) {
    let phone = Phone::call(lab, "4101");
    phone.hears(440.0);
    phone.press("2");
    std::thread::sleep(Duration::from_millis(800));
    phone.press("2");
    phone.hears(1_150.0);
}

pub(super) fn keys_end_a_prompt(lab: &Lab) {
    let phone = Phone::call(lab, "4102");
    phone.hears(440.0);
    phone.press("1234");
    phone.hears(1_000.0);
    let (from, to) = phone.sound().tone(440.0).unwrap();
    assert!(to - from < 3.0, "the prompt of 8 s went on for {} s", to - from);
    assert_eq!(phone.ends(), "NORMAL_CLEARING");
}

pub(super) fn keys_pressed_too_early_count(lab: &Lab) {
    let phone = Phone::call(lab, "4103");
    phone.hears(440.0);
    phone.press("789");
    phone.hears(1_000.0);
    let sound = phone.sound();
    let (from, to) = sound.tone(440.0).unwrap();
    assert!(to - from > 1.7, "the welcome of 2 s was cut after {} s", to - from);
    let asked = sound.tone(600.0).map_or(0.0, |(from, to)| to - from);
    assert!(asked < 0.5, "it was asked for {asked} s although the answer was known");
}
