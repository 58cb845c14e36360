//! What becomes of a call whose controller is gone, as FreeSWITCH 1.10.12 does it.

use callwright::base::cause::HangupCause;
use callwright::simulator::{Action, FarEnd, Observed, World};

use crate::{Sim, UUID};

const NEXT: &str = "127.0.0.1:9 async full";

/// After the `socket` action comes a second one; `callwright_after` is what comes when none is
/// left.
fn world(resume: bool) -> World {
    let answers = serde_json::from_str::<FarEnd>(r#"{"answer":"0s"}"#).unwrap();
    let mut world = World { far_ends: [("1".to_owned(), answers)].into(), ..World::default() };
    if resume {
        world.dialplan.insert(0, Action::new("set", "socket_resume=true"));
        for hook in ["pre_originate=set socket_resume=false", "post_bridge=set socket_resume=true"]
        {
            let (event, app) = hook.split_once('=').unwrap();
            let hook = format!("execute_on_{event}_callwright={app}");
            world.dialplan.insert(0, Action::new("set", &hook));
        }
    }
    world.dialplan.push(Action::new("socket", NEXT));
    world.extensions.insert("after".to_owned(), vec![Action::new("playback", "after.wav")]);
    world
}

fn call(resume: bool) -> Sim {
    Sim::answered(world(resume))
}

impl Sim {
    fn killed(&mut self) {
        self.channel.closed(self.now);
    }

    fn asks_again(&self) -> bool {
        self.channel.wants() == Some(NEXT)
    }

    fn orphaned(&self) -> bool {
        self.saw(|what| *what == Observed::Orphaned)
    }

    fn heard(&self, name: &str) -> bool {
        self.saw(|what| matches!(what, Observed::Heard { item, .. } if item.contains(name)))
    }
}

#[test]
fn with_resume_the_sound_is_cut_and_what_is_queued_is_not_heard() {
    let mut sim = call(true);
    sim.execute("playback", "first.wav");
    sim.execute("playback", "second.wav");
    sim.after(500);
    sim.killed();
    sim.after(100);
    assert!(sim.asks_again() && sim.heard("first.wav") && !sim.heard("second.wav"));
}

#[test]
fn without_resume_what_runs_and_what_is_queued_come_to_their_ends_first() {
    let mut sim = call(false);
    sim.execute("playback", "first.wav");
    sim.execute("playback", "second.wav");
    sim.after(500);
    sim.killed();
    sim.after(3_000);
    assert!(!sim.asks_again() && sim.heard("second.wav"));
    sim.after(1_000);
    assert!(sim.asks_again());
}

#[test]
fn a_recording_that_is_cut_ends_the_call() {
    let mut sim = call(true);
    sim.execute("record", "/m/1.wav 20");
    sim.after(1_000);
    sim.killed();
    sim.after(100);
    assert!(sim.saw(|what| matches!(
        what,
        Observed::HungUp { cause: HangupCause::DestinationOutOfOrder, .. }
    )));
}

#[test]
fn a_recording_goes_on_when_resume_was_switched_off_before_it_was_queued() {
    let mut sim = call(true);
    sim.say(&format!("api uuid_setvar {UUID} socket_resume false\n\n"));
    sim.execute("record", "/m/1.wav 3");
    sim.execute("set", "socket_resume=true");
    sim.killed();
    sim.after(2_000);
    assert!(!sim.asks_again() && !sim.orphaned());
    sim.after(3_000);
    assert!(sim.asks_again() && sim.saw(|what| matches!(what, Observed::Recorded { .. })));
    assert_eq!(sim.channel.variable("socket_resume"), Some(&b"true"[..]));
}

/// Whatever is queued runs on a channel in CS_RESET, and `socket_resume` is read again after it.
#[test]
fn switching_resume_off_by_what_is_queued_leaves_the_call_in_silence_or_ends_it() {
    for (queued, stuck) in [
        (&[("set", "socket_resume=false")][..], true),
        (&[("bridge", "user/1")], true),
        (&[("set", "socket_resume=false"), ("record", "/m/1.wav 5")], false),
        (&[("answer", ""), ("set", "a=b")], false),
    ] {
        let mut sim = call(true);
        for (app, arg) in queued {
            sim.execute(app, arg);
        }
        sim.killed();
        sim.after(1_000);
        assert_eq!(sim.orphaned(), stuck, "{queued:?}");
        let ended = queued.iter().any(|(app, _)| *app == "record");
        assert_eq!(sim.asks_again(), !stuck && !ended, "{queued:?}");
        assert_eq!(sim.saw(|what| matches!(what, Observed::HungUp { .. })), ended, "{queued:?}");
    }
}

#[test]
fn a_timer_takes_a_call_out_of_silence() {
    let mut world = world(true);
    world.dialplan.insert(0, Action::new("sched_transfer", "+5 after XML callwright"));
    let mut sim = Sim::answered(world);
    sim.execute("bridge", "user/1");
    sim.killed();
    sim.after(4_000);
    assert!(sim.orphaned() && !sim.heard("after.wav"));
    sim.after(2_000);
    assert!(sim.heard("after.wav"));
}

#[test]
fn a_controller_that_has_the_call_takes_the_timer_off() {
    let mut world = world(true);
    world.dialplan.insert(0, Action::new("sched_transfer", "+5 after XML callwright"));
    let mut sim = Sim::answered(world);
    sim.say(&format!("api sched_del {UUID}\n\n"));
    sim.after(10_000);
    assert!(!sim.heard("after.wav"));
}

#[test]
fn the_dialplan_s_hook_lets_a_conversation_go_on_without_a_controller() {
    let mut sim = call(true);
    sim.execute("bridge", "user/1");
    sim.after(1_000);
    assert_eq!(sim.channel.variable("socket_resume"), Some(&b"false"[..]));
    sim.killed();
    sim.after(60_000);
    assert!(!sim.saw(|what| matches!(what, Observed::Unbridged { .. })));
    assert!(!sim.asks_again());
}

#[test]
fn when_the_far_end_hangs_up_the_hook_switches_resume_on_again() {
    let mut sim = call(true);
    sim.execute("bridge", "user/1");
    sim.after(1_000);
    let far_end = String::from_utf8(sim.channel.variable("bridge_uuid").unwrap().to_vec()).unwrap();
    sim.say(&format!("api uuid_kill {far_end}\n\n"));
    sim.after(1_000);
    assert_eq!(sim.channel.variable("socket_resume"), Some(&b"true"[..]));
    sim.execute("playback", "long.wav");
    sim.after(100);
    sim.killed();
    sim.after(100);
    assert!(sim.asks_again());
}

#[test]
fn with_resume_a_conversation_is_cut() {
    let mut sim = call(false);
    sim.execute("bridge", "user/1");
    sim.after(1_000);
    sim.say(&format!("api uuid_setvar {UUID} socket_resume true\n\n"));
    sim.killed();
    sim.after(100);
    assert!(sim.saw(|what| matches!(what, Observed::Unbridged { .. })) && sim.asks_again());
}

#[test]
fn the_next_connection_is_told_what_the_channel_carries_and_what_was_pressed_meanwhile() {
    let mut sim = call(true);
    sim.say(&format!("api uuid_setvar_multi {UUID} callwright_state=abc;x=1\n\n"));
    sim.execute("record", "/m/1.wav 1");
    sim.after(3_000);
    sim.killed();
    sim.after(100);
    sim.press("7");
    sim.after(400);
    sim.channel.connected(sim.now);
    let told = sim.say("connect\n\nlinger 5\n\nevent plain DTMF\n\n") + &sim.after(100);
    for header in
        ["variable_callwright_state: abc", "variable_record_ms: 1", "Answer-State: answered"]
    {
        assert!(told.contains(header), "{header}: {told}");
    }
    assert!(told.contains("DTMF-Digit: 7"), "{told}");
}

#[test]
fn when_nobody_accepts_the_dialplan_goes_on_at_once() {
    let mut sim = call(true);
    sim.killed();
    sim.after(100);
    sim.channel.refused(sim.now);
    sim.after(10);
    assert!(sim.saw(|what| matches!(what, Observed::HungUp { .. })), "no action is left");
}
