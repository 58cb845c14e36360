//! The layers of a drawing: steps on even ones, what stands beside their lines on odd ones, bends
//! where a line passes a layer. Their order in each layer is chosen so that few lines cross.

use super::card::BOX_WIDTH;
use super::graph::{Graph, Run};
use super::text::{self, count};

/// Widest text beside a line, in px.
const LABEL_ROOM: f64 = 170.0;
const LABEL_LINES: usize = 3;
pub(super) const LABEL_SIZE: f64 = 11.0;
pub(super) const LABEL_LINE: f64 = 14.0;
const BEND_WIDTH: f64 = 8.0;

/// So many cells are put in order all in all, over all sweeps.
const ORDER_EFFORT: usize = 200_000;

/// What takes room in a layer.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) holds: Holds,
    pub(super) layer: usize,
    pub(super) width: f64,
    pub(super) height: f64,
    /// The middle, in px.
    pub(super) x: f64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Holds {
    /// A node of the graph, by its place.
    Step(usize),
    /// The first cell of a link below its step: the lines of its label, none for a bare line.
    Label(usize, Vec<String>),
    /// A bend of a link's line.
    Bend(usize),
    /// The ways of a step that are not drawn: the node and how many.
    More(usize, usize),
}

/// Cells in layers, and which stand below which on a line.
#[derive(Debug)]
pub(super) struct Grid {
    pub(super) cells: Vec<Cell>,
    pub(super) layers: Vec<Vec<usize>>,
    pub(super) up: Vec<Vec<usize>>,
    pub(super) down: Vec<Vec<usize>>,
    /// For each link its cells from the step it leaves; the last is the step it leads to, for lines
    /// down.
    pub(super) chains: Vec<Vec<usize>>,
}

impl Grid {
    /// The cell of a node is the one of the same place.
    pub(super) fn new(graph: &Graph<'_>) -> Self {
        let layers = graph.nodes.iter().map(|node| node.rank).max().unwrap_or_default() * 2 + 2;
        let mut grid = Self {
            cells: Vec::new(),
            layers: vec![Vec::new(); layers],
            up: Vec::new(),
            down: Vec::new(),
            chains: Vec::new(),
        };
        for (at, node) in graph.nodes.iter().enumerate() {
            grid.add(Holds::Step(at), node.rank * 2, BOX_WIDTH, node.card.height());
        }
        for (at, link) in graph.links.iter().enumerate() {
            let mut chain = vec![link.from];
            let layer = graph.nodes[link.from].rank * 2 + 1;
            let label = label(graph, at);
            let widths = label.iter().map(|line| text::width(line, LABEL_SIZE) + 10.0);
            let width = widths.fold(BEND_WIDTH, f64::max);
            let height = LABEL_LINE * count(label.len());
            chain.push(grid.add(Holds::Label(at, label), layer, width, height));
            if link.run == Run::Down {
                for layer in layer + 1..graph.nodes[link.to].rank * 2 {
                    chain.push(grid.add(Holds::Bend(at), layer, BEND_WIDTH, 0.0));
                }
                chain.push(link.to);
            }
            grid.join(&chain);
            grid.chains.push(chain);
        }
        for (at, more) in graph.more.iter().enumerate().filter(|(_, more)| **more > 0) {
            let layer = graph.nodes[at].rank * 2 + 1;
            let cell = grid.add(Holds::More(at, *more), layer, 90.0, LABEL_LINE);
            grid.join(&[at, cell]);
        }
        grid.order();
        grid
    }

    fn add(&mut self, holds: Holds, layer: usize, width: f64, height: f64) -> usize {
        self.cells.push(Cell { holds, layer, width, height, x: 0.0 });
        self.up.push(Vec::new());
        self.down.push(Vec::new());
        self.layers[layer].push(self.cells.len() - 1);
        self.cells.len() - 1
    }

    /// The link that a cell belongs to.
    pub(super) fn link_of(&self, cell: usize) -> Option<usize> {
        match self.cells[cell].holds {
            Holds::Label(link, _) | Holds::Bend(link) => Some(link),
            Holds::Step(_) | Holds::More(..) => None,
        }
    }

    fn join(&mut self, chain: &[usize]) {
        for pair in chain.windows(2) {
            self.down[pair[0]].push(pair[1]);
            self.up[pair[1]].push(pair[0]);
        }
    }

