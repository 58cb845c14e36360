use super::*;

fn problems(text: &str) -> Vec<String> {
    let problems = parse(text.as_bytes()).expect_err(text);
    problems.iter().map(ToString::to_string).collect()
}

/// A flow with these steps, and the problems that reading it names.
fn of_steps(steps: &str) -> Vec<String> {
    problems(&format!(r#"{{"callwright": 1, "start": "main", "steps": {steps}}}"#))
}

/// The problems of a flow with this one step.
fn of_step(step: &str) -> Vec<String> {
    of_steps(&format!(r#"{{"main": {step}}}"#))
        .into_iter()
        .map(|problem| problem.replacen("steps.main.", "", 1))
        .collect()
}

#[test]
fn all_problems_of_a_document_are_told_at_once_with_their_paths() {
    let text = r#"{
        "callwright": 2, "strat": "main", "limits": {"steps": -1, "deepth": 3},
        "steps": {
            "main": {"kind": "menu", "prompts": ["Hello There", {"tune": [1]}],
                     "choices": {"1": "Sales", "2": 3},
                     "keys": {"first_key": 5, "next_kye": "1s"}, "on": {"timeout": "x"}},
            "Bad Name": {"kind": "hangup"},
            "second": {"kind": "plya", "next": "x"}
        }
    }"#;
    let expected = [
        "callwright: version 2 is not known: use 1",
        "limits.deepth: `deepth` means nothing here [unknown-key] (do you mean `depth`?)",
        "limits.steps: a whole number from 0 to 4294967295 is needed here, and this is the number -1",
        "start: `start` is missing [missing-key]",
        "steps.Bad Name: `Bad Name` is not a valid step name",
        "steps.main.choices.1: `Sales` is not a valid step name",
        "steps.main.choices.2: a text is needed here, and this is the number 3",
        "steps.main.keys.first_key: a length of time such as `500ms`, `3s`, `1m30s` or `2h` is needed",
        "steps.main.keys.next_kye: `next_kye` means nothing here [unknown-key] (do you mean `next_key`?)",
        "steps.main.on.timeout: a `menu` step never ends as `timeout` [unknown-outcome] (possible: `no_input`, `invalid`, `too_many`, `failed`)",
        "steps.main.prompts.0: `Hello There` is not a valid prompt name",
        "steps.main.prompts.1.tune: `tune` means nothing here [unknown-key] (do you mean `tone`?)",
        "steps.second.kind: there is no kind of step `plya` [unknown-kind] (do you mean `play`?",
        "strat: `strat` means nothing here [unknown-key] (do you mean `start`?)",
    ];
    let problems = problems(text);
    for expected in expected {
        let found = problems.iter().any(|problem| problem.starts_with(expected));
        assert!(found, "{expected} is not among\n{}", problems.join("\n"));
    }
    assert_eq!(problems.len(), expected.len(), "{}", problems.join("\n"));
}

#[test]
fn every_missing_key_of_a_step_is_told() {
    assert_eq!(
        of_step(r#"{"kind": "gather"}"#),
        [
            "into: `into` is missing [missing-key]",
            "max: `max` is missing [missing-key]",
            "next: `next` is missing [missing-key]",
            "prompts: `prompts` is missing [missing-key]",
        ]
    );
}

#[test]
fn a_prompt_says_which_keys_go_together() {
    let play = |prompt: &str| {
        of_step(&format!(r#"{{"kind": "play", "prompts": [{prompt}], "next": "x"}}"#)).join("\n")
    };
    for (prompt, expected) in [
        (
            "5",
            "prompts.0: a prompt (its name, or an object with `tone`, `silence`, `say` or `speak`)",
        ),
        ("{}", "prompts.0: one of `tone`, `silence`, `say` and `speak` is needed here"),
        (r#"{"say": "1", "voice": "x"}"#, "`voice` does not go with `say`; possible beside it: as"),
        (r#"{"silence": "1s", "speak": "x"}"#, "`speak` does not go with `silence`"),
        (r#"{"say": "{1 +}"}"#, "prompts.0.say: a value is expected here (at character 5)"),
        (r#"{"tone": [440], "times": 300}"#, "prompts.0.times: a whole number from 0 to 255"),
        (r#"{"say": "1", "as": "numbr"}"#, "prompts.0.as: `numbr` is not a word"),
    ] {
        let problems = play(prompt);
        assert!(problems.contains(expected), "{prompt}: {problems}");
    }
}

#[test]
fn a_target_says_which_keys_go_together() {
    let dial = |target: &str| {
        of_step(&format!(r#"{{"kind": "dial", "targets": [{target}], "next": "x"}}"#)).join("\n")
    };
    for (target, expected) in [
        ("{}", "targets.0: a target is one of `extension`, `number` and `sip`"),
        (r#"{"gateway": "g"}"#, "targets.0: a `gateway` needs the `number`"),
        (r#"{"extension": "1", "sip": "a@b"}"#, "a target is one of"),
        (r#"{"extnsion": "1"}"#, "targets.0.extnsion: `extnsion` means nothing here"),
        (
            r#"{"extension": "1", "delay": "soon"}"#,
            "targets.0.delay: `soon` is not a length of time",
        ),
    ] {
        let problems = dial(target);
        assert!(problems.contains(expected), "{target}: {problems}");
    }
}

#[test]
fn a_key_of_the_wrong_form_is_told_at_its_place() {
    assert_eq!(
        of_step(r#"{"kind": "set", "variables": {"Bad": "1", "good": "1 +"}, "next": "x"}"#),
        [
            "variables.Bad: `Bad` is not a valid variable name: 1 to 63 lower-case letters, digits \
             or `_`, beginning with a letter [bad-value]",
            "variables.good: a value is expected here (at character 4) [bad-value]",
        ]
    );
    let on = r#"{"kind": "hours", "next": "x", "on": {"open": "x", "closd": "x"}}"#;
    assert_eq!(
        of_step(on),
        [
            "on.closd: a `hours` step never ends as `closd` [unknown-outcome] (do you mean `closed`?)",
            "on.open: a `hours` step never ends as `open` [unknown-outcome] (write it as the \
             step's `next`, beside `on`)",
        ]
    );
}

#[test]
fn an_unknown_kind_lists_the_kinds() {
    let problems = of_step(r#"{"kind": "karaoke"}"#).join("\n");
    assert!(problems.contains("`menu`, `gather`, `set`"), "{problems}");
    assert!(of_step(r#"{"next": "x"}"#)[0].starts_with("kind: `kind` is missing"));
    assert!(of_step(r#"{"kind": 3}"#)[0].starts_with("kind: a text is needed"));
}

#[test]
fn a_key_that_stands_twice_is_told_with_its_path() {
    let problems = of_step(
        r#"{"kind": "menu", "prompts": [], "choices": {"1": "a", "1": "b"}, "kind": "menu"}"#,
    );
    assert_eq!(
        problems,
        [
            "choices.1: `1` stands here twice [duplicate-key]",
            "kind: `kind` stands here twice [duplicate-key]"
        ]
    );
}

#[test]
fn what_is_no_document_is_refused_in_words() {
    for (text, code) in [
        ("", "not-json"),
        ("{", "not-json"),
        ("{} x", "not-json"),
        ("[]", "wrong-type"),
        ("3", "wrong-type"),
        (&"[".repeat(100_000), "not-json"),
        (&" ".repeat(document::DOCUMENT_MAX + 1), "too-big"),
    ] {
        let problems = parse(text.as_bytes()).unwrap_err();
        assert_eq!(problems[0].code, code, "{:.20}", text);
    }
    assert_eq!(parse(b"{\"a\xff\": 1}").unwrap_err()[0].code, "not-json");
    let many = (0..=STEPS_MAX).map(|n| format!(r#""s{n}": {{}}"#)).collect::<Vec<_>>().join(",");
    assert!(of_steps(&format!("{{{many}}}"))[0].contains("at most 500 steps"));
}

#[test]
fn yaml_says_the_same_as_json_however_its_scalars_look() {
    let yaml = "
callwright: 1
start: main
steps:
  main:
    kind: menu
    prompts: [welcome]
    choices:
      1: open
      '02': open
      '*': bye
    on:
      no_input: bye
  open:
    kind: hours
    weekly: {mon: ['09:00-17:00'], sun: []}
    holidays: [{date: 12-25}, {date: 2026-12-24}]
    next: bye
    on: {closed: bye}
  bye: {kind: hangup}
";
    let json = r#"{"callwright": 1, "start": "main", "steps": {
        "main": {"kind": "menu", "prompts": ["welcome"],
                 "choices": {"1": "open", "02": "open", "*": "bye"}, "on": {"no_input": "bye"}},
        "open": {"kind": "hours", "weekly": {"mon": ["09:00-17:00"]},
                 "holidays": [{"date": "12-25"}, {"date": "2026-12-24"}],
                 "next": "bye", "on": {"closed": "bye"}},
        "bye": {"kind": "hangup"}}}"#;
    assert_eq!(parse_yaml(yaml.as_bytes()), parse(json.as_bytes()));
    assert!(parse(json.as_bytes()).is_ok());
    assert_eq!(parse_yaml(b"a: 1\na: 2\n").unwrap_err()[0].code, "not-yaml");
    let twins = "a: &a [x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a]\n\
                 c: &c [*b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c]\ne: [*d, *d, *d, *d]\n";
    assert!(parse_yaml(twins.as_bytes()).is_err());
}

const SAMPLES: [&str; 6] = [
    include_str!("../../../examples/flows/shop.json"),
    include_str!("../../../examples/flows/clinic.yaml"),
    include_str!("../../../examples/flows/support.yaml"),
    include_str!("../../../examples/flows/meeting.yaml"),
    include_str!("../../../examples/flows/order.yaml"),
    include_str!("../../../examples/flows/parking.yaml"),
];

/// Every text, number and list of a document, each put in the place of every other in turn, so that
/// documents are nearly flows; those that are flows must be read back as themselves.
#[test]
fn a_flow_spoiled_anywhere_is_read_or_refused_and_never_panics() {
    let mut state = 0x9E37_79B9_u32;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as usize % below.max(1)
    };
    for sample in SAMPLES {
        for _ in 0..150 {
            let mut bytes = sample.as_bytes().to_vec();
            for _ in 0..=random(3) {
                let (from, to) = (random(bytes.len()), random(bytes.len()));
                let length = random(24);
                let piece = bytes[from..(from + length).min(bytes.len())].to_vec();
                let end = (to + random(24)).min(bytes.len());
                bytes.splice(to..end, piece);
            }
            fuzz(&bytes);
        }
    }
}

#[test]
fn a_word_that_only_old_yaml_takes_for_a_boolean_is_a_text() {
    for word in ["y", "n", "yes", "no", "on", "off", "Yes", "OFF"] {
        let (tree, doubles) = document::yaml(format!("{word}: {word}").as_bytes()).unwrap();
        assert_eq!((tree, doubles.len()), (serde_json::json!({ word: word }), 0));
    }
    let (tree, _) = document::yaml(b"{a: true, b: false}").unwrap();
    assert_eq!(tree, serde_json::json!({ "a": true, "b": false }));
}

#[test]
fn the_prompt_before_accepting_is_a_name() {
    let dial = |prompt: &str| {
        format!(
            r#"{{"main": {{"kind": "dial", "targets": [{{"extension": "1"}}], "next": "main",
                "accept": {{"prompt": {prompt}}}}}}}"#
        )
    };
    let found = of_steps(&dial(r#"{"tone": [440]}"#));
    assert!(found[0].contains("steps.main.accept.prompt"), "{found:?}");
    let text = format!(r#"{{"callwright": 1, "start": "main", "steps": {}}}"#, dial(r#""one""#));
    assert!(parse(text.as_bytes()).is_ok());
}
