//! What is read of a FreeSWITCH, over a link of our own to it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::lookup_host;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use uuid::Uuid;

use super::answers::{Answers, DIRECTORIES, Question};
use super::check::modules::{Need, needs};
use super::check::sounds::{ENGLISH, words};
use super::machine::Disk;
use super::used::Used;
use crate::app::config::Config;
use crate::esl::argument::{FilePath, Word};
use crate::esl::command::Api;
use crate::esl::inspect::{Inspect, ProfileNetwork, network, proxies};
use crate::esl::profiles::profiles;
use crate::esl::sofia::SofiaApi;
use crate::switch::link::{DownCause, Link, LinkConfig, LinkError, LinkEvent};

/// How long it may take until a link is up.
const REACH: Duration = Duration::from_secs(8);
/// How long one FreeSWITCH is examined.
const EXAMINATION: Duration = Duration::from_secs(40);
/// How often it is asked for its clock: the quickest answer counts.
const CLOCKS: usize = 5;
/// Links that are examined, and profiles of one FreeSWITCH, at most.
const LINKS_MAX: usize = 64;
const PROFILES_MAX: usize = 64;
/// Files that one FreeSWITCH is asked for, at most.
const FILES_MAX: usize = 400;

/// Bits of a file's mode, for others.
const READ: u32 = 0o4;
const WRITE: u32 = 0o2;

/// What was read.
#[derive(Debug)]
pub(super) struct Switch {
    /// What operators call it.
    pub(super) name: String,
    pub(super) address: String,
    pub(super) reach: Reach,
    pub(super) shipped_password: bool,
    /// Where it was reached.
    pub(super) peer: Option<IpAddr>,
    /// Whether its files and its clock are this machine's.
    pub(super) is_here: bool,
    pub(super) answers: Answers,
    pub(super) modules: BTreeMap<String, Module>,
    pub(super) profiles: BTreeMap<String, ProfileNetwork>,
    /// Profiles of gateways, and where those lead.
    pub(super) gateways: Vec<(String, String)>,
    pub(super) clock: Option<Clock>,
    /// Whether FreeSWITCH sees a file.
    pub(super) files: BTreeMap<String, bool>,
    /// For each language the files in which it may have a word.
    pub(super) words: BTreeMap<String, Vec<String>>,
    /// Prompts that are here, and that FreeSWITCH's user can't read.
    pub(super) unreadable: BTreeSet<String>,
    /// Where FreeSWITCH records, if its user, whose number this is, can't write there.
    pub(super) unwritable: Option<(PathBuf, u32)>,
    /// Directories that it shares with us.
    pub(super) shared: Vec<SharedDirectory>,
    /// FreeSWITCH's own directories, where it is here.
    pub(super) disks: Vec<Disk>,
}

/// How far we came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reach {
    Up,
    /// The link's settings can't be used.
    Settings(String),
    Down {
        reason: String,
        cause: DownCause,
    },
}

/// A module that is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Module {
    Loaded,
    /// Whether its file is there.
    Missing {
        installed: bool,
    },
}

/// How FreeSWITCH's clock stands to ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clock {
    /// How much it is ahead, in milliseconds.
    pub(super) ahead_ms: i64,
    /// How long the answer took: the clock may be off by half of it more or less.
    pub(super) round_trip_ms: i64,
}

/// A directory of ours that FreeSWITCH has to see too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SharedDirectory {
    pub(super) setting: &'static str,
    pub(super) here: PathBuf,
    pub(super) there: String,
    /// Whether FreeSWITCH sees a file that was put there; none where none could be put.
    pub(super) seen: Option<bool>,
}

/// Examines every FreeSWITCH, all at once.
pub(super) async fn read_all(config: &Config, used: &Used) -> Vec<Switch> {
    let mut tasks = JoinSet::new();
    for (place, link) in config.link.iter().take(LINKS_MAX).enumerate() {
        let needs = needs(config, used);
        let plan = Plan::new(link, config, used, needs);
        tasks.spawn(async move { (place, plan.carry_out().await) });
    }
    let mut all = tasks.join_all().await;
    all.sort_by_key(|(place, _)| *place);
    all.into_iter().map(|(_, switch)| switch).collect()
}

