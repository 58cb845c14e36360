//! An order to call numbers outside while it waits for gateways, and as long as another gateway may
//! be tried.

use super::{Wanted, Way};
use crate::base::ids::{ChannelId, GatewayName};
use crate::base::millis::Millis;
use crate::call::output::{Action, ActionId, DialAddress, QueryId};
use crate::model::outbound::Refusal;

/// An order to call numbers outside, from when it was given until somebody has answered.
#[derive(Debug)]
pub(in crate::call) struct Outgoing {
    pub(super) id: ActionId,
    /// With the numbers as they are wanted.
    pub(super) action: Action,
    pub(super) tries: Vec<Try>,
    /// The switch has it.
    pub(super) given: bool,
    pub(super) cancelled: bool,
    /// On the call's clock: when it was given first, and before when it is not given again.
    pub(super) since_ms: u64,
    pub(super) not_before_ms: u64,
    /// Until when an answer is waited for.
    pub(super) until_ms: u64,
}

/// One number of an order.
#[derive(Debug)]
pub(super) struct Try {
    /// Its position among the order's targets.
    pub(super) position: usize,
    /// The place of its leg in the record.
    pub(super) place: usize,
    pub(super) wanted: Wanted,
    pub(super) query: QueryId,
    pub(super) found: Option<Result<Way, Refusal>>,
}

impl Outgoing {
    /// When something is to be done about it, on the call's clock.
    pub(super) fn due_ms(&self) -> Option<u64> {
        let waits = if self.is_found() { self.not_before_ms } else { self.until_ms };
        (!self.given).then_some(waits)
    }

    /// Whether another gateway carried it before, and could not.
    pub(super) fn is_again(&self) -> bool {
        self.tries.iter().any(|one| one.wanted.instead_of.is_some())
    }

    /// Legs of which it is not known whether they count.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = u32> {
        let waiting = self.tries.iter().filter(|one| one.found.is_none());
        waiting.map(|one| one.wanted.leg).collect::<Vec<_>>().into_iter()
    }

    pub(super) fn is_found(&self) -> bool {
        self.tries.iter().all(|one| one.found.is_some())
    }

    pub(super) fn channel(&self) -> Option<&ChannelId> {
        match &self.action {
            Action::Originate(order) => Some(&order.channel),
            _ => None,
        }
    }

    pub(super) fn rings_ms(&self) -> u64 {
        match &self.action {
            Action::Dial(order) => {
                let each = order.targets.iter().map(|one| one.delay.ms() + one.timeout.ms());
                each.max().unwrap_or(0)
            }
            Action::Originate(order) => order.timeout.ms(),
            Action::Place(order) => order.timeout.ms(),
            _ => 0,
        }
    }

    /// The order with the ways that were found; what is refused is left out. None where nobody is
    /// left to be called. `spent_ms`: so long it rang before.
    pub(super) fn order(&self, spent_ms: u64) -> Option<Action> {
        let rest = |timeout: Millis| Millis(timeout.ms().saturating_sub(spent_ms));
        let way = |position| {
            let one = self.tries.iter().find(|one| one.position == position)?;
            let Some(Ok(Way { number, gateway, most, shown, .. })) = &one.found else {
                return None;
            };
            let (number, gateway) = (number.clone(), gateway.clone());
            let shown = shown.clone().map(Box::new);
            Some(DialAddress::Number { number, gateway, most: *most, shown })
        };
        let mut action = self.action.clone();
        match &mut action {
            Action::Dial(order) => {
                order.targets.retain_mut(|target| {
                    target.timeout = rest(target.timeout);
                    let DialAddress::Outside { .. } = target.address else { return true };
                    let way = way(target.position);
                    let may = way.is_some();
                    target.address = way.unwrap_or_else(|| target.address.clone());
                    may
                });
                if order.targets.is_empty() {
                    return None;
                }
            }
            Action::Originate(order) => {
                order.address = way(0)?;
                order.timeout = rest(order.timeout);
            }
            Action::Place(order) => {
                order.address = way(0)?;
                order.timeout = rest(order.timeout);
            }
            _ => {}
        }
        Some(action)
    }
}

/// The numbers outside that an order is to call, with their positions.
pub(super) fn numbers(action: &Action) -> Vec<(usize, String, Option<GatewayName>)> {
    let outside = |(position, address): (usize, &DialAddress)| match address {
        DialAddress::Outside { number, gateway } => {
            Some((position, number.clone(), gateway.clone()))
        }
        _ => None,
    };
    match action {
        Action::Dial(order) => {
            let targets = order.targets.iter().map(|target| (target.position, &target.address));
            targets.filter_map(outside).collect()
        }
        Action::Originate(order) => outside((0, &order.address)).into_iter().collect(),
        Action::Place(order) => outside((0, &order.address)).into_iter().collect(),
        _ => Vec::new(),
    }
}
