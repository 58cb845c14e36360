//! What Prometheus reads: what was counted, and how things stand at the moment. Nothing is asked of
//! the database then; what only it knows is asked every few seconds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{interval, timeout};

use super::links::Links;
use crate::base::ids::TenantId;
use crate::control::console::Console;
use crate::driver::registry::Scope;
use crate::model::admission::LimitOn;
use crate::model::registration::Standing;
use crate::sip::Accounts;
use crate::store::{Directory, QueueLength, Recorder, Routes, Store};
use crate::switch::limits::Refusal;
use crate::telemetry::{Families, number};

/// How often the database is asked.
const LOOK: Duration = Duration::from_secs(5);

/// What the database said last; nothing while it is away.
type Lines = Option<Vec<QueueLength>>;

/// Everything of which there are figures.
#[derive(Debug)]
pub(super) struct Figures {
    pub(super) console: Arc<Console>,
    pub(super) directory: Directory,
    pub(super) recorder: Recorder,
    pub(super) links: Arc<Links>,
    pub(super) accounts: Accounts,
    pub(super) lines: watch::Receiver<Lines>,
}

/// Asks the database until nobody wants to know.
pub(super) async fn look(store: Store, lines: watch::Sender<Lines>) {
    let operator = store.operator();
    let mut turns = interval(LOOK);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !lines.is_closed() {
        turns.tick().await;
        let known = timeout(LOOK, operator.queue_lengths()).await;
        lines.send_replace(known.ok().and_then(Result::ok));
    }
}

impl Figures {
    /// As text for Prometheus; nothing after a fault of ours.
    pub(super) fn exposed(&self) -> Option<Vec<u8>> {
        let mut families = Families::default();
        let routes = self.directory.routes();
        self.process(&mut families);
        self.calls(&mut families, &routes);
        self.refused(&mut families);
        self.kept(&mut families);
        self.switches(&mut families);
        self.gateways(&mut families, &routes);
        self.lines(&mut families, &routes);
        let exposed = families.exposed(self.console.shared.telemetry.metrics());
        exposed.inspect_err(|error| tracing::error!(%error, "figures can't be written")).ok()
    }

    fn process(&self, families: &mut Families) {
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        families.gauge("callwright_build_info", "Which release runs.", &version, 1.0);
        let ready = if self.console.is_ready() { 1.0 } else { 0.0 };
        families.gauge("callwright_ready", "Whether the next call would be taken.", &[], ready);
        families.gauge(
            "callwright_event_loop_delay_seconds",
            "How late the event loop is.",
            &[],
            self.console.gate.pulse().delay().as_secs_f64(),
        );
    }

    fn calls(&self, families: &mut Families, routes: &Routes) {
        let shared = &self.console.shared;
        let talking: BTreeMap<_, _> = shared.registry.list().into_iter().collect();
        let mut up: BTreeMap<(TenantId, &str), u64> = BTreeMap::new();
        let live = shared.registry.live(Scope::Operator);
        for call in &live {
            let talks = talking.get(&call.call).is_some_and(|talks| *talks);
            let state = if talks { "talking" } else { "in_flow" };
            *up.entry((call.tenant, state)).or_default() += 1;
        }
        for ((tenant, state), count) in up {
            let tenant = slug(routes, tenant);
            families.gauge(
                "callwright_calls",
                "Calls that this process has.",
                &[("tenant", &tenant), ("state", state)],
                number(count),
            );
        }
        for (tenant, id, on, limits) in routes.limits() {
            // Numbers are nobody's business here.
            let (kind, gateway) = match on {
                LimitOn::Tenant => ("tenant", ""),
                LimitOn::Gateway(gateway) => ("gateway", gateway.as_str()),
                LimitOn::Number(_) => continue,
            };
            let Some(most) = limits.calls else { continue };
            let labels = [("tenant", tenant.as_str()), ("on", kind), ("gateway", gateway)];
            let counts = live.iter().filter(|call| {
                call.tenant == id
                    && !call.pending
                    && (kind == "tenant"
                        || call.gateway.as_ref().is_some_and(|g| g.as_str() == gateway))
            });
            let about = "Calls at once that a limit allows.";
            families.gauge("callwright_limit_calls", about, &labels, f64::from(most));
            let about = "Calls of this process that came in and count for the limit.";
            let counted = u64::try_from(counts.count()).unwrap_or(u64::MAX);
            families.gauge("callwright_limit_used_calls", about, &labels, number(counted));
        }
    }

