//! `callwright prompt …`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;

use crate::app::config::Config;
use crate::archive::prompts::Prompts;
use crate::base::ids::{PromptName, TenantSlug};
use crate::base::millis::Millis;
use crate::base::wav::Head;
use crate::store::Store;

use super::screen::Screen;
use super::tenant_scope;

#[derive(Debug, Subcommand)]
pub enum PromptCommand {
    /// Name a sound file that FreeSWITCH can read
    Add {
        name: PromptName,
        /// An absolute path as FreeSWITCH sees it
        path: PathBuf,
        #[arg(long)]
        tenant: TenantSlug,
    },
    /// Convert a sound file, and put it where FreeSWITCH reads prompts
    Upload {
        name: PromptName,
        /// WAV, MP3, FLAC or Ogg Vorbis of ten minutes at most
        file: PathBuf,
        #[arg(long)]
        tenant: TenantSlug,
    },
    /// Forget a prompt that nothing plays
    Remove {
        name: PromptName,
        #[arg(long)]
        tenant: TenantSlug,
    },
    List {
        #[arg(long)]
        tenant: TenantSlug,
    },
}

/// Longest file that is converted, in bytes.
const FILE_MAX: u64 = 256 * 1_024 * 1_024;

pub(super) async fn run(
    command: PromptCommand,
    config: &Config,
    store: &Store,
    screen: Screen,
) -> anyhow::Result<ExitCode> {
    match command {
        PromptCommand::Add { name, path, tenant } => {
            let length = wav_length(&path);
            let path = path.to_str().context("the path is not UTF-8")?;
            let scope = tenant_scope(store, &tenant).await?;
            let prompt = scope.put_prompt(&name, path, length).await?;
            screen.either(&prompt, |screen| {
                let length = length.map_or_else(String::new, |length| format!(" ({length})"));
                screen.line(format!("prompt {} plays {}{length}", prompt.name, prompt.path))
            })?;
        }
        PromptCommand::Upload { name, file, tenant } => {
            let scope = tenant_scope(store, &tenant).await?;
            let shown = file.display();
            let length = std::fs::metadata(&file).with_context(|| format!("`{shown}`"))?.len();
            anyhow::ensure!(length <= FILE_MAX, "`{shown}` has more than {FILE_MAX} bytes");
            let bytes = std::fs::read(&file).with_context(|| format!("`{shown}`"))?;
            let prompt = Prompts::new(&config.prompts).put(&scope, &name, bytes).await?;
            screen.either(&prompt, |screen| {
                let length = Millis(prompt.length_ms.unwrap_or_default());
                screen.line(format!("prompt {} plays {} ({length})", prompt.name, prompt.path))
            })?;
        }
        PromptCommand::Remove { name, tenant } => {
            tenant_scope(store, &tenant).await?.remove_prompt(&name).await?;
            screen.line(format!("prompt {name} removed"))?;
        }
        PromptCommand::List { tenant } => {
            let prompts = tenant_scope(store, &tenant).await?.prompts().await?;
            screen.either(&prompts, |screen| {
                let rows = prompts.iter().map(|prompt| {
                    let length = prompt.length_ms.map(|ms| Millis(ms).to_string());
                    [prompt.name.to_string(), prompt.path.clone(), length.unwrap_or_default()]
                });
                screen.table(["PROMPT", "FILE", "LENGTH"], rows)
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// How long a WAV file plays, where it can be read here: FreeSWITCH may run on another machine.
fn wav_length(path: &Path) -> Option<Millis> {
    let file = std::fs::File::open(path).ok()?;
    let mut head = Vec::new();
    // The chunks before the audio are short: 4 KiB hold them in any file that a phone system plays.
    std::io::Read::read_to_end(&mut std::io::Read::take(file, 4_096), &mut head).ok()?;
    let head = Head::read(&head).ok()?;
    Some(Millis(head.length_ms(head.data_bytes.into())))
}
