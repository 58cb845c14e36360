//! An account is tried out on a profile of its own before it is kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::lookup_host;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use uuid::Uuid;

use super::account::{Account, Secret};
use super::node::{Node, OK, standing};
use super::{Accounts, Locked, phrase};
use crate::base::ids::GatewayName;
use crate::esl::sofia::{GatewayState, RegState};
use crate::model::gateway::{GatewaySettings, Transport};
use crate::model::registration::{NO_TRANSPORT, Registration, Standing, UNREACHED, UNRESOLVED};
use crate::switch::link::LinkError;

/// Accounts that are tried out at once.
const TRIALS_MAX: usize = 4;
/// How long a server may take to answer: sofia-sip gives an unanswered request up after 32 s, which
/// nobody wants to wait for.
const PATIENCE: Duration = Duration::from_secs(12);
/// How long a name may take to be resolved.
const RESOLVED: Duration = Duration::from_secs(3);
/// Changes of state that wait to be looked at.
const STATES_MAX: usize = 64;
/// What FreeSWITCH calls such a gateway: this and an id of the moment.
const PREFIX: &str = "cwtry-";
/// One that is so old was left by a process that died.
const LEFT_S: u64 = 60;
/// Registrations of a trial end by themselves after so many seconds.
const EXPIRES_S: u32 = 60;
/// Nothing is tried twice.
const RETRY_S: u32 = 3_600;
/// The shortest interval that FreeSWITCH takes (`sofia.c` parse_gateways).
const PING_S: u32 = 5;

/// Why an account was not tried out.
#[derive(Debug, thiserror::Error)]
pub enum TryError {
    #[error("no FreeSWITCH is connected: accounts can't be tried out")]
    NoSwitch,
    #[error("{TRIALS_MAX} accounts are being tried out already")]
    Busy,
    #[error("FreeSWITCH can't try it out: {0}")]
    Link(#[from] LinkError),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    pub works: bool,
    pub registration: Registration,
    pub took: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Trials(Mutex<BTreeMap<String, Trial>>);

#[derive(Debug)]
struct Trial {
    account: Arc<Account>,
    states: mpsc::Sender<GatewayState>,
}

/// A trial as long as it goes on.
struct Going<'a> {
    trials: &'a Trials,
    name: GatewayName,
}

impl Drop for Going<'_> {
    fn drop(&mut self) {
        self.trials.lock().remove(self.name.as_str());
    }
}

impl Trials {
    fn lock(&self) -> Locked<'_, Trial> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn of_profile(&self, profile: &str) -> Vec<Arc<Account>> {
        let trials = self.lock();
        let here = trials.values().filter(|trial| trial.account.profile == profile);
        here.map(|trial| Arc::clone(&trial.account)).collect()
    }

    pub(super) fn hear(&self, state: GatewayState) {
        if let Some(trial) = self.lock().get(&state.name) {
            // Whoever is that far behind has seen enough.
            let _ = trial.states.try_send(state);
        }
    }

    fn begin(
        &self,
        account: Account,
    ) -> Result<(Going<'_>, mpsc::Receiver<GatewayState>), TryError> {
        let mut trials = self.lock();
        if trials.len() >= TRIALS_MAX {
            return Err(TryError::Busy);
        }
        let (states, heard) = mpsc::channel(STATES_MAX);
        let name = account.name.clone();
        trials.insert(name.to_string(), Trial { account: Arc::new(account), states });
        Ok((Going { trials: self, name }, heard))
    }
}

/// Whether this is a gateway of a trial that nobody waits for any more.
pub(super) fn is_left(name: &str) -> bool {
    let id = name.strip_prefix(PREFIX).and_then(|id| Uuid::try_parse(id).ok());
    let began = id.and_then(|id| id.get_timestamp()).map(|time| time.to_unix().0);
    let now = u64::try_from(Timestamp::now().as_second()).unwrap_or_default();
    began.is_some_and(|began| began + LEFT_S < now)
}

#[allow(clippy::unwrap_used, reason = "a prefix of ours and hexadecimal digits are such a name")]
fn name() -> GatewayName {
    format!("{PREFIX}{}", Uuid::now_v7().as_simple()).parse().unwrap()
}

/// The account as it is tried: once, and not for long.
fn on_trial(settings: &GatewaySettings, accounts: &Accounts, password: Option<Secret>) -> Account {
    let ping_s = (!settings.register).then_some(PING_S);
    let settings = GatewaySettings {
        expires_s: EXPIRES_S,
        retry_s: RETRY_S,
        ping_s,
        profile: None,
        ..settings.clone()
    };
    let config = accounts.config();
    let (profile, context) = (config.try_profile.as_str(), config.context.as_str());
    let mut account = Account::new(name(), &settings, profile, context, (password, 0));
    account.params.push(("ping-monitoring", "true".to_owned()));
    account
}

