//! What the head of a WAV file says (Microsoft, "Multimedia Programming Interface and Data
//! Specifications 1.0", RIFF WAVE). Also of a file whose writer died, and whose lengths are
//! therefore wrong: libraries refuse such, and their sound is all there is.

/// The tag of plain samples, and of a format whose tag is in its extension.
const PCM: u16 = 1;
const EXTENSIBLE: u16 = 0xfffe;

/// Why bytes are no head of a WAV file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WavError {
    #[error("it is not a WAV file")]
    NotWav,
    #[error("its head is cut off")]
    Cut,
    #[error("its format makes no sense")]
    Senseless,
}

/// The head of a WAV file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub channels: u16,
    /// Samples a second.
    pub rate: u32,
    /// Bits of a sample.
    pub bits: u16,
    /// Bytes a second.
    pub byte_rate: u32,
    /// Plain samples, not compressed.
    pub is_pcm: bool,
    /// Where the sound begins, in bytes from the file's beginning.
    pub data_at: u64,
    /// Bytes of sound, as the head says.
    pub data_bytes: u32,
}

impl Head {
    /// Reads the chunks before the sound.
    pub fn read(bytes: &[u8]) -> Result<Self, WavError> {
        if bytes.len() < 12 {
            return Err(WavError::Cut);
        }
        if bytes.get(..4) != Some(b"RIFF") || bytes.get(8..12) != Some(b"WAVE") {
            return Err(WavError::NotWav);
        }
        let mut format = None;
        let mut at = 12;
        loop {
            let length = word(bytes, at + 4)?;
            let body = at + 8;
            match bytes.get(at..at + 4) {
                Some(b"fmt ") => format = Some(Self::format(bytes, body)?),
                Some(b"data") => {
                    let head = format.ok_or(WavError::Senseless)?;
                    return Ok(Self { data_at: body as u64, data_bytes: length, ..head });
                }
                Some(_) => {}
                None => return Err(WavError::Cut),
            }
            let skip = usize::try_from(length).map_err(|_| WavError::Senseless)?;
            let next = skip.checked_next_multiple_of(2).and_then(|skip| body.checked_add(skip));
            at = next.filter(|next| *next < bytes.len()).ok_or(WavError::Cut)?;
        }
    }

    fn format(bytes: &[u8], at: usize) -> Result<Self, WavError> {
        let tag = half(bytes, at)?;
        let (channels, rate) = (half(bytes, at + 2)?, word(bytes, at + 4)?);
        let (byte_rate, bits) = (word(bytes, at + 8)?, half(bytes, at + 14)?);
        if channels == 0 || rate == 0 || byte_rate == 0 {
            return Err(WavError::Senseless);
        }
        let is_pcm = tag == PCM || (tag == EXTENSIBLE && half(bytes, at + 24) == Ok(PCM));
        Ok(Self { channels, rate, bits, byte_rate, is_pcm, data_at: 0, data_bytes: 0 })
    }

    /// How long so many bytes of sound are, in milliseconds.
    pub fn length_ms(&self, bytes: u64) -> u64 {
        bytes.saturating_mul(1_000) / u64::from(self.byte_rate)
    }

    /// Bytes of sound in a file of so many bytes: what the head says, unless that can't be.
    pub fn sound_bytes(&self, file_bytes: u64) -> u64 {
        let there = file_bytes.saturating_sub(self.data_at);
        match u64::from(self.data_bytes) {
            // As a writer leaves it that did not come to its end.
            0 => there,
            told => told.min(there),
        }
    }

    /// Whether the head agrees with a file of so many bytes, which its writer has then finished.
    /// What follows the sound is short, if there is anything.
    pub fn is_finished(&self, file_bytes: u64) -> bool {
        let end = self.data_at.saturating_add(u64::from(self.data_bytes));
        self.data_bytes > 0 && (end..=end.saturating_add(TAIL_MAX)).contains(&file_bytes)
    }

    /// Puts the lengths right in the head of a file of so many bytes.
    pub fn mend(&self, head: &mut [u8], file_bytes: u64) {
        let sound = file_bytes.saturating_sub(self.data_at);
        let data = u32::try_from(sound).unwrap_or(u32::MAX);
        let riff = u32::try_from(file_bytes.saturating_sub(8)).unwrap_or(u32::MAX);
        let at = usize::try_from(self.data_at).unwrap_or(usize::MAX);
        let places = [(4, riff), (at.saturating_sub(4), data)];
        for (at, value) in places {
            if let Some(bytes) = head.get_mut(at..at.saturating_add(4)) {
                bytes.copy_from_slice(&value.to_le_bytes());
            }
        }
    }
}

/// Titles and the like after the sound take so many bytes at most.
const TAIL_MAX: u64 = 4_096;

fn word(bytes: &[u8], at: usize) -> Result<u32, WavError> {
    let bytes = at.checked_add(4).and_then(|end| bytes.get(at..end)).ok_or(WavError::Cut)?;
    bytes.try_into().map(u32::from_le_bytes).map_err(|_| WavError::Cut)
}

fn half(bytes: &[u8], at: usize) -> Result<u16, WavError> {
    let bytes = at.checked_add(2).and_then(|end| bytes.get(at..end)).ok_or(WavError::Cut)?;
    bytes.try_into().map(u16::from_le_bytes).map_err(|_| WavError::Cut)
}

/// Quieter stretches are no silence but a pause between two sounds.
const STILL_MIN_MS: u64 = 60;
/// Still stretches of one file that are kept; what follows them is not looked at.
const STILL_MAX: usize = 20_000;

