//! A link to a real FreeSWITCH, of its own: it is killed and started again.

use std::time::{Duration, Instant};

use callwright::base::ids::ChannelId;
use callwright::base::masked::Masked;
use callwright::esl::argument::FilePath;
use callwright::esl::channels::ChannelRow;
use callwright::esl::command::{Api, Recording};
use callwright::esl::event::EventName;
use callwright::switch::link::{Link, LinkConfig, LinkError, LinkEvent, LinkEvents};

use crate::switch::{PASSWORD, Switch};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Channels that are watched besides, to see what that costs.
const OTHERS: u32 = 1_000;

async fn next(events: &mut LinkEvents) -> LinkEvent {
    tokio::time::timeout(PATIENCE, events.next()).await.expect("an event").expect("a link")
}

/// Hears events up to that of this name; none may be of another channel.
async fn hears(events: &mut LinkEvents, name: EventName, channel: &ChannelId) {
    loop {
        let LinkEvent::Channel(event) = next(events).await else { panic!("no {}", name.name()) };
        assert_eq!(event.unique_id().as_ref(), Some(channel));
        if event.name() == name {
            return;
        }
    }
}

/// Calls a phone that answers, from a leg of this identity.
async fn call(switch: &Switch, link: &Link, uuid: &str, name: &str) -> ChannelId {
    let to = format!("sofia/phones/2003@127.0.0.1:{}", switch.ports.phones);
    let variables = format!("origination_uuid={uuid},origination_caller_id_name='{name}'");
    switch.begin(&format!("originate {{{variables}}}{to} &park()"));
    let began = Instant::now();
    let is_parked = |row: &ChannelRow| row.channel.as_str() == uuid && row.application == "park";
    loop {
        let rows = link.channels().await.unwrap();
        if let Some(row) = rows.iter().find(|row| is_parked(row)) {
            assert!(!row.inbound && row.created > 0 && row.call_state == "ACTIVE", "{row:?}");
            return row.channel.clone();
        }
        assert!(began.elapsed() < PATIENCE, "{rows:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_commands_calls_hears_of_the_watched_one_and_outlives_freeswitch() {
    let Ok(prefix) = std::env::var("FREESWITCH_PREFIX") else {
        println!("\n  *** NOT RUN: set FREESWITCH_PREFIX to link to a real FreeSWITCH ***\n");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut switch = Switch::start(&prefix, folder.path());
    let config = LinkConfig {
        address: format!("127.0.0.1:{}", switch.ports.event),
        password: Some(Masked::new(PASSWORD.to_owned())),
        ..LinkConfig::default()
    };
    let (link, mut events) = Link::start(&config).unwrap();
    let LinkEvent::Up { core, same_core: true } = next(&mut events).await else {
        panic!("no link")
    };

    let watched =
        call(&switch, &link, "00000000-0000-4000-8000-00000000aaaa", "Zo\u{eb} {x}").await;
    let other = call(&switch, &link, "00000000-0000-4000-8000-00000000bbbb", "Bob").await;
    link.watch(watched.clone()).unwrap();
    let dump = link.dump(&watched).await.unwrap().unwrap();
    assert_eq!(dump.unique_id().as_ref(), Some(&watched));
    assert!(dump.variable("sip_call_id").is_some());

    let path = FilePath::new(&folder.path().join("talk.wav").display().to_string()).unwrap();
    for channel in [&other, &watched] {
        let channel = channel.clone();
        let start = Recording::Start { stereo: true, limit_s: 60 };
        for change in [start, Recording::Mask, Recording::Pause, Recording::Stop] {
            let api = Api::Record { channel: channel.clone(), change, path: path.clone() };
            assert_eq!(link.api(api).await.unwrap(), "Success");
            // Until there is sound to write, a recording that is stopped never began.
            if channel == watched && change == start {
                hears(&mut events, EventName::RecordStart, &watched).await;
            }
        }
        let park = link.api(Api::Park { channel }).await;
        assert!(park.is_ok(), "{park:?}");
    }
    hears(&mut events, EventName::RecordStop, &watched).await;

    switch.api(&format!("uuid_kill {other} USER_BUSY"));
    switch.api(&format!("uuid_kill {watched} CALL_REJECTED"));
    hears(&mut events, EventName::ChannelHangup, &watched).await;
    hears(&mut events, EventName::ChannelHangupComplete, &watched).await;
    assert!(link.dump(&watched).await.unwrap().is_none());
    let gone = link.api(Api::Record { channel: other, change: Recording::Mask, path }).await;
    assert_eq!(gone, Err(LinkError::Refused("Cannot locate session!".into())));
    assert_eq!(link.vitals().watched, 0);

    for nth in 0..OTHERS {
        link.watch(format!("other-{nth}").parse().unwrap()).unwrap();
    }
    link.channels().await.unwrap();
    let killed = Instant::now();
    let restarting = tokio::task::spawn_blocking(move || {
        switch.restart(&prefix);
        (switch, Instant::now())
    });
    let LinkEvent::Down { reason, .. } = next(&mut events).await else { panic!("still up") };
    println!("link: down after {:?}: {reason}", killed.elapsed());
    let LinkEvent::Up { core: new, same_core } = next(&mut events).await else { panic!("not up") };
    let up = Instant::now();
    assert!(!same_core && new != core);
    let (_switch, ready) = restarting.await.unwrap();
    println!("link: up {:?} after the kill, profiles {:?}", up - killed, ready - killed);
    println!("link: {:?}", link.vitals());
    assert_eq!(link.vitals().watched, OTHERS as usize);
}
