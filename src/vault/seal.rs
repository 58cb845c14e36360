//! A stream of sound into a file, and a part of a file back into sound.

use std::io::{self, Read, Write};
use std::ops::Range;

use ring::digest::{Context, SHA256};

use super::format::{CHUNK_BYTES, Chunks, FormatError, HEADER_BYTES, Header, Layout};
use super::hex;
use super::keys::DataKey;
use crate::base::ids::RecordingId;

/// Chunks that are read at once: one mebibyte.
const BATCH: u64 = 16;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Bytes of sound, and their SHA-256.
    pub bytes: u64,
    pub hash: String,
    /// Bytes of the file, and their SHA-256.
    pub stored_bytes: u64,
    pub stored_hash: String,
}

/// Why a file could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the file gives back other sound than was put in")]
    Unlike,
}

/// Writes sound as a recording's file. The key must be new: it is used for nothing else.
///
/// # Errors
/// Reading, writing or the cipher failed; what was written is of no use then.
pub fn seal(
    mut sound: impl Read,
    mut file: impl Write,
    recording: RecordingId,
    key: &DataKey,
) -> Result<Sealed, SealError> {
    let header = Header::new(recording)?;
    let chunks = Chunks::new(header, key)?;
    let (mut plain, mut stored) = (Context::new(&SHA256), Context::new(&SHA256));
    let mut sealed =
        Sealed { bytes: 0, hash: String::new(), stored_bytes: 0, stored_hash: String::new() };
    let mut put = |bytes: &[u8], total: &mut u64| {
        stored.update(bytes);
        *total += bytes.len() as u64;
        file.write_all(bytes)
    };
    put(&header.bytes(), &mut sealed.stored_bytes)?;
    let mut next = read_chunk(&mut sound)?;
    for number in 0.. {
        let mut chunk = next;
        plain.update(&chunk);
        sealed.bytes += chunk.len() as u64;
        // A whole chunk may be the last: only what follows tells.
        next = if chunk.len() < CHUNK_BYTES { Vec::new() } else { read_chunk(&mut sound)? };
        let last = next.is_empty();
        chunks.seal(number, last, &mut chunk)?;
        put(&chunk, &mut sealed.stored_bytes)?;
        if last {
            break;
        }
    }
    file.flush()?;
    sealed.hash = hex(plain.finish().as_ref());
    sealed.stored_hash = hex(stored.finish().as_ref());
    Ok(sealed)
}

fn read_chunk(sound: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut chunk = Vec::with_capacity(CHUNK_BYTES + super::format::TAG_BYTES);
    sound.take(CHUNK_BYTES as u64).read_to_end(&mut chunk)?;
    Ok(chunk)
}

/// Reads a file that was just written, to its end: whether it gives back what was put in.
///
/// # Errors
/// It does not, or can't be read.
pub fn check(
    mut file: impl Read,
    recording: RecordingId,
    key: &DataKey,
    sealed: &Sealed,
) -> Result<(), SealError> {
    let mut head = [0; HEADER_BYTES];
    file.read_exact(&mut head)?;
    let opened = Opened::new(&head, sealed.stored_bytes, recording, key)?;
    let (mut plain, mut stored) = (Context::new(&SHA256), Context::new(&SHA256));
    stored.update(&head);
    for part in opened.parts(0..u64::MAX) {
        let mut bytes = Vec::new();
        let wanted = part.stored.end - part.stored.start;
        (&mut file).take(wanted).read_to_end(&mut bytes)?;
        stored.update(&bytes);
        plain.update(&opened.open(&part, &mut bytes)?);
    }
    let same = hex(plain.finish().as_ref()) == sealed.hash
        && hex(stored.finish().as_ref()) == sealed.stored_hash;
    if same { Ok(()) } else { Err(SealError::Unlike) }
}

/// A file whose header was read.
#[derive(Debug)]
pub struct Opened {
    pub layout: Layout,
    chunks: Chunks,
}

/// Some chunks to be read at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    chunks: Range<u64>,
    /// Where they are in the file.
    pub stored: Range<u64>,
    /// What of their sound is wanted.
    wanted: Range<usize>,
}

