//! Drafts and versions.

use callwright::store::{Database, StoreError};
use serde_json::json;
use sqlx::{Connection, PgConnection, SqliteConnection};

use crate::bench::{Bench, flow, name, on_both, publish, signed};

async fn a_draft_saved_on_an_old_revision_is_a_conflict(bench: Bench) {
    let scope = bench.store.tenant(bench.tenant("acme").await.id);
    let main = name("main");
    let first = scope.save_draft(&main, &flow("a"), "ada", None).await.unwrap();
    assert_eq!((first.draft_revision, first.version), (1, None));
    let again = scope.save_draft(&main, &flow("b"), "bob", None).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))));
    scope.save_draft(&main, &flow("b"), "bob", Some(1)).await.unwrap();
    match scope.save_draft(&main, &flow("c"), "ada", Some(1)).await {
        Err(StoreError::Conflict(why)) => {
            assert!(why.contains("revision 2, saved by bob"), "{why}")
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(scope.draft(&main).await.unwrap().document, flow("b"));
}

async fn a_draft_may_be_wrong_but_is_not_published_then(bench: Bench) {
    let scope = bench.store.tenant(bench.tenant("acme").await.id);
    let (main, by) = (name("main"), signed("first"));
    let wrong = json!({ "callwright": 1, "start": "a", "steps": { "a": { "kind": "sing" } } });
    scope.save_draft(&main, &wrong, "ada", None).await.unwrap();
    match scope.publish(&main, 1, &by, |_| Ok(())).await {
        Err(StoreError::Invalid(why)) => assert!(why.contains("sing"), "{why}"),
        other => panic!("{other:?}"),
    }
    scope.save_draft(&main, &flow("a"), "ada", Some(1)).await.unwrap();
    match scope.publish(&main, 2, &by, |_| Err("step `x` leads nowhere".into())).await {
        Err(StoreError::Invalid(why)) => assert!(why.contains("leads nowhere"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(scope.flow(&main).await.unwrap().version, None);
    assert!(scope.versions(&main).await.unwrap().is_empty());
}

async fn versions_are_numbered_signed_and_listed_newest_first(bench: Bench) {
    let tenant = bench.tenant("acme").await;
    let (scope, main) = (bench.store.tenant(tenant.id), name("main"));
    assert_eq!(publish(&bench.store, tenant.id, "main", "one").await, 1);
    assert_eq!(publish(&bench.store, tenant.id, "main", "two").await, 2);
    let listed = scope.versions(&main).await.unwrap();
    let heads = listed.iter().map(|head| (head.version, head.note.as_str(), head.author.as_str()));
    assert_eq!(heads.collect::<Vec<_>>(), vec![(2, "two", "ada"), (1, "one", "ada")]);
    assert_eq!(scope.version(&main, 1).await.unwrap().document, flow("one"));
    assert!(matches!(scope.version(&main, 3).await, Err(StoreError::NotFound { .. })));
}

async fn publishing_what_somebody_else_changed_is_a_conflict(bench: Bench) {
    let scope = bench.store.tenant(bench.tenant("acme").await.id);
    let main = name("main");
    scope.save_draft(&main, &flow("a"), "ada", None).await.unwrap();
    scope.save_draft(&main, &flow("b"), "bob", Some(1)).await.unwrap();
    let refused = scope.publish(&main, 1, &signed("a"), |_| panic!("not even looked at")).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))));
    assert_eq!(scope.flow(&main).await.unwrap().version, None);
}

async fn a_rollback_is_a_new_version_and_leaves_the_draft(bench: Bench) {
    let tenant = bench.tenant("acme").await;
    let (scope, main) = (bench.store.tenant(tenant.id), name("main"));
    publish(&bench.store, tenant.id, "main", "good").await;
    publish(&bench.store, tenant.id, "main", "bad").await;
    let back = scope.rollback(&main, 1, &signed("back"), |_| Ok(())).await.unwrap();
    assert_eq!((back.version, back.copy_of, back.note.as_str()), (3, Some(1), "back"));
    assert_eq!(scope.version(&main, 3).await.unwrap().document, flow("good"));
    assert_eq!(scope.draft(&main).await.unwrap().document, flow("bad"));
    assert_eq!(scope.flow(&main).await.unwrap().version, Some(3));
    let refused = scope.rollback(&main, 9, &signed("back"), |_| Ok(())).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })));
}

async fn many_who_publish_at_once_get_versions_of_their_own(bench: Bench) {
    let scope = bench.store.tenant(bench.tenant("acme").await.id);
    let main = name("main");
    scope.save_draft(&main, &flow("a"), "ada", None).await.unwrap();
    let all = (0..8).map(|number| {
        let (scope, main, by) = (scope.clone(), main.clone(), signed(&number.to_string()));
        tokio::spawn(async move { scope.publish(&main, 1, &by, |_| Ok(())).await })
    });
    let mut numbers = Vec::new();
    for publishing in all.collect::<Vec<_>>() {
        numbers.push(publishing.await.unwrap().unwrap().version);
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=8).collect::<Vec<_>>());
}

async fn nobody_changes_a_published_version_not_even_by_sql(bench: Bench) {
    let tenant = bench.tenant("acme").await;
    publish(&bench.store, tenant.id, "main", "one").await;
    const CHANGE: &str = "UPDATE flow_version SET document = '{}'";
    let refused = match &bench.config.database {
        Database::Sqlite(path) => {
            let url = format!("sqlite:{}", path.display());
            let mut connection = SqliteConnection::connect(&url).await.unwrap();
            sqlx::query(CHANGE).execute(&mut connection).await.map(drop)
        }
        Database::Postgres(url) => {
            let mut connection = PgConnection::connect(url.reveal()).await.unwrap();
            sqlx::query(CHANGE).execute(&mut connection).await.map(drop)
        }
    };
    assert!(refused.unwrap_err().to_string().contains("never changes"));
}

async fn an_author_must_sign_and_a_document_has_a_limit(bench: Bench) {
    let scope = bench.store.tenant(bench.tenant("acme").await.id);
    let unsigned = scope.save_draft(&name("main"), &flow("a"), " ", None).await;
    assert!(matches!(unsigned, Err(StoreError::Invalid(_))));
    let huge = json!("x".repeat(1_100_000));
    let refused = scope.save_draft(&name("main"), &huge, "ada", None).await;
    assert!(matches!(refused, Err(StoreError::Invalid(_))));
}

on_both!(
    a_draft_saved_on_an_old_revision_is_a_conflict,
    a_draft_may_be_wrong_but_is_not_published_then,
    versions_are_numbered_signed_and_listed_newest_first,
    publishing_what_somebody_else_changed_is_a_conflict,
    a_rollback_is_a_new_version_and_leaves_the_draft,
    many_who_publish_at_once_get_versions_of_their_own,
    nobody_changes_a_published_version_not_even_by_sql,
    an_author_must_sign_and_a_document_has_a_limit,
);
