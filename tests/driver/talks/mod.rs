//! Random calls in which people are held, moved, consulted, listened in on and recorded while legs
//! hang up, connections break and processes die: nobody is left behind, and nothing stays open.

mod random;
mod world;

use callwright::call::input::Command;
use callwright::driver::registry::When;
use callwright::driver::simulate::{Blow, Simulation};
use callwright::flow::kind::record::RecordAction;
use callwright::model::recording::RecordingState;
use callwright::model::talk::{Goal, Side};
use callwright::model::timeline::What;
use callwright::simulator::{FarState, Observed};

use random::{CALLS_VARIABLE, random_call};
use world::{Scene, codes};

/// How many calls are tried, unless the variable says otherwise.
const CALLS: u64 = 100;

#[test]
fn whatever_is_done_in_a_conversation_nobody_is_left_behind() {
    let one = std::env::var("CALLWRIGHT_TALK_SEED").ok().map(|text| text.parse().unwrap());
    let calls = std::env::var(CALLS_VARIABLE).map_or(CALLS, |text| text.parse().unwrap());
    let seeds = one.map_or(1..=calls, |seed: u64| seed..=seed);
    let (mut done, mut faults) = (0, Vec::new());
    for seed in seeds {
        match random_call(seed) {
            Ok(obeyed) => done += obeyed,
            Err(told) => faults.push(format!("seed {seed}: {told}")),
        }
    }
    let shown = faults.iter().take(8).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(faults.is_empty(), "{} calls:\n{shown}", faults.len());
    assert!(one.is_some() || done > 100, "only {done} operations were done");
}

fn state_of(sim: &mut Simulation<'_>, number: &str) -> Option<FarState> {
    let legs = sim.channel().0.far_legs();
    legs.into_iter().find(|leg| leg.number == number).map(|leg| leg.state)
}

fn pass(sim: &mut Simulation<'_>, ms: u64) {
    let until_ms = sim.now_ms() + ms;
    while sim.now_ms() < until_ms && sim.step() {}
}

fn extension(number: &str) -> Goal {
    Goal::Extension(number.to_owned())
}

#[test]
fn who_is_consulted_speaks_with_the_far_party_and_then_with_the_caller() {
    let scene = Scene::calm();
    let mut sim = scene.simulation();
    pass(&mut sim, 4_000);
    assert_eq!(state_of(&mut sim, "2001"), Some(FarState::Talks));
    sim.command(Command::Consult { side: Side::Far, to: extension("2002") }).unwrap();
    assert_eq!(state_of(&mut sim, "2001"), Some(FarState::Hears), "it hears that it rings");
    pass(&mut sim, 4_000);
    let both = ["2001", "2002"].map(|number| state_of(&mut sim, number));
    assert_eq!(both, [Some(FarState::Talks); 2]);
    sim.command(Command::Complete).unwrap();
    pass(&mut sim, 2_000);
    let both = ["2001", "2002"].map(|number| state_of(&mut sim, number));
    assert_eq!(both, [None, Some(FarState::Talks)]);
    let third = sim.channel().0.far_legs()[0].uuid.clone();
    assert_eq!(sim.channel().0.talks_with(), Some(third.as_str()));
    sim.run();
    let outcome = sim.outcome();
    let bridged =
        |moment: &&callwright::simulator::Moment| matches!(moment.what, Observed::Bridged { .. });
    assert_eq!(outcome.heard.iter().filter(bridged).count(), 2, "{:#?}", outcome.heard);
    assert_eq!(sim.records().len(), 1);
    assert_eq!(sim.records()[0].transfers.len(), 1);
}

#[test]
fn the_caller_consults_goes_to_and_fro_and_leaves_the_two_to_one_another() {
    let scene = Scene::calm();
    let mut sim = scene.simulation();
    pass(&mut sim, 4_000);
    sim.command(Command::Consult { side: Side::Caller, to: extension("2002") }).unwrap();
    assert_eq!(state_of(&mut sim, "2001"), Some(FarState::Hears), "it hears music");
    pass(&mut sim, 4_000);
    let both = |sim: &mut Simulation<'_>| ["2001", "2002"].map(|number| state_of(sim, number));
    let (hears, talks) = (Some(FarState::Hears), Some(FarState::Talks));
    assert_eq!(both(&mut sim), [hears, talks]);
    sim.command(Command::Toggle).unwrap();
    pass(&mut sim, 1_000);
    assert_eq!(both(&mut sim), [talks, hears]);
    // Nobody holds the call, and then another process does.
    sim.kill();
    pass(&mut sim, 8_000);
    sim.command(Command::Toggle).unwrap();
    pass(&mut sim, 1_000);
    assert_eq!(both(&mut sim), [hears, talks]);
    sim.command(Command::Complete).unwrap();
    pass(&mut sim, 2_000);
    assert_eq!(both(&mut sim), [talks, talks]);
    sim.run();
    assert_eq!(sim.records().len(), 1, "the caller's call is over");
    assert_eq!(sim.records()[0].transfers[0].outcome, "goes on in a call of its own");
}

