//! Where cells stand from left to right: near the middle of those they are joined to, never on one
//! another.

use super::grid::{Cell, Grid, Holds};
use super::text::count;

const STEP_SPACE: f64 = 34.0;
const LABEL_SPACE: f64 = 14.0;

/// Sweeps over all layers; the first ones go by one side, the last ones by both.
const SWEEPS: usize = 24;
const SWEEPS_BOTH: usize = 8;

/// Rounds over all lines after that; a line that moves may make room for another.
const STRAIGHTENINGS: usize = 3;

/// Gives every cell its `x`. The order in each layer stays.
pub(super) fn across(grid: &mut Grid) {
    for layer in 0..grid.layers.len() {
        let wanted = vec![(0.0, 1.0); grid.layers[layer].len()];
        settle(grid, layer, &wanted);
    }
    let layers = grid.layers.len();
    for sweep in 0..SWEEPS {
        let down = sweep % 2 == 0;
        let both = sweep + SWEEPS_BOTH >= SWEEPS;
        for step in 0..layers {
            let layer = if down { step } else { layers - 1 - step };
            let wanted: Vec<_> = grid.layers[layer]
                .iter()
                .map(|cell| wanted(grid, *cell, down || both, !down || both))
                .collect();
            settle(grid, layer, &wanted);
        }
    }
    let places = grid.places_in_layers();
    for _ in 0..STRAIGHTENINGS {
        for link in 0..grid.chains.len() {
            straighten(grid, link, &places);
        }
    }
}

/// Puts the bends of a line below one another, as many at a time as their neighbours have room for.
fn straighten(grid: &mut Grid, link: usize, places: &[usize]) {
    let bare: Vec<usize> =
        grid.chains[link].iter().copied().filter(|cell| bends(&grid.cells[*cell])).collect();
    let mut rest = &bare[..];
    while !rest.is_empty() {
        let (mut least, mut most) = (f64::MIN, f64::MAX);
        let mut run = 0;
        while let Some(&cell) = rest.get(run) {
            let (left, right) = room(grid, cell, places);
            if least.max(left) > most.min(right) {
                break;
            }
            (least, most) = (least.max(left), most.min(right));
            run += 1;
        }
        let (now, later) = rest.split_at(run.max(1));
        let sum: f64 = now.iter().map(|cell| grid.cells[*cell].x).sum();
        if least <= most && run > 0 {
            for &cell in now {
                grid.cells[cell].x = (sum / count(now.len())).max(least).min(most);
            }
        }
        rest = later;
    }
}

/// From where to where a cell can be moved while its neighbours stay.
pub(super) fn room(grid: &Grid, cell: usize, places: &[usize]) -> (f64, f64) {
    let (this, place) = (&grid.cells[cell], places[cell]);
    let layer = &grid.layers[this.layer];
    let neighbour = |place: usize| layer.get(place).map(|cell| &grid.cells[*cell]);
    let left = place.checked_sub(1).and_then(neighbour);
    let right = neighbour(place + 1);
    (
        left.map_or(f64::MIN, |left| left.x + distance(left, this)),
        right.map_or(f64::MAX, |right| right.x - distance(this, right)),
    )
}

/// Whether a cell is but a place that a line goes through.
fn bends(cell: &Cell) -> bool {
    match &cell.holds {
        Holds::Bend(_) => true,
        Holds::Label(_, lines) => lines.is_empty(),
        Holds::Step(_) | Holds::More(..) => false,
    }
}

/// The middle of a cell's neighbours, and how much it matters that the cell stands there.
fn wanted(grid: &Grid, cell: usize, by_up: bool, by_down: bool) -> (f64, f64) {
    let up = grid.up[cell].iter().filter(|_| by_up);
    let down = grid.down[cell].iter().filter(|_| by_down);
    let (mut sum, mut weights) = (0.0, 0.0);
    for &next in up.chain(down) {
        let weight = weight(&grid.cells[cell], &grid.cells[next]);
        sum += grid.cells[next].x * weight;
        weights += weight;
    }
    if weights > 0.0 { (sum / weights, weights) } else { (grid.cells[cell].x, 0.1) }
}

/// Long lines are to be straight before anything else.
fn weight(one: &Cell, other: &Cell) -> f64 {
    match (bends(one), bends(other)) {
        (true, true) => 8.0,
        (false, false) => 1.0,
        _ => 2.0,
    }
}

/// Puts the cells of a layer as near to where they want to be as their widths let them (least
/// squares: pool adjacent violators).
fn settle(grid: &mut Grid, layer: usize, wanted: &[(f64, f64)]) {
    let cells = &grid.layers[layer];
    let mut offset = 0.0;
    let mut offsets = Vec::with_capacity(cells.len());
    // Each block: the place its cells share once their offsets are taken away, its weight, its
    // cells.
    let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
    for (at, &cell) in cells.iter().enumerate() {
        if at > 0 {
            offset += distance(&grid.cells[cells[at - 1]], &grid.cells[cell]);
        }
        offsets.push(offset);
        let (x, weight) = wanted[at];
        let mut block = (x - offset, weight, 1);
        while let Some(last) = blocks.pop_if(|last| last.0 > block.0) {
            let weight = last.1 + block.1;
            let place = (last.0 * last.1 + block.0 * block.1) / weight;
            block = (place, weight, last.2 + block.2);
        }
        blocks.push(block);
    }
    let places = blocks.iter().flat_map(|block| std::iter::repeat_n(block.0, block.2));
    for ((place, offset), &cell) in places.zip(offsets).zip(cells) {
        grid.cells[cell].x = place + offset;
    }
}

/// Between the middles of two cells that stand side by side.
fn distance(one: &Cell, other: &Cell) -> f64 {
    let steps = matches!((&one.holds, &other.holds), (Holds::Step(_), Holds::Step(_)));
    let space = if steps { STEP_SPACE } else { LABEL_SPACE };
    f64::midpoint(one.width, other.width) + space
}
