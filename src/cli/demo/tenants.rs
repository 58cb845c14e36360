//! The two tenants of the demo for web backends: a flow, users with phones, and a key each.

use std::collections::BTreeMap;

use serde::Serialize;

use super::sample::publish;
use crate::base::millis::Millis;
use crate::flow::monitor::{EVERYBODY, MonitorPolicy, Power, Supervisor};
use crate::flow::talk::TalkSettings;
use crate::model::access::Role;
use crate::model::user::UserSettings;
use crate::simulator::{Answers, FarEnd};
use crate::store::{NewApiKey, NewNumber, NewTenant, Store, TenantScope};

const FLOW: &str = include_str!("../../../examples/demo/desk.yaml");
const PROMPTS: [&str; 6] =
    ["welcome", "choose", "not-valid", "you-are-number", "leave-message", "goodbye"];
/// How long who is called by a program lets it ring.
const PICKS_UP: Millis = Millis(1_500);

/// A tenant as it is laid down.
pub(super) struct Plan {
    pub(super) slug: &'static str,
    name: &'static str,
    /// What callers dial.
    pub(super) number: &'static str,
    /// User, name, role and extension.
    users: [(&'static str, &'static str, Role, &'static str); 3],
}

pub(super) const PLANS: [Plan; 2] = [
    Plan {
        slug: "clinic",
        name: "Harbour Clinic",
        number: "+15550100",
        users: [
            ("pat@clinic.example", "Pat Reyes", Role::Admin, "300"),
            ("sue@clinic.example", "Sue Okafor", Role::Supervisor, "301"),
            ("ann@clinic.example", "Ann Lindgren", Role::Agent, "201"),
        ],
    },
    Plan {
        slug: "shop",
        name: "Corner Shop",
        number: "+15550200",
        users: [
            ("kim@shop.example", "Kim Duarte", Role::Admin, "300"),
            ("max@shop.example", "Max Weber", Role::Supervisor, "301"),
            ("bea@shop.example", "Bea Novak", Role::Agent, "201"),
        ],
    },
];

/// What a web backend needs of a tenant.
#[derive(Serialize)]
pub(super) struct Furnished {
    pub(super) tenant: &'static str,
    pub(super) name: &'static str,
    /// An admin's: it may mint tokens.
    pub(super) key: String,
    pub(super) users: Vec<Person>,
}

#[derive(Serialize)]
pub(super) struct Person {
    pub(super) user: &'static str,
    pub(super) name: &'static str,
    pub(super) role: Role,
    pub(super) extension: &'static str,
}

/// Those who can be called by a program: extensions and any number outside pick up and stay.
pub(super) fn phones() -> BTreeMap<String, FarEnd> {
    let answers = FarEnd::Answers(Answers { answer: PICKS_UP, ..Answers::default() });
    let numbers = ["201", "202", "203", "300", "301", "*"];
    numbers.into_iter().map(|number| (number.to_owned(), answers.clone())).collect()
}

/// Fills an empty store.
pub(super) async fn furnish(store: &Store) -> anyhow::Result<Vec<Furnished>> {
    let mut all = Vec::new();
    for plan in &PLANS {
        let mut tenant = NewTenant::named(plan.slug.parse()?);
        tenant.name = plan.name.into();
        tenant.domain = format!("{}.example", plan.slug);
        tenant.timezone = "Europe/Berlin".into();
        let tenant = store.operator().create_tenant(&tenant).await?;
        all.push(furnish_one(&store.tenant(tenant.id), plan).await?);
    }
    Ok(all)
}

async fn furnish_one(scope: &TenantScope, plan: &'static Plan) -> anyhow::Result<Furnished> {
    for name in PROMPTS {
        let path = format!("/var/lib/callwright/sample/{name}.wav");
        scope.put_prompt(&name.parse()?, &path, Some(Millis::seconds(2))).await?;
    }
    publish(scope, "desk", &FLOW.replace("TITLE", plan.name)).await?;
    scope.put_number(&NewNumber::exact(plan.number, "desk".parse()?)).await?;
    let monitor = MonitorPolicy { supervisors: supervisors(plan), ..MonitorPolicy::default() };
    scope.set_talk(&TalkSettings { monitor, ..TalkSettings::default() }).await?;
    let mut users = Vec::new();
    for (user, name, role, extension) in plan.users {
        let extension_of = Some(extension.parse()?);
        let settings =
            UserSettings { name: name.into(), role, extension: extension_of, enabled: true };
        scope.put_user(&user.parse()?, &settings).await?;
        users.push(Person { user, name, role, extension });
    }
    let key = NewApiKey {
        name: "web backend".into(),
        role: Role::Admin,
        powers: [].into(),
        addresses: Vec::new(),
        expires: None,
    };
    let (_, secret) = scope.add_api_key(&key).await?;
    Ok(Furnished { tenant: plan.slug, name: plan.name, key: secret.reveal().clone(), users })
}

/// Whoever leads listens in on everybody.
fn supervisors(plan: &Plan) -> BTreeMap<String, Supervisor> {
    let may = [Power::Listen, Power::Whisper, Power::Barge, Power::TakeOver];
    let leads = plan.users.iter().filter(|(_, _, role, _)| *role != Role::Agent);
    leads
        .map(|(.., extension)| {
            let groups = [EVERYBODY.to_owned()].into();
            ((*extension).to_owned(), Supervisor { may: may.into(), groups })
        })
        .collect()
}
