//! Conference rooms: who is let in, what keys do there, and how a caller comes out again.

use callwright::base::cause::HangupCause;
use callwright::call::arrival::Arrival;
use callwright::model::record::LegRecord;
use callwright::model::recording::{RecordingKind, RecordingState};
use serde_json::{Value, json};

use super::support::{Line, Show, arrival, check, program, same};

fn room(name: &str, more: &Value) -> Value {
    let mut step = json!({ "kind": "conference", "room": name, "next": "next", "on": {
        "kicked": "kicked", "ended": "ended", "locked": "locked", "full": "full",
        "denied": "denied", "no_room": "no_room", "failed": "failed" } });
    step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let end = json!({ "kind": "hangup" });
    json!({ "start": step, "next": end, "kicked": end, "ended": end, "locked": end, "full": end,
        "denied": end, "no_room": end, "failed": end })
}

pub(crate) fn line(name: &str, more: &Value, script: &str) -> Line {
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
        60.000 (in the room sales muted)
        60.000 < key *5*9
        60.000 < key *1
        60.000 (by key: mute self)
        60.000 ! room Mute { who: Me, on: false }
        60.000 < room heard
        60.000 (in the room sales heard again)
        60.000 < key #
        60.000 (by key: leave)
        60.000 ! room Leave(Me)
        60.000 < done
        60.000 ! room tone [440]
        60.000 ! room tone [330]
        60.000 (in the room sales no more)
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
fn a_moderators_key_records_the_room_and_ends_that_again_whoever_began_it() {
    let script = "room here 1\n room in\n key *2\n room here 2\n wait 9s\n key *2
        room recorded 2\n key *2\n wait 20s\n hangup NORMAL_CLEARING caller";
    let moderator = line("sales", &json!({ "role": "moderator" }), script);
    let orders = moves(&moderator.text);
    let path = "/m/00000000-0000-0000-0000-00009e37b3a0.wav";
    assert!(orders.contains(&format!("Record {{ path: Some(\"{path}\"), on: true }}")), "{orders}");
    assert!(orders.contains("Record { path: None, on: false }"), "{orders}");
    assert_eq!(orders.matches("Record").count(), 2, "the third is not answered: {orders}");
    let [note] = &moderator.told[..] else { panic!("{:?}", moderator.told) };
    assert_eq!((note.kind, note.state), (RecordingKind::Room, RecordingState::Running));
    assert_eq!((note.room.as_deref(), note.path.as_str()), (Some("sales"), path));
    let member = line("sales", &json!({ "role": "member" }), "room here 1\n room in\n key *2");
    assert_eq!(member.text.matches("? room").count(), 1, "a member's key asks nothing");
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
    assert_eq!(line.answers, [Err("the caller is not in a room".into()), Ok(()), Ok(())]);
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

fn is_ordered(line: &Line, order: &str, leg: &str) -> bool {
    line.text.lines().any(|line| line.contains(order) && line.contains(leg))
}

pub(crate) fn invite(role: &str) -> String {
    let to = json!({ "extension": "300" });
    format!("command {}", json!({ "room": { "invite": { "to": to, "role": role } } }))
}

#[test]
fn who_is_invited_joins_with_a_role_and_the_record_tells_what_became_of_it() {
    let mut caller = line("talk", &json!({}), "key #\n room here 1\n room in");
    caller.step(&invite("member"));
    caller.step(&invite("moderator"));
    let [member, moderator] = &caller.called[..] else { panic!("{:?}", caller.called) };
    let (member, moderator) = (member.clone(), moderator.clone());
    for leg in [&member, &moderator] {
        caller.step(&format!("far {leg} answered"));
        assert!(is_ordered(&caller, "! Limit", leg), "{}", caller.text);
    }
    caller.step("wait 9s");
    caller.step(&format!("far {member} hangup NORMAL_CLEARING"));
    caller.step("wait 1s");
    caller.step("hangup NORMAL_CLEARING caller");
    assert_eq!(caller.answers, [Ok(()), Ok(())]);
    let joins = "30s, then join as";
    for role in ["member: muted, deaf, joins only", "moderator: passes lock, joins only"] {
        assert!(caller.text.contains(&format!("{joins} {role}")), "{role}: {}", caller.text);
    }
    let legs = &caller.record.as_ref().unwrap().legs;
    let took = |leg: &LegRecord| leg.ended.map(|end| end.duration_since(leg.started).as_secs());
    assert!(legs[1..].iter().all(|leg| leg.answered.is_some()));
    assert_eq!(took(&legs[1]), Some(9));
    assert_eq!((took(&legs[2]), legs[2].cause), (None, None), "it is in the room still");
}

#[test]
fn the_room_hears_that_who_was_invited_does_not_come() {
    let mut caller = line("open", &json!({}), "room here 1\n room in");
    caller.step(&invite("member"));
    let leg = caller.called[0].clone();
    caller.step(&format!("far {leg} hangup USER_BUSY"));
    assert!(caller.text.contains("(who was invited is not reached: USER_BUSY)"), "{}", caller.text);
    assert!(moves(&caller.text).ends_with("! room tone [300]\n"), "{}", caller.text);
    caller.step(&invite("member"));
    let leg = caller.called[1].clone();
    caller.step("hangup NORMAL_CLEARING caller");
    assert!(is_ordered(&caller, "! drop", &leg), "{}", caller.text);
    let causes: Vec<_> = caller.record.as_ref().unwrap().legs.iter().map(|leg| leg.cause).collect();
    let [busy, called_off] = [HangupCause::UserBusy, HangupCause::OriginatorCancel].map(Some);
    assert_eq!(causes, [Some(HangupCause::NormalClearing), busy, called_off]);
}

#[test]
fn nobody_is_invited_by_who_is_not_in_the_room_or_to_where_the_tenant_can_not_call() {
    let mut caller = line("open", &json!({}), "room here 1");
    caller.step(&invite("member"));
    caller.step("room in");
    for to in
        [json!({ "extension": "3 00" }), json!({ "number": { "number": "12", "gateway": "x" } })]
    {
        caller.step(&format!("command {}", json!({ "room": { "invite": { "to": to } } })));
    }
    for _ in 0..17 {
        caller.step(&invite("member"));
    }
    let refused: Vec<_> = caller.answers.iter().filter_map(|answer| answer.clone().err()).collect();
    assert_eq!(
        refused,
        [
            "the caller is not in a room",
            "that is not an extension",
            "gateway `x` is not the tenant's",
            "too many were invited by this call",
        ]
    );
}

/// What was ordered since `at`, but for what concerns no room.
fn ordered(line: &Line, at: usize) -> Vec<&str> {
    let lines = line.text[at..].lines().filter_map(|line| line.split_once("! "));
    let kept = ["room", "Beep", "call", "drop"];
    lines
        .map(|(_, order)| order)
        .filter(|order| kept.iter().any(|k| order.starts_with(k)))
        .collect()
}

fn beep(leg: &str) -> String {
    format!("Beep {{ channel: \"{leg}\" }}")
}

/// A caller in the room `sales`, and somebody whom an operator invited and who is in.
fn with_guest(pin: &str, role: &str) -> (Line, String) {
    let mut caller = line("sales", &json!({}), &format!("key {pin}#\n room here 1\n room in"));
    caller.step(&invite(role));
    let guest = caller.called[0].clone();
    caller.play_script(&format!("far {guest} key *\n far {guest} key 1\n far {guest} answered"));
    assert!(!caller.text.contains(&format!("by {guest}")), "it is not in yet: {}", caller.text);
    caller.step(&format!("far {guest} room in"));
    (caller, guest)
}

fn guest_types(caller: &mut Line, guest: &str, keys: &str) -> Vec<String> {
    let at = caller.text.len();
    for key in keys.chars() {
        caller.step(&format!("far {guest} key {key}"));
    }
    ordered(caller, at).into_iter().map(str::to_owned).collect()
}

#[test]
fn who_was_invited_has_the_keys_of_its_role_and_no_others() {
    let (mut caller, guest) = with_guest("987654", "member");
    let mute = |on| vec![format!("room Mute {{ who: Me, on: {on} }} by {guest}")];
    assert_eq!(guest_types(&mut caller, &guest, "*1"), mute(true));
    caller.step(&format!("far {guest} room muted"));
    assert_eq!(guest_types(&mut caller, &guest, "*5*2*9*7300"), [""; 0]);
    assert_eq!(guest_types(&mut caller, &guest, "5**1"), mute(false), "another process or not");
    // Half a code is forgotten after a while.
    assert_eq!(guest_types(&mut caller, &guest, "*"), [""; 0]);
    caller.step("wait 2s");
    assert_eq!(guest_types(&mut caller, &guest, "1"), [""; 0]);
    assert_eq!(guest_types(&mut caller, &guest, "#"), [format!("drop {guest}")]);
    let at = caller.text.len();
    caller.step(&format!("far {guest} hangup NORMAL_CLEARING"));
    assert_eq!(ordered(&caller, at), ["room tone [440]", "room tone [330]"], "all hear that");
}

#[test]
fn an_invited_moderator_locks_records_and_invites() {
    let (mut caller, guest) = with_guest("1234", "moderator");
    assert_eq!(guest_types(&mut caller, &guest, "*5"), [format!("room Lock(true) by {guest}")]);
    assert_eq!(guest_types(&mut caller, &guest, "*2"), [""; 0]);
    let at = caller.text.len();
    caller.step("room here 2");
    assert!(ordered(&caller, at)[0].starts_with("room Record { path: Some("), "{}", caller.text);
    assert_eq!(guest_types(&mut caller, &guest, "*7300#"), [beep(&guest)]);
    let at = caller.text.len();
    caller.step("room here 2");
    assert!(ordered(&caller, at)[0].starts_with("call Extension { extension: \"300\""));
    // Without a caller in the room nobody hears how it is; what is the room's own goes on.
    caller.play_script("done");
    assert_eq!(guest_types(&mut caller, &guest, "*2"), [beep(&guest)]);
    assert_eq!(guest_types(&mut caller, &guest, "*9"), [format!("room End by {guest}")]);
}

#[test]
fn who_was_invited_and_not_let_in_is_told_apart_from_who_did_not_come() {
    let mut caller = line("open", &json!({}), "room here 1\n room in");
    caller.step(&invite("member"));
    let guest = caller.called[0].clone();
    caller.play_script(&format!("far {guest} answered\n wait 3s"));
    let at = caller.text.len();
    caller.step(&format!("far {guest} hangup NORMAL_CLEARING"));
    assert_eq!(ordered(&caller, at), ["room tone [300]"]);
    assert!(caller.text.contains("(who was invited was not let in: "), "{}", caller.text);
    caller.step("hangup NORMAL_CLEARING caller");
    let leg = &caller.record.as_ref().unwrap().legs[1];
    assert!(leg.answered.is_some() && leg.ended.is_some());
}

#[test]
fn a_moderator_invites_by_key_whom_it_types_where_there_is_room() {
    let key = "key 987654#\n room here 1\n room in\n";
    for (script, orders) in [
        ("key *7\n key 300#\n room here 2", &["beep a-leg", "call 300"][..]),
        ("key *7300\n wait 6s\n room here 2", &["beep a-leg", "call 300"]),
        ("key *7300#\n room here 3", &["beep a-leg", "beep a-leg"]),
        ("key *7\n wait 6s", &["beep a-leg", "beep a-leg"]),
        ("key *730*\n key *1", &["beep a-leg", "beep a-leg", "room Mute { who: Me, on: true }"]),
        ("key *7**#\n", &["beep a-leg", "beep a-leg", "room Leave(Me)"]),
        ("key *7AB#\n room here 1", &["beep a-leg", "call AB"]),
    ] {
        let mut caller = line("sales", &json!({}), key);
        let at = caller.text.len();
        caller.play_script(script);
        let told: Vec<_> = ordered(&caller, at)
            .into_iter()
            .map(|order| order.replace("Beep { channel: \"", "beep "))
            .map(|order| order.replace("Extension { extension: \"", ""))
            .map(|order| order.split('"').next().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(told, orders, "{script}: {}", caller.text);
    }
    // To a member it is no code.
    let caller = line("sales", &json!({}), "key 1234#\n room here 1\n room in\n key *7300");
    assert!(!caller.text.contains("beep") && caller.called.is_empty(), "{}", caller.text);
}

#[test]
fn by_key_only_the_tenants_own_phones_reach_a_number_outside() {
    let own = [("sip_authorized", "true"), ("user_name", "100")];
    let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
    for (variables, outside) in [(own.to_vec(), true), (Vec::new(), false)] {
        let arrival = Arrival { variables: variables.into_iter().collect(), ..arrival() };
        let room = program(&[("main", &room("sales", &json!({})))]);
        let mut caller = Line::with(room, arrival, Show::Moves, false);
        caller.play_script("key 987654#\n room here 1\n room in\n key *74930#\n room here 1");
        let leg = caller.called[0].clone();
        let at = caller.text.len();
        caller.step(&format!("far {leg} hangup SUBSCRIBER_ABSENT"));
        let told = ordered(&caller, at);
        if outside {
            assert!(told[0].starts_with("call Number { number: \"4930\""), "{told:?}");
        } else {
            assert_eq!(told, ["room tone [300]"]);
        }
        caller.step("hangup NORMAL_CLEARING caller");
        assert_eq!(caller.record.unwrap().legs.len(), 2, "who was never called is no leg");
    }
}

const NAME: &str = "/m/name-00000000-0000-0000-0000-00000000ca11.wav";

#[test]
fn a_name_is_said_before_and_heard_at_coming_and_going_and_then_thrown_away() {
    let step = json!({ "name_prompts": ["welcome"] });
    let script = "room here 1\n done\n recorded 1200ms\n room here 1\n room in\n room muted\n";
    for (end, after) in [
        ("hangup NORMAL_CLEARING caller", "END"),
        ("done", "start: ended -> ended"),
        ("room kicked\n done", "start: kicked -> kicked"),
        ("resume", "start: ended -> ended"),
    ] {
        let caller = line("named", &step, &format!("{script} {end}"));
        let told = &caller.text;
        let asked = told.find("! play welcome + beep").expect(told);
        let said = told.find(&format!("! record {NAME}")).expect(told);
        let joined = told.find("! join").expect(told);
        let file = format!("! room file {NAME}");
        let mut heard = told.match_indices(&file).map(|(at, _)| at);
        let (came, went) = (heard.next().expect(told), heard.next().expect(told));
        let gone =
            told.find(&format!("! Discard {{ path: \"{NAME}\", after: Millis(5000)")).expect(told);
        let after = told.rfind(after).expect(told);
        let order = [asked, said, joined, came, went, gone, after];
        assert!(order.is_sorted() && heard.next().is_none(), "{order:?}: {told}");
    }
}

#[test]
fn who_says_no_name_joins_without_one_and_nothing_is_left_of_it() {
    for (end, discards) in [
        ("recorded 100ms\n room here 1\n room in\n done", 1),
        ("hangup NORMAL_CLEARING caller", 1),
        ("done\n room locked 1", 1),
    ] {
        let caller = line("named", &json!({}), &format!("room here 1\n done\n {end}"));
        assert!(!caller.text.contains("! room file"), "{end}: {}", caller.text);
        let found = caller.text.matches("! Discard").count();
        assert_eq!(found, discards, "{end}: {}", caller.text);
    }
}
