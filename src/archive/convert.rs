//! Sound as people have it into sound as FreeSWITCH plays it: a WAV file of 16-bit samples, mono,
//! at 16 kHz, or at 8 kHz where there was no more to begin with.

use std::io::Cursor;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler};
use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;

/// Samples a second of what comes out.
const WIDE: u32 = 16_000;
const NARROW: u32 = 8_000;
/// Samples a second of what may come in.
const RATES: std::ops::RangeInclusive<u32> = 4_000..=192_000;
/// Channels of what may come in.
const CHANNELS_MAX: usize = 8;
/// How long a prompt may be, in seconds.
pub const SECONDS_MAX: u32 = 600;
/// Frames that are resampled at once.
const BLOCK: usize = 1_024;
/// Pieces of a file that can't be decoded before it is given up.
const DAMAGED_MAX: u32 = 16;
/// Bytes before the sound of a WAV file.
const HEAD_BYTES: u32 = 44;

/// Why something can't be played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    #[error("this is no sound that can be read: WAV, MP3, FLAC and Ogg Vorbis can ({0})")]
    Unknown(String),
    #[error("the sound can't be decoded: {0}")]
    Damaged(String),
    #[error("there is no sound in it")]
    Empty,
    #[error("it is longer than {SECONDS_MAX} seconds")]
    TooLong,
    #[error("it has {0} samples a second; 4000 to 192000 can be converted")]
    Rate(u32),
    #[error("it has {0} channels; 1 to {CHANNELS_MAX} can be converted")]
    Channels(usize),
}

/// A prompt as FreeSWITCH plays it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    /// The WAV file.
    pub wav: Vec<u8>,
    /// Samples a second.
    pub rate: u32,
    pub length_ms: u64,
}

/// Reads a file of any kind that is known, whatever its name says. It takes the processor for up to
/// a second or so: not for a task among others.
///
/// # Errors
/// It is no sound, or too much of it.
pub fn convert(file: Vec<u8>) -> Result<Converted, ConvertError> {
    // Of some broken files the decoder's arithmetic overflows, and it panics.
    let decoded = std::panic::catch_unwind(|| decode(file));
    let fell = |_| Err(ConvertError::Damaged("the decoder does not understand it".into()));
    let (samples, from) = decoded.unwrap_or_else(fell)?;
    let rate = if from >= WIDE { WIDE } else { NARROW };
    let samples = if from == rate { samples } else { resample(&samples, from, rate)? };
    let length_ms = samples.len() as u64 * 1_000 / u64::from(rate);
    if length_ms == 0 {
        return Err(ConvertError::Empty);
    }
    Ok(Converted { wav: wav(&samples, rate), rate, length_ms })
}

fn open(file: Vec<u8>) -> Result<Box<dyn FormatReader>, ConvertError> {
    let stream =
        MediaSourceStream::new(Box::new(Cursor::new(file)), MediaSourceStreamOptions::default());
    let (hint, formats, tags) = (Hint::new(), FormatOptions::default(), MetadataOptions::default());
    let probe = symphonia::default::get_probe().probe(&hint, stream, formats, tags);
    probe.map_err(|error| ConvertError::Unknown(error.to_string()))
}

