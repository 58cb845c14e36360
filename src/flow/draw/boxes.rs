//! The boxes of a drawing.

use super::card::{BOX_WIDTH, Card, HEAD_HEIGHT, LINE_HEIGHT};
use super::heat::StepHeat;
use super::looks::{Looks, looks};
use super::text::{cut, escaped, px};
use super::words::ends;
use crate::flow::Problem;

const NAME_SIZE: f64 = 14.0;
const LINE_SIZE: f64 = 11.0;
const ROOM: f64 = BOX_WIDTH - 22.0;

const MISSING: Looks = Looks { dark: "#b91c1c", light: "#fef2f2", sign: "M2 2l10 10M12 2L2 12" };
const UNREACHED: (&str, &str) = ("#64748b", "#f1f5f9");

/// A box whose upper left corner is at `x`, `y`.
pub(super) fn step(card: &Card<'_>, problems: &[&Problem], x: f64, y: f64) -> String {
    let mut looks = card.kind.map_or(MISSING, looks);
    if !card.reached || card.heat.as_ref().is_some_and(|heat| heat.callers == 0) {
        (looks.dark, looks.light) = UNREACHED;
    }
    let round = if card.kind.is_some_and(ends) { 20 } else { 7 };
    let dashes = match (card.kind, card.reached) {
        (None, _) | (_, false) => " stroke-dasharray=\"6 4\"",
        _ => "",
    };
    let mut out = format!(
        "<g id=\"step-{name}\"{data} transform=\"translate({x} {y})\"><title>{title}</title>\
         <rect width=\"{BOX_WIDTH}\" height=\"{height}\" rx=\"{round}\" fill=\"{light}\" \
         stroke=\"{dark}\" stroke-width=\"1.5\"{dashes}/>\
         <path d=\"{sign}\" transform=\"translate(11 7)\" stroke=\"{dark}\"/>\
         <text x=\"31\" y=\"18\" class=\"kind\" fill=\"{dark}\">{kind}</text>\
         <text x=\"11\" y=\"38\" class=\"name\">{shown}</text>",
        name = card.name,
        data = card.heat.as_ref().map(data).unwrap_or_default(),
        x = px(x),
        y = px(y),
        title = escaped(&title(card, problems)),
        height = px(card.height()),
        light = looks.light,
        dark = looks.dark,
        sign = looks.sign,
        kind = card.kind.map_or("missing", crate::flow::Kind::name),
        shown = escaped(&cut(card.name.as_str(), NAME_SIZE * 1.08, ROOM)),
    );
    out.push_str(&lines(card));
    out.push_str(&tag(card, looks.dark));
    out.push_str(&badge(problems));
    out + "</g>\n"
}

fn lines(card: &Card<'_>) -> String {
    let mut out = String::new();
    let mut y = HEAD_HEIGHT + 10.0;
    for line in &card.lines {
        let line = escaped(&cut(line, LINE_SIZE, ROOM));
        out.push_str(&format!("<text x=\"11\" y=\"{}\" class=\"line\">{line}</text>", px(y)));
        y += LINE_HEIGHT;
    }
    if let Some(dead) = card.dead_line() {
        let line = escaped(&cut(&dead, LINE_SIZE * 1.12, ROOM));
        out.push_str(&format!("<text x=\"11\" y=\"{}\" class=\"dead\">{line}</text>", px(y)));
        y += LINE_HEIGHT;
    }
    if let Some(heat) = &card.heat {
        out.push_str(&figures(heat, &card.undrawn, y));
    }
    out
}

/// A step's figures, from `y` on.
fn figures(heat: &StepHeat, undrawn: &[String], mut y: f64) -> String {
    let words = heat.words().into_iter().chain(undrawn.iter().cloned());
    let words = words.map(|line| (line, "figure"));
    let mut out = String::new();
    for (line, class) in words.chain(heat.leaving().map(|line| (line, "leaving"))) {
        let line = escaped(&cut(&line, LINE_SIZE * 1.12, ROOM));
        out.push_str(&format!("<text x=\"11\" y=\"{}\" class=\"{class}\">{line}</text>", px(y)));
        y += LINE_HEIGHT;
    }
    out
}

/// For programs and tests.
fn data(heat: &StepHeat) -> String {
    let median = heat.median_ms.map(|ms| format!(" data-median-ms=\"{ms}\"")).unwrap_or_default();
    format!(
        " data-callers=\"{}\" data-share=\"{}\" data-hung-up=\"{}\"{median}",
        heat.callers, heat.share, heat.hung_up
    )
}

/// What is special about the step, at the right of its kind.
fn tag(card: &Card<'_>, colour: &str) -> String {
    let word = match card.kind {
        _ if card.is_fallback => "fallback",
        Some(kind) if ends(kind) => "end",
        _ => return String::new(),
    };
    let x = px(BOX_WIDTH - 16.0);
    format!("<text x=\"{x}\" y=\"18\" class=\"tag\" fill=\"{colour}\">{word}</text>")
}

/// The number of problems, red where one of them is an error.
fn badge(problems: &[&Problem]) -> String {
    if problems.is_empty() {
        return String::new();
    }
    let error = problems.iter().any(|problem| problem.is_error());
    let (fill, text) = if error { ("#dc2626", "#ffffff") } else { ("#fbbf24", "#000000") };
    let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
    format!(
        "<g><title>{title}</title><circle cx=\"{x}\" cy=\"2\" r=\"10\" fill=\"{fill}\" \
         stroke=\"#ffffff\" stroke-width=\"1.5\"/>\
         <text x=\"{x}\" y=\"6\" class=\"badge\" fill=\"{text}\">{sign}</text></g>",
        title = escaped(&told.join("\n")),
        x = px(BOX_WIDTH - 2.0),
        sign = if problems.len() > 1 { problems.len().to_string() } else { "!".to_owned() },
    )
}

fn title(card: &Card<'_>, problems: &[&Problem]) -> String {
    let kind = card.kind.map_or("missing", crate::flow::Kind::name);
    let mut lines = vec![format!("{} ({kind})", card.name)];
    lines.extend(card.lines.iter().cloned());
    if let Some(heat) = &card.heat {
        lines.extend(heat.words().into_iter().chain(card.undrawn.iter().cloned()));
        lines.extend(heat.leaving());
    }
    if !card.dead.is_empty() {
        let names: Vec<_> = card.dead.iter().map(|outcome| outcome.name()).collect();
        lines.push(format!("ends the call, as there is no way for: {}", names.join(", ")));
    }
    lines.extend(problems.iter().map(ToString::to_string));
    lines.join("\n")
}

/// The places of boxes in rows of at most `room` px, and how high the rows are together.
pub(super) fn rows(heights: &[f64], room: f64) -> (Vec<(f64, f64)>, f64) {
    const SPACE: f64 = 24.0;
    let mut places = Vec::new();
    let (mut x, mut y, mut tallest) = (0.0, 0.0, 0.0_f64);
    for (at, height) in heights.iter().enumerate() {
        if at > 0 && x + BOX_WIDTH > room {
            (x, y) = (0.0, y + tallest + SPACE);
            tallest = 0.0;
        }
        places.push((x, y));
        x += BOX_WIDTH + SPACE;
        tallest = tallest.max(*height);
    }
    (places, y + tallest)
}
