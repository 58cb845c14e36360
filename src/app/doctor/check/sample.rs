//! A machine and a FreeSWITCH on which nothing is wrong: what a FreeSWITCH 1.10.12 with our own
//! configuration answered.

use jiff::Timestamp;

use super::super::Readings;
use super::super::answers::{Answers, Question};
use super::super::machine::{Machine, Memory};
use super::super::switch::{Clock, Module, Reach, Switch};
use super::super::used::Used;
use super::modules::needs;
use crate::app::config::Config;
use crate::esl::inspect::{ConfigFile, network};
use crate::store::Shape;

macro_rules! data {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/data/doctor/", $name, ".txt"))
    };
}

const SAID: &[(Question, &str)] = &[
    (Question::Version, data!("version")),
    (Question::Status, data!("status")),
    (Question::Codecs, data!("codecs")),
    (Question::ApiExpansion, data!("api_expansion")),
    (Question::Dialplan, data!("dialplan")),
    (Question::Profiles, data!("profiles")),
    (Question::Gateways, data!("gateways")),
    (Question::Settings(ConfigFile::Switch), data!("switch.conf")),
    (Question::Settings(ConfigFile::EventSocket), data!("event_socket.conf")),
    (Question::Settings(ConfigFile::Sofia), data!("sofia.conf")),
    (Question::Settings(ConfigFile::XmlCurl), data!("xml_curl.conf")),
    (Question::Settings(ConfigFile::Lua), data!("lua.conf")),
    (Question::Global("hostname"), "pbx"),
    (Question::Global("conf_dir"), "/etc/freeswitch"),
    (Question::Global("mod_dir"), "/usr/lib/freeswitch/mod"),
    (Question::Global("hold_music"), data!("global_hold_music")),
    (Question::Global("callwright_address"), data!("global_callwright_address")),
];

/// Nothing is found here.
pub(in super::super) fn healthy() -> Readings {
    let config = Config::default();
    let used = Used { tenants: 1, ..Used::default() };
    let gib = 1 << 30;
    let machine = Machine {
        now: Timestamp::UNIX_EPOCH,
        daemon: None,
        has_freeswitch: true,
        ports: Vec::new(),
        disks: Vec::new(),
        key_files: Vec::new(),
        certificate: None,
        database: Ok(Shape::Current),
        used,
        memory: Some(Memory { all: 8 * gib, available: 4 * gib }),
    };
    let switch = switch(&config, &machine.used);
    Readings { config, machine, switches: vec![switch] }
}

fn switch(config: &Config, used: &Used) -> Switch {
    let mut answers = Answers::default();
    for (question, said) in SAID {
        answers.put(*question, Ok((*said).to_owned()));
    }
    // The address of a phone's network, where the sample was taken on the loopback interface.
    let profile = data!("profile").replace("127.0.0.1", "10.0.0.5");
    let network = network(&profile).unwrap().unwrap();
    let names = ["external", "internal", "callwright_try"];
    Switch {
        name: "pbx".into(),
        address: "127.0.0.1:8021".into(),
        reach: Reach::Up,
        shipped_password: false,
        peer: Some("127.0.0.1".parse().unwrap()),
        is_here: true,
        answers,
        modules: needs(config, used)
            .into_iter()
            .map(|need| (need.module, Module::Loaded))
            .collect(),
        profiles: names.map(|name| (name.to_owned(), network.clone())).into(),
        gateways: Vec::new(),
        clock: Some(Clock { ahead_ms: 3, round_trip_ms: 12 }),
        files: [].into(),
        words: [].into(),
        unreadable: [].into(),
        unwritable: None,
        shared: Vec::new(),
        disks: Vec::new(),
    }
}

/// Has FreeSWITCH answer this instead of that.
#[track_caller]
pub(in super::super) fn change(readings: &mut Readings, question: Question, from: &str, to: &str) {
    let answers = &mut readings.switches[0].answers;
    let said = answers.said(question).unwrap();
    assert!(said.contains(from), "{from} is not in {said}");
    let said = said.replace(from, to);
    answers.put(question, Ok(said));
}

#[test]
fn a_healthy_machine_has_no_findings() {
    let report = super::super::report(&healthy(), &[]);
    assert_eq!((report.healthy, report.findings), (true, Vec::new()));
}

#[test]
fn every_code_stands_in_the_table_of_codes() {
    let table = include_str!("mod.rs");
    let sources = [
        include_str!("clock.rs"),
        include_str!("core.rs"),
        include_str!("dialplan.rs"),
        include_str!("disk.rs"),
        include_str!("link.rs"),
        include_str!("machine.rs"),
        include_str!("modules.rs"),
        include_str!("nat.rs"),
        include_str!("ports.rs"),
        include_str!("profiles.rs"),
        include_str!("sounds.rs"),
    ]
    .join("\n");
    let listed = table.lines().filter_map(|line| line.strip_prefix("//! | `")?.split('`').next());
    let listed: std::collections::BTreeSet<_> = listed.collect();
    let gone: Vec<_> =
        listed.iter().filter(|code| !sources.contains(&format!("\"{code}\""))).collect();
    assert!(gone.is_empty(), "the table names what no check finds: {gone:?}");
    for line in sources.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for constructor in ["Finding::error(\"", "Finding::warning(\""] {
            let Some((_, rest)) = line.split_once(constructor) else { continue };
            let code = rest.split('"').next().unwrap();
            assert!(listed.contains(code), "`{code}` is not in the table of codes");
        }
    }
}
