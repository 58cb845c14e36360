//! Which call gets which flow: a picture of one moment, without I/O.
//!
//! The tenant is known by FusionPBX's domain, else by the gateway through which the call came, else by the
//! number. Within a tenant, exact numbers come before patterns, and patterns in their order.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;
use uuid::Uuid;

use super::config::{Config, DefaultFlow};
use super::number::whole;
use crate::base::ids::{FlowName, GatewayName, PromptName, TenantId};
use crate::base::millis::Millis;
use crate::flow::program::{Program, PromptFile, Published, Settings, SpeechEngine};
use crate::flow::{Flow, Step};
use crate::model::tenant::{NumberMatch, NumberRoute, Reach, StoredPrompt, Tenant};

/// What is known of a call that asks for its flow. Empty texts count as absent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    pub dialed: &'a str,
    /// The variable `sip_gateway`.
    pub gateway: Option<&'a str>,
    /// The variables that FusionPBX sets.
    pub domain_uuid: Option<&'a str>,
    pub domain_name: Option<&'a str>,
}

/// Why a call gets no flow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoRoute {
    #[error("nobody has the number, and there is no default flow")]
    UnknownNumber,
    #[error("no version of the flow `{0}` is published")]
    NotPublished(FlowName),
}

impl NoRoute {
    /// The reason as the dialplan reads it in `callwright_refused`.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::UnknownNumber => "unknown_number",
            Self::NotPublished(_) => "not_published",
        }
    }
}

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
        let directory = self.message_directory.trim_end_matches('/');
        Settings {
            gateways: tenant.gateways.clone(),
            sip_hosts: tenant.sip_hosts.clone(),
            domain: tenant.domain.clone(),
            contexts: tenant.contexts.clone(),
            speech: self.speech.clone(),
            message_directory: format!("{directory}/{}", tenant.id),
            mask_parties: tenant.mask_parties,
        }
    }
}

/// What routing is made of.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) tenants: Vec<Tenant>,
    pub(super) numbers: Vec<NumberRoute>,
    pub(super) prompts: Vec<StoredPrompt>,
    pub(super) flows: BTreeMap<TenantId, BTreeMap<FlowName, Arc<Published>>>,
}

/// The picture of one moment.
#[derive(Debug, Default)]
pub struct Routes {
    tenants: BTreeMap<TenantId, Own>,
    domain_uuids: BTreeMap<Uuid, TenantId>,
    domains: BTreeMap<String, TenantId>,
    gateways: BTreeMap<GatewayName, TenantId>,
    exact: BTreeMap<String, (TenantId, FlowName)>,
    patterns: Vec<Pattern>,
    default: Option<(TenantId, FlowName)>,
}

/// One tenant's part of it.
#[derive(Debug, Default)]
struct Own {
    exact: BTreeMap<String, FlowName>,
    patterns: Vec<Pattern>,
    programs: BTreeMap<FlowName, Arc<Program>>,
}

#[derive(Debug, Clone)]
struct Pattern {
    order: i32,
    text: String,
    regex: Regex,
    tenant: TenantId,
    flow: FlowName,
}

impl Routes {
    /// The program that the call runs.
    pub fn find(&self, asked: &Asked<'_>) -> Result<Arc<Program>, NoRoute> {
        let found = match self.tenant(asked) {
            Some(tenant) => self.within(tenant, asked.dialed).map(|flow| (tenant, flow)),
            None => self.anywhere(asked.dialed),
        };
        let default = || self.default.as_ref().map(|(tenant, flow)| (*tenant, flow));
        let (tenant, flow) = found.or_else(default).ok_or(NoRoute::UnknownNumber)?;
        self.program(tenant, flow).ok_or_else(|| NoRoute::NotPublished(flow.clone()))
    }

    /// A tenant's flow by name, in its published version.
    pub fn program(&self, tenant: TenantId, flow: &FlowName) -> Option<Arc<Program>> {
        self.tenants.get(&tenant)?.programs.get(flow).cloned()
    }

    /// The tenant, where domain or gateway tell it.
    fn tenant(&self, asked: &Asked<'_>) -> Option<TenantId> {
        let uuid = || self.domain_uuids.get(&asked.domain_uuid?.parse().ok()?);
        let domain = || self.domains.get(&asked.domain_name?.to_ascii_lowercase());
        let gateway = || self.gateways.get(asked.gateway?);
        uuid().or_else(domain).or_else(gateway).copied()
    }

    fn within(&self, tenant: TenantId, dialed: &str) -> Option<&FlowName> {
        let own = self.tenants.get(&tenant)?;
        let pattern = || own.patterns.iter().find(|pattern| pattern.regex.is_match(dialed));
        own.exact.get(dialed).or_else(|| pattern().map(|pattern| &pattern.flow))
    }

