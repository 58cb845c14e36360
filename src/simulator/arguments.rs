//! Splits arguments as FreeSWITCH's tokenizer does (switch_utils.c, `switch_separate_string`).

/// At most `most` parts; what is beyond is left in no part, as in FreeSWITCH. A leading `^^X`
/// changes the delimiter to `X`.
pub(super) fn split(text: &[u8], delimiter: u8, most: usize) -> Vec<Vec<u8>> {
    let (text, delimiter) = match text {
        [b'^', b'^', chosen, rest @ ..] if !rest.is_empty() => (rest, *chosen),
        _ => (text, delimiter),
    };
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() && parts.len() < most {
        if delimiter == b' ' {
            let spaces = rest.iter().take_while(|b| **b == b' ').count();
            rest = &rest[spaces..];
            if rest.is_empty() {
                break;
            }
        }
        let end = part_end(rest, delimiter);
        let escape = if delimiter == b' ' { 0 } else { delimiter };
        parts.push(clean(&rest[..end], escape));
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    parts
}

fn part_end(text: &[u8], delimiter: u8) -> usize {
    let mut quoted = false;
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'\\' => at += 1,
            b'\'' if quoted || text[at + 1..].contains(&b'\'') => quoted = !quoted,
            byte if byte == delimiter && !quoted => return at,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

/// Takes quotes, escapes and outer spaces away (`cleanup_separated_string`).
fn clean(part: &[u8], delimiter: u8) -> Vec<u8> {
    let spaces = part.iter().take_while(|b| **b == b' ').count();
    let part = &part[spaces..];
    let mut out = Vec::with_capacity(part.len());
    let mut kept = 0;
    let mut quoted = false;
    let mut at = 0;
    while at < part.len() {
        let byte = part[at];
        at += 1;
        if byte == b'\\'
            && let Some(unescaped) = part.get(at).and_then(|next| unescape(*next, delimiter))
        {
            out.push(unescaped);
            kept = out.len();
            at += 1;
        } else if byte == b'\'' && (quoted || part[at..].contains(&b'\'')) {
            quoted = !quoted;
            kept = out.len();
        } else {
            out.push(byte);
            if byte != b' ' || quoted {
                kept = out.len();
            }
        }
    }
    out.truncate(kept);
    out
}

const fn unescape(byte: u8, delimiter: u8) -> Option<u8> {
    match byte {
        b'n' => Some(b'\n'),
        b'r' => Some(b'\r'),
        b't' => Some(b'\t'),
        b's' => Some(b' '),
        b'\'' | b'"' | b'\\' => Some(byte),
        _ if delimiter != 0 && byte == delimiter => Some(byte),
        _ => None,
    }
}

/// `name=value` pairs between brackets at the start of `text`, and what follows them. A leading
/// `^^X` inside the brackets changes the separator (switch_event.c,
/// `switch_event_create_brackets`).
pub(super) fn brackets(text: &[u8], open: u8, close: u8) -> (Pairs, &[u8]) {
    let mut pairs = Vec::new();
    let mut rest = text;
    while let Some(inner) = rest.strip_prefix(&[open]) {
        let Some(end) = closing(inner, open, close) else { break };
        for pair in split(&inner[..end], b',', MAX_PAIRS) {
            let name = super::wire::until(&pair, |b| b == b'=');
            let value = pair.get(name.len() + 1..).unwrap_or_default();
            if !name.is_empty() && !value.is_empty() {
                pairs.push((name.to_vec(), value.to_vec()));
            }
        }
        rest = &inner[end + 1..];
        let spaces = rest.iter().take_while(|b| **b == b' ').count();
        rest = &rest[spaces..];
    }
    (pairs, rest)
}

pub(super) type Pairs = Vec<(Vec<u8>, Vec<u8>)>;
const MAX_PAIRS: usize = 1_024;

fn closing(text: &[u8], open: u8, close: u8) -> Option<usize> {
    let mut depth = 0;
    for (at, byte) in text.iter().enumerate() {
        if *byte == open {
            depth += 1;
        } else if *byte == close {
            if depth == 0 {
                return Some(at);
            }
            depth -= 1;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str, delimiter: u8) -> Vec<String> {
        let parts = split(text.as_bytes(), delimiter, 11);
        parts.into_iter().map(|p| String::from_utf8(p).unwrap()).collect()
    }

    #[test]
    fn quotes_group_and_escapes_vanish() {
        assert_eq!(parts(r"1  2 'a b' c\sd", b' '), ["1", "2", "a b", "c d"]);
        assert_eq!(parts(r"a=1;b='x;y';c=\;", b';'), ["a=1", "b=x;y", "c=;"]);
        assert_eq!(parts("^^:a:b c", b' '), ["a", "b c"]);
    }

    #[test]
    fn bracketed_variables_are_taken_off_the_front() {
        let (pairs, rest) = brackets(b"[leg_timeout=2,x='a,b']sofia/external/1", b'[', b']');
        assert_eq!(pairs.len(), 2);
        assert_eq!(pairs[1], (b"x".to_vec(), b"a,b".to_vec()));
        assert_eq!(rest, b"sofia/external/1");
    }
}
