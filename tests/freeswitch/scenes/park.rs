//! Slots.

use super::Lab;
use super::talk::{AFTER, ANN, BEN, OUT, hear, speaking, talk};
use crate::daemon::{self, MUSIC, TENANT};
use crate::phone::Phone;

/// The slots that are taken, by the number that called.
fn slot_of(lab: &Lab, caller: &Phone<'_>) -> Option<String> {
    let slots = daemon::json(lab.folder(), &["park", TENANT]);
    let own = slots.as_array()?.iter().find(|row| row["party"] == caller.number.as_str());
    own.map(|row| row["slot"].to_string())
}

/// Parks the caller of a conversation; gives the slot.
pub(super) fn parked<'a>(lab: &'a Lab, number: &str) -> (Phone<'a>, String) {
    let (caller, far, call) = talk(lab, number);
    call.does(&["park"]);
    assert_eq!(far.ends(), "NORMAL_CLEARING");
    hear(&[(&caller, &[MUSIC])]);
    let slot = slot_of(lab, &caller).expect("the caller is in a slot");
    (caller, slot)
}

pub(super) fn who_is_parked_waits_with_music_for_who_calls_the_slot(lab: &Lab) {
    let (caller, slot) = parked(lab, "3052510");
    let taker = speaking(lab, &slot, BEN);
    hear(&[(&caller, &[BEN]), (&taker, &[ANN])]);
    assert_eq!(slot_of(lab, &caller), None);
    let late = speaking(lab, &slot, BEN);
    hear(&[(&late, &[OUT])]);
    // Each of the two is in a flow of its own, and goes on there.
    taker.hang_up();
    hear(&[(&caller, &[AFTER])]);
}