    /// Sweeps down and up, each layer by the middle of its neighbours, and keeps the best order
    /// seen.
    fn order(&mut self) {
        let sweeps = (ORDER_EFFORT / self.cells.len().max(1)).clamp(2, 24);
        let mut best = (self.crossings(), self.layers.clone());
        let mut places = self.places();
        for sweep in 0..sweeps {
            if best.0 == 0 {
                break;
            }
            let down = sweep % 2 == 0;
            let count = self.layers.len();
            for step in 1..count {
                self.sort(if down { step } else { count - 1 - step }, down, &mut places);
            }
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.layers.clone());
            }
        }
        self.layers = best.1;
    }

    fn sort(&mut self, layer: usize, by_up: bool, places: &mut [f64]) {
        let neighbours = if by_up { &self.up } else { &self.down };
        let mut keyed: Vec<(f64, usize)> = Vec::with_capacity(self.layers[layer].len());
        for &cell in &self.layers[layer] {
            let next = &neighbours[cell];
            let sum: f64 = next.iter().map(|next| places[*next]).sum();
            let key = if next.is_empty() { places[cell] } else { sum / count(next.len()) };
            keyed.push((key, cell));
        }
        keyed.sort_by(|one, other| one.0.total_cmp(&other.0));
        self.layers[layer] = keyed.into_iter().map(|(_, cell)| cell).collect();
        stand(&self.layers[layer], places);
    }

    /// Where each cell stands in its layer, from 0 to 1, so that layers of any length compare.
    fn places(&self) -> Vec<f64> {
        let mut places = vec![0.0; self.cells.len()];
        for layer in &self.layers {
            stand(layer, &mut places);
        }
        places
    }

    /// The place of each cell in its layer.
    pub(super) fn places_in_layers(&self) -> Vec<usize> {
        let mut places = vec![0; self.cells.len()];
        for layer in &self.layers {
            for (at, cell) in layer.iter().enumerate() {
                places[*cell] = at;
            }
        }
        places
    }

    /// How many pairs of lines cross, between all layers.
    pub(super) fn crossings(&self) -> usize {
        let place = self.places_in_layers();
        let mut crossings = 0;
        for (at, layer) in self.layers.iter().enumerate().skip(1) {
            let above = &self.layers[at - 1];
            let mut ends = Vec::new();
            for &cell in above {
                let mut next: Vec<usize> =
                    self.down[cell].iter().map(|cell| place[*cell]).collect();
                next.sort_unstable();
                ends.extend(next);
            }
            crossings += inversions(&ends, layer.len());
        }
        crossings
    }
}

fn stand(layer: &[usize], places: &mut [f64]) {
    for (at, cell) in layer.iter().enumerate() {
        places[*cell] = (count(at) + 0.5) / count(layer.len());
    }
}

/// Pairs that stand in falling order, counted with a Fenwick tree.
fn inversions(ends: &[usize], size: usize) -> usize {
    let mut tree = vec![0_usize; size + 1];
    let mut inversions = 0;
    for (seen, end) in ends.iter().enumerate() {
        let mut at = end + 1;
        let mut not_above = 0;
        while at > 0 {
            not_above += tree[at];
            at &= at - 1;
        }
        inversions += seen - not_above;
        at = end + 1;
        while at <= size {
            tree[at] += 1;
            at += at & at.wrapping_neg();
        }
    }
    inversions
}

fn label(graph: &Graph<'_>, at: usize) -> Vec<String> {
    let link = &graph.links[at];
    let words: Vec<String> = link.labels.iter().filter(|word| !word.is_empty()).cloned().collect();
    let words = if words.len() < link.labels.len() && !words.is_empty() {
        // `next` has no label of its own; beside others it needs one.
        std::iter::once("next".to_owned()).chain(words).collect()
    } else {
        words
    };
    let name = graph.nodes[link.to].card.name.as_str();
    let mut lines = match link.run {
        Run::Told { back } => {
            let mut lines = text::wrap(&words, LABEL_SIZE, LABEL_ROOM, LABEL_LINES - 1);
            let arrow = if back { "↑" } else { "→" };
            lines.push(text::cut(&format!("{arrow} {name}"), LABEL_SIZE, LABEL_ROOM));
            lines
        }
        Run::Down | Run::Back => text::wrap(&words, LABEL_SIZE, LABEL_ROOM, LABEL_LINES),
    };
    lines.extend(link.figure());
    lines
}
