//! What is known of the operator's profiles in one FreeSWITCH, and what is to be done about them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::Instant;

use super::profile::{Mark, SofiaProfile};
use crate::model::profile::RestartWhen;

/// How long a profile that did not start is left alone, at first and at most.
const REST: Duration = Duration::from_secs(10);
const REST_MAX: Duration = Duration::from_secs(300);

/// How a profile stands in one FreeSWITCH.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProfileStanding {
    /// It runs, as it is laid down.
    Running,
    /// It is about to be started, changed or stopped.
    Changing,
    /// It goes on as it was until its calls are over.
    Waiting,
    /// FreeSWITCH does not run it, or not as it is laid down.
    Failed,
    /// It is switched off.
    Stopped,
    /// Nobody knows: FreeSWITCH can't be asked.
    Unknown,
}

/// A profile as FreeSWITCH has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Running {
    /// None where it is not one of ours.
    pub(super) mark: Option<Mark>,
    /// Legs on it.
    pub(super) calls: u32,
    /// Phones that are registered there.
    pub(super) registrations: u32,
    pub(super) urls: Vec<String>,
}

/// What kept a profile from being as it should.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Trouble {
    /// With which settings.
    mark: Mark,
    why: String,
    pause: Duration,
    until: Instant,
}

/// What is to be done with a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Start,
    ReadAgain,
    Restart,
    Stop,
}

/// Profiles by their names, as they are wanted.
pub(super) type Wanted = BTreeMap<String, Arc<SofiaProfile>>;

/// One FreeSWITCH's.
#[derive(Debug, Default)]
pub(super) struct Stage {
    pub(super) running: BTreeMap<String, Running>,
    /// Settings that were seen to be in force.
    loaded: Wanted,
    troubles: BTreeMap<String, Trouble>,
}

impl Stage {
    /// Takes over what was seen.
    pub(super) fn see(&mut self, running: BTreeMap<String, Running>, wanted: &Wanted) {
        self.running = running;
        self.loaded.retain(|name, _| self.running.contains_key(name));
        self.troubles.retain(|name, _| wanted.contains_key(name));
        for (name, profile) in wanted {
            if self.has(profile) {
                self.loaded.insert(name.clone(), Arc::clone(profile));
                self.troubles.remove(name);
            }
        }
    }

    /// Whether it runs as it is wanted.
    pub(super) fn has(&self, profile: &SofiaProfile) -> bool {
        let running = self.running.get(&profile.name);
        running.is_some_and(|running| running.mark.as_ref() == Some(&profile.mark))
    }

    /// That it could not be done, and why.
    pub(super) fn trouble(&mut self, profile: &SofiaProfile, why: String, now: Instant) {
        let before = self.troubles.get(&profile.name).filter(|one| one.mark == profile.mark);
        let pause = before.map_or(REST, |one| (one.pause * 2).min(REST_MAX));
        let trouble = Trouble { mark: profile.mark.clone(), why, pause, until: now + pause };
        self.troubles.insert(profile.name.clone(), trouble);
    }

    fn troubled(&self, profile: &SofiaProfile) -> Option<&Trouble> {
        self.troubles.get(&profile.name).filter(|trouble| trouble.mark == profile.mark)
    }

    /// What is to be done now.
    pub(super) fn orders(&self, wanted: &Wanted, now: Instant) -> Vec<(String, Order)> {
        let mut orders = Vec::new();
        for (name, running) in &self.running {
            let Some(mark) = &running.mark else { continue };
            let profile = wanted.get(name);
            let Some(profile) = profile.filter(|profile| profile.enabled) else {
                let when = profile.map_or(RestartWhen::Idle, |profile| profile.restart);
                if running.calls == 0 || when == RestartWhen::Now {
                    orders.push((name.clone(), Order::Stop));
                }
                continue;
            };
            let rests = self.troubled(profile).is_some_and(|trouble| now < trouble.until);
            if *mark == profile.mark || rests {
                continue;
            }
            if mark.starts_as(&profile.mark) {
                orders.push((name.clone(), Order::ReadAgain));
            } else if running.calls == 0 || profile.restart == RestartWhen::Now {
                orders.push((name.clone(), Order::Restart));
            }
        }
        for (name, profile) in wanted.iter().filter(|(_, profile)| profile.enabled) {
            let rests = self.troubled(profile).is_some_and(|trouble| now < trouble.until);
            if !self.running.contains_key(name) && !rests {
                orders.push((name.clone(), Order::Start));
            }
        }
        orders
    }

