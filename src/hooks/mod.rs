//! Webhooks at work: each enabled one is in the hands of one process, whose courier follows the
//! tenant's events, keeps those that are wanted until they are delivered, and sends them.

pub mod config;
mod courier;
mod health;
mod post;
mod round;
mod sign;
mod window;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::base::ids::{InstanceId, TenantId, TenantSlug, WebhookId, WebhookSecretId};
use crate::keyring::{Keyring, KeyringError};
use crate::model::webhook::TEST;
use crate::reach::{ClientError, Forbidden};
use crate::store::{
    AtWork, Followed, NewSecret, SecretOf, Store, StoreError, StoredWebhook, TenantScope,
};
use crate::telemetry::Telemetry;

use config::Config;
use courier::Courier;
use post::{Post, Receiver};
use sign::Signer;

pub use post::Said;
pub use sign::SignError;

/// How often it is looked which webhooks there are, when nobody says that one was changed.
const LOOK: Duration = Duration::from_secs(1);
/// How long the database may take to say so.
const ANSWER: Duration = Duration::from_secs(5);
/// Webhooks that a process takes at one look: others that look get some too.
const TAKEN_AT_ONCE: usize = 32;
/// Deliveries under way at once to receivers that do well, and to those in trouble: these can't
/// keep the others waiting.
const AT_ONCE: usize = 512;
const TROUBLED_AT_ONCE: usize = 64;
/// How long somebody who tries a webhook out waits for a free place.
const TEST_WAIT: Duration = Duration::from_secs(2);

/// Why a webhook has no secret, or can't be tried out.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error("too many webhooks fail or are tried out at this moment")]
    Busy,
}

/// All webhooks; a clone is the same.
#[derive(Debug, Clone)]
pub struct Hooks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    followed: Followed,
    keyring: Keyring,
    config: Config,
    instance: InstanceId,
    telemetry: Telemetry,
    post: Post,
    well: Arc<Semaphore>,
    troubled: Arc<Semaphore>,
    wake: Notify,
}

/// About as long: a fifth more or less, so that what failed together is not tried together.
fn jittered(pause: Duration) -> Duration {
    let (_, random) = Uuid::now_v7().as_u64_pair();
    let percent = u32::try_from(random % 41).unwrap_or(20) + 80;
    pause.saturating_mul(percent) / 100
}

/// The event with its tenant.
fn addressed(tenant: &TenantSlug, event: &str) -> String {
    let rest = event.strip_prefix('{').unwrap_or(event);
    format!("{{\"tenant\":\"{tenant}\",{rest}")
}

