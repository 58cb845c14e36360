//! Messages.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Lab;
use super::hangup::record;
use crate::daemon::{self, TENANT};
use crate::phone::Phone;
use crate::sound::Sound;

/// A recording as a WAV file, once it was taken in.
pub(super) fn exported(lab: &Lab, id: &str) -> PathBuf {
    let began = Instant::now();
    let which = [id, "--tenant", TENANT];
    let show = [&["recording", "show"], &which[..]].concat();
    while daemon::json(lab.folder(), &show)["state"] != "ready" {
        assert!(began.elapsed() < Duration::from_secs(20), "{id} never became ready");
        std::thread::sleep(Duration::from_millis(500));
    }
    let file = lab.folder().join(format!("{id}.wav"));
    let output = ["--output", file.to_str().expect("UTF-8")];
    daemon::command_line(lab.folder(), &[&["recording", "export"], &which[..], &output].concat());
    file
}

pub(super) fn is_as_long_and_loud_as_spoken(lab: &Lab) {
    let phone = Phone::call_speaking(lab, "4105", "playback:tone_stream://v=-13;%(60000,0,440)");
    let prompt = phone.hears(600.0);
    std::thread::sleep(Duration::from_secs(4));
    phone.press("#");
    let end = phone.hears(1_000.0);
    assert_eq!(phone.ends(), "NORMAL_CLEARING");
    let record = record(lab, &phone.number);
    let note = &record["recordings"][0];
    let file = exported(lab, note["id"].as_str().expect("the record names the recording"));
    let message = Sound::read(&file);
    let path = note["path"].as_str().expect("the record names the file");
    assert!(!Path::new(path).exists(), "the message lies about in plain");
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