#[test]
fn a_process_that_dies_while_the_caller_is_joined_leaves_them_talking_and_the_call_is_found() {
    let scene = Scene::calm();
    let mut sim = scene.simulation();
    pass(&mut sim, 4_000);
    sim.command(Command::Consult { side: Side::Far, to: extension("2002") }).unwrap();
    pass(&mut sim, 4_000);
    sim.command(Command::Complete).unwrap();
    pass(&mut sim, 2_000);
    sim.kill();
    assert_eq!(state_of(&mut sim, "2002"), Some(FarState::Talks));
    pass(&mut sim, 8_000);
    assert!(sim.is_held(), "nobody found it");
    sim.command(Command::Hold { on: true, side: Side::Caller }).unwrap();
    sim.run();
    assert_eq!(sim.records().len(), 1);
}

#[test]
fn a_call_without_a_connection_consults_and_hears_who_is_busy() {
    let scene = Scene::calm();
    let mut sim = scene.simulation();
    pass(&mut sim, 4_000);
    sim.kill();
    pass(&mut sim, 8_000);
    assert!(sim.is_held(), "nobody found it");
    sim.command(Command::Consult { side: Side::Far, to: extension("2004") }).unwrap();
    pass(&mut sim, 6_000);
    let talks = sim.channel().0.talks_with().is_some();
    assert!(talks, "they speak again: {:?}", sim.channel().0.far_legs());
    sim.run();
    assert_eq!(sim.records().len(), 1);
}

#[test]
fn a_call_without_a_connection_hears_that_freeswitch_does_not_record_it() {
    let scene = Scene::calm();
    let mut sim = scene.simulation();
    pass(&mut sim, 4_000);
    sim.kill();
    pass(&mut sim, 8_000);
    assert!(sim.is_held(), "nobody found it");
    sim.channel().0.refuse_recordings();
    let record = |sim: &mut Simulation<'_>| {
        sim.command(Command::Record { action: RecordAction::Start }).unwrap();
        pass(sim, 500);
    };
    record(&mut sim);
    let why = "the call can't be recorded: Cannot record session!";
    let told = |sim: &Simulation<'_>| {
        let texts = sim.timeline().iter().filter(
            |entry| matches!(&entry.what, What::Noticed { text, .. } if text.as_str() == why),
        );
        texts.count()
    };
    assert_eq!(told(&sim), 1, "{:#?}", sim.timeline());
    // It does not count as recorded, so it may be asked for again.
    record(&mut sim);
    assert_eq!(told(&sim), 2);
    sim.run();
    let told = sim.recordings().iter().map(|note| (note.state, note.length_ms));
    let once = [(RecordingState::Running, 0), (RecordingState::Pending, 0)];
    assert_eq!(told.collect::<Vec<_>>(), [once, once].concat(), "begun, and over at once");
}

#[test]
fn a_process_that_stops_as_two_are_to_be_joined_has_joined_them() {
    let scene = Scene::calm();
    let mut sim = scene.simulation();
    pass(&mut sim, 4_000);
    sim.command(Command::Consult { side: Side::Far, to: extension("2004") }).unwrap();
    pass(&mut sim, 500);
    assert_eq!(state_of(&mut sim, "2001"), Some(FarState::Hears), "it hears that 2004 is busy");
    sim.suffers(Blow::Stops(When::Boundary));
    pass(&mut sim, 3_000);
    assert_eq!(state_of(&mut sim, "2001"), Some(FarState::Talks));
    sim.run();
    assert_eq!(sim.records().len(), 1);
}

#[test]
fn an_outside_caller_that_presses_every_code_changes_nothing() {
    let scene = Scene::calm();
    let mut sim = scene.simulation();
    pass(&mut sim, 4_000);
    for code in codes() {
        for key in
            code.iter().chain("2002#".parse::<callwright::base::digits::Digits>().unwrap().iter())
        {
            let (channel, now) = sim.channel();
            channel.press(key, now);
            pass(&mut sim, 200);
        }
        pass(&mut sim, 4_000);
        assert_eq!(state_of(&mut sim, "2001"), Some(FarState::Talks), "{code:?}");
        assert_eq!(sim.channel().0.far_legs().len(), 1, "{code:?}");
    }
    assert!(sim.recordings().is_empty());
    sim.run();
    let record = &sim.records()[0];
    assert!(record.transfers.is_empty() && record.recordings.is_empty());
    assert!(record.legs.iter().all(|leg| leg.held_ms == 0));
}
