//! Answers to requests that may be sent again.

use callwright::store::{Earlier, KeptAnswer};
use uuid::Uuid;

use crate::bench::{Bench, on_both};

async fn of_the_same_name_the_first_counts_until_it_is_old(bench: Bench) {
    let (operator, key) = (bench.store.operator(), Uuid::from_u128(1));
    let tenant = Some(bench.tenant("acme").await.id);
    let begin =
        async |key, mark: &str| operator.begin_answer(key, tenant, "k", mark).await.unwrap();
    assert_eq!(begin(key, "m").await, Earlier::None);
    let running = begin(key, "other").await;
    assert!(matches!(&running, Earlier::Some { mark, answer: None, .. } if mark == "m"));
    let answer = KeptAnswer {
        status: 201,
        headers: vec![("etag".into(), "\"x\"".into())],
        body: Some("{}".into()),
    };
    operator.end_answer(key, "k", Some(&answer)).await.unwrap();
    let again = begin(key, "m").await;
    assert!(matches!(&again, Earlier::Some { answer: Some(kept), .. } if *kept == answer));
    let another = Uuid::from_u128(2);
    assert_eq!(begin(another, "m").await, Earlier::None, "each key has names of its own");
    operator.end_answer(another, "k", None).await.unwrap();
    assert_eq!(begin(another, "m").await, Earlier::None, "what failed with us was never asked");
    bench.sql("UPDATE answered SET at_ms = at_ms - 90000000").await;
    assert_eq!(begin(key, "n").await, Earlier::None, "a day is over");
}

async fn a_tenant_that_sends_too_many_holds_up_nobody_else(bench: Bench) {
    let operator = bench.store.operator();
    let (acme, other) = (bench.tenant("acme").await.id, bench.tenant("other").await.id);
    let key = Uuid::from_u128(1);
    assert_eq!(operator.begin_answer(key, Some(acme), "0", "m").await.unwrap(), Earlier::None);
    bench
        .sql(
            "INSERT INTO answered (api_key, name, tenant, request, at_ms) \
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) \
             SELECT 'x', 'n' || i, tenant, 'm', at_ms FROM answered, n WHERE name = '0'",
        )
        .await;
    let one_more = operator.begin_answer(key, Some(acme), "1", "m").await.unwrap();
    assert_eq!(one_more, Earlier::TooMany);
    let known = operator.begin_answer(key, Some(acme), "0", "m").await.unwrap();
    assert!(matches!(known, Earlier::Some { .. }), "what is kept is answered all the same");
    for tenant in [Some(other), None] {
        let key = Uuid::from_u128(3);
        let name = format!("{tenant:?}");
        let free = operator.begin_answer(key, tenant, &name, "m").await.unwrap();
        assert_eq!(free, Earlier::None);
    }
}

on_both! {
    of_the_same_name_the_first_counts_until_it_is_old,
    a_tenant_that_sends_too_many_holds_up_nobody_else,
}
