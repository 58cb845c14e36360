//! Operators' commands that arrived at one process while another holds the call: a letter goes to
//! the holder, and its answer comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::base::ids::{CallId, ChannelId, InstanceId};
use crate::call::input::{Command, OPERATOR, Ordered};
use crate::control::console::{Errand, Whose};
use crate::driver::call::Shared;
use crate::driver::registry::{Scope, TellError};
use crate::model::live::LiveCall;
use crate::store::{Letter, Mailbox, Post, Store, StoreError};

/// How long the holder's answer may take, the look for the holder included.
const ANSWER: Duration = Duration::from_secs(3);
/// Commands that wait to be carried, or for their answer.
const ERRANDS_MAX: usize = 64;

/// What processes write to one another.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Words {
    Ask {
        number: u64,
        scope: Scope,
        call: CallId,
        command: Command,
        #[serde(default = "operator")]
        by: String,
    },
    /// None where the call was told.
    Answer { number: u64, refusal: Option<TellError> },
}

fn operator() -> String {
    OPERATOR.to_owned()
}

/// Why a command did not reach a call of another process.
#[derive(Debug, thiserror::Error)]
enum Astray {
    #[error(transparent)]
    Told(#[from] TellError),
    #[error("the database is needed to find the call: {0}")]
    Store(#[from] StoreError),
    #[error("the command can't be written: {0}")]
    Words(#[from] serde_json::Error),
    #[error("the process that holds the call does not answer")]
    Silent,
}

impl From<Astray> for TellError {
    fn from(astray: Astray) -> Self {
        match astray {
            Astray::Told(error) => error,
            astray => Self::Away(astray.to_string()),
        }
    }
}

/// Carries commands between processes.
#[derive(Debug)]
pub(super) struct Relay {
    store: Store,
    own: InstanceId,
    post: Post,
    mailbox: Mailbox,
    errands: mpsc::Receiver<Errand>,
}

/// What those who wait for an answer have in common.
#[derive(Debug)]
struct Desk {
    store: Store,
    own: InstanceId,
    post: Post,
    asked: DashMap<u64, oneshot::Sender<Option<TellError>>>,
    numbers: AtomicU64,
}

impl Relay {
    /// The way to the other processes; none where there are no others. Call it within a tokio
    /// runtime.
    pub(super) fn open(store: &Store, own: InstanceId) -> Option<(mpsc::Sender<Errand>, Self)> {
        let (post, mailbox) = Post::start(store, own).ok()?;
        let (sender, errands) = mpsc::channel(ERRANDS_MAX);
        let store = store.clone();
        Some((sender, Self { store, own, post, mailbox, errands }))
    }

    /// For ever.
    pub(super) async fn run(self, shared: Arc<Shared>) {
        let Self { store, own, post, mut mailbox, mut errands } = self;
        let (asked, numbers) = (DashMap::new(), AtomicU64::new(1));
        let desk = Arc::new(Desk { store, own, post, asked, numbers });
        let mut tasks = JoinSet::new();
        loop {
            tokio::select! {
                Some(errand) = errands.recv(), if tasks.len() < ERRANDS_MAX => {
                    let desk = Arc::clone(&desk);
                    tasks.spawn(async move { desk.carry(errand).await });
                }
                Some(letter) = mailbox.next(), if tasks.len() < ERRANDS_MAX => {
                    let (desk, shared) = (Arc::clone(&desk), Arc::clone(&shared));
                    tasks.spawn(async move { desk.read(&letter, &shared).await });
                }
                Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
                else => return,
            }
        }
    }
}

impl Desk {
    async fn carry(&self, errand: Errand) {
        let Errand { scope, whose, ordered, answer } = errand;
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let told = timeout(ANSWER, self.ask(number, scope, whose, ordered)).await;
        self.asked.remove(&number);
        let told = told.unwrap_or(Err(Astray::Silent));
        // Whoever asked may be gone.
        let _ = answer.send(told.map_err(TellError::from));
    }

    async fn ask(
        &self,
        number: u64,
        scope: Scope,
        whose: Whose,
        ordered: Ordered,
    ) -> Result<(), Astray> {
        let live = match whose {
            Whose::Call(call) => self.store.operator().live_call(call).await?,
            Whose::FirstOf(channels) => self.first_of(scope, &channels).await?,
        };
        // What is ours by the database's word is not by our own.
        let live = live.filter(|live| live.holder != self.own).ok_or(TellError::Unknown)?;
        let call = live.call;
        let (sender, answer) = oneshot::channel();
        self.asked.insert(number, sender);
        let Ordered { by, command } = ordered;
        self.write(live.holder, &Words::Ask { number, scope, call, command, by }).await?;
        match answer.await {
            Ok(None) => Ok(()),
            Ok(Some(refusal)) => Err(refusal.into()),
            Err(_) => Err(Astray::Silent),
        }
    }

    async fn first_of(
        &self,
        scope: Scope,
        channels: &[ChannelId],
    ) -> Result<Option<LiveCall>, StoreError> {
        let calls = match scope {
            Scope::Operator => self.store.operator().live_calls().await?,
            Scope::Tenant(tenant) => self.store.tenant(tenant).live_calls().await?,
        };
        let place = |live: &LiveCall| channels.iter().position(|known| *known == live.channel);
        let others = calls.into_iter().filter(|live| live.holder != self.own);
        let placed = others.filter_map(|live| Some((place(&live)?, live)));
        Ok(placed.min_by_key(|(place, _)| *place).map(|(_, live)| live))
    }

    async fn write(&self, to: InstanceId, words: &Words) -> Result<(), Astray> {
        Ok(self.post.send(to, &serde_json::to_string(words)?).await?)
    }

    async fn read(&self, letter: &Letter, shared: &Shared) {
        let from = letter.from;
        match serde_json::from_str(&letter.text) {
            Ok(Words::Ask { number, scope, call, command, by }) => {
                tracing::info!(%call, %from, "an operator speaks from another process");
                let told = shared.registry.tell(scope, call, Ordered { by, command }).await;
                let answer = Words::Answer { number, refusal: told.err() };
                match timeout(ANSWER, self.write(from, &answer)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::warn!(%from, %error, "an answer was not sent"),
                    Err(_) => tracing::warn!(%from, "an answer was not sent in time"),
                }
            }
            Ok(Words::Answer { number, refusal }) => {
                if let Some((_, waiting)) = self.asked.remove(&number) {
                    // It was too late, perhaps.
                    let _ = waiting.send(refusal);
                }
            }
            Err(error) => tracing::warn!(%from, %error, "a letter that nobody understands"),
        }
    }
}
