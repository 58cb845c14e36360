//! One random call, and what must hold of it.

use std::collections::BTreeMap;

use callwright::base::cause::HangupCause;
use callwright::base::digits::Digits;
use callwright::call::input::{Command, MonitorOrder};
use callwright::call::room::MemberOp;
use callwright::driver::registry::When;
use callwright::driver::simulate::{Blow, Simulation};
use callwright::flow::kind::record::RecordAction;
use callwright::model::monitor::{Manner, Mode};
use callwright::model::recording::RecordingState;
use callwright::model::talk::{Goal, Side};
use callwright::simulator::{FarLeg, FarState, Observed};

use super::world::{Scene, codes};
use super::{extension, pass};
use crate::hands::Chance;

/// Has so many calls tried.
pub(super) const CALLS_VARIABLE: &str = "CALLWRIGHT_RANDOM_TALKS";
/// How long a leg may be left without anybody or anything.
const SILENCE_MS: u64 = 40_000;
/// What is left of a call may take so long to go.
const AFTER_MS: u64 = 60_000;

impl Chance {
    pub(super) fn pick(&mut self, most: usize) -> usize {
        usize::try_from(self.below(most as u64)).unwrap()
    }
}

fn side(dice: &mut Chance) -> Side {
    [Side::Caller, Side::Far][dice.pick(2)]
}

fn command(dice: &mut Chance) -> Command {
    let to = extension(["2001", "2002", "2002", "2004", "2999"][dice.pick(5)]);
    let mode = [Mode::Listen, Mode::Whisper, Mode::Barge][dice.pick(3)];
    let manner = Manner { mode, to: side(dice) };
    match dice.below(36) {
        0..=3 => Command::Hold { on: dice.below(2) == 0, side: side(dice) },
        4..=5 => Command::Send { side: side(dice), to },
        6..=9 => Command::Consult { side: side(dice), to },
        10..=11 => Command::Toggle,
        12 => Command::Complete,
        13 => Command::Cancel,
        14 => Command::Move { step: ["after", "talk"][dice.pick(2)].parse().unwrap() },
        15..=17 => Command::Monitor(MonitorOrder::Begin {
            by: "300".into(),
            manner,
            reason: "training".into(),
        }),
        18 => Command::Monitor(MonitorOrder::Change { manner }),
        19 => Command::Monitor(MonitorOrder::TakeOver),
        20 => Command::Monitor(MonitorOrder::End),
        21..=22 => Command::Park { side: side(dice), slot: None },
        23 => Command::Retrieve { to },
        24 => Command::Send { side: side(dice), to: den() },
        25 => Command::SendBoth { to: den() },
        26 => Command::Merge,
        27 => Command::Room([MemberOp::Mute(true), MemberOp::Kick][dice.pick(2)].clone()),
        28..=29 => Command::Dtmf { side: side(dice), digits: "12w#".parse().unwrap() },
        _ => {
            let action = [
                RecordAction::Start,
                RecordAction::Stop,
                RecordAction::Pause,
                RecordAction::Resume,
                RecordAction::Mask,
                RecordAction::Unmask,
            ][dice.pick(6)];
            Command::Record { action }
        }
    }
}

fn den() -> Goal {
    Goal::Room("den".parse().unwrap())
}

/// Lets something happen; whether an operation was done.
fn happen(sim: &mut Simulation<'_>, dice: &mut Chance, told: &mut Vec<String>) -> bool {
    let legs = sim.channel().0.far_legs();
    let leg = (!legs.is_empty()).then(|| legs[dice.pick(legs.len())].uuid.clone());
    let what = dice.below(42);
    told.push(format!("{:>7} {what} {leg:?}", sim.now_ms()));
    match what {
        0..=21 => {
            let command = command(dice);
            let said = sim.command(command.clone());
            told.push(format!("{:>7} {command:?}: {said:?}", sim.now_ms()));
            return said.is_ok();
        }
        22..=25 => {
            let codes = codes();
            let mut keys: Digits = codes[dice.pick(codes.len())].clone();
            if dice.below(2) == 0 {
                "2002#".parse::<Digits>().unwrap().iter().for_each(|key| keys.push(key));
            }
            let far = dice.below(2) == 0;
            for key in keys.iter() {
                let (channel, now) = sim.channel();
                match &leg {
                    Some(leg) if far => channel.press_far(leg, key, now),
                    _ => channel.press(key, now),
                }
                pass(sim, 100);
            }
        }
        26..=28 => {
            let (channel, now) = sim.channel();
            if let Some(leg) = &leg {
                channel.hang_up_far(leg, HangupCause::NormalClearing, now);
            }
        }
        29..=30 => {
            let (channel, now) = sim.channel();
            if let Some(leg) = &leg {
                channel.hold_far(leg, dice.below(2) == 0, now);
            }
        }
        31..=32 => sim.kill(),
        33..=34 => sim.suffers(Blow::Cut),
        35 => sim.suffers(Blow::Stops([When::Now, When::Boundary][dice.pick(2)])),
        37..=38 => {
            let taken = sim.fetch("301");
            told.push(format!("{:>7} taken from the slot: {taken}", sim.now_ms()));
        }
        36 if dice.below(2) == 0 => {
            let (channel, now) = sim.channel();
            channel.hang_up(HangupCause::NormalClearing, now);
        }
        _ => {}
    }
    false
}