    fn refused(&self, families: &mut Families) {
        let counters = &self.console.shared.counters;
        let totals = [
            ("callwright_calls_begun_total", "Calls that came in.", &counters.begun),
            (
                "callwright_calls_resumed_total",
                "Calls that came from another process or connection.",
                &counters.resumed,
            ),
            (
                "callwright_calls_handed_over_total",
                "Calls that were given to another process.",
                &counters.handed_over,
            ),
            ("callwright_faults_total", "Calls that ended by a fault of ours.", &counters.faults),
        ];
        for (name, about, count) in totals {
            families.counter(name, about, &[], count.load(Relaxed));
        }
        for (rule, count) in counters.turned_away() {
            let about = "Calls that a tenant's rule did not let in.";
            families.counter("callwright_calls_turned_away_total", about, &[("rule", rule)], count);
        }
        let mut other = counters.refused.load(Relaxed);
        let about = "Calls that went back to the dialplan.";
        for refusal in Refusal::ALL {
            let count = self.console.gate.refused(refusal);
            other = other.saturating_sub(count);
            let labels = [("reason", refusal.word())];
            families.counter("callwright_calls_refused_total", about, &labels, count);
        }
        families.counter("callwright_calls_refused_total", about, &[("reason", "other")], other);
    }

    fn kept(&self, families: &mut Families) {
        families.gauge(
            "callwright_spool_bytes",
            "What is on disk and waits for the database.",
            &[],
            number(self.recorder.waiting_bytes()),
        );
        let lost = self.recorder.lost();
        let about = "What was given up, of what calls did.";
        for (what, count) in [
            ("entries", lost.entries),
            ("records", lost.records),
            ("live", lost.live),
            ("recordings", lost.recordings),
            ("unreadable", lost.unreadable),
            ("rejected", lost.rejected),
        ] {
            families.counter("callwright_lost_total", about, &[("what", what)], count);
        }
    }

    fn switches(&self, families: &mut Families) {
        for link in self.links.all() {
            let vitals = link.vitals();
            let labels = [("switch", link.name())];
            let gauges = [
                ("callwright_link_up", "Whether a FreeSWITCH answers.", Some(f64::from(vitals.up))),
                (
                    "callwright_link_round_trip_seconds",
                    "How long FreeSWITCH took to answer our last question.",
                    vitals.round_trip.map(|time| time.as_secs_f64()),
                ),
                (
                    "callwright_link_heartbeat_age_seconds",
                    "How long ago FreeSWITCH gave a sign of life.",
                    vitals.heartbeat_age.map(|time| time.as_secs_f64()),
                ),
                (
                    "callwright_link_events_waiting",
                    "Events of a FreeSWITCH that wait to be read.",
                    Some(number(u64::try_from(vitals.waiting).unwrap_or(u64::MAX))),
                ),
            ];
            for (name, about, now) in gauges {
                if let Some(now) = now {
                    families.gauge(name, about, &labels, now);
                }
            }
            let counters = [
                (
                    "callwright_link_reconnects_total",
                    "Links that came up again.",
                    vitals.reconnects,
                ),
                ("callwright_link_events_total", "Events of channels in doubt.", vitals.events),
                (
                    "callwright_link_events_lost_total",
                    "Events for which we were too slow.",
                    vitals.events_lost,
                ),
                ("callwright_link_commands_total", "Commands that were begun.", vitals.jobs),
                (
                    "callwright_link_commands_unanswered_total",
                    "Commands whose answer did not come.",
                    vitals.jobs_unanswered,
                ),
            ];
            for (name, about, count) in counters {
                families.counter(name, about, &labels, count);
            }
        }
    }

    fn gateways(&self, families: &mut Families, routes: &Routes) {
        let facts = self.directory.sip();
        let known = self.accounts.standings();
        for (switch, id, now) in &known {
            let Some(own) = facts.gateways.iter().find(|one| one.gateway.id == *id) else {
                continue;
            };
            let tenant = slug(routes, own.tenant);
            for standing in Standing::ALL {
                families.gauge(
                    "callwright_gateway_state",
                    "How a FreeSWITCH stands with a gateway: 1 for the state in which it is.",
                    &[
                        ("tenant", &tenant),
                        ("gateway", own.gateway.name.as_str()),
                        ("switch", switch),
                        ("state", standing.name()),
                    ],
                    f64::from(standing == *now),
                );
            }
        }
    }

    fn lines(&self, families: &mut Families, routes: &Routes) {
        let lines = self.lines.borrow();
        families.gauge(
            "callwright_database_up",
            "Whether the database answered when it was asked last.",
            &[],
            f64::from(lines.is_some()),
        );
        for line in lines.iter().flatten() {
            let tenant = slug(routes, line.tenant);
            let labels = [("tenant", tenant.as_str()), ("queue", line.queue.as_str())];
            let about = "Callers who wait in a queue, of all processes.";
            families.gauge("callwright_queue_waiting", about, &labels, number(line.waiting));
            let about = "How long the first in a queue has waited.";
            let seconds = Duration::from_millis(line.longest_ms).as_secs_f64();
            families.gauge("callwright_queue_longest_wait_seconds", about, &labels, seconds);
        }
    }
}

/// What a tenant is called; one that is gone by its id.
fn slug(routes: &Routes, tenant: TenantId) -> String {
    routes.slug(tenant).map_or_else(|| tenant.to_string(), ToString::to_string)
}
