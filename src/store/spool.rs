//! The spool: what waits on disk until the database has it.
//!
//! Segments are numbered files of lines, `checksum kind tenant call number json`; a timeline's
//! number is `term.first`, or `first` in term 0. One thread writes
//! and one task reads; neither waits for the other. A segment is removed when the database has all
//! of it, so a process that dies leaves some lines to be written twice, which changes nothing, and
//! at most half a line, which its checksum tells.
//!
//! Written lines survive the death of the process at once, and of the machine after
//! [`SYNC_INTERVAL`].

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::base::ids::{CallId, TenantId};

/// A line is at most this many bytes long.
pub(super) const LINE_MAX: usize = 4 * 1_024 * 1_024;
/// A segment that has reached this size is closed.
const SEGMENT_BYTES: u64 = 4 * 1_024 * 1_024;
/// A segment that is this old is closed, so that what the database has does not stay.
const SEGMENT_AGE: Duration = Duration::from_secs(5);
/// What a power cut may take.
pub(super) const SYNC_INTERVAL: Duration = Duration::from_secs(1);
/// The file of what the database refuses does not grow beyond this; what comes later is only
/// counted.
const REJECTED_BYTES_MAX: u64 = 64 * 1_024 * 1_024;
/// Bytes read at once, if no line is longer.
const READ_BYTES: usize = 256 * 1_024;

/// One thing to be written to the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) tenant: TenantId,
    pub(super) call: CallId,
    pub(super) what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// Entries of one term as a JSON list, the first with this number.
    Timeline { term: u32, first: u32, entries: String },
    /// A live call as JSON.
    Live { json: String },
    /// A call record as JSON.
    Record { json: String },
}

impl Kept {
    pub(super) const fn key(&self) -> (TenantId, CallId) {
        (self.tenant, self.call)
    }

    /// Whether others wait to read it: that a call has begun, come or ended.
    pub(super) const fn is_pressing(&self) -> bool {
        matches!(self.what, What::Live { .. } | What::Record { .. })
    }

    /// One line with its line feed. JSON has none of its own.
    pub(super) fn encode(&self, into: &mut Vec<u8>) {
        let (kind, first, json) = match &self.what {
            What::Timeline { term: 0, first, entries } => ("timeline", first.to_string(), entries),
            What::Timeline { term, first, entries } => {
                ("timeline", format!("{term}.{first}"), entries)
            }
            What::Live { json } => ("live", "0".to_owned(), json),
            What::Record { json } => ("record", "0".to_owned(), json),
        };
        let body = format!("{kind} {} {} {first} {json}", self.tenant, self.call);
        let checksum = crc32(body.as_bytes());
        into.extend_from_slice(format!("{checksum:08x} {body}\n").as_bytes());
    }

    /// Reads a line without its line feed.
    pub(super) fn decode(line: &[u8]) -> Option<Self> {
        let (checksum, body) = std::str::from_utf8(line).ok()?.split_once(' ')?;
        if u32::from_str_radix(checksum, 16).ok()? != crc32(body.as_bytes()) {
            return None;
        }
        let mut words = body.splitn(5, ' ');
        let kind = words.next()?;
        let tenant = words.next()?.parse().ok()?;
        let call = words.next()?.parse().ok()?;
        let place = words.next()?;
        let (term, first) = place.split_once('.').unwrap_or(("0", place));
        let json = words.next()?.to_owned();
        let what = match kind {
            "timeline" => What::Timeline {
                term: term.parse().ok()?,
                first: first.parse().ok()?,
                entries: json,
            },
            "live" => What::Live { json },
            "record" => What::Record { json },
            _ => return None,
        };
        Some(Self { tenant, call, what })
    }
}

const CRC32_TABLE: [u32; 256] = crc32_table();

/// The reflected polynomial of ISO 3309 (also zlib's and Ethernet's).
const fn crc32_table() -> [u32; 256] {
    let mut table = [0_u32; 256];
    let mut byte = 0_u32;
    while byte < 256 {
        let mut rest = byte;
        let mut bit = 0;
        while bit < 8 {
            rest = if rest & 1 == 1 { 0xedb8_8320 ^ (rest >> 1) } else { rest >> 1 };
            bit += 1;
        }
        table[byte as usize] = rest;
        byte += 1;
    }
    table
}

fn crc32(bytes: &[u8]) -> u32 {
    let step =
        |crc: u32, byte: &u8| CRC32_TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8);
    !bytes.iter().fold(!0, step)
}