/// All channels mixed into one, and the samples a second.
fn decode(file: Vec<u8>) -> Result<(Vec<f32>, u32), ConvertError> {
    let mut format = open(file)?;
    let unknown = |what: &str| ConvertError::Unknown(what.to_owned());
    let track = format.default_track(TrackType::Audio).ok_or_else(|| unknown("no audio in it"))?;
    let (id, codec) = (track.id, track.codec_params.as_ref());
    let codec = codec.and_then(|codec| codec.audio()).ok_or_else(|| unknown("no codec named"))?;
    let decoder = symphonia::default::get_codecs();
    let mut decoder = decoder
        .make_audio_decoder(codec, &AudioDecoderOptions::default())
        .map_err(|error| ConvertError::Unknown(error.to_string()))?;
    let (mut mono, mut rate, mut damaged) = (Vec::new(), None, 0);
    let mut interleaved: Vec<f32> = Vec::new();
    loop {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            // As a writer leaves a file that did not come to its end.
            Ok(None) | Err(Error::IoError(_)) => break,
            Err(error) => return Err(ConvertError::Damaged(error.to_string())),
        };
        if packet.track_id != id {
            continue;
        }
        let sound = match decoder.decode(&packet) {
            Ok(sound) => sound,
            Err(Error::DecodeError(_)) if damaged < DAMAGED_MAX => {
                damaged += 1;
                continue;
            }
            Err(error) => return Err(ConvertError::Damaged(error.to_string())),
        };
        let (channels, own) = (sound.num_planes(), sound.spec().rate());
        if *rate.get_or_insert(own) != own {
            return Err(ConvertError::Damaged("its samples a second change".into()));
        }
        if !RATES.contains(&own) {
            return Err(ConvertError::Rate(own));
        }
        if !(1..=CHANNELS_MAX).contains(&channels) {
            return Err(ConvertError::Channels(channels));
        }
        sound.copy_to_vec_interleaved(&mut interleaved);
        mix(&interleaved, channels, &mut mono);
        if mono.len() as u64 > u64::from(own) * u64::from(SECONDS_MAX) {
            return Err(ConvertError::TooLong);
        }
    }
    rate.map(|rate| (mono, rate)).ok_or(ConvertError::Empty)
}

fn mix(interleaved: &[f32], channels: usize, into: &mut Vec<f32>) {
    #[allow(clippy::cast_precision_loss, reason = "at most 8")]
    let share = 1.0 / channels as f32;
    let frames = interleaved.chunks_exact(channels);
    into.extend(frames.map(|frame| frame.iter().sum::<f32>() * share));
}

fn resample(samples: &[f32], from: u32, to: u32) -> Result<Vec<f32>, ConvertError> {
    let wrong = |error: &dyn std::error::Error| ConvertError::Damaged(error.to_string());
    let hertz = |rate| usize::try_from(rate).unwrap_or(usize::MAX);
    let mut resampler = Fft::<f32>::new(hertz(from), hertz(to), BLOCK, 1, FixedSync::Both)
        .map_err(|error| wrong(&error))?;
    let input = InterleavedSlice::new(samples, 1, samples.len()).map_err(|error| wrong(&error))?;
    let mut output = vec![0.0; resampler.process_all_needed_output_len(samples.len())];
    let frames = output.len();
    let mut into =
        InterleavedSlice::new_mut(&mut output, 1, frames).map_err(|error| wrong(&error))?;
    let (_, made) = resampler
        .process_all_into_buffer(&input, &mut into, samples.len(), None)
        .map_err(|error| wrong(&error))?;
    output.truncate(made);
    Ok(output)
}

