//! Messages.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Lab;
use crate::phone::Phone;
use crate::sound::Sound;

pub(super) fn is_as_long_and_loud_as_spoken(lab: &Lab) {
    let phone = Phone::call_speaking(lab, "4105", "playback:tone_stream://v=-13;%(60000,0,440)");
    let prompt = phone.hears(600.0);
    std::thread::sleep(Duration::from_secs(4));
    phone.press("#");
    let end = phone.hears(1_000.0);
    assert_eq!(phone.ends(), "NORMAL_CLEARING");
    let files = sounds(&lab.folder().join("messages"));
    assert_eq!(files.len(), 1, "{files:?}");
    let message = Sound::read(&files[0]);
    let length = message.length().as_secs_f64();
    // From the prompt's end (0.4 s) to the key, less what the steps between take.
    let spoken = end - prompt - 0.4;
    assert!((spoken - length).abs() < 0.8, "{length} s of {spoken} s were kept");
    let (from, to) = message.tone(440.0).expect("what was spoken");
    assert!(to - from > length - 0.5, "of {length} s the tone has {}", to - from);
    // A tone of -13 dB in libteletone is 0.158 of full scale as its root of the mean square.
    let decibels = 20.0 * (message.level() / 0.158).log10();
    assert!(decibels.abs() < 2.0, "{decibels} dB away from what was spoken");
}

fn sounds(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sounds(&path));
        } else {
            found.push(path);
        }
    }
    found
}
