//! What routing is made of, as of one moment: read from the database, or from the file in which it
//! was left.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::api_key::{ApiKeyRow, KnownKey};
use super::blocked::{BlockRow, StoredBlock};
use super::extension::{ExtensionRow, StoredExtension};
use super::gateway::{GatewayRow, StoredGateway};
use super::limit::{LimitRow, StoredLimit};
use super::number::NumberRow;
use super::outbound::{LockRow, RouteRow, RulesRow, StoredLock, StoredRoute, StoredRules};
use super::pool::{in_snapshot, on};
use super::profile::ProfileRow;
use super::prompt::PromptRow;
use super::room::{RoomRow, StoredRoom};
use super::schedule::{ScheduleRow, StoredSchedule};
use super::sealed::FactKey;
use super::tenant::TenantRow;
use super::token::RevokedRow;
use super::user::{StoredUser, UserRow};
use super::{
    Store, StoreError, api_key, blocked, extension, gateway, limit, now_ms, number, outbound,
    positive, profile, prompt, room, schedule, sealed, token, user,
};
use crate::base::ids::{FlowId, FlowName, TenantId, TokenId};
use crate::flow::program::Published;
use crate::flow::{Flow, Limits};
use crate::model::profile::Profile;
use crate::model::tenant::{NumberRoute, StoredPrompt, Tenant};

/// How long a version, or what a schedule said, is kept that is no longer current, in milliseconds:
/// the longest life of a call that began on it, and something for clocks that differ.
pub(super) const SUPERSEDED_MS: u64 = Limits::CEILING.duration.ms() + 10 * 60_000;
/// Of each so many are kept so at most, of all tenants together: the latest.
const SUPERSEDED_MAX: i64 = 1_000;

/// Everything that routing needs to know.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Facts {
    /// The database's count of changes when it was read.
    #[serde(skip, default = "never")]
    pub(super) counter: i64,
    pub(super) tenants: Vec<Tenant>,
    pub(super) numbers: Vec<NumberRoute>,
    pub(super) prompts: Vec<StoredPrompt>,
    #[serde(default)]
    pub(super) rooms: Vec<StoredRoom>,
    #[serde(default)]
    pub(super) schedules: Vec<StoredSchedule>,
    #[serde(default)]
    pub(super) users: Vec<StoredUser>,
    #[serde(default)]
    pub(super) revoked: Vec<TokenId>,
    #[serde(default)]
    pub(super) api_keys: Vec<KnownKey>,
    #[serde(default)]
    pub(super) gateways: Vec<StoredGateway>,
    #[serde(default)]
    pub(super) extensions: Vec<StoredExtension>,
    #[serde(default)]
    pub(super) blocked: Vec<StoredBlock>,
    #[serde(default)]
    pub(super) limits: Vec<StoredLimit>,
    #[serde(default)]
    pub(super) profiles: Vec<Profile>,
    /// Those that open passwords.
    #[serde(default)]
    pub(super) keys: Vec<FactKey>,
    #[serde(default)]
    pub(super) routes: Vec<StoredRoute>,
    #[serde(default)]
    pub(super) rules: Vec<StoredRules>,
    #[serde(default)]
    pub(super) locks: Vec<StoredLock>,
    pub(super) versions: Vec<FlowVersion>,
}

/// Unlike any count of the database: whoever has it looks again.
const fn never() -> i64 {
    -1
}

/// A version of a flow that a call may run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(into = "Written", from = "Written")]
pub(super) struct FlowVersion {
    pub(super) flow: FlowId,
    pub(super) tenant: TenantId,
    /// Whether new calls get it.
    pub(super) current: bool,
    pub(super) published: Arc<Published>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    flow: FlowId,
    tenant: TenantId,
    current: bool,
    name: FlowName,
    version: u32,
    document: Flow,
}

impl From<FlowVersion> for Written {
    fn from(version: FlowVersion) -> Self {
        Self {
            flow: version.flow,
            tenant: version.tenant,
            current: version.current,
            name: version.published.name.clone(),
            version: version.published.version,
            document: version.published.flow.clone(),
        }
    }
}

impl From<Written> for FlowVersion {
    fn from(written: Written) -> Self {
        let published = Published::new(written.name, written.version, written.document);
        Self {
            flow: written.flow,
            tenant: written.tenant,
            current: written.current,
            published: Arc::new(published),
        }
    }
}

