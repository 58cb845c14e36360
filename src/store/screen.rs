//! What one tenant's rules say to whoever calls: a part of the picture, without I/O.

use std::collections::BTreeMap;

use super::facts::Facts;
use crate::base::ids::{GatewayName, TenantId};
use crate::model::admission::{BlockMatch, BlockedCaller, CallLimit, CallLimits, LimitOn};
use crate::model::e164::NumberPlan;

/// What stands in the place of a number that is not shown. FreeSWITCH takes the user of From as it
/// is (`sofia.c` sofia_handle_sip_i_invite); RFC 3323 section 4.1.1.3 has `anonymous`, and
/// 0000000000 is what FreeSWITCH knows of nobody (`switch_types.h` SWITCH_DEFAULT_CLID_NUMBER).
const WITHHELD: [&str; 7] =
    ["anonymous", "restricted", "private", "withheld", "unavailable", "unknown", "0000000000"];

/// Who calls, as FreeSWITCH tells.
#[derive(Debug, Clone, Copy, Default)]
pub struct Caller<'a> {
    pub number: &'a str,
    /// The caller wants its number not to be shown.
    pub private: bool,
    /// It is a phone of the tenant's own: never blocked and never one too many, for it may call for
    /// help.
    pub own_phone: bool,
    pub sound: Sound,
}

/// Whether a call's sound is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sound {
    pub encrypted: bool,
    /// FreeSWITCH was told that it has to be.
    pub encrypted_only: bool,
}

impl Caller<'_> {
    fn is_withheld(&self) -> bool {
        let number = self.number.trim();
        self.private
            || number.is_empty()
            || WITHHELD.iter().any(|word| number.eq_ignore_ascii_case(word))
    }
}

/// One tenant's rules.
#[derive(Debug, Default)]
pub(super) struct Screen {
    pub(super) plan: Option<NumberPlan>,
    exact: BTreeMap<String, BlockedCaller>,
    /// The longest first.
    prefixes: Vec<(String, BlockedCaller)>,
    withheld: Option<BlockedCaller>,
    limits: BTreeMap<LimitOn, CallLimits>,
}

impl Screen {
    pub(super) fn of(tenant: TenantId, plan: Option<NumberPlan>, facts: &Facts) -> Self {
        let mut screen = Self { plan, ..Self::default() };
        for stored in facts.blocked.iter().filter(|one| one.tenant == tenant) {
            screen.block(&stored.blocked);
        }
        screen.prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        for gateway in facts.gateways.iter().filter(|one| one.tenant == tenant) {
            let settings = &gateway.gateway.settings;
            let limits = CallLimits { calls: settings.channels, ..CallLimits::default() };
            if !limits.is_nothing() {
                screen.limits.insert(LimitOn::Gateway(gateway.gateway.name.clone()), limits);
            }
        }
        for stored in facts.limits.iter().filter(|one| one.tenant == tenant) {
            let CallLimit { on, limits } = stored.limit.clone();
            let channels = screen.limits.get(&on).and_then(|known| known.calls);
            let calls = limits.calls.or(channels);
            screen.limits.insert(on, CallLimits { calls, ..limits });
        }
        screen
    }

    fn block(&mut self, blocked: &BlockedCaller) {
        let plan = self.plan.as_ref();
        match &blocked.caller {
            BlockMatch::Exact(number) => {
                let read = plan.and_then(|plan| plan.normalise(number));
                for number in read.into_iter().chain([number.clone()]) {
                    self.exact.insert(number, blocked.clone());
                }
            }
            BlockMatch::Prefix(prefix) => {
                let read = plan.and_then(|plan| plan.beginning(prefix));
                for prefix in read.into_iter().chain([prefix.clone()]) {
                    self.prefixes.push((prefix, blocked.clone()));
                }
            }
            BlockMatch::Withheld => self.withheld = Some(blocked.clone()),
        }
    }

    /// The number as the tenant's plan reads it; none where it reads the same.
    pub(super) fn read(&self, number: &str) -> Option<String> {
        self.plan.as_ref()?.normalise(number).filter(|read| read != number)
    }

    /// The entry by which a caller is blocked. An exact one comes before the longest beginning.
    pub(super) fn blocks(&self, caller: &Caller<'_>) -> Option<&BlockedCaller> {
        if caller.own_phone {
            return None;
        }
        if self.withheld.is_some() && caller.is_withheld() {
            return self.withheld.as_ref();
        }
        let read = self.read(caller.number);
        let written = || [read.as_deref(), Some(caller.number)].into_iter().flatten();
        let exact = written().find_map(|number| self.exact.get(number));
        exact.or_else(|| {
            let begins = |prefix: &str| written().any(|number| number.starts_with(prefix));
            self.prefixes.iter().find(|(prefix, _)| begins(prefix)).map(|(_, blocked)| blocked)
        })
    }

    /// All limits on calls.
    pub(super) const fn all_limits(&self) -> &BTreeMap<LimitOn, CallLimits> {
        &self.limits
    }

    /// How many calls a gateway may have at once, in both directions.
    pub(super) fn calls_through(&self, gateway: &GatewayName) -> Option<u32> {
        self.limits.get(&LimitOn::Gateway(gateway.clone()))?.calls
    }

    /// The limits of a call, the narrowest first.
    pub(super) fn limits(
        &self,
        caller: &Caller<'_>,
        number: Option<&str>,
        gateway: Option<&GatewayName>,
    ) -> Vec<CallLimit> {
        if caller.own_phone {
            return Vec::new();
        }
        let number = number.map(|number| LimitOn::Number(number.to_owned()));
        let gateway = gateway.map(|gateway| LimitOn::Gateway(gateway.clone()));
        let all = number.into_iter().chain(gateway).chain([LimitOn::Tenant]);
        let limit = |on: LimitOn| Some(CallLimit { limits: self.limits.get(&on)?.clone(), on });
        all.filter_map(limit).collect()
    }
}
