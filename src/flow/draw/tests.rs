use proptest::prelude::*;

use super::*;
use crate::flow::parse_yaml;

const DESK: &str = r#"
callwright: 1
title: 'Desk <script>alert("1")</script> & co'
start: main
steps:
  main:
    kind: menu
    prompts: [welcome]
    choices: { "1": sales, "2": nowhere, "3": sales }
    on: { too_many: bye, failed: bye }
  sales: { kind: dial, targets: [{ extension: "201" }], next: bye, on: { busy: main } }
  bye: { kind: hangup }
  lonely: { kind: play, prompts: [news], next: bye }
"#;

fn flow(text: &str) -> Flow {
    parse_yaml(text.as_bytes()).unwrap()
}

fn drawn(text: &str) -> String {
    let svg = svg(&flow(text), "desk", &[]);
    well_formed(&svg);
    svg
}

/// Panics unless all elements are closed in order and every text is escaped.
fn well_formed(svg: &str) {
    let mut open = Vec::new();
    let mut rest = svg;
    while let Some((text, more)) = rest.split_once('<') {
        assert!(!text.contains('>'), "a bare > in {text:?}");
        entities(text);
        let (tag, after) = more.split_once('>').expect("a tag ends");
        assert!(!tag.contains('<'), "a tag in the tag {tag:?}");
        assert_eq!(tag.matches('"').count() % 2, 0, "quotes of {tag:?}");
        entities(tag);
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(tag.split([' ', '\n']).next().unwrap());
        }
        rest = after;
    }
    assert_eq!((open, rest.trim()), (vec![], ""));
    assert!(svg.chars().all(|character| character == '\n' || !character.is_control()));
}

fn entities(text: &str) {
    for (at, _) in text.match_indices('&') {
        let known = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"];
        assert!(known.iter().any(|entity| text[at..].starts_with(entity)), "{text:?}");
    }
}

#[test]
fn every_step_has_its_box_reached_or_not_there_or_not() {
    let svg = drawn(DESK);
    for name in ["main", "sales", "bye", "lonely", "nowhere"] {
        let boxes = svg.matches(&format!("<g id=\"step-{name}\"")).count();
        assert_eq!(boxes, 1, "{name}");
        assert!(svg.contains(&format!("class=\"name\">{name}</text>")), "{name}");
    }
    assert!(svg.contains("there is no such step"));
    assert!(svg.contains("No call gets to these steps"));
}

#[test]
fn ways_with_one_end_are_one_line_with_all_their_labels() {
    let svg = drawn(DESK);
    assert!(svg.contains("class=\"label\" fill=\"#475569\">1 · 3</text>"), "{svg}");
    assert!(svg.contains("<title>main → sales: 1, 3</title>"));
}

#[test]
fn a_line_back_is_dashed_and_goes_beside_the_boxes() {
    let svg = drawn(DESK);
    let line = svg.lines().find(|line| line.contains("<title>back to main</title>")).unwrap();
    assert!(line.contains("stroke-dasharray"), "{line}");
    let flow = flow(DESK);
    let page = Page::new(Graph::new(&flow), 0.0);
    let aside = page.lane_x(&page.lanes[0]);
    assert!(page.boxes().iter().all(|[left, _, right, _]| aside < *left || aside > *right));
}

#[test]
fn a_dead_end_is_marked_where_a_fallback_would_save_it() {
    assert!(drawn(DESK).contains("class=\"dead\">dead end: failed</text>"));
    let saved = DESK.replace("start: main", "start: main\nfallback: bye");
    let svg = drawn(&saved);
    assert!(!svg.contains("dead end"));
    assert!(svg.contains("class=\"tag\" fill=\"#9f1239\">fallback</text>"));
}

#[test]
fn a_problem_is_marked_at_its_step_and_others_above_all_steps() {
    let problems = [
        Problem::error("steps.main.choices.2", "dangling-target", "no step <nowhere>"),
        Problem::warning("steps.lonely", "unreachable-step", "no call gets there"),
        Problem::warning("fallback", "no-fallback", "there is no fallback"),
    ];
    let svg = svg(&flow(DESK), "desk", &problems);
    well_formed(&svg);
    let of = |name: &str| {
        let start = svg.find(&format!("<g id=\"step-{name}\"")).unwrap();
        svg[start..].lines().take_while(|line| !line.is_empty()).collect::<String>()
    };
    assert!(of("main").contains("no step &lt;nowhere&gt;"));
    assert!(of("main").contains("fill=\"#dc2626\""));
    assert!(of("lonely").contains("fill=\"#fbbf24\""));
    assert!(svg.contains("class=\"warning\">fallback: there is no fallback [no-fallback]</text>"));
}

