//! What a call costs the daemon: CPU for a whole menu call, and memory while it is held.
//!
//! `cargo bench --bench calls`. The CPU is that of a session alone, fed with a recording of the
//! simulated switch; the memory is that of the whole process with real connections over loopback,
//! its idle clients included.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench reports to a person and may give up"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use callwright::base::ids::{CallId, TenantId};
use callwright::base::millis::Millis;
use callwright::base::now::Now;
use callwright::call::Call;
use callwright::call::arrival::{Arrival, Via};
use callwright::driver::admission::NoLimits;
use callwright::driver::call::{Clock, Counters, NoSwitchboard, Shared, Sink};
use callwright::driver::http::{Config as HttpConfig, Http};
use callwright::driver::outbound::NoOutside;
use callwright::driver::queries::NoSlots;
use callwright::driver::queues::NoQueues;
use callwright::driver::registry::{Registry, When};
use callwright::driver::seal::Carried;
use callwright::driver::serve::{Drain, Socket, run};
use callwright::driver::session::{Session, Settings};
use callwright::driver::translate::variables::Former;
use callwright::driver::wake::Wake;
use callwright::esl::argument::Word;
use callwright::flow::parse::parse_yaml;
use callwright::flow::program::{Program, PromptFile, Published, Settings as Ground};
use callwright::model::live::LiveCall;
use callwright::model::record::{CallRecord, RecordingNote};
use callwright::model::timeline::Entry;
use callwright::simulator::{Caller, Channel, Script};
use callwright::switch::config::Config;
use callwright::switch::limits::{Gate, Limits};
use callwright::switch::listener::{Listener, bind};
use callwright::telemetry::Telemetry;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use uuid::Uuid;

/// Calls of one measurement of CPU; the best of the rounds counts.
const CALLS: u32 = 2_000;
const ROUNDS: usize = 5;
/// Calls held at once.
const HELD_MAX: usize = 10_000;
/// How long no CPU is to be used.
const IDLE: Duration = Duration::from_secs(5);

const FLOW: &str = "
callwright: 1
start: pick-up
steps:
  pick-up: { kind: answer, next: main }
  main:
    kind: menu
    prompts: [welcome]
    choices: { '1': more, '2': end }
    keys: { first_key: 1h }
    on: { too_many: end }
  more:
    kind: menu
    prompts: [second]
    choices: { '1': number, '2': end }
    on: { too_many: end }
  number:
    kind: gather
    prompts: [third]
    into: digits
    min: 4
    max: 4
    next: bye
    on: { too_many: end }
  bye: { kind: play, prompts: [bye, bye], next: end }
  end: { kind: hangup }
";

const CALLER: &str = "
dial: '100'
steps:
  - hear: welcome
  - press: '1'
  - hear: second
  - press: '1'
  - hear: third
  - press: '4711'
  - hear: bye
  - expect: { ended: {} }
";

struct Nowhere;

impl Sink for Nowhere {
    fn note(&self, _: TenantId, _: CallId, entry: Box<Entry>) {
        black_box(entry);
    }
    fn audit(&self, _entry: Box<callwright::model::audit::AuditEntry>) {}
    fn record(&self, record: Box<CallRecord>) {
        black_box(record);
    }

    fn live(&self, _live: Box<LiveCall>) {}

    fn recording(&self, _: TenantId, _: CallId, note: Box<RecordingNote>) {
        black_box(note);
    }
}

fn router() -> Arc<Program> {
    let flow = parse_yaml(FLOW.as_bytes()).unwrap();
    let published = Published::new("main".parse().unwrap(), 1, flow);
    let file = |name: &str| {
        let path = format!("/prompts/{name}.wav");
        (name.parse().unwrap(), PromptFile { path, length: Some(Millis(2_000)) })
    };
    let program = Program {
        tenant: TenantId(Uuid::from_u128(7)),
        timezone: "Europe/Berlin".into(),
        main: "main".parse().unwrap(),
        flows: BTreeMap::from([("main".parse().unwrap(), Arc::new(published))]),
        prompts: ["welcome", "second", "third", "bye"].into_iter().map(file).collect(),
        settings: Ground::default(),
    };
    Arc::new(program)
}

