//! What a call asks about a tenant's slots, and what it hears.

use crate::base::ids::{CallId, ChannelId, CoreId, TenantId};
use crate::base::slot::{Slot, SlotRange};
use crate::model::park::Taker;

/// A question about the slots of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkQuery {
    pub tenant: TenantId,
    /// The call that asks, and its channel.
    pub call: CallId,
    pub channel: ChannelId,
    pub ask: ParkAsk,
}

/// What is asked. Each may be asked again without harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParkAsk {
    /// A slot for the caller: the one that is wanted, or the lowest that is free. Nobody finds the
    /// caller there before `Open`.
    Reserve {
        slots: SlotRange,
        wanted: Option<Slot>,
        /// The caller, and who parks it, as records show them.
        party: String,
        parker: String,
    },
    /// Whoever asks for the slot may have the caller from now on.
    Open,
    /// The caller leaves its slot, unless somebody is about to take it.
    Leave,
    /// The caller is with whoever took it, or is to be found no more in any case.
    Free,
    /// Whoever is in this slot. Of several who ask one gets it.
    Take { slot: Slot, by: Taker },
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParkFound {
    /// The caller is in this slot.
    In(Slot),
    /// No slot is free, or the wanted one is not.
    Full,
    /// The caller is in no slot any more, and who took it if somebody did.
    Out(Option<Taker>),
    /// Who takes the slot has this caller.
    Taken { call: CallId, channel: ChannelId, party: String },
    /// Nobody is in the slot.
    Empty,
    /// The caller in it is on another FreeSWITCH.
    Elsewhere(CoreId),
    /// It is not known, and why.
    Unknown(String),
}
