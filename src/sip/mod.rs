//! SIP accounts at work: what FreeSWITCH is to know of gateways and phones, that it comes to know
//! each change without others noticing, and how the gateways stand.
//!
//! FreeSWITCH asks (`provision` answers); it is only told to look again. A gateway that changed is
//! given up first, and looked for when it is gone: FreeSWITCH passes over one that it has
//! (`sofia.c` parse_gateways), and what un-registers late would take the new registration along.

pub mod account;
mod breaker;
pub mod config;
mod node;
pub mod picture;
pub mod profile;
mod profiles;
mod registrar;
mod stage;
mod trial;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::base::ids::{CoreId, GatewayId, GatewayName, InstanceId};
use crate::esl::sofia::{GatewayNews, GatewayState, RegState};
use crate::keyring::Keyring;
use crate::model::gateway::of_switch_name;
use crate::model::registration::{Registration, Standing, UNREACHED};
use crate::store::{Directory, Store};
use crate::switch::link::Link;

use account::Account;
use config::Config;
use node::{Node, standing};
use picture::Picture;
use trial::Trials;

pub use profiles::ProfileState;
pub use stage::ProfileStanding;
pub use trial::{Tried, TryError};

/// Changes of state that wait for the database.
const NOTES_MAX: usize = 4_096;
/// How long the database may take for one.
const NOTE: Duration = Duration::from_secs(5);
/// How long the database may take to say whose turn it is.
const TURN: Duration = Duration::from_secs(2);

/// The domain of FreeSWITCH's directory in which profiles look for our gateways, and lists of
/// networks for where their calls come from.
pub const GATEWAY_DOMAIN: &str = "callwright";

type Note = (GatewayId, Registration);

/// All accounts; a clone is the same.
#[derive(Debug, Clone)]
pub struct Accounts(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    directory: Directory,
    keyring: Keyring,
    config: Config,
    instance: InstanceId,
    picture: ArcSwap<Picture>,
    nodes: Vec<Node>,
    trials: Trials,
    notes: mpsc::Sender<Note>,
    noted: Mutex<Option<mpsc::Receiver<Note>>>,
}

impl Accounts {
    /// The accounts on the FreeSWITCHes of these links, in their order.
    pub fn new(
        store: &Store,
        directory: &Directory,
        keyring: Keyring,
        config: Config,
        instance: InstanceId,
        links: impl IntoIterator<Item = Link>,
    ) -> Self {
        let (notes, noted) = mpsc::channel(NOTES_MAX);
        let inner = Inner {
            store: store.clone(),
            directory: directory.clone(),
            keyring,
            config,
            instance,
            picture: ArcSwap::default(),
            nodes: links.into_iter().map(Node::new).collect(),
            trials: Trials::default(),
            notes,
            noted: Mutex::new(Some(noted)),
        };
        let accounts = Self(Arc::new(inner));
        accounts.draw();
        accounts
    }

    /// How the accounts are kept in FreeSWITCH.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Seals and opens the passwords.
    pub fn keyring(&self) -> &Keyring {
        &self.0.keyring
    }

    /// What FreeSWITCH is to know at this moment.
    pub fn picture(&self) -> Arc<Picture> {
        self.0.picture.load_full()
    }

    /// The gateways that a profile of a FreeSWITCH is to have now: neither those that are left
    /// alone, nor on any other profile those that are tried out.
    pub fn of_profile(&self, profile: &str, switch: &str) -> Vec<Arc<Account>> {
        let now = Instant::now();
        let rests = |id: &GatewayId, account: &Account| {
            self.0.nodes.iter().any(|node| {
                let known = node.known();
                known.switch.as_deref() == Some(switch)
                    && known.breakers.get(id).is_some_and(|own| own.rests_at(&account.mark, now))
            })
        };
        let picture = self.picture();
        let all = picture.accounts.iter().filter(|(_, account)| account.profile == profile);
        let wanted = all.filter(|(id, account)| !rests(id, account));
        let own = wanted.map(|(_, account)| Arc::clone(account));
        own.chain(self.0.trials.of_profile(profile)).collect()
    }

    /// For ever: draws each picture, keeps every FreeSWITCH to it, and writes down how its
    /// gateways stand.
    pub async fn run(self) {
        let mut tasks = JoinSet::new();
        for index in 0..self.0.nodes.len() {
            tasks.spawn(registrar::run(self.clone(), index));
            tasks.spawn(profiles::run(self.clone(), index));
        }
        let noted = self.0.noted.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(noted) = noted {
            tasks.spawn(write_down(self.0.store.clone(), noted));
        }
        let mut pictures = self.0.directory.pictures();
        // The directory outlives us: it is never closed.
        while pictures.changed().await.is_ok() {
            self.draw();
        }
    }