/// What 16-bit sound is like that comes in pieces of any length: its loudest sample, and where not
/// one sample of any channel is other than zero.
#[derive(Debug, Clone)]
pub struct Meter {
    /// The first half of a sample whose second half is still to come.
    odd: Option<u8>,
    pub peak: u16,
    channels: u64,
    rate: u64,
    samples: u64,
    /// The first sample of the stretch that is still so far.
    still_from: Option<u64>,
    still: Vec<(u64, u64)>,
}

impl Meter {
    pub fn new(head: &Head) -> Self {
        Self {
            odd: None,
            peak: 0,
            channels: u64::from(head.channels).max(1),
            rate: u64::from(head.rate).max(1),
            samples: 0,
            still_from: None,
            still: Vec::new(),
        }
    }

    pub fn hear(&mut self, mut sound: &[u8]) {
        if let (Some(low), Some((high, rest))) = (self.odd, sound.split_first()) {
            self.odd = None;
            self.sample([low, *high]);
            sound = rest;
        }
        let (samples, odd) = sound.as_chunks::<2>();
        samples.iter().for_each(|sample| self.sample(*sample));
        if let [low] = odd {
            self.odd = Some(*low);
        }
    }

    fn sample(&mut self, bytes: [u8; 2]) {
        let loud = i16::from_le_bytes(bytes).unsigned_abs();
        self.peak = self.peak.max(loud);
        if loud == 0 {
            self.still_from.get_or_insert(self.samples);
        } else {
            self.stir();
        }
        self.samples += 1;
    }

    /// The stretch that was still, if there was one, has ended. A channel that is silent in part of
    /// a moment is none: whole moments count.
    fn stir(&mut self) {
        let Some(from) = self.still_from.take() else { return };
        let (from, to) = (from.div_ceil(self.channels), self.samples / self.channels);
        let (from_ms, to_ms) = (from * 1_000 / self.rate, to * 1_000 / self.rate);
        if to_ms.saturating_sub(from_ms) >= STILL_MIN_MS && self.still.len() < STILL_MAX {
            self.still.push((from_ms, to_ms));
        }
    }

    /// The still stretches of all that was heard, in milliseconds, one after another.
    pub fn still(mut self) -> Vec<(u64, u64)> {
        self.stir();
        self.still
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(data: u32) -> Vec<u8> {
        let mut head = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x02\0".to_vec();
        head.extend(8_000_u32.to_le_bytes());
        head.extend(32_000_u32.to_le_bytes());
        head.extend(b"\x04\0\x10\0LIST\x03\0\0\0abc\0data");
        head.extend(data.to_le_bytes());
        head
    }

    #[test]
    fn a_head_is_read_whole_and_nothing_else_is() {
        let bytes = head(80_000);
        let read = Head::read(&bytes).unwrap();
        assert_eq!((read.channels, read.rate, read.bits, read.is_pcm), (2, 8_000, 16, true));
        assert_eq!((read.data_at, read.data_bytes), (56, 80_000));
        assert_eq!(read.length_ms(80_000), 2_500);
        for cut in 0..bytes.len() {
            assert_eq!(Head::read(&bytes[..cut]), Err(WavError::Cut), "{cut}");
        }
        assert_eq!(Head::read(b"OggS\0\0\0\0\0\0\0\0\0"), Err(WavError::NotWav));
        let mut senseless = bytes;
        senseless[22] = 0;
        assert_eq!(Head::read(&senseless), Err(WavError::Senseless));
    }

    #[test]
    fn a_file_whose_writer_died_has_all_the_sound_that_is_there() {
        let mut bytes = head(0);
        let read = Head::read(&bytes).unwrap();
        assert!(!read.is_finished(56 + 32_000));
        assert_eq!(read.sound_bytes(56 + 32_000), 32_000);
        read.mend(&mut bytes, 56 + 32_000);
        let mended = Head::read(&bytes).unwrap();
        assert!(mended.is_finished(56 + 32_000));
        assert_eq!(mended.data_bytes, 32_000);
        assert_eq!(bytes[4..8], (48_u32 + 32_000).to_le_bytes());
        assert_eq!(Head::read(&head(80_000)).unwrap().sound_bytes(56 + 100), 100);
    }

    #[test]
    fn the_loudest_sample_is_found_however_the_sound_is_cut() {
        let samples = [0_i16, -300, 299, 12];
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        for cut in 0..bytes.len() {
            let mut meter = meter();
            meter.hear(&bytes[..cut]);
            meter.hear(&bytes[cut..]);
            assert_eq!(meter.peak, 300);
        }
        let mut loudest = meter();
        loudest.hear(&i16::MIN.to_le_bytes());
        assert_eq!(loudest.peak, 32_768);
    }

    fn meter() -> Meter {
        Meter::new(&Head::read(&head(0)).unwrap())
    }

    #[test]
    fn what_is_still_on_every_channel_is_found_to_the_sample() {
        let sound = |frames: usize, left: i16, right: i16| {
            [left.to_le_bytes(), right.to_le_bytes()].concat().repeat(frames)
        };
        // At 8 000 samples a second: 100 ms, 1 s, 40 ms, 20 ms, 80 ms.
        let parts = [(800, 5, 0), (8_000, 0, 0), (320, 0, -1), (160, 0, 0), (640, 1, 1)];
        let mut bytes: Vec<u8> = parts.iter().flat_map(|(n, l, r)| sound(*n, *l, *r)).collect();
        bytes.extend(sound(1_600, 0, 0));
        for cut in [0, 1, 3, 3_201, bytes.len()] {
            let mut meter = meter();
            meter.hear(&bytes[..cut]);
            meter.hear(&bytes[cut..]);
            assert_eq!(meter.still(), [(100, 1_100), (1_240, 1_440)], "cut at {cut}");
        }
    }
}
