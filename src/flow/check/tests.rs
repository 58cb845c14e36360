use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::flow::{Severity, parse};

/// What the flows of these tests may refer to.
fn world() -> World {
    fn set<T: std::str::FromStr<Err = impl std::fmt::Debug> + Ord>(names: &[&str]) -> BTreeSet<T> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }
    let facts = |arguments: &[&str], calls: &[&str]| FlowFacts {
        arguments: set(arguments),
        calls: set(calls),
    };
    World {
        this: Some("this".parse().unwrap()),
        prompts: Some(set(&["hello"])),
        flows: Some(BTreeMap::from([
            ("other".parse().unwrap(), facts(&["size"], &[])),
            ("back".parse().unwrap(), facts(&[], &["this"])),
            ("one".parse().unwrap(), facts(&[], &["two"])),
            ("two".parse().unwrap(), facts(&[], &["other"])),
        ])),
        gateways: Some(set(&["carrier"])),
        sip_hosts: Some(BTreeSet::from(["pbx.example".to_owned()])),
        contexts: Some(BTreeSet::from(["public".to_owned()])),
        rooms: Some(set(&["sales"])),
        schedules: Some(set(&["shop"])),
        speech: Some(false),
    }
}

/// A flow with these keys beside `steps`, and with these steps and `bye`.
fn flow(head: &str, steps: &str) -> Flow {
    let fallback = if head.contains("fallback") { "" } else { r#""fallback": "bye","# };
    let fallback = if head.contains("no_fallback") { "" } else { fallback };
    let head = head.replace("no_fallback", "");
    let text = format!(
        r#"{{"callwright": 1, "start": "a", {fallback} {head} "steps": {{
            {steps}, "bye": {{"kind": "hangup"}}}}}}"#
    );
    parse(text.as_bytes()).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"))
}

fn codes(head: &str, steps: &str) -> Vec<String> {
    let problems = check(&flow(head, steps), &world());
    problems.into_iter().map(|problem| format!("{} {}", problem.path, problem.code)).collect()
}

