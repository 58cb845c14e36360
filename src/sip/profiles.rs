//! Keeps the operator's profiles of one FreeSWITCH to the picture.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::node::{Node, word};
use super::profile::{Mark, SofiaProfile};
use super::stage::{Order, ProfileStanding, Running, Wanted};
use super::{Accounts, TURN};
use crate::esl::argument::FilePath;
use crate::esl::profiles::{ProfileRow, profile, profiles};
use crate::esl::sofia::{Run, SofiaApi};
use crate::model::profile::is_own;
use crate::switch::link::LinkError;

/// Even if nothing is told, FreeSWITCH is compared with the picture this often.
const SAFETY: Duration = Duration::from_secs(60);
/// How often it is looked whether calls are over, and whether it can be tried again.
const AGAIN: Duration = Duration::from_secs(2);
/// How long a profile may take to listen, and one that must end first: it lets go of its gateways.
const STARTED: Duration = Duration::from_secs(6);
const RESTARTED: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(250);
/// How long whoever asks how a profile stands waits for FreeSWITCH.
const PATIENCE: Duration = Duration::from_secs(2);

/// For ever.
pub(super) async fn run(accounts: Accounts, index: usize) {
    let Some(node) = accounts.0.nodes.get(index) else { return };
    let mut due = Instant::now() + SAFETY;
    loop {
        tokio::select! {
            () = node.profiles_wake.notified() => {}
            () = sleep_until(due) => {}
        }
        let now = Instant::now();
        due = now + SAFETY;
        if !node.known().up {
            continue;
        }
        match settle(&accounts, node).await {
            Ok(true) => {
                let trouble = node.stage().due();
                due = trouble.map_or(due, |at| at.clamp(now + AGAIN, due));
            }
            Ok(false) => due = now + AGAIN,
            Err(error) => {
                tracing::debug!(link = node.link.name(), %error, "profiles wait");
                due = now + AGAIN;
            }
        }
    }
}

/// Whether all is as it should be, or as it can be.
async fn settle(accounts: &Accounts, node: &Node) -> Result<bool, LinkError> {
    let wanted = accounts.picture().profiles.clone();
    look(node, &wanted).await?;
    let orders = node.stage().orders(&wanted, Instant::now());
    if orders.is_empty() {
        return Ok(!node.stage().waits(&wanted));
    }
    let turn = format!("{}/profiles", node.switch().await?);
    let (operator, instance) = (accounts.0.store.operator(), accounts.0.instance);
    // Without the database nobody else can have learned of a change either.
    if let Ok(Ok(false)) = timeout(TURN, operator.take_turn(&turn, instance)).await {
        return Ok(false);
    }
    let mut settled = true;
    for (name, order) in orders {
        match carry_out(node, &wanted, (&name, order)).await {
            Ok(done) => settled &= done,
            Err(error) => {
                tracing::warn!(profile = name, %error, "a profile waits");
                settled = false;
            }
        }
    }
    if timeout(TURN, operator.end_turn(&turn, instance)).await.is_err() {
        tracing::debug!(turn, "the turn ends by itself");
    }
    // Gateways need their profiles.
    node.wake.notify_one();
    Ok(settled)
}

/// Sees which profiles there are, of ours and of others.
async fn look(node: &Node, wanted: &Wanted) -> Result<Vec<ProfileRow>, LinkError> {
    let rows = profiles(&node.ask(SofiaApi::Profiles).await?).map_err(LinkError::Unreadable)?;
    let mut running: BTreeMap<String, Running> = BTreeMap::new();
    for row in rows.iter().filter(|row| is_own(&row.name)) {
        if let Some(known) = running.get_mut(&row.name) {
            known.urls.push(row.url.clone());
            continue;
        }
        let said = node.ask(SofiaApi::Profile { profile: word(&row.name)? }).await?;
        let Some(info) = profile(&said).map_err(LinkError::Unreadable)? else { continue };
        let seen = Running {
            mark: Mark::read(&info.hosts),
            calls: row.calls,
            registrations: info.registrations,
            urls: vec![row.url.clone()],
        };
        running.insert(row.name.clone(), seen);
    }
    node.stage().see(running, wanted);
    Ok(rows)
}

/// Whether it was done, or is known not to work. One that is younger than ten seconds is neither
/// stopped nor started anew (`mod_sofia.c` cmd_profile).
async fn carry_out(
    node: &Node,
    wanted: &Wanted,
    (name, order): (&str, Order),
) -> Result<bool, LinkError> {
    tracing::debug!(link = node.link.name(), profile = name, ?order, "a profile is changed");
    let run = match order {
        Order::Start => Run::Start,
        Order::Restart => Run::Restart,
        Order::Stop => Run::Stop,
        Order::ReadAgain => {
            node.rescan(name).await?;
            look(node, wanted).await?;
            return Ok(wanted.get(name).is_none_or(|profile| node.stage().has(profile)));
        }
    };
    let profile = wanted.get(name).filter(|profile| profile.enabled);
    if let Some(profile) = profile
        && let Some(why) = obstacle(node, wanted, profile).await?
    {
        trouble(node, profile, why);
        return Ok(true);
    }
    let said = node.ask(SofiaApi::Run { profile: word(name)?, run }).await?;
    if said.contains("must be up for at least") {
        return Ok(false);
    }
    match profile {
        Some(profile) if said.contains("Failure starting") => {
            let why =
                "FreeSWITCH does not know it: is mod_xml_curl bound to `configuration` there?";
            trouble(node, profile, why.to_owned());
        }
        Some(profile) => {
            let patience = if order == Order::Start { STARTED } else { RESTARTED };
            if !comes(node, wanted, profile, patience).await? {
                trouble(node, profile, taken(profile));
            }
        }
        None => drop(look(node, wanted).await?),
    }
    Ok(true)
}

