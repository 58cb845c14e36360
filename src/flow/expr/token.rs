//! The words of an expression.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::character::complete::{char, digit1, multispace0, one_of, satisfy};
use nom::combinator::{fail, map, opt, recognize};
use nom::sequence::preceded;
use nom::{IResult, Parser};

use super::ExprError;
use crate::flow::value::read_number;

/// One word and the byte at which it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token<'a> {
    pub(super) at: usize,
    pub(super) kind: Kind<'a>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind<'a> {
    Number(f64),
    Text(String),
    /// `/pattern/`
    Pattern(String),
    /// A name, dots included, or a word such as `and`.
    Name(&'a str),
    Sign(&'static str),
}

/// Longer signs before the signs that they begin with.
const SIGNS: [&str; 18] =
    ["==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "&", "(", ")", "[", "]", ",", "="];

/// Reads words up to the end of `source` or, in a template, up to the brace that closes the
/// expression. Hands back the words and how many bytes were read.
pub(super) fn tokens(source: &str) -> Result<(Vec<Token<'_>>, usize), ExprError> {
    let mut tokens: Vec<Token<'_>> = Vec::new();
    let mut rest = source;
    loop {
        rest = rest.trim_start();
        let at = source.len() - rest.len();
        if rest.is_empty() || rest.starts_with('}') {
            return Ok((tokens, at));
        }
        let pattern_may_follow =
            matches!(tokens.last(), Some(Token { kind: Kind::Name("matches"), .. }));
        let read =
            if pattern_may_follow && rest.starts_with('/') { pattern(rest) } else { token(rest) };
        let Ok((after, kind)) = read else { return Err(ExprError::new(source, at, trouble(rest))) };
        tokens.push(Token { at, kind });
        rest = after;
    }
}

fn token(input: &str) -> IResult<&str, Kind<'_>> {
    preceded(multispace0, alt((number, text, name, sign))).parse(input)
}

fn number(input: &str) -> IResult<&str, Kind<'_>> {
    let (rest, written) = recognize((digit1, opt((char('.'), digit1)))).parse(input)?;
    match read_number(written) {
        Some(number) => Ok((rest, Kind::Number(number))),
        None => fail().parse(input),
    }
}

fn text(input: &str) -> IResult<&str, Kind<'_>> {
    let (_, quote) = one_of("\"'").parse(input)?;
    let mut out = String::new();
    let mut characters = input.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        if character == quote {
            return Ok((&input[at + 1..], Kind::Text(out)));
        }
        match (character, character == '\\') {
            (_, true) => match characters.next() {
                Some((_, 'n')) => out.push('\n'),
                Some((_, 't')) => out.push('\t'),
                Some((_, escaped @ ('\\' | '"' | '\''))) => out.push(escaped),
                // `\d` and the like stand for themselves, as patterns want them.
                Some((_, other)) => out.extend(['\\', other]),
                None => break,
            },
            (plain, false) => out.push(plain),
        }
    }
    fail().parse(input)
}

fn pattern(input: &str) -> IResult<&str, Kind<'_>> {
    let (mut rest, _) = char('/').parse(input)?;
    let mut out = String::new();
    loop {
        let (after, plain) = take_while(|c| c != '/' && c != '\\').parse(rest)?;
        out.push_str(plain);
        if let Ok((after, _)) = tag::<_, _, nom::error::Error<&str>>("\\/").parse(after) {
            out.push('/');
            rest = after;
        } else if let Some(escaped) = after.strip_prefix('\\') {
            let (after, character) = nom::character::complete::anychar(escaped)?;
            out.extend(['\\', character]);
            rest = after;
        } else {
            let (after, _) = char('/').parse(after)?;
            return Ok((after, Kind::Pattern(out)));
        }
    }
}

/// A name; one under `channel.` may hold what FreeSWITCH's variables hold.
fn name(input: &str) -> IResult<&str, Kind<'_>> {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let channel = (tag("channel."), take_while1(move |c: char| part(c) || c == '-'));
    let plain = (
        satisfy(|c| c.is_ascii_alphabetic() || c == '_'),
        take_while(move |c| part(c) || c == '.'),
    );
    map(alt((recognize(channel), recognize(plain))), Kind::Name).parse(input)
}

fn sign(input: &str) -> IResult<&str, Kind<'_>> {
    match SIGNS.into_iter().find(|sign| input.starts_with(sign)) {
        Some(sign) => Ok((&input[sign.len()..], Kind::Sign(sign))),
        None => fail().parse(input),
    }
}

fn trouble(rest: &str) -> String {
    match rest.chars().next() {
        Some('"' | '\'') => "the text in quotes has no end".into(),
        Some('/') => "the pattern between slashes has no end".into(),
        Some('|') => "`|` means nothing here: write `or`".into(),
        Some('!') => "`!` means nothing here: write `not`".into(),
        Some('{') => "an expression holds no braces".into(),
        Some('0'..='9') => "this number can't be held".into(),
        Some(other) => format!("`{}` means nothing here", other.escape_debug()),
        None => "the expression ends too early".into(),
    }
}
