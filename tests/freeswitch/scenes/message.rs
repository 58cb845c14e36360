//! Messages.

use std::path::Path;
use std::time::Duration;

use super::Lab;
use super::hangup::record;
use crate::phone::Phone;
use crate::sound::Sound;

pub(super) fn is_as_long_and_loud_as_spoken(lab: &Lab) {
    let phone = Phone::call_speaking(lab, "4105", "playback:tone_stream://v=-13;%(60000,0,440)");
    let prompt = phone.hears(600.0);
    std::thread::sleep(Duration::from_secs(4));
    phone.press("#");
    let end = phone.hears(1_000.0);
    assert_eq!(phone.ends(), "NORMAL_CLEARING");
    let record = record(lab, &phone.number);
    let path = record["recordings"][0]["path"].as_str().expect("the record names the file");
    let message = Sound::read(Path::new(path));
    let length = message.length().as_secs_f64();
    // From the prompt's end (0.4 s) to the key, less what the steps between take.
    let spoken = end - prompt - 0.4;
    assert!((spoken - length).abs() < 0.8, "{length} s of {spoken} s were kept");
    let (from, to) = message.tone(440.0).expect("what was spoken");
    assert!(to - from > length - 0.5, "of {length} s the tone has {}", to - from);
    // What the phone speaks, as the root of its mean square: -13 dBm0 lie 6.16 dB below -13 dB of
    // full scale (libteletone_generate.h, DBM0_MAX_POWER).
    let spoken = 10f64.powf((-13.0 - 6.16) / 20.0);
    let decibels = 20.0 * (message.level() / spoken).log10();
    assert!(decibels.abs() < 1.0, "{decibels} dB away from what was spoken");
}
