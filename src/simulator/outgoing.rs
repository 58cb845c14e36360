//! Calls that a controller begins: an order to call somebody who then goes through the dialplan.

use super::arguments::split;
use super::dialstring::parse;

/// How long it rings when nothing says otherwise (`switch_ivr_originate.c`).
const DEFAULT_TIMEOUT_MS: u64 = 60_000;

/// Somebody who is to be called, and to come into the dialplan once they have answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The identity that the order gives the new channel.
    pub uuid: String,
    pub number: String,
    /// How long it may ring.
    pub limit_ms: u64,
    pub extension: String,
    pub context: String,
    /// What the channel carries.
    pub variables: Vec<(String, Vec<u8>)>,
}

impl Outgoing {
    /// Reads `originate '<dial string>' <extension> XML <context>`; none where this is another
    /// order, or the leg is to do something else.
    pub fn read(command: &[u8]) -> Option<Self> {
        let words = split(command.strip_prefix(b"originate ")?, b' ', 4);
        let [dial, extension, dialplan, context] = &words[..] else { return None };
        if dialplan != b"XML" {
            return None;
        }
        let target = parse(dial).into_iter().flatten().next()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some(Self {
            uuid: text(target.variable("origination_uuid")?),
            number: target.number(),
            limit_ms: target.seconds("originate_timeout").unwrap_or(DEFAULT_TIMEOUT_MS),
            extension: text(extension),
            context: text(context),
            variables: target.variables().map(|(n, v)| (text(n), v.to_vec())).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leg_that_goes_through_the_dialplan_is_told_from_one_that_does_something_else() {
        let order = b"originate '{originate_timeout=30,callwright_state=AbC,origination_uuid=s-1}\
            user/201@pbx.example' callwright_placed XML callwright";
        let read = Outgoing::read(order).unwrap();
        assert_eq!((read.uuid.as_str(), read.number.as_str()), ("s-1", "201"));
        assert_eq!((read.limit_ms, read.extension.as_str()), (30_000, "callwright_placed"));
        assert!(read.variables.contains(&("callwright_state".to_owned(), b"AbC".to_vec())));
        let listens = b"originate '{origination_uuid=s-1}user/300@x' &eavesdrop(a-leg)";
        assert_eq!(Outgoing::read(listens), None);
        assert_eq!(Outgoing::read(b"uuid_kill s-1"), None);
    }
}
