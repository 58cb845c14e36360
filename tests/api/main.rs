//! The HTTP API of a daemon that runs, asked as a tenant's own programs would.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says so by failing")]

mod access;
mod client;
#[path = "../store/cluster.rs"]
mod cluster;
mod events;
mod gateways;
mod guards;
mod limits;
mod once;
mod outage;
mod outbound;
mod people;
mod profiles;
mod prompts;
mod receiver;
mod recordings;
mod reports;
mod resources;
#[path = "../store/scenario.rs"]
mod scenario;
mod schedules;
mod secured;
mod sofia;
mod standin;
mod trial;
mod webhooks;
