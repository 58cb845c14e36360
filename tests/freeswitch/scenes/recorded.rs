//! Recordings of conversations.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Lab;
use super::hangup::record;
use super::message::exported;
use super::talk::{ANN, ONE, talk};
use crate::daemon::{self, TENANT};
use crate::phone::Phone;
use crate::sound::Sound;

/// How far a recording's length may be from FreeSWITCH's own word.
const LENGTH: f64 = 0.05;
/// What lies between the ends of a mask and what must be heard.
const EDGE: f64 = 0.1;

/// Checks what was kept of the caller's only recording, which was masked once.
pub(super) fn is_kept_with_its_mask(lab: &Lab, caller: &Phone<'_>) {
    let record = record(lab, &caller.number);
    let note = &record["recordings"][0];
    let id = note["id"].as_str().expect("the record names the recording");
    let file = exported(lab, id);
    let [own, far] = &Sound::channels(&file)[..] else { panic!("not of two channels") };
    let length = own.length().as_secs_f64();
    let ran = ran(lab, id);
    assert!((length - ran).abs() < LENGTH, "{length} s are kept of {ran} s");
    let kept = daemon::json(lab.folder(), &["recording", "show", id, "--tenant", TENANT]);
    let masked = kept["masked"].as_array().expect("the mask is kept");
    let [mask] = &masked[..] else { panic!("one mask was laid, not {masked:?}") };
    let second = |name: &str| mask[name].as_f64().unwrap() / 1_000.0;
    let (from, to) = (second("from_ms"), second("to_ms"));
    assert!(to - from > 0.8 && to < length - 0.5, "masked from {from} to {to} of {length} s");
    for (side, hz) in [(own, ANN), (far, ONE)] {
        assert_eq!(side.peak(from, to), 0.0, "something is heard in the mask {mask}");
        let around = [(EDGE, from - EDGE), (to + EDGE, length - EDGE)];
        for (from, to) in around {
            assert_eq!(side.tones(&[ANN, ONE], from, to), Some(vec![hz]), "from {from} to {to} s");
        }
    }
    let path = note["path"].as_str().expect("the record names the file");
    assert!(!std::path::Path::new(path).exists(), "the conversation lies about in plain");
}

/// How long the recording ran, in seconds.
fn ran(lab: &Lab, id: &str) -> f64 {
    let began = Instant::now();
    loop {
        if let Some(ran) = lab.switch.recorded(id) {
            return ran.as_secs_f64();
        }
        assert!(began.elapsed() < Duration::from_secs(10), "FreeSWITCH did not end {id}");
        sleep(Duration::from_millis(100));
    }
}

pub(super) fn a_conversation_is_kept_with_silence_in_its_mask(lab: &Lab) {
    let (caller, _far, call) = talk(lab, "3052530");
    for (what, secs) in [("start", 1.5), ("mask", 1.5), ("unmask", 1.5), ("stop", 0.0)] {
        call.does(&["record", what]);
        sleep(Duration::from_secs_f64(secs));
    }
    caller.hang_up();
    is_kept_with_its_mask(lab, &caller);
}
