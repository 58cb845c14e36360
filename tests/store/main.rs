//! The store on both databases: each test runs on an SQLite file, and on PostgreSQL where
//! `CALLWRIGHT_TEST_POSTGRES` holds the URL of a server that may be filled (`tests/postgres run
//! …`).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says so by failing")]

mod acts;
mod answered;
mod api_keys;
mod audit;
mod bench;
mod cluster;
mod directory;
mod encryption;
mod events;
mod flows;
mod followers;
mod gateways;
mod limits;
mod live;
mod outage;
mod outbound;
mod park;
mod people;
mod post;
mod profiles;
mod queues;
mod recorder;
mod recordings;
mod reports;
mod scenario;
mod tenants;
mod webhooks;
