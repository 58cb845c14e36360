//! Scripts that callers follow.

use std::sync::Arc;

use callwright::simulator::{Caller, Script, Verdict};

use crate::Sim;

/// Plays a script against a controller that answers and plays one welcome and one menu.
fn play(steps: &str) -> Verdict {
    let script = format!(
        "dial: \"+15550100\"\npatience: 5s\nsounds: {{ welcome.wav: 2s }}\nsteps:\n{steps}"
    );
    let script = Arc::new(Script::from_yaml(&script).unwrap());
    let mut sim = Sim::new(script.call(crate::UUID), script.world());
    sim.say("connect\n\nlinger 2\n\n");
    sim.execute("answer", "");
    sim.execute("playback", "/sounds/welcome.wav");
    sim.execute(
        "play_and_get_digits",
        "1 1 1 3000 # /sounds/menu.wav /sounds/bad.wav choice \\d 1000",
    );
    sim.execute("hangup", "");
    let mut caller = Caller::new(Arc::clone(&script), sim.now);
    for _ in 0..10_000 {
        if let Some(verdict) = caller.verdict() {
            return verdict.clone();
        }
        caller.act(&mut sim.channel, sim.now);
        let due = [sim.channel.deadline(), caller.deadline()].into_iter().flatten().min();
        let Some(due) = due else { break };
        sim.after(due.saturating_sub(sim.now.mono_ms).max(1));
    }
    caller.verdict().expect("the script comes to an end").clone()
}

#[test]
fn a_caller_that_hears_what_it_waits_for_and_presses_a_key_passes() {
    let steps = concat!(
        "  - hear: welcome\n  - hear: menu\n  - press: '2'\n",
        "  - expect: { ended: { cause: NORMAL_CLEARING }, variables: { choice: '2' } }\n"
    );
    assert_eq!(play(steps), Verdict::Passed);
}

#[test]
fn a_caller_that_hears_something_else_says_what_and_when() {
    let Verdict::Failed(failure) = play("  - hear: welcome\n  - hear: goodbye\n") else {
        panic!("it must fail");
    };
    assert_eq!(failure.step, 1);
    let told = failure.to_string();
    assert!(told.contains("expected to hear `goodbye`"), "{told}");
    assert!(told.contains("`/sounds/menu.wav`"), "{told}");
}

#[test]
fn a_caller_can_hang_up_in_the_middle() {
    let steps = "  - hear: menu\n  - hangup\n  - expect: { ended: { cause: NORMAL_CLEARING } }\n";
    assert_eq!(play(steps), Verdict::Passed);
}
