//! Keeps one FreeSWITCH to the picture: gives up what it should not have, lets it look for what it
//! lacks, and touches nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep_until, timeout};

use super::account::Account;
use super::node::Node;
use super::trial;
use super::{Accounts, Picture, TURN};
use crate::base::ids::{GatewayId, GatewayName};
use crate::esl::sofia::{GatewayRow, RegState};
use crate::model::gateway::{of_switch_name, switch_name};
use crate::model::registration::{Registration, Standing};
use crate::switch::link::LinkError;

/// Even if nothing is told, FreeSWITCH is compared with the picture this often.
const SAFETY: Duration = Duration::from_secs(60);
/// After something did not work: at first, and at most.
const RETRY: Duration = Duration::from_secs(2);
const RETRY_MAX: Duration = Duration::from_secs(60);

/// Why a FreeSWITCH is not as it should be.
#[derive(Debug, thiserror::Error)]
enum Unsettled {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("another process is at it")]
    NotOurTurn,
    #[error("{0} gateways are not deleted yet")]
    NotDeleted(usize),
    #[error("it did not take {0} gateways: is mod_xml_curl bound to Callwright there?")]
    NotTaken(usize),
}

/// For ever.
pub(super) async fn run(accounts: Accounts, index: usize) {
    let Some(node) = accounts.0.nodes.get(index) else { return };
    let mut pause = RETRY;
    let mut due = Instant::now() + SAFETY;
    loop {
        tokio::select! {
            () = node.wake.notified() => {}
            () = sleep_until(due) => {}
        }
        if !node.known().up {
            due = Instant::now() + SAFETY;
            continue;
        }
        match settle(&accounts, node).await {
            Ok(()) => {
                pause = RETRY;
                due = next(node);
            }
            Err(error) => {
                let link = node.link.name();
                if pause == RETRY {
                    tracing::debug!(link, %error, "gateways wait");
                } else {
                    tracing::warn!(link, %error, "gateways wait");
                }
                due = Instant::now() + pause;
                pause = (pause * 2).min(RETRY_MAX);
            }
        }
    }
}

/// When to look again: at the latest when a gateway was left alone long enough.
fn next(node: &Node) -> Instant {
    let now = Instant::now();
    let rested = node.known().breakers.values().filter_map(|own| own.due(now)).min();
    rested.map_or(now + SAFETY, |rested| rested.min(now + SAFETY))
}

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
struct Plan {
    /// By profile and name.
    kill: Vec<(String, GatewayName)>,
    /// Profiles that lack some.
    rescan: BTreeSet<String>,
}

impl Plan {
    fn is_empty(&self) -> bool {
        self.kill.is_empty() && self.rescan.is_empty()
    }
}

type Wanted<'a> = BTreeMap<GatewayId, &'a Account>;

/// Those that this FreeSWITCH is to have now.
fn wanted<'a>(picture: &'a Picture, node: &Node, now: Instant) -> Wanted<'a> {
    let known = node.known();
    let rests = |id: &GatewayId, account: &Account| {
        known.breakers.get(id).is_some_and(|own| own.rests_at(&account.mark, now))
    };
    let all = picture.accounts.iter().map(|(id, account)| (*id, &**account));
    all.filter(|(id, account)| !rests(id, account)).collect()
}

fn plan(wanted: &Wanted<'_>, rows: &[GatewayRow], marks: &BTreeMap<GatewayId, String>) -> Plan {
    let mut plan = Plan::default();
    let mut there = BTreeSet::new();
    for row in rows {
        let Some(id) = of_switch_name(&row.name) else {
            if trial::is_left(&row.name)
                && let Ok(name) = row.name.parse()
            {
                plan.kill.push((row.profile.clone(), name));
            }
            continue;
        };
        let fits = wanted.get(&id).filter(|account| {
            account.profile == row.profile
                && marks.get(&id).is_none_or(|mark| *mark == account.mark)
        });
        match fits {
            Some(_) if row.state != RegState::Down => drop(there.insert(id)),
            _ => plan.kill.push((row.profile.clone(), switch_name(id))),
        }
    }
    let lacking = wanted.iter().filter(|(id, _)| !there.contains(id));
    plan.rescan = lacking.map(|(_, account)| account.profile.clone()).collect();
    plan
}

