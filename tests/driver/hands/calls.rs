//! The calls that change hands: every flow of the examples and flows with every kind of step, each
//! with callers who go through it.

use std::collections::BTreeMap;
use std::sync::Arc;

use callwright::base::ids::{FlowName, TenantId};
use callwright::base::millis::Millis;
use callwright::driver::session::Router;
use callwright::driver::translate::arrival::Inquiry;
use callwright::flow::parse::parse_yaml;
use callwright::flow::program::{Program, PromptFile, Published, Settings};
use callwright::flow::room::RoomSettings;
use callwright::flow::talk::TalkSettings;
use callwright::simulator::{Action, Script, Step, World};
use uuid::Uuid;

/// Digits that nobody may ever see, too long to stand in a sealed state by chance.
pub(crate) const SECRET: &str = "73519482";
/// Where the dialplan sends a call that no process took.
pub(crate) const FALLBACK: &str = "announcement";
/// Where its timer sends a call that nobody speaks for.
pub(crate) const UNHEARD: &str = "callwright_unheard";
pub(crate) const TIMER_MS: u64 = 8_000;
const OFFERS: usize = 9;

/// A flow and a caller.
#[derive(Clone)]
pub(crate) struct Play {
    pub(crate) name: String,
    pub(crate) router: Arc<Flows>,
    pub(crate) script: Arc<Script>,
}

/// One tenant's program, whoever asks.
pub(crate) struct Flows(Arc<Program>);

impl Flows {
    /// The same with a tenant's rules for conversations.
    pub(crate) fn with_talk(self, talk: TalkSettings) -> Self {
        let mut program = Arc::unwrap_or_clone(self.0);
        program.settings.talk = talk;
        let den = ("den".parse().unwrap(), RoomSettings::default());
        program.settings.rooms = Arc::new(BTreeMap::from([den]));
        Self(Arc::new(program))
    }
}

impl Router for Flows {
    fn route(&self, _: &Inquiry) -> Result<Arc<Program>, String> {
        Ok(Arc::clone(&self.0))
    }

    fn program(
        &self,
        tenant: TenantId,
        _: &FlowName,
        _: &BTreeMap<FlowName, u32>,
    ) -> Result<Arc<Program>, String> {
        let known = tenant == self.0.tenant;
        if known { Ok(Arc::clone(&self.0)) } else { Err("unknown_tenant".into()) }
    }
}

const PROMPTS: [&str; 36] = [
    "accept",
    "again",
    "arrives-in",
    "arrives-tomorrow",
    "ask-account",
    "ask-insurance-number",
    "ask-order-number",
    "ask-pin",
    "bye",
    "choose",
    "clinic-closed",
    "clinic-menu",
    "closed",
    "days",
    "goodbye",
    "hold",
    "keep-or-again",
    "leave-a-message",
    "leave-message",
    "menu",
    "not-a-choice",
    "not-valid",
    "order-number",
    "pin",
    "prescription-ordered",
    "press-one-if-right",
    "press-one-to-accept",
    "second",
    "shipped",
    "shop-welcome",
    "sorry",
    "trouble",
    "unknown-order",
    "welcome",
    "you-typed",
    "music",
];

pub(crate) fn flows(main: &str, other: Option<&str>) -> Flows {
    let texts = [("main", Some(main)), ("other", other)];
    let published = texts.into_iter().filter_map(|(name, text)| {
        let name: FlowName = name.parse().unwrap();
        let flow = parse_yaml(text?.as_bytes()).unwrap_or_else(|error| panic!("{error:?}"));
        Some((name.clone(), Arc::new(Published::new(name, 1, flow))))
    });
    let file = |name: &str| PromptFile {
        path: format!("/prompts/{name}.wav"),
        length: Some(Millis(2_000)),
    };
    Flows(Arc::new(Program {
        tenant: TenantId(Uuid::from_u128(7)),
        timezone: "Europe/Berlin".into(),
        main: "main".parse().unwrap(),
        flows: published.collect(),
        prompts: PROMPTS.iter().map(|name| (name.parse().unwrap(), file(name))).collect(),
        settings: Settings {
            gateways: vec!["carrier".parse().unwrap()],
            sip_hosts: vec!["sip.example.org".into()],
            domain: "tenant.example".into(),
            contexts: vec!["inside".into()],
            message_directory: "/messages/tenant".into(),
            ..Settings::default()
        },
    }))
}

