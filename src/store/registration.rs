//! How FreeSWITCHes stand with gateways, now and before.

use sqlx::FromRow;

use super::event::{News, put_news};
use super::pool::{in_transaction, on};
use super::{Operator, StoreError, TenantScope};
use crate::base::ids::{GatewayId, GatewayName, InstanceId};
use crate::model::registration::{Registration, Standing};

/// Changes of one gateway that are kept.
const HISTORY_MAX: i64 = 500;
/// Changes that are listed at once.
pub const HISTORY_PAGE: u32 = 100;
/// How long a process has a FreeSWITCH's gateways to itself, in milliseconds.
const TURN_MS: i64 = 30_000;

#[derive(Debug, FromRow)]
struct StateRow {
    gateway: String,
    switch: String,
    state: String,
    code: Option<i64>,
    phrase: String,
    at_us: i64,
}

impl StateRow {
    fn read(self) -> Result<(GatewayId, Registration), StoreError> {
        let standing: Standing =
            serde_json::from_value(self.state.into()).map_err(StoreError::corrupt)?;
        let code = self.code.map(u16::try_from).transpose().map_err(StoreError::corrupt)?;
        let since = jiff::Timestamp::from_microsecond(self.at_us).map_err(StoreError::corrupt)?;
        let gateway = self.gateway.parse().map_err(StoreError::corrupt)?;
        Ok((gateway, Registration::new(self.switch, standing, code, self.phrase, since)))
    }
}

/// All that is known of a tenant's gateways, by their names.
pub(super) const STATES: &str = "SELECT g.name, s.gateway, s.switch, s.state, s.code, s.phrase, \
     s.at_us FROM gateway_state s JOIN gateway g ON g.id = s.gateway \
     WHERE g.tenant = $1 ORDER BY g.name, s.switch";

#[derive(Debug, FromRow)]
pub(super) struct NamedState {
    name: String,
    #[sqlx(flatten)]
    state: StateRow,
}

impl NamedState {
    pub(super) fn read(self) -> Result<(GatewayName, Registration), StoreError> {
        let (_, now) = self.state.read()?;
        Ok((self.name.parse().map_err(StoreError::corrupt)?, now))
    }
}

impl Operator {
    /// Writes down how a FreeSWITCH stands with a gateway now. What is known already, or is older
    /// than that, changes nothing.
    pub async fn note_registration(
        &self,
        gateway: GatewayId,
        now: &Registration,
    ) -> Result<(), StoreError> {
        let at_us = now.since.as_microsecond();
        in_transaction!(self.store.ready().await?, tx => {
            let done = sqlx::query(
                "INSERT INTO gateway_state (gateway, switch, state, code, phrase, at_us) \
                 SELECT $1, $2, $3, $4, $5, $6 \
                 WHERE EXISTS (SELECT 1 FROM gateway WHERE id = $1) \
                 ON CONFLICT (gateway, switch) DO UPDATE SET state = excluded.state, \
                 code = excluded.code, phrase = excluded.phrase, at_us = excluded.at_us \
                 WHERE gateway_state.at_us < excluded.at_us \
                 AND (gateway_state.state <> excluded.state \
                 OR COALESCE(gateway_state.code, 0) <> COALESCE(excluded.code, 0))",
            )
            .bind(gateway.to_string())
            .bind(&now.switch)
            .bind(now.standing.name())
            .bind(now.code.map(i64::from))
            .bind(&now.phrase)
            .bind(at_us)
            .execute(&mut *tx)
            .await?;
            if done.rows_affected() > 0 {
                sqlx::query(
                    "INSERT INTO gateway_history (gateway, switch, at_us, state, code, phrase) \
                     VALUES ($1, $2, $3, $4, $5, $6) \
                     ON CONFLICT (gateway, switch, at_us) DO NOTHING",
                )
                .bind(gateway.to_string())
                .bind(&now.switch)
                .bind(at_us)
                .bind(now.standing.name())
                .bind(now.code.map(i64::from))
                .bind(&now.phrase)
                .execute(&mut *tx)
                .await?;
                sqlx::query(
                    "DELETE FROM gateway_history WHERE gateway = $1 AND at_us <= \
                     (SELECT at_us FROM gateway_history WHERE gateway = $1 \
                     ORDER BY at_us DESC LIMIT 1 OFFSET $2)",
                )
                .bind(gateway.to_string())
                .bind(HISTORY_MAX)
                .execute(&mut *tx)
                .await?;
                let whose = sqlx::query_as::<_, (String, String)>(
                    "SELECT tenant, name FROM gateway WHERE id = $1",
                )
                .bind(gateway.to_string())
                .fetch_optional(&mut *tx)
                .await?;
                if let Some((tenant, name)) = whose {
                    let tenant = tenant.parse().map_err(StoreError::corrupt)?;
                    let name = name.parse().map_err(StoreError::corrupt)?;
                    let news = [News::of_gateway(tenant, gateway, name, now)];
                    put_news!(tx, &news);
                }
            }
        });
        self.store.tell();
        Ok(())
    }

