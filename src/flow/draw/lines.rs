//! The lines of a drawing and what stands beside them.

use super::graph::Run;
use super::grid::{Holds, LABEL_LINE, LABEL_SIZE};
use super::heat::{self, WayHeat};
use super::looks::BACK;
use super::page::Page;
use super::text::{count, escaped, px};

const DOWN: &str = "#475569";
/// Radius of a corner.
const CORNER: f64 = 6.0;

/// Everything between the boxes; the boxes are painted over it.
pub(super) fn lines(page: &Page<'_>) -> String {
    let mut out = String::new();
    for at in 0..page.graph.links.len() {
        out.push_str(&link(page, at));
    }
    for at in 0..page.lanes.len() {
        out.push_str(&lane(page, at));
    }
    out.push_str(&start(page));
    for cell in 0..page.grid.cells.len() {
        out.push_str(&label(page, cell));
    }
    out
}

/// Of a line: by how many took it, where that is drawn.
fn colour(page: &Page<'_>, link: usize) -> &'static str {
    if let Some(way) = page.graph.links[link].heat {
        return heat::colour(way.share);
    }
    let lane = page.lanes.iter().find(|lane| lane.to == page.graph.links[link].to);
    match (page.graph.links[link].run, lane) {
        (Run::Back, Some(lane)) => BACK[lane.colour % BACK.len()],
        _ => DOWN,
    }
}

/// A link's line: all of it where it leads down, its first part where it leads back or is told.
fn link(page: &Page<'_>, at: usize) -> String {
    let link = &page.graph.links[at];
    let chain = &page.grid.chains[at];
    let rank = page.graph.nodes[link.from].rank * 2;
    let mut x = page.leaves[at];
    let mut y = page.tops[rank] + page.grid.cells[link.from].height;
    let mut path = format!("M{} {}V{}", px(x), px(y), px(page.bottoms[rank]));
    y = page.bottoms[rank];
    let down = link.run == Run::Down;
    for &cell in &chain[1..] {
        let cell_at = &page.grid.cells[cell];
        let last = down && cell == link.to;
        let (to, top) = (if last { page.comes[at] } else { cell_at.x }, page.tops[cell_at.layer]);
        path.push_str(&curve((x, y), (to, top)));
        (x, y) = (to, top);
        if !last && (down || link.run == Run::Back) {
            y = page.bottoms[cell_at.layer];
            path.push_str(&format!("V{}", px(y)));
        }
    }
    let colour = colour(page, at);
    let dashes = if down { "" } else { " stroke-dasharray=\"5 4\"" };
    let (wide, half, data) = weight(link.heat);
    let names = [link.from, link.to].map(|node| page.graph.nodes[node].card.name.as_str());
    let labels: Vec<_> = link.labels.iter().filter(|label| !label.is_empty()).cloned().collect();
    let by = if labels.is_empty() { String::new() } else { format!(": {}", labels.join(", ")) };
    let taken = link.heat.map(|way| format!(" — {}", way.title())).unwrap_or_default();
    let title = escaped(&format!("{} → {}{by}{taken}", names[0], names[1]));
    let head = if down { arrow_head(x, y, half, colour) } else { String::new() };
    format!(
        "<g{data}><title>{title}</title>\
         <path d=\"{path}\" stroke=\"{colour}\"{wide}{dashes}/>{head}</g>\n"
    )
}

/// How wide a line is as an attribute, half of that in px where its end must not be hidden, and its
/// figures.
fn weight(way: Option<WayHeat>) -> (String, f64, String) {
    let Some(way) = way else { return Default::default() };
    let wide = heat::wide(way.share);
    (format!(" style=\"stroke-width:{}px\"", px(wide)), wide / 2.0, way.data())
}

/// From a point straight down, over, and straight down into another.
fn curve(from: (f64, f64), to: (f64, f64)) -> String {
    if (from.0 - to.0).abs() < 0.5 {
        return format!("L{} {}", px(to.0), px(to.1));
    }
    let middle = px(f64::midpoint(from.1, to.1));
    format!("C{} {middle} {} {middle} {} {}", px(from.0), px(to.0), px(to.0), px(to.1))
}

fn arrow_head(x: f64, y: f64, half: f64, colour: &str) -> String {
    let (left, right, top) = (px(x - 4.5 - half), px(x + 4.5 + half), px(y - 9.0));
    let (x, y) = (px(x), px(y));
    format!("<polygon points=\"{left},{top} {x},{y} {right},{top}\" fill=\"{colour}\"/>")
}

/// The shared part of the lines that lead back to a step.
fn lane(page: &Page<'_>, at: usize) -> String {
    let lane = &page.lanes[at];
    let way = back(page, at);
    let colour = way.map_or(BACK[lane.colour % BACK.len()], |way| heat::colour(way.share));
    let (wide, half, data) = weight(way);
    let aside = page.lane_x(lane);
    let mut paths = Vec::new();
    let mut layers: Vec<_> = lane.links.iter().map(|(_, layer)| *layer).collect();
    layers.sort_unstable_by(|one, other| other.cmp(one));
    layers.dedup();
    for (step, layer) in layers.into_iter().enumerate() {
        let y = page.aside_y(at, layer);
        let of_layer = lane.links.iter().filter(|(_, this)| *this == layer);
        let mut xs: Vec<f64> =
            of_layer.map(|(link, _)| page.grid.cells[page.grid.chains[*link][1]].x).collect();
        xs.sort_by(|one, other| (one - aside).abs().total_cmp(&(other - aside).abs()));
        let top = page.bottoms[layer - 1];
        let Some(far) = xs.pop() else { continue };
        let mut points = vec![(far, top), (far, y), (aside, y)];
        if step == 0 {
            // The lowest one is drawn all the way; the others run into it.
            let (inward, comes) = (page.inward_y(at), page.lane_comes[at]);
            points.extend([(aside, inward), (comes, inward), (comes, page.box_top(lane.to) - 4.0)]);
        }
        paths.push(rounded(&points));
        paths.extend(xs.iter().map(|x| rounded(&[(*x, top), (*x, y)])));
    }
    let head = arrow_head(page.lane_comes[at], page.box_top(lane.to), half, colour);
    let title = format!("back to {}", page.graph.nodes[lane.to].card.name);
    let data = data.replace(" data-", " data-lane-");
    format!(
        "<g{data}><title>{}</title>\
         <path d=\"{}\" stroke=\"{colour}\"{wide} stroke-dasharray=\"5 4\"/>{head}</g>\n",
        escaped(&title),
        paths.concat()
    )
}

/// Those who went back on a lane; who came by two of its lines counts twice.
fn back(page: &Page<'_>, at: usize) -> Option<WayHeat> {
    let ways = page.lanes[at].links.iter().map(|(link, _)| page.graph.links[*link].heat);
    ways.reduce(|sum, way| {
        let (sum, way) = (sum?, way?);
        Some(WayHeat {
            callers: sum.callers + way.callers,
            share: (sum.share + way.share).min(1.0),
            count: sum.count + way.count,
        })
    })?
}

/// A line along points that stand below or beside one another, with round corners.
fn rounded(points: &[(f64, f64)]) -> String {
    let Some(first) = points.first() else { return String::new() };
    let mut path = format!("M{} {}", px(first.0), px(first.1));
    for corner in points.windows(3) {
        let [before, at, after] = [corner[0], corner[1], corner[2]];
        let (from, to) = (towards(at, before), towards(at, after));
        let [x, y] = [px(at.0), px(at.1)];
        path.push_str(&format!("L{} {}Q{x} {y} {} {}", px(from.0), px(from.1), px(to.0), px(to.1)));
    }
    if let [.., last] = points {
        path.push_str(&format!("L{} {}", px(last.0), px(last.1)));
    }
    path
}

/// A corner's radius from a point to another, at most half of the way.
fn towards(from: (f64, f64), to: (f64, f64)) -> (f64, f64) {
    let (across, down) = (to.0 - from.0, to.1 - from.1);
    let length = across.hypot(down);
    let part = if length > 0.0 { (CORNER / length).min(0.5) } else { 0.0 };
    (from.0 + across * part, from.1 + down * part)
}

/// The sign above the first step.
fn start(page: &Page<'_>) -> String {
    let (x, y) = (page.start_comes, page.box_top(0));
    let sign = page.sign_y();
    format!(
        "<g><title>the call begins here</title>\
         <path d=\"M{x} {from}V{to}\" stroke=\"#0f172a\" stroke-width=\"2\"/>{head}\
         <rect x=\"{left}\" y=\"{top}\" width=\"56\" height=\"20\" rx=\"10\" fill=\"#0f172a\"/>\
         <text x=\"{x}\" y=\"{base}\" class=\"sign\">start</text></g>\n",
        x = px(x),
        from = px(sign + 20.0),
        to = px(y - 6.0),
        head = arrow_head(x, y, 0.0, "#0f172a"),
        left = px(x - 28.0),
        top = px(sign),
        base = px(sign + 14.0),
    )
}

fn label(page: &Page<'_>, at: usize) -> String {
    let cell = &page.grid.cells[at];
    let more;
    let (lines, link) = match &cell.holds {
        Holds::Label(link, lines) if !lines.is_empty() => (lines, Some(*link)),
        Holds::More(_, ways) => {
            more = vec![format!("+{ways} more ways")];
            (&more, None)
        }
        _ => return String::new(),
    };
    let (top, left) = (page.tops[cell.layer], cell.x - cell.width / 2.0);
    let told = link.filter(|link| matches!(page.graph.links[*link].run, Run::Told { .. }));
    let (stroke, fill) = match (told, link) {
        (Some(_), _) | (None, None) => ("#94a3b8", "#f8fafc"),
        _ => ("none", "#ffffff"),
    };
    let mut out = format!(
        "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"4\" fill=\"{fill}\" \
         stroke=\"{stroke}\"/>",
        px(left),
        px(top),
        px(cell.width),
        px(cell.height)
    );
    let colour = match link.map(|link| page.graph.links[link].heat) {
        Some(Some(way)) if way.callers == 0 => heat::PALE,
        Some(Some(_)) => heat::INK,
        _ => link.map_or(DOWN, |link| colour(page, link)),
    };
    for (line, words) in lines.iter().enumerate() {
        let base = top + LABEL_LINE * count(line) + LABEL_SIZE;
        out.push_str(&format!(
            "<text x=\"{}\" y=\"{}\" class=\"label\" fill=\"{colour}\">{}</text>",
            px(cell.x),
            px(base),
            escaped(words)
        ));
    }
    match told {
        Some(link) => {
            let name = page.graph.nodes[page.graph.links[link].to].card.name;
            format!("<a href=\"#step-{name}\">{out}</a>\n")
        }
        None => out + "\n",
    }
}
