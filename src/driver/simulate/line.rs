//! A waiting line as a caller's script has it.

use std::collections::BTreeMap;

use crate::call::queue::{QueueAsk, QueueFound, QueueQuery, Standing, Unanswered};
use crate::simulator::Line as Script;

/// How the line has gone so far.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// When the caller came.
    joined_ms: Option<u64>,
    /// The target that the caller has.
    given: Option<String>,
    /// Targets that are left alone, and until when.
    rests: BTreeMap<String, u64>,
}

impl Line {
    /// The first in the line has the first target that is not left alone.
    pub(super) fn ask(&mut self, query: &QueueQuery, script: &Script, now_ms: u64) -> QueueFound {
        let QueueAsk::Wait(waiter) = &query.ask else {
            self.given = None;
            return QueueFound::Unknown;
        };
        if script.full {
            return QueueFound::Full;
        }
        self.given = None;
        if let Some(Unanswered { target, rest }) = &waiter.unanswered {
            self.rests.insert(target.clone(), now_ms.saturating_add(rest.ms()));
        }
        let joined_ms = *self.joined_ms.get_or_insert(now_ms);
        let each_ms = script.each.ms().max(1);
        let served = u32::try_from((now_ms - joined_ms) / each_ms).unwrap_or(u32::MAX);
        let ahead = script.ahead.saturating_sub(served);
        let is_free = |target: &String| self.rests.get(target).is_none_or(|until| *until <= now_ms);
        let free = waiter.targets.iter().position(|one| one.as_ref().is_some_and(is_free));
        let target = free.filter(|_| ahead == 0);
        self.given = target.and_then(|place| waiter.targets.get(place).cloned().flatten());
        let joined_ms = i64::try_from(joined_ms).unwrap_or(i64::MAX);
        let wait_ms = Some(u64::from(ahead) * each_ms);
        QueueFound::Waits(Standing { joined_ms, ahead, wait_ms, target })
    }
}
