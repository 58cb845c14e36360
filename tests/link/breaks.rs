//! Connections that do not come up, or do not last.

use callwright::base::masked::Masked;
use callwright::switch::link::{Link, LinkConfig, LinkError};

use crate::peer::{CORE, GREETING, OTHER_CORE, Peer, event, told};

const GOODBYE: &str = "Content-Type: text/disconnect-notice\nContent-Length: 8\n\nGoodbye.";

#[tokio::test]
async fn the_filters_stand_before_the_first_event_is_asked_for() {
    let peer = Peer::new().await;
    let config =
        LinkConfig { password: Some(Masked::new("it's a: secret".into())), ..peer.config() };
    let (_link, mut events) = Link::start(&config).unwrap();
    let side = peer.accept_up(CORE).await;
    let said: Vec<&str> = side.seen.iter().map(|packet| &packet[..packet.len().min(28)]).collect();
    assert_eq!(said[..2], ["auth it's a: secret", "filter Event-Name HEARTBEAT"]);
    assert_eq!(said[2], "filter Event-Name CHANNEL_HO");
    assert_eq!(said[3], "filter Event-Name CHANNEL_UN");
    assert!(side.seen[4].starts_with("filter Job-UUID /^j"), "{}", side.seen[4]);
    assert_eq!(said[5], "filter Event-Subclass /^sofi");
    assert_eq!(said[6], "event plain HEARTBEAT BACKGR");
    assert_eq!(said[7], "event plain CUSTOM sofia::ga");
    assert_eq!(told(&mut events).await, format!("up {CORE} true"));
}

#[tokio::test]
async fn a_wrong_password_is_told_as_such_and_tried_again() {
    let peer = Peer::new().await;
    let (_link, mut events) = peer.link();
    for _ in 0..2 {
        let mut side = peer.accept().await;
        side.say(GREETING).await;
        assert_eq!(side.packet().await, "auth ClueCon");
        side.say("Content-Type: command/reply\nReply-Text: -ERR invalid\n\n").await;
        side.say(GOODBYE).await;
    }
    let _side = peer.accept_up(CORE).await;
    assert_eq!(told(&mut events).await, "down: FreeSWITCH does not take the password: invalid");
    assert_eq!(told(&mut events).await, format!("up {CORE} true"));
}

#[tokio::test]
async fn a_rude_rejection_is_told_with_its_words() {
    let peer = Peer::new().await;
    let (_link, mut events) = peer.link();
    let mut side = peer.accept().await;
    side.say("Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n")
        .await;
    let reason = "FreeSWITCH does not take connections from here: Access Denied, go away.";
    assert_eq!(told(&mut events).await, format!("down: {reason}"));
}

