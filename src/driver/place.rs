//! Calls that we begin. Until somebody has answered, a placed call is one without a connection.

use std::sync::Arc;

use super::call::Shared;
use super::session::running::Running;
use super::stray::{self, Stray};
use super::translate::variables::Former;
use crate::base::ids::{CallId, ChannelId, TenantId};
use crate::call::Call;
use crate::call::place::{Placement, Unplaceable};
use crate::model::live::LiveCall;

/// Why no call is placed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    #[error(transparent)]
    Wrong(#[from] Unplaceable),
    /// It can't be done now, or here.
    #[error("{0}")]
    Unable(&'static str),
}

/// Begins to call somebody for a tenant; `by` is who wants it, in words. What becomes of it the
/// call's timeline and record tell.
///
/// # Errors
/// The tenant may not call them, no such flow is live, or there is no way to FreeSWITCH.
pub fn place(
    shared: &Arc<Shared>,
    tenant: TenantId,
    placement: &Placement,
    by: &str,
) -> Result<LiveCall, PlaceError> {
    let program = shared.router.live(tenant, placement.flow()).map_err(|why| {
        let field = if placement.flow().is_some() { "then.flow.name" } else { "then" };
        Unplaceable { field, why }
    })?;
    let (call, now) = (CallId(uuid::Uuid::now_v7()), shared.clock.now());
    let channel = channel();
    let call = Call::place(call, channel.clone(), placement, by, program, now)?;
    if !shared.switchboard.is_there() {
        return Err(PlaceError::Unable("no `link` to a FreeSWITCH is set"));
    }
    if shared.draining.is_cancelled() {
        return Err(PlaceError::Unable("this process is about to end"));
    }
    tracing::info!(call = %call.id(), "a call is placed");
    let live = call.live(shared.settings.instance);
    let running = Running::new(call, channel, Former::default(), &shared.settings);
    stray::adopt(shared, Stray::placed(Box::new(running)));
    Ok(live)
}

#[allow(clippy::unwrap_used, reason = "a UUID is a channel's identity")]
fn channel() -> ChannelId {
    uuid::Uuid::now_v7().to_string().parse().unwrap()
}
