//! What operators have the parties hear, and calls that they answer.

use serde_json::{Value, json};

use super::support::{Line, Show, check, program};

fn dial() -> Value {
    json!({ "start": { "kind": "dial", "targets": [{ "extension": "200" }], "next": "bye" },
        "bye": { "kind": "hangup" } })
}

#[test]
fn who_talks_is_told_in_the_place_of_the_other_and_nobody_else() {
    let mut line = Line::new(program(&[("main", &dial())]), Show::Moves);
    line.step("bridged");
    line.step(r#"command {"play":{"prompt":"welcome","to":"far"}}"#);
    line.step(r#"command {"play":{"prompt":"menu","to":"both"}}"#);
    line.step(r#"command {"play":{"prompt":"welcome"}}"#);
    assert!(line.answers.iter().all(Result::is_ok), "{:?}", line.answers);
    let told = line.text.lines().filter_map(|line| line.split_once("! tell "));
    let told: Vec<_> = told.map(|(_, told)| told).collect();
    assert_eq!(told, ["b-leg welcome", "a-leg menu", "b-leg menu", "a-leg welcome"]);
}

#[test]
fn what_can_not_be_told_is_said_in_words() {
    let mut line = Line::new(program(&[("main", &dial())]), Show::Moves);
    let mut refused = |command: &str| {
        line.step(&format!("command {command}"));
        line.answers.last().unwrap().clone().unwrap_err()
    };
    let nobody = "the caller speaks with nobody";
    assert_eq!(refused(r#"{"play":{"prompt":"welcome","to":"far"}}"#), nobody);
    assert_eq!(refused(r#"{"play":{"prompt":"welcome"}}"#), "the call is not answered yet");
    assert_eq!(refused(r#"{"play":{"prompt":"none"}}"#), "there is no prompt `none`");
    assert!(!line.text.contains("tell"), "{}", line.text);
}

#[test]
fn a_call_is_answered_for_its_flow_once_and_hears_a_prompt_beside_its_music() {
    let steps = json!({
        "start": { "kind": "ring", "duration": "20s", "next": "listen" },
        "listen": { "kind": "play", "prompts": ["welcome"], "next": "listen" }
    });
    check(
        &steps,
        "command \"answer\"\n answered\n command \"answer\"
         command {\"play\":{\"prompt\":\"menu\",\"to\":\"both\"}}",
        r#"
        0.000 ! Ring
        0.000 < command "answer"
        0.000 (an operator answers the call)
        0.000 ! PickUp
        0.000 < answered
        0.000 < command "answer"
        0.000 (what an operator asked for is not done: the call is answered already)
        0.000 < command {"play":{"prompt":"menu","to":"both"}}
        0.000 (an operator has the caller hear menu)
        0.000 ! overlay menu to None
        "#,
    );
}

#[test]
fn a_value_is_heard_once_its_words_are_known() {
    let mut line = Line::new(program(&[("main", &dial())]), Show::Moves);
    line.step("bridged");
    line.step(r#"command {"say":{"text":"4711","as":"digits","to":"both"}}"#);
    line.step("spoken /s/4.wav");
    line.step(r#"command {"say":{"text":"12","language":"de"}}"#);
    line.step("spoken none");
    assert!(line.answers.iter().all(Result::is_ok), "{:?}", line.answers);
    let shown = line
        .text
        .lines()
        .filter(|line| ["? ", "! tell ", "("].iter().any(|mark| line.contains(mark)));
    let shown: Vec<_> =
        shown.filter_map(|line| line.split_once(' ')).map(|(_, what)| what).collect();
    assert_eq!(
        shown,
        [
            "(an operator has both parties hear a value as digits)",
            "? spoken 4711 digits en",
            "! tell a-leg /s/4.wav",
            "! tell b-leg /s/4.wav",
            "(an operator has the caller hear a value as number)",
            "? spoken 12 number de",
            "(the value is not spoken: no words)",
        ]
    );
}

#[test]
fn a_value_that_can_not_be_spoken_so_is_refused() {
    let mut line = Line::new(program(&[("main", &dial())]), Show::Moves);
    let mut refused = |command: &str| {
        line.step(&format!("command {command}"));
        line.answers.last().unwrap().clone().unwrap_err()
    };
    let number = "that can't be spoken as number";
    assert_eq!(refused(r#"{"say":{"text":"1 ${hangup}"}}"#), number);
    assert_eq!(refused(r#"{"say":{"text":"12"}}"#), "the call is not answered yet");
    line.step("bridged");
    line.step(r#"command {"say":{"text":"7"}}"#);
    line.step(r#"command {"say":{"text":"8"}}"#);
    line.step("spoken /s/7.wav");
    assert!(!line.text.contains("tell"), "what is asked for later counts\n{}", line.text);
    line.step("spoken /s/8.wav");
    assert!(line.text.contains("! tell a-leg /s/8.wav"), "{}", line.text);
}
