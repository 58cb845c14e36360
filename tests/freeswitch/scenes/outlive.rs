//! The daemon killed under people who talk, wait or are in a room, and another one started at once.

use super::Lab;
use super::hangup::record;
use super::park::parked;
use super::recorded::is_kept_with_its_mask;
use super::room;
use super::talk::{AFTER, ANN, BEN, CAT, ONE, hear, speaking, talk};
use crate::daemon::MUSIC;
use crate::phone::Phone;

/// A busy machine may lose some frames; a conversation that was cut does not come back.
const PAUSE_MAX: f64 = 0.5;

pub(super) fn people_notice_nothing_and_all_is_known_again(lab: &Lab) {
    let (taped, taped_far, tape) = talk(lab, "3052520");
    tape.does(&["record", "start"]);
    let (held, held_far, hold) = talk(lab, "3052521");
    hold.does(&["hold"]);
    let three = room::three(lab, "4212");
    let [ann, ben, cat] = &three;
    let (number, _) = room::member(lab, "hall", ann);
    room::order(lab, "hall", &["mute", &number]);
    let (waits, slot) = parked(lab, "3052522");
    tape.does(&["record", "mask"]);
    let as_before = [
        (&taped, &[ONE][..]),
        (&taped_far, &[ANN]),
        (&held, &[MUSIC]),
        (&held_far, &[]),
        (ann, &[BEN, CAT]),
        (ben, &[CAT]),
        (cat, &[BEN]),
        (&waits, &[MUSIC]),
    ];
    hear(&as_before);

    lab.daemon.lock().unwrap().replace();

    hear(&as_before);
    // The state is known again: what was begun can be ended.
    hold.does(&["unhold"]);
    hear(&[(&held, &[ONE]), (&held_far, &[ANN])]);
    tape.does(&["record", "unmask"]);
    let (number, muted) = room::member(lab, "hall", ann);
    assert!(muted, "the room forgot who is muted");
    room::order(lab, "hall", &["unmute", &number]);
    hear(&[(ann, &[BEN, CAT]), (ben, &[ANN, CAT]), (cat, &[ANN, BEN])]);
    let taker = speaking(lab, &slot, BEN);
    hear(&[(&waits, &[BEN]), (&taker, &[ANN])]);
    tape.does(&["record", "stop"]);
    for (phone, hz) in [(&taped, ONE), (&taped_far, ANN), (ann, BEN), (ben, CAT)] {
        let pause = phone.sound().pause(hz);
        assert!(pause < PAUSE_MAX, "{} heard nobody for {pause} s", phone.number);
    }
    for far in [&taped_far, &held_far, &taker] {
        far.hang_up();
    }
    hear(&[(&taped, &[AFTER]), (&held, &[AFTER]), (&waits, &[AFTER])]);
    let callers: [&Phone<'_>; 6] = [&taped, &held, &waits, ann, ben, cat];
    for phone in callers {
        phone.hang_up();
        let record = record(lab, &phone.number);
        assert_eq!(record["hands"], 1, "{record}");
    }
    is_kept_with_its_mask(lab, &taped);
}
