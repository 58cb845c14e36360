//! Tenants, numbers and prompts; and that one tenant never meets another's.

use callwright::base::ids::{CoreId, FlowName, PromptName, RoomName, TenantSlug};
use callwright::base::millis::Millis;
use callwright::flow::Flow;
use callwright::flow::room::RoomSettings;
use callwright::model::tenant::{NumberMatch, Reach};
use callwright::store::{
    CallFilter, NewNumber, NewTenant, Recorder, Settled, StoreError, TenantScope,
};
use std::time::Duration;
use uuid::Uuid;

use crate::bench::{Bench, call_id, entry, flow, name, on_both, publish, record, signed};

fn prompt(text: &str) -> PromptName {
    text.parse().unwrap()
}

fn slug(text: &str) -> TenantSlug {
    text.parse().unwrap()
}

fn full() -> NewTenant {
    NewTenant {
        name: "Acme & Söhne".into(),
        domain: "Acme.example".into(),
        domain_uuid: Some(Uuid::from_u128(7)),
        timezone: "Europe/Berlin".into(),
        gateways: vec!["carrier-1".parse().unwrap()],
        sip_hosts: vec!["sip.example:5060".into(), "[2001:db8::1]".into()],
        contexts: vec!["default".into()],
        mask_parties: true,
        ..NewTenant::named(slug("acme"))
    }
}

async fn a_tenant_is_kept_as_it_was_given_and_can_be_changed(bench: Bench) {
    let operator = bench.store.operator();
    let made = operator.create_tenant(&full()).await.unwrap();
    assert_eq!(made.domain, "acme.example");
    assert_eq!((&made.gateways, made.mask_parties), (&full().gateways, true));
    assert_eq!(operator.tenant_named(&slug("acme")).await.unwrap(), made);
    let scope = bench.store.tenant(made.id);
    let changed = NewTenant { timezone: "America/New_York".into(), domain_uuid: None, ..full() };
    let changed = scope.change(&changed).await.unwrap();
    assert_eq!((changed.timezone.as_str(), changed.domain_uuid), ("America/New_York", None));
    assert_eq!(changed.created, made.created);
    assert_eq!(operator.tenants().await.unwrap(), vec![changed]);
}

async fn slug_domain_and_its_uuid_are_one_tenants_alone(bench: Bench) {
    let operator = bench.store.operator();
    operator.create_tenant(&full()).await.unwrap();
    let fresh = NewTenant { domain: String::new(), domain_uuid: None, slug: slug("b"), ..full() };
    for same in [
        NewTenant { slug: slug("acme"), ..fresh.clone() },
        NewTenant { domain: "ACME.EXAMPLE".into(), ..fresh.clone() },
        NewTenant { domain_uuid: full().domain_uuid, ..fresh.clone() },
    ] {
        let refused = operator.create_tenant(&same).await.unwrap_err();
        assert!(matches!(refused, StoreError::Conflict(_)), "{refused}");
    }
    operator.create_tenant(&fresh).await.unwrap();
    // No domain is nobody's.
    operator.create_tenant(&NewTenant { slug: slug("c"), ..fresh }).await.unwrap();
}