async fn settle(accounts: &Accounts, node: &Node) -> Result<(), Unsettled> {
    let switch = node.switch().await?;
    let picture = accounts.picture();
    let forgotten = std::mem::take(&mut node.known().forgotten);
    for account in forgotten.iter().filter_map(|id| picture.accounts.get(id)) {
        tracing::debug!(gateway = %account.name, "FreeSWITCH forgot an answer: it asks again");
        node.register(account).await?;
    }
    let rows = node.rows().await?;
    node.know_networks(&picture.networks).await?;
    let first = look(node, &picture, &rows).await?;
    tell(accounts, node, &switch, &picture, &rows);
    if first.is_empty() {
        return Ok(());
    }
    let (operator, instance) = (accounts.0.store.operator(), accounts.0.instance);
    // Without the database nobody else can have learned of a change either.
    if let Ok(Ok(false)) = timeout(TURN, operator.take_turn(&switch, instance)).await {
        return Err(Unsettled::NotOurTurn);
    }
    let done = carry_out(accounts, node).await;
    if timeout(TURN, operator.end_turn(&switch, instance)).await.is_err() {
        tracing::debug!(%switch, "the turn ends by itself");
    }
    done
}

/// Asks for marks that are not known, and plans.
async fn look(node: &Node, picture: &Picture, rows: &[GatewayRow]) -> Result<Plan, LinkError> {
    for id in rows.iter().filter_map(|row| of_switch_name(&row.name)) {
        let mark = picture.accounts.get(&id).map(|account| account.mark.as_str());
        let known = node.known().marks.get(&id).cloned();
        // One that seems to be another is asked for again: another process may have been faster.
        if mark.is_some() && known.as_deref() != mark {
            let mark = node.mark(&switch_name(id)).await?;
            node.known().marks.insert(id, mark);
        }
    }
    let marks = node.known().marks.clone();
    Ok(plan(&wanted(picture, node, Instant::now()), rows, &marks))
}

/// Gives up, waits until that is done, and has FreeSWITCH look.
async fn carry_out(accounts: &Accounts, node: &Node) -> Result<(), Unsettled> {
    let picture = accounts.picture();
    let plan = look(node, &picture, &node.rows().await?).await?;
    let left = node.kill(&plan.kill).await?;
    for (_, name) in &plan.kill {
        if let Some(id) = of_switch_name(name.as_str()) {
            let mut known = node.known();
            known.marks.remove(&id);
            known.standings.remove(&id);
        }
    }
    if left > 0 {
        return Err(Unsettled::NotDeleted(left));
    }
    // What was given up was perhaps to be loaded again.
    let rows = node.rows().await?;
    let plan = look(node, &picture, &rows).await?;
    for profile in &plan.rescan {
        match node.rescan(profile).await {
            // Its gateways are told to be absent; those of other profiles need not wait for it.
            Err(LinkError::Refused(why)) => tracing::debug!(profile, why, "a profile can't look"),
            other => other?,
        }
    }
    if plan.rescan.is_empty() {
        return Ok(());
    }
    let rows = node.rows().await?;
    look(node, &picture, &rows).await?;
    let there: BTreeSet<_> = rows.iter().filter_map(|row| of_switch_name(&row.name)).collect();
    let lacking: Vec<_> = wanted(&picture, node, Instant::now())
        .into_keys()
        .filter(|id| !there.contains(id))
        .collect();
    let switch = node.switch().await?;
    for id in &lacking {
        stand(accounts, node, *id, &switch, Standing::Absent);
    }
    if lacking.is_empty() { Ok(()) } else { Err(Unsettled::NotTaken(lacking.len())) }
}

