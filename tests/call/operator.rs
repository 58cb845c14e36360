//! What operators do with calls that are up.

use serde_json::{Value, json};

use super::support::check;

fn dial() -> Value {
    json!({ "start": { "kind": "dial",
        "targets": [{ "extension": "200", "timeout": "20s" }], "next": "bye" },
        "bye": { "kind": "hangup" } })
}

fn menu() -> Value {
    json!({ "start": { "kind": "answer", "next": "listen" },
        "listen": { "kind": "play", "prompts": ["welcome"], "next": "listen" } })
}

#[test]
fn a_caller_is_held_only_in_a_conversation_and_only_once() {
    check(
        &dial(),
        "command {\"hold\":{\"on\":true}}\n bridged\n command {\"hold\":{\"on\":true}}
         command {\"hold\":{\"on\":true}}\n command {\"hold\":{\"on\":false}}
         command {\"hold\":{\"on\":true}}\n unbridged\n bridged
         command {\"hold\":{\"on\":false}}",
        r#"
        0.000 ! dial 200@t.example +0s 20s
        0.000 < command {"hold":{"on":true}}
        0.000 (what an operator asked for is not done: only a conversation can be held)
        0.000 < bridged
        0.000 < command {"hold":{"on":true}}
        0.000 (an operator puts the caller on hold)
        0.000 ! hold a-leg against b-leg
        0.000 < command {"hold":{"on":true}}
        0.000 (what an operator asked for is not done: the caller is on hold already)
        0.000 < command {"hold":{"on":false}}
        0.000 (an operator takes the caller back from hold)
        0.000 ! free a-leg against b-leg
        0.000 < command {"hold":{"on":true}}
        0.000 (an operator puts the caller on hold)
        0.000 ! hold a-leg against b-leg
        0.000 < unbridged
        0.000 ! free a-leg against b-leg
        0.000 < bridged
        0.000 < command {"hold":{"on":false}}
        0.000 (what an operator asked for is not done: the caller is not on hold)
        "#,
    );
}

#[test]
fn the_timeline_names_who_gave_a_command() {
    check(
        &dial(),
        "bridged\n by key backend {\"hold\":{\"on\":true}}
         by key other {\"hold\":{\"on\":true}}
         by token of user anna by key backend {\"hangup\":{\"cause\":\"NORMAL_CLEARING\"}}
         hangup NORMAL_CLEARING switch",
        r#"
        0.000 ! dial 200@t.example +0s 20s
        0.000 < bridged
        0.000 < by key backend {"hold":{"on":true}}
        0.000 (key backend puts the caller on hold)
        0.000 ! hold a-leg against b-leg
        0.000 < by key other {"hold":{"on":true}}
        0.000 (what key other asked for is not done: the caller is on hold already)
        0.000 < by token of user anna by key backend {"hangup":{"cause":"NORMAL_CLEARING"}}
        0.000 (token of user anna by key backend asks to hang up: NORMAL_CLEARING)
        0.000 ! Hangup(NormalClearing)
        0.000 < hangup NORMAL_CLEARING switch
        0.000 ! free a-leg against b-leg
        0.000 END Operator NORMAL_CLEARING: token of user anna by key backend ended the call
        "#,
    );
}

#[test]
fn a_call_leaves_for_the_contexts_of_its_tenant_only() {
    check(
        &menu(),
        "answered\n done\n command {\"transfer\":{\"extension\":\"20 0\"}}
         command {\"transfer\":{\"extension\":\"200\",\"context\":\"others\"}}
         command {\"record\":{\"action\":\"start\"}}\n wait 1s
         command {\"transfer\":{\"extension\":\"200\",\"context\":\"other\"}}
         command {\"hold\":{\"on\":true}}\n lost the connection ended",
        r#"
        0.000 ! Answer
        0.000 < answered
        0.000 < done
        0.000 start: next -> listen
        0.000 ! play welcome
        0.000 < command {"transfer":{"extension":"20 0"}}
        0.000 (what an operator asked for is not done: that is no extension)
        0.000 < command {"transfer":{"extension":"200","context":"others"}}
        0.000 (an operator asks to transfer the call to 200)
        0.000 (what an operator asked for is not done: the tenant may not transfer to others)
        0.000 < command {"record":{"action":"start"}}
        0.000 (an operator asks for the recording: start)
        0.000 ! Start { stereo: true, limit: Millis(14400000) } 00009e37b3a0.wav
        0.000 RECORDING running 0 ms
        0.000 < wait 1s
        1.000 < command {"transfer":{"extension":"200","context":"other"}}
        1.000 (an operator asks to transfer the call to 200)
        1.000 ! Stop 00009e37b3a0.wav
        1.000 ! Transfer { extension: "200", context: "other" }
        1.000 < command {"hold":{"on":true}}
        1.000 (what an operator asked for is not done: the call is about to end)
        1.000 < lost the connection ended
        1.000 (the link to the switch is lost: the connection ended)
        1.000 RECORDING pending 1000 ms
        1.000 END Operator BLIND_TRANSFER: an operator transferred the call to 200 in other
        "#,
    );
}

#[test]
fn a_transfer_that_is_not_confirmed_ends_the_call_for_us() {
    check(
        &menu(),
        "answered\n done\n command {\"transfer\":{\"extension\":\"200\"}}\n wait 10s",
        r#"
        0.000 ! Answer
        0.000 < answered
        0.000 < done
        0.000 start: next -> listen
        0.000 ! play welcome
        0.000 < command {"transfer":{"extension":"200"}}
        0.000 (an operator asks to transfer the call to 200)
        0.000 ! Transfer { extension: "200", context: "default" }
        0.000 < wait 10s
        5.000 GUARD the switch did not let go of the call in time
        5.000 END Operator BLIND_TRANSFER: an operator transferred the call to 200 in default
        "#,
    );
}

#[test]
fn a_transfer_that_is_refused_leaves_the_call_as_it_is() {
    check(
        &menu(),
        "answered\n done\n command {\"transfer\":{\"extension\":\"200\"}}\n lost-done
         refused there is no such context\n wait 6s\n hangup NORMAL_CLEARING caller",
        r#"
        0.000 ! Answer
        0.000 < answered
        0.000 < done
        0.000 start: next -> listen
        0.000 ! play welcome
        0.000 < command {"transfer":{"extension":"200"}}
        0.000 (an operator asks to transfer the call to 200)
        0.000 ! Transfer { extension: "200", context: "default" }
        0.000 < lost-done
        0.000 < refused there is no such context
        0.000 < wait 6s
        6.000 < hangup NORMAL_CLEARING caller
        6.000 END Caller NORMAL_CLEARING: the caller hung up
        "#,
    );
}
