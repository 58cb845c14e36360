//! Rooms.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Lab;
use super::talk::{ANN, AWAY, BEN, CAT, OUT, hear, speaking};
use crate::api::Api;
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

/// Waits until those who follow are told that these, and nobody else, are in the room: the numbers
/// that they call from, and whether they are muted.
#[track_caller]
fn is_told(api: &Api, room: &str, members: &[(&Phone<'_>, bool)]) {
    let mut wanted: Vec<_> =
        members.iter().map(|(phone, muted)| (phone.number.clone(), *muted)).collect();
    wanted.sort();
    let began = Instant::now();
    loop {
        let standing = api.get(&format!("tenants/{TENANT}/events/standing"));
        let all = standing["rooms"].as_array().unwrap().iter().find(|one| one["room"] == room);
        let all = all.and_then(|one| one["members"].as_array()).cloned().unwrap_or_default();
        let one = |one: &Value| (one["party"].as_str().unwrap().to_owned(), one["muted"] == true);
        let mut told: Vec<_> = all.iter().map(one).collect();
        told.sort();
        if told == wanted {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{told:?}, not {wanted:?}");
        sleep(Duration::from_millis(100));
    }
}

pub(super) fn a_room_mutes_kicks_and_is_locked(lab: &Lab) {
    let api = Api::operator(lab);
    let [ann, ben, cat] = &three(lab, "4211");
    is_told(&api, "den", &[(ann, false), (ben, false), (cat, false)]);
    let (number, _) = member(lab, "den", ann);
    order(lab, "den", &["mute", &number]);
    is_told(&api, "den", &[(ann, true), (ben, false), (cat, false)]);
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
    is_told(&api, "den", &[(ann, false), (ben, false)]);
}
