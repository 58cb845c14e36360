//! Each kind of step, from the caller's first second to the record.

use callwright::base::cause::{HangupCause, Party};
use callwright::model::timeline::What;
use callwright::simulator::Observed;

use crate::support::{heard, passes, path, story};

/// A flow with these steps, answered before the first of them, which is `ask`.
fn flow(steps: &str) -> String {
    format!(
        "
callwright: 1
start: pick-up
steps:
  pick-up: {{ kind: answer, next: ask }}
  end: {{ kind: hangup }}
{steps}"
    )
}

fn caller(rest: &str) -> String {
    format!("dial: '100'\n{rest}")
}

#[test]
fn a_call_is_answered_hears_its_prompt_and_is_hung_up() {
    let outcome = passes(
        &flow("  ask: { kind: play, prompts: [welcome], next: end }"),
        &caller(
            "steps:
  - hear: welcome
  - expect: { answered: true, ended: { cause: NORMAL_CLEARING } }",
        ),
    );
    let record = outcome.record.as_ref().unwrap();
    assert_eq!(path(record), ["pick-up:next", "ask:next", "end:"]);
    assert!(record.answered.is_some());
    assert_eq!(record.termination.party, Party::Flow);
}

#[test]
fn a_prompt_that_is_not_there_fails_the_step_and_stops_what_follows() {
    let outcome = passes(
        &flow(
            "  ask: { kind: play, prompts: [welcome, again, bye], next: end, on: { failed: sorry } }
  sorry: { kind: play, prompts: [sorry], next: end }",
        ),
        &caller(
            "missing_sounds: [again.wav]
steps:
  - hear: sorry
  - expect: { ended: {} }",
        ),
    );
    assert!(!heard(&outcome).contains(&"bye".to_owned()), "{:?}", heard(&outcome));
}

#[test]
fn a_key_stops_a_list_of_prompts_and_acts() {
    let outcome = passes(
        &flow(
            "  ask:
    kind: menu
    prompts: [welcome, second, music]
    choices: { '1': end, '2': two }
    on: { too_many: end }
  two: { kind: play, prompts: [bye], next: end }",
        ),
        &caller(
            "steps:
  - hear: welcome
  - wait: 500ms
  - press: '2'
  - hear: bye
  - expect: { ended: {} }",
        ),
    );
    let heard = heard(&outcome);
    assert_eq!(heard.first().map(String::as_str), Some("welcome/"), "{heard:?}");
    assert_eq!(heard.last().map(String::as_str), Some("bye"), "{heard:?}");
    assert!(!heard.contains(&"music".to_owned()), "{heard:?}");
}

#[test]
fn a_menu_knows_nothing_pressed_from_wrong_and_gives_up_in_its_own_way() {
    let menu = flow(
        "  ask:
    kind: menu
    prompts: [welcome]
    choices: { '1': end }
    keys: { first_key: 1s, next_key: 1s, max_no_input: 2, max_invalid: 2, max_failures: 9 }
    on: { no_input: nothing, invalid: wrong, too_many: end }
  nothing: { kind: play, prompts: [sorry], next: end }
  wrong: { kind: play, prompts: [again], next: end }",
    );
    let silent = passes(&menu, &caller("steps: [{ hear: sorry }, { expect: { ended: {} } }]"));
    assert_eq!(heard(&silent), ["welcome", "welcome", "sorry"]);
    let wrong = caller(
        "steps: [{ hear: welcome }, { press: '7' }, { hear: welcome }, { press: '8' }, \
         { hear: again }]",
    );
    passes(&menu, &wrong);
}

#[test]
fn digits_are_gathered_and_a_secret_one_is_nowhere_to_be_seen() {
    let outcome = passes(
        &flow(
            "  ask:
    kind: gather
    prompts: [pin]
    into: code
    min: 8
    max: 8
    secret: true
    accept: ['47110815']
    next: two
    on: { invalid: end, no_input: end, too_many: end }
  two: { kind: play, prompts: [bye], next: end }",
        ),
        &caller(
            "steps: [{ hear: pin }, { press: '47110815' }, { hear: bye }, \
             { expect: { ended: {} } }]",
        ),
    );
    let told = format!("{:?} {:?}", outcome.timeline, outcome.record);
    assert!(!told.contains("47110815"), "{told}");
    let told = serde_json::to_string(&outcome.timeline).unwrap();
    assert!(!told.contains("47110815"), "{told}");
}

