//! Which call gets which flow: a picture of one moment, without I/O.
//!
//! The tenant is known by FusionPBX's domain, else by the gateway through which the call came or
//! the provider's address, else by the number. Within a tenant, exact numbers come before patterns,
//! and patterns in their order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use regex::Regex;
use uuid::Uuid;

use super::api_key::KnownKey;
use super::around::Ground;
use super::facts::Facts;
use super::number::whole;
use super::own::{Lead, Own, Pattern};
use super::resumed::Resumed;
use super::screen::Caller;
use super::trunks::Trunks;
use super::user::StoredUser;
use crate::base::ids::{
    ApiKeyId, FlowName, GatewayName, PromptName, TenantId, TenantSlug, TokenId, UserId,
};
use crate::call::admission::Arriving;
use crate::flow::program::{Program, PromptFile, Settings};
use crate::model::admission::{CallLimits, LimitOn, TurnedAway};
use crate::model::e164::NumberPlan;
use crate::model::outbound::Outbound;
use crate::model::profile::Profile;
use crate::model::sip::MediaEncryption;
use crate::model::tenant::{NumberMatch, NumberRoute, Reach, Tenant};

/// What is known of a call that asks for its flow. Empty texts count as absent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    pub dialed: &'a str,
    /// The variable `sip_gateway`.
    pub gateway: Option<&'a str>,
    /// Where the call came from: the variable `sip_network_ip`.
    pub address: Option<&'a str>,
    /// The variables that FusionPBX sets.
    pub domain_uuid: Option<&'a str>,
    pub domain_name: Option<&'a str>,
    /// The Sofia profile.
    pub profile: Option<&'a str>,
}

/// Why a call gets no flow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoRoute {
    #[error("nobody has the number, and there is no default flow")]
    UnknownNumber,
    #[error("no version of the flow `{0}` is published")]
    NotPublished(FlowName),
    #[error("the call does not come from where the gateway's calls come from")]
    GatewayAddress,
}

impl NoRoute {
    /// The reason as the dialplan reads it in `callwright_refused`.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::UnknownNumber => "unknown_number",
            Self::NotPublished(_) => "not_published",
            Self::GatewayAddress => "gateway_address",
        }
    }
}

/// The picture of one moment.
#[derive(Debug, Default)]
pub struct Routes {
    pub(super) tenants: BTreeMap<TenantId, Own>,
    domain_uuids: BTreeMap<Uuid, TenantId>,
    domains: BTreeMap<String, TenantId>,
    gateways: BTreeMap<GatewayName, TenantId>,
    trunks: Trunks,
    /// What the operator's profiles ask of their calls.
    encryptions: BTreeMap<String, MediaEncryption>,
    exact: BTreeMap<String, (TenantId, Lead)>,
    /// The same for tenants that read numbers by these plans.
    plans: BTreeMap<NumberPlan, BTreeMap<String, (TenantId, Lead)>>,
    patterns: Vec<Pattern>,
    default: Option<(TenantId, FlowName)>,
    slugs: BTreeMap<TenantSlug, TenantId>,
    api_keys: BTreeMap<ApiKeyId, Arc<KnownKey>>,
    users: BTreeMap<UserId, Arc<StoredUser>>,
    revoked: BTreeSet<TokenId>,
    pub(super) resumed: Resumed,
}

impl Routes {
    /// The program that the call runs.
    pub fn find(&self, asked: &Asked<'_>) -> Result<Arc<Program>, NoRoute> {
        let caller = Caller { own_phone: true, ..Caller::default() };
        self.arrive(asked, &caller).map(|arriving| arriving.program)
    }

    /// The program that the call runs, and what its tenant's rules say to it.
    pub fn arrive(&self, asked: &Asked<'_>, caller: &Caller<'_>) -> Result<Arriving, NoRoute> {
        let known = self.tenant(asked)?;
        let found = match known {
            Some((tenant, _)) => self.lead(tenant, asked.dialed).map(|lead| (tenant, lead)),
            None => self.anywhere(asked.dialed),
        };
        let (tenant, lead, program) = match found {
            Some((tenant, lead)) => (tenant, Some(lead), self.led(tenant, lead)?),
            None => {
                let (tenant, flow) = self.default.as_ref().ok_or(NoRoute::UnknownNumber)?;
                let program = self.program(*tenant, flow);
                let program = program.ok_or_else(|| NoRoute::NotPublished(flow.clone()))?;
                (*tenant, None, program)
            }
        };
        let Some(own) = self.tenants.get(&tenant) else { return Ok(Arriving::plain(program)) };
        let through = known.filter(|(whose, _)| *whose == tenant).and_then(|(_, through)| through);
        let given = || own.given.iter().find(|name| asked.gateway == Some(name.as_str()));
        let arriving = own.screened(program, asked.dialed, caller, lead, through.or_else(given));
        Ok(self.heard(arriving, asked, caller))
    }