type Known = BTreeMap<(FlowId, u32), Arc<Published>>;

impl Facts {
    pub(super) fn nothing() -> Self {
        Self { counter: never(), ..Self::default() }
    }

    /// Reads everything as of one moment. Versions that are known already are not parsed again.
    pub(super) async fn read(store: &Store, before: &Self) -> Result<Self, StoreError> {
        let versions = before.versions.iter();
        let known: Known = versions
            .map(|one| ((one.flow, one.published.version), Arc::clone(&one.published)))
            .collect();
        let rows = Rows::read(store, &known).await?;
        let mut versions = Vec::new();
        for (row, document) in rows.versions {
            versions.extend(row.parse(document, &known)?);
        }
        Ok(Self {
            counter: rows.counter,
            tenants: parse_each(rows.tenants)?,
            numbers: parse_each(rows.numbers)?,
            prompts: parse_each(rows.prompts)?,
            rooms: parse_each(rows.rooms)?,
            schedules: parse_each(rows.schedules)?,
            users: parse_each(rows.users)?,
            revoked: parse_each(rows.revoked)?,
            api_keys: parse_each(rows.api_keys)?,
            gateways: parse_each(rows.gateways)?,
            extensions: parse_each(rows.extensions)?,
            blocked: parse_each(rows.blocked)?,
            limits: parse_each(rows.limits)?,
            profiles: parse_each(rows.profiles)?,
            keys: rows.keys,
            routes: parse_each(rows.routes)?,
            rules: parse_each(rows.rules)?,
            locks: parse_each(rows.locks)?,
            versions,
        })
    }
}

fn parse_each<Row, T: TryFrom<Row, Error = StoreError>>(
    rows: Vec<Row>,
) -> Result<Vec<T>, StoreError> {
    rows.into_iter().map(T::try_from).collect()
}

#[derive(Debug, FromRow)]
struct VersionRow {
    id: String,
    tenant: String,
    name: String,
    version: i64,
    current: bool,
}

impl VersionRow {
    fn key(&self) -> Result<(FlowId, u32), StoreError> {
        Ok((self.id.parse().map_err(StoreError::corrupt)?, positive(self.version)?))
    }

    /// One that can't be read leaves the others in use.
    fn parse(
        &self,
        document: Option<String>,
        known: &Known,
    ) -> Result<Option<FlowVersion>, StoreError> {
        let tenant = self.tenant.parse().map_err(StoreError::corrupt)?;
        let name: FlowName = self.name.parse().map_err(StoreError::corrupt)?;
        let (flow, version) = self.key()?;
        let published = match known.get(&(flow, version)) {
            Some(published) => Arc::clone(published),
            None => match serde_json::from_str(&document.unwrap_or_default()) {
                Ok(document) => Arc::new(Published::new(name, version, document)),
                Err(error) => {
                    tracing::error!(%tenant, flow = %name, version, %error, "a flow can't be read");
                    return Ok(None);
                }
            },
        };
        Ok(Some(FlowVersion { flow, tenant, current: self.current, published }))
    }
}

struct Rows {
    counter: i64,
    tenants: Vec<TenantRow>,
    numbers: Vec<NumberRow>,
    prompts: Vec<PromptRow>,
    rooms: Vec<RoomRow>,
    schedules: Vec<ScheduleRow>,
    users: Vec<UserRow>,
    revoked: Vec<RevokedRow>,
    api_keys: Vec<ApiKeyRow>,
    gateways: Vec<GatewayRow>,
    extensions: Vec<ExtensionRow>,
    blocked: Vec<BlockRow>,
    limits: Vec<LimitRow>,
    profiles: Vec<ProfileRow>,
    keys: Vec<FactKey>,
    routes: Vec<RouteRow>,
    rules: Vec<RulesRow>,
    locks: Vec<LockRow>,
    /// The document only of those not known.
    versions: Vec<(VersionRow, Option<String>)>,
}