    /// When a profile that did not start is to be tried again.
    pub(super) fn due(&self) -> Option<Instant> {
        self.troubles.values().map(|trouble| trouble.until).min()
    }

    /// Whether one waits for its calls.
    pub(super) fn waits(&self, wanted: &Wanted) -> bool {
        let names = self.running.keys().chain(wanted.keys());
        names.into_iter().any(|name| {
            self.standing(wanted.get(name).map(|one| &**one), name).0 == ProfileStanding::Waiting
        })
    }

    /// What FreeSWITCH is to read: where a profile reads again, nothing that only counts when it
    /// starts may be another than it was.
    pub(super) fn told(
        &self,
        wanted: &Arc<SofiaProfile>,
        starts: bool,
    ) -> Option<Arc<SofiaProfile>> {
        let running = self.running.get(&wanted.name);
        match running.and_then(|running| running.mark.as_ref()) {
            Some(mark) if !starts && !mark.starts_as(&wanted.mark) => {
                self.loaded.get(&wanted.name).cloned()
            }
            _ => Some(Arc::clone(wanted)),
        }
    }

    /// How it stands, and the same in words.
    pub(super) fn standing(
        &self,
        wanted: Option<&SofiaProfile>,
        name: &str,
    ) -> (ProfileStanding, String) {
        use ProfileStanding as Is;
        let running = self.running.get(name);
        let wanted = wanted.filter(|wanted| wanted.enabled);
        let why = wanted.and_then(|wanted| self.troubled(wanted)).map(|trouble| &trouble.why);
        let (is, words) = match (wanted, running, why) {
            (None, None, _) => (Is::Stopped, "it is switched off"),
            (Some(wanted), Some(_), _) if self.has(wanted) => (Is::Running, "it runs"),
            (_, Some(Running { mark: None, .. }), _) => {
                (Is::Failed, "FreeSWITCH has a profile of this name in its own files")
            }
            (_, None, Some(why)) => (Is::Failed, why.as_str()),
            (_, Some(_), Some(why)) => return (Is::Failed, format!("it runs as it was: {why}")),
            (Some(_), None, None) => (Is::Changing, "it is being started"),
            (_, Some(running), None) => {
                let again = wanted.zip(running.mark.as_ref());
                if again.is_some_and(|(wanted, mark)| mark.starts_as(&wanted.mark))
                    || running.calls == 0
                {
                    (Is::Changing, "it is being changed")
                } else {
                    let calls = running.calls;
                    let words = format!("it runs as it was until its calls are over: {calls} legs");
                    return (Is::Waiting, words);
                }
            }
        };
        (is, words.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::profile::tests::profile;
    use super::*;

    const PLAIN: &str = r#"{"for": "providers", "port": 5070, "codecs": ["PCMA"]}"#;

    fn running(profile: &SofiaProfile, calls: u32) -> Running {
        let mark = Some(profile.mark.clone());
        Running { mark, calls, registrations: 0, urls: Vec::new() }
    }

    fn stage(profile: &SofiaProfile, calls: u32) -> (Stage, Wanted) {
        let wanted: Wanted = [(profile.name.clone(), Arc::new(profile.clone()))].into();
        let mut stage = Stage::default();
        stage.see([(profile.name.clone(), running(profile, calls))].into(), &wanted);
        (stage, wanted)
    }

    fn with(change: (&str, &str)) -> SofiaProfile {
        profile(&PLAIN.replace(change.0, change.1))
    }

    #[tokio::test(start_paused = true)]
    async fn a_codec_is_read_again_beside_calls_and_a_port_waits_for_them() {
        let now = Instant::now();
        let old = profile(PLAIN);
        let (stage, same) = stage(&old, 2);
        assert_eq!(stage.orders(&same, now), []);
        let order = |json: SofiaProfile| {
            let wanted: Wanted = [(json.name.clone(), Arc::new(json.clone()))].into();
            let standing = stage.standing(Some(&json), "cw-a").0;
            (stage.orders(&wanted, now).into_iter().map(|one| one.1).next(), standing)
        };
        use ProfileStanding as Is;
        assert_eq!(order(with(("PCMA", "PCMU"))), (Some(Order::ReadAgain), Is::Changing));
        assert_eq!(order(with(("5070", "5071"))), (None, Is::Waiting));
        assert_eq!(order(with(("5070", r#"5071, "restart": "now""#))).0, Some(Order::Restart));
        assert_eq!(order(with(("5070", r#"5070, "enabled": false"#))), (None, Is::Waiting));
        let off = with(("5070", r#"5070, "enabled": false, "restart": "now""#));
        assert_eq!(order(off).0, Some(Order::Stop));
        assert_eq!(stage.orders(&Wanted::new(), now), [], "it was deleted, and has calls");
        assert!(stage.waits(&Wanted::new()));
    }

    #[tokio::test(start_paused = true)]
    async fn without_calls_it_is_done_at_once() {
        let now = Instant::now();
        let old = profile(PLAIN);
        let (stage, _) = stage(&old, 0);
        let stop = [("cw-a".to_owned(), Order::Stop)];
        assert_eq!(stage.orders(&Wanted::new(), now), stop);
        let other = with(("5070", "5071"));
        let wanted: Wanted = [(other.name.clone(), Arc::new(other))].into();
        assert_eq!(stage.orders(&wanted, now), [("cw-a".to_owned(), Order::Restart)]);
        let nothing = Stage::default();
        assert_eq!(nothing.orders(&wanted, now), [("cw-a".to_owned(), Order::Start)]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_start_is_left_alone_longer_until_it_is_changed() {
        let old = profile(PLAIN);
        let wanted: Wanted = [(old.name.clone(), Arc::new(old.clone()))].into();
        let mut stage = Stage::default();
        let now = Instant::now();
        stage.trouble(&old, "no".to_owned(), now);
        assert_eq!(stage.orders(&wanted, now), []);
        assert_eq!(stage.due(), Some(now + REST));
        assert_eq!(stage.standing(Some(&old), "cw-a"), (ProfileStanding::Failed, "no".to_owned()));
        assert_eq!(stage.orders(&wanted, now + REST).len(), 1);
        stage.trouble(&old, "no".to_owned(), now);
        assert_eq!(stage.orders(&wanted, now + REST), []);
        let other = with(("5070", "5071"));
        let other: Wanted = [(other.name.clone(), Arc::new(other))].into();
        assert_eq!(stage.orders(&other, now).len(), 1);
    }

    #[test]
    fn what_only_counts_at_the_start_is_not_told_to_one_that_runs() {
        let old = profile(PLAIN);
        let (stage, _) = stage(&old, 1);
        let port = Arc::new(with(("5070", "5071")));
        assert_eq!(stage.told(&port, false).unwrap().mark, old.mark);
        assert_eq!(stage.told(&port, true).unwrap().mark, port.mark);
        let codec = Arc::new(with(("PCMA", "PCMU")));
        assert_eq!(stage.told(&codec, false).unwrap().mark, codec.mark);
        assert_eq!(Stage::default().told(&port, false).unwrap().mark, port.mark);
    }

    #[tokio::test(start_paused = true)]
    async fn a_profile_of_freeswitchs_own_files_is_left_alone() {
        let own = profile(PLAIN);
        let wanted: Wanted = [(own.name.clone(), Arc::new(own.clone()))].into();
        let mut stage = Stage::default();
        let foreign = Running { mark: None, ..running(&own, 0) };
        stage.see([(own.name.clone(), foreign)].into(), &wanted);
        assert_eq!(stage.orders(&wanted, Instant::now()), []);
        assert_eq!(stage.orders(&Wanted::new(), Instant::now()), []);
        assert_eq!(stage.standing(Some(&own), "cw-a").0, ProfileStanding::Failed);
    }
}