fn menu(rest: &str) -> String {
    format!(r#""a": {{"kind": "menu", "prompts": [], {rest}}}"#)
}

fn play(rest: &str) -> String {
    format!(r#""a": {{"kind": "play", "next": "bye", "prompts": ["hello"] {rest}}}"#)
}

fn say(text: &str) -> String {
    format!(r#""a": {{"kind": "play", "next": "bye", "prompts": [{{"say": "{text}"}}]}}"#)
}

fn dial(rest: &str) -> String {
    format!(r#""a": {{"kind": "dial", "next": "bye", {rest}}}"#)
}

fn gather(rest: &str) -> String {
    format!(
        r#""a": {{"kind": "gather", "prompts": [], "next": "b", "into": "x", "max": 4 {rest}}},
           "b": {{"kind": "play", "next": "bye", "prompts": [{{"say": "{{x}}"}}]}}"#
    )
}

fn secret(then: &str) -> String {
    format!(
        r#""a": {{"kind": "gather", "prompts": [], "next": "b", "into": "pin", "max": 4,
                  "secret": true}}, "b": {then}"#
    )
}

fn hours(rest: &str) -> String {
    format!(r#""a": {{"kind": "hours", "next": "bye", {rest}}}"#)
}

fn http(rest: &str) -> String {
    format!(r#""a": {{"kind": "http", "next": "bye", {rest}}}"#)
}

fn call(rest: &str) -> String {
    format!(r#""a": {{"kind": "flow", "next": "bye", {rest}}}"#)
}

fn branch(condition: &str, rest: &str) -> String {
    format!(
        r#""a": {{"kind": "branch", "cases": [{{"if": "{condition}", "next": "bye"}}],
                 "otherwise": "bye"}} {rest}"#
    )
}

/// A flow that has a problem and one that just does not: head and steps of each.
struct Case {
    code: &'static str,
    path: &'static str,
    bad: (&'static str, String),
    good: (&'static str, String),
}

fn case(code: &'static str, path: &'static str, bad: String, good: String) -> Case {
    Case { code, path, bad: ("", bad), good: ("", good) }
}

fn of_head(code: &'static str, path: &'static str, bad: &'static str, good: &'static str) -> Case {
    Case { code, path, bad: (bad, play("")), good: (good, play("")) }
}

fn graph_cases() -> Vec<Case> {
    let looped = |kind: &str| {
        format!(
            r#""a": {{"kind": "set", "variables": {{"n": "n + 1"}}, "next": "b"}},
               "b": {{"kind": "branch", "cases": [{{"if": "n > 3", "next": "bye"}}],
                      "otherwise": "c"}}, "c": {kind}"#
        )
    };
    let circle = |kind: &str| {
        format!(r#""a": {{"kind": "set", "variables": {{}}, "next": "b"}}, "b": {{{kind}}}"#)
    };
    vec![
        case(
            "dangling-target",
            "steps.a.on.failed",
            play(r#", "on": {"failed": "byee"}"#),
            play(r#", "on": {"failed": "bye"}"#),
        ),
        case(
            "unreachable-step",
            "steps.b",
            play(r#"}, "b": {"kind": "hangup""#),
            play(r#", "on": {"failed": "b"}}, "b": {"kind": "hangup""#),
        ),
        case(
            "silent-loop",
            "steps.a",
            circle(r#""kind": "answer", "next": "a""#),
            circle(r#""kind": "answer", "pause": "1s", "next": "a""#),
        ),
        case(
            "silent-loop",
            "steps.a",
            looped(r#"{"kind": "answer", "next": "a"}"#),
            looped(r#"{"kind": "answer", "pause": "1s", "next": "a"}"#),
        ),
        Case {
            code: "unhandled-outcome",
            path: "steps.a.on",
            bad: ("no_fallback", hours(r#""on": {"holiday": "bye"}"#)),
            good: ("no_fallback", hours(r#""on": {"closed": "bye"}"#)),
        },
        Case {
            code: "no-fallback",
            path: "fallback",
            bad: ("no_fallback", play("")),
            good: ("no_fallback", play(r#", "on": {"failed": "bye"}"#)),
        },
    ]
}

fn choice_cases() -> Vec<Case> {
    let choices = |choices: &str| menu(&format!(r#""choices": {{{choices}}}"#));
    let direct = |choices: &str, direct: &str| {
        menu(&format!(
            r#""choices": {{{choices}}}, "direct_dial": {{{direct}, "into": "x", "next": "bye"}}"#
        ))
    };
    vec![
        case("bad-choice", "steps.a.choices.x", choices(r#""x": "bye""#), choices(r#""D": "bye""#)),
        case("no-choices", "steps.a.choices", choices(""), choices(r#""1": "bye""#)),
        case(
            "choice-never-matches",
            "steps.a.choices./[xyz]/",
            choices(r#""/[xyz]/": "bye""#),
            choices(r#""/[xyz]?1/": "bye""#),
        ),
        case(
            "choice-shadowed",
            "steps.a.choices./[12]/",
            choices(r#""1": "bye", "2": "bye", "/[12]/": "bye""#),
            choices(r#""1": "bye", "2": "bye", "/[123]/": "bye""#),
        ),
        case(
            "choices-overlap",
            "steps.a.choices./2\\d*/",
            choices(r#""/1*2\\d/": "bye", "/2\\d*/": "bye""#),
            choices(r#""/1+2\\d/": "bye", "/2\\d*/": "bye""#),
        ),
        case(
            "choices-overlap",
            "steps.a.choices.100",
            direct(r#""100": "bye""#, r#""min": 3, "max": 3"#),
            direct(r#""100": "bye""#, r#""min": 3, "max": 3, "exclude": ["100"]"#),
        ),
        case(
            "choice-delayed",
            "steps.a.choices.1",
            direct(r#""1": "bye""#, r#""min": 3, "max": 4"#),
            direct(r#""1": "bye""#, r#""min": 3, "max": 4, "exclude": ["/1.*/"]"#),
        ),
        case(
            "terminator-in-choice",
            "steps.a.choices.1#",
            choices(r##""1": "bye", "1#": "bye""##),
            choices(r##""1": "bye", "#": "bye", "2#": "bye""##),
        ),
        case(
            "bad-pattern",
            "steps.a.pattern",
            gather(r#", "pattern": "(1""#),
            gather(r#", "pattern": "(1)""#),
        ),
        case(
            "choice-never-matches",
            "steps.a.pattern",
            gather(r#", "pattern": "1{5}""#),
            gather(r#", "pattern": "1{4}""#),
        ),
    ]
}

/// A target, then further keys.
fn queue(target: &str, more: &str) -> String {
    format!(
        r#""a": {{"kind": "queue", "queue": "q", "next": "bye" {more},
                 "targets": [{{"extension": "1" {target}}}]}}"#
    )
}

fn line_cases() -> Vec<Case> {
    let dtmf =
        |digits: &str| format!(r#""a": {{"kind": "dtmf", "digits": "{digits}", "next": "bye"}}"#);
    vec![
        case("bad-keys", "steps.a.digits", dtmf("1p2"), dtmf("1w2#")),
        case(
            "no-delay",
            "steps.a.targets.0.delay",
            queue(r#", "delay": "1s""#, ""),
            queue(r#", "timeout": "1s""#, ""),
        ),
        case(
            "out-of-range",
            "steps.a.exit_key",
            queue("", r#", "exit_key": "12""#),
            queue("", r#", "exit_key": "1""#),
        ),
        case(
            "out-of-range",
            "steps.a.announce.every",
            queue("", r#", "announce": {"every": "1s"}"#),
            queue("", r#", "announce": {"every": "5s"}"#),
        ),
    ]
}

fn range_cases() -> Vec<Case> {
    vec![
        case("out-of-range", "steps.a.times", play(r#", "times": 101"#), play(r#", "times": 100"#)),
        case("out-of-range", "steps.a.min", gather(r#", "min": 5"#), gather(r#", "min": 4"#)),
        case(
            "too-many",
            "steps.a.targets",
            dial(&format!(r#""targets": [{}]"#, [r#"{"extension": "1"}"#; 21].join(","))),
            dial(&format!(r#""targets": [{}]"#, [r#"{"extension": "1"}"#; 20].join(","))),
        ),
        case(
            "empty-list",
            "steps.a.targets",
            dial(r#""targets": []"#),
            dial(r#""targets": [{"extension": "1"}]"#),
        ),
        of_head(
            "limit-above-ceiling",
            "limits.depth",
            r#""limits": {"depth": 11},"#,
            r#""limits": {"depth": 10},"#,
        ),
        of_head(
            "unknown-timezone",
            "timezone",
            r#""timezone": "Berlin","#,
            r#""timezone": "Europe/Berlin","#,
        ),
        case(
            "bad-hours",
            "steps.a.weekly.mon.0",
            hours(r#""weekly": {"mon": ["9-17"]}"#),
            hours(r#""weekly": {"mon": ["09:00-17:00"]}"#),
        ),
        case(
            "hours-overlap",
            "steps.a.weekly.mon.1",
            hours(r#""weekly": {"mon": ["09:00-12:00", "11:59-13:00"]}"#),
            hours(r#""weekly": {"mon": ["09:00-12:00", "12:00-13:00"]}"#),
        ),
        case(
            "hours-twice",
            "steps.a.schedule",
            hours(r#""schedule": "shop", "timezone": "Europe/Berlin""#),
            hours(r#""schedule": "shop""#),
        ),
        case(
            "unknown-schedule",
            "steps.a.schedule",
            hours(r#""schedule": "shp""#),
            hours(r#""schedule": "shop""#),
        ),
        case(
            "date-twice",
            "steps.a.holidays.1.date",
            hours(r#""holidays": [{"date": "12-25"}, {"date": "12-25"}]"#),
            hours(r#""holidays": [{"date": "12-25"}, {"date": "2026-12-25"}]"#),
        ),
        case(
            "unknown-cause",
            "steps.a.cause",
            r#""a": {"kind": "hangup", "cause": "USER_BUZY"}"#.into(),
            r#""a": {"kind": "hangup", "cause": "USER_BUSY"}"#.into(),
        ),
    ]
}

fn reference_cases() -> Vec<Case> {
    let transfer = |context: &str| {
        format!(r#""a": {{"kind": "transfer", "extension": "1", "context": "{context}"}}"#)
    };
    let sip = |host: &str| dial(&format!(r#""targets": [{{"sip": "bob@{host}"}}]"#));
    let gateway =
        |name: &str| dial(&format!(r#""targets": [{{"number": "1", "gateway": "{name}"}}]"#));
    vec![
        case(
            "unknown-prompt",
            "steps.a.ringback.prompt",
            dial(r#""targets": [{"extension": "1"}], "ringback": {"prompt": "helo"}"#),
            dial(r#""targets": [{"extension": "1"}], "ringback": {"prompt": "hello"}"#),
        ),
        case("unknown-flow", "steps.a.flow", call(r#""flow": "othr""#), call(r#""flow": "other""#)),
        case(
            "unknown-argument",
            "steps.a.arguments.sise",
            call(r#""flow": "other", "arguments": {"sise": "1"}"#),
            call(r#""flow": "other", "arguments": {"size": "1"}"#),
        ),
        case("flow-recursion", "steps.a.flow", call(r#""flow": "back""#), call(r#""flow": "one""#)),
        Case {
            code: "flows-too-deep",
            path: "steps.a.flow",
            bad: (r#""limits": {"depth": 3},"#, call(r#""flow": "one""#)),
            good: (r#""limits": {"depth": 4},"#, call(r#""flow": "one""#)),
        },
        case("unknown-gateway", "steps.a.targets.0.gateway", gateway("carier"), gateway("carrier")),
        case("unknown-sip-host", "steps.a.targets.0.sip", sip("evil.example"), sip("pbx.example")),
        case("bad-address", "steps.a.targets.0.sip", sip(""), sip("pbx.example")),
        case("unknown-context", "steps.a.context", transfer("default"), transfer("public")),
        case(
            "no-speech-engine",
            "steps.a.prompts.0",
            play("").replace(r#""hello""#, r#"{"speak": "hello"}"#),
            play("").replace(r#""hello""#, r#"{"say": "1"}"#),
        ),
    ]
}

fn request_cases() -> Vec<Case> {
    let get = |rest: &str| http(&format!(r#""url": "https://x.example/" {rest}"#));
    vec![
        case(
            "bad-url",
            "steps.a.url",
            http(r#""url": "https://x{dialed}.example/""#),
            http(r#""url": "https://x.example/{dialed}""#),
        ),
        case(
            "bad-url",
            "steps.a.url",
            http(r#""url": "https://x.example{dialed}""#),
            http(r#""url": "https://x.example?{dialed}""#),
        ),
        case(
            "bad-header",
            "steps.a.headers.Host",
            get(r#", "headers": {"Host": "y"}"#),
            get(r#", "headers": {"X-Host": "y"}"#),
        ),
        case(
            "bad-body",
            "steps.a.body.list.1",
            get(r#", "body": {"list": [1, "{dialed"]}"#),
            get(r#", "body": {"list": [1, "{dialed}"]}"#),
        ),
        case(
            "bad-pointer",
            "steps.a.into.n",
            get(r#", "into": {"n": "name"}"#),
            get(r#", "into": {"n": "/name~1x"}"#),
        ),
    ]
}

fn variable_cases() -> Vec<Case> {
    let request = |rest: &str| {
        secret(&format!(r#"{{"kind": "http", "next": "bye", "method": "POST", {rest}}}"#))
    };
    vec![
        case("unknown-variable", "steps.a.prompts.0.say", say("{dialled}"), say("{dialed}")),
        case(
            "unknown-variable",
            "steps.a.cases.0.if",
            branch("trys > 1", ""),
            branch("channel.trys > 1", ""),
        ),
        Case {
            code: "unused-variable",
            path: "variables.n",
            bad: (r#""variables": {"n": 1},"#, say("1")),
            good: (r#""variables": {"n": 1},"#, say("{n}")),
        },
        of_head(
            "reserved-variable",
            "arguments.dialed",
            r#""arguments": {"dialed": 1},"#,
            r#""arguments": {"dialled": 1},"#,
        ),
        case(
            "always-same",
            "steps.a.cases.0.if",
            branch("now.weekday == 'Monday'", ""),
            branch("now.weekday == 'mon'", ""),
        ),
        case(
            "secret-shown",
            "steps.b.url",
            request(r#""url": "https://x.example/{pin}""#),
            request(r#""url": "https://x.example/", "body": {"pin": "{pin}"}"#),
        ),
        case(
            "secret-heard",
            "steps.b.prompts.0.say",
            secret(r#"{"kind": "play", "prompts": [{"say": "{pin}"}], "next": "bye"}"#),
            secret(r#"{"kind": "play", "prompts": [{"say": "{dialed}"}], "next": "bye"}"#),
        ),
        case(
            "secret-leaves",
            "steps.b.arguments.size",
            secret(
                r#"{"kind": "flow", "flow": "other", "arguments": {"size": "pin"}, "next": "bye"}"#,
            ),
            secret(
                r#"{"kind": "flow", "flow": "other", "arguments": {"size": "1"}, "next": "bye"}"#,
            ),
        ),
    ]
}

fn cases() -> Vec<Case> {
    let mut all = graph_cases();
    all.extend(choice_cases());
    all.extend(range_cases());
    all.extend(line_cases());
    all.extend(reference_cases());
    all.extend(request_cases());
    all.extend(variable_cases());
    all
}

#[test]
fn each_code_is_told_where_it_belongs_and_not_where_it_just_does_not() {
    for case in cases() {
        let expected = format!("{} {}", case.path, case.code);
        let bad = codes(case.bad.0, &case.bad.1);
        assert!(bad.contains(&expected), "{expected} is not among {bad:#?}");
        let good = codes(case.good.0, &case.good.1);
        let told = good.iter().any(|told| told.ends_with(&format!(" {}", case.code)));
        assert!(!told, "{expected} is among {good:#?}");
    }
}

#[test]
fn the_table_names_each_code_with_its_severity() {
    let severity = |code: &str| {
        let row =
            include_str!("mod.rs").lines().find(|l| l.starts_with(&format!("//! | `{code}` |")));
        row.map(|row| row.split(" | ").nth(2).unwrap().to_owned())
    };
    let mut tested = BTreeSet::new();
    for case in cases() {
        tested.insert(case.code);
        for problem in check(&flow(case.bad.0, &case.bad.1), &world()) {
            let expected = match problem.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            let told = severity(&problem.code).unwrap_or_default();
            assert!(told.split(" or ").any(|told| told == expected), "{}", problem.code);
        }
    }
    let rows = include_str!("mod.rs").lines().filter_map(|line| line.strip_prefix("//! | `"));
    for code in rows.map(|row| row.split('`').next().unwrap()) {
        assert!(tested.contains(code), "`{code}` has no case");
    }
}

#[test]
fn a_typo_is_met_with_the_word_that_was_meant() {
    let problems = check(&flow("", &play(r#", "on": {"failed": "byee"}"#)), &world());
    assert_eq!(problems[0].hint.as_deref(), Some("do you mean `bye`?"));
}

#[test]
fn what_is_not_known_of_a_tenant_is_not_checked() {
    for case in reference_cases() {
        let problems = check(&flow(case.bad.0, &case.bad.1), &World::unknown());
        let depends =
            problems.iter().any(|p| p.code.starts_with("unknown-") || p.code == "no-speech");
        assert!(!depends, "{}: {problems:#?}", case.code);
    }
}

#[test]
fn failures_that_can_not_add_up_need_no_way_out() {
    let keys = |failures: u8| {
        menu(&format!(
            r#""choices": {{"1": "bye"}}, "on": {{"no_input": "bye", "invalid": "bye"}},
               "keys": {{"max_no_input": 2, "max_invalid": 2, "max_failures": {failures}}}"#
        ))
    };
    let told =
        |steps: &str| codes("no_fallback", steps).contains(&"steps.a.on unhandled-outcome".into());
    assert!(told(&keys(2)), "one of each is two failures");
    assert!(!told(&keys(3)), "the second of either kind comes first");
}

#[test]
fn the_example_flows_have_no_problem() {
    for (name, text) in [
        ("clinic", include_str!("../../../examples/flows/clinic.yaml")),
        ("shop", include_str!("../../../examples/flows/shop.json")),
        ("support", include_str!("../../../examples/flows/support.yaml")),
    ] {
        let flow = crate::flow::parse_yaml(text.as_bytes()).unwrap();
        assert_eq!(check(&flow, &World::unknown()), [], "{name}");
        let printed = serde_json::to_vec(&flow).unwrap();
        assert_eq!(parse(&printed), Ok(flow), "{name} is read back as itself");
    }
}
