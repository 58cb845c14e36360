//! Where FreeSWITCH connects: the listener. What is said on a connection is the driver's affair.

pub mod config;
pub mod limits;
pub mod listener;
pub mod pulse;
