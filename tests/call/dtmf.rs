//! `dtmf`: keys that are sent, by a step and by operators, and never shown.

use serde_json::{Value, json};

use super::support::{Line, Show, check, program};

fn sends(digits: &str) -> Value {
    json!({
        "start": { "kind": "gather", "prompts": [], "into": "pin", "max": 4, "secret": true,
            "next": "send" },
        "send": { "kind": "dtmf", "digits": digits, "length": "100ms", "next": "menu",
            "on": { "failed": "sorry" } },
        "menu": { "kind": "menu", "prompts": ["menu"], "choices": { "1": "bye" } },
        "sorry": { "kind": "play", "prompts": ["sorry"], "next": "bye" },
        "bye": { "kind": "hangup" }
    })
}

#[test]
fn the_step_waits_until_the_keys_are_sent_and_shows_only_their_count() {
    // 200 ms before the first, five keys with 40 ms behind each, and a pause.
    check(
        &sends("w{pin}#"),
        "key 4711\n wait 1400ms\n key 1",
        r#"
        0.000 < key 4711
        0.000 pin = •••
        0.000 start: next -> send
        0.000 ! SendKeys { channel: "a-leg", keys: Keying(5 keys), length: Millis(100) }
        0.000 < wait 1400ms
        1.400 send: next -> menu
        1.400 ! play menu until key
        1.400 < key 1
        1.400 menu: 1 -> bye (the caller pressed 1)
        1.400 ! Hangup(NormalClearing)
        "#,
    );
    let mut line = Line::new(program(&[("main", &sends("w{pin}#"))]), Show::Notes);
    line.play_script("key 4711\n wait 2s");
    assert!(!line.notes.join("\n").contains("4711") && !line.debug.contains("4711"));
}

#[test]
fn keys_pressed_meanwhile_count_for_the_next_menu() {
    let mut line = Line::new(program(&[("main", &sends("1"))]), Show::Moves);
    line.play_script("key 4711\n key 1\n wait 1s");
    assert!(line.text.contains("menu: 1 -> bye"), "{}", line.text);
}

#[test]
fn what_is_no_key_or_is_refused_by_the_switch_leaves_by_failed() {
    for digits in ["{pin}x", "{nothing}", "w"] {
        let mut line = Line::new(program(&[("main", &sends(digits))]), Show::Moves);
        line.step("key 4711");
        assert!(line.text.contains("send: failed -> sorry"), "{digits}: {}", line.text);
        assert!(!line.text.contains("SendKeys"), "{}", line.text);
    }
    let mut line = Line::new(program(&[("main", &sends("1"))]), Show::Moves);
    line.play_script("key 4711\n unsent no such channel");
    assert!(line.text.contains("send: failed -> sorry"), "{}", line.text);
}

#[test]
fn a_call_that_changes_hands_has_its_keys_sent_once() {
    let mut line = Line::new(program(&[("main", &sends("123456"))]), Show::Moves);
    line.play_script("key 4711\n wait 500ms\n resume\n wait 500ms");
    assert!(!line.text.contains("send: next"), "{}", line.text);
    line.step("wait 50ms");
    assert!(line.text.contains("send: next -> menu"), "{}", line.text);
    assert_eq!(line.text.matches("SendKeys").count(), 1, "{}", line.text);
}

#[test]
fn an_operator_sends_keys_to_either_party_of_a_conversation_and_to_nobody_else() {
    let steps = json!({
        "start": { "kind": "dial", "targets": [{ "extension": "200" }], "next": "bye" },
        "bye": { "kind": "hangup" }
    });
    let mut line = Line::new(program(&[("main", &steps)]), Show::Moves);
    let far = r##"command {"dtmf":{"side":"far","digits":"4711#"}}"##;
    line.step(far);
    assert_eq!(line.answers.last().unwrap(), &Err("the caller speaks with nobody".to_owned()));
    line.play_script("bridged");
    line.step(far);
    line.step(r##"command {"dtmf":{"digits":"1w2"}}"##);
    assert!(line.answers[1..].iter().all(Result::is_ok), "{:?}", line.answers);
    let sent = line.text.lines().filter_map(|line| line.split_once("! SendKeys "));
    let sent: Vec<_> = sent.map(|(_, sent)| sent).collect();
    assert_eq!(
        sent,
        [
            r#"{ channel: "b-leg", keys: Keying(5 keys), length: Millis(160) }"#,
            r#"{ channel: "a-leg", keys: Keying(2 keys), length: Millis(160) }"#
        ]
    );
    assert!(!line.debug.contains("4711") && !line.notes.join("").contains("4711"));
}