/// What is to be read of one FreeSWITCH.
struct Plan {
    link: LinkConfig,
    needs: Vec<Need>,
    /// Files that it has to see.
    files: BTreeSet<String>,
    languages: BTreeSet<String>,
    shared: Vec<SharedDirectory>,
}

impl Plan {
    fn new(link: &LinkConfig, config: &Config, used: &Used, needs: Vec<Need>) -> Self {
        let prompts = config.prompts.here.clone();
        let directory = &config.prompts.directory;
        let share = |setting, here: PathBuf, there: &str| SharedDirectory {
            setting,
            here,
            there: there.trim_end_matches('/').to_owned(),
            seen: None,
        };
        let shared = vec![
            share("store.message_directory", config.spool(), &config.store.message_directory),
            share("prompts.directory", prompts.unwrap_or_else(|| directory.into()), directory),
        ];
        let files = used.prompts.iter().map(|prompt| prompt.path.clone()).take(FILES_MAX);
        let mut languages = used.languages.clone();
        if languages.is_empty() {
            languages.insert(ENGLISH.to_owned());
        }
        let (link, files) = (link.clone(), files.collect());
        Self { link, needs, files, languages, shared }
    }

    async fn carry_out(self) -> Switch {
        let peer = timeout(REACH, lookup_host(&self.link.address)).await;
        let peer = peer.ok().and_then(Result::ok).and_then(|mut found| found.next());
        let mut switch = Switch {
            name: self.link.name().to_owned(),
            address: self.link.address.clone(),
            reach: Reach::Up,
            shipped_password: self.link.has_shipped_password(),
            peer: peer.map(|address| address.ip()),
            is_here: false,
            answers: Answers::default(),
            modules: BTreeMap::new(),
            profiles: BTreeMap::new(),
            gateways: Vec::new(),
            clock: None,
            files: BTreeMap::new(),
            words: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            unwritable: None,
            shared: Vec::new(),
            disks: Vec::new(),
        };
        match reach(&self.link).await {
            Ok(link) => {
                let asker = Asker { link, until: Instant::now() + EXAMINATION };
                switch.read(&asker, self).await;
            }
            Err(reach) => switch.reach = reach,
        }
        switch
    }
}

/// A link that is up.
async fn reach(config: &LinkConfig) -> Result<Link, Reach> {
    let (link, mut events) =
        Link::start(config).map_err(|error| Reach::Settings(error.to_string()))?;
    let first = async {
        loop {
            match events.next().await {
                Some(LinkEvent::Up { .. }) => return Ok(()),
                Some(LinkEvent::Down { reason, cause }) => {
                    return Err(Reach::Down { reason, cause });
                }
                Some(_) => {}
                None => {
                    let reason = "the link ended".to_owned();
                    return Err(Reach::Down { reason, cause: DownCause::Other });
                }
            }
        }
    };
    let silent = |_| {
        let reason = format!("there is no answer within {} s", REACH.as_secs());
        Err(Reach::Down { reason, cause: DownCause::Silent })
    };
    timeout(REACH, first).await.unwrap_or_else(silent)?;
    // What else it tells is nobody's concern here.
    tokio::spawn(async move { while events.next().await.is_some() {} });
    Ok(link)
}

/// A link, and until when it may be asked.
struct Asker {
    link: Link,
    until: Instant,
}

impl Asker {
    /// What is said; `-ERR` is said too.
    async fn ask(&self, api: Api) -> Result<String, String> {
        match timeout_at(self.until, self.link.api(api)).await {
            Ok(Ok(said)) => Ok(said),
            Ok(Err(LinkError::Refused(why))) => Err(why),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("{} s were over", EXAMINATION.as_secs())),
        }
    }

    async fn is_true(&self, api: Api) -> Option<bool> {
        let said = self.ask(api).await.ok()?;
        Some(said.trim() == "true")
    }

    async fn has_file(&self, path: &str) -> Option<bool> {
        let path = FilePath::new(path).ok()?;
        self.is_true(Api::Sofia(SofiaApi::FileExists { path })).await
    }
}