    /// Whether this process may change a FreeSWITCH's gateways now: no other says that it does.
    pub async fn take_turn(&self, switch: &str, instance: InstanceId) -> Result<bool, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query(
                "INSERT INTO gateway_turn (switch, instance, until_ms) \
                 SELECT $1, $2, now_ms + $3 FROM clock WHERE TRUE \
                 ON CONFLICT (switch) DO UPDATE SET instance = excluded.instance, \
                 until_ms = excluded.until_ms WHERE gateway_turn.instance = excluded.instance \
                 OR gateway_turn.until_ms < (SELECT now_ms FROM clock)",
            )
            .bind(switch)
            .bind(instance.to_string())
            .bind(TURN_MS)
            .execute(db)
            .await?
            .rows_affected()
        });
        Ok(rows > 0)
    }

    /// Lets others change that FreeSWITCH's gateways.
    pub async fn end_turn(&self, switch: &str, instance: InstanceId) -> Result<(), StoreError> {
        on!(self.store.ready().await?, db => {
            sqlx::query("DELETE FROM gateway_turn WHERE switch = $1 AND instance = $2")
                .bind(switch)
                .bind(instance.to_string())
                .execute(db)
                .await
                .map(drop)?;
        });
        Ok(())
    }
}

impl TenantScope {
    /// How each FreeSWITCH stands with each of the tenant's gateways.
    pub async fn registrations(&self) -> Result<Vec<(GatewayId, Registration)>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, StateRow>(
                "SELECT s.gateway, s.switch, s.state, s.code, s.phrase, s.at_us \
                 FROM gateway_state s JOIN gateway g ON g.id = s.gateway \
                 WHERE g.tenant = $1 ORDER BY s.gateway, s.switch",
            )
            .bind(self.key())
            .fetch_all(db)
            .await?
        });
        rows.into_iter().map(StateRow::read).collect()
    }

    /// How FreeSWITCHes stood with a gateway before, the latest first; at most
    /// [`HISTORY_PAGE`] at once, those before a moment.
    pub async fn registration_history(
        &self,
        gateway: GatewayId,
        before: Option<jiff::Timestamp>,
    ) -> Result<Vec<Registration>, StoreError> {
        let before = before.map_or(i64::MAX, jiff::Timestamp::as_microsecond);
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, StateRow>(
                "SELECT h.gateway, h.switch, h.state, h.code, h.phrase, h.at_us \
                 FROM gateway_history h JOIN gateway g ON g.id = h.gateway \
                 WHERE g.tenant = $1 AND g.id = $2 AND h.at_us < $3 \
                 ORDER BY h.at_us DESC, h.switch LIMIT $4",
            )
            .bind(self.key())
            .bind(gateway.to_string())
            .bind(before)
            .bind(i64::from(HISTORY_PAGE))
            .fetch_all(db)
            .await?
        });
        rows.into_iter().map(|row| row.read().map(|(_, registration)| registration)).collect()
    }
}
