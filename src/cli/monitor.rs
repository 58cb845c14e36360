//! `callwright call … monitor …`, `callwright audit …` and `callwright tenant talk …`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};

use crate::base::ids::{CallId, TenantSlug};
use crate::call::input::MonitorOrder;
use crate::flow::talk::TalkSettings;
use crate::model::audit::AuditEntry;
use crate::model::monitor::{Manner, Mode};
use crate::model::talk::Side;
use crate::store::Store;

use super::screen::Screen;
use super::tenant_scope;

#[derive(Debug, Subcommand)]
pub enum MonitorCommand {
    /// Call a supervisor, who hears the conversation
    Begin {
        /// The supervisor's extension
        #[arg(long)]
        by: String,
        #[command(flatten)]
        manner: MannerArgs,
        /// Why, for the audit log
        #[arg(long)]
        reason: String,
    },
    /// Change who hears the supervisor
    Mode(MannerArgs),
    /// Give the caller to the supervisor, and let the other party go
    TakeOver,
    End,
}

#[derive(Debug, Clone, Copy, Args)]
pub struct MannerArgs {
    #[arg(long, default_value = "listen")]
    pub mode: ModeArg,
    /// Who hears a whisper
    #[arg(long, default_value = "far")]
    pub to: SideArg,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ModeArg {
    /// Nobody hears the supervisor
    Listen,
    /// One party does
    Whisper,
    /// Both do
    Barge,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum SideArg {
    Caller,
    Far,
}

impl From<MannerArgs> for Manner {
    fn from(args: MannerArgs) -> Self {
        let mode = match args.mode {
            ModeArg::Listen => Mode::Listen,
            ModeArg::Whisper => Mode::Whisper,
            ModeArg::Barge => Mode::Barge,
        };
        let to = match args.to {
            SideArg::Caller => Side::Caller,
            SideArg::Far => Side::Far,
        };
        Self { mode, to }
    }
}

impl From<&MonitorCommand> for MonitorOrder {
    fn from(command: &MonitorCommand) -> Self {
        match command {
            MonitorCommand::Begin { by, manner, reason } => {
                let (by, reason) = (by.clone(), reason.clone());
                Self::Begin { by, manner: (*manner).into(), reason }
            }
            MonitorCommand::Mode(manner) => Self::Change { manner: (*manner).into() },
            MonitorCommand::TakeOver => Self::TakeOver,
            MonitorCommand::End => Self::End,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Who listened to whom, the last first
    List {
        #[arg(long)]
        tenant: TenantSlug,
        /// Only in this call
        #[arg(long)]
        call: Option<CallId>,
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
}

pub(super) async fn audit(
    command: AuditCommand,
    store: &Store,
    screen: Screen,
) -> anyhow::Result<ExitCode> {
    let AuditCommand::List { tenant, call, limit } = command;
    let scope = tenant_scope(store, &tenant).await?;
    let entries = match call {
        Some(call) => scope.audit_of(call).await?,
        None => scope.audit(limit).await?,
    };
    screen.either(&entries, |screen| {
        let head = ["BEGAN (UTC)", "SECONDS", "BY", "WHOM", "MANNERS", "REASON", "END", "CALL"];
        screen.table(head, entries.iter().map(row))
    })?;
    Ok(ExitCode::SUCCESS)
}

fn row(entry: &AuditEntry) -> [String; 8] {
    let seconds = entry.ended.map(|ended| ended.duration_since(entry.began).as_secs_f64());
    let manners: Vec<String> = entry.changes.iter().map(|one| one.manner.to_string()).collect();
    [
        entry.began.strftime("%F %T").to_string(),
        seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1}")),
        entry.by.clone(),
        entry.whom.join(" and "),
        manners.join(", "),
        entry.reason.clone(),
        entry.end.clone().unwrap_or_else(|| "-".to_owned()),
        entry.call.to_string(),
    ]
}

/// Shows a tenant's rules for conversations, or replaces them by those in a file.
pub(super) async fn talk(
    tenant: &TenantSlug,
    file: Option<&PathBuf>,
    store: &Store,
    screen: Screen,
) -> anyhow::Result<ExitCode> {
    let scope = tenant_scope(store, tenant).await?;
    let stored = match file {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("`{}` can't be read", path.display()))?;
            let rules: TalkSettings = serde_saphyr::from_str(&text).with_context(|| {
                format!("`{}` holds no rules for conversations", path.display())
            })?;
            scope.set_talk(&rules).await?
        }
        None => scope.tenant().await?,
    };
    let rules = serde_json::to_string_pretty(&stored.talk)?;
    screen.either(&stored.talk, |screen| screen.line(rules))?;
    Ok(ExitCode::SUCCESS)
}
