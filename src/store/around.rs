//! What a tenant's flows find around them: prompts, rooms, schedules, and what the operator lays
//! down for all.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::config::{Config, DefaultFlow};
use super::gateway::StoredGateway;
use super::room::StoredRoom;
use super::schedule::{StoredSchedule, by_name};
use crate::base::ids::{FlowName, PromptName, TenantId};
use crate::base::millis::Millis;
use crate::flow::program::{Program, PromptFile, Published, Rooms, Settings, SpeechEngine};
use crate::flow::talk::TalkSettings;
use crate::flow::{Flow, Step};
use crate::model::gateway::switch_name;
use crate::model::tenant::{StoredPrompt, Tenant};

/// What the operator lays down for all tenants' flows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ground {
    pub default_flow: Option<DefaultFlow>,
    pub message_directory: String,
    pub speech: Option<SpeechEngine>,
}

impl From<&Config> for Ground {
    fn from(config: &Config) -> Self {
        Self {
            default_flow: config.default_flow.clone(),
            message_directory: config.message_directory.clone(),
            speech: config.speech.as_ref().map(SpeechEngine::from),
        }
    }
}

impl Ground {
    /// What one tenant's flows may use.
    pub fn settings(&self, tenant: &Tenant) -> Settings {
        Settings {
            gateways: tenant.gateways.clone(),
            own_gateways: BTreeMap::new(),
            decides_outside: false,
            sip_hosts: tenant.sip_hosts.clone(),
            domain: tenant.domain.clone(),
            contexts: tenant.contexts.clone(),
            speech: self.speech.clone(),
            message_directory: self.message_folder(tenant.id),
            mask_parties: tenant.mask_parties,
            rooms: Rooms::default(),
            schedules: Arc::default(),
            talk: self.talk(tenant),
            record_number: false,
        }
    }

    /// A release that wrote other rules than this one reads lets nobody do what it does not know.
    fn talk(&self, tenant: &Tenant) -> TalkSettings {
        serde_json::from_value(tenant.talk.clone()).unwrap_or_else(|error| {
            tracing::warn!(tenant = %tenant.slug, %error, "the rules for conversations are unread");
            TalkSettings::default()
        })
    }

    /// Where FreeSWITCH writes a tenant's messages.
    pub(super) fn message_folder(&self, tenant: TenantId) -> String {
        format!("{}/{tenant}", self.message_directory.trim_end_matches('/'))
    }
}

/// What a tenant's flows find around them.
#[derive(Debug)]
pub(super) struct Around {
    tenant: TenantId,
    timezone: String,
    pub(super) prompts: BTreeMap<PromptName, PromptFile>,
    pub(super) settings: Settings,
}

impl Around {
    pub(super) fn of<'a>(
        tenant: &Tenant,
        prompts: impl IntoIterator<Item = &'a StoredPrompt>,
        rooms: impl IntoIterator<Item = &'a StoredRoom>,
        ground: &Ground,
    ) -> Self {
        let named = |room: &StoredRoom| (room.name.clone(), room.settings.clone());
        let rooms = Arc::new(rooms.into_iter().map(named).collect());
        let file = |prompt: &StoredPrompt| PromptFile {
            path: prompt.path.clone(),
            length: prompt.length_ms.map(Millis),
        };
        Self {
            tenant: tenant.id,
            timezone: tenant.timezone.clone(),
            prompts: prompts
                .into_iter()
                .map(|prompt| (prompt.name.clone(), file(prompt)))
                .collect(),
            settings: Settings { rooms, ..ground.settings(tenant) },
        }
    }

    /// The tenant's own gateways, as far as they are in use.
    pub(super) fn add_gateways<'a>(&mut self, own: impl Iterator<Item = &'a StoredGateway>) {
        let own = own.map(|one| &one.gateway).filter(|gateway| gateway.settings.enabled);
        let own = own.map(|gateway| (gateway.name.clone(), switch_name(gateway.id)));
        self.settings.own_gateways = own.collect();
    }

    /// The tenant's schedules, as they are and as they were lately.
    pub(super) fn add_schedules<'a>(&mut self, own: impl Iterator<Item = &'a StoredSchedule>) {
        self.settings.schedules = Arc::new(by_name(own));
    }

    /// A flow with all that a call can need.
    pub(super) fn program(
        &self,
        main: &FlowName,
        flows: BTreeMap<FlowName, Arc<Published>>,
    ) -> Program {
        Program {
            tenant: self.tenant,
            timezone: self.timezone.clone(),
            main: main.clone(),
            flows,
            prompts: self.prompts.clone(),
            settings: self.settings.clone(),
        }
    }
}

pub(super) fn reachable(
    main: &FlowName,
    flows: &BTreeMap<FlowName, Arc<Published>>,
) -> BTreeMap<FlowName, Arc<Published>> {
    let mut found = BTreeMap::new();
    let mut ahead = vec![main.clone()];
    while let Some(name) = ahead.pop() {
        let Some(published) = flows.get(&name) else { continue };
        if found.insert(name, Arc::clone(published)).is_none() {
            ahead.extend(called(&published.flow));
        }
    }
    found
}

/// The flows that a flow calls.
fn called(flow: &Flow) -> impl Iterator<Item = FlowName> + '_ {
    flow.steps.values().filter_map(|step| match step {
        Step::Flow(call) => Some(call.flow.clone()),
        _ => None,
    })
}