impl Hooks {
    /// # Errors
    /// Requests can't be made at all.
    pub fn new(
        store: &Store,
        followed: Followed,
        keyring: Keyring,
        config: Config,
        instance: InstanceId,
        telemetry: Telemetry,
    ) -> Result<Self, ClientError> {
        let inner = Inner {
            store: store.clone(),
            followed,
            keyring,
            post: Post::new(&config.allow_private, config.timeout.into())?,
            config,
            instance,
            telemetry,
            well: Arc::new(Semaphore::new(AT_ONCE)),
            troubled: Arc::new(Semaphore::new(TROUBLED_AT_ONCE)),
            wake: Notify::new(),
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Whether events may be sent to an address, as far as can be said without looking its name up.
    ///
    /// # Errors
    /// It says what is wrong.
    pub fn check(&self, url: &Url) -> Result<(), Forbidden> {
        if url.scheme() != "https" && self.0.config.allow_private.is_empty() {
            return Err(Forbidden("events are sent over https only".into()));
        }
        self.0.post.check(url)
    }

    /// A webhook was changed: looks at once.
    pub fn wake(&self) {
        self.0.wake.notify_one();
    }

    /// A new secret: as it is kept, and as its receiver gets it.
    ///
    /// # Errors
    /// The tenant's key can't be had.
    pub async fn secret(
        &self,
        tenant: TenantId,
    ) -> Result<(NewSecret, Zeroizing<String>), HookError> {
        let (id, secret) = (WebhookSecretId(Uuid::now_v7()), sign::secret()?);
        let label = SecretOf::Webhook.label(id);
        let sealed = self.0.keyring.seal(tenant, &label, &secret).await?;
        Ok((NewSecret { id, sealed }, secret))
    }

    /// Sends an event that tells nothing, also where the webhook is not enabled, and says what came
    /// back.
    ///
    /// # Errors
    /// It can't be signed, or there is no place.
    pub async fn try_out(
        &self,
        scope: &TenantScope,
        tenant: &TenantSlug,
        hook: &StoredWebhook,
    ) -> Result<Said, HookError> {
        let signer = self.0.signer(scope, hook.id).await?;
        let to = Receiver { url: hook.webhook.url.clone(), signer: Arc::new(signer) };
        let place = timeout(TEST_WAIT, self.0.troubled.acquire()).await;
        let Ok(Ok(_place)) = place else { return Err(HookError::Busy) };
        let event = json!({ "at": Timestamp::now(), "type": TEST, "webhook": hook.webhook.name });
        let id = format!("test_{}", Uuid::now_v7().simple());
        Ok(self.0.post.send(&to, &id, addressed(tenant, &event.to_string())).await)
    }

    /// Delivers until it is told to stop, and what is under way then.
    pub async fn run(self, stop: CancellationToken) {
        let mut couriers: BTreeMap<WebhookId, Sent> = BTreeMap::new();
        let mut tasks = JoinSet::new();
        while !stop.is_cancelled() {
            match timeout(ANSWER, self.0.store.operator().webhooks_at_work()).await {
                Ok(Ok(all)) => self.match_up(&mut couriers, &mut tasks, all).await,
                Ok(Err(error)) => tracing::debug!(%error, "webhooks can't be looked up now"),
                Err(_) => tracing::debug!("webhooks can't be looked up now"),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.0.wake.notified() => {}
                () = sleep(LOOK) => {}
            }
            while let Some(ended) = tasks.try_join_next() {
                if let Err(error) = ended {
                    tracing::error!(%error, "a webhook's courier ended");
                }
            }
            couriers.retain(|_, sent| !sent.revision.is_closed());
        }
        couriers.values().for_each(|sent| sent.stop.cancel());
        while tasks.join_next().await.is_some() {}
    }

    /// Stops couriers whose webhook is another's or not enabled any more, tells the others what was
    /// changed, and sends couriers for webhooks that are in nobody's hands.
    async fn match_up(
        &self,
        couriers: &mut BTreeMap<WebhookId, Sent>,
        tasks: &mut JoinSet<()>,
        all: Vec<AtWork>,
    ) {
        let ours: BTreeMap<_, _> = all
            .iter()
            .filter(|hook| hook.holder == Some(self.0.instance))
            .map(|hook| (hook.id, hook))
            .collect();
        for (id, sent) in couriers.iter() {
            match ours.get(id).filter(|hook| hook.claim == sent.claim) {
                Some(hook) => {
                    sent.revision.send_if_modified(|known| {
                        std::mem::replace(known, hook.revision) != hook.revision
                    });
                }
                None => sent.stop.cancel(),
            }
        }
        // Our own, of which no courier is left, is free as well.
        let free = |hook: &&AtWork| {
            let nobodys = hook.holder.is_none_or(|holder| holder == self.0.instance);
            nobodys && !couriers.contains_key(&hook.id)
        };
        let operator = self.0.store.operator();
        let free: Vec<_> = all.iter().filter(free).take(TAKEN_AT_ONCE).collect();
        for hook in free {
            let claimed = operator.claim_webhook(hook, self.0.instance);
            match timeout(ANSWER, claimed).await {
                Ok(Ok(Some(claim))) => {
                    let (revision, changed) = watch::channel(hook.revision);
                    let stop = CancellationToken::new();
                    let number = claim.number();
                    let inner = Arc::clone(&self.0);
                    tasks.spawn(Courier::new(inner, claim, changed, stop.clone()).run());
                    couriers.insert(hook.id, Sent { revision, stop, claim: number });
                }
                Ok(Ok(None)) => {}
                Ok(Err(error)) => tracing::debug!(%error, "a webhook can't be taken now"),
                Err(_) => tracing::debug!("a webhook can't be taken now"),
            }
        }
    }
}

/// A courier at work.
struct Sent {
    /// Closed when it has ended.
    revision: watch::Sender<i64>,
    stop: CancellationToken,
    claim: i64,
}

impl Inner {
    /// Signs with the secrets that a webhook has now.
    async fn signer(&self, scope: &TenantScope, id: WebhookId) -> Result<Signer, HookError> {
        let (kept, keys) = (scope.webhook_secrets(id).await?, scope.keys().await?);
        let mut opened = Vec::new();
        for secret in kept {
            let label = SecretOf::Webhook.label(secret.id);
            let text = self.keyring.open(scope.id(), &keys, &label, &secret.sealed)?;
            opened.push((text, secret.until));
        }
        let secrets = opened.iter().map(|(text, until)| (text.as_str(), *until));
        Ok(Signer::new(secrets)?)
    }
}