/// A WAV file of 16-bit samples (Microsoft, RIFF WAVE).
fn wav(samples: &[f32], rate: u32) -> Vec<u8> {
    // Ten minutes at most, so it fits.
    let data = u32::try_from(samples.len() * 2).unwrap_or(u32::MAX - HEAD_BYTES);
    let mut file = Vec::with_capacity(samples.len() * 2 + 44);
    file.extend(b"RIFF");
    file.extend((data + HEAD_BYTES - 8).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(rate.to_le_bytes());
    file.extend((rate * 2).to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend(data.to_le_bytes());
    #[allow(clippy::cast_possible_truncation, reason = "a cast from a float saturates")]
    let sample = |sample: &f32| (sample * f32::from(i16::MAX)).round() as i16;
    file.extend(samples.iter().map(sample).flat_map(i16::to_le_bytes));
    file
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::wav::Head;

    const SECOND: usize = 44_100;

    /// A second of a tone in a WAV file of 44.1 kHz stereo, left as loud as right.
    fn tone(hertz: f32) -> Vec<u8> {
        #[allow(clippy::cast_precision_loss, reason = "a few thousand")]
        let at = |frame: usize| (frame as f32 / 44_100.0 * hertz * std::f32::consts::TAU).sin();
        let mono: Vec<f32> = (0..SECOND).map(|frame| at(frame) / 2.0).collect();
        let stereo: Vec<f32> = mono.iter().flat_map(|sample| [*sample, *sample]).collect();
        let mut file = wav(&stereo, 44_100);
        file[22] = 2;
        file[28..32].copy_from_slice(&(44_100_u32 * 4).to_le_bytes());
        file[32] = 4;
        file
    }

    fn samples(converted: &Converted) -> Vec<i16> {
        let pairs = converted.wav[44..].chunks_exact(2);
        pairs.map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
    }

    /// How much of a tone is in it, from 0 to 1.
    fn part(converted: &Converted, hertz: f32) -> f32 {
        let samples = samples(converted);
        #[allow(clippy::cast_precision_loss, reason = "a few thousand")]
        let (rate, count) = (converted.rate as f32, samples.len() as f32);
        let (mut sine, mut cosine) = (0.0, 0.0);
        for (at, sample) in samples.iter().enumerate() {
            #[allow(clippy::cast_precision_loss, reason = "a few thousand")]
            let angle = at as f32 / rate * hertz * std::f32::consts::TAU;
            sine += f32::from(*sample) / 32_767.0 * angle.sin();
            cosine += f32::from(*sample) / 32_767.0 * angle.cos();
        }
        2.0 * sine.hypot(cosine) / count
    }

    #[test]
    fn a_tone_of_a_compact_disc_is_the_same_tone_for_a_telephone() {
        let converted = convert(tone(1_000.0)).unwrap();
        let head = Head::read(&converted.wav).unwrap();
        assert_eq!((head.channels, head.rate, head.bits, head.is_pcm), (1, 16_000, 16, true));
        assert_eq!(u64::from(head.data_bytes) + 44, converted.wav.len() as u64);
        assert!(converted.length_ms.abs_diff(1_000) <= 2, "{}", converted.length_ms);
        let loud = part(&converted, 1_000.0);
        assert!((0.48..0.52).contains(&loud), "{loud}");
        assert!(part(&converted, 2_000.0) < 0.005);
    }

    #[test]
    fn what_a_telephone_can_not_carry_is_taken_out_and_not_folded_back() {
        let converted = convert(tone(10_000.0)).unwrap();
        let folded = part(&converted, 6_000.0);
        assert!(folded < 0.005, "{folded}");
    }

    #[test]
    fn a_narrow_file_stays_narrow_and_every_sample_of_it() {
        let sound: Vec<f32> = (0..8_000_i16).map(|at| f32::from(at % 100) / 200.0).collect();
        let file = wav(&sound, 8_000);
        let converted = convert(file.clone()).unwrap();
        assert_eq!((converted.rate, converted.length_ms), (8_000, 1_000));
        let kept = samples(&converted);
        let was = file[44..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
        assert!(kept.iter().zip(was).all(|(one, other)| one.abs_diff(other) <= 1));
    }

    #[test]
    fn what_is_no_sound_is_refused_in_words() {
        let words = |file: &[u8]| convert(file.to_vec()).unwrap_err().to_string();
        assert!(words(b"%PDF-1.7 and more of it").contains("WAV, MP3, FLAC and Ogg Vorbis"));
        assert!(words(b"").contains("no sound"));
        assert_eq!(convert(wav(&[], 8_000)), Err(ConvertError::Empty));
        assert_eq!(convert(wav(&[0.5; 100], 1_000)), Err(ConvertError::Rate(1_000)));
        let long = vec![0.0; 8_000 * 601];
        assert_eq!(convert(wav(&long, 8_000)), Err(ConvertError::TooLong));
    }

    #[test]
    fn more_channels_than_a_decoder_can_count_are_refused() {
        let mut file = tone(440.0);
        // The number of channels (little-endian, in a WAV file's `fmt ` at 22).
        file[22..24].copy_from_slice(&[0xFF; 2]);
        assert!(convert(file).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fall(at in 0_usize..2_000, byte: u8, cut in 0_usize..3_000) {
            let mut file = tone(440.0);
            file.truncate(cut.max(at + 1));
            file[at] = byte;
            let _ = convert(file);
        }
    }
}
