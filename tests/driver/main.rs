//! Whole calls: a session against the simulated switch, on virtual time.

mod steps;
mod support;
