//! Callwright controls FreeSWITCH calls: FreeSWITCH's dialplan hands a call over on a socket, and
//! one state machine for each call runs the tenant's flow.
//!
//! The modules stand on floors; each uses only lower ones (`tests/tidy` checks it).
//! `ARCHITECTURE.md` is the map.

pub mod api;
pub mod app;
pub mod archive;
pub mod base;
pub mod call;
pub mod cli;
pub mod control;
pub mod driver;
pub mod esl;
pub mod flow;
pub mod hooks;
pub mod keyring;
pub mod model;
pub mod provision;
pub mod reach;
pub mod report;
pub mod simulator;
pub mod sip;
pub mod store;
pub mod switch;
pub mod telemetry;
pub mod vault;
