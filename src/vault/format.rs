//! The file of a recording: a header, then chunks, each encrypted and authenticated by itself, so
//! that a part can be read without the rest.
//!
//! AES-256-GCM in the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár: "Online
//! Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", 2015): a chunk's nonce holds
//! its number and whether it is the last. Chunks that were changed, moved, taken out or cut off are
//! noticed. The header is authenticated with every chunk.
//!
//! ```text
//! "CWRV" | version 1 | log2 of the chunk size | 3 zero bytes | nonce prefix 7 | recording 16
//! chunk 0 and its tag of 16 bytes | … | the last chunk, 1 byte to a whole chunk, and its tag
//! ```

use std::ops::Range;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use uuid::Uuid;

use super::keys::DataKey;
use crate::base::ids::RecordingId;

const MAGIC: [u8; 4] = *b"CWRV";
/// Another layout or cipher is another version.
const VERSION: u8 = 1;
/// 64 KiB: four seconds of stereo telephone audio.
const CHUNK_LOG2: u8 = 16;
/// Bytes of sound in each chunk but the last.
pub const CHUNK_BYTES: usize = 1 << CHUNK_LOG2;
pub const HEADER_BYTES: usize = 32;
pub const TAG_BYTES: usize = 16;
/// Bytes of a whole chunk in the file.
pub const STORED_CHUNK_BYTES: usize = CHUNK_BYTES + TAG_BYTES;
const PREFIX_BYTES: usize = 7;

/// Why a file can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    #[error("it is no file of ours")]
    Foreign,
    #[error("it is of version {0}; this release reads version {VERSION}")]
    Version(u8),
    #[error("it is the file of another recording, {0}")]
    Other(RecordingId),
    #[error("it has {0} bytes, which no whole file has")]
    Length(u64),
    #[error("it is too long")]
    TooLong,
    #[error("chunk {chunk} of {of} was changed, moved or cut, or the key is another")]
    Damaged { chunk: u64, of: u64 },
    #[error("the system has no random numbers, or can't encrypt")]
    Cipher,
}

/// The beginning of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    recording: RecordingId,
    prefix: [u8; PREFIX_BYTES],
}

impl Header {
    /// A header for a file that is about to be written.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn new(recording: RecordingId) -> Result<Self, FormatError> {
        let mut prefix = [0; PREFIX_BYTES];
        SystemRandom::new().fill(&mut prefix).map_err(|_| FormatError::Cipher)?;
        Ok(Self { recording, prefix })
    }

    pub fn bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let parts: [&[u8]; 5] =
            [&MAGIC, &[VERSION, CHUNK_LOG2], &[0; 3], &self.prefix, self.recording.0.as_bytes()];
        let all = parts.into_iter().flatten();
        bytes.iter_mut().zip(all).for_each(|(byte, part)| *byte = *part);
        bytes
    }

    /// Reads the header of this recording's file.
    ///
    /// # Errors
    /// It is none, another's, or of another version.
    pub fn read(bytes: &[u8], recording: RecordingId) -> Result<Self, FormatError> {
        let bytes: &[u8; HEADER_BYTES] =
            bytes.first_chunk().ok_or(FormatError::Length(bytes.len() as u64))?;
        let [m0, m1, m2, m3, version, log2, 0, 0, 0, rest @ ..] = bytes else {
            return Err(FormatError::Foreign);
        };
        if [*m0, *m1, *m2, *m3] != MAGIC {
            return Err(FormatError::Foreign);
        }
        if (*version, *log2) != (VERSION, CHUNK_LOG2) {
            return Err(FormatError::Version(*version));
        }
        let [p0, p1, p2, p3, p4, p5, p6, id @ ..] = rest;
        let id = RecordingId(Uuid::from_bytes(*id));
        if id != recording {
            return Err(FormatError::Other(id));
        }
        Ok(Self { recording, prefix: [*p0, *p1, *p2, *p3, *p4, *p5, *p6] })
    }
}

/// Where things are in a file of a given length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    stored: u64,
    /// At least one: without sound it is empty.
    pub chunks: u64,
    /// Bytes of sound.
    pub plain: u64,
}

