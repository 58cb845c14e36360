//! The spool: what waits on disk until the database has it.
//!
//! Each process has a directory of its own, `spool/<uuid>`, and takes over what dead processes left
//! in theirs. Segments are numbered files of lines. One thread writes and one task reads; neither
//! waits for the other. A segment is removed when the database has all of it, so a process that
//! dies leaves some lines to be written twice, which changes nothing, and at most half a line,
//! which its checksum tells.
//!
//! Written lines survive the death of the process at once, and of the machine after
//! [`SYNC_INTERVAL`].

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::kept::Kept;

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

/// A place in the spool: so many bytes into this segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Place {
    pub(super) segment: u64,
    pub(super) bytes: u64,
}

/// A process's directory, held by it alone.
#[derive(Debug)]
pub(super) struct Spool {
    /// Where all processes have theirs.
    pub(super) root: PathBuf,
    pub(super) path: PathBuf,
    /// Locked as long as it is open.
    pub(super) _lock: File,
}

impl Spool {
    /// Removes a segment, and says how long it was.
    pub(super) fn remove(&self, number: u64) -> io::Result<u64> {
        let path = segment(&self.path, number);
        let bytes = fs::metadata(&path)?.len();
        fs::remove_file(path)?;
        Ok(bytes)
    }

    /// Puts a line aside that the database will never take, as long as there is room for such.
    pub(super) fn reject(&self, kept: &Kept) -> io::Result<()> {
        let mut line = Vec::new();
        kept.encode(&mut line);
        let path = self.root.join("rejected");
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        if file.metadata()?.len() < REJECTED_BYTES_MAX { file.write_all(&line) } else { Ok(()) }
    }

    /// Reads whole lines from `place` on, up to `end` where that is in the same segment.
    pub(super) fn read(&self, place: Place, end: Place) -> io::Result<Stretch> {
        let closed = place.segment < end.segment;
        let limit = if closed { u64::MAX } else { end.bytes.saturating_sub(place.bytes) };
        let mut file = match File::open(segment(&self.path, place.segment)) {
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

pub(super) fn segment(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:012}.spool"))
}

/// The segments that are there, with their sizes, the oldest first.
pub(super) fn segments(folder: &Path) -> io::Result<Vec<(u64, u64)>> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(error),
    };
    for entry in entries {
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

pub(super) fn make_private(path: &Path) -> io::Result<()> {
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
                let path = segment(&self.path, self.number);
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

    /// Puts another process's segment behind what was added so far.
    pub(super) fn take(&mut self, from: &Path) -> io::Result<()> {
        if self.open.is_some() {
            self.sync()?;
            self.next();
        }
        fs::rename(from, segment(&self.path, self.number))?;
        self.number += 1;
        Ok(())
    }

    pub(super) fn next(&mut self) {
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
    use crate::base::ids::{CallId, TenantId};
    use crate::store::kept::What;
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

    proptest! {
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
        fs::write(segment(&spool.path, 1), &torn).unwrap();
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
}