const COUNTER: &str = "SELECT counter FROM routing_change";
/// Versions that gave way after `$1`, the latest `$2` of them.
const SUPERSEDED: &str = "SELECT f.id, f.tenant, f.name, v.version, FALSE AS current \
     FROM flow_version n JOIN flow_version v \
     ON v.flow = n.flow AND v.version = n.version - 1 JOIN flow f ON f.id = n.flow \
     WHERE n.published_ms > $1 AND v.version < f.version \
     ORDER BY n.published_ms DESC LIMIT $2";

/// How many changes of routing the database has counted.
pub(super) async fn counter(store: &Store) -> Result<i64, StoreError> {
    let (counter,) = on!(store.ready().await?, db => {
        sqlx::query_as::<_, (i64,)>(COUNTER).fetch_one(db).await?
    });
    Ok(counter)
}

/// Versions that calls may run: what new calls get, and what gave way after `$since`.
macro_rules! heads {
    ($tx:ident, $since:expr) => {{
        let mut heads = sqlx::query_as::<_, VersionRow>(
            "SELECT id, tenant, name, version, TRUE AS current FROM flow WHERE version > 0",
        )
        .fetch_all(&mut *$tx)
        .await?;
        let superseded = sqlx::query_as::<_, VersionRow>(SUPERSEDED)
            .bind($since)
            .bind(SUPERSEDED_MAX)
            .fetch_all(&mut *$tx)
            .await?;
        heads.extend(superseded);
        heads
    }};
}

impl Rows {
    async fn read(store: &Store, known: &Known) -> Result<Self, StoreError> {
        let since = now_ms().saturating_sub_unsigned(SUPERSEDED_MS);
        Ok(in_snapshot!(store.ready().await?, tx => {
            let (counter,) = sqlx::query_as::<_, (i64,)>(COUNTER).fetch_one(&mut *tx).await?;
            let tenants = sqlx::query_as("SELECT * FROM tenant ORDER BY created_ms, id")
                .fetch_all(&mut *tx)
                .await?;
            let numbers = sqlx::query_as(number::ALL).fetch_all(&mut *tx).await?;
            let prompts = sqlx::query_as(prompt::ALL).fetch_all(&mut *tx).await?;
            let rooms = sqlx::query_as(room::ALL).fetch_all(&mut *tx).await?;
            let schedules = sqlx::query_as(schedule::ALL)
                .bind(since)
                .bind(SUPERSEDED_MAX)
                .fetch_all(&mut *tx)
                .await?;
            let users = sqlx::query_as(user::ALL).fetch_all(&mut *tx).await?;
            let revoked = sqlx::query_as(token::REVOKED).fetch_all(&mut *tx).await?;
            let api_keys = sqlx::query_as(api_key::ALL).fetch_all(&mut *tx).await?;
            let gateways = sqlx::query_as(gateway::ALL).fetch_all(&mut *tx).await?;
            let extensions = sqlx::query_as(extension::ALL).fetch_all(&mut *tx).await?;
            let blocked = sqlx::query_as(blocked::ALL).fetch_all(&mut *tx).await?;
            let limits = sqlx::query_as(limit::ALL).fetch_all(&mut *tx).await?;
            let profiles = sqlx::query_as(profile::ALL).fetch_all(&mut *tx).await?;
            let keys = sqlx::query_as(sealed::KEYS).fetch_all(&mut *tx).await?;
            let routes = sqlx::query_as(outbound::ROUTES).fetch_all(&mut *tx).await?;
            let rules = sqlx::query_as(outbound::RULES).fetch_all(&mut *tx).await?;
            let locks = sqlx::query_as(outbound::LOCKS).fetch_all(&mut *tx).await?;
            let heads = heads!(tx, since);
            let mut versions = Vec::new();
            for head in heads {
                let mut document = None;
                if !known.contains_key(&head.key()?) {
                    let (text,) = sqlx::query_as::<_, (String,)>(
                        "SELECT document FROM flow_version WHERE flow = $1 AND version = $2",
                    )
                    .bind(&head.id)
                    .bind(head.version)
                    .fetch_one(&mut *tx)
                    .await?;
                    document = Some(text);
                }
                versions.push((head, document));
            }
            Self {
                counter,
                tenants,
                numbers,
                prompts,
                rooms,
                schedules,
                users,
                revoked,
                api_keys,
                gateways,
                extensions,
                blocked,
                limits,
                profiles,
                keys,
                routes,
                rules,
                locks,
                versions,
            }
        }))
    }
}
