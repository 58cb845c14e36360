//! Who delivers for one webhook, round after round: when the webhook is changed, the next begins
//! with what is kept then.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::health::Health;
use super::post::Receiver;
use super::round::{Over, Round};
use super::{HookError, Inner};
use crate::store::{Claim, Laid};

/// After the database was away.
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// After something was wrong that time alone does not put right.
const RETRY_WRONG: Duration = Duration::from_secs(60);

pub(super) struct Courier {
    inner: Arc<Inner>,
    claim: Claim,
    /// Another after each change.
    revision: watch::Receiver<i64>,
    stop: CancellationToken,
}

impl Courier {
    pub(super) const fn new(
        inner: Arc<Inner>,
        claim: Claim,
        revision: watch::Receiver<i64>,
        stop: CancellationToken,
    ) -> Self {
        Self { inner, claim, revision, stop }
    }

    /// Until it is to stop, or the webhook is not ours any more.
    pub(super) async fn run(mut self) {
        let mut health = Health::default();
        while !self.stop.is_cancelled() {
            self.revision.mark_unchanged();
            let pause = match self.load().await {
                Ok(None) => break,
                Ok(Some((laid, to))) => {
                    let ours = (&self.inner, &self.claim, &self.stop);
                    let round = Round::new(ours, laid, to, &mut health);
                    match round.run(&mut self.revision).await {
                        Over::Changed => continue,
                        Over::Done => break,
                    }
                }
                Err(HookError::Store(error)) if error.retryable() => {
                    tracing::debug!(%error, "a webhook waits");
                    RETRY
                }
                Err(error) => {
                    let webhook = self.claim.webhook();
                    tracing::error!(%webhook, %error, "a webhook can't be delivered for");
                    RETRY_WRONG
                }
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = self.stop.cancelled() => {}
                _ = self.revision.changed() => {}
            }
        }
        if let Err(error) = self.claim.release().await {
            tracing::debug!(%error, "nobody was told that a webhook is free");
        }
    }

    async fn load(&self) -> Result<Option<(Laid, Receiver)>, HookError> {
        let Some(laid) = self.claim.load().await? else { return Ok(None) };
        let signer = self.inner.signer(self.claim.scope(), self.claim.webhook()).await?;
        let to = Receiver { url: laid.url.clone(), signer: Arc::new(signer) };
        Ok(Some((laid, to)))
    }
}
