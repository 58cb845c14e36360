//! The events of watched channels.

use callwright::base::ids::ChannelId;
use callwright::esl::command::Api;
use callwright::switch::link::EVENTS_MAX;

use crate::peer::{CORE, Peer, channel_event, event, soon, told};

fn channel(name: &str) -> ChannelId {
    name.parse().unwrap()
}

#[tokio::test]
async fn a_channel_is_watched_before_a_later_command_runs() {
    let peer = Peer::new().await;
    let (link, _events, mut side) = peer.up().await;
    for name in ["a", "b"] {
        link.watch(channel(name)).unwrap();
    }
    link.unwatch(&channel("a"));
    let asked = link.clone();
    let dump = tokio::spawn(async move { asked.dump(&channel("b")).await });
    let mut said = Vec::new();
    loop {
        let packet = side.next().await;
        if let Some((_, id)) = packet.split_once("\nJob-UUID: ") {
            side.answer(&packet, CORE).await;
            side.finish(id, "-ERR No such channel!\n").await;
            break;
        }
        side.answer(&packet, CORE).await;
        said.push(packet);
    }
    assert_eq!(said, ["filter Unique-ID b"]);
    assert!(soon(dump).await.unwrap().unwrap().is_none());
}

#[tokio::test]
async fn watched_channels_are_restored_before_the_link_is_up_again() {
    let peer = Peer::new().await;
    let (link, mut events, side) = peer.up().await;
    for nth in 0..1_500 {
        link.watch(channel(&format!("c{nth}"))).unwrap();
    }
    drop(side);
    assert!(told(&mut events).await.starts_with("down"));
    link.unwatch(&channel("c7"));
    let mut side = peer.accept_up(CORE).await;
    for _ in 0..1_499 {
        let packet = side.next().await;
        assert!(packet.starts_with("filter Unique-ID c") && !packet.ends_with(" c7"), "{packet}");
        assert!(!link.vitals().up);
        side.answer(&packet, CORE).await;
    }
    assert_eq!(told(&mut events).await, format!("up {CORE} true"));
    side.say(&channel_event("CHANNEL_BRIDGE", "c1")).await;
    assert_eq!(told(&mut events).await, "CHANNEL_BRIDGE c1");
}

#[tokio::test]
async fn a_channel_that_is_gone_is_not_watched_any_more() {
    let peer = Peer::new().await;
    let (link, mut events, mut side) = peer.up().await;
    link.watch(channel("a")).unwrap();
    assert_eq!(side.next().await, "filter Unique-ID a");
    side.answer("filter", CORE).await;
    side.say(&channel_event("CHANNEL_HANGUP", "a")).await;
    side.say(&channel_event("CHANNEL_HANGUP_COMPLETE", "a")).await;
    assert_eq!(told(&mut events).await, "CHANNEL_HANGUP a");
    assert_eq!(told(&mut events).await, "CHANNEL_HANGUP_COMPLETE a");
    assert_eq!(side.next().await, "filter delete Unique-ID a");
    assert_eq!(link.vitals().watched, 0);
}

#[tokio::test]
async fn a_burst_that_nobody_takes_is_counted_and_holds_up_no_command() {
    const BURST: usize = 10_000;
    let peer = Peer::new().await;
    let (link, mut events, mut side) = peer.up().await;
    let burst = channel_event("CHANNEL_HOLD", "a").repeat(BURST);
    side.say(&burst).await;
    let asked = link.clone();
    let asked = tokio::spawn(async move { asked.api(Api::Exists { channel: channel("a") }).await });
    let (_, id) = side.job().await;
    side.finish(&id, "true").await;
    assert_eq!(soon(asked).await.unwrap(), Ok("true".into()));
    let vitals = link.vitals();
    assert_eq!((vitals.events, vitals.events_lost), (BURST as u64, EVENTS_MAX as u64));
    let lost = format!("Overflow {{ events: {EVENTS_MAX} }}");
    assert_eq!(told(&mut events).await, lost);
    for _ in EVENTS_MAX..BURST {
        assert_eq!(told(&mut events).await, "CHANNEL_HOLD a");
    }
    side.say(&channel_event("CHANNEL_UNHOLD", "a")).await;
    assert_eq!(told(&mut events).await, "CHANNEL_UNHOLD a");
}

#[tokio::test]
async fn missing_heartbeats_are_told_and_others_are_only_counted() {
    let peer = Peer::new().await;
    let (link, mut events, mut side) = peer.up().await;
    assert_eq!(link.vitals().heartbeat_age, None);
    for second in [20, 40, 80, 100] {
        let stamp =
            format!("Event-Date-Timestamp: {}", 1_795_364_420_000_000_u64 + second * 1_000_000);
        side.say(&event("HEARTBEAT", &stamp)).await;
    }
    assert_eq!(told(&mut events).await, "Heartbeats");
    assert!(link.vitals().heartbeat_age.is_some());
    side.say(&channel_event("CHANNEL_HOLD", "a")).await;
    assert_eq!(told(&mut events).await, "CHANNEL_HOLD a");
}

#[tokio::test]
async fn the_link_ends_with_its_last_handle() {
    let peer = Peer::new().await;
    let (link, mut events, mut side) = peer.up().await;
    let other = link.clone();
    drop(link);
    other.watch(channel("a")).unwrap();
    assert_eq!(side.next().await, "filter Unique-ID a");
    drop(other);
    assert!(side.is_closed().await);
    assert_eq!(told(&mut events).await, "end");
}
