//! The Event Socket against recordings of real conversations, arbitrary bytes and hostile values.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::unwrap_in_result,
    reason = "a test fails by panicking"
)]

mod conversations;
mod freeswitch;
mod inbound;
mod recordings;
mod safety;
mod streams;
mod stress;
