//! Channel variables and what FreeSWITCH makes of `${...}` (switch_channel.c,
//! `switch_channel_expand_variables_check`). Whoever lets a caller's text reach an argument sees
//! it here.

use std::borrow::Cow;

/// How many variables one channel may hold, and how many bytes: what goes beyond is dropped.
pub(super) const MAX_VARIABLES: usize = 2_000;
pub(super) const MAX_VARIABLE_BYTES: usize = 2 * 1024 * 1024;
/// FreeSWITCH stops at a depth of 100.
const MAX_DEPTH: usize = 20;
/// A text that grows beyond this while it is expanded is cut.
const MAX_EXPANDED: usize = 256 * 1024;

type Text = Cow<'static, [u8]>;

/// `switch_true` of switch_utils.h.
pub(super) fn is_true(value: &[u8]) -> bool {
    const WORDS: [&str; 7] = ["yes", "on", "true", "t", "enabled", "active", "allow"];
    WORDS.iter().any(|w| value.eq_ignore_ascii_case(w.as_bytes()))
        || (value.iter().all(u8::is_ascii_digit) && super::wire::atoi(value) != 0)
}

/// The variables of one channel, in the order in which they were set.
#[derive(Debug, Clone, Default)]
pub(super) struct Variables {
    list: Vec<(Text, Text)>,
    scopes: Vec<Vec<(Text, Text)>>,
    bytes: usize,
}

impl Variables {
    pub(super) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        let scoped = self.scopes.iter().rev().flatten();
        let found = scoped.chain(&self.list).find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| &value[..])
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.get(name.as_bytes()).is_some_and(is_true)
    }

    /// An empty value removes the variable, as in FreeSWITCH.
    pub(super) fn set(&mut self, name: impl Into<Text>, value: impl Into<Text>) {
        let (name, value) = (name.into(), value.into());
        self.unset(&name);
        let bytes = self.bytes + name.len() + value.len();
        if value.is_empty() || self.list.len() >= MAX_VARIABLES || bytes > MAX_VARIABLE_BYTES {
            return;
        }
        self.bytes = bytes;
        self.list.push((name, value));
    }

    pub(super) fn unset(&mut self, name: &[u8]) {
        if let Some(at) = self.list.iter().position(|(n, _)| n.eq_ignore_ascii_case(name)) {
            let (name, value) = self.list.remove(at);
            self.bytes -= name.len() + value.len();
        }
    }

    /// Adds to a list, as `switch_channel_add_variable` with `SWITCH_STACK_PUSH`.
    pub(super) fn push(&mut self, name: &'static str, value: &[u8]) {
        let all = match self.get(name.as_bytes()) {
            None => value.to_vec(),
            Some(list) if list.starts_with(b"ARRAY::") => [list, b"|:", value].concat(),
            Some(one) => [b"ARRAY::", one, b"|:", value].concat(),
        };
        self.set(name.as_bytes(), all);
    }

    pub(super) fn open_scope(&mut self, pairs: Vec<(Vec<u8>, Vec<u8>)>) {
        self.scopes.push(pairs.into_iter().map(|(n, v)| (n.into(), v.into())).collect());
    }

    pub(super) fn close_scope(&mut self) {
        self.scopes.pop();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.scopes.iter().flatten().chain(&self.list).map(|(n, v)| (&n[..], &v[..]))
    }
}

/// What expansion made of a text, and what it found in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expansion {
    pub(super) text: Vec<u8>,
    /// Each `${...}` that was replaced, or run as an API command.
    pub(super) replaced: Vec<Vec<u8>>,
}

pub(super) fn expand(text: &[u8], lookup: &dyn Fn(&[u8]) -> Option<Vec<u8>>) -> Expansion {
    let mut replaced = Vec::new();
    let text = expand_at(text, lookup, &mut replaced, 0);
    Expansion { text, replaced }
}

