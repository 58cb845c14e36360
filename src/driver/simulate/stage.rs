//! What a simulated call finds: a tenant that has whatever its flows name.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use crate::base::ids::{FlowName, GatewayName, RoomName, ScheduleName, TenantId};
use crate::flow::Step;
use crate::flow::kind::dial::Address;
use crate::flow::kind::hours::{Opening, Weekly};
use crate::flow::park::ParkSettings;
use crate::flow::program::{self, Program, PromptFile, Published};
use crate::flow::room::RoomSettings;
use crate::flow::schedule::Schedules;
use crate::flow::talk::TalkSettings;

/// The slots of a tenant that is none.
const SLOTS: &str = "701-720";
/// The gateway of numbers that name none.
const ANY: &str = "any";

/// A program whose flows have whatever they name.
pub fn stage(main: FlowName, flows: BTreeMap<FlowName, Arc<Published>>) -> Program {
    let steps = || flows.values().flat_map(|one| one.flow.steps.values());
    let prompts = steps().flat_map(|step| step.prompt_names()).map(|(_, name)| {
        let path = format!("/prompts/{name}.wav");
        (name.clone(), PromptFile { path, length: None })
    });
    let gateways = steps().flat_map(gateways_of).cloned();
    let contexts = steps().filter_map(|step| match step {
        Step::Transfer(transfer) => transfer.context.clone(),
        _ => None,
    });
    let rooms = steps().filter_map(|step| match step {
        Step::Conference(conference) => conference.room.literal()?.parse::<RoomName>().ok(),
        _ => None,
    });
    let named = steps().filter_map(|step| match step {
        Step::Hours(hours) => hours.schedule.clone(),
        _ => None,
    });
    let rooms = rooms.map(|room| (room, RoomSettings::default())).collect();
    let park = ParkSettings { slots: SLOTS.parse().ok(), ..ParkSettings::default() };
    let settings = program::Settings {
        rooms: Arc::new(rooms),
        schedules: Arc::new(always_open(named)),
        talk: TalkSettings { park, ..TalkSettings::default() },
        gateways: gateways.chain(ANY.parse()).collect(),
        sip_hosts: steps().flat_map(hosts_of).collect(),
        domain: "pbx.example.com".into(),
        contexts: std::iter::once("default".to_owned()).chain(contexts).collect(),
        speech: Some(program::SpeechEngine { engine: "flite".into(), voice: "kal".into() }),
        message_directory: "/messages".into(),
        mask_parties: false,
        ..program::Settings::default()
    };
    let prompts = prompts.collect();
    let timezone = "UTC".into();
    Program { tenant: TenantId(Uuid::nil()), timezone, main, flows, prompts, settings }
}

/// What is not known of a schedule is not tried: it is open.
fn always_open(named: impl Iterator<Item = ScheduleName>) -> Schedules {
    let day = || vec!["00:00-24:00".to_owned()];
    let [mon, tue, wed, thu, fri, sat, sun] = std::array::from_fn(|_| day());
    let weekly = Weekly { mon, tue, wed, thu, fri, sat, sun };
    let mut schedules = Schedules::default();
    for name in named {
        let opening = Opening { weekly: weekly.clone(), ..Opening::default() };
        schedules.add(name, Timestamp::UNIX_EPOCH, opening);
    }
    schedules
}

fn addresses(step: &Step) -> impl Iterator<Item = &Address> {
    let targets = step.dial().map_or(&[][..], |dial| dial.targets.as_slice());
    targets.iter().map(|target| &target.to)
}

fn gateways_of(step: &Step) -> impl Iterator<Item = &GatewayName> {
    addresses(step).filter_map(|address| match address {
        Address::Number { gateway, .. } => gateway.as_ref(),
        Address::Extension { .. } | Address::Sip { .. } => None,
    })
}

fn hosts_of(step: &Step) -> impl Iterator<Item = String> {
    addresses(step).filter_map(|address| match address {
        Address::Sip { sip } => sip.source().split_once('@').map(|(_, host)| host.to_owned()),
        Address::Extension { .. } | Address::Number { .. } => None,
    })
}