/// The dialplan of `dialplan/callwright.xml` as actions: rounds of nine offers until nine in a row
/// were in vain, then the announcement.
pub(crate) fn world(script: &Script) -> World {
    let set = |pair: &str| Action::new("set", pair);
    let again = Action::new("transfer", "callwright_after${callwright_tries} XML callwright");
    let start = [
        set("callwright_offered=true"),
        set("continue_on_fail=true"),
        set("hangup_after_bridge=false"),
        again.clone(),
    ];
    let timer = format!("+{} {UNHEARD} XML callwright", TIMER_MS / 1_000);
    let offer = [
        set("callwright_tries=${callwright_tries}x"),
        set("socket_resume=true"),
        Action::new("unset", "callwright_refused"),
        Action::new("sched_transfer", &timer),
        Action::new("socket", "127.0.0.1:8084 async full"),
        Action::new("sched_cancel", ""),
    ];
    let mut round: Vec<_> = std::iter::repeat_n(offer, OFFERS).flatten().collect();
    round.push(again);
    let unheard = [vec![set("callwright_tries=${callwright_tries}xxxx")], round.clone()].concat();
    let give_up = vec![Action::new("transfer", &format!("{FALLBACK} XML callwright"))];
    let announce = vec![Action::new("playback", "announcement.wav"), Action::new("hangup", "")];
    let mut world = script.world();
    world.dialplan = start.to_vec();
    for tries in 0..2 * OFFERS {
        let actions = if tries < OFFERS { round.clone() } else { give_up.clone() };
        world.extensions.insert(format!("callwright_after{}", "x".repeat(tries)), actions);
    }
    world.extensions.insert(FALLBACK.into(), announce);
    world.extensions.insert(UNHEARD.into(), unheard);
    world
}

const CALLER: &str = "dial: '+15550100'\nfrom: { number: '+15550111', name: Ann }\n";

fn play(name: &str, router: &Arc<Flows>, script: &str) -> Play {
    let script = if script.contains("dial:") { script.into() } else { format!("{CALLER}{script}") };
    let mut script = Script::from_yaml(&script).unwrap_or_else(|error| panic!("{name}: {error}"));
    script.patience = Some(Millis(90_000));
    // A process that is killed takes with it which step it entered last.
    for step in &mut script.steps {
        if let Step::Expect(expect) = step {
            expect.step = None;
        }
    }
    Play { name: name.into(), router: Arc::clone(router), script: Arc::new(script) }
}

macro_rules! example {
    ($name:literal) => {
        include_str!(concat!("../../../examples/", $name))
    };
}

pub(crate) fn all() -> Vec<Play> {
    let flow = |text: &str| Arc::new(flows(text, None));
    let mut plays = vec![
        play("first", &flow(example!("flows/first.yaml")), example!("flows/first.caller.yaml")),
        play("clinic", &flow(example!("flows/clinic.yaml")), example!("flows/clinic.caller.yaml")),
        play("shop", &flow(example!("flows/shop.json")), example!("flows/shop.caller.yaml")),
        play(
            "support",
            &flow(example!("flows/support.yaml")),
            example!("flows/support.caller.yaml"),
        ),
    ];
    let desk = flow(example!("demo/front-desk.yaml"));
    let stub = "http: { 'http://STUB/orders/': { json: { state: shipped, days: 2 } } }\n";
    for (name, script) in [
        ("demo sales", example!("demo/1-sales.yaml")),
        ("demo order", example!("demo/2-order.yaml")),
        ("demo message", DEMO_MESSAGE),
        ("demo extension", example!("demo/4-extension.yaml")),
        ("demo hangs up", example!("demo/6-hangs-up.yaml")),
    ] {
        plays.push(play(name, &desk, &format!("{stub}{script}")));
    }
    let every = Arc::new(flows(EVERY, Some(OTHER)));
    plays.extend(EVERY_CALLERS.map(|(name, script)| play(name, &every, script)));
    plays
}

