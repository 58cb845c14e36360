//! What stands above the steps, and the legend below them.

use super::card::Card;
use super::graph::{Graph, Run};
use super::heat::{self, Heat};
use super::page::{MARGIN, Page};
use super::text::{count, cut, escaped, px, width};
use super::words::ends;
use crate::flow::{Flow, Problem};

/// Most problems of the flow as a whole that are written out.
const PROBLEMS_SHOWN: usize = 5;
const LINE: f64 = 18.0;

/// The title and the notes that concern the flow as a whole.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) title: String,
    /// All of it in words, for those who hear the picture.
    pub(super) description: String,
    notes: Vec<String>,
    /// Problems of the flow as a whole, and the class of each.
    alarms: Vec<(String, &'static str)>,
}

impl Head {
    pub(super) fn new(flow: &Flow, name: &str, graph: &Graph<'_>, problems: &[&Problem]) -> Self {
        let title = flow.title.clone().filter(|title| !title.trim().is_empty());
        let steps = match flow.steps.len() {
            1 => "1 step".to_owned(),
            steps => format!("{steps} steps"),
        };
        let mut notes = vec![format!("{name} · {steps}")];
        let failing = graph
            .nodes
            .iter()
            .filter(|node| !node.card.dead.is_empty() && node.card.dead_line().is_none())
            .count();
        match &flow.fallback {
            Some(fallback) => {
                notes.push(format!("A step that fails and has no way for it goes to {fallback}."));
            }
            None if failing > 0 => {
                let steps = if failing == 1 { "1 step that" } else { "steps that" };
                notes.push(format!(
                    "No fallback: the call ends where {steps} have no way for it fail."
                ));
            }
            None => {}
        }
        let class = |problem: &Problem| if problem.is_error() { "error" } else { "warning" };
        let mut alarms: Vec<_> =
            problems.iter().map(|problem| (problem.to_string(), class(problem))).collect();
        if alarms.len() > PROBLEMS_SHOWN {
            let more = alarms.len() - PROBLEMS_SHOWN;
            alarms.truncate(PROBLEMS_SHOWN);
            alarms.push((format!("and {more} more problems of the flow"), "note"));
        }
        let unreached = match graph.unreached.len() {
            0 => String::new(),
            1 => "; no call gets to one of them".to_owned(),
            steps => format!("; no call gets to {steps} of them"),
        };
        let description =
            format!("A call flow of {steps} that starts at {}{unreached}.", flow.start);
        Self { title: title.unwrap_or_else(|| name.to_owned()), description, notes, alarms }
    }

    /// Says what the figures are about.
    pub(super) fn heat(&mut self, heat: &Heat) {
        self.notes.extend(heat.about.iter().cloned());
        self.description = format!("{} {}", self.description, heat.description);
    }

    pub(super) fn height(&self) -> f64 {
        MARGIN + 28.0 + LINE * count(self.notes.len() + self.alarms.len())
    }

    pub(super) fn svg(&self, page_width: f64) -> String {
        let room = page_width - 2.0 * MARGIN;
        let x = px(MARGIN);
        let mut y = MARGIN + 16.0;
        let title = escaped(&cut(&self.title, 21.0, room));
        let mut out = format!("<text x=\"{x}\" y=\"{}\" class=\"title\">{title}</text>\n", px(y));
        y += 5.0;
        let notes = self.notes.iter().map(|note| (note, "note"));
        for (line, class) in notes.chain(self.alarms.iter().map(|(alarm, class)| (alarm, *class))) {
            y += LINE;
            let line = escaped(&cut(line, 12.5, room));
            out.push_str(&format!(
                "<text x=\"{x}\" y=\"{}\" class=\"{class}\">{line}</text>\n",
                px(y)
            ));
        }
        out
    }
}

/// What the signs in this drawing mean, below `top`; and where that ends.
pub(super) fn legend(page: &Page<'_>, top: f64) -> (String, f64) {
    let cards = || page.graph.nodes.iter().map(|node| &node.card).chain(&page.graph.unreached);
    let any = |is: fn(&Card<'_>) -> bool| cards().any(is);
    let told = page.graph.links.iter().any(|link| matches!(link.run, Run::Told { .. }));
    let frame = |attributes: &str| {
        format!("<rect y=\"-10\" width=\"24\" height=\"13\" stroke-width=\"1.5\" {attributes}/>")
    };
    let mut entries = Vec::new();
    let heated = page.graph.links.iter().any(|link| link.heat.is_some());
    if page.has_lines_back() {
        let colour = if heated { "#d97706" } else { "#7c3aed" };
        let line = format!("<path d=\"M0 -4H24\" stroke=\"{colour}\" stroke-dasharray=\"5 4\"/>");
        entries.push((line, "leads back"));
    }
    if told {
        let sign = frame("rx=\"4\" fill=\"#f8fafc\" stroke=\"#94a3b8\"");
        entries.push((sign, "goes on at the step named"));
    }
    if any(|card| card.kind.is_some_and(ends)) {
        entries.push((frame("rx=\"6.5\" fill=\"#fff1f2\" stroke=\"#9f1239\""), "ends here"));
    }
    if any(|card| card.kind.is_none()) {
        let sign = frame("rx=\"2\" fill=\"#fef2f2\" stroke=\"#b91c1c\" stroke-dasharray=\"6 4\"");
        entries.push((sign, "missing step"));
    }
    let mut out = String::new();
    let (mut x, mut y) = (MARGIN, top + 12.0);
    for (sign, words) in &entries {
        let wide = 32.0 + width(words, 12.0) + 24.0;
        if x > MARGIN && x + wide > page.width - MARGIN {
            (x, y) = (MARGIN, y + LINE);
        }
        out.push_str(&format!(
            "<g transform=\"translate({} {})\">{sign}\
             <text x=\"32\" class=\"note\">{words}</text></g>\n",
            px(x),
            px(y)
        ));
        x += wide;
    }
    if heated {
        y += if entries.is_empty() { 0.0 } else { LINE + 8.0 };
        out.push_str(&heat::legend(MARGIN, y));
        return (out, y + LINE);
    }
    (out, if entries.is_empty() { top } else { y })
}
