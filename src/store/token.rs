//! Tokens for browsers: those that are not over yet, and those that were revoked before.

use sqlx::FromRow;

use super::act::put_act;
use super::page::{Cursor, Page, Wanted};
use super::pool::{in_transaction, on};
use super::{StoreError, TenantScope};
use crate::base::ids::TokenId;
use crate::model::token::Token;

/// Tokens of anybody that are over and are removed with each new one.
const SWEPT_MAX: i64 = 100;

/// Those that count no more although their time is not over.
pub(super) const REVOKED: &str = "SELECT id FROM token, clock \
     WHERE revoked_ms IS NOT NULL AND expires_ms > now_ms ORDER BY id";

#[derive(Debug, FromRow)]
pub(super) struct RevokedRow {
    id: String,
}

impl TryFrom<RevokedRow> for TokenId {
    type Error = StoreError;
    fn try_from(row: RevokedRow) -> Result<Self, StoreError> {
        row.id.parse().map_err(StoreError::corrupt)
    }
}

fn said(text: &str) -> Result<Token, StoreError> {
    serde_json::from_str(text).map_err(StoreError::corrupt)
}

impl TenantScope {
    /// Writes down that a token was minted.
    pub async fn note_token(&self, token: &Token) -> Result<(), StoreError> {
        let act = self.act("token.mint", token.id, None::<&()>, Some(token))?;
        let text = serde_json::to_string(token).map_err(StoreError::corrupt)?;
        in_transaction!(self.store.ready().await?, tx => {
            sqlx::query(
                "DELETE FROM token WHERE (tenant, id) IN (SELECT tenant, id FROM token, clock \
                 WHERE expires_ms <= now_ms ORDER BY expires_ms LIMIT $1)",
            )
            .bind(SWEPT_MAX)
            .execute(&mut *tx)
            .await?;
            sqlx::query(
                "INSERT INTO token (tenant, id, said, minted_ms, expires_ms) \
                 VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(self.key())
            .bind(token.id.to_string())
            .bind(&text)
            .bind(token.minted.as_millisecond())
            .bind(token.expires.as_millisecond())
            .execute(&mut *tx)
            .await?;
            put_act!(tx, act);
        });
        Ok(())
    }

    /// The tokens whose time is not over and that were not revoked, the newest first. Some of them
    /// may count no more, because their key or their user does not.
    pub async fn tokens(
        &self,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Token>, StoreError> {
        let wanted = Wanted::new(after, limit);
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, (String,)>(
                "SELECT said FROM token, clock WHERE tenant = $1 AND revoked_ms IS NULL \
                 AND expires_ms > now_ms \
                 AND (minted_ms < $2 OR (minted_ms = $2 AND id < $3)) \
                 ORDER BY minted_ms DESC, id DESC LIMIT $4",
            )
            .bind(self.key())
            .bind(wanted.before_ms)
            .bind(&wanted.before_id)
            .bind(wanted.rows())
            .fetch_all(db)
            .await?
        });
        let tokens = rows.iter().map(|(text,)| said(text)).collect::<Result<Vec<_>, _>>()?;
        Ok(wanted.page(tokens, |token| Cursor::new(token.minted, token.id.0)))
    }

    /// A token counts no more, on any node.
    ///
    /// # Errors
    /// There is none of this name, or it counts no more already.
    pub async fn revoke_token(&self, id: TokenId) -> Result<(), StoreError> {
        let (key, name) = (self.key(), id.to_string());
        let none = || StoreError::not_found("token", id);
        in_transaction!(self.store.ready().await?, tx => {
            let row = sqlx::query_as::<_, (String,)>(
                "UPDATE token SET revoked_ms = (SELECT now_ms FROM clock) \
                 WHERE tenant = $1 AND id = $2 AND revoked_ms IS NULL \
                 AND expires_ms > (SELECT now_ms FROM clock) RETURNING said",
            )
            .bind(&key)
            .bind(&name)
            .fetch_optional(&mut *tx)
            .await?;
            let (text,) = row.ok_or_else(none)?;
            let act = self.act("token.revoke", id, Some(&said(&text)?), None::<&()>)?;
            put_act!(tx, act);
        });
        self.store.ring();
        Ok(())
    }
}