async fn what_a_tenant_may_not_be_is_refused_with_the_reason(bench: Bench) {
    for (bad, part) in [
        (NewTenant { timezone: "Mars/Olympus".into(), ..full() }, "Mars/Olympus"),
        (NewTenant { name: String::new(), ..full() }, "name"),
        (NewTenant { domain: "a b".into(), ..full() }, "domain"),
        (NewTenant { sip_hosts: vec!["h,[x=y]h".into()], ..full() }, "SIP host"),
        (NewTenant { contexts: vec!["a\nb".into()], ..full() }, "context"),
    ] {
        match bench.store.operator().create_tenant(&bad).await {
            Err(StoreError::Invalid(why)) => assert!(why.contains(part), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}

async fn numbers_are_listed_exact_first_and_can_be_given_another_flow(bench: Bench) {
    let tenant = bench.tenant("acme").await;
    let scope = bench.store.tenant(tenant.id);
    publish(&bench.store, tenant.id, "main", "one").await;
    publish(&bench.store, tenant.id, "night", "two").await;
    let pattern = |text: &str, order| NewNumber {
        number: NumberMatch::Pattern(text.into()),
        flow: name("main"),
        order,
        reach: Reach::Tenant,
        record: order == 2,
        label: (order == 1).then(|| "Sales".to_owned()),
    };
    scope.put_number(&pattern("1.*", 2)).await.unwrap();
    scope.put_number(&pattern("2.*", 1)).await.unwrap();
    scope.put_number(&NewNumber::exact("+15550100", name("main"))).await.unwrap();
    scope.put_number(&NewNumber::exact("+15550100", name("night"))).await.unwrap();
    let listed = scope.numbers().await.unwrap();
    let values = listed.iter().map(|route| (route.number.clone(), route.flow.as_str()));
    let expected = vec![
        (NumberMatch::Exact("+15550100".into()), "night"),
        (NumberMatch::Pattern("2.*".into()), "main"),
        (NumberMatch::Pattern("1.*".into()), "main"),
    ];
    assert_eq!(values.collect::<Vec<_>>(), expected);
    assert_eq!(listed.iter().map(|route| route.record).collect::<Vec<_>>(), [false, false, true]);
    let labels: Vec<_> = listed.iter().map(|route| route.label.as_deref()).collect();
    assert_eq!(labels, [None, Some("Sales"), None]);
    scope.remove_number(&NumberMatch::Exact("+15550100".into())).await.unwrap();
    assert_eq!(scope.numbers().await.unwrap().len(), 2);
}

async fn a_number_needs_a_flow_and_must_not_be_anothers(bench: Bench) {
    let (one, two) = (bench.tenant("one").await, bench.tenant("two").await);
    publish(&bench.store, one.id, "main", "one").await;
    publish(&bench.store, two.id, "main", "two").await;
    let (one, two) = (bench.store.tenant(one.id), bench.store.tenant(two.id));
    let number = NewNumber::exact("100", name("main"));
    one.put_number(&number).await.unwrap();
    let refused = two.put_number(&number).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict(_)), "{refused}");
    // Within its own domain each tenant may have its 100.
    two.put_number(&NewNumber { reach: Reach::Tenant, ..number }).await.unwrap();
    let nowhere = NewNumber::exact("101", name("nowhere"));
    assert!(matches!(one.put_number(&nowhere).await, Err(StoreError::NotFound { .. })));
    let bad = NewNumber { number: NumberMatch::Pattern("(".into()), ..nowhere };
    assert!(matches!(one.put_number(&bad).await, Err(StoreError::Invalid(_))));
    for label in ["", " Sales", "Sa\nles", &"x".repeat(33)] {
        let label = Some(label.to_owned());
        let bad = NewNumber { label, ..NewNumber::exact("100", name("main")) };
        assert!(matches!(one.put_number(&bad).await, Err(StoreError::Invalid(_))), "{bad:?}");
    }
}

async fn a_prompts_path_is_absolute_and_stays_where_it_points(bench: Bench) {
    let scope = bench.store.tenant(bench.tenant("acme").await.id);
    let kept = scope.put_prompt(&prompt("hello"), "/p/a.wav", Some(Millis(1_500))).await.unwrap();
    assert_eq!((kept.path.as_str(), kept.length_ms), ("/p/a.wav", Some(1_500)));
    scope.put_prompt(&prompt("hello"), "/p/b.wav", None).await.unwrap();
    let all = scope.prompts().await.unwrap();
    assert_eq!((all.len(), all[0].path.as_str(), all[0].length_ms), (1, "/p/b.wav", None));
    for bad in ["a.wav", "/p/../etc/passwd", "/p/a\nb.wav", "", "shell_stream://x"] {
        let refused = scope.put_prompt(&prompt("bad"), bad, None).await;
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{bad}");
    }
    scope.remove_prompt(&prompt("hello")).await.unwrap();
    assert!(matches!(scope.prompt(&prompt("hello")).await, Err(StoreError::NotFound { .. })));
}

/// Asserts that the answer is "not found", for each of the calls.
macro_rules! assert_not_found {
    ($($asked:expr),+ $(,)?) => {
        $(match $asked.await {
            Err(StoreError::NotFound { .. }) => {}
            other => panic!("{}: {other:?}", stringify!($asked)),
        })+
    };
}

async fn another_tenants_things_are_not_found_and_not_touched(bench: Bench) {
    let (owner, other) = (bench.tenant("owner").await, bench.tenant("other").await);
    let owned = bench.store.tenant(owner.id);
    let main = name("main");
    publish(&bench.store, owner.id, "main", "mine").await;
    owned.put_number(&NewNumber::exact("100", main.clone())).await.unwrap();
    owned.put_prompt(&prompt("hello"), "/p/a.wav", None).await.unwrap();
    let call = call_id();
    let recorder = Recorder::start(&bench.store, &bench.config).unwrap();
    recorder.note(owner.id, call, entry(1, "mine"));
    recorder.record(record(owner.id, call, 1));
    assert_eq!(recorder.settle(Duration::from_secs(10)).await, Settled::Written);

    let stranger = bench.store.tenant(other.id);
    reach_for_everything(&stranger, &main, call).await;
    assert!(stranger.flows().await.unwrap().is_empty());
    assert!(stranger.numbers().await.unwrap().is_empty());
    assert!(stranger.prompts().await.unwrap().is_empty());
    assert!(stranger.calls(&CallFilter::default(), None, 10).await.unwrap().items.is_empty());

    assert_eq!(owned.flow(&main).await.unwrap().version, Some(1));
    assert_eq!(owned.draft(&main).await.unwrap().document, flow("mine"));
    assert_eq!(owned.call(call).await.unwrap(), *record(owner.id, call, 1));
    assert_eq!(owned.numbers().await.unwrap().len(), 1);
    assert_eq!(owned.prompts().await.unwrap().len(), 1);
    assert_eq!(bench.store.operator().whose_call(call).await.unwrap(), owner.id);
}

async fn reach_for_everything(
    stranger: &TenantScope,
    main: &FlowName,
    call: callwright::base::ids::CallId,
) {
    let by = signed("taken");
    assert_not_found!(
        stranger.flow(main),
        stranger.draft(main),
        stranger.versions(main),
        stranger.version(main, 1),
        stranger.save_draft(main, &flow("taken"), "eve", Some(1)),
        stranger.publish(main, 1, &by, |_| Ok(())),
        stranger.rollback(main, 1, &by, |_| Ok(())),
        stranger.put_number(&NewNumber::exact("200", main.clone())),
        stranger.remove_number(&NumberMatch::Exact("100".into())),
        stranger.prompt(&prompt("hello")),
        stranger.remove_prompt(&prompt("hello")),
        stranger.call(call),
        stranger.timeline(call),
    );
}

async fn a_room_is_kept_as_it_was_given_and_comes_with_the_program(bench: Bench) {
    let operator = bench.store.operator();
    let made = operator.create_tenant(&full()).await.unwrap();
    let scope = bench.store.tenant(made.id);
    let settings: RoomSettings =
        serde_json::from_str(r##"{"member_pin": "1234", "most": 5, "keys": {"*1": "mute_self"}}"##)
            .unwrap();
    let sales: RoomName = "sales".parse().unwrap();
    assert_eq!(scope.put_room(&sales, &settings).await.unwrap().settings, settings);
    let wider = RoomSettings { most: None, ..settings };
    assert_eq!(scope.put_room(&sales, &wider).await.unwrap().settings, wider);
    assert_eq!(scope.rooms().await.unwrap().len(), 1);
    let same = RoomSettings { moderator_pin: wider.member_pin.clone(), ..wider.clone() };
    let refused = scope.put_room(&sales, &same).await.unwrap_err();
    assert!(matches!(refused, StoreError::Invalid(_)), "{refused}");
    let ghost = RoomSettings { music: Some(prompt("nothing")), ..wider.clone() };
    assert_not_found!(scope.put_room(&sales, &ghost));
    let ground = callwright::store::Ground::default();
    let program = scope.program(&name("main"), flow_document(), &ground).await.unwrap();
    assert_eq!(program.settings.rooms.get(&sales), Some(&wider));
    let other = operator.create_tenant(&NewTenant::named(slug("other"))).await;
    let stranger = bench.store.tenant(other.unwrap().id);
    assert_not_found!(stranger.room(&sales), stranger.remove_room(&sales));
    assert_eq!(stranger.rooms().await.unwrap(), vec![]);
    scope.remove_room(&sales).await.unwrap();
    assert_not_found!(scope.room(&sales));
}

fn flow_document() -> Flow {
    serde_json::from_value(flow("x")).unwrap()
}

async fn of_freeswitches_that_want_a_room_at_once_the_first_is_to_have_it(bench: Bench) {
    let operator = bench.store.operator();
    let cores: Vec<_> = (0..8).map(|_| CoreId(Uuid::now_v7())).collect();
    let claims = cores.iter().map(|core| {
        let (operator, core) = (operator.clone(), *core);
        tokio::spawn(async move { operator.claim_room("t1-sales", core).await.unwrap() })
    });
    let claims: Vec<_> = claims.collect();
    let mut holders = Vec::new();
    for claim in claims {
        holders.push(claim.await.unwrap());
    }
    assert!(cores.contains(&holders[0]));
    assert!(holders.iter().all(|holder| *holder == holders[0]), "{holders:?}");
    assert_eq!(operator.claim_room("t1-sales", holders[0]).await.unwrap(), holders[0]);
    let other = operator.claim_room("t1-other", cores[7]).await.unwrap();
    assert_eq!(other, cores[7], "another room is another's");
}

async fn a_tenant_that_does_not_exist_owns_nothing_and_gets_nothing(bench: Bench) {
    let nobody = bench.store.tenant(callwright::base::ids::TenantId(Uuid::now_v7()));
    assert_not_found!(
        nobody.tenant(),
        nobody.change(&full()),
        nobody.save_draft(&name("main"), &flow("x"), "eve", None),
        nobody.put_prompt(&prompt("hello"), "/p/a.wav", None),
    );
}

on_both!(
    a_tenant_is_kept_as_it_was_given_and_can_be_changed,
    slug_domain_and_its_uuid_are_one_tenants_alone,
    what_a_tenant_may_not_be_is_refused_with_the_reason,
    numbers_are_listed_exact_first_and_can_be_given_another_flow,
    a_number_needs_a_flow_and_must_not_be_anothers,
    a_prompts_path_is_absolute_and_stays_where_it_points,
    another_tenants_things_are_not_found_and_not_touched,
    a_room_is_kept_as_it_was_given_and_comes_with_the_program,
    of_freeswitches_that_want_a_room_at_once_the_first_is_to_have_it,
    a_tenant_that_does_not_exist_owns_nothing_and_gets_nothing,
);