impl Opened {
    /// A file of so many bytes that begins with `head`.
    ///
    /// # Errors
    /// It is none of this recording's.
    pub fn new(
        head: &[u8],
        stored_bytes: u64,
        recording: RecordingId,
        key: &DataKey,
    ) -> Result<Self, FormatError> {
        let header = Header::read(head, recording)?;
        Ok(Self { layout: Layout::of(stored_bytes)?, chunks: Chunks::new(header, key)? })
    }

    /// What to read for these bytes of sound, in order; beyond the end there is nothing.
    pub fn parts(&self, wanted: Range<u64>) -> impl Iterator<Item = Part> + use<> {
        let layout = self.layout;
        let all = layout.chunks_of(&wanted);
        // An empty file has a chunk all the same, which says that it is whole.
        let all = if layout.plain == 0 { 0..1 } else { all };
        let starts = all.clone().step_by(usize::try_from(BATCH).unwrap_or(1));
        starts.map(move |start| {
            let chunks = start..(start + BATCH).min(all.end);
            let first = start * CHUNK_BYTES as u64;
            let inside = |at: u64| {
                let size = (chunks.end - chunks.start) * CHUNK_BYTES as u64;
                usize::try_from(at.saturating_sub(first).min(size)).unwrap_or(usize::MAX)
            };
            let wanted = inside(wanted.start)..inside(wanted.end.min(layout.plain));
            Part { stored: layout.place(&chunks), wanted, chunks }
        })
    }

    /// The wanted sound of a part whose bytes were read.
    ///
    /// # Errors
    /// Names the first chunk that is not as it was written.
    pub fn open(&self, part: &Part, stored: &mut [u8]) -> Result<Vec<u8>, FormatError> {
        let mut sound = self.chunks.open(&self.layout, &part.chunks, stored)?;
        sound.truncate(part.wanted.end);
        sound.drain(..part.wanted.start.min(sound.len()));
        Ok(sound)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::vault::format::STORED_CHUNK_BYTES;

    const ID: RecordingId = RecordingId(Uuid::from_u128(7));

    fn sound(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|at| u8::try_from(at * 31 % 251).unwrap()).collect()
    }

    fn sealed(bytes: usize) -> (Vec<u8>, DataKey, Sealed) {
        let (mut file, key) = (Vec::new(), DataKey::generate().unwrap());
        let sealed = seal(&sound(bytes)[..], &mut file, ID, &key).unwrap();
        assert_eq!(sealed.stored_bytes, file.len() as u64);
        (file, key, sealed)
    }

    fn read(file: &[u8], key: &DataKey, wanted: Range<u64>) -> Result<Vec<u8>, FormatError> {
        let opened = Opened::new(file, file.len() as u64, ID, key)?;
        let mut sound = Vec::new();
        for part in opened.parts(wanted) {
            let at = |place: u64| usize::try_from(place).unwrap();
            let mut stored = file[at(part.stored.start)..at(part.stored.end)].to_vec();
            sound.extend(opened.open(&part, &mut stored)?);
        }
        Ok(sound)
    }

    /// Lengths around the borders of chunks and batches.
    fn length() -> impl Strategy<Value = usize> {
        let chunks = prop_oneof![4 => 0..4_usize, 1 => 15..18_usize];
        (chunks, 0..5_usize).prop_map(|(chunks, more)| {
            (chunks * CHUNK_BYTES + [0, 1, 1_000, CHUNK_BYTES / 2, CHUNK_BYTES - 1][more]).max(1)
        })
    }

    #[test]
    fn a_recording_without_sound_is_a_file_too() {
        let (file, key, all) = sealed(0);
        assert_eq!(read(&file, &key, 0..10), Ok(Vec::new()));
        assert!(check(&file[..], ID, &key, &all).is_ok());
        let damaged = FormatError::Damaged { chunk: 0, of: 1 };
        let mut file = file;
        *file.last_mut().unwrap() ^= 1;
        assert_eq!(read(&file, &key, 0..10), Err(damaged));
    }