#[test]
fn an_http_answer_decides_where_the_call_goes_and_its_failure_too() {
    let flow = flow(
        "  ask:
    kind: http
    url: https://api.example.org/open
    into: { open: /open }
    next: decide
    on: { failed: failed }
  decide:
    kind: branch
    cases: [{ if: open, next: opened }]
    otherwise: failed
  opened: { kind: play, prompts: [welcome], next: end }
  failed: { kind: play, prompts: [sorry], next: end }",
    );
    let canned = "http: { 'https://api.example.org/': { json: { open: true } } }\n";
    passes(&flow, &caller(&format!("{canned}steps: [{{ hear: welcome }}]")));
    let late = "http: { 'https://api.example.org/': { json: { open: true }, after: 6s } }\n";
    passes(&flow, &caller(&format!("{late}steps: [{{ hear: sorry }}]")));
    passes(&flow, &caller("steps: [{ hear: sorry }]"));
}

fn dial(rest: &str) -> String {
    flow(&format!(
        "  ask:
    kind: dial
    targets: [{{ extension: '1001' }}, {{ number: '+15550199', gateway: carrier }}]
    timeout: 10s
    next: over
    on:
      {{ busy: busy, no_answer: none, rejected: declined, unreachable: lost, cancelled: given-up }}
{rest}
  over: {{ kind: play, prompts: [bye], next: end }}
  busy: {{ kind: play, prompts: [sorry], next: end }}
  none: {{ kind: play, prompts: [again], next: end }}
  declined: {{ kind: play, prompts: [second], next: end }}
  lost: {{ kind: play, prompts: [welcome], next: end }}
  given-up: {{ kind: play, prompts: [pin], next: end }}"
    ))
}

#[test]
fn a_dial_comes_to_a_conversation_and_the_flow_goes_on_after_it() {
    let outcome = passes(
        &dial(""),
        &caller(
            "far_ends: { '1001': no_answer, '+15550199': { answer: 2s, talk: 5s } }
steps:
  - expect: { bridged: '+15550199' }
  - hear: bye
  - expect: { ended: {} }",
        ),
    );
    let legs = &outcome.record.as_ref().unwrap().legs;
    let causes: Vec<_> = legs.iter().map(|leg| (leg.party.as_str(), leg.cause)).collect();
    let lost = Some(HangupCause::LoseRace);
    assert_eq!(causes.get(1), Some(&("1001", lost)), "{causes:?}");
    assert!(legs[2].answered.is_some() && legs[2].channel.is_some(), "{legs:?}");
}

#[test]
fn what_is_still_typed_of_a_judged_input_is_not_the_next_input() {
    let flow = flow(
        "  ask:
    kind: gather
    prompts: [welcome]
    into: code
    max: 4
    pattern: '[1-9]\\d{3}'
    next: choose
    on: { too_many: end }
  choose:
    kind: menu
    prompts: [again]
    choices: { '1': over }
    keys: { max_invalid: 1 }
    on: { invalid: sorry, too_many: sorry }
  over: { kind: play, prompts: [bye], next: end }
  sorry: { kind: play, prompts: [sorry], next: end }",
    );
    for keys in ["4711#", "0471#"] {
        let caller = caller(&format!(
            "steps:
  - hear: welcome
  - press: '{keys}'
  - wait: 3s
  - press: '{more}'
  - hear: bye
  - expect: {{ ended: {{}} }}",
            more = if keys == "4711#" { "1" } else { "47111" }
        ));
        passes(&flow, &caller);
    }
}

#[test]
fn a_caller_who_hangs_up_in_a_talk_leaves_who_answered() {
    let outcome = passes(
        &dial(""),
        &caller(
            "far_ends: { '1001': no_answer, '+15550199': { answer: 1s, talk: 60s } }
steps:
  - expect: { bridged: '+15550199' }
  - wait: 2s
  - hangup",
        ),
    );
    let legs = &outcome.record.as_ref().unwrap().legs;
    let answered: Vec<_> = legs.iter().map(|leg| leg.answered.is_some()).collect();
    assert_eq!(answered, [true, false, true], "{legs:?}");
    let talk = What::Bridged { party: "+15550199".into() };
    assert!(outcome.timeline.iter().any(|entry| entry.what == talk), "{:#?}", story(&outcome));
}

