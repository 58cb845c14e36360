//! One FreeSWITCH: its link, and what is known of its gateways.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::breaker::Breaker;
use crate::base::ids::{CoreId, GatewayId, GatewayName};
use crate::esl::argument::{Refused, VariableName, Word};
use crate::esl::command::Api;
use crate::esl::sofia::{GatewayRow, GatewayState, RegState, SofiaApi, gateways};
use crate::model::registration::Standing;
use crate::switch::link::{Link, LinkError};

use super::account::{Account, MARK};
use super::stage::Stage;

/// How long a gateway may take to be deleted: FreeSWITCH looks once a second.
const DELETED: Duration = Duration::from_secs(10);
/// The registrar's yes (RFC 3261 section 10.3).
pub(super) const OK: u16 = 200;

/// A FreeSWITCH whose gateways are ours.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) link: Link,
    /// There is reason to compare.
    pub(super) wake: Notify,
    /// There is reason to compare profiles.
    pub(super) profiles_wake: Notify,
    stage: Mutex<Stage>,
    state: Mutex<Known>,
    deleted: Notify,
}

#[derive(Debug, Default)]
pub(super) struct Known {
    /// The name by which it introduces itself.
    pub(super) switch: Option<String>,
    /// Which run of it this is.
    pub(super) core: Option<CoreId>,
    pub(super) up: bool,
    /// The marks that its gateways had when it was asked last.
    pub(super) marks: BTreeMap<GatewayId, String>,
    pub(super) standings: BTreeMap<GatewayId, (Standing, Option<u16>)>,
    /// Gateways that the registrar said yes to, of which FreeSWITCH has not said that it has it.
    answered: BTreeSet<GatewayId>,
    /// Gateways whose yes FreeSWITCH forgot.
    pub(super) forgotten: BTreeSet<GatewayId>,
    pub(super) breakers: BTreeMap<GatewayId, Breaker>,
    /// The networks with which its lists were read last.
    networks: BTreeSet<IpNet>,
    /// Names whose end is awaited.
    awaited: BTreeSet<String>,
}

impl Known {
    /// FreeSWITCH notes that it waits for an answer after it has asked (`sofia_reg.c`
    /// sofia_reg_check_gateway): one that was faster is forgotten, and the gateway is down until
    /// FreeSWITCH tires of waiting, a minute later. Says whether this has just happened.
    pub(super) fn forgets(&mut self, id: GatewayId, now: &GatewayState) -> bool {
        match now.state {
            RegState::Registering if now.code == Some(OK) => drop(self.answered.insert(id)),
            RegState::Trying if self.answered.remove(&id) => return self.forgotten.insert(id),
            _ => drop(self.answered.remove(&id)),
        }
        false
    }
}

impl Node {
    pub(super) fn new(link: Link) -> Self {
        Self {
            link,
            wake: Notify::new(),
            profiles_wake: Notify::new(),
            stage: Mutex::default(),
            state: Mutex::default(),
            deleted: Notify::new(),
        }
    }

    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The link is up, to a FreeSWITCH of which nothing is known.
    pub(super) fn up(&self, core: CoreId) {
        let mut known = self.known();
        known.up = true;
        known.core = Some(core);
        known.switch = None;
        known.marks.clear();
        known.networks.clear();
        known.answered.clear();
        known.forgotten.clear();
        drop(known);
        *self.stage() = Stage::default();
        self.wake.notify_one();
        self.profiles_wake.notify_one();
    }

    pub(super) fn down(&self) {
        self.known().up = false;
    }

    pub(super) fn heard_deleted(&self, name: &str) {
        if self.known().awaited.remove(name) {
            self.deleted.notify_one();
        }
    }

    pub(super) async fn ask(&self, sofia: SofiaApi) -> Result<String, LinkError> {
        self.link.api(Api::Sofia(sofia)).await
    }

    /// The name by which it introduces itself.
    pub(super) async fn switch(&self) -> Result<String, LinkError> {
        if let Some(switch) = self.known().switch.clone() {
            return Ok(switch);
        }
        let switch = self.ask(SofiaApi::SwitchName).await?.trim().to_owned();
        self.known().switch = Some(switch.clone());
        Ok(switch)
    }

    /// Has it read its lists of networks, unless they are as they were.
    pub(super) async fn know_networks(&self, networks: &BTreeSet<IpNet>) -> Result<(), LinkError> {
        if self.known().networks != *networks {
            self.ask(SofiaApi::ReloadAcl).await?;
            self.known().networks.clone_from(networks);
        }
        Ok(())
    }

    /// All gateways that it has, of ours and of others.
    pub(super) async fn rows(&self) -> Result<Vec<GatewayRow>, LinkError> {
        let xml = self.ask(SofiaApi::Gateways).await?;
        gateways(&xml).map_err(LinkError::Unreadable)
    }

    /// The mark that a gateway has there; empty where it has none.
    pub(super) async fn mark(&self, gateway: &GatewayName) -> Result<String, LinkError> {
        #[allow(clippy::unwrap_used, reason = "a name of ours")]
        let name = VariableName::new(MARK).unwrap();
        let said = self.ask(SofiaApi::Variable { gateway: gateway.clone(), name }).await?;
        Ok(said.trim().to_owned())
    }

