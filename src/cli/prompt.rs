//! `callwright prompt …`

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use crate::base::millis::Millis;
use crate::base::wav::Head;
use crate::store::Store;

use super::args::PromptCommand;
use super::screen::Screen;
use super::tenant_scope;

pub(super) async fn run(
    command: PromptCommand,
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
