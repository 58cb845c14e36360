//! `callwright recording …`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use tokio::fs::OpenOptions;

use crate::app::config::Config;
use crate::base::ids::{CallId, RecordingId, TenantSlug};
use crate::base::millis::Millis;
use crate::model::recording::{Recording, Span};
use crate::store::{Deed, Kept, RecordingFilter, Store, TenantScope, Trace};

use super::screen::{BOLD, DIM, Screen, paint};
use super::tenant_scope;

#[derive(Debug, Subcommand)]
pub enum RecordingCommand {
    /// A tenant's recordings, the newest first
    List {
        #[arg(long)]
        tenant: TenantSlug,
        /// Only those of this call
        #[arg(long)]
        call: Option<CallId>,
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// All that is known of a recording
    Show(Which),
    /// Decrypt a recording into a WAV file; this is written down
    Export {
        #[command(flatten)]
        which: Which,
        /// Where to; a file that is there already stays
        #[arg(long, short)]
        output: PathBuf,
        #[command(flatten)]
        by: By,
    },
    /// Delete a recording; who did it and why stays
    Delete {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        by: By,
    },
    /// Keep a recording from being deleted, by people and by time
    Hold {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        by: By,
    },
    /// Let a recording that is held be deleted again
    Release {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        by: By,
    },
    /// Try again to take in a recording that failed
    Retry(Which),
    /// How long a tenant's recordings are kept
    Keep {
        /// Such as `2160h`, 90 days; `0s` is for ever
        time: Millis,
        #[arg(long)]
        tenant: TenantSlug,
        #[command(flatten)]
        by: By,
    },
    /// What people did to a tenant's recordings and keys
    Log {
        /// Only to this recording
        recording: Option<RecordingId>,
        #[arg(long)]
        tenant: TenantSlug,
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
}

#[derive(Debug, Args)]
pub struct Which {
    pub recording: RecordingId,
    #[arg(long)]
    pub tenant: TenantSlug,
}

#[derive(Debug, Args)]
pub struct By {
    /// Who does it
    #[arg(long, env = "USER", default_value = "unknown")]
    pub author: String,
    /// Why
    #[arg(long, default_value = "")]
    pub why: String,
}

impl From<By> for Deed {
    fn from(by: By) -> Self {
        Self { author: by.author, why: by.why }
    }
}

pub(super) async fn run(
    command: RecordingCommand,
    config: &Config,
    store: &Store,
    screen: Screen,
) -> anyhow::Result<ExitCode> {
    match command {
        RecordingCommand::List { tenant, call, limit } => {
            let filter = RecordingFilter { call, ..RecordingFilter::default() };
            let scope = tenant_scope(store, &tenant).await?;
            let found = scope.recordings(&filter, None, limit).await?.items;
            screen.either(&found, |screen| {
                let head = ["BEGAN (UTC)", "SECONDS", "KIND", "STATE", "CALL", "RECORDING"];
                screen.table(head, found.iter().map(row))
            })?;
        }
        RecordingCommand::Show(which) => {
            let kept = tenant_scope(store, &which.tenant).await?.recording(which.recording).await?;
            screen.either(&kept.recording, |screen| show(&kept, screen))?;
        }
        RecordingCommand::Export { which, output, by } => {
            let scope = tenant_scope(store, &which.tenant).await?;
            let bytes = export(config, &scope, store, &which, &output, &by.into()).await?;
            screen.line(format!("{bytes} bytes written to {}", output.display()))?;
        }
        RecordingCommand::Delete { which, by } => {
            let tenant = tenant_scope(store, &which.tenant).await?.id();
            let archive = config.archive(store)?;
            archive.delete(tenant, which.recording, &by.into()).await?;
            screen.line(format!("recording {} deleted", which.recording))?;
        }
        RecordingCommand::Hold { which, by } => hold(store, &which, true, by, screen).await?,
        RecordingCommand::Release { which, by } => hold(store, &which, false, by, screen).await?,
        RecordingCommand::Retry(which) => {
            let scope = tenant_scope(store, &which.tenant).await?;
            scope.retry_recording(which.recording).await?;
            screen.line(format!("recording {} will be tried again", which.recording))?;
        }
        RecordingCommand::Keep { time, tenant, by } => {
            let scope = tenant_scope(store, &tenant).await?;
            let mut deed = Deed::from(by);
            deed.why = format!("{time} {}", deed.why).trim_end().to_owned();
            scope.keep_recordings(time, &deed).await?;
            screen.line(format!("recordings of {tenant} are kept for {time}"))?;
        }
        RecordingCommand::Log { recording, tenant, limit } => {
            let scope = tenant_scope(store, &tenant).await?;
            let traces = scope.recording_traces(recording, limit).await?;
            screen.either(&traces, |screen| {
                let head = ["AT (UTC)", "WHO", "DID", "RECORDING", "WHY"];
                screen.table(head, traces.iter().map(trace))
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn export(
    config: &Config,
    scope: &TenantScope,
    store: &Store,
    which: &Which,
    output: &PathBuf,
    deed: &Deed,
) -> anyhow::Result<u64> {
    let archive = config.archive(store)?;
    // Not found before anything is made, and written down before anything is handed out.
    scope.recording(which.recording).await?;
    scope.exported(which.recording, deed).await?;
    let shown = output.display();
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(output)
        .await
        .with_context(|| format!("`{shown}` can't be made"))?;
    let read = archive.read(scope.id(), which.recording, 0..u64::MAX, &mut file).await;
    if read.is_err() {
        // Half a recording is none.
        let _ = tokio::fs::remove_file(output).await;
    }
    Ok(read?)
}

async fn hold(
    store: &Store,
    which: &Which,
    on: bool,
    by: By,
    screen: Screen,
) -> anyhow::Result<()> {
    let scope = tenant_scope(store, &which.tenant).await?;
    scope.hold(which.recording, on, &by.into()).await?;
    let what = if on { "held" } else { "held no longer" };
    Ok(screen.line(format!("recording {} is {what}", which.recording))?)
}

fn seconds(ms: u64) -> String {
    format!("{}.{}", ms / 1_000, ms % 1_000 / 100)
}

fn row(recording: &Recording) -> [String; 6] {
    [
        recording.began.strftime("%F %T").to_string(),
        seconds(recording.length_ms),
        recording.kind.name().to_owned(),
        recording.state.name().to_owned(),
        recording.call.map_or_else(|| "-".to_owned(), |call| call.to_string()),
        recording.id.to_string(),
    ]
}

fn show(kept: &Kept, screen: Screen) -> std::io::Result<()> {
    let recording = &kept.recording;
    let head = format!("{} {}", paint(BOLD, "recording"), recording.id);
    screen.line(format!("{head}  {}  {}", recording.kind.name(), recording.state.name()))?;
    let span = |span: &Span| format!("{} to {} s", seconds(span.from_ms), seconds(span.to_ms));
    let spans = |list: &[Span]| list.iter().map(span).collect::<Vec<_>>().join(", ");
    let time = |at: jiff::Timestamp| at.strftime("%F %T UTC").to_string();
    let lines = [
        ("began", time(recording.began)),
        ("length", format!("{} s", seconds(recording.length_ms))),
        ("sound", format!("{} channels, {} Hz", recording.channels, recording.rate)),
        ("call", recording.call.map(|call| call.to_string()).unwrap_or_default()),
        ("room", recording.room.clone().unwrap_or_default()),
        ("masked", spans(&recording.masked)),
        ("paused", spans(&recording.paused)),
        ("note", recording.why.clone()),
        ("trouble", kept.trouble.clone()),
        ("silent", if recording.silent { "yes".to_owned() } else { String::new() }),
        ("held", recording.hold.clone().unwrap_or_default()),
        ("until", recording.delete_after.map(time).unwrap_or_default()),
        ("sha256", recording.hash.clone()),
        ("stored", recording.stored_hash.clone()),
    ];
    let mut lines = lines.into_iter().filter(|(_, text)| !text.is_empty());
    lines.try_for_each(|(name, text)| screen.line(format!("{} {text}", paint(DIM, name))))
}

fn trace(trace: &Trace) -> [String; 5] {
    [
        trace.at.strftime("%F %T").to_string(),
        trace.author.clone(),
        trace.deed.clone(),
        trace.recording.map_or_else(|| "all".to_owned(), |id| id.to_string()),
        trace.why.clone(),
    ]
}
