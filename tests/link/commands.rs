//! Commands over a link, and their answers.

use callwright::base::ids::ChannelId;
use callwright::base::millis::Millis;
use callwright::esl::command::Api;
use callwright::switch::link::{Link, LinkConfig, LinkError};

use crate::peer::{CORE, Peer, soon, told};

fn channel() -> ChannelId {
    "4be9781d-c0f1-4d7a-a521-b795cb3d13f7".parse().unwrap()
}

fn hold() -> Api {
    Api::Hold { channel: channel(), on: true }
}

fn begin(link: &Link, api: Api) -> tokio::task::JoinHandle<Result<String, LinkError>> {
    let link = link.clone();
    tokio::spawn(async move { link.api(api).await })
}

#[tokio::test]
async fn each_answer_finds_its_question_in_whatever_order_they_come() {
    let peer = Peer::new().await;
    let (link, _events, mut side) = peer.up().await;
    let first = begin(&link, hold());
    let (command, first_id) = side.job().await;
    assert_eq!(command, format!("bgapi uuid_hold {}", channel()));
    let second = begin(&link, Api::Exists { channel: channel() });
    let (_, second_id) = side.job().await;
    side.finish(&second_id, "true").await;
    side.finish("7c6aa0a5-2b8f-4f43-9d3f-8d7a3f8f0e7b", "+OK of somebody else").await;
    side.finish(&first_id, "-ERR Operation failed\n").await;
    assert_eq!(soon(second).await.unwrap(), Ok("true".into()));
    let refused = soon(first).await.unwrap();
    assert_eq!(refused, Err(LinkError::Refused("Operation failed".into())));
}

#[tokio::test]
async fn an_answer_that_never_comes_is_not_waited_for_and_disturbs_nothing_later() {
    let peer = Peer::new().await;
    let (link, _events, mut side) = peer.up().await;
    let forgotten = begin(&link, hold());
    let (_, id) = side.job().await;
    let pings = tokio::spawn(async move {
        let next = side.job().await;
        (side, next)
    });
    assert_eq!(soon(forgotten).await.unwrap(), Err(LinkError::TimedOut));
    let later = begin(&link, hold());
    let (mut side, (_, later_id)) = soon(pings).await.unwrap();
    side.finish(&id, "+OK of the forgotten one\n").await;
    side.finish(&later_id, "+OK Success\n").await;
    assert_eq!(soon(later).await.unwrap(), Ok("Success".into()));
    assert_eq!(link.vitals().jobs_unanswered, 1);
}

#[tokio::test]
async fn a_command_on_its_way_when_the_link_breaks_says_so() {
    let peer = Peer::new().await;
    let (link, mut events, mut side) = peer.up().await;
    let waiting = begin(&link, hold());
    side.job().await;
    drop(side);
    assert_eq!(soon(waiting).await.unwrap(), Err(LinkError::Unconfirmed));
    assert!(told(&mut events).await.starts_with("down"));
    assert_eq!(link.api(hold()).await, Err(LinkError::Down));
    let _side = peer.accept_up(CORE).await;
}

#[tokio::test]
async fn a_thousand_commands_at_once_run_and_never_too_many_together() {
    let peer = Peer::new().await;
    let config = LinkConfig { answer: Millis(15_000), ..peer.config() };
    let (link, _events) = Link::start(&config).unwrap();
    let mut side = peer.accept_up(CORE).await;
    while !link.vitals().up {
        tokio::task::yield_now().await;
    }
    let all: Vec<_> = (0..1_000).map(|_| begin(&link, hold())).collect();
    let mut running = Vec::new();
    for _ in 0..callwright::esl::inbound::JOBS_MAX {
        running.push(side.job().await.1);
    }
    for _ in 0..1_000 - running.len() {
        let id = running.remove(0);
        side.finish(&id, "+OK\n").await;
        running.push(side.job().await.1);
    }
    for id in running {
        side.finish(&id, "+OK\n").await;
    }
    for one in all {
        assert_eq!(soon(one).await.unwrap(), Ok(String::new()));
    }
}

