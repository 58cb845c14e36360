//! Runs calls: the socket, the clock and the queries of each, around a machine that has none of
//! them.

pub mod address;
pub mod http;
