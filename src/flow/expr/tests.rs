use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::flow::value::TEXT_MAX;

struct Vars(BTreeMap<&'static str, Value>);

impl Scope for Vars {
    fn lookup(&self, name: &str) -> Value {
        self.0.get(name).cloned().unwrap_or_default()
    }
}

fn vars() -> Vars {
    Vars(BTreeMap::from([
        ("tries", Value::Number(2.0)),
        ("code", Value::text("0042")),
        ("caller.number", Value::text("+4930123456")),
        ("caller.name", Value::text("Zoë {x}")),
        ("channel.sip_h_X-Account", Value::text("gold")),
        ("yes", Value::Bool(true)),
    ]))
}

fn eval(source: &str) -> Value {
    source.parse::<Expr>().unwrap_or_else(|error| panic!("{source}: {error}")).eval(&vars())
}

fn error(source: &str) -> String {
    source.parse::<Expr>().expect_err(source).to_string()
}

#[test]
fn operators_bind_as_an_author_expects() {
    for (source, expected) in [
        ("1 + 2 * 3", Value::Number(7.0)),
        ("(1 + 2) * 3", Value::Number(9.0)),
        ("10 - 3 - 2", Value::Number(5.0)),
        ("-2 + 5", Value::Number(3.0)),
        ("7 % 4", Value::Number(3.0)),
        ("1 / 0", Value::Nothing),
        ("1 % 0", Value::Nothing),
        ("code + 1", Value::Number(43.0)),
        ("caller.number + \"1\" + unset", Value::Nothing),
        ("\"a\" & 1 + 2 & yes", Value::text("a3true")),
        ("tries < 3 and caller.number matches /^\\+49/", Value::Bool(true)),
        ("not tries < 3 or code == 42", Value::Bool(true)),
        ("not (tries < 3)", Value::Bool(false)),
        ("tries in [1, 2]", Value::Bool(true)),
        ("tries not in [1, 2]", Value::Bool(false)),
        ("code in []", Value::Bool(false)),
        ("caller.number not starts_with '+49'", Value::Bool(false)),
        ("unset contains ''", Value::Bool(false)),
        ("unset matches /.*/", Value::Bool(false)),
        ("channel.sip_h_X-Account == \"gold\"", Value::Bool(true)),
        ("unset < 3", Value::Bool(false)),
        ("unset == nothing", Value::Bool(true)),
    ] {
        assert_eq!(eval(source), expected, "{source}");
    }
}

#[test]
fn functions_do_what_their_names_say() {
    for (source, expected) in [
        ("if(tries > 1, 'many', 'one')", Value::text("many")),
        ("length(caller.name)", Value::Number(7.0)),
        ("upper('straße')", Value::text("STRASSE")),
        ("trim('  a ')", Value::text("a")),
        ("number('x')", Value::Nothing),
        ("text(tries)", Value::text("2")),
        ("first(code, 2)", Value::text("00")),
        ("last(caller.number, 4)", Value::text("3456")),
        ("last('ab', 9)", Value::text("ab")),
        ("slice('abcdef', 2, 3)", Value::text("bcd")),
        ("slice('abc', 9, 3)", Value::text("")),
        ("slice('abc', -1, 1)", Value::text("a")),
        ("digits_only(caller.number)", Value::text("4930123456")),
        ("default(unset, 'x')", Value::text("x")),
        ("default('', 'x')", Value::text("x")),
        ("default(tries, 'x')", Value::Number(2.0)),
        ("round(2.5)", Value::Number(3.0)),
        ("round(2.345, 2)", Value::Number(2.35)),
        ("min(3, '2')", Value::Number(2.0)),
        ("max(3, unset)", Value::Nothing),
    ] {
        assert_eq!(eval(source), expected, "{source}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (source, expected) in [
        ("", "a value is expected here (at character 1)"),
        ("tries = 3", "to compare, write `==` (at character 7)"),
        ("a || b", "write `or` (at character 3)"),
        ("a && b", "(at character 4)"),
        ("!a", "write `not` (at character 1)"),
        ("1 < 2 < 3", "can't be chained"),
        ("lenght(a)", "do you mean `length`? (at character 1)"),
        ("length(a, b)", "write it like `length(text)`"),
        ("first(a", "`)` is expected here (at character 8)"),
        ("ö == \"", "`ö` means nothing here (at character 1)"),
        ("a == \"", "has no end (at character 6)"),
        ("'ä' + 'b'", "join texts with `&`"),
        ("a matches b", "written out"),
        ("a matches /(/", "not a pattern"),
        ("a matches /a{1000}{1000}/", "too big"),
        ("a matches /(?=b)/", "look-around"),
        ("a b", "`b` is not expected here (at character 3)"),
        ("a..b", "a part is empty"),
        ("and", "not expected"),
        ("[1]", "only after `in`"),
        ("a }", "brace"),
    ] {
        let error = error(source);
        assert!(error.contains(expected), "{source}: {error}");
    }
}

#[test]
fn depth_size_and_length_are_bounded() {
    let deep = |n: usize| format!("{}1{}", "(".repeat(n), ")".repeat(n));
    assert!(deep(DEPTH_MAX - 1).parse::<Expr>().is_ok());
    assert!(error(&deep(DEPTH_MAX)).contains("deep"));
    assert!(error(&"-".repeat(4_000)).contains("deep"));
    assert!(error(&format!("1{}", "+1".repeat(NODES_MAX))).contains("parts"));
    assert!(error(&" ".repeat(SOURCE_MAX + 1)).contains("bytes"));
    let many = "{1}".repeat(NODES_MAX + 1);
    assert!(many.parse::<Template>().unwrap_err().to_string().contains("parts"));
}

#[test]
fn an_ordinary_number_pattern_fits_the_limit() {
    for pattern in [r"^\+49\d{6,15}$", r"^\d{20}$", r"(?i)^sales|support$"] {
        assert!(format!("a matches /{pattern}/").parse::<Expr>().is_ok(), "{pattern}");
    }
}

#[test]
fn a_template_joins_text_and_values() {
    let render = |source: &str| source.parse::<Template>().unwrap().render(&vars());
    assert_eq!(render("Hello {caller.name}, {{{tries + 1}}}"), "Hello Zoë {x}, {3}");
    assert_eq!(render("{\"}\"}"), "}");
    assert_eq!(render("plain"), "plain");
    assert_eq!(render(""), "");
    let encoded = "a{caller.number}+".parse::<Template>().unwrap();
    assert_eq!(encoded.render_with(&vars(), |v| v.replace('+', "%2B")), "a%2B4930123456+");
    assert_eq!(encoded.literal_prefix(), "a");
}

#[test]
fn a_template_of_one_expression_keeps_its_type() {
    let value = |source: &str| source.parse::<Template>().unwrap().value(&vars());
    assert_eq!(value("{tries}"), Value::Number(2.0));
    assert_eq!(value(" {tries}"), Value::text(" 2"));
    assert_eq!(value("2"), Value::text("2"));
}

#[test]
fn a_brace_out_of_place_is_refused_with_its_place() {
    for (source, expected) in [
        ("ab } c", "closes nothing: write `}}` for a brace (at character 4)"),
        ("ä{tries", "not closed (at character 2)"),
        ("ä{}", "a value is expected here (at character 3)"),
        ("é{1 +}", "(at character 6)"),
    ] {
        let error = source.parse::<Template>().unwrap_err().to_string();
        assert!(error.contains(expected), "{source}: {error}");
    }
}

#[test]
fn variables_are_named_once_each() {
    let expr: Expr = "a + b.c * a - length(channel.x-y)".parse().unwrap();
    let mut names = expr.variables();
    names.sort_unstable();
    assert_eq!(names, ["a", "b.c", "channel.x-y"]);
}

#[test]
fn a_typo_and_a_comparison_that_is_always_the_same_are_doubted() {
    let mut known = KnownVariables::of_every_call();
    known.add("tries", Type::Any);
    let doubts = |source: &str| source.parse::<Expr>().unwrap().check(&known);
    assert_eq!(
        doubts("caller.nmae == ''"),
        [Doubt::UnknownVariable { name: "caller.nmae".into(), meant: Some("caller.name".into()) }]
    );
    for never in [
        "now.weekday == \"Monday\"",
        "call.seconds < \"ten\"",
        "call.seconds == true",
        "length(dialed) == 'x'",
        "now.weekday in ['sa', 'so']",
        "(tries < 1) < 2",
        "nothing == 1",
    ] {
        assert!(
            matches!(doubts(never).as_slice(), [Doubt::AlwaysThe { same: false, .. }]),
            "{never}: {:?}",
            doubts(never)
        );
    }
    for fine in [
        "now.weekday == 'mon'",
        "call.seconds < '10'",
        "tries == 'x'",
        "channel.anything == 3",
        "now.weekday in ['sat', 'so']",
        "now.time < '17:00'",
        "dialed == 100",
    ] {
        assert_eq!(doubts(fine), [], "{fine}");
    }
}

fn source() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (0u32..1000).prop_map(|n| n.to_string()),
        "[a-z]{1,4}".prop_map(|name| format!("v{name}")),
        "\"[a-z\\\\\"/ {}ä]{0,6}\"".prop_map(|t| {
            format!("\"{}\"", t[1..t.len() - 1].replace('\\', "\\\\").replace('"', "\\\""))
        }),
        Just("true".to_owned()),
        Just("nothing".to_owned()),
    ];
    leaf.prop_recursive(4, 40, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone(), 0..node::Binary::ALL.len())
                .prop_map(|(a, b, at)| { format!("({a}) {} ({b})", node::Binary::ALL[at].sign()) }),
            inner.clone().prop_map(|a| format!("not ({a})")),
            inner.clone().prop_map(|a| format!("-({a})")),
            inner.clone().prop_map(|a| format!("({a}) matches /a\\/b\\d/")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) in [{b}, 1]")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(a, b, c)| format!("if({a}, {b}, upper({c}))")),
        ]
    })
}

