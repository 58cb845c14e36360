//! Answers to commands: the small grammar of `+OK`, `-ERR`, `-USAGE` and `+OK Job-UUID:`, and bare
//! text.

use bytes::Bytes;
use nom::branch::alt;
use nom::bytes::complete::{tag, tag_no_case, take_till};
use nom::character::complete::{digit1, space0};
use nom::combinator::{map, map_res, opt, rest, value};
use nom::sequence::{preceded, terminated};
use nom::{IResult, Parser};

use super::block::Block;

/// What an answer begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Ok,
    Error,
    /// The command was understood and its arguments were not.
    Usage,
    /// Neither: some API commands answer with nothing but their result.
    Bare,
}

/// One answer, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub verdict: Verdict,
    /// What follows the verdict, its own line end left out.
    pub text: Bytes,
}

impl Reply {
    /// Reads a `command/reply`. Its text is never URL-decoded: FreeSWITCH did not encode it.
    pub fn of_command(head: &Block) -> Self {
        let raw = head.value("Reply-Text").map_or(&b""[..], |text| text.raw());
        Self::read(&Bytes::copy_from_slice(raw))
    }

    /// Reads the answer in an API command's output.
    pub fn read(raw: &Bytes) -> Self {
        let (tail, verdict) = verdict(raw).unwrap_or((raw, Verdict::Bare));
        Self { verdict, text: raw.slice_ref(tail.trim_ascii_end()) }
    }

    pub const fn is_ok(&self) -> bool {
        matches!(self.verdict, Verdict::Ok)
    }

    /// The job's identity in `+OK Job-UUID: …`.
    pub fn job_uuid(&self) -> Option<&[u8]> {
        job(&self.text).ok().map(|(_, id)| id)
    }

    /// The seconds in `+OK will linger N seconds`.
    pub fn linger_seconds(&self) -> Option<u32> {
        linger(&self.text).ok().map(|(_, seconds)| seconds)
    }

    /// The text, lossily.
    pub fn message(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.text)
    }
}

fn verdict(input: &[u8]) -> IResult<&[u8], Verdict> {
    let word = alt((
        value(Verdict::Ok, tag("+OK")),
        value(Verdict::Error, alt((tag("-ERROR"), tag("-ERR")))),
        value(Verdict::Usage, terminated(tag("-USAGE"), opt(tag(":")))),
    ));
    terminated(word, space0).parse(input)
}

fn job(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let id = take_till(|byte: u8| byte.is_ascii_whitespace());
    preceded((tag_no_case("Job-UUID:"), space0), id).parse(input)
}

fn linger(input: &[u8]) -> IResult<&[u8], u32> {
    let digits = map_res(digit1, |digits| std::str::from_utf8(digits).map(str::parse));
    let seconds = map_res(digits, |number| number);
    terminated(preceded(tag("will linger "), seconds), map(rest, drop)).parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &'static [u8]) -> Reply {
        Reply::read(&Bytes::from_static(raw))
    }

    #[test]
    fn a_verdict_is_read_and_the_rest_is_left_as_it_is() {
        for (raw, verdict, text) in [
            (&b"+OK"[..], Verdict::Ok, &b""[..]),
            (b"+OK bye\n", Verdict::Ok, b"bye"),
            (b"-ERR command not found", Verdict::Error, b"command not found"),
            (b"-ERROR\n", Verdict::Error, b""),
            (b"-USAGE: <uuid>\n", Verdict::Usage, b"<uuid>"),
            (b"true", Verdict::Bare, b"true"),
            (b"50%41", Verdict::Bare, b"50%41"),
            (b"", Verdict::Bare, b""),
            (b"\xff\xfe", Verdict::Bare, b"\xff\xfe"),
        ] {
            let reply = read(raw);
            assert_eq!((reply.verdict, &*reply.text), (verdict, text));
        }
    }

    #[test]
    fn a_job_and_a_linger_time_are_found_in_their_replies_only() {
        assert_eq!(read(b"+OK Job-UUID: abc-1").job_uuid(), Some(&b"abc-1"[..]));
        assert_eq!(read(b"+OK will linger 5 seconds").linger_seconds(), Some(5));
        assert_eq!(read(b"+OK will linger").linger_seconds(), None);
        assert_eq!(read(b"+OK will linger 99999999999 seconds").linger_seconds(), None);
        assert_eq!(read(b"+OK bye").job_uuid(), None);
    }
}