    /// Declines a call whose sound has to be encrypted and is not.
    fn heard(&self, mut arriving: Arriving, asked: &Asked<'_>, caller: &Caller<'_>) -> Arriving {
        let strict = |profile: &&str| self.encryption(profile) == MediaEncryption::Required;
        let profile = asked.profile.filter(strict);
        let profile = profile.map(|profile| format!("the SIP profile `{profile}`"));
        let gateway = || self.trunks.encrypted_only(asked.gateway, asked.address);
        let gateway = || gateway().map(|gateway| format!("the gateway `{gateway}`"));
        let told = if caller.own_phone { "the extension" } else { "the gateway" };
        let told = || caller.sound.encrypted_only.then(|| told.to_owned());
        let Some(whose) = profile.or_else(gateway).or_else(told) else { return arriving };
        arriving.encrypted = true;
        if !caller.sound.encrypted {
            arriving.screening.turned_away = Some(TurnedAway::unencrypted(&whose));
        }
        arriving
    }

    /// What a profile asks of its calls.
    pub fn encryption(&self, profile: &str) -> MediaEncryption {
        self.encryptions.get(profile).copied().unwrap_or_default()
    }

    /// The program of a tenant's number, for whoever is known to be the tenant's own; none where
    /// the tenant has no such number.
    ///
    /// # Errors
    /// Its flow is not published.
    pub fn within(&self, tenant: TenantId, dialed: &str) -> Result<Option<Arc<Program>>, NoRoute> {
        self.lead(tenant, dialed).map(|lead| self.led(tenant, lead)).transpose()
    }

    fn led(&self, tenant: TenantId, lead: &Lead) -> Result<Arc<Program>, NoRoute> {
        let own = self.tenants.get(&tenant).filter(|_| lead.record);
        let recorded = own.and_then(|own| own.recorded.get(&lead.flow)).cloned();
        let program = recorded.or_else(|| self.program(tenant, &lead.flow));
        program.ok_or_else(|| NoRoute::NotPublished(lead.flow.clone()))
    }

    /// A tenant's flow by name, in its published version.
    pub fn program(&self, tenant: TenantId, flow: &FlowName) -> Option<Arc<Program>> {
        self.tenants.get(&tenant)?.programs.get(flow).cloned()
    }

    /// What a tenant's calls find around them, whatever their flow.
    pub fn around(&self, tenant: TenantId) -> Option<(Settings, BTreeMap<PromptName, PromptFile>)> {
        let around = &self.tenants.get(&tenant)?.around;
        Some((around.settings.clone(), around.prompts.clone()))
    }

    /// What a tenant has for calls to numbers outside.
    pub fn outbound(&self, tenant: TenantId) -> Option<Arc<Outbound>> {
        self.tenants.get(&tenant).map(|own| Arc::clone(&own.outbound))
    }

    /// The key of the HTTP API with this id.
    pub fn api_key(&self, id: ApiKeyId) -> Option<Arc<KnownKey>> {
        self.api_keys.get(&id).cloned()
    }

    /// The tenant's user with this id.
    pub fn user(&self, tenant: TenantId, id: UserId) -> Option<Arc<StoredUser>> {
        self.users.get(&id).filter(|stored| stored.tenant == tenant).cloned()
    }

    /// Whether a token was revoked before its time is over.
    pub fn is_revoked(&self, id: TokenId) -> bool {
        self.revoked.contains(&id)
    }

    /// The tenant with this slug.
    pub fn tenant_named(&self, slug: &TenantSlug) -> Option<TenantId> {
        self.slugs.get(slug).copied()
    }

    /// What a tenant is called.
    pub fn slug(&self, tenant: TenantId) -> Option<&TenantSlug> {
        self.tenants.get(&tenant).map(|own| &own.slug)
    }

    /// Each tenant's limits on calls.
    pub fn limits(&self) -> impl Iterator<Item = (&TenantSlug, TenantId, &LimitOn, &CallLimits)> {
        self.tenants.iter().flat_map(|(tenant, own)| {
            own.screen.all_limits().iter().map(|(on, limits)| (&own.slug, *tenant, on, limits))
        })
    }