#[test]
fn a_secret_that_is_asked_for_is_not_drawn() {
    let svg = drawn(
        r#"
callwright: 1
start: pin
steps:
  pin:
    { kind: gather, prompts: [pin], into: pin, max: 4, secret: true, accept: ["8351"], next: crm }
  crm: { kind: http, url: "https://user:hidden@crm.example.com/x?key=abc", next: bye }
  bye: { kind: hangup }
"#,
    );
    assert!(svg.contains(">1–4 digits into pin, secret</text>"));
    assert!(svg.contains(">GET crm.example.com</text>"));
    for secret in ["8351", "hidden", "key=abc"] {
        assert!(!svg.contains(secret), "{secret}");
    }
}

/// Steps that lead to one another, or to missing ones, as the numbers say.
fn tangle(ways: &[Vec<usize>]) -> Flow {
    let mut text = "callwright: 1\nstart: s0\nfallback: s1\nsteps:\n".to_owned();
    for (at, ways) in ways.iter().enumerate() {
        let to = |way: &usize| format!("s{}", way % 40);
        let choices: Vec<_> =
            ways.iter().enumerate().map(|(key, way)| format!("\"{key}\": {}", to(way))).collect();
        let choices = choices.join(", ");
        text.push_str(&format!("  s{at}: {{kind: menu, prompts: [p], choices: {{{choices}}}}}\n"));
    }
    flow(&text)
}

fn apart(boxes: &[[f64; 4]]) -> Result<(), String> {
    for (at, one) in boxes.iter().enumerate() {
        for other in &boxes[at + 1..] {
            let beside = one[2] <= other[0] || other[2] <= one[0];
            let below = one[3] <= other[1] || other[3] <= one[1];
            if !beside && !below {
                return Err(format!("{one:?} is on {other:?}"));
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_box_and_no_label_stands_on_another(
        ways in prop::collection::vec(prop::collection::vec(0_usize..40, 0..8), 1..40)
    ) {
        let flow = tangle(&ways);
        let page = Page::new(Graph::new(&flow), 0.0);
        prop_assert_eq!(apart(&page.boxes()), Ok(()));
        let edge = page.boxes().iter().fold(0.0_f64, |edge, one| edge.max(one[2]));
        prop_assert!(edge <= page.width, "{} beyond {}", edge, page.width);
    }

    #[test]
    fn whatever_a_text_holds_the_drawing_is_well_formed(text in "\\PC{0,40}|.{0,40}") {
        let mut flow = flow(DESK);
        flow.title = Some(text.clone());
        let drawing = svg(&flow, &text, &[Problem::error(text.as_str(), "x", text.as_str())]);
        well_formed(&drawing);
    }
}

#[test]
fn the_same_flow_is_always_the_same_drawing() {
    let ways: Vec<Vec<usize>> = (0..30).map(|at| vec![at * 7 + 1, at * 3, at + 1]).collect();
    let flow = tangle(&ways);
    assert_eq!(svg(&flow, "a", &[]), svg(&flow, "a", &[]));
}

#[test]
fn the_largest_flow_has_a_bounded_drawing() {
    let mut text = "callwright: 1\nstart: s0\nsteps:\n".to_owned();
    for at in 0..500_usize {
        let to = |key: usize| format!("\"{key}\": s{}", (at * 31 + key * key * 17 + 1) % 500);
        let choices: Vec<_> = (0..60).map(to).collect();
        let choices = choices.join(", ");
        text.push_str(&format!("  s{at}: {{kind: menu, prompts: [p], choices: {{{choices}}}}}\n"));
    }
    let flow = flow(&text);
    let page = Page::new(Graph::new(&flow), 0.0);
    assert!(page.grid.cells.len() <= 500 * (graph::OUT_MAX + 2) + graph::BENDS_MAX);
    assert!(page.lanes.len() <= 2 * graph::BACK_MAX);
    let drawing = svg(&flow, "large", &[]);
    assert!(drawing.len() < 8 * 1_024 * 1_024, "{} bytes", drawing.len());
    assert!(drawing.contains("more ways"));
}
