//! `callwright park`: who is parked in a tenant's slots, and taking a caller from there.

use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;

use crate::app::config::Config;
use crate::base::ids::{GatewayName, TenantSlug};
use crate::base::slot::Slot;
use crate::call::input::Command;
use crate::control::protocol::Request;
use crate::driver::registry::Scope;

use super::args::Goal;
use super::screen::Screen;
use super::tenant_scope;

#[derive(Debug, Subcommand)]
pub enum ParkCommand {
    /// Who waits in which slot
    List,
    /// Call an extension, or with --gateway a number, that is to have the caller in a slot
    Retrieve {
        slot: Slot,
        /// Who is called
        #[arg(long)]
        by: String,
        #[arg(long)]
        gateway: Option<GatewayName>,
    },
}

pub(super) async fn run(
    tenant: &TenantSlug,
    command: Option<&ParkCommand>,
    config: &Config,
    screen: Screen,
) -> anyhow::Result<ExitCode> {
    let scope = tenant_scope(&super::open(config).await?, tenant).await?;
    let parked = scope.parked().await?;
    match command.unwrap_or(&ParkCommand::List) {
        ParkCommand::List => screen.either(&parked, |screen| {
            let rows = parked.iter().map(|one| {
                let since = one.since.strftime("%F %T").to_string();
                let (party, parker) = (one.party.clone(), one.parker.clone());
                [one.slot.to_string(), party, parker, since, one.call.to_string()]
            });
            screen.table(["SLOT", "CALLER", "PARKED BY", "SINCE (UTC)", "CALL"], rows)
        })?,
        ParkCommand::Retrieve { slot, by, gateway } => {
            let Some(found) = parked.iter().find(|one| one.slot == *slot) else {
                bail!("nobody is in slot {slot}");
            };
            let to = Goal { target: by.clone(), gateway: gateway.clone() };
            let command = Command::Retrieve { to: super::control::goal(&to)? };
            let scope = Scope::Tenant(scope.id());
            super::control::ask(config, &Request::Tell { scope, call: found.call, command })
                .await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
