//! Recordings of a real FreeSWITCH: what it sent, what the controller sent and when.

use std::path::Path;

use callwright::base::digits::Digit;

/// One conversation as it was recorded.
#[derive(Debug)]
pub(crate) struct Recording {
    /// What FreeSWITCH sent.
    pub(crate) said: Vec<u8>,
    pub(crate) acts: Vec<(u64, Act)>,
    pub(crate) ends_ms: u64,
}

/// What somebody did, with its millisecond.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Controller(Vec<u8>),
    ControllerCloses,
    Key(Digit),
    CallerHangsUp(String),
}

pub(crate) fn load(name: &str, caller_hangs_up: bool) -> Recording {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/transcripts");
    let read = |end: &str| {
        let path = folder.join(format!("{name}.{end}"));
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let timeline = String::from_utf8(read("timeline.txt")).unwrap();
    let mut acts: Vec<_> = timeline.lines().filter_map(|line| act(line, caller_hangs_up)).collect();
    acts.sort_by_key(|(at, _)| *at);
    let ends = timeline.lines().filter_map(|line| line.trim_start().split(' ').next());
    let ends_ms = ends.filter_map(milliseconds).max().unwrap();
    Recording { said: read("in.raw"), acts, ends_ms }
}

fn milliseconds(text: &str) -> Option<u64> {
    let (seconds, fraction) = text.split_once('.')?;
    Some(seconds.parse::<u64>().ok()? * 1_000 + fraction.get(..3)?.parse::<u64>().ok()?)
}

fn act(line: &str, caller_hangs_up: bool) -> Option<(u64, Act)> {
    let (time, rest) = line.trim_start().split_once(' ')?;
    let at = milliseconds(time)?;
    if let Some(sent) = rest.strip_prefix(">> ") {
        let closes = sent.starts_with("close()") || sent.starts_with("RST");
        let act = if closes { Act::ControllerCloses } else { Act::Controller(unquote(sent)) };
        return Some((at, act));
    }
    let event = rest.strip_prefix("<< EVENT ")?;
    // What a caller did was done before the event that tells of it: a frame and a look earlier.
    let earlier = at.saturating_sub(40);
    if event.starts_with("DTMF ") {
        let digit = field(event, "DTMF-Digit")?.bytes().next()?;
        return Some((earlier, Act::Key(Digit::new(digit)?)));
    }
    if caller_hangs_up && event.starts_with("CHANNEL_HANGUP ") {
        return Some((earlier, Act::CallerHangsUp(field(event, "Hangup-Cause")?.to_owned())));
    }
    None
}

fn field<'a>(event: &'a str, name: &str) -> Option<&'a str> {
    let start = event.find(&format!("{name}='"))? + name.len() + 2;
    event[start..].split('\'').next()
}

/// A Python string literal.
fn unquote(literal: &str) -> Vec<u8> {
    let quote = literal.chars().next().unwrap();
    let inner = literal.trim_end().trim_matches(quote);
    let mut out = Vec::new();
    let mut bytes = inner.bytes();
    while let Some(byte) = bytes.next() {
        match (byte, if byte == b'\\' { bytes.next() } else { None }) {
            (_, Some(b'n')) => out.push(b'\n'),
            (_, Some(b'r')) => out.push(b'\r'),
            (_, Some(b't')) => out.push(b'\t'),
            (_, Some(other)) => out.push(other),
            (byte, None) => out.push(byte),
        }
    }
    out
}
