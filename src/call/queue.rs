//! Words about waiting lines: what is asked of whoever keeps them, and what is known of one's
//! place. The line is kept outside, where every process sees it; a call says every now and then
//! that it still waits, and in its turn hears which target it has.

use serde::{Deserialize, Serialize};

use super::Call;
use super::output::{DialAddress, Query};
use super::step::Running;
use crate::base::ids::{CallId, QueueName, TenantId};
use crate::base::millis::Millis;
use crate::flow::kind::queue::Order;

/// A question to who keeps the lines, or word to it. Of one call they come one after another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueQuery {
    pub tenant: TenantId,
    pub queue: QueueName,
    pub call: CallId,
    pub ask: QueueAsk,
}

/// What is asked or told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueAsk {
    /// The caller waits: may it come in, where does it stand, is there a target for it?
    Wait(Box<Waiter>),
    /// The caller speaks with this target.
    Speak { target: String, wrap_up: Millis },
    /// The caller waits no more, and has no target. Nobody waits for an answer.
    Leave,
}

impl QueueQuery {
    /// Whether it is only told.
    pub const fn is_told(&self) -> bool {
        !matches!(self.ask, QueueAsk::Wait(_))
    }
}

/// A caller who waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiter {
    /// Since when, as it was answered; none for who comes now.
    pub joined_ms: Option<i64>,
    /// So many wait at most.
    pub most: Option<u32>,
    pub order: Order,
    /// By their place; none for one that can't be dialed.
    pub targets: Vec<Option<String>>,
    /// How long a target rings at most.
    pub rings: Millis,
    /// The target that the caller had did not answer. Any other that was meant for the caller is
    /// free again: who waits has none.
    pub unanswered: Option<Unanswered>,
}

/// A target to be left alone for so long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unanswered {
    pub target: String,
    pub rest: Millis,
}

/// What is known of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueFound {
    Waits(Standing),
    /// As many wait as may.
    Full,
    /// Who keeps the lines can't be asked now.
    Unknown,
}

/// Where a caller stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Milliseconds since 1970, by the clock of who keeps the lines.
    pub joined_ms: i64,
    /// How many come before it.
    pub ahead: u32,
    /// How much longer it is likely to wait, where that is known.
    pub wait_ms: Option<u64>,
    /// The place of the target that it has now; nobody else has it.
    pub target: Option<usize>,
}

/// A target by what tells it from others of the tenant.
pub(in crate::call) fn target(address: &DialAddress) -> String {
    match address {
        DialAddress::Extension { extension, .. } => extension.clone(),
        DialAddress::Number { number, gateway, .. } => format!("{gateway}/{number}"),
        DialAddress::Outside { number, gateway: Some(gateway) } => format!("{gateway}/{number}"),
        DialAddress::Outside { number, gateway: None } => format!("outside/{number}"),
        DialAddress::Sip { user, host } => format!("sip:{user}@{host}"),
    }
}

impl Call {
    pub(in crate::call) fn queue_query(&self, queue: &QueueName, ask: QueueAsk) -> Query {
        let (tenant, call) = (self.state.tenant(), self.state.call());
        Query::Queue(Box::new(QueueQuery { tenant, queue: queue.clone(), call, ask }))
    }

    /// The step is left, or the call is over: the caller's place is free, and its target.
    pub(in crate::call) fn leave_queue(&mut self) {
        let Running::Queue(state) = &self.state.running else { return };
        if let Some(queue) = state.waits_in().cloned() {
            self.live.standing = None;
            let query = self.queue_query(&queue, QueueAsk::Leave);
            self.tell(query);
        }
    }

    /// The target may have been let go while the caller speaks with somebody else: then others may
    /// have it.
    pub(in crate::call) fn settle_queue(&mut self) {
        let Running::Queue(state) = &self.state.running else { return };
        let gone = state.leg().and_then(|leg| self.state.legs.get(leg));
        if gone.is_none_or(|leg| leg.ended.is_none()) {
            return;
        }
        self.leave_queue();
        if let Running::Queue(state) = &mut self.state.running {
            state.let_go();
        }
    }
}