fn has_escape(text: &[u8]) -> bool {
    text.windows(2).any(|two| two[0] == b'\\' && b"\\'nrtsd$".contains(&two[1]))
}

fn expand_at(
    text: &[u8],
    lookup: &dyn Fn(&[u8]) -> Option<Vec<u8>>,
    replaced: &mut Vec<Vec<u8>>,
    depth: usize,
) -> Vec<u8> {
    let has_variable = text.windows(2).any(|two| two == b"${");
    if depth > MAX_DEPTH || !(has_variable || has_escape(text)) {
        return text.to_vec();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, tail)) = rest.split_first() {
        if out.len() > MAX_EXPANDED {
            break;
        }
        let skip = match rest {
            [b'\\', b'$', b'$', ..] | [b'\\', b'$', ..] => {
                let dollars = if rest.get(2) == Some(&b'$') { 3 } else { 2 };
                out.push(b'$');
                dollars
            }
            [b'\\', b'\'', ..] => 2,
            [b'\\', b'\\', ..] => {
                out.push(b'\\');
                2
            }
            [b'$', b'{', inner @ ..] => 2 + expand_one(inner, &mut out, lookup, replaced, depth),
            [b'$', b'$', b'{', inner @ ..] => {
                3 + expand_one(inner, &mut out, lookup, replaced, depth)
            }
            _ => {
                out.push(*byte);
                rest.len() - tail.len()
            }
        };
        rest = &rest[skip.min(rest.len())..];
    }
    out
}

/// Expands what stands between braces and says how many bytes that took, closing brace included.
fn expand_one(
    inner: &[u8],
    out: &mut Vec<u8>,
    lookup: &dyn Fn(&[u8]) -> Option<Vec<u8>>,
    replaced: &mut Vec<Vec<u8>>,
    depth: usize,
) -> usize {
    let mut open = 1;
    let end = inner.iter().position(|byte| {
        match byte {
            b'{' => open += 1,
            b'}' => open -= 1,
            _ => {}
        }
        open == 0
    });
    let name = &inner[..end.unwrap_or(inner.len())];
    replaced.push(name.to_vec());
    let is_api = name.iter().any(|b| matches!(b, b' ' | b'('));
    if !is_api {
        let name = expand_at(name, lookup, replaced, depth + 1);
        let plain = super::wire::until(&name, |b| matches!(b, b':' | b'['));
        if let Some(value) = lookup(plain) {
            out.extend(expand_at(&value, lookup, replaced, depth + 1));
        }
    }
    end.map_or(inner.len(), |end| end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> (String, usize) {
        let lookup = |name: &[u8]| match name {
            b"a" => Some(b"1".to_vec()),
            b"evil" => Some(b"${system rm}".to_vec()),
            _ => None,
        };
        let result = expand(text.as_bytes(), &lookup);
        (String::from_utf8(result.text).unwrap(), result.replaced.len())
    }

    #[test]
    fn a_variables_value_is_expanded_too_and_every_replacement_is_told() {
        assert_eq!(expanded("x${a}y"), ("x1y".to_owned(), 1));
        assert_eq!(expanded("${evil}"), (String::new(), 2));
        assert_eq!(expanded("${a"), ("1".to_owned(), 1));
    }

    #[test]
    fn an_escaped_dollar_survives_one_pass_only() {
        assert_eq!(expanded(r"\${a}"), ("${a}".to_owned(), 0));
        assert_eq!(expanded(r"no variable: a'b"), ("no variable: a'b".to_owned(), 0));
    }

    #[test]
    fn an_empty_value_removes_a_variable_and_lists_grow() {
        let mut variables = Variables::default();
        variables.set(&b"x"[..], &b"1"[..]);
        variables.set(&b"X"[..], &b""[..]);
        assert_eq!(variables.get(b"x"), None);
        variables.push("legs", b"a");
        variables.push("legs", b"b");
        assert_eq!(variables.get(b"legs"), Some(&b"ARRAY::a|:b"[..]));
    }
}