/// Takes over how gateways stand: of what happened while nobody listened, there was no event.
fn tell(accounts: &Accounts, node: &Node, switch: &str, picture: &Picture, rows: &[GatewayRow]) {
    for row in rows {
        let Some(id) = of_switch_name(&row.name) else { continue };
        let now = match row.state {
            RegState::Registered if row.up => Standing::Registered,
            RegState::NoRegister if row.up => Standing::Ready,
            RegState::Registered | RegState::NoRegister => Standing::Unreachable,
            RegState::Failed | RegState::FailWait | RegState::Timeout => Standing::Failed,
            _ => continue,
        };
        stand(accounts, node, id, switch, now);
    }
    let now = Instant::now();
    let resting: Vec<_> = {
        let known = node.known();
        let rests = |id: &&GatewayId| {
            let account = picture.accounts.get(*id);
            account.is_some_and(|account| {
                known.breakers.get(*id).is_some_and(|own| own.rests_at(&account.mark, now))
            })
        };
        known.breakers.keys().filter(rests).copied().collect()
    };
    for id in resting {
        stand(accounts, node, id, switch, Standing::Resting);
    }
}

/// Notes how a gateway stands, where that is another way than before.
fn stand(accounts: &Accounts, node: &Node, id: GatewayId, switch: &str, now: Standing) {
    let mut known = node.known();
    let before = known.standings.get(&id).copied();
    if before.is_some_and(|(before, _)| before == now) {
        return;
    }
    // What made it fail stays known while it rests.
    let code = before.and_then(|(_, code)| code).filter(|_| now == Standing::Resting);
    known.standings.insert(id, (now, code));
    drop(known);
    let (switch, phrase) = (switch.to_owned(), String::new());
    accounts.note(id, Registration::new(switch, now, code, phrase, Timestamp::now()));
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::gateway::GatewaySettings;

    fn id(number: u128) -> GatewayId {
        GatewayId(Uuid::from_u128(number))
    }

    fn account(number: u128, profile: &str) -> Account {
        let settings = GatewaySettings::at("sip.example".parse().unwrap());
        Account::new(switch_name(id(number)), &settings, profile, "callwright", (None, 0))
    }

    fn row(name: &str, profile: &str) -> GatewayRow {
        let (name, profile) = (name.to_owned(), profile.to_owned());
        GatewayRow { name, profile, state: RegState::Registered, up: true }
    }

    fn ours(number: u128, profile: &str) -> GatewayRow {
        row(switch_name(id(number)).as_str(), profile)
    }

    #[test]
    fn only_what_differs_is_touched() {
        let all = [1, 2, 3, 4].map(|number| account(number, "external"));
        let wanted: Wanted<'_> = (1..).map(id).zip(&all).collect();
        let same = all[0].mark.clone();
        let marks = [(id(1), same.clone()), (id(2), "another".to_owned()), (id(3), same)].into();
        let rows = [
            ours(1, "external"),
            ours(2, "external"),
            ours(3, "other"),
            ours(9, "external"),
            row("carrier", "external"),
        ];
        let plan = plan(&wanted, &rows, &marks);
        let killed: Vec<_> =
            plan.kill.iter().map(|(profile, name)| (profile.as_str(), name.clone())).collect();
        let expected = [("external", 2), ("other", 3), ("external", 9)];
        assert_eq!(killed, expected.map(|(profile, number)| (profile, switch_name(id(number)))));
        assert_eq!(plan.rescan, BTreeSet::from(["external".to_owned()]));
    }

    #[test]
    fn a_freeswitch_that_has_what_it_should_is_left_in_peace() {
        let all = [1, 2].map(|number| account(number, "external"));
        let wanted: Wanted<'_> = (1..).map(id).zip(&all).collect();
        let rows = [ours(1, "external"), ours(2, "external"), row("carrier", "external")];
        let marks = (1..=2).map(|number| (id(number), all[0].mark.clone())).collect();
        assert!(plan(&wanted, &rows, &marks).is_empty());
        assert!(plan(&Wanted::new(), &[row("carrier", "external")], &marks).is_empty());
    }
}