#[test]
fn each_failure_of_a_dial_has_its_way_out() {
    for (far_ends, prompt) in [
        ("'*': busy", "sorry"),
        ("'*': no_answer", "again"),
        ("'*': rejects", "second"),
        ("'*': unreachable", "welcome"),
        ("'1001': busy, '+15550199': no_answer", "again"),
    ] {
        passes(
            &dial(""),
            &caller(&format!("far_ends: {{ {far_ends} }}\nsteps: [{{ hear: {prompt} }}]")),
        );
    }
}

#[test]
fn the_caller_gives_up_a_dial_by_key() {
    let outcome = passes(
        &dial("    cancel_key: '*'"),
        &caller(
            "far_ends: { '*': no_answer }
steps:
  - wait: 3s
  - press: '*'
  - hear: pin",
        ),
    );
    assert!(outcome.length_ms < 9_000, "{}", outcome.length_ms);
}

#[test]
fn an_operator_s_limits_and_the_far_end_s_key_are_kept() {
    let accept = dial("    accept: { prompt: accept, key: '1' }\n    time_limit: 3s");
    passes(
        &accept,
        &caller(
            "far_ends: { '1001': no_answer, '+15550199': { answer: 1s, press: '1' } }
steps:
  - expect: { bridged: '+15550199' }
  - hear: bye",
        ),
    );
    passes(
        &accept,
        &caller("far_ends: { '*': { answer: 1s } }\nsteps: [{ hear: again }]\npatience: 100s"),
    );
}

#[test]
fn targets_in_turn_are_dialed_until_one_answers() {
    let outcome = passes(
        &dial("    strategy: in_turn"),
        &caller(
            "far_ends: { '1001': busy, '+15550199': { answer: 1s, talk: 1s } }
steps: [{ expect: { bridged: '+15550199' } }, { hear: bye }]",
        ),
    );
    let dialing = outcome.heard.iter().filter(|m| matches!(m.what, Observed::Dialing { .. }));
    assert_eq!(dialing.count(), 2);
}

const MESSAGE: &str = "  ask:
    kind: message
    prompts: [welcome]
    max_length: 10s
    next: thanks
    on: { too_short: end }
  thanks: { kind: play, prompts: [bye], next: end }";

#[test]
fn a_message_is_recorded_until_a_key() {
    let outcome = passes(
        &flow(MESSAGE),
        &caller(
            "steps:
  - hear: tone_stream
  - talk: 5s
  - wait: 4s
  - press: '#'
  - hear: bye
  - expect: { recorded: true, ended: {} }",
        ),
    );
    let recordings = &outcome.record.as_ref().unwrap().recordings;
    assert_eq!(recordings.len(), 1);
    assert!((3_000..5_000).contains(&recordings[0].length_ms), "{recordings:?}");
}

#[test]
fn a_caller_who_hangs_up_has_left_a_message_all_the_same() {
    let outcome = passes(
        &flow(MESSAGE),
        &caller("steps: [{ hear: tone_stream }, { talk: 5s }, { wait: 4s }, hangup]"),
    );
    let record = outcome.record.as_ref().unwrap();
    assert_eq!(record.termination.party, Party::Caller);
    assert_eq!(record.recordings.len(), 1);
}

#[test]
fn a_call_leaves_for_the_dialplan() {
    let outcome = passes(
        &flow("  ask: { kind: transfer, extension: '3000', context: inside }"),
        &caller("steps: [{ expect: { transferred: '3000' } }]"),
    );
    assert_eq!(outcome.record.as_ref().unwrap().termination.party, Party::Flow);
    let orphaned = outcome.heard.iter().any(|m| matches!(m.what, Observed::Orphaned));
    assert!(!orphaned);
}

#[test]
fn a_call_is_declined_before_it_is_answered() {
    let flow = "
callwright: 1
start: refuse
steps:
  refuse: { kind: reject, reason: busy }
";
    let outcome = passes(
        flow,
        &caller("steps: [{ expect: { answered: false, ended: { cause: USER_BUSY } } }]"),
    );
    assert!(outcome.record.is_some());
}

#[test]
fn a_number_that_nobody_has_goes_back_to_the_dialplan() {
    let outcome = passes(
        &flow("  ask: { kind: play, prompts: [welcome], next: end }"),
        "dial: nobody\nsteps: [{ expect: { released: true, variables: { callwright_refused: \
         unknown_number } } }]",
    );
    assert_eq!(outcome.refused.as_deref(), Some("unknown_number"));
    assert!(outcome.record.is_none() && outcome.timeline.is_empty());
}
