//! A program from a flow's text, and calls on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use callwright::base::ids::{FlowName, TenantId};
use callwright::base::millis::Millis;
use callwright::driver::session::{Router, Settings};
use callwright::driver::simulate::{Outcome, Simulation};
use callwright::driver::translate::arrival::Inquiry;
use callwright::esl::argument::Word;
use callwright::flow::parse::parse_yaml;
use callwright::flow::program::{Program, PromptFile, Published};
use callwright::model::record::CallRecord;
use callwright::simulator::{Observed, Script, Verdict};
use uuid::Uuid;

/// Leads every call to one program, but for the number `nobody`.
pub(crate) struct One(Arc<Program>);

impl Router for One {
    fn route(&self, inquiry: &Inquiry) -> Result<Arc<Program>, String> {
        if inquiry.dialed == "nobody" { Err("unknown_number".into()) } else { Ok(self.0.clone()) }
    }

    fn program(
        &self,
        _: TenantId,
        _: &FlowName,
        _: &BTreeMap<FlowName, u32>,
    ) -> Result<Arc<Program>, String> {
        Ok(Arc::clone(&self.0))
    }
}

/// A flow in YAML; every prompt that a flow may name exists.
pub(crate) fn router(flow: &str) -> One {
    let flow = parse_yaml(flow.as_bytes()).unwrap();
    let main = "main".parse().unwrap();
    let published = Published::new("main".parse().unwrap(), 1, flow);
    let prompts = ["welcome", "sorry", "again", "bye", "pin", "accept", "second", "music"];
    let file = |name: &str| PromptFile {
        path: format!("/prompts/{name}.wav"),
        length: Some(Millis(2_000)),
    };
    let program = Program {
        tenant: TenantId(Uuid::from_u128(7)),
        timezone: "Europe/Berlin".into(),
        main,
        flows: BTreeMap::from([("main".parse().unwrap(), Arc::new(published))]),
        prompts: prompts.iter().map(|name| (name.parse().unwrap(), file(name))).collect(),
        settings: callwright::flow::program::Settings {
            gateways: vec!["carrier".parse().unwrap()],
            sip_hosts: vec!["sip.example.org".into()],
            domain: "tenant.example".into(),
            contexts: vec!["inside".into()],
            message_directory: "/messages/tenant".into(),
            ..callwright::flow::program::Settings::default()
        },
    };
    One(Arc::new(program))
}

pub(crate) fn settings() -> Settings {
    Settings::alone(Word::new("profile", "external").unwrap()).unwrap()
}

pub(crate) fn script(script: &str) -> Arc<Script> {
    Arc::new(Script::from_yaml(script).unwrap())
}

/// Runs a script to its end, which must be as it says.
pub(crate) fn passes(flow: &str, caller: &str) -> Outcome {
    let outcome = ends(flow, caller);
    assert_eq!(outcome.verdict, Verdict::Passed, "{:#?}", story(&outcome));
    outcome
}

pub(crate) fn ends(flow: &str, caller: &str) -> Outcome {
    let (router, settings) = (router(flow), settings());
    let start = "2026-11-23T10:00:00Z".parse().unwrap();
    Simulation::new(script(caller), &router, &settings, start, 1).finish()
}

/// What happened, in lines, for a failure's message.
pub(crate) fn story(outcome: &Outcome) -> Vec<String> {
    let entries = outcome.timeline.iter().map(|entry| format!("{:>6} {:?}", entry.ms, entry.what));
    let heard = outcome.heard.iter().map(|moment| format!("{:>6} {:?}", moment.at_ms, moment.what));
    entries.chain(["-- heard".to_owned()]).chain(heard).collect()
}

/// The prompts heard, those cut short marked `/`.
pub(crate) fn heard(outcome: &Outcome) -> Vec<String> {
    let sounds = outcome.heard.iter().filter_map(|moment| match &moment.what {
        Observed::Heard { item, broken, .. } => {
            let name = item.rsplit('/').next().unwrap_or(item).trim_end_matches(".wav");
            Some(format!("{name}{}", if *broken { "/" } else { "" }))
        }
        _ => None,
    });
    sounds.collect()
}

/// The steps that a call went through, with their outcomes.
pub(crate) fn path(record: &CallRecord) -> Vec<String> {
    record.path.iter().map(|visit| format!("{}:{}", visit.step, visit.outcome)).collect()
}
