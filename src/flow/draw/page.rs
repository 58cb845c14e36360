//! Where everything stands on the page, in px.

use super::across::{across, room};
use super::card::BOX_WIDTH;
use super::graph::{Graph, Run};
use super::grid::{Grid, Holds};
use super::lanes::{Lane, Tracks, lanes};
use super::text::count;

pub(super) const MARGIN: f64 = 28.0;
const WIDTH_MIN: f64 = 620.0;
const TRACK: f64 = 9.0;
const LANE: f64 = 14.0;
/// From a track to the box below it; an arrow's head has room here.
const TRACK_TO_BOX: f64 = 18.0;
const GAP_TO_LABEL: f64 = 16.0;
const GAP_TO_STEP: f64 = 28.0;
/// Above the first step: the sign of the start and its arrow.
const GAP_OF_START: f64 = 54.0;
/// Between the ends of two lines at a box.
const PORT: f64 = 22.0;

/// A layout: all cells have their `x`; layers, tracks and the ends of lines have their places.
#[derive(Debug)]
pub(super) struct Page<'a> {
    pub(super) graph: Graph<'a>,
    pub(super) grid: Grid,
    pub(super) lanes: Vec<Lane>,
    tracks: Vec<Tracks>,
    /// Of each layer.
    pub(super) tops: Vec<f64>,
    pub(super) bottoms: Vec<f64>,
    /// Where each link leaves its step and where it comes to its step.
    pub(super) leaves: Vec<f64>,
    pub(super) comes: Vec<f64>,
    /// Where each lane comes to its step.
    pub(super) lane_comes: Vec<f64>,
    pub(super) start_comes: f64,
    left: f64,
    right: f64,
    pub(super) width: f64,
    pub(super) bottom: f64,
}

impl<'a> Page<'a> {
    /// Lays a graph out below `top`.
    pub(super) fn new(graph: Graph<'a>, top: f64) -> Self {
        let mut grid = Grid::new(&graph);
        across(&mut grid);
        let (lanes, tracks) = lanes(&graph, &grid);
        let mut page = Self {
            leaves: vec![0.0; graph.links.len()],
            comes: vec![0.0; graph.links.len()],
            lane_comes: vec![0.0; lanes.len()],
            tops: Vec::new(),
            bottoms: Vec::new(),
            start_comes: 0.0,
            left: 0.0,
            right: 0.0,
            width: 0.0,
            bottom: top,
            graph,
            grid,
            lanes,
            tracks,
        };
        page.center();
        page.ends_of_lines();
        page.plumb();
        page.down(top);
        page
    }

    /// Moves the cells so that they and the lanes beside them fill the page from its left margin.
    fn center(&mut self) {
        let cells = &mut self.grid.cells;
        let left = cells.iter().map(|cell| cell.x - cell.width / 2.0).fold(f64::MAX, f64::min);
        let right = cells.iter().map(|cell| cell.x + cell.width / 2.0).fold(f64::MIN, f64::max);
        let room = |left: bool| {
            let lanes = self.lanes.iter().filter(|lane| lane.left == left);
            lanes.map(|lane| LANE * (count(lane.place) + 1.0) + 8.0).fold(0.0, f64::max)
        };
        let (room_left, room_right) = (room(true), room(false));
        let needed = room_left + (right - left) + room_right + 2.0 * MARGIN;
        self.width = needed.max(WIDTH_MIN);
        self.left = MARGIN + room_left + (self.width - needed) / 2.0;
        self.right = self.left + (right - left);
        for cell in cells {
            cell.x += self.left - left;
        }
    }

    /// The ends of lines at each box, in the order in which the lines come.
    fn ends_of_lines(&mut self) {
        for node in 0..self.graph.nodes.len() {
            let x = self.grid.cells[node].x;
            let mut out: Vec<(f64, usize)> =
                self.grid.down[node].iter().map(|cell| (self.grid.cells[*cell].x, *cell)).collect();
            out.sort_by(|one, other| one.0.total_cmp(&other.0));
            for (at, (_, cell)) in out.iter().enumerate() {
                if let Some(link) = self.grid.link_of(*cell) {
                    self.leaves[link] = port(x, at, out.len());
                }
            }
            let lanes = self.lanes.iter().enumerate().filter(|(_, lane)| lane.to == node);
            let mut into: Vec<(f64, End)> = lanes
                .map(|(at, lane)| (if lane.left { f64::MIN } else { f64::MAX }, End::Lane(at)))
                .collect();
            for &cell in &self.grid.up[node] {
                if let Some(link) = self.grid.link_of(cell) {
                    into.push((self.grid.cells[cell].x, End::Link(link)));
                }
            }
            if node == 0 {
                into.push((x, End::Start));
            }
            into.sort_by(|one, other| one.0.total_cmp(&other.0));
            for (at, (_, end)) in into.iter().enumerate() {
                let x = port(x, at, into.len());
                match end {
                    End::Lane(lane) => self.lane_comes[*lane] = x,
                    End::Link(link) => self.comes[*link] = x,
                    End::Start => self.start_comes = x,
                }
            }
        }
    }

