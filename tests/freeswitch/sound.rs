//! What a phone heard: tones in a WAV file of 16-bit samples.

use std::f64::consts::TAU;
use std::path::Path;
use std::time::Duration;

/// Samples that are judged together: 40 ms at 8 kHz.
const WINDOW: usize = 320;
/// The quietest tone that counts, as a part of full scale.
const QUIET: f64 = 0.01;
/// The part of a window's power that what is heard alone has.
const MAIN: f64 = 0.6;
/// The least part of a window's power that one of several tones has: four speak at once at most.
const SHARE: f64 = 0.1;
/// In so many of the windows a tone must be that is heard for a while.
const MOSTLY: f64 = 0.8;
/// And in no more than so many one that is not.
const HARDLY: f64 = 0.2;

#[derive(Clone)]
pub(crate) struct Sound {
    rate: u32,
    samples: Vec<f64>,
}

impl Sound {
    pub(crate) fn read(path: &Path) -> Self {
        Self::channels(path).swap_remove(0)
    }

    /// Each channel of a file by itself.
    pub(crate) fn channels(path: &Path) -> Vec<Self> {
        let bytes =
            std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::parse(&bytes).unwrap_or_else(|| panic!("{} is not a WAV file", path.display()))
    }

    /// Walks the chunks of a RIFF file; one that is still being written has a length of 0 or more
    /// than is there.
    fn parse(bytes: &[u8]) -> Option<Vec<Self>> {
        let (mut rate, mut channels) = (8_000, 1);
        // One that was opened a moment ago has no head yet.
        let mut rest = bytes.get(12..).unwrap_or_default();
        while rest.len() >= 8 {
            let length = u32::from_le_bytes(rest[4..8].try_into().ok()?) as usize;
            let chunk = &rest[8..];
            match &rest[..4] {
                b"fmt " => {
                    channels = usize::from(u16::from_le_bytes(chunk.get(2..4)?.try_into().ok()?));
                    rate = u32::from_le_bytes(chunk.get(4..8)?.try_into().ok()?);
                }
                b"data" => {
                    let data = if length == 0 { chunk } else { &chunk[..length.min(chunk.len())] };
                    let samples: Vec<f64> = data
                        .chunks_exact(2)
                        .map(|two| f64::from(i16::from_le_bytes([two[0], two[1]])) / 32_768.0)
                        .collect();
                    let every = |nth| samples.iter().skip(nth).step_by(channels).copied().collect();
                    return Some((0..channels).map(|n| Self { rate, samples: every(n) }).collect());
                }
                _ => {}
            }
            rest = chunk.get(length + length % 2..)?;
        }
        Some(vec![Self { rate, samples: Vec::new() }; channels])
    }

    pub(crate) fn length(&self) -> Duration {
        Duration::from_secs_f64(self.samples.len() as f64 / f64::from(self.rate))
    }

    /// The level of the whole, as a part of full scale (root of the mean square).
    pub(crate) fn level(&self) -> f64 {
        let sum: f64 = self.samples.iter().map(|s| s * s).sum();
        (sum / self.samples.len().max(1) as f64).sqrt()
    }

    /// Which of these tones are heard from one second to another; none where one of them comes or
    /// goes meanwhile, or where something else is heard that is as loud.
    pub(crate) fn tones(&self, among: &[f64], from: f64, to: f64) -> Option<Vec<f64>> {
        let windows: Vec<_> = self.between(from, to).chunks_exact(WINDOW).collect();
        let count = windows.len().max(1) as f64;
        let part = |is: &dyn Fn(&[f64]) -> bool| {
            windows.iter().filter(|window| is(window)).count() as f64 / count
        };
        let mut heard = Vec::new();
        for hz in among {
            match part(&|window| self.share(window, *hz) > SHARE) {
                often if often > MOSTLY => heard.push(*hz),
                often if often > HARDLY => return None,
                _ => {}
            }
        }
        let known = |window: &[f64]| {
            let known: f64 = among.iter().map(|hz| self.share(window, *hz)).sum();
            known > MAIN || loudness(window) <= QUIET * QUIET
        };
        (part(&known) > MOSTLY).then_some(heard)
    }

    /// The loudest sample from one second to another, as a part of full scale.
    pub(crate) fn peak(&self, from: f64, to: f64) -> f64 {
        self.between(from, to).iter().fold(0.0, |peak, s| s.abs().max(peak))
    }

    /// When a tone of `hz` sounds: first and last moment, in seconds; none when it never does.
    pub(crate) fn tone(&self, hz: f64) -> Option<(f64, f64)> {
        self.tone_after(hz, 0.0)
    }

