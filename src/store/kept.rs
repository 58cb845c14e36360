//! The lines of the spool, `checksum kind tenant call number json`. A timeline's number is
//! `term.first`, or `first` in term 0.

use super::checksum::crc32;
use crate::base::ids::{CallId, TenantId};

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
    /// A recording that has begun or ended, as JSON.
    Recording { json: String },
    /// A call record as JSON.
    Record { json: String },
    /// Who listened to whom, as JSON.
    Audit { json: String },
}

impl Kept {
    pub(super) const fn key(&self) -> (TenantId, CallId) {
        (self.tenant, self.call)
    }

    /// Whether others wait to read it: that a call has begun, come or ended, or a
    /// recording.
    pub(super) const fn is_pressing(&self) -> bool {
        matches!(
            self.what,
            What::Live { .. } | What::Record { .. } | What::Audit { .. } | What::Recording { .. }
        )
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
            What::Audit { json } => ("audit", "0".to_owned(), json),
            What::Recording { json } => ("recording", "0".to_owned(), json),
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
            "audit" => What::Audit { json },
            "recording" => What::Recording { json },
            _ => return None,
        };
        Some(Self { tenant, call, what })
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
    }
}
