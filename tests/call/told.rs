//! What those who follow are told of rooms and of supervisors who listen in, as the machine's own
//! timeline has it.

use callwright::base::ids::CallId;
use callwright::model::event::{Fold, Happened, Standing, of_entry};
use callwright::model::timeline::Entry;
use serde_json::{Value, json};

use super::gathered;
use super::monitor::{self, SUPERVISOR};
use super::rooms::{self, invite};
use super::support::Line;

fn events(line: &Line) -> Vec<Happened> {
    let entries = line.notes.iter().map(|note| serde_json::from_str::<Entry>(note).unwrap());
    entries.filter_map(|entry| of_entry(CallId(uuid::Uuid::nil()), &entry)).collect()
}

fn standing(line: &Line) -> Standing {
    let mut fold = Fold::default();
    events(line).iter().for_each(|event| fold.tell(event));
    fold.standing(0)
}

/// Who is in which room: room, number, who, and how.
fn in_rooms(line: &Line) -> Vec<String> {
    let rooms = standing(line).rooms;
    let each = rooms.iter().flat_map(|one| one.members.iter().map(|member| (&one.room, member)));
    let each = each.map(|(room, one)| {
        let how = &one.presence;
        let marks = [(how.moderator, " moderator"), (how.muted, " muted"), (how.deaf, " deaf")];
        let marks: String = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
        format!("{room} {} {:?} {}{marks}", one.member, how.who, how.party)
    });
    each.collect()
}

/// The types of what was told of a kind.
fn types(line: &Line, kind: &str) -> Vec<String> {
    let all = events(line).into_iter().map(|event| serde_json::to_value(event).unwrap());
    let types = all.map(|event: Value| event["type"].as_str().unwrap().to_owned());
    types.filter(|name| name.starts_with(kind)).collect()
}

#[test]
fn who_is_in_a_room_is_known_from_what_is_told() {
    let mut line = rooms::line("sales", &json!({ "role": "moderator" }), "room here 1\n room in");
    assert_eq!(in_rooms(&line), ["sales 7 Caller +15550100 moderator"]);
    assert_eq!(standing(&line).calls[0].room.as_ref().unwrap().as_str(), "sales");
    line.step("room muted");
    line.step(&invite("member"));
    let guest = line.called[0].clone();
    line.play_script(&format!("far {guest} answered\n far {guest} room in"));
    assert_eq!(
        in_rooms(&line),
        ["sales 7 Caller +15550100 moderator muted", "sales 9 Invited 300"]
    );
    line.play_script(&format!("far {guest} room muted\n room heard\n room in"));
    assert_eq!(
        in_rooms(&line),
        ["sales 7 Caller +15550100 moderator", "sales 9 Invited 300 muted"]
    );
    line.step(&format!("far {guest} hangup NORMAL_CLEARING"));
    assert_eq!(in_rooms(&line), ["sales 7 Caller +15550100 moderator"]);
    line.step("done");
    assert_eq!(in_rooms(&line), [""; 0]);
    assert_eq!(standing(&line).calls[0].room, None);
    assert_eq!(types(&line, "room.left").len(), 2);
}

#[test]
fn whoever_hangs_up_has_left_and_who_was_not_let_in_was_never_there() {
    let script = "room here 1\n room in\n hangup NORMAL_CLEARING caller";
    let line = rooms::line("open", &json!({}), script);
    assert_eq!(types(&line, "room."), ["room.entered", "room.left"]);
    let line = rooms::line("open", &json!({}), "room here 1\n done\n room locked 1");
    assert_eq!(types(&line, "room."), [""; 0]);
}

#[test]
fn both_who_went_to_a_room_are_in_it_until_each_leaves() {
    let mut line = gathered::talking();
    line.play_script(
        "command {\"send_both\":{\"to\":{\"room\":\"open\"}}}\n unbridged
         talked NORMAL_CLEARING\n room none\n room in",
    );
    line.step("far b-leg room in");
    assert_eq!(in_rooms(&line), ["open 7 Caller +15550100", "open 9 Far 200"]);
    line.step("far b-leg hangup NORMAL_CLEARING");
    assert_eq!(in_rooms(&line), ["open 7 Caller +15550100"]);
}

#[test]
fn who_listens_in_is_told_from_the_answer_to_the_end() {
    let mut line = monitor::session(r#"{"mode":"listen"}"#);
    assert_eq!(standing(&line).monitored, []);
    line.step(&format!("far {SUPERVISOR} answered"));
    monitor::manner(&mut line, r#"{"mode":"whisper","to":"far"}"#);
    let monitored = standing(&line).monitored;
    let known: Vec<_> =
        monitored.iter().map(|one| (one.by.as_str(), one.now.to_string())).collect();
    assert_eq!(known, [("300", "whisper to the far end".to_owned())]);
    line.step(r#"command {"monitor":"end"}"#);
    assert_eq!(standing(&line).monitored, []);
    assert_eq!(types(&line, "monitor."), ["monitor.changed"; 3]);
    let mut line = monitor::session(r#"{"mode":"listen"}"#);
    line.step(&format!("far {SUPERVISOR} hangup USER_BUSY"));
    assert_eq!(types(&line, "monitor."), [""; 0], "nobody has listened");
}
