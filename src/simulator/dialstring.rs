//! Dial strings as `bridge` reads them (switch_ivr_originate.c): groups in turn (`|`), targets at
//! once (`,`), variables for all (`{}`) and for one (`[]`).

use super::arguments::{Pairs, brackets};
use super::variables::is_true;
use super::wire::{atoi, until};

/// Targets of one dial string (switch_ivr_originate.c, `MAX_PEERS`).
pub(super) const MAX_TARGETS: usize = 128;

/// One party to call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// The target without its variables, such as `sofia/gateway/carrier/15550100`.
    pub(super) text: Vec<u8>,
    variables: Pairs,
}

impl Target {
    pub(super) fn variable(&self, name: &str) -> Option<&[u8]> {
        let found =
            self.variables.iter().rev().find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes()));
        found.map(|(_, value)| &value[..])
    }

    pub(super) fn variables(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.variables.iter().map(|(name, value)| (&name[..], &value[..]))
    }

    pub(super) fn seconds(&self, name: &str) -> Option<u64> {
        let seconds = u64::try_from(atoi(self.variable(name)?)).ok()?;
        (seconds > 0).then(|| seconds.saturating_mul(1_000))
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.variable(name).is_some_and(is_true)
    }

    /// The number or name that is dialled.
    pub(super) fn number(&self) -> String {
        let parts: Vec<_> = self.text.split(|b| *b == b'/').collect();
        let place = match parts.first() {
            Some(&b"sofia") if parts.get(1) == Some(&&b"gateway"[..]) => 3,
            Some(&b"sofia") => 2,
            Some(&b"user" | &b"loopback" | &b"error" | &b"null" | &b"group") => 1,
            _ => parts.len() - 1,
        };
        let number = parts.get(place).copied().unwrap_or_default();
        let number = number.strip_prefix(b"sip:").unwrap_or(number);
        String::from_utf8_lossy(until(number, |b| b == b'@')).into_owned()
    }

    pub(super) fn gateway(&self) -> Option<String> {
        let mut parts = self.text.strip_prefix(b"sofia/gateway/")?.split(|b| *b == b'/');
        parts.next().map(|name| String::from_utf8_lossy(name).into_owned())
    }

    pub(super) fn endpoint(&self) -> &[u8] {
        until(&self.text, |b| b == b'/')
    }
}

/// Groups to be called in turn; within a group all at once.
pub(super) fn parse(text: &[u8]) -> Vec<Vec<Target>> {
    let (global, rest) = brackets(text, b'{', b'}');
    let mut left = MAX_TARGETS;
    let mut groups = Vec::new();
    for group in split_outside(rest, b'|') {
        let mut targets = Vec::new();
        for target in split_outside(group, b',').into_iter().take(left) {
            let (own, text) = brackets(target, b'[', b']');
            let variables = global.iter().cloned().chain(own).collect();
            targets.push(Target { text: text.to_vec(), variables });
        }
        left -= targets.len();
        groups.push(targets);
    }
    groups
}

/// Splits where the delimiter stands outside brackets.
fn split_outside(text: &[u8], delimiter: u8) -> Vec<&[u8]> {
    let mut depth = 0usize;
    text.split(move |byte| {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && *byte == delimiter
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_targets_keep_their_variables() {
        let groups = parse(
            b"{call_timeout=9,a='x|y'}[leg_timeout=2]sofia/gateway/gw/+15550100,user/1001@d\
              |sofia/external/7@h:5060",
        );
        assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(groups[0][0].number(), "+15550100");
        assert_eq!(groups[0][0].gateway().as_deref(), Some("gw"));
        assert_eq!(groups[0][0].seconds("leg_timeout"), Some(2_000));
        assert_eq!(groups[0][1].seconds("leg_timeout"), None);
        assert_eq!(groups[1][0].number(), "7");
        assert_eq!(groups[1][0].variable("a"), Some(&b"x|y"[..]));
    }
}