#[tokio::test]
async fn a_job_that_freeswitch_does_not_begin_is_refused() {
    let peer = Peer::new().await;
    let (link, _events, mut side) = peer.up().await;
    let refused = begin(&link, hold());
    side.next().await;
    side.say("Content-Type: command/reply\nReply-Text: -ERR permission denied\n\n").await;
    let reason = LinkError::Refused("permission denied".into());
    assert_eq!(soon(refused).await.unwrap(), Err(reason));
}

#[tokio::test]
async fn a_channel_is_told_whole_and_one_that_is_gone_as_none() {
    let peer = Peer::new().await;
    let (link, _events, mut side) = peer.up().await;
    let dump = |link: &Link| {
        let link = link.clone();
        tokio::spawn(async move { link.dump(&channel()).await })
    };
    let (there, gone, broken) = (dump(&link), dump(&link), dump(&link));
    let mut ids = Vec::new();
    for _ in 0..3 {
        let (command, id) = side.job().await;
        assert_eq!(command, format!("bgapi uuid_dump {} json", channel()));
        ids.push(id);
    }
    // Tasks of one thread run in the order they were made.
    side.finish(&ids[0], r#"{"Event-Name":"CHANNEL_DATA","variable_x":"a\nb: ${c}"}"#).await;
    side.finish(&ids[1], "-ERR No such channel!\n").await;
    side.finish(&ids[2], "{\"Event-Name\":").await;
    let event = soon(there).await.unwrap().unwrap().unwrap();
    assert_eq!(event.variable("x").unwrap().text(), "a\nb: ${c}");
    assert!(soon(gone).await.unwrap().unwrap().is_none());
    assert!(matches!(soon(broken).await.unwrap(), Err(LinkError::Unreadable(_))));
}

#[tokio::test]
async fn the_list_of_channels_is_read_or_said_to_be_broken() {
    let peer = Peer::new().await;
    let (link, _events, mut side) = peer.up().await;
    for (output, count) in [
        (r#"{"row_count":1,"rows":[{"uuid":"a","cid_name":"\n\nexit\n\n"}]}"#, Some(1)),
        ("{\"row_count\": 0}", Some(0)),
        ("-ERR no reply\n", None),
        (r#"{"row_count":2,"rows":[{"uuid":"a"}]}"#, None),
    ] {
        let asked = link.clone();
        let asked = tokio::spawn(async move { asked.channels().await });
        let (command, id) = side.job().await;
        assert_eq!(command, "bgapi show channels as json");
        side.finish(&id, output).await;
        assert_eq!(soon(asked).await.unwrap().ok().map(|rows| rows.len()), count, "{output}");
    }
}

#[tokio::test]
async fn a_peer_that_stops_reading_holds_up_neither_the_link_nor_its_users() {
    let peer = Peer::new().await;
    let (link, mut events, side) = peer.up().await;
    let text = "x".repeat(4_000);
    let variables = |nth: u32| Api::SetVariables {
        channel: channel(),
        variables: (0..60)
            .map(|more| {
                let name = format!("v{nth}_{more}");
                let name = callwright::esl::argument::VariableName::new(&name).unwrap();
                (name, callwright::esl::argument::VariableValue::new(&text).unwrap())
            })
            .collect(),
    };
    // More than any socket holds: 256 commands of 240 kB.
    let all: Vec<_> = (0..256).map(|nth| begin(&link, variables(nth))).collect();
    let reason = told(&mut events).await;
    assert_eq!(reason, "down: FreeSWITCH does not answer");
    for one in all {
        let error = soon(one).await.unwrap().unwrap_err();
        assert!(matches!(error, LinkError::Unconfirmed | LinkError::Down), "{error}");
    }
    drop(side);
    let _side = peer.accept_up(CORE).await;
    assert_eq!(told(&mut events).await, format!("up {CORE} true"));
}