/// A place in the spool: so many bytes into this segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Place {
    pub(super) segment: u64,
    pub(super) bytes: u64,
}

/// The spool's directory, held by this process alone.
#[derive(Debug)]
pub(super) struct Spool {
    path: PathBuf,
    /// Locked as long as it is open.
    _lock: File,
}

impl Spool {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        make_private(path)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                io::Error::new(io::ErrorKind::ResourceBusy, "another process uses it")
            }
            TryLockError::Error(error) => error,
        })?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    fn segment(&self, number: u64) -> PathBuf {
        self.path.join(format!("{number:012}.spool"))
    }

    /// The segments that are there, with their sizes, the oldest first.
    pub(super) fn segments(&self) -> io::Result<Vec<(u64, u64)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".spool")?.parse().ok());
            if let Some(number) = number {
                found.push((number, entry.metadata()?.len()));
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Removes a segment, and says how long it was.
    pub(super) fn remove(&self, number: u64) -> io::Result<u64> {
        let path = self.segment(number);
        let bytes = fs::metadata(&path)?.len();
        fs::remove_file(path)?;
        Ok(bytes)
    }

    /// Puts a line aside that the database will never take, as long as there is room for such.
    pub(super) fn reject(&self, kept: &Kept) -> io::Result<()> {
        let mut line = Vec::new();
        kept.encode(&mut line);
        let path = self.path.join("rejected");
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        if file.metadata()?.len() < REJECTED_BYTES_MAX { file.write_all(&line) } else { Ok(()) }
    }

    /// Reads whole lines from `place` on, up to `end` where that is in the same segment.
    pub(super) fn read(&self, place: Place, end: Place) -> io::Result<Stretch> {
        let closed = place.segment < end.segment;
        let limit = if closed { u64::MAX } else { end.bytes.saturating_sub(place.bytes) };
        let mut file = match File::open(self.segment(place.segment)) {
            Ok(file) => file,
            Err(error) if closed && error.kind() == io::ErrorKind::NotFound => {
                // Numbers have no gaps: somebody else removed it.
                return Ok(Stretch { finished: true, damaged: 1, ..Stretch::default() });
            }
            Err(error) => return Err(error),
        };
        file.seek(SeekFrom::Start(place.bytes))?;
        let mut wanted = READ_BYTES;
        let mut bytes = Vec::new();
        loop {
            let more = limit.min(wanted as u64).saturating_sub(bytes.len() as u64);
            let read = (&file).take(more).read_to_end(&mut bytes)? as u64;
            let at_end = read < more || bytes.len() as u64 == limit;
            if at_end || bytes.contains(&b'\n') || wanted > LINE_MAX {
                return Ok(Stretch::of(&bytes, closed && read < more));
            }
            wanted *= 2;
        }
    }
}

fn make_private(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Lines that were read together.
#[derive(Debug, Default)]
pub(super) struct Stretch {
    pub(super) kept: Vec<Kept>,
    /// Bytes that these lines take.
    pub(super) bytes: u64,
    /// Lines that their checksum tells to be damaged, the last may be half a line; a missing
    /// segment is one.
    pub(super) damaged: u64,
    /// Whether the segment is closed and was read to its end.
    pub(super) finished: bool,
}

impl Stretch {
    fn of(bytes: &[u8], at_end: bool) -> Self {
        let whole = match memchr::memrchr(b'\n', bytes) {
            // The end, or a line longer than any that we write: there is nothing to wait for.
            _ if at_end || bytes.len() > LINE_MAX => bytes.len(),
            Some(last) => last + 1,
            None => 0,
        };
        let mut stretch = Self { bytes: whole as u64, finished: at_end, ..Self::default() };
        let (lines, _) = bytes.split_at(whole);
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match Kept::decode(line) {
                Some(kept) => stretch.kept.push(kept),
                None => stretch.damaged += 1,
            }
        }
        stretch
    }
}

/// The end at which lines are added. A writer never goes on with a file that another one began.
#[derive(Debug)]
pub(super) struct Writer {
    path: PathBuf,
    number: u64,
    open: Option<Segment>,
}

#[derive(Debug)]
struct Segment {
    file: File,
    bytes: u64,
    since: Instant,
    synced: Instant,
    dirty: bool,
}

impl Writer {
    pub(super) fn new(spool: &Spool, number: u64) -> Self {
        Self { path: spool.path.clone(), number, open: None }
    }

    pub(super) fn place(&self) -> Place {
        Place { segment: self.number, bytes: self.open.as_ref().map_or(0, |open| open.bytes) }
    }

