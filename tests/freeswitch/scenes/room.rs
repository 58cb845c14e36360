//! Rooms.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Lab;
use super::talk::{ANN, AWAY, BEN, CAT, OUT, hear, speaking};
use crate::daemon::{self, TENANT};
use crate::phone::Phone;

/// Three who hear each other in a room, which has this number.
pub(super) fn three<'a>(lab: &'a Lab, number: &str) -> [Phone<'a>; 3] {
    let three = [ANN, BEN, CAT].map(|hz| speaking(lab, number, hz));
    let [ann, ben, cat] = &three;
    hear(&[(ann, &[BEN, CAT]), (ben, &[ANN, CAT]), (cat, &[ANN, BEN])]);
    three
}

/// Has something done to a room.
#[track_caller]
pub(super) fn order(lab: &Lab, room: &str, what: &[&str]) {
    daemon::order(lab.folder(), &[&["room", room, "--tenant", TENANT], what].concat());
}

/// The number that a member has in the room, and whether it is muted.
#[track_caller]
pub(super) fn member(lab: &Lab, room: &str, of: &Phone<'_>) -> (String, bool) {
    let began = Instant::now();
    loop {
        let list = ["room", room, "--tenant", TENANT, "list"];
        let view = daemon::json(lab.folder(), &list);
        let members = view["members"].as_array().unwrap();
        let own = members.iter().find(|one| one["number"] == of.number.as_str());
        if let Some(own) = own {
            return (own["member"].to_string(), own["muted"] == true);
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{} is not in {view}", of.number);
        sleep(Duration::from_millis(200));
    }
}

pub(super) fn a_room_mutes_kicks_and_is_locked(lab: &Lab) {
    let [ann, ben, cat] = &three(lab, "4211");
    let (number, _) = member(lab, "den", ann);
    order(lab, "den", &["mute", &number]);
    hear(&[(ann, &[BEN, CAT]), (ben, &[CAT]), (cat, &[BEN])]);
    order(lab, "den", &["deaf", &number]);
    hear(&[(ann, &[]), (ben, &[CAT]), (cat, &[BEN])]);
    order(lab, "den", &["unmute", &number]);
    order(lab, "den", &["undeaf", &number]);
    hear(&[(ann, &[BEN, CAT]), (ben, &[ANN, CAT]), (cat, &[ANN, BEN])]);
    order(lab, "den", &["lock"]);
    let late = speaking(lab, "4211", CAT);
    hear(&[(&late, &[AWAY])]);
    let (number, _) = member(lab, "den", cat);
    order(lab, "den", &["kick", &number]);
    hear(&[(ann, &[BEN]), (ben, &[ANN]), (cat, &[OUT])]);
}
