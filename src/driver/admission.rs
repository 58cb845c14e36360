//! Whether one more call fits: asked of whoever counts the calls of all processes. Where nobody
//! can say, the calls of this process are what is known.

use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use super::call::Shared;
use super::registry::Scope;
use crate::base::ids::TenantId;
use crate::call::admission::{AdmitFound, AdmitQuery};
use crate::model::admission::{CallLimit, LimitOn, Measure, Over, Rule};
use crate::model::live::LiveCall;

/// Within which calls in a second are counted.
const SECOND_MS: u64 = 1_000;

/// Counts the calls of all processes.
pub trait Limits: Send + Sync {
    /// Lets the call in if it fits, so that whoever asks next counts it. It answers within a
    /// second; none where it is not known.
    fn ask<'a>(&'a self, live: &'a LiveCall, limits: &'a [CallLimit]) -> Admitting<'a>;
}

/// What is about to be known of the limits.
pub type Admitting<'a> = Pin<Box<dyn Future<Output = Option<AdmitFound>> + Send + 'a>>;

/// Nobody counts: the calls of this process are all there are.
#[derive(Debug)]
pub struct NoLimits;

impl Limits for NoLimits {
    fn ask<'a>(&'a self, _live: &'a LiveCall, _limits: &'a [CallLimit]) -> Admitting<'a> {
        Box::pin(ready(None))
    }
}

/// The calls that were let in within the last second, by what is counted.
#[derive(Debug, Default)]
pub(super) struct Paces(Mutex<Times>);

type Times = BTreeMap<(TenantId, LimitOn), VecDeque<u64>>;

fn forget(paces: &mut Times, now_ms: u64) {
    paces.retain(|_, times| {
        times.retain(|time| now_ms.saturating_sub(*time) < SECOND_MS);
        !times.is_empty()
    });
}

fn note(paces: &mut Times, tenant: TenantId, limits: &[CallLimit], now_ms: u64) {
    let paced = limits.iter().filter(|limit| limit.limits.calls_per_second.is_some());
    for limit in paced {
        paces.entry((tenant, limit.on.clone())).or_default().push_back(now_ms);
    }
}

impl Paces {
    /// Lets a call in if it fits, where `counted` says how many there are at once. One call at a
    /// time, so that no two count without one another.
    pub(super) fn let_in(
        &self,
        tenant: TenantId,
        limits: &[CallLimit],
        now_ms: u64,
        counted: impl Fn(&LimitOn) -> usize,
        let_in: impl FnOnce(),
    ) -> AdmitFound {
        let mut paces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        forget(&mut paces, now_ms);
        let full = |count: usize, most: Option<u32>| {
            most.is_some_and(|most| u32::try_from(count).is_ok_and(|count| count >= most))
        };
        for (place, CallLimit { on, limits }) in limits.iter().enumerate() {
            let recent = paces.get(&(tenant, on.clone())).map_or(0, VecDeque::len);
            let measure = if full(counted(on), limits.calls) {
                Measure::Calls
            } else if full(recent, limits.calls_per_second) {
                Measure::CallsPerSecond
            } else {
                continue;
            };
            return AdmitFound::Over(Over { limit: place, measure });
        }
        note(&mut paces, tenant, limits, now_ms);
        let_in();
        AdmitFound::Admitted
    }

    /// Somebody else has let a call in.
    pub(super) fn note(&self, tenant: TenantId, limits: &[CallLimit], now_ms: u64) {
        let mut paces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        forget(&mut paces, now_ms);
        note(&mut paces, tenant, limits, now_ms);
    }
}

/// Asks for one call, and has what it hears known to those who ask next.
pub(super) async fn admit(shared: &Shared, query: &AdmitQuery) -> AdmitFound {
    let Some(live) = shared.registry.live_call(Scope::Operator, query.call) else {
        // It is over by now.
        return AdmitFound::Admitted;
    };
    let found = match shared.limits.ask(&live, &query.limits).await {
        Some(AdmitFound::Admitted) => {
            let now_ms = shared.clock.now().mono_ms;
            shared.registry.was_admitted(&live, &query.limits, now_ms);
            AdmitFound::Admitted
        }
        Some(over) => over,
        None => {
            let now_ms = shared.clock.now().mono_ms;
            let found = shared.registry.admit(&live, &query.limits, now_ms);
            if found == AdmitFound::Admitted {
                // The others count it as soon as they can.
                shared.sink.live(Box::new(LiveCall { pending: false, ..live }));
            }
            found
        }
    };
    if let AdmitFound::Over(over) = found
        && let Some(limit) = query.limits.get(over.limit)
    {
        shared.turned_away(query.call, Rule::of(&limit.on, over.measure));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::admission::CallLimits;

    fn limit(calls: Option<u32>, calls_per_second: Option<u32>) -> [CallLimit; 1] {
        let limits = CallLimits { calls, calls_per_second, instead: None };
        [CallLimit { on: LimitOn::Tenant, limits }]
    }

    fn ask(paces: &Paces, limits: &[CallLimit], now_ms: u64, count: usize) -> AdmitFound {
        paces.let_in(TenantId(uuid::Uuid::nil()), limits, now_ms, |_| count, || {})
    }

    #[test]
    fn as_many_calls_fit_as_the_limit_says_and_no_more() {
        let (paces, limits) = (Paces::default(), limit(Some(10), None));
        assert_eq!(ask(&paces, &limits, 0, 9), AdmitFound::Admitted);
        let over = Over { limit: 0, measure: Measure::Calls };
        assert_eq!(ask(&paces, &limits, 0, 10), AdmitFound::Over(over));
        assert_eq!(ask(&paces, &limit(Some(0), None), 0, 0), AdmitFound::Over(over));
    }

    #[test]
    fn a_call_that_others_let_in_counts_when_they_can_not_be_asked() {
        let (paces, limits) = (Paces::default(), limit(None, Some(1)));
        paces.note(TenantId(uuid::Uuid::nil()), &limits, 0);
        assert_ne!(ask(&paces, &limits, 500, 0), AdmitFound::Admitted);
        assert_eq!(ask(&paces, &limits, 1_000, 0), AdmitFound::Admitted);
    }

    #[test]
    fn in_no_second_are_more_calls_let_in_and_who_was_not_is_not_counted() {
        let (paces, limits) = (Paces::default(), limit(None, Some(2)));
        let over = AdmitFound::Over(Over { limit: 0, measure: Measure::CallsPerSecond });
        let heard = [0, 900, 950, 999, 1_000, 1_001, 1_899, 1_900];
        let heard = heard.map(|now_ms| ask(&paces, &limits, now_ms, 0) != over);
        assert_eq!(heard, [true, true, false, false, true, false, false, true]);
    }
}
