//! Answers to requests that may be sent again: of those with the same name the first counts.

use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use uuid::Uuid;

use super::pool::{in_transaction, on};
use super::{Operator, StoreError};
use crate::base::ids::TenantId;

/// How long an answer is kept, in milliseconds.
const KEPT_MS: i64 = 24 * 3_600 * 1_000;
/// Answers that are kept for one tenant, or for the operator.
const KEPT_MAX: i64 = 10_000;
/// Old answers of anybody that are removed with each new one.
const SWEPT_MAX: i64 = 100;

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAnswer {
    pub status: u16,
    /// By name.
    pub headers: Vec<(String, String)>,
    /// None where it held a secret.
    pub body: Option<String>,
}

/// What is known of a request when it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Earlier {
    /// Nothing: from now on it is being answered.
    None,
    /// It came before, or another of the same name: its mark, and the answer where there is one
    /// already, and for how long it has been there, in milliseconds.
    Some { mark: String, answer: Option<KeptAnswer>, age_ms: i64 },
    /// Too many are kept for this tenant.
    TooMany,
}

#[derive(Debug, FromRow)]
struct AnsweredRow {
    request: String,
    status: Option<i64>,
    headers: Option<String>,
    body: Option<String>,
    age_ms: i64,
}

impl TryFrom<AnsweredRow> for Earlier {
    type Error = StoreError;
    fn try_from(row: AnsweredRow) -> Result<Self, StoreError> {
        let answer = match row.status {
            None => None,
            Some(status) => Some(KeptAnswer {
                status: u16::try_from(status).map_err(StoreError::corrupt)?,
                headers: serde_json::from_str(row.headers.as_deref().unwrap_or("[]"))
                    .map_err(StoreError::corrupt)?,
                body: row.body,
            }),
        };
        Ok(Self::Some { mark: row.request, answer, age_ms: row.age_ms })
    }
}

impl Operator {
    /// A request of this name comes, by a key, a user or a token of this tenant's, or by a key of
    /// the operator's; its mark tells it from others of the same name. Unless there was one before,
    /// it is being answered.
    pub async fn begin_answer(
        &self,
        asker: Uuid,
        tenant: Option<TenantId>,
        name: &str,
        mark: &str,
    ) -> Result<Earlier, StoreError> {
        let tenant = tenant.map(|id| id.to_string()).unwrap_or_default();
        let (rows, row) = in_transaction!(self.store.ready().await?, tx => {
            sqlx::query(
                "DELETE FROM answered WHERE (api_key, name) IN (SELECT api_key, name \
                 FROM answered, clock WHERE at_ms < now_ms - $1 ORDER BY at_ms LIMIT $2)",
            )
            .bind(KEPT_MS)
            .bind(SWEPT_MAX)
            .execute(&mut *tx)
            .await?;
            let rows = sqlx::query(
                "INSERT INTO answered (api_key, name, tenant, request, at_ms) \
                 SELECT $1, $2, $3, $4, now_ms FROM clock WHERE \
                 (SELECT count(*) FROM answered WHERE tenant = $3) < $5 \
                 ON CONFLICT (api_key, name) DO NOTHING",
            )
            .bind(asker.to_string())
            .bind(name)
            .bind(&tenant)
            .bind(mark)
            .bind(KEPT_MAX)
            .execute(&mut *tx)
            .await?
            .rows_affected();
            let row = sqlx::query_as::<_, AnsweredRow>(
                "SELECT request, status, headers, body, now_ms - at_ms AS age_ms \
                 FROM answered, clock WHERE api_key = $1 AND name = $2",
            )
            .bind(asker.to_string())
            .bind(name)
            .fetch_optional(&mut *tx)
            .await?;
            (rows, row)
        });
        match row {
            _ if rows > 0 => Ok(Earlier::None),
            Some(row) => row.try_into(),
            None => Ok(Earlier::TooMany),
        }
    }

    /// A request was answered; with no answer it counts as never asked.
    pub async fn end_answer(
        &self,
        asker: Uuid,
        name: &str,
        answer: Option<&KeptAnswer>,
    ) -> Result<(), StoreError> {
        let Some(answer) = answer else {
            on!(self.store.ready().await?, db => {
                sqlx::query("DELETE FROM answered WHERE api_key = $1 AND name = $2")
                    .bind(asker.to_string())
                    .bind(name)
                    .execute(db)
                    .await
                    .map(drop)?;
            });
            return Ok(());
        };
        let headers = serde_json::to_string(&answer.headers).map_err(StoreError::corrupt)?;
        on!(self.store.ready().await?, db => {
            sqlx::query(
                "UPDATE answered SET status = $3, headers = $4, body = $5 \
                 WHERE api_key = $1 AND name = $2",
            )
            .bind(asker.to_string())
            .bind(name)
            .bind(i64::from(answer.status))
            .bind(headers)
            .bind(&answer.body)
            .execute(db)
            .await
            .map(drop)?;
        });
        Ok(())
    }
}
