//! What a tenant has, as far as flows refer to it.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::ids::{FlowName, GatewayName, PromptName, RoomName, ScheduleName, VarName};
use crate::flow::{Flow, Step};

/// What a tenant has. Where a part is not known it is not checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct World {
    /// The name of the flow that is checked, as others call it.
    pub this: Option<FlowName>,
    pub prompts: Option<BTreeSet<PromptName>>,
    /// The tenant's flows, each in the version that calls get.
    pub flows: Option<BTreeMap<FlowName, FlowFacts>>,
    pub gateways: Option<BTreeSet<GatewayName>>,
    /// Hosts that SIP addresses may name.
    pub sip_hosts: Option<BTreeSet<String>>,
    pub contexts: Option<BTreeSet<String>>,
    /// Conference rooms.
    pub rooms: Option<BTreeSet<RoomName>>,
    /// Opening hours by name.
    pub schedules: Option<BTreeSet<ScheduleName>>,
    /// Whether a text-to-speech engine is configured.
    pub speech: Option<bool>,
}

/// What others need to know of a flow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FlowFacts {
    pub arguments: BTreeSet<VarName>,
    /// The flows that it calls.
    pub calls: BTreeSet<FlowName>,
}

impl World {
    /// Of which nothing is known: a flow is checked by itself.
    pub fn unknown() -> Self {
        Self::default()
    }

    /// That has nothing at all.
    pub fn empty() -> Self {
        Self {
            this: None,
            prompts: Some(BTreeSet::new()),
            flows: Some(BTreeMap::new()),
            gateways: Some(BTreeSet::new()),
            sip_hosts: Some(BTreeSet::new()),
            contexts: Some(BTreeSet::new()),
            rooms: Some(BTreeSet::new()),
            schedules: Some(BTreeSet::new()),
            speech: Some(false),
        }
    }
}

impl FlowFacts {
    pub fn of(flow: &Flow) -> Self {
        let called = |step: &Step| match step {
            Step::Flow(subflow) => Some(subflow.flow.clone()),
            _ => None,
        };
        Self {
            arguments: flow.arguments.keys().cloned().collect(),
            calls: flow.steps.values().filter_map(called).collect(),
        }
    }
}