fn settings() -> Settings {
    Settings::alone(Word::new("profile", "external").unwrap()).unwrap()
}

/// What happened on the connection: bytes from the switch and moments at which time was up.
enum Step {
    Bytes(Vec<u8>, Now),
    Tick(Now),
}

/// One whole call as the session saw it, and how many events were in it.
fn recording() -> (Vec<Step>, usize) {
    let script = Arc::new(Script::from_yaml(CALLER).unwrap());
    let (router, settings) = (router(), settings());
    let mut now = Now::new(0, "2026-11-23T10:00:00Z".parse().unwrap());
    let call = script.call("4be9781d-c0f1-4d7a-a521-b795cb3d13f7");
    let mut channel = Channel::new(call, Arc::new(script.world()), now);
    let mut caller = Caller::new(script, now);
    let mut session = Session::new(CallId(Uuid::from_u128(1)), None, now);
    channel.connected(now);
    let mut steps = Vec::new();
    while !session.is_closed() {
        let mut quiet = false;
        while !quiet {
            quiet = true;
            if let Some(bytes) = session.transmit() {
                channel.receive(&bytes, now);
                quiet = false;
            }
            let bytes = channel.transmit();
            if !bytes.is_empty() {
                session.buffer().extend_from_slice(&bytes);
                session.received(now, &settings, &router);
                steps.push(Step::Bytes(bytes, now));
                quiet = false;
            }
            while session.poll().is_some() {}
            caller.act(&mut channel, now);
        }
        let deadlines = [session.deadline(), channel.deadline(), caller.deadline()];
        let Some(next) = deadlines.into_iter().flatten().min() else { break };
        now = now.plus_ms(next.saturating_sub(now.mono_ms).max(1));
        channel.tick(now);
        if session.deadline().is_some_and(|due| due <= now.mono_ms) {
            session.tick(now);
            steps.push(Step::Tick(now));
        }
    }
    let events = steps.iter().map(|step| match step {
        Step::Bytes(bytes, _) => bytes.windows(16).filter(|w| w == b"text/event-plain").count(),
        Step::Tick(_) => 0,
    });
    let events = events.sum();
    (steps, events)
}

fn replay(steps: &[Step], router: &Arc<Program>, settings: &Settings) -> usize {
    let start = Now::new(0, "2026-11-23T10:00:00Z".parse().unwrap());
    let mut session = Session::new(CallId(Uuid::from_u128(1)), None, start);
    let mut sent = 0;
    for step in steps {
        match step {
            Step::Bytes(bytes, now) => {
                session.buffer().extend_from_slice(bytes);
                session.received(*now, settings, router);
            }
            Step::Tick(now) => session.tick(*now),
        }
        while let Some(offer) = session.poll() {
            black_box(&offer);
        }
        sent += session.transmit().map_or(0, |bytes| bytes.len());
    }
    sent
}

fn cpu() {
    let (steps, events) = recording();
    let (router, settings) = (router(), settings());
    let bytes: usize =
        steps.iter().map(|s| if let Step::Bytes(b, _) = s { b.len() } else { 0 }).sum();
    let rounds = (0..ROUNDS).map(|_| {
        let began = Instant::now();
        for _ in 0..CALLS {
            black_box(replay(&steps, &router, &settings));
        }
        began.elapsed() / CALLS
    });
    let best = rounds.min().unwrap();
    println!("one menu call: {events} events, {bytes} bytes from the switch");
    println!("  CPU in the session, best of {ROUNDS} rounds of {CALLS} calls: {best:?}");
}

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// As many calls as file descriptors allow: two for each, its client's included.
fn held() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    soft.map_or(HELD_MAX, |soft| HELD_MAX.min(soft.saturating_sub(100) / 2))
}

/// User and system time of this process, in ticks of 10 ms.
fn ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<_> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum()
}