    /// The tenant, where domain or gateway tell it, and its own gateway.
    fn tenant(
        &self,
        asked: &Asked<'_>,
    ) -> Result<Option<(TenantId, Option<&GatewayName>)>, NoRoute> {
        let uuid = || self.domain_uuids.get(&asked.domain_uuid?.parse().ok()?);
        let domain = || self.domains.get(&asked.domain_name?.to_ascii_lowercase());
        let gateway = || self.gateways.get(asked.gateway?);
        let trunk = self.trunks.of(asked.gateway, asked.address)?;
        let through = |tenant| trunk.filter(|(whose, _)| *whose == tenant).and_then(|own| own.1);
        let known = uuid().or_else(domain).map(|tenant| (*tenant, through(*tenant)));
        Ok(known.or(trunk).or_else(|| gateway().map(|tenant| (*tenant, None))))
    }

    fn lead(&self, tenant: TenantId, dialed: &str) -> Option<&Lead> {
        let own = self.tenants.get(&tenant)?;
        let read = own.screen.read(dialed);
        let written = || [Some(dialed), read.as_deref()].into_iter().flatten();
        let matches = |pattern: &&Pattern| written().any(|dialed| pattern.regex.is_match(dialed));
        let exact = own.exact.get(dialed);
        let exact = exact.or_else(|| own.read.get(read.as_deref().unwrap_or(dialed)));
        exact.or_else(|| own.patterns.iter().find(matches).map(|pattern| &pattern.lead))
    }

    fn anywhere(&self, dialed: &str) -> Option<(TenantId, &Lead)> {
        let read = |plan: &NumberPlan| plan.normalised(dialed);
        let by_plan = || self.plans.iter().find_map(|(plan, numbers)| numbers.get(&read(plan)));
        let exact = self.exact.get(dialed).or_else(by_plan);
        let matches = |pattern: &&Pattern| {
            let plan = self.tenants.get(&pattern.tenant).and_then(|own| own.screen.plan.as_ref());
            pattern.regex.is_match(dialed)
                || plan.is_some_and(|plan| pattern.regex.is_match(&read(plan)))
        };
        let pattern = || self.patterns.iter().find(matches);
        match exact {
            Some((tenant, lead)) => Some((*tenant, lead)),
            None => pattern().map(|pattern| (pattern.tenant, &pattern.lead)),
        }
    }

    /// Draws the picture. Patterns that `before` has compiled already are taken from there.
    pub(super) fn draw(facts: &Facts, ground: &Ground, before: &Self) -> Self {
        let mut routes = Self::default();
        let mut gateways: BTreeMap<&GatewayName, Vec<TenantId>> = BTreeMap::new();
        let known = |known: &KnownKey| (known.key.id, Arc::new(known.clone()));
        routes.api_keys = facts.api_keys.iter().map(known).collect();
        let user = |stored: &StoredUser| (stored.user.id, Arc::new(stored.clone()));
        routes.users = facts.users.iter().map(user).collect();
        routes.revoked = facts.revoked.iter().copied().collect();
        for tenant in &facts.tenants {
            routes.slugs.insert(tenant.slug.clone(), tenant.id);
            if let Some(uuid) = tenant.domain_uuid {
                routes.domain_uuids.insert(uuid, tenant.id);
            }
            if !tenant.domain.is_empty() {
                routes.domains.insert(tenant.domain.to_ascii_lowercase(), tenant.id);
            }
            for gateway in &tenant.gateways {
                gateways.entry(gateway).or_default().push(tenant.id);
            }
            routes.tenants.insert(tenant.id, Own::of(tenant, facts, ground));
        }
        for (gateway, tenants) in gateways {
            if let [tenant] = tenants.as_slice() {
                routes.gateways.insert(gateway.clone(), *tenant);
            }
        }
        routes.trunks = Trunks::of_all(&facts.gateways);
        let asks = |profile: &Profile| (profile.name.to_string(), profile.settings.encryption);
        routes.encryptions = facts.profiles.iter().map(asks).collect();
        routes.default = default_flow(&facts.tenants, ground);
        for number in &facts.numbers {
            routes.add(number.clone(), before);
        }
        routes.patterns.sort_by_key(|pattern| (pattern.order, pattern.tenant));
        routes
    }

