//! Conversations: holding, moving, consulting.

use std::thread::sleep;
use std::time::Duration;

use super::Lab;
use super::hangup::record;
use crate::daemon::{self, LABEL, MUSIC};
use crate::phone::{self, Phone};

/// What callers speak, in Hz; and the phones that are called (`switch::SPOKEN`).
pub(super) const ANN: f64 = 450.0;
pub(super) const BEN: f64 = 575.0;
pub(super) const CAT: f64 = 675.0;
pub(super) const ONE: f64 = 525.0;
pub(super) const TWO: f64 = 625.0;
pub(super) const THREE: f64 = 775.0;
/// What a flow plays when the step is over as its author wished, and as its exits say.
pub(super) const AFTER: f64 = 1_000.0;
pub(super) const OUT: f64 = 1_150.0;
pub(super) const AWAY: f64 = 1_300.0;
/// All that can be heard in these scenes.
const AMONG: [f64; 10] = [ANN, BEN, CAT, ONE, TWO, THREE, MUSIC, AFTER, OUT, AWAY];

/// A call in which somebody speaks.
pub(super) fn speaking<'a>(lab: &'a Lab, number: &str, hz: f64) -> Phone<'a> {
    let speech = format!("playback:tone_stream://v=-13;%(10000,0,{hz});loops=-1");
    Phone::call_speaking(lab, number, &speech)
}

/// Waits until each hears just these together.
#[track_caller]
pub(super) fn hear(parties: &[(&Phone<'_>, &[f64])]) {
    phone::hear(parties, &AMONG);
}

/// A call, as an operator sees it.
pub(super) struct Call<'a> {
    lab: &'a Lab,
    pub(super) id: String,
}

impl<'a> Call<'a> {
    #[track_caller]
    pub(super) fn of(lab: &'a Lab, caller: &Phone<'_>) -> Self {
        Self { lab, id: daemon::live_call(lab.folder(), &caller.number) }
    }

    #[track_caller]
    pub(super) fn does(&self, what: &[&str]) {
        daemon::order(self.lab.folder(), &[&["call", &self.id], what].concat());
    }
}

/// Two who talk: the caller, and the phone of this number, which speaks `ONE`.
pub(super) fn talk<'a>(lab: &'a Lab, number: &str) -> (Phone<'a>, Phone<'a>, Call<'a>) {
    let caller = speaking(lab, number, ANN);
    let far = Phone::called(lab, number);
    assert_eq!(far.shows(), format!("{LABEL} - Caller"));
    hear(&[(&caller, &[ONE]), (&far, &[ANN])]);
    let call = Call::of(lab, &caller);
    (caller, far, call)
}

pub(super) fn who_is_held_hears_music_and_the_other_nobody(lab: &Lab) {
    let (caller, far, call) = talk(lab, "3052500");
    call.does(&["hold"]);
    hear(&[(&caller, &[MUSIC]), (&far, &[])]);
    call.does(&["unhold"]);
    hear(&[(&caller, &[ONE]), (&far, &[ANN])]);
    call.does(&["hold", "--leg", "far"]);
    hear(&[(&caller, &[]), (&far, &[MUSIC])]);
    call.does(&["unhold", "--leg", "far"]);
    hear(&[(&caller, &[ONE]), (&far, &[ANN])]);
    call.does(&["hold"]);
    sleep(Duration::from_secs(1));
    far.hang_up();
    hear(&[(&caller, &[AFTER])]);
    caller.hang_up();
    let record = record(lab, &caller.number);
    let held = record["legs"][0]["held_ms"].as_u64().unwrap();
    assert!((1_000..20_000).contains(&held), "held for {held} ms");
}

pub(super) fn a_blind_transfer_reaches_the_other_or_comes_back(lab: &Lab) {
    let (caller, far, call) = talk(lab, "3052501");
    call.does(&["send", "3062501"]);
    let other = Phone::called(lab, "3062501");
    assert_eq!(other.shows(), format!("{LABEL} - Caller"));
    hear(&[(&caller, &[TWO]), (&other, &[ANN])]);
    assert_eq!(far.ends(), "NORMAL_CLEARING");
    // Nobody is there: who was left is called again.
    call.does(&["send", "3999999"]);
    let again = Phone::called(lab, "3062501");
    hear(&[(&caller, &[TWO]), (&again, &[ANN])]);
    assert_eq!(other.ends(), "NORMAL_CLEARING");
    again.hang_up();
    hear(&[(&caller, &[AFTER])]);
    caller.hang_up();
    let record = record(lab, &caller.number);
    assert_eq!(record["transfers"].as_array().map(Vec::len), Some(2), "{record}");
}

pub(super) fn who_is_consulted_hears_one_then_the_other(lab: &Lab) {
    let (caller, far, call) = talk(lab, "3052502");
    call.does(&["consult", "3062502"]);
    let other = Phone::called(lab, "3062502");
    assert_eq!(other.shows(), format!("{LABEL} - Caller"));
    hear(&[(&caller, &[MUSIC]), (&far, &[TWO]), (&other, &[ONE])]);
    call.does(&["toggle"]);
    hear(&[(&caller, &[ONE]), (&far, &[ANN]), (&other, &[MUSIC])]);
    call.does(&["toggle"]);
    hear(&[(&caller, &[MUSIC]), (&far, &[TWO]), (&other, &[ONE])]);
    call.does(&["complete"]);
    hear(&[(&caller, &[TWO]), (&other, &[ANN])]);
    assert_eq!(far.ends(), "NORMAL_CLEARING");
    other.hang_up();
    hear(&[(&caller, &[AFTER])]);
}

pub(super) fn a_cancelled_consultation_leaves_the_two_as_they_were(lab: &Lab) {
    let (caller, far, call) = talk(lab, "3052503");
    call.does(&["consult", "3062503"]);
    let other = Phone::called(lab, "3062503");
    hear(&[(&caller, &[MUSIC]), (&far, &[TWO]), (&other, &[ONE])]);
    call.does(&["cancel"]);
    hear(&[(&caller, &[ONE]), (&far, &[ANN])]);
    assert_eq!(other.ends(), "NORMAL_CLEARING");
    far.hang_up();
    hear(&[(&caller, &[AFTER])]);
}