    pub(super) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Adds lines. After an error the next attempt begins another segment: what is in this one may
    /// be torn.
    pub(super) fn add(&mut self, lines: &[u8]) -> io::Result<()> {
        let done = self.append(lines);
        if done.is_err() && self.open.is_some() {
            self.next();
        }
        done
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let open = match &mut self.open {
            Some(open) => open,
            closed @ None => {
                make_private(&self.path)?;
                let path = self.path.join(format!("{:012}.spool", self.number));
                let file =
                    OpenOptions::new().create_new(true).append(true).mode(0o600).open(path)?;
                let now = Instant::now();
                closed.insert(Segment { file, bytes: 0, since: now, synced: now, dirty: false })
            }
        };
        open.file.write_all(lines)?;
        open.bytes += lines.len() as u64;
        open.dirty = true;
        Ok(())
    }

    /// Syncs and closes what is due.
    pub(super) fn tend(&mut self) -> io::Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        if open.dirty && open.synced.elapsed() >= SYNC_INTERVAL {
            open.sync()?;
        }
        if open.bytes >= SEGMENT_BYTES || open.since.elapsed() >= SEGMENT_AGE {
            open.sync()?;
            self.next();
        }
        Ok(())
    }

    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.open.as_mut().map_or(Ok(()), Segment::sync)
    }

    fn next(&mut self) {
        self.open = None;
        self.number += 1;
    }
}

impl Segment {
    fn sync(&mut self) -> io::Result<()> {
        if self.dirty {
            self.file.sync_data()?;
            self.synced = Instant::now();
            self.dirty = false;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kept(text: &str) -> Kept {
        Kept {
            tenant: TenantId(uuid::Uuid::from_u128(1)),
            call: CallId(uuid::Uuid::from_u128(2)),
            what: What::Timeline {
                term: 2,
                first: 7,
                entries: serde_json::json!([text]).to_string(),
            },
        }
    }

    #[test]
    fn the_checksum_is_the_standard_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_whatever_it_holds(text in ".*") {
            let mut line = Vec::new();
            kept(&text).encode(&mut line);
            let body = line.strip_suffix(b"\n").unwrap();
            prop_assert!(!body.contains(&b'\n'));
            prop_assert_eq!(Kept::decode(body), Some(kept(&text)));
        }

        #[test]
        fn a_line_cut_or_changed_anywhere_is_noticed(at in 0_usize..100, bit in 0_u8..8) {
            let kept = kept("a text of some length, so that every index is in it");
            let mut line = Vec::new();
            kept.encode(&mut line);
            line.pop();
            prop_assert_eq!(Kept::decode(&line[..at]), None);
            line[at] ^= 1 << bit;
            let read = Kept::decode(&line);
            // A letter of the checksum may change its case.
            prop_assert!(read.is_none() || (at < 8 && read == Some(kept)));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let stretch = Stretch::of(&bytes, true);
            prop_assert_eq!(stretch.bytes, bytes.len() as u64);
        }
    }

    #[test]
    fn a_torn_end_costs_only_itself() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path()).unwrap();
        let mut line = Vec::new();
        kept("whole").encode(&mut line);
        let mut torn = line.clone();
        torn.extend_from_slice(&line[..line.len() / 2]);
        fs::write(spool.segment(1), &torn).unwrap();
        let end = Place { segment: 2, bytes: 0 };
        let stretch = spool.read(Place { segment: 1, bytes: 0 }, end).unwrap();
        assert_eq!((stretch.kept, stretch.damaged), (vec![kept("whole")], 1));
        assert!(stretch.finished);
    }

    #[test]
    fn a_line_longer_than_one_read_is_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path()).unwrap();
        let long = kept(&"x".repeat(3 * READ_BYTES));
        let mut line = Vec::new();
        long.encode(&mut line);
        let mut writer = Writer::new(&spool, 1);
        writer.add(&line).unwrap();
        writer.add(&line).unwrap();
        let stretch = spool.read(Place { segment: 1, bytes: 0 }, writer.place()).unwrap();
        assert_eq!(stretch.kept, vec![long]);
        assert_eq!(stretch.bytes, line.len() as u64);
        assert!(!stretch.finished);
    }

    #[test]
    fn a_directory_is_one_processs_alone() {
        let folder = tempfile::tempdir().unwrap();
        let first = Spool::open(folder.path()).unwrap();
        assert!(Spool::open(folder.path()).is_err());
        drop(first);
        assert!(Spool::open(folder.path()).is_ok());
    }
}
