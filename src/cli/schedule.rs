//! `callwright schedule …`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use jiff::Timestamp;
use serde_json::json;

use crate::base::ids::{ScheduleName, TenantSlug};
use crate::flow::kind::hours::Opening;
use crate::flow::schedule::state;
use crate::store::{Store, StoredSchedule};

use super::screen::Screen;
use super::tenant_scope;

#[derive(Debug, Subcommand)]
pub enum ScheduleCommand {
    /// Lay down opening hours, for calls that begin from then on
    Put {
        name: ScheduleName,
        /// YAML or JSON: `weekly`, `holidays`, `exceptions`, `timezone`
        file: PathBuf,
        #[arg(long)]
        tenant: TenantSlug,
    },
    /// A tenant's schedules, and whether they are open
    List {
        #[arg(long)]
        tenant: TenantSlug,
    },
    /// Forget a schedule that no published flow names
    Remove {
        name: ScheduleName,
        #[arg(long)]
        tenant: TenantSlug,
    },
}

pub(super) async fn run(
    command: ScheduleCommand,
    store: &Store,
    screen: Screen,
) -> anyhow::Result<ExitCode> {
    match command {
        ScheduleCommand::Put { name, file, tenant } => {
            let scope = tenant_scope(store, &tenant).await?;
            let stored = scope.put_schedule(&name, &read(&file)?).await?;
            screen.either(&stored, |screen| {
                screen.line(format!("calls that begin from now on go by the schedule {name}"))
            })?;
        }
        ScheduleCommand::List { tenant } => {
            let scope = tenant_scope(store, &tenant).await?;
            let timezone = scope.tenant().await?.timezone;
            let all = scope.schedules().await?;
            screen.either(&all, |screen| list(&all, &timezone, screen))?;
        }
        ScheduleCommand::Remove { name, tenant } => {
            tenant_scope(store, &tenant).await?.remove_schedule(&name).await?;
            let removed = json!({ "name": name });
            screen.either(&removed, |screen| screen.line(format!("schedule {name} removed")))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> anyhow::Result<Opening> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("`{shown}`"))?;
    serde_saphyr::from_str(&text).with_context(|| format!("`{shown}` holds no opening hours"))
}

fn list(all: &[StoredSchedule], timezone: &str, screen: Screen) -> std::io::Result<()> {
    let now = Timestamp::now();
    let rows = all.iter().map(|one| {
        let zone = one.hours.timezone.as_deref().unwrap_or(timezone).to_owned();
        let (why, next) = match state(&one.hours, timezone, now) {
            Ok(answer) => (answer.why, answer.next_change),
            Err(unreadable) => (unreadable.to_string(), None),
        };
        let next = next.map_or_else(String::new, |next| next.strftime("%F %H:%M").to_string());
        [one.name.to_string(), why, next, zone]
    });
    screen.table(["SCHEDULE", "NOW", "UNTIL (UTC)", "TIME ZONE"], rows)
}