impl Switch {
    async fn read(&mut self, asker: &Asker, plan: Plan) {
        self.clock = clock(asker).await;
        for question in Question::ALL {
            let answer = match question.api() {
                Ok(api) => asker.ask(api).await,
                Err(refused) => Err(refused.to_string()),
            };
            self.answers.put(question, answer);
        }
        self.is_here = self.peer.is_some_and(is_own)
            && self.answers.global("hostname").is_some_and(|name| name == hostname());
        self.read_modules(asker, &plan.needs).await;
        self.read_profiles(asker).await;
        let gateways = self.answers.said(Question::Gateways).map(proxies);
        self.gateways = gateways.and_then(Result::ok).unwrap_or_default();
        for language in plan.languages {
            let words = self.words_of(asker, &language).await;
            self.words.insert(language, words);
        }
        let words: Vec<String> = self.words.values().flatten().cloned().collect();
        for path in words.into_iter().chain(plan.files).take(FILES_MAX) {
            if let Some(there) = asker.has_file(&path).await {
                self.files.insert(path, there);
            }
        }
        for shared in plan.shared {
            self.shared.push(shared.look(asker).await);
        }
        if self.is_here {
            self.look_around();
        }
    }

    /// What can be read of a FreeSWITCH on this machine without asking it.
    fn look_around(&mut self) {
        let named = DIRECTORIES.into_iter();
        let named = named.filter_map(|name| Some((name, self.answers.global(name)?)));
        let read = |(name, path)| Disk::read(format!("${{{name}}}"), PathBuf::from(path));
        self.disks = named.map(read).collect();
        let Some(user) = self.answers.global("run_dir").and_then(User::of_freeswitch) else {
            return;
        };
        let seen = self.files.iter().filter(|(_, seen)| **seen).map(|(path, _)| path);
        self.unreadable =
            seen.filter(|path| user.may(path, READ) == Some(false)).cloned().collect();
        let folders = self.shared.iter().filter(|shared| shared.setting.starts_with("store."));
        let mut closed = folders.filter(|shared| user.may(&shared.there, WRITE) == Some(false));
        self.unwritable = closed.next().map(|shared| (PathBuf::from(&shared.there), user.uid));
    }

    async fn read_modules(&mut self, asker: &Asker, needs: &[Need]) {
        for need in needs {
            let Ok(name) = Word::new("module", &need.module) else { continue };
            let loaded = asker.is_true(Api::Inspect(Inspect::HasModule(name))).await;
            let module = match loaded {
                None => continue,
                Some(true) => Module::Loaded,
                Some(false) => {
                    let folder = self.answers.global("mod_dir").unwrap_or_default();
                    let file = format!("{folder}/{}.so", need.module);
                    Module::Missing { installed: asker.has_file(&file).await == Some(true) }
                }
            };
            self.modules.insert(need.module.clone(), module);
        }
    }

    async fn read_profiles(&mut self, asker: &Asker) {
        let listed = self.answers.said(Question::Profiles).map(profiles);
        let names: BTreeSet<String> =
            listed.and_then(Result::ok).into_iter().flatten().map(|row| row.name).collect();
        for name in names.into_iter().take(PROFILES_MAX) {
            let Ok(profile) = Word::new("profile", &name) else { continue };
            let told = asker.ask(Api::Sofia(SofiaApi::Profile { profile })).await;
            if let Some(network) = told.ok().and_then(|xml| network(&xml).ok().flatten()) {
                self.profiles.insert(name, network);
            }
        }
    }

    /// Files in which FreeSWITCH may have a word of a language.
    async fn words_of(&self, asker: &Asker, language: &str) -> Vec<String> {
        let Ok(name) = Word::new("language", language) else { return Vec::new() };
        let told = asker.ask(Api::Inspect(Inspect::Language(name))).await.unwrap_or_default();
        let prefix = self.answers.global("sound_prefix").unwrap_or_default();
        words(&told, prefix)
    }

    /// The directory of its configuration, as far as it is known.
    pub(super) fn conf_dir(&self) -> &str {
        self.answers.global("conf_dir").unwrap_or("conf")
    }

    /// How it is, in a line.
    pub(super) fn describe(&self) -> String {
        match &self.reach {
            Reach::Up => {
                let version = self.answers.said(Question::Version).unwrap_or("FreeSWITCH");
                let version = version.split(" (").next().unwrap_or(version);
                let clock = self.clock.map_or_else(String::new, |clock| {
                    let Clock { ahead_ms, round_trip_ms } = clock;
                    format!(", answers in {round_trip_ms} ms, its clock is {ahead_ms:+} ms off")
                });
                let profiles = self.profiles.len();
                format!("{version} at {}{clock}; {profiles} SIP profiles", self.address)
            }
            Reach::Settings(why) => format!("not tried: {why}"),
            Reach::Down { reason, .. } => format!("{}: {reason}", self.address),
        }
    }
}