impl Layout {
    /// The layout of a file of so many bytes.
    ///
    /// # Errors
    /// No file has this length.
    pub fn of(stored: u64) -> Result<Self, FormatError> {
        let wrong = FormatError::Length(stored);
        let body = stored.checked_sub(HEADER_BYTES as u64).ok_or_else(|| wrong.clone())?;
        let chunks = body.div_ceil(STORED_CHUNK_BYTES as u64);
        let plain = chunks.checked_mul(TAG_BYTES as u64).and_then(|tags| body.checked_sub(tags));
        let plain = plain.filter(|_| chunks > 0).ok_or_else(|| wrong.clone())?;
        let last = body - (chunks - 1) * STORED_CHUNK_BYTES as u64;
        // Only a file without sound has an empty chunk.
        if last < TAG_BYTES as u64 || (last == TAG_BYTES as u64 && chunks > 1) {
            return Err(wrong);
        }
        if u32::try_from(chunks).is_err() {
            return Err(FormatError::TooLong);
        }
        Ok(Self { stored, chunks, plain })
    }

    /// The chunks in which these bytes of sound lie.
    pub fn chunks_of(&self, plain: &Range<u64>) -> Range<u64> {
        let size = CHUNK_BYTES as u64;
        let end = plain.end.min(self.plain).div_ceil(size);
        (plain.start / size).min(end)..end
    }

    /// Where some chunks are in the file.
    pub fn place(&self, chunks: &Range<u64>) -> Range<u64> {
        let at = |chunk: u64| HEADER_BYTES as u64 + chunk * STORED_CHUNK_BYTES as u64;
        at(chunks.start).min(self.stored)..at(chunks.end).min(self.stored)
    }
}

/// Encrypts and decrypts the chunks of one file.
pub struct Chunks {
    header: Header,
    key: LessSafeKey,
}

impl std::fmt::Debug for Chunks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chunks").field("header", &self.header).finish_non_exhaustive()
    }
}

impl Chunks {
    /// # Errors
    /// The cipher refuses the key.
    pub fn new(header: Header, key: &DataKey) -> Result<Self, FormatError> {
        let key = UnboundKey::new(&AES_256_GCM, key.reveal()).map_err(|_| FormatError::Cipher)?;
        Ok(Self { header, key: LessSafeKey::new(key) })
    }

    /// Encrypts a chunk in place and appends its tag. Each number is to be used once.
    ///
    /// # Errors
    /// There are too many chunks.
    pub fn seal(&self, chunk: u64, last: bool, sound: &mut Vec<u8>) -> Result<(), FormatError> {
        let (nonce, aad) = self.about(chunk, last)?;
        let done = self.key.seal_in_place_append_tag(nonce, Aad::from(aad), sound);
        done.map_err(|_| FormatError::Cipher)
    }

    /// Decrypts some chunks that lie one behind the other, and gives the sound in them.
    ///
    /// # Errors
    /// Names the first chunk that is not as it was written.
    pub fn open(
        &self,
        layout: &Layout,
        chunks: &Range<u64>,
        stored: &mut [u8],
    ) -> Result<Vec<u8>, FormatError> {
        let mut sound = Vec::with_capacity(stored.len());
        let mut pieces = stored.chunks_mut(STORED_CHUNK_BYTES);
        for chunk in chunks.clone() {
            let damaged = FormatError::Damaged { chunk, of: layout.chunks };
            let Some(piece) = pieces.next() else { return Err(damaged) };
            let (nonce, aad) = self.about(chunk, chunk + 1 == layout.chunks)?;
            let plain = self.key.open_in_place(nonce, Aad::from(aad), piece);
            sound.extend_from_slice(plain.map_err(|_| damaged)?);
        }
        Ok(sound)
    }

    fn about(
        &self,
        chunk: u64,
        last: bool,
    ) -> Result<(Nonce, [u8; HEADER_BYTES + 5]), FormatError> {
        let number = u32::try_from(chunk).map_err(|_| FormatError::TooLong)?;
        let place = number.to_be_bytes().into_iter().chain([u8::from(last)]);
        let mut nonce = [0; PREFIX_BYTES + 5];
        let all = self.header.prefix.into_iter().chain(place.clone());
        nonce.iter_mut().zip(all).for_each(|(byte, part)| *byte = part);
        let mut aad = [0; HEADER_BYTES + 5];
        let all = self.header.bytes().into_iter().chain(place);
        aad.iter_mut().zip(all).for_each(|(byte, part)| *byte = part);
        Ok((Nonce::assume_unique_for_key(nonce), aad))
    }
}
