//! Calls from their first step to their record, on virtual time and without a switch.
#![allow(clippy::unwrap_used, clippy::unwrap_in_result, reason = "a test fails by panicking")]

mod admission;
mod caller_consults;
mod dtmf;
mod ends;
mod gathered;
mod keys;
mod monitor;
mod operator;
mod outbound;
mod park;
mod park_far;
mod place;
mod queue;
mod random;
mod recording;
mod refer;
mod resume;
mod rooms;
mod steps;
mod support;
mod talk;
mod tell;
mod told;
