//! Real calls: a FreeSWITCH made from `freeswitch-conf/` and `dialplan/`, the daemon, and phones
//! that are SIP legs on a third profile of the same FreeSWITCH: their signalling and sound go over
//! the network. What is claimed is what a phone heard and why its call ended.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "it says what ran, and loudly when nothing did")]

mod daemon;
mod invite;
mod link;
mod phone;
mod scenes;
mod sound;
mod stub;
mod switch;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use scenes::{LAST, Lab, SCENES};

#[test]
fn real_calls_go_as_their_flows_say() {
    let Ok(prefix) = std::env::var("FREESWITCH_PREFIX") else {
        println!("\n  *** NOT RUN: set FREESWITCH_PREFIX to make real calls ***\n");
        return;
    };
    let lab = Lab::start(&prefix);
    let lab = &lab;
    let held = std::thread::scope(|scope| {
        let play = |(claim, scene)| scope.spawn(move || play(lab, claim, scene));
        let running: Vec<_> = SCENES.iter().copied().map(play).collect();
        running.into_iter().filter_map(|scene| scene.join().ok()).filter(|held| *held).count()
    });
    // These end the daemon, so they come last, one after the other.
    let alone = LAST.iter().filter(|(claim, scene)| play(lab, claim, *scene)).count();
    if held < SCENES.len() || alone < LAST.len() {
        lab.print_logs();
        panic!("some calls went otherwise, see above");
    }
}

fn play(lab: &Lab, claim: &str, scene: fn(&Lab)) -> bool {
    let began = Instant::now();
    let held = catch_unwind(AssertUnwindSafe(|| scene(lab))).is_ok();
    let verdict = if held { "ok" } else { "FAILED" };
    println!("call test {claim} ... {verdict} ({:.1} s)", began.elapsed().as_secs_f32());
    held
}
