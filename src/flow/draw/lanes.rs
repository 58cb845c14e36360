//! Lines that lead back up. All that lead to one step on one side share a lane beside the drawing,
//! so that they can be followed; between the layers each runs on a track of its own.

use std::collections::BTreeMap;

use super::graph::{Graph, Run};
use super::grid::Grid;

/// The lines that lead back to one step on one side.
#[derive(Debug)]
pub(super) struct Lane {
    /// The node that it leads to.
    pub(super) to: usize,
    pub(super) left: bool,
    /// The links in it, with the layer above which each turns aside.
    pub(super) links: Vec<(usize, usize)>,
    /// Counted from the drawing outwards.
    pub(super) place: usize,
    /// Which of [`super::looks::BACK`].
    pub(super) colour: usize,
}

impl Lane {
    /// The layer above which it turns in to its step.
    pub(super) fn first_layer(&self, graph: &Graph<'_>) -> usize {
        graph.nodes[self.to].rank * 2
    }

    pub(super) fn last_layer(&self) -> usize {
        self.links.iter().map(|(_, layer)| *layer).max().unwrap_or_default()
    }
}

/// The tracks above each layer, as lanes: those that turn aside into their lane, then those that
/// turn in from it.
#[derive(Debug, Default, Clone)]
pub(super) struct Tracks {
    pub(super) aside: Vec<usize>,
    pub(super) inward: Vec<usize>,
}

/// All lanes, and the tracks above each layer and below the last.
pub(super) fn lanes(graph: &Graph<'_>, grid: &Grid) -> (Vec<Lane>, Vec<Tracks>) {
    let middle = middle(grid);
    let mut by_step: BTreeMap<(usize, bool), Vec<(usize, usize)>> = BTreeMap::new();
    for (at, link) in graph.links.iter().enumerate().filter(|(_, link)| link.run == Run::Back) {
        let label = &grid.cells[grid.chains[at][1]];
        let left = label.x < middle;
        by_step.entry((link.to, left)).or_default().push((at, label.layer + 1));
    }
    let mut colours: Vec<usize> = by_step.keys().map(|(to, _)| *to).collect();
    colours.dedup();
    let mut lanes: Vec<Lane> = by_step
        .into_iter()
        .map(|((to, left), links)| {
            let colour = colours.iter().position(|one| *one == to).unwrap_or_default();
            Lane { to, left, links, place: 0, colour }
        })
        .collect();
    // Short ones inside, so that they cross few others.
    lanes.sort_by_key(|lane| (lane.last_layer() - lane.first_layer(graph), lane.to, lane.left));
    for at in 0..lanes.len() {
        let beside = |other: &Lane| {
            other.left == lanes[at].left
                && other.first_layer(graph) <= lanes[at].last_layer()
                && lanes[at].first_layer(graph) <= other.last_layer()
        };
        let taken: Vec<usize> =
            lanes[..at].iter().filter(|other| beside(other)).map(|other| other.place).collect();
        lanes[at].place = (0..).find(|place| !taken.contains(place)).unwrap_or_default();
    }
    let mut tracks = vec![Tracks::default(); grid.layers.len() + 1];
    for (at, lane) in lanes.iter().enumerate() {
        tracks[lane.first_layer(graph)].inward.push(at);
        let mut layers: Vec<_> = lane.links.iter().map(|(_, layer)| *layer).collect();
        layers.sort_unstable();
        layers.dedup();
        for layer in layers {
            tracks[layer].aside.push(at);
        }
    }
    (lanes, tracks)
}

fn middle(grid: &Grid) -> f64 {
    let left = grid.cells.iter().map(|cell| cell.x).fold(f64::MAX, f64::min);
    let right = grid.cells.iter().map(|cell| cell.x).fold(f64::MIN, f64::max);
    f64::midpoint(left, right)
}
