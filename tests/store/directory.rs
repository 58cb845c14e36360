//! Routing: what is published is found, without a restart and without asking the database for each
//! call.

use std::sync::Arc;
use std::time::Duration;

use callwright::flow::program::Program;
use callwright::model::tenant::NumberMatch;
use callwright::store::{Asked, DefaultFlow, Directory, NewNumber, NoProgram, NoRoute};

use crate::bench::{Bench, eventually, name, on_both, publish};

fn dialed(number: &str) -> Asked<'_> {
    Asked { dialed: number, ..Asked::default() }
}

/// The title of the flow that a number leads to now.
fn title(directory: &Directory, number: &str) -> Option<String> {
    let program = directory.find(&dialed(number)).ok()?;
    program.flows[&program.main].flow.title.clone()
}

async fn what_this_process_publishes_the_next_call_gets(bench: Bench) {
    let tenant = bench.tenant("acme").await;
    publish(&bench.store, tenant.id, "main", "one").await;
    let number = NewNumber::exact("100", name("main"));
    bench.store.tenant(tenant.id).put_number(&number).await.unwrap();
    let directory = Directory::start(&bench.store, &bench.config).await.unwrap();
    let running = directory.find(&dialed("100")).unwrap();
    publish(&bench.store, tenant.id, "main", "two").await;
    eventually("two", async || title(&directory, "100").as_deref() == Some("two")).await;
    // The call that runs keeps what it began with.
    assert_eq!(running.flows[&running.main].version, 1);
}

async fn what_another_process_publishes_is_found_within_a_second(bench: Bench) {
    let tenant = bench.tenant("acme").await;
    publish(&bench.store, tenant.id, "main", "one").await;
    let number = NewNumber::exact("100", name("main"));
    bench.store.tenant(tenant.id).put_number(&number).await.unwrap();
    let directory = Directory::start(&bench.store, &bench.config).await.unwrap();
    let elsewhere = bench.another_store().await;
    for wanted in ["two", "three"] {
        publish(&elsewhere, tenant.id, "main", wanted).await;
        let is_found = async || title(&directory, "100").as_deref() == Some(wanted);
        let took = eventually(wanted, is_found).await;
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
    let number = NumberMatch::Exact("100".into());
    elsewhere.tenant(tenant.id).remove_number(&number).await.unwrap();
    eventually("removal", async || title(&directory, "100").is_none()).await;
}

async fn flows_that_are_called_and_prompts_come_with_the_program(bench: Bench) {
    let tenant = bench.tenant("acme").await;
    let scope = bench.store.tenant(tenant.id);
    for called in ["a", "b", "unrelated"] {
        publish(&bench.store, tenant.id, called, called).await;
    }
    let calls = serde_json::json!({
        "callwright": 1, "start": "x", "steps": {
            "x": { "kind": "flow", "flow": "a", "next": "y" },
            "y": { "kind": "flow", "flow": "b", "next": "z" },
            "z": { "kind": "hangup" },
        },
    });
    let by = crate::bench::signed("calls");
    scope.save_draft(&name("main"), &calls, "ada", None).await.unwrap();
    scope.publish(&name("main"), 1, &by, |_| Ok(())).await.unwrap();
    scope.put_prompt(&"hello".parse().unwrap(), "/p/hello.wav", None).await.unwrap();
    let directory = Directory::start(&bench.store, &bench.config).await.unwrap();
    let program = directory.routes().program(tenant.id, &name("main")).unwrap();
    let names: Vec<_> = program.flows.keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["a", "b", "main"]);
    assert_eq!(program.prompts["hello"].path, "/p/hello.wav");
    assert!(program.settings.message_directory.ends_with(&tenant.id.to_string()));

    let draft = serde_json::from_value(calls).unwrap();
    let draft = scope.program(&name("main"), draft, &(&bench.config).into()).await.unwrap();
    assert_eq!(draft.flows.keys().collect::<Vec<_>>(), program.flows.keys().collect::<Vec<_>>());
    assert_eq!((draft.flows["main"].version, draft.flows["a"].version), (0, 1));
    assert_eq!(draft.prompts, program.prompts);
}

async fn an_unknown_number_gets_the_default_flow_or_a_reason(mut bench: Bench) {
    let tenant = bench.tenant("house").await;
    let directory = Directory::start(&bench.store, &bench.config).await.unwrap();
    let refused = directory.find(&dialed("999")).unwrap_err();
    assert_eq!((&refused, refused.word()), (&NoRoute::UnknownNumber, "unknown_number"));
    bench.config.default_flow =
        Some(DefaultFlow { tenant: "house".parse().unwrap(), flow: name("lost") });
    let directory = Directory::start(&bench.store, &bench.config).await.unwrap();
    let refused = directory.find(&dialed("999")).unwrap_err();
    assert_eq!(refused, NoRoute::NotPublished(name("lost")));
    publish(&bench.store, tenant.id, "lost", "lost").await;
    directory.refresh().await.unwrap();
    assert_eq!(title(&directory, "999").as_deref(), Some("lost"));
}

async fn a_call_goes_on_with_the_versions_that_it_began_with(bench: Bench) {
    let tenant = bench.tenant("acme").await;
    for title in ["one", "two", "three"] {
        publish(&bench.store, tenant.id, "main", title).await;
    }
    // Version 1 gave way so long ago that no call can run it.
    bench.sql("ALTER TABLE flow_version RENAME TO moved").await;
    bench.sql("CREATE TABLE flow_version AS SELECT * FROM moved").await;
    bench
        .sql("UPDATE flow_version SET published_ms = published_ms - 15600000 WHERE version < 3")
        .await;
    let prompts = bench.store.tenant(tenant.id);
    prompts.put_prompt(&"hello".parse().unwrap(), "/p/hello.wav", None).await.unwrap();
    let directory = Directory::start(&bench.store, &bench.config).await.unwrap();
    let main = name("main");
    let of = |version: u32| {
        let versions = [(main.clone(), version)].into();
        directory.program_of(tenant.id, &main, &versions)
    };
    let title = |program: &Program| program.flows[&main].flow.title.clone().unwrap();
    let current = directory.routes().program(tenant.id, &main).unwrap();
    assert!(Arc::ptr_eq(&of(3).unwrap(), &current), "nothing is put together for it");
    let older = of(2).unwrap();
    assert_eq!((title(&older).as_str(), older.flows[&main].version), ("two", 2));
    assert_eq!(older.prompts, current.prompts);
    assert!(Arc::ptr_eq(&of(2).unwrap(), &older), "calls share it");
    let refused = of(1).unwrap_err();
    assert_eq!(refused, NoProgram::Version { flow: main.clone(), version: 1 });
    let stranger = directory.program_of(tenant.id, &name("other"), &[(main.clone(), 3)].into());
    assert_eq!(stranger.unwrap_err(), NoProgram::Main(name("other")));
}

on_both!(
    what_this_process_publishes_the_next_call_gets,
    what_another_process_publishes_is_found_within_a_second,
    a_call_goes_on_with_the_versions_that_it_began_with,
    flows_that_are_called_and_prompts_come_with_the_program,
    an_unknown_number_gets_the_default_flow_or_a_reason,
);
