//! Daemons as processes: one follows another, a supervisor keeps one running, systemd starts one,
//! and callers who come meanwhile are not refused.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod callers;
mod daemon;
mod doctor;
mod events;
mod follow;
mod live;
mod load;
mod nodes;
mod notify;
#[allow(dead_code, reason = "tests of the API use the rest of it")]
#[path = "../api/receiver.rs"]
mod receiver;
mod supervise;
mod telemetry;
mod webhooks;
