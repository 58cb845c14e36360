//! What can go wrong with the process that has a simulated call.

use crate::base::millis::Millis;
use crate::driver::registry::When;

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trouble {
    /// At which input of the process, from 1, counted over all processes of the call.
    pub input: u64,
    pub blow: Blow,
    pub next: NextProcess,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// The process is gone, and how far it got with this input.
    Killed(Reached),
    /// The connection breaks; the process lives.
    Cut,
    /// The process is about to stop.
    Stops(When),
    /// FreeSWITCH is gone, and the call with it.
    SwitchLost,
}

/// What a killed process has still done of what its last input led to. It tells the world nothing
/// before all is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// It did not see the input.
    Nothing,
    /// It sent this many thousandths of its bytes.
    Sent(u16),
}

/// How FreeSWITCH finds the next process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextProcess {
    /// This many connections are refused first.
    Refuses(u8),
    /// Connections are accepted, and nobody speaks for this long.
    SpeaksAfter(Millis),
}
