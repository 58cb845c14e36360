//! Calls whose process dies, leaves or loses them, at every moment: no caller notices more than a
//! prompt heard again.

pub(crate) mod calls;
mod forged;
mod judge;

use std::sync::Arc;

use callwright::base::ids::InstanceId;
use callwright::base::millis::Millis;
use callwright::driver::registry::When;
use callwright::driver::seal::Keys;
use callwright::driver::session::Settings;
use callwright::driver::simulate::{Blow, NextProcess, Reached, Simulation, Trouble};
use callwright::esl::argument::Word;
use callwright::simulator::Verdict;
use uuid::Uuid;

use calls::{Play, all, world};
use judge::{Story, judge, story};

/// How many random calls are tried, unless this variable says otherwise.
const RANDOM_CALLS: u64 = 300;
const RANDOM_CALLS_VARIABLE: &str = "CALLWRIGHT_RANDOM_CALLS";

pub(crate) fn settings() -> Settings {
    let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    Settings {
        context: Word::new("context", "callwright").unwrap(),
        keys: Arc::new(Keys::read(key).unwrap()),
        instance: InstanceId(Uuid::from_u128(1)),
        ..Settings::alone(Word::new("profile", "external").unwrap()).unwrap()
    }
}

fn simulation<'a>(play: &'a Play, settings: &'a Settings, troubles: &[Trouble]) -> Simulation<'a> {
    let start = "2026-11-23T10:00:00Z".parse().unwrap();
    let script = Arc::clone(&play.script);
    let sim = Simulation::within(world(&script), script, &*play.router, settings, start, 1);
    sim.with_troubles(troubles)
}

/// The call as it goes when nothing goes wrong, and how many inputs it has.
fn undisturbed(play: &Play) -> (Story, u64) {
    let settings = settings();
    let mut sim = simulation(play, &settings, &[]);
    sim.run();
    let outcome = sim.outcome();
    assert_eq!(outcome.verdict, Verdict::Passed, "{}: {:#?}", play.name, outcome);
    (story(&sim, &outcome), sim.inputs())
}

fn faults(play: &Play, as_usual: &Story, troubles: &[Trouble]) -> Option<String> {
    let settings = settings();
    let mut sim = simulation(play, &settings, troubles);
    sim.run();
    let wrong = judge(as_usual, &sim);
    let told = || format!("{}, {troubles:?}:\n  {}", play.name, wrong.join("\n  "));
    (!wrong.is_empty()).then(told)
}

fn none(faults: Vec<String>, tried: usize) {
    assert!(tried > 200, "only {tried} calls were tried");
    let shown = faults.iter().take(12).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(faults.is_empty(), "{} of {tried}:\n{shown}", faults.len());
}

/// Something at one input in so many of every call; at every one where the variable is set.
fn at_inputs(one_in: u64, trouble: impl Fn(u64) -> (Blow, NextProcess)) {
    let all_of_them = std::env::var_os(RANDOM_CALLS_VARIABLE).is_some();
    let step = usize::try_from(if all_of_them { 1 } else { one_in }).unwrap();
    let mut found = Vec::new();
    let mut tried = 0;
    for (at, play) in all().into_iter().enumerate() {
        let (as_usual, inputs) = undisturbed(&play);
        for input in (1..=inputs).skip(at % step).step_by(step) {
            let (blow, next) = trouble(input);
            found.extend(faults(&play, &as_usual, &[Trouble { input, blow, next }]));
            tried += 1;
        }
    }
    none(found, tried);
}

const AT_ONCE: NextProcess = NextProcess::Refuses(0);
const KILLED: Blow = Blow::Killed(Reached::Sent(1_000));

#[test]
fn a_process_may_be_killed_before_any_input() {
    at_inputs(1, |_| (Blow::Killed(Reached::Nothing), AT_ONCE));
}

#[test]
fn a_process_may_be_killed_after_any_input_before_it_told_the_world_anything() {
    at_inputs(2, |_| (KILLED, AT_ONCE));
}

#[test]
fn a_process_may_be_killed_in_the_middle_of_what_it_sends() {
    // A prime, so that parts and inputs don't go together.
    let part = |input: u64| u16::try_from(input * 389 % 1_000).unwrap();
    at_inputs(4, |input| (Blow::Killed(Reached::Sent(part(input))), AT_ONCE));
}

#[test]
fn the_next_process_may_be_at_another_address() {
    at_inputs(4, |_| (KILLED, NextProcess::Refuses(2)));
}

#[test]
fn the_next_process_may_be_late() {
    at_inputs(4, |_| (KILLED, NextProcess::SpeaksAfter(Millis(1_700))));
}

#[test]
fn a_connection_may_be_cut_at_any_input() {
    at_inputs(4, |_| (Blow::Cut, AT_ONCE));
}

#[test]
fn a_process_may_hand_its_call_over_at_a_boundary_or_at_once() {
    let when = |input: u64| if input.is_multiple_of(2) { When::Now } else { When::Boundary };
    at_inputs(5, |input| (Blow::Stops(when(input)), AT_ONCE));
}

#[test]
fn a_switch_that_is_lost_takes_its_calls_with_it_and_no_process_waits() {
    for play in all() {
        let settings = settings();
        let (_, inputs) = undisturbed(&play);
        for input in (2..inputs).step_by(5) {
            let lost = Trouble { input, blow: Blow::SwitchLost, next: AT_ONCE };
            let mut sim = simulation(&play, &settings, &[lost]);
            sim.run();
            assert!(sim.session_is_closed(), "{} at {input}", play.name);
            let told = sim.records().len() + sim.adrift();
            assert!(told == 1, "{} at {input}: {told} ends", play.name);
        }
    }
}

/// Numbers from a seed (Marsaglia, Xorshift RNGs, 2003).
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }

    fn trouble(&mut self, inputs: u64) -> Trouble {
        let blow = match self.below(8) {
            0 => Blow::Cut,
            1 => Blow::Stops(When::Boundary),
            2 => Blow::Stops(When::Now),
            3 => Blow::Killed(Reached::Nothing),
            _ => Blow::Killed(Reached::Sent(u16::try_from(self.below(1_001)).unwrap())),
        };
        let next = match self.below(4) {
            0 => NextProcess::Refuses(u8::try_from(self.below(5)).unwrap()),
            // The callers speak and press keys by the clock, and would be past it after more.
            1 => NextProcess::SpeaksAfter(Millis(self.below(1_500))),
            _ => AT_ONCE,
        };
        Trouble { input: 1 + self.below(inputs * 3 / 2), blow, next }
    }
}

#[test]
fn processes_may_be_lost_one_after_another_at_random_moments() {
    let calls = std::env::var(RANDOM_CALLS_VARIABLE).ok();
    let calls = calls.map_or(RANDOM_CALLS, |text| text.parse().unwrap());
    let plays: Vec<_> = all().into_iter().map(|play| (undisturbed(&play), play)).collect();
    let mut found = Vec::new();
    for seed in 1..=calls {
        let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        chance.below(2);
        let pick = usize::try_from(chance.below(plays.len() as u64)).unwrap();
        let ((as_usual, inputs), play) = &plays[pick];
        let count = 2 + chance.below(4);
        let troubles: Vec<_> = (0..count).map(|_| chance.trouble(*inputs)).collect();
        found.extend(faults(play, as_usual, &troubles).map(|told| format!("seed {seed}: {told}")));
    }
    none(found, usize::try_from(calls).unwrap());
}
