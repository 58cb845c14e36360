//! By which gateways numbers outside are called: the tenant's routes and rules from the directory,
//! the gateways' health from their FreeSWITCH, and the counts from the database.
//!
//! Calls don't wait for a database that is away: they are made then, and not counted. A call for
//! help never waits for it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::base::ids::CoreId;
use crate::base::millis::Millis;
use crate::call::outbound::{OutboundAsk, OutboundFound, OutboundQuery, Wanted, Way};
use crate::driver::outbound::{Leading, Outside};
use crate::model::outbound::{Candidate, Outbound, Plan, Refusal};
use crate::sip::Accounts;
use crate::store::{Claimed, Directory, NewLeg, Store, StoreError};

/// How long the database may take to count a call.
const COUNT: Duration = Duration::from_secs(2);
/// How often it is told that a leg is over, and how long to wait in between. What it does not hear
/// it finds when the call is over.
const TELLS: u32 = 5;
const AGAIN: Duration = Duration::from_secs(2);

/// What it takes.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) store: Store,
    pub(super) directory: Directory,
    pub(super) accounts: Accounts,
}

impl Outside for Exchange {
    fn ask(&self, query: OutboundQuery, core: Option<CoreId>) -> Leading<'_> {
        Box::pin(async move {
            match &query.ask {
                OutboundAsk::Begin(wanted) => self.lead(&query, wanted, core).await,
                OutboundAsk::Answered { .. } | OutboundAsk::Over { .. } => {
                    self.note(&query).await;
                    OutboundFound::Unknown
                }
            }
        })
    }
}

impl Exchange {
    async fn lead(
        &self,
        query: &OutboundQuery,
        wanted: &Wanted,
        core: Option<CoreId>,
    ) -> OutboundFound {
        let Some(outbound) = self.directory.routes().outbound(query.tenant) else {
            return OutboundFound::Unknown;
        };
        // The random part of an identity that nothing else has.
        let seed = query.call.0.as_u64_pair().1 ^ u64::from(wanted.leg);
        let mut plan = match outbound.plan(&wanted.number, wanted.gateway.as_ref(), seed) {
            Ok(plan) => plan,
            Err(refusal) => return refused(query, refusal),
        };
        plan.candidates.retain(|one| !wanted.tried.contains(&one.trunk.switch));
        // Who does not carry calls now comes last, and is better than nobody.
        plan.candidates.sort_by_key(|one| !self.accounts.carries(&one.trunk.switch, core));
        if plan.candidates.is_empty() {
            return refused(query, Refusal::NoGateway);
        }
        outbound.show(&mut plan, &wanted.calling);
        if plan.emergency {
            return self.help(query, wanted, plan, outbound);
        }
        let scope = self.store.tenant(query.tenant);
        let new = leg(query, wanted, false);
        match timeout(COUNT, scope.claim_outbound(&new, &plan.candidates, &outbound)).await {
            Ok(Ok(Claimed::By { place, most })) => by(plan, place, most, None),
            Ok(Ok(Claimed::Refused(refusal))) => refused(query, refusal),
            Ok(Ok(Claimed::Locked(why))) => {
                let tenant = query.tenant;
                tracing::error!(%tenant, call = %query.call, why, "a tenant's calls are locked");
                OutboundFound::Refused(Refusal::Locked(why))
            }
            Ok(Err(error)) => uncounted(query, plan, &outbound, &error.to_string()),
            Err(_) => uncounted(query, plan, &outbound, "the database does not answer in time"),
        }
    }

    /// Whoever calls for help waits for nobody who counts. The leg is counted all the same, so that
    /// others know of the channel that it takes.
    fn help(
        &self,
        query: &OutboundQuery,
        wanted: &Wanted,
        plan: Plan,
        outbound: Arc<Outbound>,
    ) -> OutboundFound {
        let scope = self.store.tenant(query.tenant);
        let (query, wanted) = (query.clone(), wanted.clone());
        let first: Vec<_> = plan.candidates.iter().take(1).cloned().collect();
        tokio::spawn(async move {
            let new = leg(&query, &wanted, true);
            let counted = timeout(COUNT, scope.claim_outbound(&new, &first, &outbound)).await;
            if !matches!(counted, Ok(Ok(_))) {
                tracing::warn!(call = %query.call, "an emergency call is not counted");
            }
        });
        by(plan, 0, None, Some("an emergency call".to_owned()))
    }

    async fn note(&self, query: &OutboundQuery) {
        for _ in 0..TELLS {
            match timeout(COUNT, self.write(query)).await {
                Ok(Ok(())) => return,
                Ok(Err(error)) if !error.retryable() => {
                    return tracing::warn!(call = %query.call, %error, "a leg is not settled");
                }
                Ok(Err(_)) | Err(_) => sleep(AGAIN).await,
            }
        }
        tracing::debug!(call = %query.call, "a leg is settled when its call is over");
    }

    async fn write(&self, query: &OutboundQuery) -> Result<(), StoreError> {
        let scope = self.store.tenant(query.tenant);
        match query.ask {
            OutboundAsk::Begin(_) => Ok(()),
            OutboundAsk::Answered { leg } => scope.answer_outbound(query.call, leg).await,
            OutboundAsk::Over { leg, talked } => {
                let outbound = self.directory.routes().outbound(query.tenant);
                let timezone = outbound.as_ref().map_or("UTC", |known| known.timezone.as_str());
                scope.end_outbound(query.call, leg, talked.ms(), timezone).await
            }
        }
    }
}

fn refused(query: &OutboundQuery, refusal: Refusal) -> OutboundFound {
    tracing::info!(call = %query.call, %refusal, "a number is not called");
    OutboundFound::Refused(refusal)
}

