//! A flow as a picture that a person can read, in SVG: steps in layers from the start down, what
//! leads where, lines that lead back at the side, dead ends and problems marked.
//!
//! The layout is Sugiyama's: break circles, rank by the longest path, bend long lines at each
//! layer, sort layers by their neighbours' middle, then move cells to where their lines are
//! straight. It is the same for the same flow, whatever the machine.

mod across;
mod boxes;
mod card;
mod graph;
mod grid;
mod head;
pub mod heat;
mod lanes;
mod lines;
mod looks;
mod page;
mod text;
mod words;

use std::collections::BTreeMap;

use super::{Flow, Problem};
use graph::Graph;
use head::Head;
use heat::Heat;
use page::{MARGIN, Page};
use text::{escaped, px};

const STYLE: &str = "\
    .flow-drawing text{font-family:'DejaVu Sans',Verdana,'Segoe UI',Helvetica,Arial,sans-serif}\
    .flow-drawing path{fill:none;stroke-width:1.4;stroke-linejoin:round}\
    .flow-drawing .title{font-size:19px;font-weight:bold;fill:#0f172a}\
    .flow-drawing .note{font-size:12px;fill:#334155}\
    .flow-drawing .error,.flow-drawing .dead{font-size:12px;fill:#b91c1c;font-weight:bold}\
    .flow-drawing .warning{font-size:12px;fill:#92400e;font-weight:bold}\
    .flow-drawing .kind{font-size:11px;font-weight:bold}\
    .flow-drawing .name{font-size:14px;font-weight:bold;fill:#0f172a}\
    .flow-drawing .line,.flow-drawing .dead{font-size:11px}\
    .flow-drawing .line{fill:#334155}\
    .flow-drawing .tag{font-size:10px;text-anchor:end}\
    .flow-drawing .label,.flow-drawing .badge,.flow-drawing .sign{text-anchor:middle}\
    .flow-drawing .label,.flow-drawing .badge,.flow-drawing .sign{font-size:11px}\
    .flow-drawing .badge,.flow-drawing .sign{font-weight:bold}\
    .flow-drawing .sign{fill:#ffffff}";

/// Draws a flow. `name` is the flow's own; problems are marked at the steps that they are about.
pub fn svg(flow: &Flow, name: &str, problems: &[Problem]) -> String {
    drawn(flow, name, problems, None)
}

/// Draws a flow with the figures of its callers.
pub fn heated(flow: &Flow, name: &str, heat: &Heat) -> String {
    drawn(flow, name, &[], Some(heat))
}

fn drawn(flow: &Flow, name: &str, problems: &[Problem], heat: Option<&Heat>) -> String {
    let mut graph = Graph::new(flow);
    let (of_steps, of_flow) = sorted(flow, problems);
    let mut head = Head::new(flow, name, &graph, &of_flow);
    if let Some(heat) = heat {
        graph.heat(heat);
        head.heat(heat);
    }
    let style = if heat.is_some() { heat::STYLE } else { "" };
    let page = Page::new(graph, head.height());
    let mut body = lines::lines(&page);
    for (at, node) in page.graph.nodes.iter().enumerate() {
        let x = page.grid.cells[at].x - card::BOX_WIDTH / 2.0;
        let problems = of_steps.get(node.card.name.as_str()).map_or(&[][..], Vec::as_slice);
        body.push_str(&boxes::step(&node.card, problems, x, page.box_top(at)));
    }
    let (unreached, bottom) = unreached(&page, &of_steps);
    body.push_str(&unreached);
    let (legend, bottom) = head::legend(&page, bottom + MARGIN);
    let (width, height) = (px(page.width), px(bottom + MARGIN));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"flow-drawing\" role=\"img\" \
         width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <title>{title}</title>\n<desc>{desc}</desc>\n<style>{STYLE}{style}</style>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{head}{body}{legend}</svg>\n",
        title = escaped(&head.title),
        desc = escaped(&head.description),
        head = head.svg(page.width),
    )
}

type Sorted<'a> = (BTreeMap<&'a str, Vec<&'a Problem>>, Vec<&'a Problem>);

/// Problems by the step that they are about, and those of the flow as a whole.
fn sorted<'a>(flow: &Flow, problems: &'a [Problem]) -> Sorted<'a> {
    let mut of_steps: BTreeMap<&str, Vec<&Problem>> = BTreeMap::new();
    let mut of_flow = Vec::new();
    for problem in problems {
        let step = problem.path.strip_prefix("steps.").and_then(|rest| rest.split('.').next());
        match step.filter(|step| flow.steps.contains_key(*step)) {
            Some(step) => of_steps.entry(step).or_default().push(problem),
            None => of_flow.push(problem),
        }
    }
    (of_steps, of_flow)
}

/// The steps that no call gets to, in rows below the others, and where they end.
fn unreached(page: &Page<'_>, problems: &BTreeMap<&str, Vec<&Problem>>) -> (String, f64) {
    let cards = &page.graph.unreached;
    if cards.is_empty() {
        return (String::new(), page.bottom);
    }
    let top = page.bottom + 2.0 * MARGIN;
    let heights: Vec<f64> = cards.iter().map(card::Card::height).collect();
    let (places, height) = boxes::rows(&heights, page.width - 2.0 * MARGIN);
    let mut out = format!(
        "<path d=\"M{} {}H{}\" stroke=\"#cbd5e1\"/>\
         <text x=\"{}\" y=\"{}\" class=\"note\">No call gets to these steps:</text>\n",
        px(MARGIN),
        px(top - 22.0),
        px(page.width - MARGIN),
        px(MARGIN),
        px(top - 2.0)
    );
    for (card, (x, y)) in cards.iter().zip(places) {
        let problems = problems.get(card.name.as_str()).map_or(&[][..], Vec::as_slice);
        out.push_str(&boxes::step(card, problems, MARGIN + x, top + 16.0 + y));
    }
    (out, top + 16.0 + height)
}

#[cfg(test)]
mod tests;
