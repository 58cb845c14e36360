//! What a flow is checked against.

use crate::app::config::Config;
use crate::base::ids::{FlowName, TenantSlug};
use crate::cli::tenant_scope;
use crate::flow::check::World;
use crate::store::{Store, TenantScope};

/// Everything that the tenant with this slug has, for a flow of its own named `this`.
pub(super) async fn of(
    store: &Store,
    slug: &TenantSlug,
    this: Option<&FlowName>,
    config: &Config,
) -> anyhow::Result<(TenantScope, World)> {
    let scope = tenant_scope(store, slug).await?;
    let world = scope.world(this, config.store.speech.is_some()).await?;
    Ok((scope, world))
}
