//! The daemon killed under its calls, and another one started at once.

use std::time::Duration;

use super::Lab;
use super::hangup::record;
use super::message::exported;
use crate::phone::Phone;
use crate::sound::Sound;

/// A caller is back at the step within so many seconds.
const BACK_MAX: f64 = 2.0;
/// What FreeSWITCH plays until it knows that the connection is gone.
const CUT: f64 = 0.15;
/// A busy machine may lose some frames; a conversation that was cut does not come back.
const PAUSE_MAX: f64 = 0.5;

struct Calls<'a> {
    prompt: Phone<'a>,
    gather: Phone<'a>,
    typing: Phone<'a>,
    http: Phone<'a>,
    message: Phone<'a>,
    ring: Phone<'a>,
    talk: Phone<'a>,
}

pub(super) fn calls_go_on_where_their_daemon_was_lost(lab: &Lab) {
    let speech = "playback:tone_stream://v=-13;%(60000,0,440)";
    let calls = Calls {
        talk: dialing(lab, "2007"),
        message: Phone::call_speaking(lab, "4105", speech),
        gather: Phone::call(lab, "4102"),
        typing: Phone::call(lab, "4102"),
        http: Phone::call(lab, "4111"),
        prompt: Phone::call(lab, "4110"),
        ring: dialing(lab, "2006"),
    };
    calls.typing.hears(440.0);
    calls.typing.press("12");
    calls.gather.hears(440.0);
    calls.message.hears(600.0);
    calls.talk.hears(1_300.0);
    calls.http.hears(440.0);
    calls.prompt.hears(600.0);
    std::thread::sleep(Duration::from_millis(900));

    let prompt_at = calls.prompt.sound().length().as_secs_f64();
    let gather_at = calls.gather.sound().length().as_secs_f64();
    lab.daemon.lock().unwrap().replace();

    is_asked_again(&calls.gather, gather_at);
    // What was typed is not forgotten.
    calls.typing.press("34");
    calls.typing.hears(1_000.0);
    takes_the_whole_message(lab, &calls.message);
    hears_the_prompt_again(&calls.prompt, prompt_at);
    calls.http.hears(1_000.0);
    for phone in [&calls.ring, &calls.talk] {
        phone.hears(1_000.0);
        let pause = phone.sound().pause(1_300.0);
        assert!(pause < PAUSE_MAX, "the conversation paused for {pause} s");
    }
    let Calls { prompt, gather, typing, http, message, ring, talk } = &calls;
    for phone in [prompt, gather, typing, http, message, ring, talk] {
        assert_eq!(phone.ends(), "NORMAL_CLEARING");
        assert_eq!(phone.sound().tone(1_900.0), None, "the fallback was heard");
        let record = record(lab, &phone.number);
        assert_eq!(record["hands"], 1, "{record}");
    }
}

fn dialing<'a>(lab: &'a Lab, number: &str) -> Phone<'a> {
    let phone = Phone::call(lab, "4104");
    phone.hears(440.0);
    phone.press(number);
    phone
}

fn is_asked_again(phone: &Phone<'_>, lost_at: f64) {
    std::thread::sleep(Duration::from_millis(1_500));
    let (again, _) = phone.sound().tone_after(440.0, lost_at + CUT).expect("the question");
    assert!(again - lost_at < BACK_MAX, "asked again after {} s", again - lost_at);
    phone.press("1234");
    phone.hears(1_000.0);
}

fn hears_the_prompt_again(phone: &Phone<'_>, lost_at: f64) {
    phone.hears(1_000.0);
    let (again, _) = phone.sound().tone_after(600.0, lost_at + CUT).expect("the prompt");
    assert!(again - lost_at < BACK_MAX, "heard again after {} s", again - lost_at);
    let (from, to) = phone.sound().tone(600.0).unwrap();
    // 4 s, and what was heard of it before.
    assert!(to - from > 4.7, "heard for {} s in all", to - from);
}

/// Nothing cuts a recording.
fn takes_the_whole_message(lab: &Lab, phone: &Phone<'_>) {
    phone.press("#");
    let end = phone.hears(1_000.0);
    phone.ends();
    let record = record(lab, &phone.number);
    let id = record["recordings"][0]["id"].as_str().expect("the record names the recording");
    let length = Sound::read(&exported(lab, id)).length().as_secs_f64();
    let (prompt, _) = phone.sound().tone(600.0).unwrap();
    let spoken = end - prompt - 0.4;
    assert!((spoken - length).abs() < 1.0, "{length} s of {spoken} s were kept");
}
