//! Whole calls: a session against the simulated switch, on virtual time.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod awake;
mod encrypted;
mod endings;
mod hands;
mod hostile;
mod steps;
mod support;
mod talks;
