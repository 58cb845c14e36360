//! Figures on a drawing: how many callers took each way, how long each step took them, and where
//! they left.

use std::collections::BTreeMap;

use super::graph::{Graph, Link};
use super::text::{escaped, px, width};
use crate::base::ids::StepName;

/// What is painted on a flow's drawing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Heat {
    /// Lines below the title: which version and time.
    pub about: Vec<String>,
    /// In words, for those who hear the picture.
    pub description: String,
    pub steps: BTreeMap<StepName, StepHeat>,
    pub ways: BTreeMap<(StepName, StepName), WayHeat>,
}

/// Figures of a step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepHeat {
    pub callers: u64,
    /// Of all callers, from 0 to 1.
    pub share: f64,
    /// None where nobody came to it.
    pub median_ms: Option<u64>,
    /// Callers who hung up in it, of the times it was entered.
    pub hung_up: u64,
    pub hung_up_share: f64,
}

/// Figures of all ways from one step to another.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct WayHeat {
    /// Callers who took it at least once.
    pub callers: u64,
    /// Of all callers, from 0 to 1.
    pub share: f64,
    /// How often it was taken.
    pub count: u64,
}

/// Ways that have no line, told in a step's box.
const UNDRAWN_MAX: usize = 3;

/// Shares up to which a line has a colour. All but the first can be told from white; width and
/// figures say the same without colours.
const COLOURS: [(f64, &str); 5] =
    [(0.0, "#94a3b8"), (0.05, "#d97706"), (0.2, "#ea580c"), (0.5, "#dc2626"), (1.0, "#991b1b")];
/// Of a line that nobody took, and how much wider one is that all took, in px.
const THIN: f64 = 1.2;
const WIDER: f64 = 7.8;
/// The colour of figures: dark enough for text on white.
pub(super) const INK: &str = "#7c2d12";
/// Of figures that are 0.
pub(super) const PALE: &str = "#64748b";

/// With a dark page the drawing is dark too: what stands out goes on standing out.
pub(super) const STYLE: &str = "\
    .flow-drawing .figure{font-size:11px;font-weight:bold;fill:#7c2d12}\
    .flow-drawing .leaving{font-size:11px;font-weight:bold;fill:#b91c1c}\
    .flow-drawing .swatch{font-size:11px;fill:#334155;text-anchor:middle}\
    @media (prefers-color-scheme:dark){.flow-drawing{filter:invert(.93) hue-rotate(180deg)}}";

pub(super) fn colour(share: f64) -> &'static str {
    let bin = COLOURS.iter().find(|(most, _)| share <= *most);
    bin.map_or("#991b1b", |(_, colour)| *colour)
}

/// How wide a line is, in px.
pub(super) fn wide(share: f64) -> f64 {
    THIN + WIDER * share.clamp(0.0, 1.0)
}

/// A share for people: `37.5 %`.
pub fn percent(share: f64) -> String {
    format!("{} %", px(share * 100.0))
}

/// A length of time for people.
pub fn length(ms: u64) -> String {
    let seconds = ms.div_euclid(1_000);
    match seconds {
        0..60 => format!("{}.{} s", seconds, ms % 1_000 / 100),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// `1 caller`, `2 callers`.
pub fn callers(number: u64) -> String {
    format!("{number} caller{}", if number == 1 { "" } else { "s" })
}

impl StepHeat {
    /// The lines in its box.
    pub(super) fn words(&self) -> Vec<String> {
        if self.callers == 0 {
            return vec!["no callers".to_owned()];
        }
        let mut words = vec![format!("{} · {}", callers(self.callers), percent(self.share))];
        words.extend(self.median_ms.map(|ms| format!("median {}", length(ms))));
        words
    }

    /// What is said of those who left.
    pub(super) fn leaving(&self) -> Option<String> {
        let share = percent(self.hung_up_share);
        (self.hung_up > 0).then(|| format!("{} hung up here · {share}", self.hung_up))
    }
}

impl WayHeat {
    pub(super) fn title(&self) -> String {
        let times = if self.count == 1 { "once" } else { "times" };
        let count = if self.count == 1 { String::new() } else { format!("{} ", self.count) };
        format!("{} ({}), taken {count}{times}", callers(self.callers), percent(self.share))
    }

    /// For programs and tests.
    pub(super) fn data(&self) -> String {
        format!(
            " data-callers=\"{}\" data-share=\"{}\" data-count=\"{}\"",
            self.callers, self.share, self.count
        )
    }
}

impl Link {
    /// Beside its line.
    pub(super) fn figure(&self) -> Option<String> {
        self.heat.map(|heat| percent(heat.share))
    }
}

impl<'a> Graph<'a> {
    /// Lays figures on it. Callers on ways without a line (to the fallback, by an operator) are
    /// told in the box of the step that they left.
    pub(super) fn heat(&mut self, heat: &'a Heat) {
        let name = |node: usize| self.nodes[node].card.name.clone();
        let of_links: Vec<_> =
            self.links.iter().map(|link| (name(link.from), name(link.to))).collect();
        for (link, ends) in self.links.iter_mut().zip(&of_links) {
            link.heat = Some(heat.ways.get(ends).copied().unwrap_or_default());
        }
        let cards = self.nodes.iter_mut().map(|node| &mut node.card).chain(&mut self.unreached);
        for card in cards {
            let step = heat.steps.get(card.name).cloned().unwrap_or_default();
            let mut undrawn: Vec<_> = heat
                .ways
                .iter()
                .filter(|(ends, _)| ends.0 == *card.name && !of_links.contains(ends))
                .collect();
            undrawn.sort_by_key(|(ends, way)| (std::cmp::Reverse(way.callers), &ends.1));
            let told = undrawn.iter().take(UNDRAWN_MAX);
            let told = told.map(|((_, to), way)| format!("{} → {to}", percent(way.share)));
            card.undrawn = told.collect();
            card.heat = Some(step);
        }
    }
}

/// What the colours mean.
pub(super) fn legend(x: f64, y: f64) -> String {
    const STEP: f64 = 62.0;
    let words = "callers on a way";
    let mut out = format!(
        "<g class=\"heat-legend\" transform=\"translate({} {})\">\
         <text class=\"note\">{words}</text>",
        px(x),
        px(y)
    );
    let mut at = width(words, 12.0) + 12.0;
    for (most, colour) in COLOURS {
        let words = match most {
            0.0 => "none".to_owned(),
            1.0 => "more".to_owned(),
            most => format!("≤ {}", percent(most)),
        };
        out.push_str(&format!(
            "<path d=\"M{} -8H{}\" stroke=\"{colour}\" style=\"stroke-width:{}px\"/>\
             <text x=\"{}\" y=\"9\" class=\"swatch\">{}</text>",
            px(at),
            px(at + STEP - 10.0),
            px(wide(most)),
            px(at + (STEP - 10.0) / 2.0),
            escaped(&words),
        ));
        at += STEP;
    }
    out + "</g>\n"
}
