//! The sound of recordings: nobody speaks here, so that what is heard is made up. Two voices hum in
//! turn, one low and one high, so that an ear tells the recording from silence and from noise.

use std::f64::consts::TAU;
use std::path::Path;

/// Samples in a second.
const RATE: u32 = 8_000;
/// How long one voice hums before it is the other's turn, and each of its syllables, in samples.
const TURN: u32 = RATE * 2;
const SYLLABLE: u32 = RATE / 4;
/// What each voice hums, in Hz; a 0 is a pause for breath.
const VOICES: [[f64; 8]; 2] = [
    [147.0, 165.0, 147.0, 131.0, 147.0, 175.0, 147.0, 0.0],
    [262.0, 294.0, 330.0, 294.0, 262.0, 294.0, 247.0, 0.0],
];
const LOUDNESS: f64 = 9_000.0;
/// Longest sound that is made up, in milliseconds.
const LENGTH_MAX_MS: u64 = 3_600_000;
/// Bytes before the sound.
const HEAD: usize = 44;

/// Writes a recording as FreeSWITCH would have, if it belongs below `root`.
pub(super) async fn write(root: &Path, path: &Path, ms: u64) {
    let climbs = path.components().any(|part| part == std::path::Component::ParentDir);
    if climbs || !path.starts_with(root) {
        return tracing::warn!(path = %path.display(), "a recording belongs nowhere");
    }
    let sound = tokio::task::spawn_blocking(move || wav(ms)).await.unwrap_or_default();
    if let Some(folder) = path.parent()
        && let Err(error) = tokio::fs::create_dir_all(folder).await
    {
        return tracing::warn!(%error, "a recording has no folder");
    }
    if let Err(error) = tokio::fs::write(path, sound).await {
        tracing::warn!(%error, "a recording is not written");
    }
}

/// A WAV file of this length: one channel of 16 bits.
fn wav(ms: u64) -> Vec<u8> {
    let samples = u32::try_from(ms.min(LENGTH_MAX_MS)).unwrap_or_default() * (RATE / 1_000);
    let bytes = samples * 2;
    let mut file = Vec::with_capacity(HEAD + bytes as usize);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(bytes + 36).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    file.extend_from_slice(&16u32.to_le_bytes());
    for half in [1u16, 1] {
        file.extend_from_slice(&half.to_le_bytes());
    }
    file.extend_from_slice(&RATE.to_le_bytes());
    file.extend_from_slice(&(RATE * 2).to_le_bytes());
    for half in [2u16, 16] {
        file.extend_from_slice(&half.to_le_bytes());
    }
    file.extend_from_slice(b"data");
    file.extend_from_slice(&bytes.to_le_bytes());
    for at in 0..samples {
        file.extend_from_slice(&sample(at).to_le_bytes());
    }
    file
}

#[allow(clippy::cast_possible_truncation, reason = "the loudness is less than an i16 holds")]
fn sample(at: u32) -> i16 {
    let voice = VOICES[(at / TURN % 2) as usize];
    let pitch = voice[(at % TURN / SYLLABLE % 8) as usize];
    if pitch == 0.0 {
        return 0;
    }
    let seconds = f64::from(at) / f64::from(RATE);
    let within = f64::from(at % SYLLABLE) / f64::from(SYLLABLE);
    // Each syllable swells and fades, so that none begins with a click.
    let swell = (within * TAU / 2.0).sin().powi(2);
    let wave = (seconds * pitch * TAU).sin() + 0.4 * (seconds * pitch * 2.0 * TAU).sin();
    (wave * swell * LOUDNESS) as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::wav::{Head, Meter};

    #[test]
    fn a_made_up_recording_has_its_length_and_is_no_silence() {
        let file = wav(5_000);
        let head = Head::read(&file).unwrap();
        assert_eq!(head.length_ms(head.sound_bytes(file.len() as u64)), 5_000);
        assert!(head.is_finished(file.len() as u64));
        let mut meter = Meter::new(&head);
        meter.hear(&file[HEAD..]);
        assert!(meter.peak > 5_000 && meter.peak < 20_000, "{}", meter.peak);
    }

    #[tokio::test]
    async fn nothing_is_written_outside_of_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let (root, beside) = (folder.path().join("tapes"), folder.path().join("beside.wav"));
        write(&root, &beside, 100).await;
        write(&root, &root.join("../beside.wav"), 100).await;
        assert!(!beside.exists());
        write(&root, &root.join("tenant/a.wav"), 100).await;
        assert!(root.join("tenant/a.wav").exists());
    }
}
