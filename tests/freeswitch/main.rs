//! Real calls: a FreeSWITCH made from `freeswitch-conf/` and `dialplan/`, the daemon, and phones
//! that are SIP legs on a third profile of the same FreeSWITCH: their signalling and sound go over
//! the network. What is claimed is what a phone heard and why its call ended.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "it says what ran, and loudly when nothing did")]

mod api;
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

use scenes::{LAST, Lab, SCENES, Scene};

/// Has only those scenes played whose claims contain this.
const ONLY_VARIABLE: &str = "CALLWRIGHT_SCENES";

#[test]
fn real_calls_go_as_their_flows_say() {
    let Ok(prefix) = std::env::var("FREESWITCH_PREFIX") else {
        println!("\n  *** NOT RUN: set FREESWITCH_PREFIX to make real calls ***\n");
        return;
    };
    let wanted = std::env::var(ONLY_VARIABLE).unwrap_or_default();
    let wanted = |scenes: &'static [(&str, Scene)]| {
        scenes.iter().filter(|(claim, _)| claim.contains(&wanted)).copied()
    };
    let lab = Lab::start(&prefix);
    let lab = &lab;
    let mut failed = 0;
    for together in SCENES {
        failed += std::thread::scope(|scope| {
            let play = |(claim, scene)| scope.spawn(move || play(lab, claim, scene));
            let running: Vec<_> = wanted(together).map(play).collect();
            running.into_iter().filter_map(|scene| scene.join().ok()).filter(|held| !held).count()
        });
    }
    // Some of these end the daemon, so they come last, one after the other.
    failed += wanted(LAST).filter(|(claim, scene)| !play(lab, claim, *scene)).count();
    if failed > 0 {
        lab.print_logs();
        panic!("{failed} calls went otherwise, see above");
    }
}

fn play(lab: &Lab, claim: &str, scene: fn(&Lab)) -> bool {
    let began = Instant::now();
    let held = catch_unwind(AssertUnwindSafe(|| scene(lab))).is_ok();
    let verdict = if held { "ok" } else { "FAILED" };
    println!("call test {claim} ... {verdict} ({:.1} s)", began.elapsed().as_secs_f32());
    held
}
