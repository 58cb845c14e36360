//! What a tenant has, for checking a flow against it.

use std::collections::BTreeMap;

use super::{StoreError, TenantScope};
use crate::base::ids::{FlowName, PromptName, ScheduleName};
use crate::flow::check::{FlowFacts, World};
use crate::flow::talk::TalkSettings;
use crate::flow::{Flow, Step, parse};

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
            schedules: Some(self.schedules().await?.into_iter().map(|one| one.name).collect()),
            speech: Some(speech),
        })
    }

    async fn flow_facts(&self) -> Result<BTreeMap<FlowName, FlowFacts>, StoreError> {
        let live = self.live_flows().await?.into_iter();
        Ok(live.map(|(name, flow)| (name, FlowFacts::of(&flow))).collect())
    }

    /// What calls get: a call can reach no others.
    pub async fn live_flows(&self) -> Result<Vec<(FlowName, Flow)>, StoreError> {
        let mut live = Vec::new();
        for head in self.flows().await? {
            let Some(version) = head.version else { continue };
            let document = self.version(&head.name, version).await?.document;
            // A version that an older release published and this one can't read calls nothing.
            if let Ok(flow) = parse(document.to_string().as_bytes()) {
                live.push((head.name, flow));
            }
        }
        Ok(live)
    }

    /// The flows that go by this schedule and that calls get, in words.
    pub(super) async fn schedule_users(
        &self,
        name: &ScheduleName,
    ) -> Result<Vec<String>, StoreError> {
        let names = |step: &Step| match step {
            Step::Hours(hours) => hours.schedule.as_ref() == Some(name),
            _ => false,
        };
        let mut live = self.live_flows().await?;
        live.retain(|(_, flow)| flow.steps.values().any(names));
        Ok(live.into_iter().map(|(flow, _)| format!("the flow `{flow}`")).collect())
    }

    /// What live things play this prompt, in words.
    pub(super) async fn prompt_users(&self, name: &PromptName) -> Result<Vec<String>, StoreError> {
        let mut users = Vec::new();
        for (flow, document) in self.live_flows().await? {
            let mut names = document.steps.values().flat_map(|step| step.prompt_names());
            if names.any(|(_, played)| played == name) {
                users.push(format!("the flow `{flow}`"));
            }
        }
        for room in self.rooms().await? {
            if room.settings.music.as_ref() == Some(name) {
                users.push(format!("the room `{}`", room.name));
            }
        }
        let rules: TalkSettings =
            serde_json::from_value(self.tenant().await?.talk).map_err(StoreError::corrupt)?;
        if rules.music.as_ref() == Some(name) {
            users.push("the tenant's rules, on hold".to_owned());
        }
        Ok(users)
    }
}
