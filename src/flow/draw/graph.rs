//! A flow as a graph to be laid out: which steps are reached, which links lead back, how far down
//! each step stands.

use std::collections::{BTreeMap, BTreeSet};

use super::card::Card;
use super::heat::WayHeat;
use crate::base::ids::StepName;
use crate::flow::{Flow, Step};

/// Most ways of a step that are drawn one by one; the rest is counted.
pub(super) const OUT_MAX: usize = 24;

/// A link that runs past more steps than this is told in words instead of drawn as a line.
const SPAN_MAX: usize = 6;

/// Most bends of all lines together; what would need more is told in words.
pub(super) const BENDS_MAX: usize = 8_000;

/// Most steps with lines that lead back to them.
pub(super) const BACK_MAX: usize = 12;

/// A step, or the name of one that is missing.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) card: Card<'a>,
    /// None: a way leads to it and it does not exist.
    step: Option<&'a Step>,
    /// How far down it stands; the start is at 0.
    pub(super) rank: usize,
}

/// All ways from one step to another.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) labels: Vec<String>,
    pub(super) run: Run,
    /// How many took it, where that is drawn.
    pub(super) heat: Option<WayHeat>,
}

/// How a link is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Run {
    /// As a line down.
    Down,
    /// As a line back up, at the side.
    Back,
    /// In words below the step.
    Told { back: bool },
}

/// The part of a flow that calls can reach, and what is left over.
#[derive(Debug)]
pub(super) struct Graph<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) links: Vec<Link>,
    pub(super) unreached: Vec<Card<'a>>,
    /// For each node, how many links are neither drawn nor told.
    pub(super) more: Vec<usize>,
}

impl<'a> Graph<'a> {
    pub(super) fn new(flow: &'a Flow) -> Self {
        let mut graph = Self::reached(flow);
        let order = graph.turn_back_links();
        graph.rank(&order);
        graph.choose_runs();
        let names: BTreeSet<_> = graph.nodes.iter().map(|node| node.card.name).collect();
        let left = flow.steps.keys().filter(|name| !names.contains(name));
        graph.unreached = left.map(|name| Card::unreached(flow, name)).collect();
        graph
    }

    /// Everything that the start and the fallback lead to, in the order in which it is met.
    fn reached(flow: &'a Flow) -> Self {
        let mut graph =
            Self { nodes: Vec::new(), links: Vec::new(), unreached: Vec::new(), more: Vec::new() };
        let mut places = BTreeMap::new();
        for root in std::iter::once(&flow.start).chain(&flow.fallback) {
            graph.place(flow, root, &mut places);
        }
        let mut at = 0;
        while let Some(node) = graph.nodes.get(at) {
            let mut out: BTreeMap<usize, usize> = BTreeMap::new();
            for way in node.step.map(Step::ways).unwrap_or_default() {
                let to = graph.place(flow, way.to, &mut places);
                let link = match out.get(&to) {
                    Some(link) => *link,
                    None if out.len() == OUT_MAX => {
                        graph.more[at] += 1;
                        continue;
                    }
                    None => {
                        let labels = Vec::new();
                        let (run, heat) = (Run::Down, None);
                        graph.links.push(Link { from: at, to, labels, run, heat });
                        out.insert(to, graph.links.len() - 1);
                        graph.links.len() - 1
                    }
                };
                graph.links[link].labels.push(way.label);
            }
            at += 1;
        }
        graph
    }

    fn place(
        &mut self,
        flow: &'a Flow,
        name: &'a StepName,
        places: &mut BTreeMap<&'a StepName, usize>,
    ) -> usize {
        *places.entry(name).or_insert_with(|| {
            let step = flow.steps.get(name);
            self.nodes.push(Node { card: Card::new(flow, name), step, rank: 0 });
            self.more.push(0);
            self.nodes.len() - 1
        })
    }

    /// Marks the links that close a circle, and gives the nodes in an order in which all others
    /// lead on.
    fn turn_back_links(&mut self) -> Vec<usize> {
        let mut out = vec![Vec::new(); self.nodes.len()];
        for (at, link) in self.links.iter().enumerate() {
            out[link.from].push(at);
        }
        let mut seen = vec![false; self.nodes.len()];
        let mut open = vec![false; self.nodes.len()];
        let mut order = Vec::new();
        for root in 0..self.nodes.len() {
            let mut path = Vec::new();
            if !seen[root] {
                path.push((root, 0));
            }
            while let Some((node, next)) = path.last_mut() {
                seen[*node] = true;
                open[*node] = true;
                let Some(&link) = out[*node].get(*next) else {
                    open[*node] = false;
                    order.push(*node);
                    path.pop();
                    continue;
                };
                *next += 1;
                let link = &mut self.links[link];
                // Whatever leads to the start leads back, the fallback's steps among them.
                if open[link.to] || link.to == 0 {
                    link.run = Run::Back;
                } else if !seen[link.to] {
                    path.push((link.to, 0));
                }
            }
        }
        order.reverse();
        order
    }

    /// Each node stands below all that lead on to it. One that only the fallback leads to stands
    /// right above the first it leads to.
    fn rank(&mut self, order: &[usize]) {
        let mut out = vec![Vec::new(); self.nodes.len()];
        let mut led_to = vec![false; self.nodes.len()];
        for link in self.links.iter().filter(|link| link.run == Run::Down) {
            out[link.from].push(link.to);
            led_to[link.to] = true;
        }
        for node in &mut self.nodes[1..] {
            node.rank = 1;
        }
        for &from in order {
            for &to in &out[from] {
                self.nodes[to].rank = self.nodes[to].rank.max(self.nodes[from].rank + 1);
            }
        }
        for node in 1..self.nodes.len() {
            let first = out[node].iter().map(|to| self.nodes[*to].rank).min();
            if let Some(first) = first.filter(|_| !led_to[node]) {
                self.nodes[node].rank = first.saturating_sub(1).max(1);
            }
        }
    }

    fn choose_runs(&mut self) {
        let mut back_to: BTreeMap<usize, usize> = BTreeMap::new();
        for link in self.links.iter().filter(|link| link.run == Run::Back) {
            *back_to.entry(link.to).or_default() += 1;
        }
        let mut most: Vec<_> = back_to.into_iter().collect();
        most.sort_by_key(|(to, count)| (std::cmp::Reverse(*count), *to));
        let drawn: BTreeSet<usize> = most.iter().take(BACK_MAX).map(|(to, _)| *to).collect();
        let mut bends = 0;
        for link in &mut self.links {
            match link.run {
                Run::Back if link.from == link.to || !drawn.contains(&link.to) => {
                    link.run = Run::Told { back: true };
                }
                Run::Down => {
                    let span = self.nodes[link.to].rank.saturating_sub(self.nodes[link.from].rank);
                    let needed = 2 * span.saturating_sub(1);
                    if span > SPAN_MAX || bends + needed > BENDS_MAX {
                        link.run = Run::Told { back: false };
                    } else {
                        bends += needed;
                    }
                }
                Run::Back | Run::Told { .. } => {}
            }
        }
    }
}
