//! Connections between FreeSWITCH and us: `listener` takes the one that FreeSWITCH opens for each
//! call, `link` keeps one of our own to each FreeSWITCH. What is said on a call's connection is the
//! driver's affair.

pub mod config;
pub mod limits;
pub mod link;
pub mod listener;
pub mod pulse;
pub mod secret_file;