    #[test]
    fn nothing_of_the_sound_is_readable_in_the_file() {
        let (mut file, key) = (Vec::new(), DataKey::generate().unwrap());
        let words = b"the quick brown fox jumps over the lazy dog ".repeat(5_000);
        seal(&words[..], &mut file, ID, &key).unwrap();
        assert!(!file.windows(8).any(|window| words[..60].windows(8).any(|word| word == window)));
    }

    #[test]
    fn another_key_or_recording_opens_nothing() {
        let (file, _, _) = sealed(100);
        let other = DataKey::generate().unwrap();
        assert!(matches!(read(&file, &other, 0..1), Err(FormatError::Damaged { chunk: 0, of: 1 })));
        let id = RecordingId(Uuid::from_u128(8));
        let opened = Opened::new(&file, file.len() as u64, id, &other);
        assert!(matches!(opened, Err(FormatError::Other(ID))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_range_is_the_same_slice_of_the_sound(
            bytes in length(), from in 0.0..1.1_f64, to in 0.0..1.1_f64,
        ) {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
            let at = |part: f64| (part * bytes as f64) as usize;
            let (from, to) = (at(from.min(to)), at(from.max(to)));
            let (file, key, all) = sealed(bytes);
            let whole = sound(bytes);
            let slice = &whole[from.min(bytes)..to.min(bytes)];
            let got = read(&file, &key, from as u64..to as u64).unwrap();
            prop_assert_eq!(got, slice);
            prop_assert!(check(&file[..], ID, &key, &all).is_ok());
        }

        #[test]
        fn a_flipped_bit_is_noticed_and_its_chunk_named(
            bytes in length(), part in 0.0..1.0_f64, bit in 0..8_u32,
        ) {
            let (mut file, key, all) = sealed(bytes);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
            let at = (part * file.len() as f64) as usize;
            file[at] ^= 1 << bit;
            let error = read(&file, &key, 0..u64::MAX).unwrap_err();
            if let Some(inside) = at.checked_sub(HEADER_BYTES) {
                let chunk = (inside / STORED_CHUNK_BYTES) as u64;
                let of = (file.len() - HEADER_BYTES).div_ceil(STORED_CHUNK_BYTES) as u64;
                prop_assert_eq!(error, FormatError::Damaged { chunk, of });
            }
            prop_assert!(check(&file[..], ID, &key, &all).is_err());
        }

        #[test]
        fn a_file_cut_anywhere_is_noticed(bytes in length(), part in 0.0..1.0_f64) {
            let (file, key, _) = sealed(bytes);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
            let cut = (part * file.len() as f64) as usize;
            prop_assert!(read(&file[..cut], &key, 0..u64::MAX).is_err());
            // At a chunk's border too, where only the last chunk's flag tells.
            for chunk in 1..file.len() / STORED_CHUNK_BYTES {
                let cut = &file[..HEADER_BYTES + chunk * STORED_CHUNK_BYTES];
                let error = read(cut, &key, 0..u64::MAX).unwrap_err();
                let (of, chunk) = (chunk as u64, chunk as u64 - 1);
                prop_assert_eq!(error, FormatError::Damaged { chunk, of });
            }
        }

        #[test]
        fn chunks_in_another_order_are_noticed(one in 0..4_usize, other in 0..4_usize) {
            prop_assume!(one != other);
            let (mut file, key, _) = sealed(4 * CHUNK_BYTES);
            let place = |chunk: usize| HEADER_BYTES + chunk * STORED_CHUNK_BYTES;
            let (low, high) = (one.min(other), one.max(other));
            let (left, right) = file.split_at_mut(place(high));
            let size = STORED_CHUNK_BYTES;
            left[place(low)..][..size].swap_with_slice(&mut right[..size]);
            let damaged = FormatError::Damaged { chunk: low as u64, of: 4 };
            prop_assert_eq!(read(&file, &key, 0..u64::MAX), Err(damaged));
        }

        #[test]
        fn whatever_is_no_file_of_ours_is_refused(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let key = DataKey::generate().unwrap();
            prop_assert!(read(&bytes, &key, 0..u64::MAX).is_err());
        }
    }
}
