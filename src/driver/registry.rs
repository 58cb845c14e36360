//! The calls that are up, for whoever wants to count them or speak to one. Its locks never outlive
//! one of these functions.

use dashmap::DashMap;
use tokio::sync::mpsc;

use crate::base::ids::CallId;
use crate::call::input::Command;

/// Operators' commands that wait for one call.
pub const COMMANDS_MAX: usize = 8;

/// Why a command did not reach a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TellError {
    #[error("there is no such call")]
    Unknown,
    #[error("the call has not taken earlier commands yet")]
    Busy,
}

/// Every call that is up.
#[derive(Debug, Default)]
pub struct Registry {
    calls: DashMap<CallId, mpsc::Sender<Command>>,
}

impl Registry {
    /// Enters a call; it leaves with [`Registry::leave`].
    pub fn enter(&self, call: CallId, commands: mpsc::Sender<Command>) {
        self.calls.insert(call, commands);
    }

    pub fn leave(&self, call: CallId) {
        self.calls.remove(&call);
    }

    /// How many calls are up.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// The calls that are up, in no order.
    pub fn calls(&self) -> Vec<CallId> {
        self.calls.iter().map(|entry| *entry.key()).collect()
    }

    /// Speaks to one call; never waits.
    ///
    /// # Errors
    /// The call is not up, or does not listen.
    pub fn tell(&self, call: CallId, command: Command) -> Result<(), TellError> {
        let commands = self.calls.get(&call).map(|entry| entry.value().clone());
        let commands = commands.ok_or(TellError::Unknown)?;
        commands.try_send(command).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => TellError::Busy,
            mpsc::error::TrySendError::Closed(_) => TellError::Unknown,
        })
    }
}
