//! A stand-in for FreeSWITCH that speaks the outbound Event Socket protocol: one [`Channel`] is
//! one call with its connection. It does no I/O and knows no clock: bytes, keys and time come in,
//! bytes and [`Observed`] moments come out, so the same code runs on virtual time in tests and on
//! TCP in the demo.
//!
//! It has its own reading of the protocol and of dial strings, because it must read what
//! FreeSWITCH would read and not what our encoder meant. `tests/agreement` holds it to recordings
//! of the real one.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod api;
mod arguments;
mod bridge;
mod caller;
mod channel;
mod collect;
mod commands;
mod describe;
mod dialstring;
mod encode;
mod events;
mod execute;
mod hangup;
mod hooks;
mod link;
mod observed;
mod others;
mod outgoing;
mod overheard;
mod playback;
mod profile;
mod record;
mod room;
mod script;
mod simple;
mod variables;
mod wire;
mod world;

pub use caller::{Caller, Failure, Verdict};
pub use channel::{Channel, FRAME_MS};
pub use link::{EVENT_POLL_MS, FIRST_COMMAND_S, MAX_INBOX, MAX_OUT, MAX_PENDING};
pub use observed::{Log, MAX_OBSERVED, Moment, Observed};
pub use others::{FarLeg, FarState};
pub use outgoing::Outgoing;
pub use overheard::Overheard;
pub use profile::Call;
pub use script::{Expect, ExpectEnd, HttpAnswer, Line, Room, Script, ScriptError, Step};
pub use world::{Action, Answers, FarEnd, Sounds, World};
