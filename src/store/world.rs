//! What a tenant has, for checking a flow against it.

use std::collections::BTreeMap;

use super::{StoreError, TenantScope};
use crate::base::ids::FlowName;
use crate::flow::check::{FlowFacts, World};
use crate::flow::parse;

impl TenantScope {
    /// Everything that the tenant has, for a flow of its own named `this`. `speech` is whether the
    /// operator has an engine.
    pub async fn world(&self, this: Option<&FlowName>, speech: bool) -> Result<World, StoreError> {
        let tenant = self.tenant().await?;
        let prompts = self.prompts().await?.into_iter().map(|prompt| prompt.name).collect();
        let own = self.gateways().await?.into_iter().map(|one| one.gateway.name);
        Ok(World {
            this: this.cloned(),
            prompts: Some(prompts),
            flows: Some(self.flow_facts().await?),
            gateways: Some(tenant.gateways.into_iter().chain(own).collect()),
            sip_hosts: Some(tenant.sip_hosts.into_iter().collect()),
            contexts: Some(tenant.contexts.into_iter().collect()),
            rooms: Some(self.rooms().await?.into_iter().map(|room| room.name).collect()),
            speech: Some(speech),
        })
    }

    /// Published versions: a call can reach no others.
    async fn flow_facts(&self) -> Result<BTreeMap<FlowName, FlowFacts>, StoreError> {
        let mut facts = BTreeMap::new();
        for head in self.flows().await? {
            let Some(version) = head.version else { continue };
            let document = self.version(&head.name, version).await?.document;
            // A version that an older release published and this one can't read calls nothing.
            if let Ok(flow) = parse(document.to_string().as_bytes()) {
                facts.insert(head.name, FlowFacts::of(&flow));
            }
        }
        Ok(facts)
    }
}
