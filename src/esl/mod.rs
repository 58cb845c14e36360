//! FreeSWITCH's Event Socket: bytes in, frames out; commands in, bytes out. No
//! sockets, no clock, no tasks: the driver owns those.
//!
//! `frame` cuts the stream, `event` reads what a frame holds, `reply` reads answers, `argument`
//! makes values safe, `command` is the only place that produces bytes for FreeSWITCH,
//! `conversation` matches the two directions for one call, and `inbound` does for a connection of
//! ours to FreeSWITCH. Protocol facts name FreeSWITCH 1.10.12 files and lines.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod application;
pub mod argument;
pub mod block;
pub mod channels;
pub mod command;
pub mod conference;
pub mod conversation;
pub mod credentials;
pub mod dial_string;
pub mod event;
pub mod filter;
pub mod frame;
#[doc(hidden)]
pub mod fuzz;
pub mod happening;
pub mod inbound;
pub mod inspect;
mod json;
pub mod originate;
mod outstanding;
pub mod profiles;
pub mod reply;
pub mod sofia;
pub mod spoken;
pub mod token;
pub mod value;