fn leg<'a>(query: &OutboundQuery, wanted: &'a Wanted, emergency: bool) -> NewLeg<'a> {
    NewLeg {
        call: query.call,
        leg: wanted.leg,
        instead_of: wanted.instead_of,
        number: &wanted.number,
        emergency,
    }
}

fn by(plan: Plan, place: usize, most: Option<Millis>, remark: Option<String>) -> OutboundFound {
    let more = plan.candidates.len() > 1;
    let Plan { mut candidates, route, fails_over, .. } = plan;
    if place >= candidates.len() {
        return OutboundFound::Refused(Refusal::NoGateway);
    }
    let Candidate { name, trunk, number, shown } = candidates.swap_remove(place);
    OutboundFound::By(Box::new(Way {
        gateway: trunk.switch,
        name,
        number,
        route,
        most,
        shown,
        fails_over: if more { fails_over } else { Vec::new() },
        remark,
    }))
}

/// Only what is known without the database holds: a lock does.
fn uncounted(query: &OutboundQuery, plan: Plan, known: &Outbound, why: &str) -> OutboundFound {
    tracing::warn!(call = %query.call, why, "a call to a number outside is not counted");
    match &known.locked {
        Some(lock) => OutboundFound::Refused(Refusal::Locked(lock.why.clone())),
        None => by(plan, 0, None, Some("not counted: the database is away".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use serde_json::json;
    use sqlx::{Connection, Executor, SqliteConnection};
    use uuid::Uuid;

    use super::*;
    use crate::base::ids::{CallId, InstanceId, TenantId};
    use crate::keyring::Keyring;
    use crate::model::outbound::{Calling, Shown};
    use crate::store::{Config, Database, NewTenant};
    use crate::vault::keys::OperatorKeys;

    const KEYS: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    /// Looks at what is told besides.
    const LOOKS: u32 = 100;

    struct Place {
        folder: tempfile::TempDir,
        exchange: Exchange,
        tenant: TenantId,
    }

    async fn place() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::Sqlite(folder.path().join("test.db"));
        let spool = folder.path().join("spool");
        let config = Config { database, spool, ..Config::default() };
        let store = Store::open(&config).await.unwrap();
        let gateways = ["first", "second"].map(|name| name.parse().unwrap()).to_vec();
        let new = NewTenant { gateways, ..NewTenant::named("acme".parse().unwrap()) };
        let tenant = store.operator().create_tenant(&new).await.unwrap().id;
        let caller = json!({ "show": "number", "number": "+4930" });
        let rules = json!({ "denied": ["+900"], "minutes_per_day": 10, "caller": caller });
        let rules = serde_json::from_value(rules).unwrap();
        store.tenant(tenant).set_outbound_rules(&rules).await.unwrap();
        let directory = Directory::start(&store, &config).await.unwrap();
        let keys = Keyring::new(&store, OperatorKeys::read(KEYS).unwrap());
        let instance = InstanceId(Uuid::from_u128(1));
        let accounts = Accounts::new(&store, &directory, keys, Default::default(), instance, []);
        Place { folder, exchange: Exchange { store, directory, accounts }, tenant }
    }

    impl Place {
        async fn ask(&self, number: &str) -> OutboundFound {
            let (leg, number) = (1, number.to_owned());
            let calling = Calling { number: "200".into(), extension: None };
            let (tried, instead_of) = (Vec::new(), None);
            let wanted = Wanted { leg, number, calling, gateway: None, tried, instead_of };
            let (tenant, call) = (self.tenant, CallId(Uuid::now_v7()));
            let ask = OutboundAsk::Begin(Box::new(wanted));
            self.exchange.ask(OutboundQuery { tenant, call, ask }, None).await
        }
    }

    fn way(found: OutboundFound) -> Way {
        match found {
            OutboundFound::By(way) => *way,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn help_is_called_at_once_while_the_database_hangs_and_is_counted_later() {
        let place = place().await;
        let url = format!("sqlite:{}", place.folder.path().join("test.db").display());
        let mut holder = SqliteConnection::connect(&url).await.unwrap();
        holder.execute("BEGIN IMMEDIATE").await.unwrap();
        let asked = Instant::now();
        let help = way(place.ask("112").await);
        assert!(asked.elapsed() < COUNT / 2, "{:?}", asked.elapsed());
        assert_eq!((help.name.as_str(), help.number.as_str()), ("first", "112"));
        assert!(help.fails_over.contains(&503), "the second gateway is tried where it fails");
        assert_eq!(help.most, None);
        holder.execute("ROLLBACK").await.unwrap();
        let scope = place.exchange.store.tenant(place.tenant);
        for _ in 0..LOOKS {
            if scope.outbound_usage("UTC").await.unwrap().calls == 1 {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("the emergency call was never counted");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_known_without_the_database_holds_while_it_hangs() {
        let place = place().await;
        let counted = way(place.ask("+4930").await);
        assert_eq!((counted.remark, counted.most), (None, Some(Millis(600_000))));
        let shown = Some(Shown::As { number: "+4930".into(), name: None });
        assert_eq!(counted.shown, shown);
        let url = format!("sqlite:{}", place.folder.path().join("test.db").display());
        let mut holder = SqliteConnection::connect(&url).await.unwrap();
        holder.execute("BEGIN IMMEDIATE").await.unwrap();
        let uncounted = way(place.ask("+4930").await);
        assert_eq!(uncounted.remark.as_deref(), Some("not counted: the database is away"));
        assert_eq!(uncounted.shown, shown);
        assert_eq!(place.ask("00900").await, OutboundFound::Refused(Refusal::Denied));
    }
}