    /// The same from a moment on.
    pub(crate) fn tone_after(&self, hz: f64, from: f64) -> Option<(f64, f64)> {
        let at: Vec<_> =
            self.moments(hz, MAIN).into_iter().filter(|second| *second >= from).collect();
        // One window alone may be a click.
        (at.len() > 1).then(|| (at[0], at[at.len() - 1] + self.seconds(1)))
    }

    /// The longest time, in seconds, for which a tone of `hz` pauses, whoever else is heard.
    pub(crate) fn pause(&self, hz: f64) -> f64 {
        let at = self.moments(hz, SHARE);
        let steps = at.windows(2).map(|two| two[1] - two[0] - self.seconds(1));
        steps.fold(0.0, f64::max)
    }

    /// Where each window begins of whose power the tone has this share.
    fn moments(&self, hz: f64, share: f64) -> Vec<f64> {
        let windows =
            self.samples.chunks_exact(WINDOW).map(|window| self.share(window, hz) > share);
        windows.enumerate().filter(|&(_, is)| is).map(|(n, _)| self.seconds(n)).collect()
    }

    fn between(&self, from: f64, to: f64) -> &[f64] {
        let millis = |at: f64| Duration::from_secs_f64(at.max(0.0)).as_millis();
        let sample = |at: f64| usize::try_from(millis(at) * u128::from(self.rate) / 1_000);
        let end = self.samples.len();
        &self.samples[sample(from).unwrap().min(end)..sample(to).unwrap().min(end)]
    }

    fn seconds(&self, windows: usize) -> f64 {
        (windows * WINDOW) as f64 / f64::from(self.rate)
    }

    /// Goertzel's filter: the part of a window's power that is at `hz`; none where it is silent.
    fn share(&self, window: &[f64], hz: f64) -> f64 {
        let total = loudness(window);
        if total <= QUIET * QUIET {
            return 0.0;
        }
        let factor = 2.0 * (TAU * hz / f64::from(self.rate)).cos();
        let (mut one, mut two) = (0.0, 0.0);
        for sample in window {
            (one, two) = (sample + factor * one - two, one);
        }
        let count = window.len() as f64;
        2.0 * (one * one + two * two - factor * one * two) / (count * count) / total
    }
}

/// Makes a WAV file of one tone.
pub(crate) fn write(path: &Path, hz: f64, length: Duration) {
    #[allow(clippy::cast_possible_truncation, reason = "a sample is below 8,000")]
    let tone = |n: u32| (8_000.0 * (TAU * hz * f64::from(n) / 8_000.0).sin()) as i16;
    let count = u32::try_from(length.as_millis() * 8).unwrap();
    let data: Vec<u8> = (0..count).flat_map(|n| tone(n).to_le_bytes()).collect();
    let length = u32::try_from(data.len()).unwrap();
    let numbers = |list: &[u32]| list.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<_>>();
    // One channel of 16-bit samples, 8,000 a second.
    let format = numbers(&[16, 0x1_0001, 8_000, 16_000, 0x10_0002]);
    let head = [&b"RIFF"[..], &numbers(&[36 + length]), b"WAVEfmt ", &format, b"data"];
    std::fs::write(path, [head.concat(), numbers(&[length]), data].concat()).unwrap();
}

/// The mean square.
fn loudness(window: &[f64]) -> f64 {
    window.iter().map(|s| s * s).sum::<f64>() / window.len() as f64
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
    fn who_speaks_together_is_told_apart_from_who_is_not_there() {
        let (one, two) = (sound(&[(450.0, 1_000)]), sound(&[(0.0, 400), (775.0, 600)]));
        let both = one.samples.iter().zip(&two.samples).map(|(one, two)| one + two);
        let both = Sound { rate: 8_000, samples: both.collect() };
        let among = [450.0, 525.0, 775.0];
        assert_eq!(both.tones(&among, 0.5, 1.0), Some(vec![450.0, 775.0]));
        assert_eq!(both.tones(&among, 0.0, 0.4), Some(vec![450.0]));
        assert_eq!(both.tones(&among, 0.0, 0.8), None, "it comes meanwhile");
        assert_eq!(both.tones(&[775.0], 0.5, 1.0), None, "something else is heard");
        assert_eq!(two.tones(&among, 0.0, 0.4), Some(vec![]));
        assert!(two.peak(0.0, 0.4) == 0.0 && two.peak(0.0, 0.5) > 0.1);
    }

    #[test]
    fn the_level_of_a_tone_is_that_of_its_samples() {
        assert!((sound(&[(440.0, 1_000)]).level() - 0.2 / 2f64.sqrt()).abs() < 0.001);
    }
}