/// How many operations were done, or what is wrong.
pub(super) fn random_call(seed: u64) -> Result<usize, String> {
    let mut dice = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    dice.below(2);
    let scene = Scene::random(seed, &mut dice);
    let mut sim = scene.simulation();
    let (mut done, mut told) = (0, Vec::new());
    let mut wrong = Vec::new();
    for _ in 0..4 + dice.below(16) {
        let ms = [20, 200, 1_500, 6_000][dice.pick(4)];
        let ms = dice.below(ms);
        walk(&mut sim, ms, &mut wrong);
        done += usize::from(happen(&mut sim, &mut dice, &mut told));
    }
    let caller = sim.channel().0.uuid().to_owned();
    while wrong.is_empty() && sim.channel().0.is_there(&caller) {
        let before = sim.now_ms();
        walk(&mut sim, 1_000, &mut wrong);
        if sim.now_ms() == before {
            break;
        }
    }
    finish(&mut sim, &mut wrong);
    judge(&sim, &mut wrong);
    if wrong.is_empty() { Ok(done) } else { Err(tell(&sim, &told, &wrong)) }
}

/// Passes time, and looks at everybody.
fn walk(sim: &mut Simulation<'_>, ms: u64, wrong: &mut Vec<String>) {
    let until_ms = sim.now_ms() + ms;
    while sim.now_ms() < until_ms && sim.step() {
        let now_ms = sim.now_ms();
        for leg in sim.channel().0.far_legs() {
            if leg.state == FarState::Silent && now_ms - leg.since_ms > SILENCE_MS {
                wrong.push(format!("{now_ms}: in silence {leg:?}"));
            }
        }
        if wrong.len() > 3 {
            return;
        }
    }
}

/// After the caller's end: two who were left to one another talk on, and hang up by themselves.
fn finish(sim: &mut Simulation<'_>, wrong: &mut Vec<String>) {
    let until_ms = sim.now_ms() + AFTER_MS;
    while sim.now_ms() < until_ms {
        let before = sim.now_ms();
        walk(sim, 1_000, wrong);
        if sim.now_ms() == before {
            sim.idle(1_000);
        }
    }
    let legs = sim.channel().0.far_legs();
    let together = |leg: &&FarLeg| matches!(leg.state, FarState::Talks | FarState::Meets);
    for leg in legs.iter().filter(together) {
        let (channel, now) = sim.channel();
        channel.hang_up_far(&leg.uuid, HangupCause::NormalClearing, now);
    }
    sim.idle(1_000);
    let legs = sim.channel().0.far_legs();
    if !legs.is_empty() {
        wrong.push(format!("left behind: {legs:?}"));
    }
}

fn judge(sim: &Simulation<'_>, wrong: &mut Vec<String>) {
    let outcome = sim.outcome();
    let mut claim = |holds: bool, what: String| {
        if !holds {
            wrong.push(what);
        }
    };
    let records = sim.records().len();
    let unseen = sim.ended_unseen();
    claim(records == 1 || unseen && records == 0, format!("{records} records, unseen: {unseen}"));
    let ended = outcome.heard.iter().any(|m| matches!(m.what, Observed::HungUp { .. }));
    claim(ended, "the call has no end".into());
    for moment in &outcome.heard {
        let bad =
            matches!(moment.what, Observed::Expanded { .. } | Observed::UnknownApplication { .. });
        claim(!bad, format!("{moment:?}"));
    }
    let mut open = BTreeMap::new();
    for note in sim.recordings() {
        open.insert(note.id, note.state == RecordingState::Running);
    }
    let open: Vec<_> = open.iter().filter(|(_, open)| **open).collect();
    claim(open.is_empty() || unseen, format!("recordings are open: {open:?}"));
}

fn tell(sim: &Simulation<'_>, told: &[String], wrong: &[String]) -> String {
    let mut lines = wrong.to_vec();
    if std::env::var_os("CALLWRIGHT_TALK_SEED").is_some() {
        lines.extend(told.iter().cloned());
        let outcome = sim.outcome();
        let entries = outcome.timeline.iter();
        lines.extend(
            entries.map(|entry| format!("{:>7} {} {:?}", entry.ms, entry.term, entry.what)),
        );
        let heard = outcome.heard.iter();
        lines.extend(heard.map(|moment| format!("{:>7} {:?}", moment.at_ms, moment.what)));
    }
    lines.join("\n  ")
}
