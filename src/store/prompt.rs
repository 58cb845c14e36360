//! Prompts: a name, and where FreeSWITCH finds the file.

use sqlx::FromRow;

use super::act::put_act;
use super::pool::{in_transaction, on};
use super::{StoreError, TenantScope, now_ms, timestamp};
use crate::base::ids::PromptName;
use crate::base::millis::Millis;
use crate::esl::argument::FilePath;
use crate::model::tenant::StoredPrompt;

#[derive(Debug, FromRow)]
pub(super) struct PromptRow {
    tenant: String,
    name: String,
    path: String,
    length_ms: Option<i64>,
    created_ms: i64,
}

impl TryFrom<PromptRow> for StoredPrompt {
    type Error = StoreError;
    fn try_from(row: PromptRow) -> Result<Self, StoreError> {
        Ok(Self {
            tenant: row.tenant.parse().map_err(StoreError::corrupt)?,
            name: row.name.parse().map_err(StoreError::corrupt)?,
            path: row.path,
            length_ms: row.length_ms.map(u64::try_from).transpose().map_err(StoreError::corrupt)?,
            created: timestamp(row.created_ms)?,
        })
    }
}

pub(super) const ALL: &str = "SELECT * FROM prompt ORDER BY tenant, name";

/// Only paths that FreeSWITCH can be told: any other would fail in every call that plays it.
fn check(path: &str) -> Result<(), StoreError> {
    FilePath::new(path).map(drop).map_err(|refused| {
        StoreError::Invalid(format!(
            "FreeSWITCH can't be told `{}`: {}; a path is absolute, of letters, digits, `/_.-+=`",
            path.chars().take(200).collect::<String>().escape_debug(),
            refused.why
        ))
    })
}

impl TenantScope {
    /// Adds a prompt, or gives one that the tenant has another file: calls that begin later play
    /// it.
    pub async fn put_prompt(
        &self,
        name: &PromptName,
        path: &str,
        length: Option<Millis>,
    ) -> Result<StoredPrompt, StoreError> {
        check(path)?;
        let length = length
            .map(|length| i64::try_from(length.ms()))
            .transpose()
            .map_err(|error| StoreError::Invalid(error.to_string()))?;
        let was = self.prompt(name).await.ok();
        let new = serde_json::json!({ "path": path, "length_ms": length });
        let act = self.act("prompt.put", name, was.as_ref(), Some(&new))?;
        let put = async || -> Result<(), StoreError> {
            in_transaction!(self.store.ready().await?, tx => {
            sqlx::query(
                "INSERT INTO prompt (tenant, name, path, length_ms, created_ms) \
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant, name) DO UPDATE SET \
                 path = excluded.path, length_ms = excluded.length_ms, \
                 created_ms = excluded.created_ms",
            )
            .bind(self.key())
            .bind(name.as_str())
            .bind(path)
            .bind(length)
            .bind(now_ms())
            .execute(&mut *tx)
            .await?;
            put_act!(tx, act);
            });
            Ok(())
        };
        put().await.map_err(|error| self.without_tenant(error))?;
        self.store.ring();
        self.prompt(name).await
    }

    pub async fn prompt(&self, name: &PromptName) -> Result<StoredPrompt, StoreError> {
        let row = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, PromptRow>("SELECT * FROM prompt WHERE tenant = $1 AND name = $2")
                .bind(self.key())
                .bind(name.as_str())
                .fetch_optional(db)
                .await?
        });
        row.ok_or_else(|| StoreError::not_found("prompt", name))?.try_into()
    }

    /// By name.
    pub async fn prompts(&self) -> Result<Vec<StoredPrompt>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, PromptRow>("SELECT * FROM prompt WHERE tenant = $1 ORDER BY name")
                .bind(self.key())
                .fetch_all(db)
                .await?
        });
        rows.into_iter().map(StoredPrompt::try_from).collect()
    }

    /// Forgets a prompt; its file stays.
    ///
    /// # Errors
    /// Something live plays it: what, is said.
    pub async fn remove_prompt(&self, name: &PromptName) -> Result<(), StoreError> {
        let was = self.prompt(name).await?;
        let users = self.prompt_users(name).await?;
        if !users.is_empty() {
            let sentence = format!("the prompt `{name}` is played by {}", users.join(", "));
            return Err(StoreError::Conflict(sentence));
        }
        let delete = "DELETE FROM prompt WHERE tenant = $1 AND name = $2";
        self.forget(delete, ("prompt", "prompt.remove"), name.as_str(), &was).await
    }

    /// A row can't be written for a tenant that does not exist.
    pub(super) fn without_tenant(&self, error: impl Into<StoreError>) -> StoreError {
        match error.into() {
            StoreError::Invalid(_) => StoreError::not_found("tenant", self.tenant),
            other => other,
        }
    }
}
