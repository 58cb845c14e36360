//! What a flow is checked against.

use std::collections::{BTreeMap, BTreeSet};

use crate::app::config::Config;
use crate::base::ids::{FlowName, TenantSlug};
use crate::flow::check::{FlowFacts, World};
use crate::flow::parse;
use crate::store::{Store, TenantScope};

/// Everything that the tenant with this slug has, for a flow of its own named `this`.
pub(super) async fn of(
    store: &Store,
    slug: &TenantSlug,
    this: Option<&FlowName>,
    config: &Config,
) -> anyhow::Result<(TenantScope, World)> {
    let tenant = store.operator().tenant_named(slug).await?;
    let scope = store.tenant(tenant.id);
    let prompts = scope.prompts().await?.into_iter().map(|prompt| prompt.name).collect();
    let world = World {
        this: this.cloned(),
        prompts: Some(prompts),
        flows: Some(flows(&scope).await?),
        gateways: Some(tenant.gateways.into_iter().collect()),
        sip_hosts: Some(tenant.sip_hosts.into_iter().collect()),
        contexts: Some(tenant.contexts.into_iter().collect::<BTreeSet<_>>()),
        rooms: Some(scope.rooms().await?.into_iter().map(|room| room.name).collect()),
        speech: Some(config.store.speech.is_some()),
    };
    Ok((scope, world))
}

/// Published versions: a call can reach no others.
async fn flows(scope: &TenantScope) -> anyhow::Result<BTreeMap<FlowName, FlowFacts>> {
    let mut facts = BTreeMap::new();
    for head in scope.flows().await? {
        let Some(version) = head.version else { continue };
        let document = scope.version(&head.name, version).await?.document;
        // A version that an older release published and this one can't read calls nothing.
        if let Ok(flow) = parse(document.to_string().as_bytes()) {
            facts.insert(head.name, FlowFacts::of(&flow));
        }
    }
    Ok(facts)
}