proptest! {
    #[test]
    fn an_expression_is_printed_and_read_back_as_itself(source in source()) {
        if let Ok(expr) = source.parse::<Expr>() {
            let printed = expr.0.node.to_string();
            let again: Expr = printed.parse().unwrap();
            prop_assert_eq!(&again.0.node, &expr.0.node, "{} | {}", source, printed);
        }
    }

    #[test]
    fn no_text_makes_reading_panic(source in "\\PC{0,60}") {
        let _ = source.parse::<Expr>();
        let _ = source.parse::<Template>();
    }

    #[test]
    fn near_expressions_never_panic_and_come_to_a_bounded_value(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "a", "caller.name", "1", "'x'", "(", ")", "[", "]", ",", "+", "-", "*", "/", "%",
                "&", "==", "<", "not", "and", "or", "in", "matches", "/x/", "length", "first(",
                "{", "}", "if(", "\"", "contains",
            ]),
            0..24,
        )
    ) {
        let source = words.join(" ");
        let big = Vars(BTreeMap::from([("a", Value::text("ß".repeat(TEXT_MAX)))]));
        if let Ok(expr) = source.parse::<Expr>() {
            prop_assert!(expr.eval(&big).to_text().len() <= TEXT_MAX);
        }
        if let Ok(template) = source.parse::<Template>() {
            prop_assert!(template.render(&big).len() <= TEXT_MAX);
        }
    }
}
