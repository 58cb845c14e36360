//! One round of a courier. Each turn it hears what is told, sends what is due, and writes down what
//! came of it; only then is what comes behind it sent.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::courier::RETRY;
use super::health::Health;
use super::post::{Receiver, Said};
use super::window::{Item, Window};
use super::{Inner, addressed, jittered};
use crate::base::ids::{TenantSlug, WebhookName};
use crate::base::millis::Millis;
use crate::model::event::{Event, Types, type_of};
use crate::model::webhook::message_id;
use crate::store::{
    Attempt, Batch, Claim, Follower, Fresh, Laid, Outcome, StoreError, Untold, Verdict, WINDOW_MAX,
    Waiting,
};

/// How often it is written down how far it is, where nothing is wanted.
const MARK: Duration = Duration::from_secs(60);

/// Why a round is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// The webhook was changed.
    Changed,
    /// It is to stop, or the webhook is another's or disabled by now.
    Done,
}

/// One attempt that is over.
struct Flown {
    item: Item,
    said: Said,
}

/// What a courier knows from one change of its webhook to the next.
pub(super) struct Round<'a> {
    inner: &'a Arc<Inner>,
    claim: &'a Claim,
    stop: &'a CancellationToken,
    name: WebhookName,
    tenant: TenantSlug,
    to: Receiver,
    types: Types,
    revision: i64,
    /// Up to where events were heard; and when that was written down last.
    place: u64,
    marked: (u64, Instant),
    /// None where it is to be asked for anew.
    follower: Option<Follower>,
    /// There may be more that waits than is in the window.
    more: bool,
    window: Window,
    health: &'a mut Health,
    flying: JoinSet<Flown>,
    over: Option<Over>,
}

