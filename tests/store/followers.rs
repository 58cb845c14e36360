//! Followers that come back, far behind or all at once: what is in memory is told without a
//! question to the database, and nothing is told that does not follow on what was told before.

use std::time::Duration;

use callwright::store::{Followed, Follower, TenantScope, Untold};

use crate::bench::{Bench, eventually, on_both};

const SOON: Duration = Duration::from_secs(10);

/// Events 1 to 5,000 of the only tenant.
const MANY: &str = "INSERT INTO event (tenant, sequence, source, told_ms, body) \
     WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) \
     SELECT id, i, 'event ' || i, 0, '{\"type\":\"call.answered\"}' FROM n, tenant";
const SOME_MORE: &str = "INSERT INTO event (tenant, sequence, source, told_ms, body) \
     SELECT tenant, sequence + 5000, source || ' again', told_ms, body FROM event \
     WHERE sequence <= 300";
const HIDE: &str = "ALTER TABLE event RENAME TO hidden";
const SHOW: &str = "ALTER TABLE hidden RENAME TO event";

/// A tenant that was told much before anybody followed, and 300 events since: a follower that has
/// all of them, and who else may follow.
async fn much(bench: &Bench) -> (TenantScope, Followed, Follower) {
    let scope = bench.store.tenant(bench.tenant("acme").await.id);
    bench.sql(MANY).await;
    bench.sql("INSERT INTO event_counter SELECT id, 5000, 0 FROM tenant").await;
    let followed = Followed::start(bench.store.clone());
    let mut early = followed.follow(scope.clone(), 0).await.unwrap();
    is_told(&mut early, 1..=5_000).await;
    bench.sql(SOME_MORE).await;
    bench.sql("UPDATE event_counter SET last = 5300").await;
    is_told(&mut early, 5_001..=5_300).await;
    (scope, followed, early)
}

async fn next(follower: &mut Follower) -> Result<Vec<u64>, Untold> {
    let batch = tokio::time::timeout(SOON, follower.next()).await.expect("something is told")?;
    Ok(batch.into_iter().map(|(sequence, _)| sequence).collect())
}

/// It is told these and, as yet, nothing behind them.
async fn is_told(follower: &mut Follower, all: std::ops::RangeInclusive<u64>) {
    let mut told = Vec::new();
    while told.last() != Some(all.end()) {
        told.extend(next(follower).await.unwrap());
    }
    assert_eq!(told, all.collect::<Vec<_>>());
}

async fn who_comes_back_is_told_what_is_in_memory_without_a_database(bench: Bench) {
    let (scope, followed, _early) = much(&bench).await;
    bench.sql(HIDE).await;
    let mut near = followed.follow(scope.clone(), 5_100).await.unwrap();
    is_told(&mut near, 5_101..=5_300).await;
    // The early one was that far behind, too.
    let mut far = followed.follow(scope.clone(), 10).await.unwrap();
    is_told(&mut far, 11..=4_864).await;
    assert!(matches!(next(&mut far).await.unwrap_err(), Untold::Store(_)));
    let between = followed.follow(scope.clone(), 4_900).await;
    assert!(matches!(between.unwrap_err(), Untold::Store(_)));
    for never in [5_301, u64::MAX] {
        assert!(matches!(followed.follow(scope.clone(), never).await, Err(Untold::Store(_))));
    }
    bench.sql(SHOW).await;
    is_told(&mut far, 4_865..=5_300).await;
    for never in [5_301, u64::MAX] {
        let ahead = followed.follow(scope.clone(), never).await.unwrap_err();
        assert!(matches!(ahead, Untold::Ahead { last: 5_300 }), "{ahead:?}");
    }
}

async fn nobody_is_led_over_what_was_forgotten_meanwhile(bench: Bench) {
    let (scope, followed, mut early) = much(&bench).await;
    bench.sql("UPDATE event SET sequence = sequence + 200 WHERE sequence > 5200").await;
    bench.sql("UPDATE event_counter SET last = 5500, pruned = 5400").await;
    let gone = next(&mut early).await.unwrap_err();
    assert!(matches!(gone, Untold::Gone { kept_after: 5_400 }), "{gone:?}");
    let gone = followed.follow(scope.clone(), 5_250).await.unwrap_err();
    assert!(matches!(gone, Untold::Gone { .. }), "{gone:?}");
    let mut anew = followed.follow(scope, 5_400).await.unwrap();
    is_told(&mut anew, 5_401..=5_500).await;
}

async fn an_earlier_state_of_the_database_is_not_mixed_with_a_later_one(bench: Bench) {
    let (scope, followed, mut early) = much(&bench).await;
    bench.sql("DELETE FROM event WHERE sequence > 300").await;
    bench.sql("UPDATE event SET body = '{\"type\":\"call.ended\"}'").await;
    bench.sql("UPDATE event_counter SET last = 300").await;
    let undone = next(&mut early).await.unwrap_err();
    assert!(matches!(undone, Untold::Ahead { last: 300 }), "{undone:?}");
    eventually("what was undone is told to nobody", async || {
        matches!(followed.follow(scope.clone(), 5_300).await, Err(Untold::Ahead { last: 300 }))
    })
    .await;
    let mut anew = followed.follow(scope, 0).await.unwrap();
    let batch = anew.next().await.unwrap();
    assert!(batch[0].1.contains("call.ended"), "{}", batch[0].1);
}

on_both!(
    who_comes_back_is_told_what_is_in_memory_without_a_database,
    nobody_is_led_over_what_was_forgotten_meanwhile,
    an_earlier_state_of_the_database_is_not_mixed_with_a_later_one,
);