impl SharedDirectory {
    /// Puts a file there for a moment, and has FreeSWITCH look for it.
    async fn look(mut self, asker: &Asker) -> Self {
        let name = format!(".callwright-doctor-{}", Uuid::now_v7().simple());
        let Some(_mark) = Mark::put(&self.here.join(&name)) else { return self };
        self.seen = asker.has_file(&format!("{}/{name}", self.there)).await;
        self
    }
}

/// An empty file, for as long as this is kept.
struct Mark(PathBuf);

impl Mark {
    fn put(path: &Path) -> Option<Self> {
        std::fs::write(path, b"").is_ok().then(|| Self(path.to_owned()))
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        // Nothing reads it, and nobody could do more about it.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A user of this machine.
struct User {
    uid: u32,
    groups: Vec<u32>,
}

impl User {
    /// As whom the FreeSWITCH runs that writes its process's number into this directory.
    fn of_freeswitch(run_dir: &str) -> Option<Self> {
        let pid = std::fs::read_to_string(format!("{run_dir}/freeswitch.pid")).ok()?;
        let pid: u32 = pid.trim().parse().ok()?;
        Self::read(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
    }

    /// Reads proc_pid_status(5): of four numbers the second counts.
    fn read(status: &str) -> Option<Self> {
        let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        let effective = |line: &str| line.split_whitespace().nth(1)?.parse::<u32>().ok();
        let more = line("Groups:")?.split_whitespace().filter_map(|group| group.parse().ok());
        let groups = effective(line("Gid:")?).into_iter().chain(more).collect();
        Some(Self { uid: effective(line("Uid:")?)?, groups })
    }

    /// Whether the mode of a file lets them; none where it can't be seen.
    fn may(&self, path: &str, bit: u32) -> Option<bool> {
        let data = std::fs::metadata(path).ok()?;
        let shift = if data.uid() == self.uid {
            6
        } else if self.groups.contains(&data.gid()) {
            3
        } else {
            0
        };
        Some(self.uid == 0 || data.mode() >> shift & bit != 0)
    }
}

/// Asks for the time some times; the quickest answer says most.
async fn clock(asker: &Asker) -> Option<Clock> {
    let mut best: Option<Clock> = None;
    for _ in 0..CLOCKS {
        let (asked, began) = (Timestamp::now().as_millisecond(), Instant::now());
        let said = asker.ask(Api::Inspect(Inspect::Clock)).await.ok()?;
        let round_trip_ms = i64::try_from(began.elapsed().as_millis()).ok()?;
        let theirs: i64 = said.trim().parse().ok()?;
        let ahead_ms = theirs / 1_000 - (asked + round_trip_ms / 2);
        if best.is_none_or(|best| round_trip_ms < best.round_trip_ms) {
            best = Some(Clock { ahead_ms, round_trip_ms });
        }
    }
    best
}

/// Whether an address is one of this machine's: only such can be bound.
fn is_own(address: IpAddr) -> bool {
    match TcpListener::bind(SocketAddr::new(address, 0)) {
        Ok(_) => true,
        Err(error) => error.kind() != ErrorKind::AddrNotAvailable && address.is_loopback(),
    }
}

fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_user_may_is_told_by_the_mode() {
        let status = "Name:\tx\nUid:\t999\t999\t9\t9\nGid:\t998\t998\t9\t9\nGroups:\t29 998 \n";
        let mut user = User::read(status).unwrap();
        assert_eq!((user.uid, &user.groups[..]), (999, &[998, 29, 998][..]));
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(user.may(path, READ), Some(false), "0600 of another user");
        user.uid = 0;
        assert_eq!(user.may(path, WRITE), Some(true));
        assert_eq!(user.may("/nowhere/x", READ), None);
    }

    #[test]
    fn only_addresses_of_this_machine_are_its_own() {
        assert!(is_own("127.0.0.1".parse().unwrap()));
        assert!(!is_own("192.0.2.1".parse().unwrap()));
    }
}
