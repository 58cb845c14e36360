//! `callwright prompt …`

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use crate::base::millis::Millis;
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
    wav_millis(&head)
}

/// RIFF WAVE: the byte rate of the `fmt ` chunk and the length of the `data` chunk.
fn wav_millis(head: &[u8]) -> Option<Millis> {
    let word = |at: usize| {
        let bytes = head.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    };
    if head.get(..4)? != b"RIFF" || head.get(8..12)? != b"WAVE" {
        return None;
    }
    let mut at = 12;
    let mut rate = None;
    loop {
        let length = word(at + 4)?;
        match head.get(at..at + 4)? {
            b"fmt " => rate = word(at + 16),
            b"data" => {
                let rate = u64::from(rate.filter(|rate| *rate > 0)?);
                return Some(Millis(u64::from(length) * 1_000 / rate));
            }
            _ => {}
        }
        at = at.checked_add(8)?.checked_add(usize::try_from(length).ok()?.next_multiple_of(2))?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wav_files_length_is_read_from_its_head() {
        let mut head = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
        head.extend(8_000u32.to_le_bytes());
        head.extend(16_000u32.to_le_bytes());
        head.extend(b"\x02\0\x10\0LIST\x03\0\0\0abc\0data");
        head.extend(40_000u32.to_le_bytes());
        assert_eq!(wav_millis(&head), Some(Millis(2_500)));
        for cut in 0..head.len() {
            assert_eq!(wav_millis(&head[..cut]), None, "{cut}");
        }
    }
}
