//! Records and timelines, from the hand of a call to the database.

use std::collections::BTreeSet;
use std::time::Duration;

use callwright::model::timeline::What;
use callwright::store::{CallFilter, Config, Recorder, Settled};

use crate::bench::{Bench, call_id, entry, eventually, on_both, record, spooled};

const SOON: Duration = Duration::from_secs(10);

async fn a_call_is_read_back_as_it_was_written(bench: Bench) {
    let tenant = bench.tenant("acme").await.id;
    let recorder = Recorder::start(&bench.store, &bench.config).unwrap();
    let call = call_id();
    let hostile = "\u{0} \r\n ' \" \\ \u{1f4de} 'x'); DROP TABLE tenant; --";
    recorder.note(tenant, call, entry(1, hostile));
    recorder.note(tenant, call, entry(2, "second"));
    assert_eq!(recorder.settle(SOON).await, Settled::Written);
    let scope = bench.store.tenant(tenant);
    assert_eq!(scope.timeline(call).await.unwrap().len(), 2, "a running call can be read");
    recorder.note(tenant, call, entry(3, "third"));
    recorder.record(record(tenant, call, 5));
    assert_eq!(recorder.settle(SOON).await, Settled::Written);
    assert_eq!(scope.call(call).await.unwrap(), *record(tenant, call, 5));
    let timeline = scope.timeline(call).await.unwrap();
    let numbers: Vec<_> = timeline.iter().map(|entry| entry.sequence).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(timeline[0].what, What::Noticed { text: hostile.into(), sign: None });
    assert_eq!(recorder.lost(), callwright::store::Lost::default());
}

async fn calls_are_listed_newest_first_page_by_page(bench: Bench) {
    let tenant = bench.tenant("acme").await.id;
    let recorder = Recorder::start(&bench.store, &bench.config).unwrap();
    for second in 0..25 {
        // Five begin in the same millisecond each time.
        recorder.record(record(tenant, call_id(), second / 5));
    }
    assert_eq!(recorder.settle(SOON).await, Settled::Written);
    let scope = bench.store.tenant(tenant);
    let (mut seen, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = scope.calls(&CallFilter::default(), after, 7).await.unwrap();
        pages += 1;
        seen.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((seen.len(), pages), (25, 4));
    assert!(seen.is_sorted_by(|one, two| one.started >= two.started));
    assert_eq!(seen.iter().map(|head| head.call).collect::<BTreeSet<_>>().len(), 25);
}

async fn what_an_earlier_process_spooled_is_written_and_only_once(bench: Bench) {
    let tenant = bench.tenant("acme").await.id;
    let (first, second) = (call_id(), call_id());
    let recorder = Recorder::start(&bench.store, &bench.config).unwrap();
    recorder.record(record(tenant, first, 1));
    recorder.note(tenant, first, entry(1, "one"));
    assert_eq!(recorder.settle(SOON).await, Settled::Written);
    // A stretch of its own, which the next process reads together with the first.
    recorder.note(tenant, first, entry(2, "two"));
    assert_eq!(recorder.settle(SOON).await, Settled::Written);
    // As if the process had died before it removed the segment, after a disk that failed made it
    // write some lines again, and in the middle of one.
    let elsewhere = Config { spool: bench.folder.path().join("after"), ..bench.config.clone() };
    std::fs::create_dir(&elsewhere.spool).unwrap();
    let segments = spooled(&bench.config.spool);
    let mut lines = std::fs::read(&segments[0]).unwrap();
    let half = lines[..lines.len() / 3].to_vec();
    lines.extend(half);
    std::fs::write(elsewhere.spool.join("000000000041.spool"), lines).unwrap();

    let again = Recorder::start(&bench.store, &elsewhere).unwrap();
    again.record(record(tenant, second, 2));
    assert_eq!(again.settle(SOON).await, Settled::Written);
    assert_eq!(again.lost().unreadable, 1);
    let scope = bench.store.tenant(tenant);
    assert_eq!(scope.calls(&CallFilter::default(), None, 10).await.unwrap().items.len(), 2);
    let timeline = scope.timeline(first).await.unwrap();
    assert_eq!(timeline, [*entry(1, "one"), *entry(2, "two")]);
    assert!(!elsewhere.spool.join("000000000041.spool").exists(), "what is written is removed");
}

async fn two_processes_share_a_directory_and_the_one_left_takes_over(bench: Bench) {
    let tenant = bench.tenant("acme").await.id;
    let old = Recorder::start(&bench.store, &bench.config).unwrap();
    let new = Recorder::start(&bench.store, &bench.config).unwrap();
    for _ in 0..50 {
        old.record(record(tenant, call_id(), 1));
        new.record(record(tenant, call_id(), 2));
    }
    // Whatever the old one has on disk only, the new one finds there.
    drop(old);
    let count = async || {
        assert_eq!(new.settle(SOON).await, Settled::Written);
        bench
            .store
            .tenant(tenant)
            .calls(&CallFilter::default(), None, 500)
            .await
            .unwrap()
            .items
            .len()
    };
    eventually("all records", async || count().await == 100).await;
    let lives = async || {
        let folders = std::fs::read_dir(&bench.config.spool).unwrap();
        folders.filter(|entry| entry.as_ref().unwrap().path().is_dir()).count()
    };
    eventually("only the directory of the living is left", async || lives().await == 1).await;
}

on_both!(
    a_call_is_read_back_as_it_was_written,
    calls_are_listed_newest_first_page_by_page,
    what_an_earlier_process_spooled_is_written_and_only_once,
    two_processes_share_a_directory_and_the_one_left_takes_over,
);