    fn draw(&self) {
        let before = self.picture();
        let Inner { directory, keyring, config, .. } = &*self.0;
        let picture = Picture::draw(&directory.sip(), keyring, config, &before);
        let same = picture.accounts == before.accounts && picture.networks == before.networks;
        let same_profiles = picture.profiles == before.profiles;
        self.0.picture.store(Arc::new(picture));
        if !same {
            self.0.nodes.iter().for_each(|node| node.wake.notify_one());
        }
        if !same_profiles {
            self.0.nodes.iter().for_each(|node| node.profiles_wake.notify_one());
        }
    }

    /// Whether calls go through a gateway on this FreeSWITCH, as far as is known. One that is not
    /// ours is taken to carry them.
    pub fn carries(&self, gateway: &GatewayName, core: Option<CoreId>) -> bool {
        let Some(id) = of_switch_name(gateway.as_str()) else { return true };
        let is_there = |node: &Node| core.is_none_or(|core| node.known().core == Some(core));
        let stands = |node: &Node| node.known().standings.get(&id).map(|(standing, _)| *standing);
        let mut known = self.0.nodes.iter().filter(|node| is_there(node)).map(stands).peekable();
        known.peek().is_none()
            || known.any(|standing| {
                matches!(standing, None | Some(Standing::Registered | Standing::Ready))
            })
    }

    /// The link of this place is up.
    pub fn up(&self, index: usize, core: CoreId) {
        if let Some(node) = self.0.nodes.get(index) {
            node.up(core);
        }
    }

    /// The link of this place is down.
    pub fn down(&self, index: usize) {
        if let Some(node) = self.0.nodes.get(index) {
            node.down();
        }
    }

    /// How each FreeSWITCH stands with its gateways, by its name, as far as it is known.
    pub fn standings(&self) -> Vec<(String, GatewayId, Standing)> {
        let mut all = Vec::new();
        for node in &self.0.nodes {
            let known = node.known();
            let Some(switch) = &known.switch else { continue };
            let own = known.standings.iter().map(|(id, (now, _))| (switch.clone(), *id, *now));
            all.extend(own);
        }
        all
    }

    /// Something was not heard on the link of this place.
    pub fn missed(&self, index: usize) {
        if let Some(node) = self.0.nodes.get(index) {
            node.wake.notify_one();
            node.profiles_wake.notify_one();
        }
    }

    /// Takes what is told on the link of this place.
    pub fn hear(&self, index: usize, news: GatewayNews) {
        let Some(node) = self.0.nodes.get(index) else { return };
        match news {
            GatewayNews::Deleted { name } => node.heard_deleted(&name),
            GatewayNews::State(state) => match of_switch_name(&state.name) {
                Some(id) => self.take(node, id, state),
                None => self.0.trials.hear(state),
            },
        }
    }

    fn take(&self, node: &Node, id: GatewayId, state: GatewayState) {
        let mut known = node.known();
        if known.forgets(id, &state) {
            node.wake.notify_one();
        }
        let before = known.standings.get(&id).map(|(standing, _)| *standing);
        let Some((now, code)) = standing(before, &state) else { return };
        known.standings.insert(id, (now, code));
        let fails = matches!(state.state, RegState::Failed | RegState::Timeout);
        if now == Standing::Registered {
            known.breakers.remove(&id);
        } else if let (true, Some(account)) = (fails, self.picture().accounts.get(&id)) {
            let breaker = known.breakers.entry(id).or_default();
            if breaker.fail(&account.mark, Instant::now()) {
                tracing::warn!(gateway = %id, code, "a gateway that fails on is left alone");
                node.wake.notify_one();
            }
        }
        drop(known);
        let since = Timestamp::from_microsecond(state.at_us).unwrap_or_else(|_| Timestamp::now());
        let phrase = phrase(&state);
        self.note(id, Registration::new(state.switch, now, code, phrase, since));
    }

    /// Has it written down, unless too much waits already.
    fn note(&self, id: GatewayId, registration: Registration) {
        if self.0.notes.try_send((id, registration)).is_err() {
            tracing::warn!(gateway = %id, "a change of a gateway is not written down");
        }
    }
}

/// What is kept of the provider's words. What sofia-sip says itself looks like a provider's answer
/// (`nta.c` outgoing_reply), but nobody sent it.
fn phrase(state: &GatewayState) -> String {
    match state.code {
        Some(503) if !state.heard => UNREACHED.to_owned(),
        _ => state.phrase.clone(),
    }
}

/// Writes changes down, each until the database takes it or refuses it. Of a gateway only the
/// latest counts while it is away.
async fn write_down(store: Store, mut noted: mpsc::Receiver<Note>) {
    let operator = store.operator();
    while let Some((id, registration)) = noted.recv().await {
        loop {
            match timeout(NOTE, operator.note_registration(id, &registration)).await {
                Ok(Ok(())) => break,
                Ok(Err(error)) if !error.retryable() => {
                    tracing::warn!(%error, "a change of a gateway is not written down");
                    break;
                }
                Ok(Err(_)) | Err(_) => sleep(NOTE).await,
            }
        }
    }
}

type Locked<'a, T> = MutexGuard<'a, BTreeMap<String, T>>;
