//! What came of attempts. Each is written down before anything later about the same thing is sent.

use super::super::act::put_act;
use super::super::event::{News, put_news};
use super::super::pool::in_transaction;
use super::super::{StoreError, timestamp};
use super::claim::Claim;
use super::work::signed;
use crate::base::ids::WebhookName;
use crate::base::millis::Millis;
use crate::model::event::{Happened, Kind};

/// Longest words about what was wrong, in characters.
const ERROR_MAX: usize = 300;

/// What came of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub sequence: u64,
    pub kind: String,
    pub verdict: Verdict,
    pub status: Option<u16>,
    /// What was wrong, in words.
    pub error: Option<String>,
    pub latency_ms: u64,
    /// The receiver wants nothing more at all.
    pub gone: bool,
}

/// What becomes of a delivery after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Delivered,
    /// It is tried again after this time.
    Again(Millis),
    GivenUp,
}

/// Whether attempts were written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Kept,
    /// And the webhook was disabled.
    Disabled,
    /// The claim is another's by now.
    NotOurs,
}

fn cut(words: &str) -> String {
    words.chars().take(ERROR_MAX).collect::<String>().replace('\0', "\u{fffd}")
}

/// Writes one attempt down; a delivery that was made does not need its event any more.
macro_rules! put_attempt {
    ($tx:ident, $webhook:expr, $attempt:expr, $now_ms:expr) => {
        let (state, pause) = match $attempt.verdict {
            Verdict::Delivered => ("delivered", 0),
            Verdict::Again(pause) => ("waiting", signed(pause.ms())),
            Verdict::GivenUp => ("failed", 0),
        };
        sqlx::query(
            "UPDATE webhook_delivery SET state = $4, due_ms = $5, attempts = attempts + 1, \
             tried_ms = $6, status = $7, error = $8, latency_ms = $9, \
             body = CASE WHEN $4 = 'delivered' THEN NULL ELSE body END \
             WHERE webhook = $1 AND sequence = $2 AND type = $3",
        )
        .bind($webhook.to_string())
        .bind(signed($attempt.sequence))
        .bind(&$attempt.kind)
        .bind(state)
        .bind(i64::saturating_add($now_ms, pause))
        .bind($now_ms)
        .bind($attempt.status.map(i64::from))
        .bind($attempt.error.as_deref().map(cut))
        .bind(signed($attempt.latency_ms))
        .execute(&mut *$tx)
        .await?;
    };
}

impl Claim {
    /// Writes attempts down. A webhook of which every attempt failed for `patience`, or that wants
    /// nothing more, is disabled, and that is told.
    pub async fn settle(
        &self,
        name: &WebhookName,
        attempts: &[Attempt],
        patience: Millis,
    ) -> Result<Outcome, StoreError> {
        let taken = attempts.iter().any(|attempt| attempt.verdict == Verdict::Delivered);
        let outcome = in_transaction!(self.scope.store.ready().await?, tx => {
            let row = sqlx::query_as::<_, (bool, Option<i64>, i64)>(
                "UPDATE webhook SET failing_ms = CASE WHEN $4 THEN NULL \
                 ELSE COALESCE(failing_ms, (SELECT now_ms FROM clock)) END \
                 WHERE id = $1 AND holder = $2 AND claim = $3 \
                 RETURNING enabled, failing_ms, (SELECT now_ms FROM clock)",
            )
            .bind(self.webhook.to_string())
            .bind(self.holder.to_string())
            .bind(self.number)
            .bind(taken)
            .fetch_optional(&mut *tx)
            .await?;
            let Some((enabled, failing_ms, now_ms)) = row else { return Ok(Outcome::NotOurs) };
            for attempt in attempts {
                put_attempt!(tx, self.webhook, attempt, now_ms);
            }
            match why_disabled(attempts, failing_ms.map(|since| now_ms - since), patience) {
                Some(why) if enabled => {
                    sqlx::query(
                        "UPDATE webhook SET enabled = FALSE, disabled_ms = $2, \
                         disabled_why = $3, changed_ms = $2, revision = revision + 1 \
                         WHERE id = $1",
                    )
                    .bind(self.webhook.to_string())
                    .bind(now_ms)
                    .bind(&why)
                    .execute(&mut *tx)
                    .await?;
                    let is = serde_json::json!({ "enabled": false, "reason": why });
                    put_act!(tx, self.scope.act("webhook.disable", name, None::<&()>, Some(&is))?);
                    put_news!(tx, &[self.disabled(name, why, now_ms)?]);
                    Outcome::Disabled
                }
                Some(_) | None => Outcome::Kept,
            }
        });
        if outcome == Outcome::Disabled {
            self.scope.store.tell();
        }
        Ok(outcome)
    }

    fn disabled(
        &self,
        name: &WebhookName,
        reason: String,
        now_ms: i64,
    ) -> Result<News, StoreError> {
        let kind = Kind::WebhookDisabled { webhook: name.clone(), reason };
        let source = format!("webhook {} disabled {now_ms}", self.webhook);
        let what = Happened { at: timestamp(now_ms)?, kind };
        Ok(News { tenant: self.scope.id(), source, what })
    }
}

/// Why nothing more is to be sent: nothing is wanted, or nothing worked for so long.
fn why_disabled(attempts: &[Attempt], failing_ms: Option<i64>, patience: Millis) -> Option<String> {
    let words = |attempt: &Attempt| cut(attempt.error.as_deref().unwrap_or_default());
    if let Some(gone) = attempts.iter().find(|attempt| attempt.gone) {
        return Some(words(gone));
    }
    let last = attempts.last().filter(|_| failing_ms >= Some(signed(patience.ms())))?;
    Some(format!("every attempt failed for {patience}; the last: {}", words(last)))
}
