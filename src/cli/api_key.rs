//! `callwright api-key …`

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use ipnet::IpNet;
use jiff::Timestamp;
use serde::Serialize;

use super::screen::Screen;
use super::{operator, tenant_scope};
use crate::base::ids::{ApiKeyId, TenantSlug};
use crate::model::access::{ApiKey, Power, Role};
use crate::store::{NewApiKey, Store};

#[derive(Debug, Subcommand)]
pub enum ApiKeyCommand {
    /// Make a key, and show it once
    Add(NewKey),
    /// The keys of a tenant, or the operator's own
    List {
        #[arg(long)]
        tenant: Option<TenantSlug>,
    },
    /// Nobody can use the key any more
    Revoke {
        key: ApiKeyId,
        /// The tenant whose key it is; without it the operator's own
        #[arg(long)]
        tenant: Option<TenantSlug>,
    },
}

#[derive(Debug, Args)]
pub struct NewKey {
    /// What it is for
    pub name: String,
    #[arg(long)]
    pub role: RoleName,
    /// Whose; without it the operator's own
    #[arg(long)]
    pub tenant: Option<TenantSlug>,
    /// Only this of what the role may do, such as `calls:read`; may be repeated
    #[arg(long = "power", value_name = "POWER")]
    pub powers: Vec<Power>,
    /// Only from this network, such as `192.0.2.0/24`; may be repeated
    #[arg(long = "from", value_name = "NETWORK")]
    pub addresses: Vec<IpNet>,
    /// When it ends, such as `2027-01-01T00:00:00Z`
    #[arg(long, value_name = "TIME")]
    pub expires: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RoleName {
    Operator,
    Admin,
    Supervisor,
    Agent,
    Reader,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Operator => Self::Operator,
            RoleName::Admin => Self::Admin,
            RoleName::Supervisor => Self::Supervisor,
            RoleName::Agent => Self::Agent,
            RoleName::Reader => Self::Reader,
        }
    }
}

/// A key at the one moment when it is known whole.
#[derive(Serialize)]
struct Made<'a> {
    key: &'a ApiKey,
    secret: &'a str,
}

pub(super) async fn run(
    command: ApiKeyCommand,
    store: &Store,
    screen: Screen,
) -> anyhow::Result<ExitCode> {
    match command {
        ApiKeyCommand::Add(new) => add(new, store, screen).await?,
        ApiKeyCommand::List { tenant } => {
            let keys = match tenant {
                Some(slug) => tenant_scope(store, &slug).await?.api_keys().await?,
                None => store.operator().api_keys().await?,
            };
            screen.either(&keys, |screen| list(&keys, screen))?;
        }
        ApiKeyCommand::Revoke { key, tenant } => {
            match tenant {
                Some(slug) => tenant_scope(store, &slug).await?.revoke_api_key(key).await?,
                None => operator(store).revoke_api_key(key).await?,
            }
            screen.either(&key, |screen| screen.line(format!("key {key} revoked")))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn add(args: NewKey, store: &Store, screen: Screen) -> anyhow::Result<()> {
    let new = NewApiKey {
        name: args.name,
        role: args.role.into(),
        powers: args.powers.into_iter().collect(),
        addresses: args.addresses,
        expires: args.expires,
    };
    let (key, secret) = match args.tenant {
        Some(slug) => tenant_scope(store, &slug).await?.add_api_key(&new).await?,
        None => operator(store).add_api_key(&new).await?,
    };
    let made = Made { key: &key, secret: secret.reveal() };
    screen.either(&made, |screen| {
        screen.line(format!("key {} of {}; it is shown only now:", key.id, key.role))?;
        screen.line(made.secret)
    })?;
    Ok(())
}

fn list(keys: &[ApiKey], screen: Screen) -> std::io::Result<()> {
    let time = |time: Option<Timestamp>| {
        time.map_or_else(|| "never".to_owned(), |time| time.strftime("%F %T").to_string())
    };
    let rows = keys.iter().map(|key| {
        [
            key.id.to_string(),
            key.name.clone(),
            key.role.to_string(),
            time(key.expires),
            time(key.used),
        ]
    });
    screen.table(["KEY", "NAME", "ROLE", "EXPIRES (UTC)", "USED (UTC)"], rows)
}