/// Bytes up to the moment at which the first menu waits for a key.
fn opening(steps: &[Step]) -> Vec<Vec<u8>> {
    let bytes =
        steps.iter().filter_map(|s| if let Step::Bytes(b, _) = s { Some(b.clone()) } else { None });
    let mut opening = Vec::new();
    for bytes in bytes {
        if bytes.windows(10).any(|w| w == b"DTMF-Digit") {
            break;
        }
        opening.push(bytes);
    }
    opening
}

async fn memory() {
    let gate = Arc::new(Gate::new(&Limits::default()));
    let socket = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = Listener::on(socket, Config::default(), gate).unwrap();
    let address = listener.local_addr().unwrap();
    let shared = Arc::new(Shared {
        router: Box::new(router()),
        sink: Box::new(Nowhere),
        http: Http::new(&HttpConfig::default()).unwrap(),
        settings: settings(),
        clock: Clock::start(),
        registry: Registry::default(),
        counters: Counters::default(),
        telemetry: Telemetry::untraced().unwrap(),
        wake: Wake::default(),
        switchboard: Arc::new(NoSwitchboard),
        slots: Box::new(NoSlots),
        queues: Arc::new(NoQueues),
        limits: Box::new(NoLimits),
        outside: Arc::new(NoOutside),
        draining: tokio_util::sync::CancellationToken::new(),
    });
    let (drain, ours) = (Drain::default(), Arc::clone(&shared));
    let order = drain.clone();
    let daemon = tokio::spawn(async move { run(listener, ours, &order, Duration::ZERO).await });
    let opening = opening(&recording().0);
    let before = resident_kib();
    let calls = held();
    let mut clients = Vec::with_capacity(calls);
    for _ in 0..calls {
        let mut client = TcpStream::connect(address).await.unwrap();
        for bytes in &opening {
            client.write_all(bytes).await.unwrap();
        }
        clients.push(client);
    }
    while shared.counters.begun.load(std::sync::atomic::Ordering::Relaxed) < calls as u64 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let each = (resident_kib() - before) as f64 / calls as f64;
    println!("{calls} calls held in a menu: {each:.1} KiB each, connections and clients included");
    let busy = ticks();
    tokio::time::sleep(IDLE).await;
    println!("  CPU in {IDLE:?} while nothing happens: {} ms", (ticks() - busy) * 10);
    drain.order(When::Boundary, Socket::Close);
    drop(clients);
    daemon.await.unwrap();
}

/// What it costs to write a call's state for its channel, and to read it back.
fn state() {
    let (router, settings) = (router(), settings());
    let arrival = Arrival {
        call: CallId(Uuid::from_u128(0x0199_e0c4_2f6b_7c11_8e41_f3b6_f4d9_a0aa)),
        channel: "4be9781d-c0f1-4d7a-a521-b795cb3d13f7".parse().unwrap(),
        caller_name: "Ada Lovelace".into(),
        caller_number: "+15550100123".into(),
        dialed: "+15550199456".into(),
        answered: false,
        variables: BTreeMap::default(),
        via: Via::default(),
    };
    let now = Now::new(0, "2026-11-23T10:00:00.123Z".parse().unwrap());
    let call = Call::begin(arrival, router, now);
    let (keys, channel) = (&settings.keys, call.state().channel());
    let (former, holder) = (Former::default(), settings.instance);
    let seal =
        || keys.seal(channel, &Carried { call: call.kept(), holder, former: &former }).unwrap();
    let text = seal();
    let best = |work: &dyn Fn()| {
        let rounds = (0..ROUNDS).map(|_| {
            let began = Instant::now();
            (0..CALLS).for_each(|_| work());
            began.elapsed() / CALLS
        });
        rounds.min().unwrap()
    };
    let sealed = best(&|| drop(black_box(seal())));
    let opened = best(&|| drop(black_box(keys.open(channel, text.as_str()).unwrap())));
    println!("state: {} bytes; written in {sealed:?}, read in {opened:?}", text.as_str().len());
}

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    state();
    cpu();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.unwrap().block_on(memory());
}
