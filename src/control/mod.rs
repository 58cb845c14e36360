//! What is asked of a running daemon from beside it: the control socket, the passing of listening
//! sockets from process to process, health over HTTP, and word to whoever supervises it.

pub mod ask;
pub mod config;
pub mod console;
pub mod health;
pub mod notify;
pub mod pass;
pub mod path;
pub mod protocol;
pub mod room;
pub mod serve;
