//! Far ends that answer, refuse, or have to say that a person is there.

use callwright::simulator::{FarEnd, Observed, World};

use crate::Sim;

fn world(far_ends: &[(&str, &str)]) -> World {
    let parse = |text: &str| serde_json::from_str::<FarEnd>(text).unwrap();
    let far_ends = far_ends.iter().map(|(number, end)| ((*number).to_owned(), parse(end)));
    World { far_ends: far_ends.collect(), ..World::default() }
}

fn bridged(far_ends: &[(&str, &str)], dial_string: &str, ms: u64) -> (Sim, String) {
    let mut sim = Sim::answered(world(far_ends));
    sim.execute("set", "continue_on_fail=true");
    sim.execute("bridge", dial_string);
    let events = sim.after(ms);
    (sim, events)
}

fn talks_to(sim: &Sim, number: &str) -> bool {
    sim.saw(|what| matches!(what, Observed::Bridged { target } if target == number))
}

#[test]
fn of_those_called_at_once_the_first_to_answer_gets_the_call() {
    let ends = [("1", r#"{"answer":"5s"}"#), ("2", r#"{"answer":"2s"}"#)];
    let (sim, _) = bridged(&ends, "user/1,user/2", 3_000);
    assert!(talks_to(&sim, "2") && !talks_to(&sim, "1"));
}

#[test]
fn a_delayed_leg_is_called_later() {
    let ends = [("1", r#"{"answer":"3s"}"#), ("2", r#"{"answer":"0s"}"#)];
    let (sim, _) = bridged(&ends, "user/1,[leg_delay_start=5]user/2", 4_000);
    assert!(talks_to(&sim, "1"));
    assert!(!sim.saw(|what| matches!(what, Observed::Dialing { target } if target == "2")));
}

#[test]
fn those_called_in_turn_come_after_one_another_and_the_last_cause_counts() {
    let (sim, events) =
        bridged(&[("*", "\"busy\"")], "user/1|[leg_timeout=2]user/2|error/no_answer", 1_000);
    assert_eq!(sim.channel.variable("originate_disposition"), Some(&b"NO_ANSWER"[..]));
    assert_eq!(sim.channel.variable("DIALSTATUS"), Some(&b"NOANSWER"[..]));
    assert!(events.contains("Application: bridge") && !events.contains("CHANNEL_HANGUP"));
}

#[test]
fn who_does_not_press_the_key_does_not_get_the_call() {
    let ends = [("1", r#"{"answer":"0s"}"#), ("2", r#"{"answer":"1s","press":"1"}"#)];
    let string =
        "{group_confirm_key=1,group_confirm_file=accept.wav,originate_timeout=9}user/1,user/2";
    let (sim, _) = bridged(&ends, string, 4_000);
    assert!(talks_to(&sim, "2") && !talks_to(&sim, "1"));
}

#[test]
fn a_far_end_that_hangs_up_gives_the_caller_back() {
    let (mut sim, _) =
        bridged(&[("1", r#"{"answer":"0s","talk":"2s","cause":"USER_BUSY"}"#)], "user/1", 3_000);
    assert_eq!(sim.channel.variable("bridge_hangup_cause"), Some(&b"USER_BUSY"[..]));
    assert!(sim.execute("set", "still=there").contains("+OK"));
}

#[test]
fn a_key_pressed_while_it_rings_waits_and_keeps_nobody_busy() {
    let (mut sim, _) = bridged(&[("1", "\"no_answer\"")], "[leg_timeout=3]user/1", 1_000);
    sim.press("7");
    assert!(!sim.after(500).contains("DTMF-Digit"));
    assert!(sim.channel.deadline().is_some_and(|at| at > sim.now.mono_ms));
    assert!(sim.after(3_000).contains("DTMF-Digit: 7"), "the park reads it");
}

#[test]
fn a_conversation_can_have_a_limit() {
    for order in ["'sched_hangup +3 allotted_timeout'", "sched_hangup:+3"] {
        let string = format!("[execute_on_answer={order}]user/1");
        let (sim, _) = bridged(&[("1", r#"{"answer":"0s"}"#)], &string, 4_000);
        let cause = sim.channel.variable("bridge_hangup_cause");
        assert_eq!(cause, Some(&b"ALLOTTED_TIMEOUT"[..]), "{order}");
    }
}

#[test]
fn without_linger_the_end_of_a_bridged_call_is_lost() {
    let mut sim = Sim::answered(world(&[("1", r#"{"answer":"0s"}"#)]));
    sim.say("nolinger\n\n");
    sim.execute("bridge", "user/1");
    sim.after(500);
    sim.channel.hang_up(callwright::base::cause::HangupCause::NormalClearing, sim.now);
    let mut events = String::new();
    for _ in 0..10 {
        events.push_str(&sim.after(5));
    }
    assert!(events.contains("Event-Name: CHANNEL_HANGUP\n"), "{events}");
    assert!(!events.contains("CHANNEL_HANGUP_COMPLETE") && events.contains("disconnect"));
}