#[tokio::test]
async fn what_a_restricted_user_may_not_do_is_told() {
    let peer = Peer::new().await;
    let (_link, mut events) = peer.link();
    let mut side = peer.accept().await;
    side.say(GREETING).await;
    loop {
        let packet = side.packet().await;
        if packet.starts_with("event ") {
            break;
        }
        side.answer(&packet, CORE).await;
    }
    side.say("Content-Type: command/reply\nReply-Text: -ERR permission denied\n\n").await;
    let reason = "FreeSWITCH refuses what a link needs: permission denied";
    assert_eq!(told(&mut events).await, format!("down: {reason}"));
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_given_up() {
    let peer = Peer::new().await;
    let (link, mut events) = peer.link();
    let mut silent = peer.accept().await;
    assert_eq!(told(&mut events).await, "down: FreeSWITCH is not ready in time");
    assert!(silent.is_closed().await);
    let _side = peer.accept_up(CORE).await;
    assert_eq!(told(&mut events).await, format!("up {CORE} true"));
    assert!(link.vitals().up && link.vitals().attempts >= 2);
}

#[tokio::test]
async fn a_peer_that_sends_byte_by_byte_is_understood() {
    let peer = Peer::new().await;
    let (_link, mut events) = peer.link();
    let mut side = peer.accept().await;
    let ok = "Content-Type: command/reply\nReply-Text: +OK\n\n";
    let core = format!("Content-Type: api/response\nContent-Length: 36\n\n{CORE}");
    let all =
        [GREETING, ok, ok, ok, ok, ok, ok, ok, ok, &core, &event("HEARTBEAT", "Event-Sequence: 1")]
            .concat();
    // The answers are valid only behind their commands.
    for byte in GREETING.chars() {
        side.say(&byte.to_string()).await;
    }
    side.packet().await;
    side.say(ok).await;
    for _ in 0..8 {
        side.packet().await;
    }
    for byte in all[GREETING.len() + ok.len()..].chars() {
        side.say(&byte.to_string()).await;
    }
    assert_eq!(told(&mut events).await, format!("up {CORE} true"));
}

#[tokio::test]
async fn a_connection_cut_inside_a_line_is_made_anew() {
    let peer = Peer::new().await;
    let (_link, mut events, mut side) = peer.up().await;
    side.say("Content-Type: text/ev").await;
    drop(side);
    assert_eq!(told(&mut events).await, "down: the connection was closed inside a frame");
    let _side = peer.accept_up(CORE).await;
    assert_eq!(told(&mut events).await, format!("up {CORE} true"));
}

#[tokio::test]
async fn a_goodbye_is_told_from_a_restart() {
    let peer = Peer::new().await;
    let (link, mut events, mut side) = peer.up().await;
    side.say(GOODBYE).await;
    assert_eq!(told(&mut events).await, "down: FreeSWITCH said goodbye");
    let mut side = peer.accept_up(CORE).await;
    assert_eq!(told(&mut events).await, format!("up {CORE} true"));
    side.say(GOODBYE).await;
    assert_eq!(told(&mut events).await, "down: FreeSWITCH said goodbye");
    let _side = peer.accept_up(OTHER_CORE).await;
    assert_eq!(told(&mut events).await, format!("up {OTHER_CORE} false"));
    assert_eq!(link.vitals().reconnects, 2);
}

#[tokio::test]
async fn another_freeswitch_behind_the_same_address_is_noticed() {
    let peer = Peer::new().await;
    let (_link, mut events, mut side) = peer.up().await;
    let ping = side.packet().await;
    side.answer(&ping, OTHER_CORE).await;
    let reason = "another FreeSWITCH answers on the same connection";
    assert_eq!(told(&mut events).await, format!("down: {reason}"));
}

#[tokio::test]
async fn a_peer_that_stops_answering_is_cut_off() {
    let peer = Peer::new().await;
    let (link, mut events, mut side) = peer.up().await;
    while side.packet().await.is_empty() {}
    assert_eq!(told(&mut events).await, "down: FreeSWITCH does not answer");
    assert!(side.is_closed().await);
    assert!(!link.vitals().up);
    let _side = peer.accept_up(CORE).await;
    assert_eq!(told(&mut events).await, format!("up {CORE} true"));
    let round_trip = link.vitals().round_trip.unwrap();
    assert!(round_trip.as_millis() < 400, "{round_trip:?}");
}

#[tokio::test]
async fn a_frame_that_is_too_large_ends_the_connection_and_not_the_link() {
    let peer = Peer::new().await;
    let (_link, mut events, mut side) = peer.up().await;
    side.say("Content-Type: api/response\nContent-Length: 99999999999\n\n").await;
    let reason = told(&mut events).await;
    assert!(reason.contains("99999999999 bytes, which is too many"), "{reason}");
    let _side = peer.accept_up(CORE).await;
    assert_eq!(told(&mut events).await, format!("up {CORE} true"));
}

#[tokio::test]
async fn nobody_there_is_told_once_and_commands_are_refused_at_once() {
    let peer = Peer::new().await;
    let config = peer.config();
    drop(peer);
    let (link, mut events) = Link::start(&config).unwrap();
    let reason = told(&mut events).await;
    assert!(reason.starts_with(&format!("down: can't connect to {}", config.address)), "{reason}");
    assert_eq!(link.channels().await, Err(LinkError::Down));
    while link.vitals().attempts < 3 {
        tokio::task::yield_now().await;
    }
    drop(link);
    assert_eq!(told(&mut events).await, "end");
}
