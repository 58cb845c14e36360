//! Which part of something is wanted (RFC 9110 14.1.2): one range of bytes.

use std::ops::Range;

/// What is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    All,
    Part(Range<u64>),
    /// Nothing that was asked for is there.
    Nothing,
}

/// Reads a `Range` field for something of this many bytes. A field that can't be read, or that asks
/// for several ranges, is passed over, as 14.2 allows.
pub(super) fn wanted(field: Option<&str>, length: u64) -> Wanted {
    let ranges = field.and_then(|field| field.trim().strip_prefix("bytes="));
    let Some((first, last)) = ranges.and_then(|range| range.trim().split_once('-')) else {
        return Wanted::All;
    };
    let part = match (number(first), number(last)) {
        (Some(first), Some(last)) if first > last => return Wanted::All,
        (Some(first), Some(last)) => first..last.saturating_add(1).min(length),
        (Some(first), None) if last.trim().is_empty() => first..length,
        (None, Some(last)) if first.trim().is_empty() => length.saturating_sub(last)..length,
        _ => return Wanted::All,
    };
    if part.is_empty() { Wanted::Nothing } else { Wanted::Part(part) }
}

/// Digits alone; a number that is too large is as large as can be.
fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_as_the_rfc_has_it() {
        let of = |field| wanted(Some(field), 1_000);
        assert_eq!(of("bytes=0-499"), Wanted::Part(0..500));
        assert_eq!(of("bytes=500-"), Wanted::Part(500..1_000));
        assert_eq!(of("bytes=-200"), Wanted::Part(800..1_000));
        assert_eq!(of("bytes=-2000"), Wanted::Part(0..1_000));
        assert_eq!(of("bytes=999-99999999999999999999"), Wanted::Part(999..1_000));
        assert_eq!(of("bytes=1000-"), Wanted::Nothing);
        assert_eq!(of("bytes=-0"), Wanted::Nothing);
    }

    #[test]
    fn what_is_no_single_range_of_bytes_asks_for_all() {
        for field in ["", "bytes", "bytes=", "bytes=-", "bytes=5-2", "bytes=a-b", "lines=1-2"] {
            assert_eq!(wanted(Some(field), 1_000), Wanted::All, "{field}");
        }
        assert_eq!(wanted(Some("bytes=0-1,5-6"), 1_000), Wanted::All, "several");
        assert_eq!(wanted(Some("bytes=+1-2"), 1_000), Wanted::All, "a sign");
        assert_eq!(wanted(None, 1_000), Wanted::All);
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Nothing);
    }
}