    /// Lets a short bare line come straight down on its end, where there is room for that.
    fn plumb(&mut self) {
        let places = self.grid.places_in_layers();
        for (link, chain) in self.grid.chains.iter().enumerate() {
            let [_, cell, _] = chain[..] else { continue };
            if matches!(&self.grid.cells[cell].holds, Holds::Label(_, lines) if lines.is_empty()) {
                let (left, right) = room(&self.grid, cell, &places);
                if left <= right {
                    self.grid.cells[cell].x = self.comes[link].max(left).min(right);
                }
            }
        }
    }

    fn down(&mut self, top: f64) {
        let mut y = top;
        for layer in 0..self.grid.layers.len() {
            let cells = self.grid.layers[layer].iter();
            let height =
                cells.clone().map(|cell| self.grid.cells[*cell].height).fold(0.0, f64::max);
            let tracks = &self.tracks[layer];
            let lines = tracks.aside.len() + tracks.inward.len();
            let (base, tracks) = match layer {
                0 => (GAP_OF_START + TRACK * count(lines), 0.0),
                odd if odd % 2 == 1 => (GAP_TO_LABEL, 0.0),
                _ => (GAP_TO_STEP, TRACK * count(lines) + if lines > 0 { 8.0 } else { 0.0 }),
            };
            // Where lines go far aside, a lower gap would make them flat and hard to follow.
            let slope = (self.farthest(layer) * 0.06).min(40.0);
            let empty = self.grid.layers[layer].is_empty();
            y += if empty { 0.0 } else { (base + slope).max(TRACK_TO_BOX + tracks) };
            self.tops.push(y);
            y += height;
            self.bottoms.push(y);
        }
        let last = self.tracks.last().map_or(0, |tracks| tracks.aside.len());
        self.bottom = y + if last > 0 { TRACK * count(last) + 8.0 } else { 0.0 };
    }

    /// How far aside a line goes above a layer.
    fn farthest(&self, layer: usize) -> f64 {
        let across = |cell: &usize| {
            let x = self.grid.cells[*cell].x;
            let ups = self.grid.up[*cell].iter();
            ups.map(|up| (self.grid.cells[*up].x - x).abs()).fold(0.0, f64::max)
        };
        self.grid.layers[layer].iter().map(across).fold(0.0, f64::max)
    }

    pub(super) fn lane_x(&self, lane: &Lane) -> f64 {
        let out = LANE * (count(lane.place) + 1.0);
        if lane.left { self.left - out } else { self.right + out }
    }

    /// Where a lane's lines turn aside above a layer.
    pub(super) fn aside_y(&self, lane: usize, layer: usize) -> f64 {
        let top = layer.checked_sub(1).map_or(self.tops[0], |above| self.bottoms[above]);
        let at = self.tracks[layer].aside.iter().position(|one| *one == lane);
        top + 8.0 + TRACK * count(at.unwrap_or_default())
    }

    /// Where a lane turns in to its step.
    pub(super) fn inward_y(&self, lane: usize) -> f64 {
        let layer = self.lanes[lane].first_layer(&self.graph);
        let inward = &self.tracks[layer].inward;
        let at = inward.iter().position(|one| *one == lane).unwrap_or_default();
        self.tops[layer] - TRACK_TO_BOX - TRACK * count(inward.len() - 1 - at)
    }

    /// The top of the sign above the first step.
    pub(super) fn sign_y(&self) -> f64 {
        self.tops[0] - GAP_OF_START - TRACK * count(self.tracks[0].inward.len()) + 8.0
    }

    /// The top of a step's box.
    pub(super) fn box_top(&self, node: usize) -> f64 {
        self.tops[self.graph.nodes[node].rank * 2]
    }

    /// Left, top, right and bottom of all boxes and labels.
    #[cfg(test)]
    pub(super) fn boxes(&self) -> Vec<[f64; 4]> {
        let with_text = self.grid.cells.iter().filter(|cell| cell.height > 0.0);
        with_text
            .map(|cell| {
                let (half, top) = (cell.width / 2.0, self.tops[cell.layer]);
                [cell.x - half, top, cell.x + half, top + cell.height]
            })
            .collect()
    }

    pub(super) fn has_lines_back(&self) -> bool {
        self.graph.links.iter().any(|link| link.run == Run::Back)
    }
}

enum End {
    Lane(usize),
    Link(usize),
    Start,
}

/// The place of one of several line ends at a box.
fn port(x: f64, at: usize, ends: usize) -> f64 {
    let between = count(ends.saturating_sub(1));
    let step = if ends > 1 { PORT.min((BOX_WIDTH - 40.0) / between) } else { 0.0 };
    x + (count(at) - between / 2.0) * step
}
