//! The calls that are up, for whoever wants to count them or speak to one. Its locks never outlive
//! one of these functions.

use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::admission::Paces;
use crate::base::ids::{CallId, ChannelId, TenantId};
use crate::call::admission::AdmitFound;
use crate::call::input::{Answer, Ordered};
use crate::call::output::{ActionId, QueryId};
use crate::esl::event::Event;
use crate::model::admission::{CallLimit, LimitOn};
use crate::model::live::LiveCall;

/// Words that wait for one call.
pub const WORDS_MAX: usize = 16;
/// How long a call may take to answer a command.
const ANSWER: Duration = Duration::from_secs(3);

/// How soon a call is to be let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// When its step comes to its end.
    Boundary,
    /// At once.
    Now,
}

/// How much is told of a channel that has no call of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heed {
    /// Nothing more.
    Not,
    /// When its phone holds, which FreeSWITCH tells of all channels.
    Holds,
    /// Everything, keys too: a filter more in FreeSWITCH.
    All,
}

/// Who speaks to calls: the operator to all, others to those of their tenant, as if there were no
/// others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    Operator,
    Tenant(TenantId),
}

impl Scope {
    fn holds(self, tenant: TenantId) -> bool {
        match self {
            Self::Operator => true,
            Self::Tenant(own) => own == tenant,
        }
    }
}

/// What a call's task is told.
#[derive(Debug)]
pub enum Word {
    /// By an operator.
    /// Whoever asks hears whether it is done, or why not, in words.
    Command(Ordered, Option<oneshot::Sender<Result<(), String>>>),
    /// Another process is to go on with it.
    HandOver(When),
    /// The link heard something of the call, or of another channel that it follows.
    News(Box<Event>),
    /// Another channel that the call follows is gone.
    FarGone(ChannelId),
    /// Over the link an order was carried out, or why not.
    Obeyed(ActionId, Result<(), String>),
    /// To a question of a call without a connection.
    Answer(QueryId, Box<Answer>),
    /// FreeSWITCH has no such channel any more, and why that is known.
    Gone(&'static str),
}

/// Why a word did not reach a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum TellError {
    #[error("there is no such call")]
    Unknown,
    #[error("the call has not taken earlier words yet")]
    Busy,
    #[error("the call does not answer")]
    Silent,
    /// It was not done, and why.
    #[error("{0}")]
    Refused(String),
    /// Another process may have the call, and can't be asked.
    #[error("{0}")]
    Away(String),
}

/// How a call is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// By its own connection.
    Connected,
    /// The switch goes on with it alone; it is followed over the link, where there is one.
    Stray,
    /// The same, and the conversation with which the switch went on is over: the caller waits for
    /// a connection.
    Parted,
}

/// One call that is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub call: CallId,
    pub channel: ChannelId,
    pub hold: Hold,
}

#[derive(Debug)]
struct Entry {
    seat: u64,
    live: LiveCall,
    hold: Hold,
    words: mpsc::Sender<Word>,
    talks: Arc<AtomicBool>,
}

/// A task's place in the registry.
#[derive(Debug, Clone)]
pub struct Seat {
    number: u64,
    talks: Arc<AtomicBool>,
}

impl Seat {
    /// Whether the caller speaks with somebody.
    pub fn talks(&self, talks: bool) {
        self.talks.store(talks, Ordering::Relaxed);
    }
}

/// Every call that is up.
#[derive(Debug, Default)]
pub struct Registry {
    calls: DashMap<CallId, Entry>,
    seats: AtomicU64,
    paces: Paces,
}

impl Registry {
    /// Enters a call; it leaves with [`Registry::leave`]. A task that held the call before hears
    /// no more words: its channel of words closes, by which it knows.
    pub fn enter(&self, live: LiveCall, hold: Hold, words: mpsc::Sender<Word>) -> Seat {
        let number = self.seats.fetch_add(1, Ordering::Relaxed);
        let talks = Arc::new(AtomicBool::new(false));
        let call = live.call;
        let entry = Entry { seat: number, live, hold, words, talks: Arc::clone(&talks) };
        self.calls.insert(call, entry);
        Seat { number, talks }
    }