impl<'a> Round<'a> {
    pub(super) fn new(
        (inner, claim, stop): (&'a Arc<Inner>, &'a Claim, &'a CancellationToken),
        laid: Laid,
        to: Receiver,
        health: &'a mut Health,
    ) -> Self {
        let Laid { tenant, name, types, place, revision, waiting, .. } = laid;
        let now = Instant::now();
        let more = waiting.len() >= WINDOW_MAX;
        let mut window = Window::default();
        for Waiting { event, attempts, due } in waiting {
            window.push(Item { event, attempts, due: now + Duration::from(due) });
        }
        Self {
            inner,
            claim,
            stop,
            name,
            tenant,
            to,
            types,
            revision,
            place,
            marked: (place, now),
            follower: None,
            more,
            window,
            health,
            flying: JoinSet::new(),
            over: None,
        }
    }

    pub(super) async fn run(mut self, revision: &mut watch::Receiver<i64>) -> Over {
        loop {
            let hears = self.hears();
            if hears && self.follower.is_none() {
                self.follow().await;
            }
            self.send();
            if let Some(over) = self.over.filter(|_| self.flying.is_empty()) {
                self.mark().await;
                return over;
            }
            let due = self.due();
            tokio::select! {
                Some(flown) = self.flying.join_next() => self.landed(flown).await,
                () = self.stop.cancelled(), if self.over.is_none() => self.over = Some(Over::Done),
                changed = revision.changed(), if self.over.is_none() => {
                    self.over = Some(if changed.is_ok() { Over::Changed } else { Over::Done });
                }
                told = next(&mut self.follower), if hears => self.hear(told).await,
                () = sleep_until(due) => {}
            }
        }
    }

    /// Whether there is room for what is told.
    fn hears(&mut self) -> bool {
        if self.more && self.window.len() < WINDOW_MAX / 2 {
            self.over = self.over.or(Some(Over::Changed));
        }
        self.over.is_none() && !self.more && self.window.len() < WINDOW_MAX
    }

    /// When there is something to do though nothing happens.
    fn due(&self) -> Instant {
        let now = Instant::now();
        let full = self.over.is_some() || self.flying.len() >= self.health.at_once();
        let due = self.window.due().filter(|_| !full);
        let due = due.map(|due| self.health.rests_until().map_or(due, |rest| rest.max(due)));
        let look = now + if self.follower.is_none() { RETRY } else { MARK };
        due.map_or(look, |due| due.min(look))
    }

    async fn follow(&mut self) {
        let scope = self.claim.scope().clone();
        match self.inner.followed.follow(scope, self.place).await {
            Ok(follower) => self.follower = Some(follower),
            Err(untold) => self.hear(Err(untold)).await,
        }
    }

    /// Takes what is told.
    async fn hear(&mut self, told: Result<Batch, Untold>) {
        let (place, wanted) = match told {
            Ok(batch) => {
                let place = batch.last().map_or(self.place, |(sequence, _)| *sequence);
                let wanted = batch.into_iter().filter(|(_, json)| self.types.want(type_of(json)));
                (place, wanted.map(|(sequence, json)| fresh(sequence, json)).collect::<Vec<_>>())
            }
            Err(Untold::Gone { kept_after }) => return self.lose(kept_after).await,
            Err(Untold::Ahead { last }) => {
                // As after a database was put back to how it was.
                let (tenant, webhook) = (&self.tenant, &self.name);
                tracing::warn!(%tenant, %webhook, last, "a webhook was ahead of what is told");
                (self.follower, self.place) = (None, last);
                return;
            }
            Err(Untold::Store(error)) => {
                tracing::debug!(%error, "what is told can't be read now");
                self.follower = None;
                return sleep(RETRY).await;
            }
        };
        let now = Instant::now();
        let idle = wanted.is_empty() && now.duration_since(self.marked.1) < MARK;
        if !idle {
            let taken = self.claim.take(self.revision, place, &wanted).await;
            if !self.wrote(taken) {
                return;
            }
            self.marked = (place, now);
        }
        self.place = place;
        for event in wanted {
            self.window.push(Item { event, attempts: 0, due: now });
        }
    }

    /// Events that it had still to hear are not kept any more.
    async fn lose(&mut self, kept_after: u64) {
        let (tenant, webhook, after) = (&self.tenant, &self.name, self.place);
        tracing::warn!(%tenant, %webhook, after, kept_after, "events were lost to a webhook");
        let noted = self.claim.gap(self.revision, self.place, kept_after).await;
        if self.wrote(noted) {
            (self.follower, self.place) = (None, kept_after);
            self.marked = (kept_after, Instant::now());
        }
    }

    /// Whether what was written counts. If not, all begins anew with what is kept.
    fn wrote(&mut self, written: Result<bool, StoreError>) -> bool {
        let counts = written.unwrap_or_else(|error| {
            tracing::debug!(%error, "what is told waits");
            false
        });
        if !counts {
            self.over = self.over.or(Some(Over::Changed));
        }
        counts
    }

    /// Writes down how far it is, where that is not known.
    async fn mark(&self) {
        if self.place > self.marked.0 {
            let marked = self.claim.take(self.revision, self.place, &[]).await;
            tracing::trace!(?marked, "how far a webhook is");
        }
    }

    /// Sends what is due, as far as there is room.
    fn send(&mut self) {
        let now = Instant::now();
        let rests = self.health.rests_until().is_some_and(|until| until > now);
        if self.over.is_some() || rests {
            return;
        }
        while self.flying.len() < self.health.at_once()
            && let Some(item) = self.window.start(now)
        {
            let (inner, to) = (Arc::clone(self.inner), self.to.clone());
            let places = if self.health.is_in_trouble() { &inner.troubled } else { &inner.well };
            let place = Arc::clone(places).acquire_owned();
            let id = message_id(self.claim.scope().id(), item.event.sequence);
            let body = addressed(&self.tenant, &item.event.body);
            self.flying.spawn(async move {
                let _place = place.await;
                let said = inner.post.send(&to, &id, body).await;
                Flown { item, said }
            });
        }
    }

    /// Takes what came of attempts: written down first.
    async fn landed(&mut self, first: Result<Flown, JoinError>) {
        let mut all = vec![first];
        all.extend(std::iter::from_fn(|| self.flying.try_join_next()));
        let (mut events, mut attempts) = (Vec::new(), Vec::new());
        for flown in all {
            match flown {
                Ok(Flown { item, said }) => {
                    attempts.push(self.attempt(&item, said));
                    events.push(item.event);
                }
                Err(error) => {
                    tracing::error!(%error, webhook = %self.name, "a delivery broke off");
                    self.over = self.over.or(Some(Over::Changed));
                }
            }
        }
        match self.settle(&attempts).await {
            Outcome::Kept => {}
            Outcome::NotOurs => self.over = Some(Over::Done),
            Outcome::Disabled => {
                let (tenant, webhook) = (&self.tenant, &self.name);
                tracing::warn!(%tenant, %webhook, "a webhook is disabled");
                self.over = Some(Over::Done);
            }
        }
        let now = Instant::now();
        for (event, attempt) in events.iter().zip(&attempts) {
            match attempt.verdict {
                Verdict::Delivered if self.health.took(now) => self.window.hurry(now),
                Verdict::Delivered => {}
                Verdict::Again(_) | Verdict::GivenUp => {
                    self.health.failed(attempt.status.is_some(), now);
                }
            }
            match attempt.verdict {
                Verdict::Delivered | Verdict::GivenUp => self.window.finish(event),
                Verdict::Again(pause) => self.window.retry(event, now + Duration::from(pause)),
            }
        }
    }

    /// Writes attempts down, until the database has them; or they are made again by whoever comes
    /// after us.
    async fn settle(&self, attempts: &[Attempt]) -> Outcome {
        let patience = self.inner.config.disable_after;
        loop {
            match self.claim.settle(&self.name, attempts, patience).await {
                Ok(outcome) => return outcome,
                Err(error) => {
                    tracing::debug!(%error, "what came of deliveries is not written down yet");
                }
            }
            if self.stop.is_cancelled() {
                return Outcome::NotOurs;
            }
            sleep(RETRY).await;
        }
    }

    fn attempt(&self, item: &Item, said: Said) -> Attempt {
        let pauses = &self.inner.config.retry;
        let pause = usize::try_from(item.attempts).ok().and_then(|before| pauses.get(before));
        let verdict = match (&said.wrong, pause) {
            (None, _) => Verdict::Delivered,
            (Some(_), None) => Verdict::GivenUp,
            (Some(_), Some(pause)) => {
                let later = said.later.unwrap_or_default();
                Verdict::Again(millis(jittered(Duration::from(*pause)).max(later)))
            }
        };
        let outcome = match verdict {
            Verdict::Delivered => "delivered",
            Verdict::Again(_) => "failed",
            Verdict::GivenUp => "given_up",
        };
        let metrics = self.inner.telemetry.metrics();
        metrics.delivered(self.tenant.as_str(), outcome, said.took);
        Attempt {
            sequence: item.event.sequence,
            kind: item.event.kind.clone(),
            verdict,
            status: said.status,
            error: said.wrong,
            latency_ms: u64::try_from(said.took.as_millis()).unwrap_or(u64::MAX),
            gone: said.gone,
        }
    }
}

fn millis(pause: Duration) -> Millis {
    Millis(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX))
}

/// What is told next; it waits for ever where nobody is followed.
async fn next(follower: &mut Option<Follower>) -> Result<Batch, Untold> {
    match follower {
        Some(follower) => follower.next().await,
        None => std::future::pending().await,
    }
}

/// An event as it is to be delivered. One of a kind that is not known here has a place of its own
/// kind in the order.
fn fresh(sequence: u64, json: Arc<str>) -> Fresh {
    let kind = type_of(&json).to_owned();
    let event: Option<Event> = serde_json::from_str(&json).ok();
    let thing = event.map_or_else(|| kind.clone(), |event| event.what.kind.thing());
    Fresh { sequence, kind, thing, body: json }
}
