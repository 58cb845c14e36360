//! The daemon gone, as after a power cut.

use std::time::{Duration, Instant};

use super::Lab;
use crate::phone::Phone;

/// A call that nobody takes is offered for 3.1 s (`dialplan/callwright.xml`).
const OFFERED: Duration = Duration::from_secs(6);

pub(crate) fn a_lost_daemon_cuts_no_talk(lab: &Lab) {
    let talking = Phone::call(lab, "4104");
    talking.hears(440.0);
    talking.press("2003");
    let listening = Phone::call(lab, "4102");
    talking.hears(1_300.0);
    listening.hears(440.0);

    lab.daemon.lock().unwrap().kill();
    let killed = Instant::now();

    // In a prompt: the fallback, once no other daemon has come.
    listening.hears_within(1_900.0, OFFERED);
    assert_eq!(listening.ends(), "NORMAL_TEMPORARY_FAILURE");
    // In a conversation: nothing at all.
    std::thread::sleep(Duration::from_secs(3).saturating_sub(killed.elapsed()));
    let sound = talking.sound();
    let (_, to) = sound.tone(1_300.0).unwrap();
    let missing = sound.length().as_secs_f64() - to;
    assert!(talking.is_up() && missing < 0.3, "the conversation ended {missing} s ago");
    assert_eq!(sound.tone(1_900.0), None);
    // A new call: the fallback too.
    let late = Phone::call(lab, "4101");
    late.hears(1_900.0);
    assert_eq!(late.ends(), "NORMAL_TEMPORARY_FAILURE");
}
