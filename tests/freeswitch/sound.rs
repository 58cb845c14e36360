//! What a phone heard: tones in a WAV file of 16-bit mono samples.

use std::f64::consts::TAU;
use std::path::Path;
use std::time::Duration;

/// Samples that are judged together: 40 ms at 8 kHz.
const WINDOW: usize = 320;
/// The quietest tone that counts, as a part of full scale.
const QUIET: f64 = 0.01;

pub(crate) struct Sound {
    rate: u32,
    samples: Vec<f64>,
}

impl Sound {
    pub(crate) fn read(path: &Path) -> Self {
        let bytes =
            std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::parse(&bytes).unwrap_or_else(|| panic!("{} is not a WAV file", path.display()))
    }

    /// Walks the chunks of a RIFF file; one that is still being written has a length of 0 or more
    /// than is there.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rate = 8_000;
        let mut rest = bytes.get(12..)?;
        while rest.len() >= 8 {
            let length = u32::from_le_bytes(rest[4..8].try_into().ok()?) as usize;
            let chunk = &rest[8..];
            match &rest[..4] {
                b"fmt " => rate = u32::from_le_bytes(chunk.get(4..8)?.try_into().ok()?),
                b"data" => {
                    let data = if length == 0 { chunk } else { &chunk[..length.min(chunk.len())] };
                    let pairs =
                        data.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]]));
                    return Some(Self {
                        rate,
                        samples: pairs.map(|s| f64::from(s) / 32_768.0).collect(),
                    });
                }
                _ => {}
            }
            rest = chunk.get(length + length % 2..)?;
        }
        Some(Self { rate, samples: Vec::new() })
    }

    pub(crate) fn length(&self) -> Duration {
        Duration::from_secs_f64(self.samples.len() as f64 / f64::from(self.rate))
    }

    /// The level of the whole, as a part of full scale (root of the mean square).
    pub(crate) fn level(&self) -> f64 {
        let sum: f64 = self.samples.iter().map(|s| s * s).sum();
        (sum / self.samples.len().max(1) as f64).sqrt()
    }

    /// When a tone of `hz` sounds: first and last moment, in seconds; none when it never does.
    pub(crate) fn tone(&self, hz: f64) -> Option<(f64, f64)> {
        self.tone_after(hz, 0.0)
    }

    /// The same from a moment on.
    pub(crate) fn tone_after(&self, hz: f64, from: f64) -> Option<(f64, f64)> {
        let at: Vec<_> = self.moments(hz).into_iter().filter(|second| *second >= from).collect();
        // One window alone may be a click.
        (at.len() > 1).then(|| (at[0], at[at.len() - 1] + self.seconds(1)))
    }

    /// The longest time, in seconds, for which a tone of `hz` pauses.
    pub(crate) fn pause(&self, hz: f64) -> f64 {
        let at = self.moments(hz);
        let steps = at.windows(2).map(|two| two[1] - two[0] - self.seconds(1));
        steps.fold(0.0, f64::max)
    }

    /// Where each window begins that holds the tone.
    fn moments(&self, hz: f64) -> Vec<f64> {
        let windows = self.samples.chunks_exact(WINDOW).map(|window| self.is_mostly(window, hz));
        windows.enumerate().filter(|&(_, is)| is).map(|(n, _)| self.seconds(n)).collect()
    }

    fn seconds(&self, windows: usize) -> f64 {
        (windows * WINDOW) as f64 / f64::from(self.rate)
    }

    /// Goertzel's filter: whether most of a window's power is at `hz`.
    fn is_mostly(&self, window: &[f64], hz: f64) -> bool {
        let factor = 2.0 * (TAU * hz / f64::from(self.rate)).cos();
        let (mut one, mut two) = (0.0, 0.0);
        for sample in window {
            (one, two) = (sample + factor * one - two, one);
        }
        let count = window.len() as f64;
        let power = 2.0 * (one * one + two * two - factor * one * two) / (count * count);
        let total = window.iter().map(|s| s * s).sum::<f64>() / count;
        total > QUIET * QUIET && power > 0.6 * total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tones of so many milliseconds.
    fn sound(pieces: &[(f64, u32)]) -> Sound {
        let mut samples = Vec::new();
        for (hz, ms) in pieces {
            let count = ms * 8;
            samples.extend((0..count).map(|n| 0.2 * (TAU * hz * f64::from(n) / 8_000.0).sin()));
        }
        Sound { rate: 8_000, samples }
    }

    #[test]
    fn a_tone_is_found_where_it_is_and_nowhere_else() {
        let sound = sound(&[(0.0, 500), (440.0, 1_000), (600.0, 500)]);
        let (from, to) = sound.tone(440.0).unwrap();
        assert!((from - 0.5).abs() < 0.05 && (to - 1.5).abs() < 0.05, "{from} {to}");
        assert!(sound.tone(600.0).is_some() && sound.tone(700.0).is_none());
        assert!((sound.length().as_secs_f64() - 2.0).abs() < 0.01);
    }

    #[test]
    fn a_tone_that_comes_back_is_found_with_its_pause() {
        let sound = sound(&[(440.0, 800), (0.0, 400), (440.0, 800)]);
        let (from, _) = sound.tone_after(440.0, 1.0).unwrap();
        assert!((from - 1.2).abs() < 0.05, "{from}");
        assert!((sound.pause(440.0) - 0.4).abs() < 0.05, "{}", sound.pause(440.0));
    }

    #[test]
    fn the_level_of_a_tone_is_that_of_its_samples() {
        assert!((sound(&[(440.0, 1_000)]).level() - 0.2 / 2f64.sqrt()).abs() < 0.001);
    }
}
