//! A link against a FreeSWITCH that says what the test wants: what it refuses, leaves out, breaks
//! off or sends too much of.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod breaks;
mod commands;
mod peer;
mod watching;
