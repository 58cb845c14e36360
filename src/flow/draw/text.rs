//! Texts of a drawing: how wide they are, cut to fit, and safe in XML.

use std::fmt::Write as _;

/// Escapes a text for an element's content or an attribute. What XML 1.0 can't hold, and what would
/// turn the direction of the text around it, becomes U+FFFD.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push('\n'),
            '\t' => out.push(' '),
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FFFE}' | '\u{FFFF}' => {
                out.push('\u{FFFD}');
            }
            other if other.is_control() => out.push('\u{FFFD}'),
            other => out.push(other),
        }
    }
    out
}

/// The width of a text of this size in px, rather too much than too little: the font is not known
/// here.
pub(super) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(em).sum::<f64>() * size
}

/// The width of a character in a wide sans-serif font (DejaVu Sans), in em.
fn em(character: char) -> f64 {
    match character {
        'i' | 'j' | 'l' | '\'' | '|' | '.' | ',' | ':' | ';' | '!' | ' ' => 0.34,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '-' | '/' | 'I' => 0.42,
        'm' | 'M' | 'w' | 'W' | '@' | '%' | '…' | '→' | '↑' | '+' | '=' | '<' | '>' => 0.96,
        'A'..='Z' => 0.74,
        '\u{1100}'.. => 1.1,
        _ => 0.63,
    }
}

/// A text in one line that fits into `room` px, cut with `…` where it must be.
pub(super) fn cut(text: &str, size: f64, room: f64) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if width(&line, size) <= room {
        return line;
    }
    let mut used = em('…') * size;
    let mut out = String::new();
    for character in line.chars() {
        used += em(character) * size;
        if used > room {
            break;
        }
        out.push(character);
    }
    out.truncate(out.trim_end().len());
    out.push('…');
    out
}

/// Puts words one after another into lines of at most `room` px; what does not fit into `lines_max`
/// lines is counted at the end.
pub(super) fn wrap(words: &[String], size: f64, room: f64, lines_max: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let joined = lines.last().map(|line| format!("{line} · {word}"));
        if let (Some(joined), Some(line)) = (joined, lines.last_mut())
            && width(&joined, size) <= room
        {
            *line = joined;
            continue;
        }
        if lines.len() == lines_max {
            if let Some(line) = lines.last_mut() {
                *line = format!("{line} +{}", words.len() - at);
            }
            break;
        }
        lines.push(cut(word, size, room));
    }
    lines
}

/// A length in px as it stands in an attribute: at most one decimal.
pub(super) fn px(length: f64) -> String {
    let mut out = String::new();
    let tenths = (length * 10.0).round() / 10.0;
    // Minus nought would be another text for the same place.
    let _ = write!(out, "{}", if tenths == 0.0 { 0.0 } else { tenths });
    out
}

/// A number of things, to reckon lengths with.
pub(super) fn count(things: usize) -> f64 {
    f64::from(u32::try_from(things).unwrap_or(u32::MAX))
}
