//! A phone sends a party to a number of the tenant that leads to a flow (REFER): the party enters
//! that flow as if it had dialed the number.
//!
//! The caller does so in its own call. What the call keeps grows by the flows that it can reach
//! from there; of a flow that it has already it keeps the version with which it began.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::ids::FlowName;
use crate::call::{Call, variables};
use crate::flow::program::Program;
use crate::model::record::TransferKind;

impl Call {
    /// Enters the flow to which the number `to` leads, in the name of whose phone it was.
    pub(super) fn led(
        &mut self,
        by: &str,
        to: &str,
        program: &Program,
        variables: BTreeMap<String, String>,
    ) {
        let transfer = self.note_transfer(TransferKind::Blind, by, 0, to);
        self.transfer_is(transfer, "done");
        self.state.bridged = None;
        self.state.talk.moved = None;
        self.state.talk.led_by = Some(to.to_owned());
        self.state.talk.record_number |= program.settings.record_number;
        for (name, value) in variables {
            self.state.arrival.variables.entry(name).or_insert(value);
        }
        self.keep_flows(program);
        self.go_to_flow(&program.main, "a phone moved the caller to a number");
    }

    /// Takes the flows of `other` into the call's program.
    pub(in crate::call) fn keep_flows(&mut self, other: &Program) {
        let mut program = Program::clone(&self.program);
        let before: Vec<FlowName> = program.flows.keys().cloned().collect();
        for (name, flow) in &other.flows {
            program.flows.entry(name.clone()).or_insert_with(|| Arc::clone(flow));
            self.state.versions.entry(name.clone()).or_insert(flow.version);
        }
        // A visit names its flow by the place.
        for trace in &mut self.state.path {
            let place = before.get(trace.flow);
            let place = place.and_then(|name| program.flows.keys().position(|flow| flow == name));
            trace.flow = place.unwrap_or(trace.flow);
        }
        if variables::asks_secrets(&program) {
            self.live.guarded_keys = true;
            self.state.ahead.guard();
        }
        self.program = Arc::new(program);
    }
}
