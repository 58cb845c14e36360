//! One tenant's part of the picture: its numbers, programs and rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;

use super::around::{Around, Ground, reachable};
use super::facts::Facts;
use super::outbound;
use super::screen::{Caller, Screen};
use crate::base::ids::{FlowName, GatewayName, TenantId, TenantSlug};
use crate::call::admission::{Arriving, Screening};
use crate::call::arrival::Via;
use crate::flow::program::{Program, Published};
use crate::model::admission::TurnedAway;
use crate::model::outbound::Outbound;
use crate::model::tenant::Tenant;

/// One tenant's part of it.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) slug: TenantSlug,
    pub(super) exact: BTreeMap<String, Lead>,
    /// As the tenant's plan reads them.
    pub(super) read: BTreeMap<String, Lead>,
    pub(super) screen: Screen,
    /// Names of gateways that the operator gave the tenant.
    pub(super) given: Vec<GatewayName>,
    pub(super) patterns: Vec<Pattern>,
    pub(super) programs: BTreeMap<FlowName, Arc<Program>>,
    /// Those of numbers whose conversations are recorded.
    pub(super) recorded: BTreeMap<FlowName, Arc<Program>>,
    pub(super) around: Around,
    pub(super) outbound: Arc<Outbound>,
    /// What calls may run that began earlier, and what new ones get.
    pub(super) versions: Versions,
}

pub(super) type Versions = BTreeMap<(FlowName, u32), Arc<Published>>;

/// Where a number leads.
#[derive(Debug, Clone)]
pub(super) struct Lead {
    /// As the number map has it.
    pub(super) number: String,
    pub(super) flow: FlowName,
    pub(super) record: bool,
    pub(super) label: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Pattern {
    pub(super) order: i32,
    pub(super) text: String,
    pub(super) regex: Regex,
    pub(super) tenant: TenantId,
    pub(super) lead: Lead,
}

impl Own {
    pub(super) fn of(tenant: &Tenant, facts: &Facts, ground: &Ground) -> Self {
        let prompts = facts.prompts.iter().filter(|prompt| prompt.tenant == tenant.id);
        let rooms = facts.rooms.iter().filter(|room| room.tenant == tenant.id);
        let mut around = Around::of(tenant, prompts, rooms, ground);
        let own = facts.gateways.iter().filter(|one| one.tenant == tenant.id);
        around.add_gateways(own);
        around.add_schedules(facts.schedules.iter().filter(|one| one.tenant == tenant.id));
        let screen = Screen::of(tenant.id, tenant.numbering.clone(), facts);
        let outbound = outbound::picture(tenant, facts, &screen);
        around.settings.decides_outside = outbound.decides();
        let mut versions = Versions::new();
        let mut flows = BTreeMap::new();
        for one in facts.versions.iter().filter(|one| one.tenant == tenant.id) {
            let (name, published) = (&one.published.name, Arc::clone(&one.published));
            versions.insert((name.clone(), published.version), Arc::clone(&published));
            if one.current {
                flows.insert(name.clone(), published);
            }
        }
        let program = |main: &FlowName| around.program(main, reachable(main, &flows));
        let programs = flows.keys().map(|main| (main.clone(), Arc::new(program(main)))).collect();
        Self {
            slug: tenant.slug.clone(),
            exact: BTreeMap::new(),
            read: BTreeMap::new(),
            screen,
            given: tenant.gateways.clone(),
            patterns: Vec::new(),
            programs,
            recorded: BTreeMap::new(),
            around,
            outbound: Arc::new(outbound),
            versions,
        }
    }

    /// What the tenant's rules say to a call that found its program.
    pub(super) fn screened(
        &self,
        program: Arc<Program>,
        dialed: &str,
        caller: &Caller<'_>,
        lead: Option<&Lead>,
        gateway: Option<&GatewayName>,
    ) -> Arriving {
        let number = lead.map(|lead| lead.number.clone());
        let turned_away = self.screen.blocks(caller).map(TurnedAway::blocked);
        let limits = self.screen.limits(caller, number.as_deref(), gateway);
        let limited = limits.iter().filter_map(|limit| limit.limits.instead.as_ref());
        let others = turned_away.iter().map(|turned| &turned.instead).chain(limited);
        let named = |flow: &FlowName| Some((flow.clone(), Arc::clone(self.programs.get(flow)?)));
        let flows = others.filter_map(|instead| named(instead.flow()?)).collect();
        Arriving {
            program,
            screening: Screening { turned_away, limits, flows },
            caller_number: self.screen.read(caller.number),
            dialed: self.screen.read(dialed),
            via: Via { number, gateway: gateway.cloned(), ..Via::default() },
            label: lead.and_then(|lead| lead.label.clone()),
            encrypted: false,
        }
    }

    /// The same program, but for its conversations being recorded.
    pub(super) fn keep_recorded(&mut self, lead: &Lead) {
        if lead.record
            && !self.recorded.contains_key(&lead.flow)
            && let Some(program) = self.programs.get(&lead.flow)
        {
            let mut program = Program::clone(program);
            program.settings.record_number = true;
            self.recorded.insert(lead.flow.clone(), Arc::new(program));
        }
    }
}