impl Accounts {
    /// Tries an account out on the first FreeSWITCH that is connected.
    ///
    /// # Errors
    /// It could not be tried. That it does not work is no error.
    pub async fn try_out(
        &self,
        settings: &GatewaySettings,
        password: Option<Secret>,
    ) -> Result<Tried, TryError> {
        let node = self.0.nodes.iter().find(|node| node.known().up).ok_or(TryError::NoSwitch)?;
        let account = on_trial(settings, self, password);
        let profile = account.profile.clone();
        let (going, mut states) = self.0.trials.begin(account)?;
        let began = Instant::now();
        let taken = take(node, &profile, &going.name).await;
        let found = match taken {
            Ok(true) => outcome(&mut states, began + PATIENCE).await,
            Ok(false) => Some(not_taken(settings)),
            Err(error) => return Err(error.into()),
        };
        let took = began.elapsed();
        // It must not come back with the next rescan.
        let name = going.name.clone();
        drop(going);
        if taken == Ok(true) {
            node.kill(&[(profile, name)]).await?;
            self.register_again(settings).await;
        }
        let switch = node.switch().await?;
        let (now, code, phrase) = match found {
            Some(found) if found.2 != UNREACHED => found,
            found if leads_nowhere(settings).await => {
                (Standing::Failed, found.and_then(|(_, code, _)| code), UNRESOLVED.to_owned())
            }
            found => found.unwrap_or((Standing::Failed, None, String::new())),
        };
        let registration = Registration::new(switch, now, code, phrase, Timestamp::now());
        Ok(Tried { works: now.serves(), registration, took })
    }
}

/// FreeSWITCH passes over an account whose transport its profile has not (`sofia.c`
/// parse_gateways).
fn not_taken(settings: &GatewaySettings) -> Outcome {
    let phrase = if settings.transport == Transport::Tls { NO_TRANSPORT } else { "" };
    (Standing::Absent, None, phrase.to_owned())
}

/// Whether the server has a name without an address. Only asked where nobody was reached: a name
/// may lead somewhere by SRV alone.
async fn leads_nowhere(settings: &GatewaySettings) -> bool {
    let server = settings.register_proxy.as_ref().unwrap_or(&settings.server).as_str();
    let text = if server.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
        server.to_owned()
    } else {
        format!("{server}:5060")
    };
    match timeout(RESOLVED, lookup_host(text)).await {
        Ok(Ok(mut found)) => found.next().is_none(),
        Ok(Err(_)) | Err(_) => true,
    }
}

type Outcome = (Standing, Option<u16>, String);

impl Accounts {
    /// Where a registrar keeps one registration of an account, the trial has taken the place of the
    /// gateway that has the same account.
    async fn register_again(&self, tried: &GatewaySettings) {
        let picture = self.picture();
        let user = tried.username.as_ref().map_or("", |user| user.as_str());
        let same = |account: &&Arc<Account>| {
            let param = |name| account.param(name).unwrap_or_default();
            param("proxy") == tried.server.as_str()
                && param("username") == user
                && param("register") == "true"
        };
        for account in picture.accounts.values().filter(same) {
            for node in &self.0.nodes {
                if let Err(error) = node.register(account).await {
                    tracing::debug!(gateway = %account.name, %error, "it registers by and by");
                }
            }
        }
    }
}

/// Has the profile look for it, and says whether it was found.
async fn take(node: &Node, profile: &str, name: &GatewayName) -> Result<bool, LinkError> {
    node.rescan(profile).await?;
    Ok(node.rows().await?.iter().any(|row| row.name == name.as_str()))
}

/// Waits for what settles it; none if nothing did.
async fn outcome(states: &mut mpsc::Receiver<GatewayState>, end: Instant) -> Option<Outcome> {
    let mut before = None;
    while let Ok(Some(state)) = timeout_at(end, states.recv()).await {
        // FreeSWITCH forgets an answer that comes before it has noted its own question
        // (`sofia_reg.c` sofia_reg_check_gateway sets TRYING last), so the answer itself counts.
        if state.state == RegState::Registering && state.code == Some(OK) {
            return Some((Standing::Registered, None, String::new()));
        }
        let Some((now, code)) = standing(before, &state) else { continue };
        before = Some(now);
        if now != Standing::Trying {
            return Some((now, code, phrase(&state)));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_the_registrar_answers_settles_it() {
        let told = async |state, code, up| {
            let (tell, mut states) = mpsc::channel(2);
            let (name, phrase, switch) = (name().to_string(), String::new(), "one".to_owned());
            let state =
                GatewayState { name, state, up, code, phrase, heard: true, switch, at_us: 0 };
            tell.send(state).await.unwrap();
            drop(tell);
            outcome(&mut states, Instant::now() + PATIENCE).await.map(|(now, ..)| now)
        };
        let registered = Some(Standing::Registered);
        assert_eq!(told(RegState::Registering, Some(OK), false).await, registered);
        assert_eq!(told(RegState::Registered, None, true).await, registered);
        assert_eq!(told(RegState::Failed, Some(403), false).await, Some(Standing::Failed));
        assert_eq!(told(RegState::Trying, None, false).await, None);
    }

    #[test]
    fn a_trial_is_known_by_its_name_and_by_its_age() {
        assert!(!is_left(name().as_str()), "it goes on");
        let old = Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, 1_700_000_000, 0));
        assert!(is_left(&format!("{PREFIX}{}", old.as_simple())));
        assert!(!is_left("cwtry-x") && !is_left("carrier"));
    }
}
