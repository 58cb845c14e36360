//! `callwright outbound …`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::base::ids::{RouteName, TenantSlug};
use crate::model::outbound::{RouteGateway, Rules, Usage};
use crate::store::{Store, StoredRoute};

use super::screen::Screen;
use super::tenant_scope;

#[derive(Debug, Subcommand)]
pub enum OutboundCommand {
    /// A tenant's routes: by which gateways numbers are called
    Routes {
        #[arg(long)]
        tenant: TenantSlug,
    },
    /// Lay down a route
    Route {
        name: RouteName,
        /// YAML or JSON: `prefix`, `gateways`, `order`, `strip`, `prepend`, `fails_over`
        file: PathBuf,
        #[arg(long)]
        tenant: TenantSlug,
    },
    /// Forget a route
    Remove {
        name: RouteName,
        #[arg(long)]
        tenant: TenantSlug,
    },
    /// What a tenant may call; with a file, lay that down
    Rules {
        /// YAML or JSON: `allowed`, `denied`, `calls`, `per_second`, `minutes_per_day`,
        /// `minutes_per_month`, `fraud`, `emergency`
        file: Option<PathBuf>,
        #[arg(long)]
        tenant: TenantSlug,
    },
    /// What a tenant's calls come to now, and whether they are locked
    Usage {
        #[arg(long)]
        tenant: TenantSlug,
    },
    /// Call no numbers outside until somebody unlocks, but for help
    Lock {
        /// Why, for whoever is asked to unlock
        why: String,
        #[arg(long)]
        tenant: TenantSlug,
    },
    /// Let a locked tenant call again
    Unlock {
        #[arg(long)]
        tenant: TenantSlug,
    },
}

impl OutboundCommand {
    const fn tenant(&self) -> &TenantSlug {
        match self {
            Self::Routes { tenant }
            | Self::Route { tenant, .. }
            | Self::Remove { tenant, .. }
            | Self::Rules { tenant, .. }
            | Self::Usage { tenant }
            | Self::Lock { tenant, .. }
            | Self::Unlock { tenant } => tenant,
        }
    }
}

pub(super) async fn run(
    command: OutboundCommand,
    store: &Store,
    screen: Screen,
) -> anyhow::Result<ExitCode> {
    let scope = tenant_scope(store, command.tenant()).await?;
    match command {
        OutboundCommand::Routes { .. } => {
            let all = scope.outbound_routes().await?;
            screen.either(&all, |screen| routes(&all, screen))?;
        }
        OutboundCommand::Route { name, file, .. } => {
            let stored = scope.put_route(&name, &read(&file, "route")?).await?;
            screen.either(&stored, |screen| {
                screen.line(format!("calls go by the route {name} from now on"))
            })?;
        }
        OutboundCommand::Remove { name, .. } => {
            scope.remove_route(&name).await?;
            let removed = json!({ "name": name });
            screen.either(&removed, |screen| screen.line(format!("route {name} removed")))?;
        }
        OutboundCommand::Rules { file, .. } => {
            let rules = match file {
                Some(file) => scope.set_outbound_rules(&read::<Rules>(&file, "rules")?).await?,
                None => scope.outbound_rules().await?,
            };
            let text = serde_json::to_string_pretty(&rules)?;
            screen.either(&rules, |screen| screen.line(text))?;
        }
        OutboundCommand::Usage { .. } => {
            let timezone = scope.tenant().await?.timezone;
            let found = scope.outbound_usage(&timezone).await?;
            screen.either(&found, |screen| usage(&found, screen))?;
        }
        OutboundCommand::Lock { why, .. } => {
            let lock = scope.lock_outbound(&why).await?;
            screen.either(&lock, |screen| screen.line("only help is called from now on"))?;
        }
        OutboundCommand::Unlock { .. } => {
            scope.unlock_outbound().await?;
            screen.either(&json!({}), |screen| screen.line("calls are made again"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read<T: DeserializeOwned>(file: &Path, what: &str) -> anyhow::Result<T> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("`{shown}`"))?;
    serde_saphyr::from_str(&text).with_context(|| format!("`{shown}` holds no {what}"))
}

fn routes(all: &[StoredRoute], screen: Screen) -> std::io::Result<()> {
    let gateway = |one: &RouteGateway| format!("{} ({}, {})", one.gateway, one.order, one.weight);
    let rows = all.iter().map(|stored| {
        let route = &stored.route;
        let gateways: Vec<_> = route.gateways.iter().map(gateway).collect();
        let prefix = if route.prefix.as_str().is_empty() { "all" } else { route.prefix.as_str() };
        let (order, prefix) = (route.order.to_string(), prefix.to_owned());
        [stored.name.to_string(), order, prefix, gateways.join(", ")]
    });
    screen.table(["ROUTE", "ORDER", "PREFIX", "GATEWAYS (ORDER, WEIGHT)"], rows)
}

fn usage(usage: &Usage, screen: Screen) -> std::io::Result<()> {
    screen.line(format!(
        "{} calls; {} minutes today, {} this month",
        usage.calls, usage.minutes_today, usage.minutes_this_month
    ))?;
    for (gateway, calls) in &usage.gateways {
        screen.line(format!("gateway {gateway}: {calls}"))?;
    }
    match &usage.lock {
        Some(lock) => screen.line(format!("locked since {}: {}", lock.since, lock.why)),
        None => Ok(()),
    }
}