    /// How a call is held by now.
    pub fn held_by(&self, call: CallId, seat: &Seat, hold: Hold) {
        if let Some(mut entry) = self.calls.get_mut(&call).filter(|entry| entry.seat == seat.number)
        {
            entry.hold = hold;
        }
    }

    /// Whoever holds the call by now stays; true where nobody else does.
    pub fn leave(&self, call: CallId, seat: &Seat) -> bool {
        self.calls.remove_if(&call, |_, entry| entry.seat == seat.number).is_some()
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

    /// The same with their channels.
    pub fn held(&self) -> Vec<Held> {
        let held = self.calls.iter().map(|entry| Held {
            call: *entry.key(),
            channel: entry.live.channel.clone(),
            hold: entry.hold,
        });
        held.collect()
    }

    /// What is known of the calls that are up in `scope`, the oldest first.
    pub fn live(&self, scope: Scope) -> Vec<LiveCall> {
        let own = self.calls.iter().filter(|entry| scope.holds(entry.live.tenant));
        let mut live: Vec<_> = own.map(|entry| entry.live.clone()).collect();
        live.sort_by_key(|live| (live.started, live.call));
        live
    }

    /// The oldest of them behind a place in their order, which is by Unix milliseconds; at most so
    /// many.
    pub fn live_after(
        &self,
        scope: Scope,
        after: Option<(i64, CallId)>,
        most: usize,
    ) -> Vec<LiveCall> {
        // The last one is the first to give way.
        let mut oldest = BinaryHeap::new();
        for entry in self.calls.iter().filter(|entry| scope.holds(entry.live.tenant)) {
            let place = (entry.live.started.as_millisecond(), entry.live.call);
            if after.is_none_or(|after| place > after) {
                oldest.push(place);
                if oldest.len() > most {
                    oldest.pop();
                }
            }
        }
        let places = oldest.into_sorted_vec().into_iter();
        places.filter_map(|(_, call)| self.live_call(scope, call)).collect()
    }

    /// The same of one call.
    pub fn live_call(&self, scope: Scope, call: CallId) -> Option<LiveCall> {
        let entry = self.calls.get(&call).filter(|entry| scope.holds(entry.live.tenant))?;
        Some(entry.live.clone())
    }

    /// Whoever counts the calls of all processes has let a call in.
    pub fn was_admitted(&self, live: &LiveCall, limits: &[CallLimit], now_ms: u64) {
        self.let_in(live.call);
        self.paces.note(live.tenant, limits, now_ms);
    }

    /// The call is one of those that limits count.
    fn let_in(&self, call: CallId) {
        if let Some(mut entry) = self.calls.get_mut(&call) {
            entry.live.pending = false;
        }
    }

    /// Lets a call in if it fits among those of this process.
    pub fn admit(&self, live: &LiveCall, limits: &[CallLimit], now_ms: u64) -> AdmitFound {
        let counted = |on: &LimitOn| {
            let among = |other: &LiveCall| {
                other.call != live.call
                    && other.tenant == live.tenant
                    && !other.pending
                    && match on {
                        LimitOn::Tenant => true,
                        LimitOn::Number(number) => other.number.as_ref() == Some(number),
                        LimitOn::Gateway(gateway) => other.gateway.as_ref() == Some(gateway),
                    }
            };
            self.calls.iter().filter(|entry| among(&entry.live)).count()
        };
        self.paces.let_in(live.tenant, limits, now_ms, counted, || self.let_in(live.call))
    }

    /// Whether a task of ours has the call.
    pub fn holds(&self, call: CallId) -> bool {
        self.calls.contains_key(&call)
    }

    /// Somebody speaks to one call, and waits for its answer.
    ///
    /// # Errors
    /// The call is not up or not in `scope`, does not listen, or did not do it.
    pub async fn tell(
        &self,
        scope: Scope,
        call: CallId,
        ordered: Ordered,
    ) -> Result<(), TellError> {
        if !self.calls.get(&call).is_some_and(|entry| scope.holds(entry.live.tenant)) {
            return Err(TellError::Unknown);
        }
        let (answer, answered) = oneshot::channel();
        self.say(call, Word::Command(ordered, Some(answer)))?;
        match timeout(ANSWER, answered).await {
            Ok(Ok(obeyed)) => obeyed.map_err(TellError::Refused),
            // It came to its end, or went to another process, before it heard.
            Ok(Err(_)) => Err(TellError::Unknown),
            Err(_) => Err(TellError::Silent),
        }
    }

    /// Speaks to one call; never waits.
    ///
    /// # Errors
    /// The call is not up, or does not listen.
    pub fn say(&self, call: CallId, word: Word) -> Result<(), TellError> {
        let words = self.calls.get(&call).map(|entry| entry.words.clone());
        let words = words.ok_or(TellError::Unknown)?;
        words.try_send(word).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => TellError::Busy,
            mpsc::error::TrySendError::Closed(_) => TellError::Unknown,
        })
    }

    /// How many calls are conversations, which need nobody until they end.
    pub fn talking(&self) -> usize {
        self.calls.iter().filter(|entry| entry.talks.load(Ordering::Relaxed)).count()
    }

    /// The calls that are up, and whether they are conversations; in no order.
    pub fn list(&self) -> Vec<(CallId, bool)> {
        let talks = |entry: &Entry| entry.talks.load(Ordering::Relaxed);
        self.calls.iter().map(|entry| (*entry.key(), talks(entry.value()))).collect()
    }

    /// Asks every call to let go; never waits.
    pub fn hand_over(&self, when: When) {
        for call in self.calls() {
            if let Err(TellError::Busy) = self.say(call, Word::HandOver(when)) {
                tracing::debug!(%call, ?when, "a call does not hear that it is to be let go");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::InstanceId;
    use crate::model::admission::{CallLimits, Measure, Over};

    /// A call that waits to be let in.
    fn waiting(number: &str) -> LiveCall {
        LiveCall {
            call: CallId(uuid::Uuid::now_v7()),
            tenant: TenantId(uuid::Uuid::from_u128(1)),
            holder: InstanceId(uuid::Uuid::nil()),
            term: 0,
            channel: "a-leg".parse().unwrap(),
            flow: "main".parse().unwrap(),
            version: 1,
            caller_name: String::new(),
            caller_number: String::new(),
            dialed: String::new(),
            started: jiff::Timestamp::UNIX_EPOCH,
            number: Some(number.to_owned()),
            gateway: None,
            pending: true,
        }
    }

    #[test]
    fn of_the_calls_of_this_process_those_count_that_are_up_and_let_in() {
        let registry = Registry::default();
        let limits = CallLimits { calls: Some(1), ..CallLimits::default() };
        let limits = [CallLimit { on: LimitOn::Number("200".into()), limits }];
        let enter = |live: &LiveCall| {
            let (words, _) = mpsc::channel(WORDS_MAX);
            registry.enter(live.clone(), Hold::Connected, words)
        };
        let (first, second, other) = (waiting("200"), waiting("200"), waiting("201"));
        let seat = enter(&first);
        enter(&second);
        enter(&other);
        registry.let_in(other.call);
        let ask = |live: &LiveCall| registry.admit(live, &limits, 0);
        let over = AdmitFound::Over(Over { limit: 0, measure: Measure::Calls });
        assert_eq!((ask(&first), ask(&second)), (AdmitFound::Admitted, over));
        assert_eq!(ask(&first), AdmitFound::Admitted, "it does not count itself");
        registry.leave(first.call, &seat);
        assert_eq!(ask(&second), AdmitFound::Admitted);
    }
}