    /// Gives gateways up, and waits until they are gone. Says how many are not, after ten seconds.
    pub(super) async fn kill(&self, gone: &[(String, GatewayName)]) -> Result<usize, LinkError> {
        self.known().awaited.extend(gone.iter().map(|(_, name)| name.to_string()));
        for (profile, gateway) in gone {
            let profile = word(profile)?;
            match self.ask(SofiaApi::Kill { profile, gateway: gateway.clone() }).await {
                Ok(_) => {}
                // It is gone already.
                Err(LinkError::Refused(_)) => {
                    self.known().awaited.remove(gateway.as_str());
                }
                Err(error) => {
                    self.known().awaited.clear();
                    return Err(error);
                }
            }
        }
        let end = Instant::now() + DELETED;
        while !self.known().awaited.is_empty() {
            if timeout_at(end, self.deleted.notified()).await.is_err() {
                break;
            }
        }
        Ok(std::mem::take(&mut self.known().awaited).len())
    }

    /// Has a gateway register now, whatever it did before.
    pub(super) async fn register(&self, account: &Account) -> Result<(), LinkError> {
        let (profile, gateway) = (word(&account.profile)?, account.name.clone());
        self.ask(SofiaApi::Register { profile, gateway }).await.map(drop)
    }

    /// Has a profile take gateways that it does not have yet.
    pub(super) async fn rescan(&self, profile: &str) -> Result<(), LinkError> {
        let said = self.ask(SofiaApi::Rescan { profile: word(profile)? }).await?;
        // `mod_sofia.c` cmd_profile says so without -ERR.
        if said.contains("Invalid Profile") {
            return Err(LinkError::Refused(format!("there is no profile `{profile}`")));
        }
        Ok(())
    }
}

pub(super) fn word(profile: &str) -> Result<Word, Refused> {
    Word::new("profile", profile)
}

/// What a change of state means, where it means anything. A gateway that registers again is
/// registered all the while.
pub(super) fn standing(
    before: Option<Standing>,
    now: &GatewayState,
) -> Option<(Standing, Option<u16>)> {
    use crate::esl::sofia::RegState as Is;
    let settled = before.is_some_and(|before| {
        matches!(before, Standing::Registered | Standing::Failed | Standing::Unreachable)
    });
    match now.state {
        Is::Registered if now.up => Some((Standing::Registered, None)),
        Is::Registered => Some((Standing::Unreachable, now.code)),
        Is::NoRegister if now.up => Some((Standing::Ready, None)),
        Is::NoRegister => Some((Standing::Unreachable, now.code)),
        Is::Failed => Some((Standing::Failed, now.code)),
        Is::Timeout => Some((Standing::Failed, Some(908))),
        Is::FailWait if before == Some(Standing::Failed) => None,
        Is::FailWait => Some((Standing::Failed, None)),
        Is::Unregistered | Is::Trying | Is::Registering if settled => None,
        Is::Unregistered | Is::Trying | Is::Registering => Some((Standing::Trying, None)),
        Is::Unregistering | Is::Down => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(state: RegState, up: bool, code: Option<u16>) -> GatewayState {
        let (name, phrase, switch) = ("cw-1".into(), String::new(), "one".into());
        GatewayState { name, state, up, code, phrase, heard: true, switch, at_us: 0 }
    }

    #[test]
    fn a_gateway_that_registers_again_stays_registered_until_it_fails() {
        let registered = Some(Standing::Registered);
        for state in [RegState::Unregistered, RegState::Trying, RegState::Registering] {
            assert_eq!(standing(registered, &heard(state, true, None)), None, "{state:?}");
            let first = standing(None, &heard(state, false, None));
            assert_eq!(first, Some((Standing::Trying, None)));
        }
        let failed = heard(RegState::Failed, false, Some(403));
        assert_eq!(standing(registered, &failed), Some((Standing::Failed, Some(403))));
        let waits = heard(RegState::FailWait, false, None);
        assert_eq!(standing(Some(Standing::Failed), &waits), None, "the code stays");
        let back = heard(RegState::Registered, true, None);
        assert_eq!(standing(Some(Standing::Failed), &back), Some((Standing::Registered, None)));
    }

    #[test]
    fn an_answer_that_came_too_fast_is_known_to_be_forgotten() {
        let id = |number| GatewayId(uuid::Uuid::from_u128(number));
        let mut known = Known::default();
        let mut tell = |number, state, code| known.forgets(id(number), &heard(state, false, code));
        for (state, code) in [
            (RegState::Trying, None),
            (RegState::Registering, Some(401)),
            (RegState::Trying, None),
            (RegState::Registering, Some(OK)),
            (RegState::Registered, None),
            (RegState::Unregistered, None),
            (RegState::Trying, None),
        ] {
            assert!(!tell(1, state, code), "{state:?}");
        }
        assert!(!tell(1, RegState::Registering, Some(OK)) && !tell(2, RegState::Trying, None));
        assert!(tell(1, RegState::Trying, None));
        assert!(!tell(1, RegState::Trying, None));
        assert_eq!(known.forgotten, [id(1)].into());
    }

    #[test]
    fn whoever_does_not_answer_options_is_unreachable() {
        let down = heard(RegState::NoRegister, false, Some(408));
        assert_eq!(standing(None, &down), Some((Standing::Unreachable, Some(408))));
        let up = heard(RegState::NoRegister, true, None);
        assert_eq!(standing(Some(Standing::Unreachable), &up), Some((Standing::Ready, None)));
    }
}
