//! The sample tenant, its flows and its callers; the files are in `examples/demo`.

use std::net::SocketAddr;

use anyhow::anyhow;
use jiff::{ToSpan, Zoned};

use crate::base::millis::Millis;
use crate::flow::check::{World, check};
use crate::flow::{Flow, parse_yaml};
use crate::store::{NewNumber, NewTenant, Signature, Store, TenantScope};

const FRONT_DESK: &str = include_str!("../../../examples/demo/front-desk.yaml");
const CLOSED_TODAY: &str = include_str!("../../../examples/demo/closed-today.yaml");

/// What each caller does, for people and as a script.
pub(super) const CALLS: [(&str, &str); 6] = [
    ("presses 1 and talks with sales", include_str!("../../../examples/demo/1-sales.yaml")),
    (
        "asks for an order, typing before the prompt is over",
        include_str!("../../../examples/demo/2-order.yaml"),
    ),
    (
        "finds sales busy and leaves a message",
        include_str!("../../../examples/demo/3-message.yaml"),
    ),
    (
        "presses a wrong key, then dials an extension",
        include_str!("../../../examples/demo/4-extension.yaml"),
    ),
    (
        "calls the branch office, which is closed today",
        include_str!("../../../examples/demo/5-closed.yaml"),
    ),
    ("hangs up while it rings", include_str!("../../../examples/demo/6-hangs-up.yaml")),
];

/// Prompts of the sample; the simulated switch plays two seconds for each.
const PROMPTS: [&str; 11] = [
    "welcome",
    "choose",
    "not-valid",
    "order-number",
    "shipped",
    "unknown-order",
    "leave-message",
    "closed",
    "goodbye",
    "trouble",
    "opening-hours",
];

/// Fills an empty store. `stub` is where the sample's web service listens.
pub(super) async fn set_up(store: &Store, stub: SocketAddr) -> anyhow::Result<()> {
    let mut tenant = NewTenant::named("sample".parse()?);
    tenant.domain = "pbx.example.com".into();
    tenant.timezone = "Europe/Berlin".into();
    let tenant = store.operator().create_tenant(&tenant).await?;
    let scope = store.tenant(tenant.id);
    for name in PROMPTS {
        let path = format!("/var/lib/callwright/sample/{name}.wav");
        scope.put_prompt(&name.parse()?, &path, Some(Millis::seconds(2))).await?;
    }
    let today = Zoned::now().in_tz(&tenant.timezone)?.date();
    let closed = CLOSED_TODAY
        .replace("TODAY", &today.to_string())
        .replace("TOMORROW", &today.checked_add(1.day())?.to_string());
    let main = FRONT_DESK.replace("STUB", &stub.to_string());
    for (name, number, text) in
        [("front-desk", "+15550100", main), ("branch-office", "+15550199", closed)]
    {
        publish(&scope, name, &text).await?;
        scope.put_number(&NewNumber::exact(number, name.parse()?)).await?;
    }
    Ok(())
}

pub(super) async fn publish(scope: &TenantScope, name: &str, text: &str) -> anyhow::Result<()> {
    let flow = parse_yaml(text.as_bytes()).map_err(|problems| anyhow!("{problems:?}"))?;
    let name = name.parse()?;
    let head = scope.save_draft(&name, &serde_json::to_value(&flow)?, "demo", None).await?;
    let by = Signature { author: "demo".into(), note: "the sample".into() };
    let approve = |flow: &Flow| {
        let problems = check(flow, &World::unknown());
        match problems.iter().find(|problem| problem.is_error()) {
            Some(problem) => Err(problem.to_string()),
            None => Ok(()),
        }
    };
    scope.publish(&name, head.draft_revision, &by, approve).await?;
    Ok(())
}