    fn add(&mut self, number: NumberRoute, before: &Self) {
        let Some(own) = self.tenants.get_mut(&number.tenant) else { return };
        let everywhere = number.reach == Reach::Everywhere;
        let (NumberMatch::Exact(value) | NumberMatch::Pattern(value)) = &number.number;
        let (flow, record, label) = (number.flow, number.record, number.label);
        let lead = Lead { number: value.clone(), flow, record, label };
        own.keep_recorded(&lead);
        match number.number {
            NumberMatch::Exact(value) => {
                if let Some(plan) = &own.screen.plan {
                    let read = plan.normalised(&value);
                    own.read.insert(read.clone(), lead.clone());
                    if everywhere {
                        let new = || (number.tenant, lead.clone());
                        let known = self.plans.entry(plan.clone()).or_default();
                        let known = known.entry(read).or_insert_with(new);
                        // Of two that are read alike the older tenant has it.
                        if number.tenant < known.0 {
                            *known = new();
                        }
                    }
                }
                if everywhere {
                    self.exact.insert(value.clone(), (number.tenant, lead.clone()));
                }
                own.exact.insert(value, lead);
            }
            NumberMatch::Pattern(text) => {
                let Some(regex) = before.compiled(number.tenant, &text) else { return };
                let (order, tenant) = (number.order, number.tenant);
                let pattern = Pattern { order, text, regex, tenant, lead };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::FlowId;
    use crate::flow::Flow;
    use crate::flow::program::Published;
    use crate::store::config::DefaultFlow;
    use crate::store::facts::FlowVersion;

    fn name(text: &str) -> FlowName {
        text.parse().unwrap()
    }

    fn tenant(number: u128, gateways: &[&str]) -> Tenant {
        Tenant {
            id: TenantId(Uuid::from_u128(number)),
            slug: format!("t{number}").parse().unwrap(),
            name: String::new(),
            domain: format!("t{number}.example"),
            domain_uuid: Some(Uuid::from_u128(number + 100)),
            timezone: "UTC".into(),
            gateways: gateways.iter().map(|gateway| gateway.parse().unwrap()).collect(),
            sip_hosts: Vec::new(),
            contexts: Vec::new(),
            mask_parties: false,
            talk: serde_json::json!({}),
            numbering: None,
            created: "2026-11-22T00:00:00Z".parse().unwrap(),
        }
    }

    fn number(
        tenant: u128,
        number: NumberMatch,
        flow: &str,
        order: i32,
        reach: Reach,
    ) -> NumberRoute {
        let tenant = TenantId(Uuid::from_u128(tenant));
        let flow = name(flow);
        NumberRoute { tenant, number, flow, order, reach, record: false, label: None }
    }

    fn exact(text: &str) -> NumberMatch {
        NumberMatch::Exact(text.into())
    }

    fn pattern(text: &str) -> NumberMatch {
        NumberMatch::Pattern(text.into())
    }

    /// Two tenants that share the gateway `carrier`, each with a gateway of its own.
    fn routes(default_flow: Option<DefaultFlow>) -> Routes {
        let document = serde_json::json!({
            "callwright": 1, "start": "bye", "steps": { "bye": { "kind": "hangup" } },
        });
        let flow: Flow = serde_json::from_value(document).unwrap();
        let flows = ["exact", "low", "high", "inside", "lost"];
        let tenants = vec![tenant(1, &["carrier", "own1"]), tenant(2, &["carrier", "own2"])];
        let numbers = vec![
            number(1, exact("+15550100"), "exact", 0, Reach::Everywhere),
            number(1, pattern(r"\+1555\d{4}"), "high", 20, Reach::Everywhere),
            number(2, pattern(r"\+1555\d+"), "low", 10, Reach::Everywhere),
            number(1, exact("100"), "inside", 0, Reach::Tenant),
            NumberRoute { record: true, ..number(1, exact("101"), "inside", 0, Reach::Tenant) },
            number(2, exact("100"), "exact", 0, Reach::Tenant),
            number(2, exact("300"), "unpublished", 0, Reach::Everywhere),
        ];
        let version = |tenant: &Tenant, text: &&str| FlowVersion {
            flow: FlowId(Uuid::nil()),
            tenant: tenant.id,
            current: true,
            published: Arc::new(Published::new(name(text), 1, flow.clone())),
        };
        let both = tenants.iter().flat_map(|tenant| flows.iter().map(|text| version(tenant, text)));
        let versions = both.collect();
        let facts = Facts {
            counter: 0,
            tenants,
            numbers,
            prompts: Vec::new(),
            rooms: Vec::new(),
            versions,
            ..Facts::default()
        };
        let ground = Ground { default_flow, ..Ground::default() };
        Routes::draw(&facts, &ground, &Routes::default())
    }

    #[test]
    fn a_number_whose_calls_are_recorded_shares_its_flow_with_one_whose_are_not() {
        let routes = routes(None);
        let recorded = |dialed| {
            let asked = Asked { gateway: Some("own1"), ..self::dialed(dialed) };
            let program = routes.find(&asked).unwrap();
            assert_eq!(program.main, name("inside"));
            program.settings.record_number
        };
        assert!(recorded("101"));
        assert!(!recorded("100"));
    }

    /// Tenant and flow as `1 exact`, or the word of the refusal.
    fn found(asked: Asked<'_>) -> String {
        match routes(None).find(&asked) {
            Ok(program) => format!("{} {}", program.tenant.0.as_u128(), program.main),
            Err(refused) => refused.word().into(),
        }
    }

    fn dialed(dialed: &str) -> Asked<'_> {
        Asked { dialed, ..Asked::default() }
    }

    #[test]
    fn an_exact_number_comes_before_any_pattern_and_patterns_in_their_order() {
        assert_eq!(found(dialed("+15550100")), "1 exact");
        assert_eq!(found(dialed("+15550101")), "2 low");
        let through_own = Asked { gateway: Some("own1"), ..dialed("+15550101") };
        assert_eq!(found(through_own), "1 high");
    }

    #[test]
    fn the_domain_counts_more_than_the_gateway_and_that_more_than_the_number() {
        let uuid = Uuid::from_u128(101).to_string();
        let all = Asked {
            domain_uuid: Some(&uuid),
            domain_name: Some("t2.example"),
            gateway: Some("own2"),
            ..dialed("100")
        };
        assert_eq!(found(all), "1 inside");
        assert_eq!(found(Asked { domain_uuid: None, ..all }), "2 exact");
        let by_name = Asked { domain_name: Some("T1.Example"), domain_uuid: None, ..all };
        assert_eq!(found(by_name), "1 inside");
        let by_gateway = Asked { gateway: Some("own1"), ..dialed("100") };
        assert_eq!(found(by_gateway), "1 inside");
        assert_eq!(found(dialed("100")), "unknown_number");
    }

    #[test]
    fn a_known_tenants_call_never_reaches_another_tenants_number() {
        let own = Asked { gateway: Some("own2"), ..dialed("+15550100") };
        assert_eq!(found(own), "2 low");
        let domain = Asked { domain_name: Some("t1.example"), ..dialed("300") };
        assert_eq!(found(domain), "unknown_number");
    }

    #[test]
    fn a_tenants_own_phone_reaches_that_tenants_numbers_and_no_others() {
        let default = DefaultFlow { tenant: "t1".parse().unwrap(), flow: name("lost") };
        let routes = routes(Some(default));
        let within = |tenant, dialed| {
            let found = routes.within(TenantId(Uuid::from_u128(tenant)), dialed);
            let found = found.map_err(|refused| refused.word())?;
            Ok(found.map(|program| (program.main.to_string(), program.settings.record_number)))
        };
        assert_eq!(within(1, "100"), Ok(Some(("inside".to_owned(), false))));
        assert_eq!(within(1, "101"), Ok(Some(("inside".to_owned(), true))));
        assert_eq!(within(2, "101"), Ok(None), "another tenant's");
        assert_eq!(within(1, "999"), Ok(None), "the default flow is for strangers");
        assert_eq!(within(2, "300"), Err("not_published"));
        assert_eq!(within(9, "100"), Ok(None));
    }

    #[test]
    fn a_domain_or_gateway_that_nobody_or_several_have_says_nothing() {
        let strange = Asked {
            domain_uuid: Some("not a uuid"),
            domain_name: Some("switch.local"),
            gateway: Some("carrier"),
            ..dialed("+15550100")
        };
        assert_eq!(found(strange), "1 exact");
        let empty =
            Asked { domain_uuid: Some(""), domain_name: Some(""), gateway: Some(""), ..strange };
        assert_eq!(found(empty), "1 exact");
    }

    #[test]
    fn without_a_flow_the_reason_is_said_and_the_default_helps_only_strangers() {
        assert_eq!(found(dialed("300")), "not_published");
        let default = DefaultFlow { tenant: "t2".parse().unwrap(), flow: name("lost") };
        let routes = routes(Some(default));
        let lost = routes.find(&dialed("999")).unwrap();
        assert_eq!((lost.tenant.0.as_u128(), lost.main.as_str()), (2, "lost"));
        assert!(routes.find(&dialed("300")).is_err());
    }
}