fn trouble(node: &Node, profile: &SofiaProfile, why: String) {
    tracing::warn!(link = node.link.name(), profile = profile.name, why, "a profile does not run");
    node.stage().trouble(profile, why, Instant::now());
}

/// Waits until a profile runs as it is wanted.
async fn comes(
    node: &Node,
    wanted: &Wanted,
    profile: &SofiaProfile,
    patience: Duration,
) -> Result<bool, LinkError> {
    let end = Instant::now() + patience;
    loop {
        look(node, wanted).await?;
        if node.stage().has(profile) {
            return Ok(true);
        }
        if Instant::now() >= end {
            return Ok(false);
        }
        sleep(LOOK).await;
    }
}

fn taken(profile: &SofiaProfile) -> String {
    let (ports, address) = &profile.listens;
    let ports: Vec<_> = ports.iter().map(ToString::to_string).collect();
    let ports = ports.join(" and ");
    match address {
        Some(address) => format!(
            "FreeSWITCH could not listen at {address}, port {ports}: another program has the port, \
             or the address is not FreeSWITCH's"
        ),
        None => {
            format!("FreeSWITCH could not listen on port {ports}: another program has the port")
        }
    }
}

/// What is known to be in its way: whoever ends a profile that runs should not do it for nothing.
async fn obstacle(
    node: &Node,
    wanted: &Wanted,
    profile: &SofiaProfile,
) -> Result<Option<String>, LinkError> {
    let (ports, address) = &profile.listens;
    let rows = look(node, wanted).await?;
    for row in rows.iter().filter(|row| row.name != profile.name) {
        let Some((host, port)) = place(&row.url) else { continue };
        if ports.contains(&port) && address.as_ref().is_none_or(|address| address == host) {
            return Ok(Some(format!("FreeSWITCH's profile `{}` has port {port}", row.name)));
        }
    }
    let Some(path) = &profile.certificate else { return Ok(None) };
    let said = node.ask(SofiaApi::FileExists { path: FilePath::new(path)? }).await?;
    // FreeSWITCH would make a certificate of its own that nobody trusts (`sofia.c` config_sofia).
    let missing = said.trim() == "false";
    Ok(missing.then(|| format!("FreeSWITCH has no certificate `{path}`")))
}

/// Host and port of `sip:mod_sofia@HOST:PORT;…`.
fn place(url: &str) -> Option<(&str, u16)> {
    let (_, rest) = url.rsplit_once('@')?;
    let place = rest.split([';', '>']).next()?;
    let (host, port) = place.rsplit_once(':')?;
    Some((host.trim_matches(['[', ']']), port.parse().ok()?))
}

/// How a profile stands in one FreeSWITCH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileState {
    /// The FreeSWITCH, by its own name or, where that is not known, its link's.
    pub switch: String,
    pub standing: ProfileStanding,
    pub explained: String,
    /// Where it listens: host and port.
    pub listens: Vec<String>,
    pub calls: u32,
    pub registrations: u32,
}

impl Accounts {
    /// What FreeSWITCH is to read of a profile: to start it, or while it runs.
    pub fn profile(&self, name: &str, switch: &str, starts: bool) -> Option<Arc<SofiaProfile>> {
        let picture = self.picture();
        let wanted = picture.profiles.get(name).filter(|profile| profile.enabled)?;
        let here = |node: &&Node| node.known().switch.as_deref() == Some(switch);
        match self.0.nodes.iter().find(here) {
            Some(node) => node.stage().told(wanted, starts),
            None => Some(Arc::clone(wanted)),
        }
    }

    /// How a profile stands in each FreeSWITCH, as it is now.
    pub async fn profile_states(&self, name: &str) -> Vec<ProfileState> {
        let picture = self.picture();
        let mut states = Vec::new();
        for node in &self.0.nodes {
            let seen = timeout(PATIENCE, look(node, &picture.profiles)).await;
            let up = node.known().up;
            let own = node.known().switch.clone();
            let switch = own.unwrap_or_else(|| node.link.name().to_owned());
            let explained = match seen {
                _ if !up => Some("the link to this FreeSWITCH is down".to_owned()),
                Ok(Ok(_)) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some("this FreeSWITCH does not answer".to_owned()),
            };
            states.push(state(node, picture.profiles.get(name), name, (switch, explained)));
        }
        states
    }
}

fn state(
    node: &Node,
    wanted: Option<&Arc<SofiaProfile>>,
    name: &str,
    (switch, unknown): (String, Option<String>),
) -> ProfileState {
    let stage = node.stage();
    let known = stage.running.get(name).filter(|_| unknown.is_none());
    let (standing, explained) = match unknown {
        Some(why) => (ProfileStanding::Unknown, why),
        None => stage.standing(wanted.map(|one| &**one), name),
    };
    let listens = known.iter().flat_map(|known| &known.urls).filter_map(|url| place(url));
    ProfileState {
        switch,
        standing,
        explained,
        listens: listens.map(|(host, port)| format!("{host}:{port}")).collect(),
        calls: known.map_or(0, |known| known.calls),
        registrations: known.map_or(0, |known| known.registrations),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_profile_listens_is_read_off_its_url() {
        assert_eq!(place("sip:mod_sofia@192.0.2.1:5070"), Some(("192.0.2.1", 5070)));
        assert_eq!(place("sip:mod_sofia@[::1]:5071;transport=tls"), Some(("::1", 5071)));
        for other in ["", "internal", "sip:mod_sofia@host"] {
            assert_eq!(place(other), None, "{other}");
        }
    }
}
