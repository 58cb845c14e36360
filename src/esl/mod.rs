//! FreeSWITCH's Event Socket, outbound mode: bytes in, frames out; commands in, bytes out. No
//! sockets, no clock, no tasks: the driver owns those.
//!
//! `frame` cuts the stream, `event` reads what a frame holds, `reply` reads answers, `argument`
//! makes values safe, `command` is the only place that produces bytes for FreeSWITCH, and
//! `conversation` matches the two directions for one call. Protocol facts name FreeSWITCH 1.10.12
//! files and lines.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod application;
pub mod argument;
pub mod block;
pub mod command;
pub mod conversation;
pub mod dial_string;
pub mod event;
pub mod frame;
#[doc(hidden)]
pub mod fuzz;
pub mod happening;
mod json;
mod outstanding;
pub mod reply;
pub mod token;
pub mod value;
