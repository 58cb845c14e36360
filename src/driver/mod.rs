//! Runs calls: the socket, the clock and the queries of each, around a machine that has none of
//! them.

pub mod admission;
pub mod call;
pub mod desk;
pub mod dialer;
mod entered;
pub mod http;
pub mod outbound;
pub mod place;
pub mod queries;
pub mod queues;
pub mod refuse;
pub mod registry;
pub mod rooms;
pub mod seal;
pub mod serve;
pub mod session;
pub mod simulate;
mod spoken;
pub mod standin;
pub mod stray;
mod timed;
pub mod translate;
pub mod wake;
