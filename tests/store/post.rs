//! Letters between processes.

use callwright::store::{Letter, Post, StoreError};

use crate::bench::{Bench, eventually, instance_id};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_reaches_the_process_that_it_is_for_and_no_other() {
    let Some(bench) = Bench::postgres().await else { return };
    let elsewhere = bench.another_store().await;
    let (one, two) = (instance_id(), instance_id());
    let (from_one, mut to_one) = Post::start(&bench.store, one).unwrap();
    let (from_two, mut to_two) = Post::start(&elsewhere, two).unwrap();
    // Letters that are sent before the other listens are lost: knock until it opens.
    eventually("both listen", async || {
        from_one.send(two, "knock").await.unwrap();
        from_two.send(one, "knock").await.unwrap();
        let both = async { (to_one.next().await, to_two.next().await) };
        tokio::time::timeout(std::time::Duration::from_millis(200), both).await.is_ok()
    })
    .await;
    let long = "ü'\\ \n".repeat(1_000);
    from_one.send(two, &long).await.unwrap();
    from_one.send(two, "second").await.unwrap();
    let mut texts = Vec::new();
    while texts.last().is_none_or(|text| text != "second") {
        let Letter { from, text } = to_two.next().await.unwrap();
        assert_eq!(from, one);
        texts.push(text);
    }
    texts.retain(|text| text != "knock");
    assert_eq!(texts, [long.as_str(), "second"]);
    let refused = from_one.send(two, &"x".repeat(8_000)).await;
    assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
}

#[tokio::test]
async fn on_sqlite_there_is_no_post_and_the_reason_is_said() {
    let bench = Bench::sqlite().await;
    match Post::start(&bench.store, instance_id()) {
        Err(StoreError::Invalid(why)) => assert!(why.contains("one node"), "{why}"),
        other => panic!("{other:?}"),
    }
}
