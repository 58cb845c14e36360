//! A block of `Name: value` lines as one allocation of bytes and one of line starts. Names and
//! values are found when asked for, not before.

use std::fmt;

use bytes::Bytes;

use super::value::Value;

/// Where the lines of a block begin; the last entry is where the block ends.
#[derive(Clone)]
enum Lines {
    Short(Box<[u16]>),
    Long(Box<[u32]>),
}

/// Header lines, indexed by where they begin.
#[derive(Clone)]
pub struct Block {
    bytes: Bytes,
    lines: Lines,
    encoded: bool,
}

impl Block {
    /// `starts` lists the first byte of every line and then the byte after the last line's end.
    pub(super) fn new(bytes: Bytes, starts: &[u32], encoded: bool) -> Self {
        let short = u16::try_from(bytes.len()).is_ok();
        let lines = if short {
            #[allow(clippy::cast_possible_truncation, reason = "no start exceeds the length")]
            Lines::Short(starts.iter().map(|start| *start as u16).collect())
        } else {
            Lines::Long(starts.into())
        };
        Self { bytes, lines, encoded }
    }

    /// The first value of the header `name`, letter case aside.
    pub fn value(&self, name: &str) -> Option<Value<'_>> {
        self.rows().find_map(|line| value_of(line, name.as_bytes())).map(|raw| self.wrap(raw))
    }

    /// All values of the header `name`, in the order they came: a name may repeat.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Value<'a>> {
        let named = move |line: &'a [u8]| value_of(line, name.as_bytes());
        self.rows().filter_map(named).map(|raw| self.wrap(raw))
    }

    /// The first value whose header is called `prefix` and `name` together.
    pub(super) fn prefixed(&self, prefix: &str, name: &str) -> Option<Value<'_>> {
        let find = |line| {
            let (head, rest): (&[u8], &[u8]) = <[u8]>::split_at_checked(line, prefix.len())?;
            let ours = head.eq_ignore_ascii_case(prefix.as_bytes());
            ours.then(|| value_of(rest, name.as_bytes())).flatten()
        };
        self.rows().find_map(find).map(|raw| self.wrap(raw))
    }

    /// Every header with its name; a line without a colon is left out.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Value<'_>)> {
        self.rows().filter_map(|line| {
            let colon = memchr::memchr(b':', line)?;
            let (name, value) = line.split_at(colon);
            Some((name, self.wrap(after_colon(value))))
        })
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        let starts = match &self.lines {
            Lines::Short(starts) => starts.len(),
            Lines::Long(starts) => starts.len(),
        };
        starts.saturating_sub(1)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes that this block holds in memory.
    pub fn footprint(&self) -> usize {
        let index = match &self.lines {
            Lines::Short(starts) => size_of_val(&**starts),
            Lines::Long(starts) => size_of_val(&**starts),
        };
        self.bytes.len() + index
    }

    pub(super) const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    const fn wrap<'a>(&self, raw: &'a [u8]) -> Value<'a> {
        if self.encoded { Value::encoded(raw) } else { Value::exact(raw) }
    }

    fn start(&self, row: usize) -> Option<usize> {
        match &self.lines {
            Lines::Short(starts) => starts.get(row).map(|start| usize::from(*start)),
            Lines::Long(starts) => starts.get(row).map(|start| *start as usize),
        }
    }

    fn rows(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).filter_map(|row| {
            let line = self.bytes.get(self.start(row)?..self.start(row + 1)?)?;
            Some(line.strip_suffix(b"\n").unwrap_or(line))
        })
    }
}

/// The line's value if the line is called `name`. Looks at one byte before it compares the name.
fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    if line.get(name.len()) != Some(&b':') {
        return None;
    }
    let (head, rest) = line.split_at_checked(name.len())?;
    head.eq_ignore_ascii_case(name).then(|| after_colon(rest))
}

fn after_colon(rest: &[u8]) -> &[u8] {
    let rest = rest.strip_prefix(b":").unwrap_or(rest);
    rest.strip_prefix(b" ").unwrap_or(rest)
}

/// Shows names and lengths: values may be digits, secrets or phone numbers.
impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.iter().map(|(name, value)| (String::from_utf8_lossy(name), value));
        f.debug_map().entries(shown).finish()
    }
}
