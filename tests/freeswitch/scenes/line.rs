//! Waiting lines.

use super::Lab;
use super::talk::{AFTER, ANN, BEN, CAT, ONE, OUT, hear, speaking};
use crate::daemon::MUSIC;
use crate::phone::Phone;

const AGENT: &str = "3052550";

pub(super) fn callers_wait_in_line_for_the_one_agent(lab: &Lab) {
    let first = speaking(lab, "4220", ANN);
    let agent = Phone::called(lab, AGENT);
    hear(&[(&first, &[ONE]), (&agent, &[ANN])]);
    let second = speaking(lab, "4220", BEN);
    hear(&[(&second, &[MUSIC])]);
    let third = speaking(lab, "4220", CAT);
    hear(&[(&first, &[ONE]), (&agent, &[ANN]), (&second, &[MUSIC]), (&third, &[MUSIC])]);
    third.press("#");
    hear(&[(&third, &[OUT]), (&second, &[MUSIC])]);
    let fourth = speaking(lab, "4220", CAT);
    hear(&[(&fourth, &[MUSIC])]);
    first.hang_up();
    let agent = Phone::called(lab, AGENT);
    hear(&[(&second, &[ONE]), (&agent, &[BEN]), (&fourth, &[MUSIC])]);
    agent.hang_up();
    let agent = Phone::called(lab, AGENT);
    hear(&[(&second, &[AFTER]), (&fourth, &[ONE]), (&agent, &[CAT])]);
}