/// Like `3-message.yaml`, but whoever hears the prompt again has time to speak.
const DEMO_MESSAGE: &str = "dial: '+15550100'
far_ends: { '201': busy, '202': busy }
steps:
  - hear: choose
  - press: '1'
  - hear: leave-message
  - wait: 3s
  - talk: 20s
  - wait: 9s
  - press: '#'
  - hear: goodbye
  - expect: { ended: { cause: NORMAL_CLEARING } }";

/// Every kind of step that can wait.
const EVERY: &str = "
callwright: 1
start: ring
fallback: sorry
variables: { tries: 0 }
steps:
  ring: { kind: ring, duration: 1s, next: pick-up }
  pick-up: { kind: answer, pause: 500ms, next: hello }
  hello: { kind: play, prompts: [welcome, second], times: 2, next: menu }
  menu:
    kind: menu
    prompts: [menu]
    repeat_prompts: [again]
    choices: { '1': pin, '2': dial, '3': note, '4': sub, '5': leave, '6': line, '7': turns,
      '95': bye }
    on: { too_many: bye }
  pin:
    kind: gather
    prompts: [pin]
    into: pin
    min: 8
    max: 8
    secret: true
    next: ask
    on: { too_many: bye }
  ask:
    kind: http
    method: POST
    url: https://x.example/check
    body: { pin: '{pin}' }
    into: { open: /open }
    waiting_prompts: [hold]
    timeout: 5s
    next: which
    on: { failed: sorry }
  which: { kind: branch, cases: [{ if: open, next: number }], otherwise: sorry }
  number:
    kind: gather
    prompts: [order-number]
    into: number
    max: 4
    confirm: { prompts: [you-typed, { say: '{input}', as: digits }] }
    next: bye
    on: { too_many: sorry }
  dial:
    kind: dial
    targets: [{ extension: '1001' }, { number: '+15550199', gateway: carrier }]
    timeout: 8s
    cancel_key: '*'
    accept: { prompt: accept, key: '1' }
    time_limit: 20s
    next: bye
    on: { busy: busy, no_answer: menu, cancelled: menu, failed: sorry }
  busy: { kind: play, prompts: [music], next: menu }
  turns:
    kind: dial
    targets: [{ extension: '1001' }, { extension: '1002' }, { extension: '1003' }]
    strategy: in_turn
    timeout: 4s
    next: bye
    on: { failed: sorry }
  line:
    kind: queue
    queue: help
    targets: [{ extension: '1001' }, { extension: '1002' }]
    timeout: 4s
    retry: 60s
    music: music
    exit_key: '#'
    next: bye
    on: { cancelled: sorry }
  note:
    kind: message
    prompts: [leave-message]
    max_length: 20s
    silence: 3s
    review: { prompts: [keep-or-again] }
    next: bye
    on: { too_short: menu }
  sub: { kind: flow, flow: other, arguments: { n: '2' }, into: tries, next: told }
  told: { kind: play, prompts: [{ say: '{tries}', as: number }], next: bye }
  leave: { kind: transfer, extension: '3000', context: inside }
  sorry: { kind: play, prompts: [sorry], next: bye }
  bye: { kind: play, prompts: [bye], next: end }
  end: { kind: hangup }
";

const OTHER: &str = "
callwright: 1
start: say
arguments: { n: 0 }
steps:
  say: { kind: play, prompts: [goodbye], next: ask }
  ask:
    kind: menu
    prompts: [choose]
    choices: { '1': back, '2': back }
    on: { too_many: back }
  back: { kind: return, value: n + 10 }
";