    fn anywhere(&self, dialed: &str) -> Option<(TenantId, &FlowName)> {
        let pattern = || self.patterns.iter().find(|pattern| pattern.regex.is_match(dialed));
        match self.exact.get(dialed) {
            Some((tenant, flow)) => Some((*tenant, flow)),
            None => pattern().map(|pattern| (pattern.tenant, &pattern.flow)),
        }
    }

    /// Draws the picture. Patterns that `before` has compiled already are taken from there.
    pub(super) fn draw(facts: Facts, ground: &Ground, before: &Self) -> Self {
        let mut routes = Self::default();
        let mut gateways: BTreeMap<&GatewayName, Vec<TenantId>> = BTreeMap::new();
        for tenant in &facts.tenants {
            if let Some(uuid) = tenant.domain_uuid {
                routes.domain_uuids.insert(uuid, tenant.id);
            }
            if !tenant.domain.is_empty() {
                routes.domains.insert(tenant.domain.to_ascii_lowercase(), tenant.id);
            }
            for gateway in &tenant.gateways {
                gateways.entry(gateway).or_default().push(tenant.id);
            }
            let programs = programs(tenant, &facts, ground);
            routes.tenants.insert(tenant.id, Own { programs, ..Own::default() });
        }
        for (gateway, tenants) in gateways {
            if let [tenant] = tenants.as_slice() {
                routes.gateways.insert(gateway.clone(), *tenant);
            }
        }
        routes.default = default_flow(&facts.tenants, ground);
        for number in facts.numbers {
            routes.add(number, before);
        }
        routes.patterns.sort_by_key(|pattern| (pattern.order, pattern.tenant));
        routes
    }

    fn add(&mut self, number: NumberRoute, before: &Self) {
        let Some(own) = self.tenants.get_mut(&number.tenant) else { return };
        let everywhere = number.reach == Reach::Everywhere;
        match number.number {
            NumberMatch::Exact(value) => {
                if everywhere {
                    self.exact.insert(value.clone(), (number.tenant, number.flow.clone()));
                }
                own.exact.insert(value, number.flow);
            }
            NumberMatch::Pattern(text) => {
                let Some(regex) = before.compiled(number.tenant, &text) else { return };
                let (order, tenant, flow) = (number.order, number.tenant, number.flow);
                let pattern = Pattern { order, text, regex, tenant, flow };
                if everywhere {
                    self.patterns.push(pattern.clone());
                }
                own.patterns.push(pattern);
                own.patterns.sort_by_key(|pattern| pattern.order);
            }
        }
    }

    fn compiled(&self, tenant: TenantId, text: &str) -> Option<Regex> {
        let own = self.tenants.get(&tenant);
        let known = own.and_then(|own| own.patterns.iter().find(|pattern| pattern.text == text));
        match known {
            Some(pattern) => Some(pattern.regex.clone()),
            None => whole(text)
                .inspect_err(|error| tracing::error!(%tenant, %error, "a pattern is passed over"))
                .ok(),
        }
    }
}

fn default_flow(tenants: &[Tenant], ground: &Ground) -> Option<(TenantId, FlowName)> {
    let default = ground.default_flow.as_ref()?;
    let tenant = tenants.iter().find(|tenant| tenant.slug == default.tenant);
    if tenant.is_none() {
        tracing::warn!(slug = %default.tenant, "the default flow's tenant does not exist");
    }
    Some((tenant?.id, default.flow.clone()))
}

fn programs(tenant: &Tenant, facts: &Facts, ground: &Ground) -> BTreeMap<FlowName, Arc<Program>> {
    let Some(flows) = facts.flows.get(&tenant.id) else { return BTreeMap::new() };
    let prompts: Vec<_> = facts.prompts.iter().filter(|p| p.tenant == tenant.id).collect();
    let program = |main: &FlowName| program(main, flows, prompts.iter().copied(), tenant, ground);
    flows.keys().map(|main| (main.clone(), Arc::new(program(main)))).collect()
}

/// A flow with all that a call can need.
pub(super) fn program<'a>(
    main: &FlowName,
    flows: &BTreeMap<FlowName, Arc<Published>>,
    prompts: impl IntoIterator<Item = &'a StoredPrompt>,
    tenant: &Tenant,
    ground: &Ground,
) -> Program {
    let file = |prompt: &StoredPrompt| PromptFile {
        path: prompt.path.clone(),
        length: prompt.length_ms.map(Millis),
    };
    Program {
        tenant: tenant.id,
        timezone: tenant.timezone.clone(),
        main: main.clone(),
        flows: reachable(main, flows),
        prompts: prompts
            .into_iter()
            .map(|prompt| (prompt.name.clone(), file(prompt)))
            .collect::<BTreeMap<PromptName, PromptFile>>(),
        settings: ground.settings(tenant),
    }
}

fn reachable(
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
