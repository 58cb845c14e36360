//! Listening in.

use super::Lab;
use super::talk::{ANN, ONE, THREE, hear, talk};
use crate::api::Api;
use crate::daemon::{self, TENANT};
use crate::phone::Phone;

/// The supervisor, who may listen to the phone that is called.
const SUPERVISOR: &str = "3077540";
const AGENT: &str = "3052540";

/// How those who follow are told that somebody listens in on the only call of the tenant that is
/// listened to.
fn told(api: &Api) -> String {
    let standing = api.get(&format!("tenants/{TENANT}/events/standing"));
    let one = &standing["monitored"][0];
    format!("{} {} {}", one["by"], one["now"]["mode"], one["now"]["to"]).replace('"', "")
}

pub(super) fn a_supervisor_is_heard_by_whom_it_should(lab: &Lab) {
    let api = Api::operator(lab);
    let (caller, far, call) = talk(lab, AGENT);
    call.does(&["monitor", "begin", "--by", SUPERVISOR, "--reason", "training"]);
    let supervisor = Phone::called(lab, SUPERVISOR);
    let both = &[ANN, ONE][..];
    hear(&[(&caller, &[ONE]), (&far, &[ANN]), (&supervisor, both)]);
    let manners = [
        (["whisper", "far"], [&[ONE][..], &[ANN, THREE]]),
        (["whisper", "caller"], [&[ONE, THREE], &[ANN]]),
        (["barge", "far"], [&[ONE, THREE], &[ANN, THREE]]),
        (["listen", "far"], [&[ONE], &[ANN]]),
    ];
    for ([mode, to], [caller_hears, far_hears]) in manners {
        call.does(&["monitor", "mode", "--mode", mode, "--to", to]);
        hear(&[(&caller, caller_hears), (&far, far_hears), (&supervisor, both)]);
        assert_eq!(told(&api), format!("{SUPERVISOR} {mode} {to}"));
    }
    call.does(&["monitor", "end"]);
    assert_eq!(supervisor.ends(), "NORMAL_CLEARING");
    hear(&[(&caller, &[ONE]), (&far, &[ANN])]);
    let audit = ["audit", "list", "--tenant", TENANT, "--call", &call.id];
    let entries = daemon::json(lab.folder(), &audit);
    let [entry] = &entries.as_array().unwrap()[..] else { panic!("one session: {entries}") };
    assert_eq!(entry["by"], SUPERVISOR);
    assert_eq!(entry["changes"].as_array().map(Vec::len), Some(5), "{entry}");
    for (phone, hz) in [(&caller, ONE), (&far, ANN)] {
        let pause = phone.sound().pause(hz);
        assert!(pause < 0.2, "the conversation paused for {pause} s");
    }
}
