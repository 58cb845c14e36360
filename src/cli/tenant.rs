//! `callwright tenant …`

use std::process::ExitCode;

use crate::model::tenant::Tenant;
use crate::store::{NewTenant, Store};

use super::args::{TenantAdd, TenantCommand, TenantSet};
use super::screen::Screen;
use super::{monitor, operator, tenant_scope};

pub(super) async fn run(
    command: TenantCommand,
    store: &Store,
    screen: Screen,
) -> anyhow::Result<ExitCode> {
    match command {
        TenantCommand::Add(args) => {
            let tenant = operator(store).create_tenant(&new(args)).await?;
            screen.either(&tenant, |screen| {
                screen.line(format!("tenant {} added, id {}", tenant.slug, tenant.id))
            })?;
        }
        TenantCommand::Set(args) => {
            let scope = tenant_scope(store, &args.slug).await?;
            let tenant = scope.change(&changed(scope.tenant().await?, args)).await?;
            screen
                .either(&tenant, |screen| screen.line(format!("tenant {} changed", tenant.slug)))?;
        }
        TenantCommand::Talk { slug, file } => {
            return monitor::talk(&slug, file.as_ref(), store, screen).await;
        }
        TenantCommand::List => {
            let tenants = store.operator().tenants().await?;
            screen.either(&tenants, |screen| list(&tenants, screen))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn new(args: TenantAdd) -> NewTenant {
    let mut tenant = NewTenant::named(args.slug);
    tenant.name = args.name.unwrap_or(tenant.name);
    tenant.domain = args.domain;
    tenant.domain_uuid = args.domain_uuid;
    tenant.timezone = args.timezone;
    tenant.gateways = args.gateways;
    tenant.sip_hosts = args.sip_hosts;
    tenant.contexts = args.contexts;
    tenant.mask_parties = args.mask_parties;
    tenant
}

fn changed(tenant: Tenant, args: TenantSet) -> NewTenant {
    let or = |named: Vec<String>, old: Vec<String>| if named.is_empty() { old } else { named };
    NewTenant {
        slug: tenant.slug,
        name: args.name.unwrap_or(tenant.name),
        domain: args.domain.unwrap_or(tenant.domain),
        domain_uuid: args.domain_uuid.or(tenant.domain_uuid),
        timezone: args.timezone.unwrap_or(tenant.timezone),
        gateways: if args.gateways.is_empty() { tenant.gateways } else { args.gateways },
        sip_hosts: or(args.sip_hosts, tenant.sip_hosts),
        contexts: or(args.contexts, tenant.contexts),
        mask_parties: args.mask_parties.unwrap_or(tenant.mask_parties),
        numbering: tenant.numbering,
    }
}

fn list(tenants: &[Tenant], screen: Screen) -> std::io::Result<()> {
    let rows = tenants.iter().map(|tenant| {
        let gateways: Vec<&str> = tenant.gateways.iter().map(|name| name.as_str()).collect();
        [
            tenant.slug.to_string(),
            tenant.name.clone(),
            tenant.domain.clone(),
            tenant.timezone.clone(),
            gateways.join(", "),
        ]
    });
    screen.table(["TENANT", "NAME", "DOMAIN", "TIME ZONE", "GATEWAYS"], rows)
}
