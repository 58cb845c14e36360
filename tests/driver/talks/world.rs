//! Who is there: a caller, extensions that answer or don't, and a flow that dials.

use std::sync::Arc;

use callwright::base::digits::Digits;
use callwright::driver::session::Settings;
use callwright::driver::simulate::Simulation;
use callwright::flow::talk::TalkSettings;
use callwright::simulator::Script;
use serde_json::{Value, json};

use crate::hands::calls::{Flows, flows, world};
use crate::hands::{Chance, settings};

const FLOW: &str = "
callwright: 1
start: pick-up
steps:
  pick-up: { kind: answer, next: talk }
  talk:
    TALK
    inside: [INSIDE]
    record: RECORD
    next: after
    on: { failed: after, EXITS }
  after: { kind: play, prompts: [again], next: once-more }
  once-more:
    kind: dial
    targets: [{ extension: '2003', timeout: 20s }]
    next: bye
    on: { failed: bye, busy: bye, no_answer: bye, unreachable: bye, rejected: bye }
  bye: { kind: play, prompts: [bye], next: end }
  end: { kind: hangup }
";
/// How the first conversation is come to: at once, or in a line.
const DIAL: [&str; 2] = [
    "kind: dial
    targets: [{ extension: '2001', timeout: 20s }]",
    "busy: after, no_answer: after, unreachable: after, rejected: after",
];
const LINE: [&str; 2] = [
    "kind: queue
    queue: help
    targets: [{ extension: '2001' }, { extension: '2003' }]
    timeout: 5s
    retry: 4s
    max_wait: 50s
    exit_key: '#'",
    "cancelled: after, too_long: after, full: after",
];

fn flow([kind, exits]: [&str; 2], inside: &str, record: &str) -> String {
    let flow = FLOW.replace("TALK", kind).replace("EXITS", exits);
    flow.replace("INSIDE", inside).replace("RECORD", record)
}

/// How long a caller stays.
const CALL_MS: u64 = 150_000;

pub(super) fn talk_settings() -> Value {
    json!({
        "keys": { "next_key": "2s", "codes": {
            "transfer": "**1", "consult": "**2", "complete": "**3", "cancel": "**4",
            "toggle": "**5", "hold": "**6", "record": "**7" } },
        "monitor": { "supervisors": { "300": {
            "may": ["listen", "whisper", "barge", "take_over"], "groups": ["*"] } } },
        "music": "music",
        "park": { "slots": "701-702", "timeout": "9s", "call_back": "5s", "announce": "tones" },
    })
}

pub(super) fn codes() -> Vec<Digits> {
    let settings: TalkSettings = serde_json::from_value(talk_settings()).unwrap();
    settings.keys.codes.into_values().collect()
}

/// One call with all that surrounds it.
pub(super) struct Scene {
    router: Arc<Flows>,
    script: Arc<Script>,
    settings: Settings,
    seed: u64,
}

impl Scene {
    /// Everybody answers within a second and stays; 2004 is busy.
    pub(super) fn calm() -> Self {
        let answers = json!({ "answer": "1s" });
        let far_ends = json!({ "2001": answers, "2002": answers, "2003": answers, "300": answers,
            "2004": "busy" });
        Self::new(1, flow(DIAL, "target", "false"), &far_ends, 250)
    }

    pub(super) fn random(seed: u64, dice: &mut Chance) -> Self {
        let inside = ["", "target", "caller", "caller, target"][dice.pick(4)];
        let record = ["true", "false"][dice.pick(2)];
        let flow = flow([DIAL, DIAL, LINE][dice.pick(3)], inside, record);
        let mut end = |likely: bool| match dice.below(if likely { 12 } else { 8 }) {
            0 => json!("busy"),
            1 => json!("no_answer"),
            2 => json!("unreachable"),
            3 => json!({ "answer": "2s", "talk": "3s" }),
            4 => json!({ "answer": "0s", "talk": "20s" }),
            _ => json!({ "answer": "1s" }),
        };
        let far_ends = json!({ "2001": end(true), "2002": end(false), "2003": end(true),
            "300": end(true), "2004": "busy" });
        let step_ms = 160 + dice.below(400);
        Self::new(seed, flow, &far_ends, step_ms)
    }

    fn new(seed: u64, flow: String, far_ends: &Value, step_ms: u64) -> Self {
        let waits = vec![
            json!({ "wait": format!("{step_ms}ms") });
            usize::try_from(CALL_MS / step_ms).unwrap()
        ];
        let script = json!({ "dial": "100", "from": { "number": "+15550111" },
            "far_ends": far_ends, "patience": "20s", "steps": waits,
            "queue": { "ahead": seed % 3, "each": "4s" } });
        let talk = serde_json::from_value(talk_settings()).unwrap();
        Self {
            router: Arc::new(flows(&flow, None).with_talk(talk)),
            script: Arc::new(Script::from_json(&script.to_string()).unwrap()),
            settings: settings(),
            seed,
        }
    }

    pub(super) fn simulation(&self) -> Simulation<'_> {
        let start = "2026-11-23T10:00:00Z".parse().unwrap();
        let script = Arc::clone(&self.script);
        let world = world(&script);
        Simulation::within(world, script, &*self.router, &self.settings, start, self.seed)
            .with_link()
    }
}
