//! How a call is found in traces (W3C Trace Context): the call's identity is the trace's, so that
//! every process that has the call writes into one tree.

use super::ids::CallId;

/// A part of a call that takes time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// All of it.
    Call,
    /// The step that this entry of the timeline began.
    Step { term: u32, sequence: u32 },
    /// An order to FreeSWITCH.
    Order(u32),
    /// A question to the outside.
    Query(u32),
    /// A conversation that this entry of the timeline began.
    Talk { term: u32, sequence: u32 },
}

/// Entries that a term may have, as far as spans are told apart: 2^28.
const SEQUENCE_BITS: u32 = 28;

impl Part {
    /// Another for each part of a call.
    fn number(self) -> u64 {
        let of_entry = |term: u32, sequence: u32| {
            u64::from(term & 0xffff) << SEQUENCE_BITS | u64::from(sequence)
        };
        let (kind, number) = match self {
            Self::Call => (0_u64, 0),
            Self::Step { term, sequence } => (1, of_entry(term, sequence)),
            Self::Order(number) => (2, number.into()),
            Self::Query(number) => (3, number.into()),
            Self::Talk { term, sequence } => (4, of_entry(term, sequence)),
        };
        kind << 48 | number
    }
}

/// The trace of a call.
pub const fn trace(call: CallId) -> u128 {
    call.0.as_u128()
}

/// The span of a part of a call; never 0, which would be none: an identity's variant stands in the
/// highest bits of its lower half (RFC 9562 4.1), and no part's number reaches there.
pub fn span(call: CallId, part: Part) -> u64 {
    let (_, low) = call.0.as_u64_pair();
    low ^ part.number()
}

/// The header `traceparent` of a request that is made for a question of the call.
pub fn traceparent(call: CallId, part: Part) -> String {
    format!("00-{:032x}-{:016x}-01", trace(call), span(call, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_a_call_has_a_span_of_its_own() {
        let call = CallId(uuid::Uuid::from_u128(0x0192_d8a0_7b1c_7000_8123_4567_89ab_cdef));
        let step = |term, sequence| Part::Step { term, sequence };
        let talk = Part::Talk { term: 0, sequence: 1 };
        let parts = [
            Part::Call,
            step(0, 1),
            step(1, 0),
            step(1, 1),
            talk,
            Part::Order(1),
            Part::Query(1),
            Part::Query(2),
        ];
        let spans: std::collections::BTreeSet<_> =
            parts.iter().map(|part| span(call, *part)).collect();
        assert_eq!(spans.len(), parts.len());
        assert!(!spans.contains(&0));
    }

    #[test]
    fn a_request_names_the_trace_of_its_call() {
        let call: CallId = "0192d8a0-7b1c-7000-8123-456789abcdef".parse().unwrap();
        let header = traceparent(call, Part::Query(1));
        assert_eq!(header, "00-0192d8a07b1c70008123456789abcdef-8120456789abcdee-01");
    }
}
