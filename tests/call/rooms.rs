//! Conference rooms: who is let in, what keys do there, and how a caller comes out again.

use serde_json::{Value, json};

use super::support::{Line, Show, check, program, same};

fn room(name: &str, more: &Value) -> Value {
    let mut step = json!({ "kind": "conference", "room": name, "next": "next", "on": {
        "kicked": "kicked", "ended": "ended", "locked": "locked", "full": "full",
        "denied": "denied", "no_room": "no_room", "failed": "failed" } });
    step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let end = json!({ "kind": "hangup" });
    json!({ "start": step, "next": end, "kicked": end, "ended": end, "locked": end, "full": end,
        "denied": end, "no_room": end, "failed": end })
}

fn line(name: &str, more: &Value, script: &str) -> Line {
    let mut line = Line::new(program(&[("main", &room(name, more))]), Show::Moves);
    line.play_script(script);
    line
}

/// What was ordered in the room, and how the step was left.
fn moves(text: &str) -> String {
    let kept = text.lines().filter(|line| {
        let line = line.get(6..).unwrap_or_default();
        line.starts_with("! join") || line.starts_with("! room") || line.starts_with("start:")
    });
    kept.map(|line| format!("{}\n", &line[6..])).collect()
}

#[test]
fn whoever_types_the_pin_is_in_as_what_it_makes_him_and_goes_on_when_he_leaves() {
    check(
        &room("sales", &json!({ "prompts": ["welcome"] })),
        "key 1234#\n room here 1\n room in\n wait 60s\n key *1\n room muted\n key *5*9\n key *1
         room heard\n key #\n done",
        r#"
        0.000 ! play welcome until key
        0.000 < key 1234#
        0.000 (let in as member)
        0.000 ? room t00000000000000000000000000000001-sales
        0.000 < room here 1
        0.000 ! join as member: 
        0.000 < room in
        0.000 (in the room sales as member, member 7)
        0.000 ! room tone [660]
        0.000 ! room tone [880]
        0.000 < wait 60s
        60.000 < key *1
        60.000 (by key: mute self)
        60.000 ! room Mute { who: Me, on: true }
        60.000 < room muted
        60.000 (muted in the room)
        60.000 < key *5*9
        60.000 < key *1
        60.000 (by key: mute self)
        60.000 ! room Mute { who: Me, on: false }
        60.000 < room heard
        60.000 (heard in the room again)
        60.000 < key #
        60.000 (by key: leave)
        60.000 ! room Leave(Me)
        60.000 < done
        60.000 ! room tone [440]
        60.000 ! room tone [330]
        60.000 start: next -> next (the caller left the room)
        60.000 ! Hangup(NormalClearing)
        "#,
    );
}

#[test]
fn every_key_of_who_has_no_codes_does_nothing() {
    let keys = "key 0123456789*#ABCD*1*5*6*8*9#";
    let line =
        line("open", &json!({}), &format!("room none\n room in\n {keys}\n wait 5s\n {keys}"));
    assert_eq!(moves(&line.text), "! join as member: \n", "{}", line.text);
    assert!(line.record.is_none());
}

#[test]
fn a_moderator_may_what_members_may_not() {
    let line = line(
        "sales",
        &json!({ "role": "moderator" }),
        "room here 1\n room in\n key *5\n key 8\n key *9\n done",
    );
    let told = moves(&line.text);
    let told: Vec<_> = told.lines().filter(|line| !line.contains("tone")).collect();
    assert_eq!(
        told,
        [
            "! join as moderator: ends it, passes lock",
            "! room Lock(true)",
            "! room Volume { who: Me, own: false, level: 1 }",
            "! room End",
            "start: ended -> ended (the room is over for the caller)",
        ]
    );
}

#[test]
fn who_may_not_speak_joins_muted_and_stays_so() {
    let line = line("talk", &json!({}), "key #\n room none\n room in muted deaf\n key 1\n wait 3s");
    assert_eq!(moves(&line.text), "! join as member: muted, deaf, waits\n");
    assert!(line.text.contains("a member who may not speak stays muted"), "{}", line.text);
}

#[test]
fn nobody_is_let_in_where_that_is_not_to_be() {
    let pin = "key 1234#\n";
    for (script, left) in [
        ("key 1111#\n wait 2s\n key 2222#\n wait 2s\n key 987#".to_owned(), "denied"),
        ("wait 30s".to_owned(), "denied"),
        (format!("{pin} room locked 1"), "locked"),
        (format!("{pin} room here 3"), "full"),
        (format!("{pin} room elsewhere fs2"), "failed"),
        (format!("{pin} room here 1\n done\n room locked 1"), "locked"),
        (format!("{pin} room here 1\n done\n room here 3"), "full"),
        (format!("{pin} room here 1\n failed gone"), "failed"),
    ] {
        let line = line("sales", &json!({}), &script);
        assert!(line.text.contains(&format!("start: {left} -> {left}")), "{}", line.text);
        assert!(!line.debug.contains("1234") && !line.text.contains("1111 "), "{}", line.text);
    }
    let line = line("no such room", &json!({}), "");
    same(&moves(&line.text), "start: no_room -> no_room (the tenant has no room `no such room`)");
}

#[test]
fn a_member_is_acted_on_by_operators_and_knows_how_it_left() {
    let line = line(
        "open",
        &json!({}),
        "command {\"room\":{\"mute\":true}}\n room none\n room in
         command {\"room\":{\"mute\":true}}\n room muted\n command {\"room\":\"kick\"}
         room kicked\n done",
    );
    assert_eq!(
        moves(&line.text),
        "! join as member: \n! room Mute { who: Me, on: true }\n! room Kick(Me)\n\
         start: kicked -> kicked (somebody took the caller out of the room)\n"
    );
    assert_eq!(line.answers, [Err("the caller is not in the room yet".into()), Ok(()), Ok(())]);
}

#[test]
fn another_process_knows_role_and_mute_and_goes_on_where_the_room_left_the_caller() {
    let mut line =
        line("sales", &json!({}), "key 987654\n room here 1\n room in\n key *1\n room muted");
    assert!(line.call.runs_on() && line.call.state().is_in_room());
    let written = serde_json::to_value(line.call.state()).unwrap();
    let state = &written["running"]["conference"];
    assert_eq!((&state["role"], &state["muted"]), (&json!("moderator"), &json!(true)));
    line.play_script("room kicked");
    line.change_hands();
    assert!(line.text.contains("start: kicked -> kicked"), "{}", line.text);
}

#[test]
fn a_process_that_died_before_the_room_was_joined_lets_the_next_join_it() {
    let mut line = line("open", &json!({}), "room none");
    line.change_hands();
    assert!(
        line.text.ends_with("? room t00000000000000000000000000000001-open\n"),
        "{}",
        line.text
    );
    line.play_script("room none");
    line.found.roomed = true;
    line.change_hands();
    assert!(line.text.contains("start: ended -> ended"), "{}", line.text);
}
