//! `callwright key …`

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;

use crate::app::config::Config;
use crate::base::ids::TenantSlug;
use crate::store::{Store, WrappedKey};

use super::recording::By;
use super::screen::{Screen, count};
use super::tenant_scope;

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// The keys of a tenant's recordings
    List {
        #[arg(long)]
        tenant: TenantSlug,
    },
    /// Give a tenant a new key; or wrap all tenants' keys with the operator's first key
    Rotate {
        #[arg(long, required_unless_present = "operator")]
        tenant: Option<TenantSlug>,
        /// The first key of the key file, instead of a tenant's
        #[arg(long, conflicts_with = "tenant")]
        operator: bool,
        #[command(flatten)]
        by: By,
    },
    /// Destroy a tenant's keys: nobody can hear any of its recordings again
    Destroy {
        #[arg(long)]
        tenant: TenantSlug,
        /// The tenant's name once more
        #[arg(long)]
        confirm: TenantSlug,
        #[command(flatten)]
        by: By,
    },
}

pub(super) async fn run(
    command: KeyCommand,
    config: &Config,
    store: &Store,
    screen: Screen,
) -> anyhow::Result<ExitCode> {
    match command {
        KeyCommand::List { tenant } => {
            let keys = tenant_scope(store, &tenant).await?.keys().await?;
            screen.either(&keys, |screen| {
                let head = ["KEY", "STATE", "CREATED (UTC)", "OPERATOR'S KEY"];
                screen.table(head, keys.iter().map(row))
            })?;
        }
        KeyCommand::Rotate { operator: true, .. } => {
            let wrapped = config.archive(store)?.rotate_operator().await?;
            let keys = count(usize::try_from(wrapped)?, "tenant's key");
            screen.line(format!("{keys} wrapped again; the others of the file may go"))?;
        }
        KeyCommand::Rotate { tenant, by, .. } => {
            let scope = tenant_scope(store, &tenant.context("--tenant is missing")?).await?;
            let wrapped = config.archive(store)?.rotate(scope.id(), &by.into()).await?;
            let recordings = count(usize::try_from(wrapped)?, "recording");
            screen.line(format!("a new key is in use; {recordings} wrapped again"))?;
        }
        KeyCommand::Destroy { tenant, confirm, by } => {
            if tenant != confirm {
                bail!("--confirm names another tenant: nothing was done");
            }
            let scope = tenant_scope(store, &tenant).await?;
            let lost = config.archive(store)?.destroy(scope.id(), &by.into()).await?;
            let recordings = count(usize::try_from(lost)?, "recording");
            screen
                .line(format!("the keys of {tenant} are destroyed, and {recordings} with them"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn row(key: &WrappedKey) -> [String; 4] {
    let state = match (key.destroyed, &key.wrapped) {
        (Some(_), _) => "destroyed",
        (None, Some(_)) => "there",
        (None, None) => "retired",
    };
    [
        key.number.to_string(),
        state.to_owned(),
        key.created.strftime("%F %T").to_string(),
        key.operator_key.clone(),
    ]
}
