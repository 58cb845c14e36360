//! What FreeSWITCH really said, read back from `tests/data/transcripts`.

use std::fs;
use std::path::PathBuf;

/// One direction of one recorded connection.
pub(crate) struct Recording {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// Every stream that FreeSWITCH sent, by name.
pub(crate) fn from_freeswitch() -> Vec<Recording> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/transcripts");
    let mut recordings: Vec<Recording> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.strip_suffix(".in.raw")?.to_owned();
            Some(Recording { name, bytes: fs::read(&path).unwrap() })
        })
        .collect();
    recordings.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(recordings.len() > 50, "the recordings are missing");
    recordings
}

/// The recording called `name`.
pub(crate) fn named(name: &str) -> Vec<u8> {
    from_freeswitch().into_iter().find(|recording| recording.name == name).unwrap().bytes
}

/// What was said to FreeSWITCH in the recording called `name`.
pub(crate) fn sent(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/transcripts");
    fs::read(folder.join(format!("{name}.out.raw"))).unwrap()
}