const EVERY_CALLERS: [(&str, &str); 15] = [
    (
        "a PIN, a request, a number",
        "http: { 'https://x.example/': { json: { open: true }, after: 3s } }
steps:
  - hear: menu
  - press: '1'
  - hear: pin
  - press: '73519482'
  - hear: order-number
  - press: '4711'
  - hear: you-typed
  - press: '1'
  - hear: bye
  - expect: { ended: { cause: NORMAL_CLEARING } }",
    ),
    (
        "keys pressed ahead",
        "http: { 'https://x.example/': { json: { open: true }, after: 500ms } }
steps:
  - hear: welcome
  - press: '173519482'
  - hear: order-number
  - press: '4711'
  - hear: you-typed
  - press: '1'
  - expect: { ended: {} }",
    ),
    (
        "a request that fails",
        "http: { 'https://x.example/': { status: 500, after: 500ms } }
steps:
  - hear: menu
  - press: '1'
  - hear: pin
  - press: '73519482'
  - hear: sorry
  - expect: { ended: {} }",
    ),
    (
        "a conversation",
        "far_ends: { '1001': no_answer, '+15550199': { answer: 2s, press: '1', talk: 6s } }
steps:
  - hear: menu
  - press: '2'
  - expect: { bridged: '+15550199' }
  - hear: bye
  - expect: { ended: {} }",
    ),
    (
        "a conversation that the caller ends",
        "far_ends: { '1001': { answer: 1s, press: '1' }, '*': busy }
steps:
  - hear: menu
  - press: '2'
  - expect: { bridged: '1001' }
  - wait: 4s
  - hangup",
    ),
    (
        "nobody at home, then another choice",
        "far_ends: { '*': busy }
steps:
  - hear: menu
  - press: '2'
  - hear: music
  - hear: menu
  - press: '95'
  - hear: bye
  - expect: { ended: {} }",
    ),
    (
        "one after another",
        "far_ends: { '1001': busy, '1002': no_answer, '1003': { answer: 1s, talk: 3s } }
steps:
  - hear: menu
  - press: '7'
  - expect: { bridged: '1003' }
  - hear: bye
  - expect: { ended: {} }",
    ),
    (
        "a line, and somebody answers",
        "queue: { ahead: 1, each: 4s }
sounds: { music.wav: 80s }
far_ends: { '1001': { answer: 1s, talk: 3s } }
steps:
  - hear: menu
  - press: '6'
  - expect: { bridged: '1001' }
  - hear: bye
  - expect: { ended: {} }",
    ),
    (
        "a line, whose first target does not answer",
        "queue: { ahead: 1, each: 4s }
sounds: { music.wav: 80s }
far_ends: { '1001': no_answer, '1002': { answer: 1s, talk: 3s } }
steps:
  - hear: menu
  - press: '6'
  - expect: { bridged: '1002' }
  - hear: bye
  - expect: { ended: {} }",
    ),
    (
        "a line that the caller leaves",
        "queue: { ahead: 3, each: 60s }
sounds: { music.wav: 80s }
steps:
  - hear: menu
  - press: '6'
  - hear: music
  - wait: 5s
  - press: '#'
  - hear: sorry
  - hear: bye
  - expect: { ended: {} }",
    ),
    (
        "a message with a review",
        "steps:
  - hear: menu
  - press: '3'
  - hear: tone_stream
  - talk: 30s
  - wait: 15s
  - press: '#'
  - hear: keep-or-again
  - press: '1'
  - hear: bye
  - expect: { recorded: true, ended: {} }",
    ),
    (
        "a message and the caller is gone",
        "steps:
  - hear: menu
  - press: '3'
  - hear: tone_stream
  - talk: 30s
  - wait: 15s
  - hangup",
    ),
    (
        "another flow and back",
        "steps:
  - hear: menu
  - press: '4'
  - hear: choose
  - press: '2'
  - hear: bye
  - expect: { ended: {} }",
    ),
    (
        "nothing pressed, then an unknown key",
        "patience: 60s
steps:
  - hear: menu
  - hear: again
  - press: '8'
  - hear: bye
  - expect: { ended: {} }",
    ),
    ("away", "steps: [{ hear: menu }, { press: '5' }, { expect: { transferred: '3000' } }]"),
];
