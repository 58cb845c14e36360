//! Calls that ended while nobody held them: a record is made of what is known.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Operator, StoreError, write};
use crate::base::cause::Termination;
use crate::model::admission::AsSent;
use crate::model::live::LiveCall;
use crate::model::record::{CallRecord, CameBy, LegRecord, LegRole, Visit};
use crate::model::timeline::{Entry, What};

impl Operator {
    /// Closes a call that ended unseen: writes its record from the live row and the timeline, at
    /// the time of its last entry unless `at` is known. None if the call changed hands since `live`
    /// was read, or has a record: whoever else closes it at the same time, one record is written.
    pub async fn close_unseen(
        &self,
        live: &LiveCall,
        termination: &Termination,
        at: Option<Timestamp>,
    ) -> Result<Option<CallRecord>, StoreError> {
        let timeline = match self.store.tenant(live.tenant).timeline(live.call).await {
            Ok(timeline) => timeline,
            Err(StoreError::NotFound { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        let record = closed(live, &timeline, termination, at);
        let written = write::close(&self.store, live, &record).await?;
        Ok(written.then_some(record))
    }
}

/// The record of a call of which nothing else is known.
fn closed(
    live: &LiveCall,
    timeline: &[Entry],
    termination: &Termination,
    at: Option<Timestamp>,
) -> CallRecord {
    let last = timeline.iter().map(|entry| entry.at).max();
    let ended = at.or(last).unwrap_or(live.started).max(live.started);
    let answered = timeline.iter().find(|entry| entry.what == What::Answered);
    let answered = answered.map(|entry| entry.at);
    let leg = LegRecord {
        channel: Some(live.channel.clone()),
        role: LegRole::Caller,
        party: live.caller_number.clone(),
        started: live.started,
        answered,
        ended: Some(ended),
        held_ms: 0,
        cause: Some(termination.cause),
    };
    CallRecord {
        call: live.call,
        tenant: live.tenant,
        flow: live.flow.clone(),
        version: live.version,
        caller_name: live.caller_name.clone(),
        caller_number: live.caller_number.clone(),
        dialed: live.dialed.clone(),
        started: live.started,
        answered,
        ended,
        legs: vec![leg],
        path: path(timeline, ended),
        termination: termination.clone(),
        versions: BTreeMap::new(),
        came_by: CameBy {
            number: live.number.clone(),
            gateway: live.gateway.clone(),
            placed: false,
        },
        hands: live.term,
        swept: true,
        recordings: Vec::new(),
        transfers: Vec::new(),
        turned_away: None,
        as_sent: AsSent::default(),
        variables: BTreeMap::new(),
    }
}

/// The steps that the call went through; one that it did not leave lasts to the end.
fn path(timeline: &[Entry], ended: Timestamp) -> Vec<Visit> {
    let took = |from: Timestamp, to: Timestamp| {
        u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
    };
    let mut path: Vec<Visit> = Vec::new();
    let mut open: Option<Visit> = None;
    for entry in timeline {
        match &entry.what {
            What::StepEntered { flow, step, .. } => {
                path.extend(
                    open.take()
                        .map(|visit| Visit { took_ms: took(visit.entered, entry.at), ..visit }),
                );
                open = Some(Visit {
                    flow: flow.clone(),
                    step: step.clone(),
                    entered: entry.at,
                    took_ms: 0,
                    outcome: String::new(),
                    keys: String::new(),
                    no_input: 0,
                    invalid: 0,
                    queue: None,
                    answered_ms: None,
                });
            }
            What::StepLeft { step, outcome, .. } => {
                if let Some(visit) = open.take_if(|visit| visit.step == *step) {
                    let took_ms = took(visit.entered, entry.at);
                    path.push(Visit { took_ms, outcome: outcome.clone(), ..visit });
                }
            }
            What::Key { key } => {
                if let Some(visit) = &mut open {
                    visit.keys.push_str(key);
                }
            }
            _ => {}
        }
    }
    path.extend(open.map(|visit| Visit { took_ms: took(visit.entered, ended), ..visit }));
    path
}
