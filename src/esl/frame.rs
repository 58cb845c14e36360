//! Cuts FreeSWITCH's byte stream into frames: header lines, a blank line, and as many bytes of body
//! as `Content-Length` says (`mod_event_socket.c` read_packet and listener_run write them).

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

use super::block::Block;
use super::event::Event;
use super::value::Value;

/// Longest header block, in bytes: a `connect` reply holds every variable of the channel.
pub const HEAD_MAX: usize = 1024 * 1024;
/// Most header lines in one block.
pub const LINES_MAX: usize = 8 * 1024;
/// Longest body of a call's own connection, in bytes: an event or the output of an API command.
pub const BODY_MAX: usize = 8 * 1024 * 1024;
/// How much room `Decoder::buffer` offers for reading, in bytes.
pub const READ_CHUNK: usize = 64 * 1024;
/// Line starts kept ready between frames; more are given back.
const STARTS_KEPT: usize = 1024;

/// The stream can't be followed any further; the connection is over.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("in the frame at byte {at} of the stream: {problem}")]
pub struct FrameError {
    /// Where the offending frame begins.
    pub at: u64,
    pub problem: FrameProblem,
}

/// What was wrong with a frame.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FrameProblem {
    #[error("a header block of more than {HEAD_MAX} bytes")]
    HeadTooLong,
    #[error("more than {LINES_MAX} header lines in one block")]
    TooManyLines,
    #[error("the body is announced with {0} bytes, which is too many")]
    BodyTooLong(u64),
    #[error("`{0}` is no content length")]
    ContentLength(String),
    #[error("the event is not valid JSON: {0}")]
    Json(String),
}

/// One message from FreeSWITCH.
#[derive(Debug, Clone)]
pub enum Frame {
    /// The answer to `connect`: everything about the channel.
    Connected(Event),
    /// An event, plain or JSON.
    Event(Event),
    /// The answer to any other command but `api`.
    Reply(Block),
    /// The answer to `api`: its output.
    Output(Bytes),
    /// The call has ended, or the connection is about to.
    Notice(Notice),
    /// A line of FreeSWITCH's log.
    Log { head: Block, line: Bytes },
    /// An inbound connection has to say the password.
    AuthRequest,
    /// An inbound connection is not welcome.
    Rejected { reason: Bytes },
    /// A content type that we don't know.
    Other { head: Block, body: Bytes },
}

/// The two kinds of `text/disconnect-notice`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The call has ended, the connection stays open for `seconds` (`None`: for as long as we
    /// like).
    Linger { seconds: Option<u32> },
    /// FreeSWITCH closes the connection, and says this.
    Disconnect { text: Bytes },
}

/// A frame whose header block is complete and whose body is not.
struct Head {
    block: Block,
    body: usize,
}

/// Cuts frames from a stream that arrives in pieces of any size.
pub struct Decoder {
    body_max: usize,
    buffer: BytesMut,
    /// Bytes of `buffer` that were searched for line ends already.
    searched: usize,
    /// Where the lines begin that were found so far.
    starts: Vec<u32>,
    head: Option<Head>,
    /// Bytes of the stream before `buffer`.
    consumed: u64,
    /// Where the frame that is being read begins.
    began: u64,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::with_body_max(BODY_MAX)
    }
}

impl Decoder {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bodies of up to `body_max` bytes.
    pub fn with_body_max(body_max: usize) -> Self {
        Self {
            body_max,
            buffer: BytesMut::new(),
            searched: 0,
            starts: Vec::new(),
            head: None,
            consumed: 0,
            began: 0,
        }
    }

    /// The place to read into. Ask for it when there is something to read, not before: what a
    /// waiting call has no use for it should not hold.
    pub fn buffer(&mut self) -> &mut BytesMut {
        if self.buffer.capacity() - self.buffer.len() < READ_CHUNK / 4 {
            self.buffer.reserve(READ_CHUNK);
        }
        &mut self.buffer
    }

    /// Takes a piece of the stream.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Bytes of the stream taken into frames so far.
    pub const fn position(&self) -> u64 {
        self.consumed
    }

    /// Whether a frame has begun and not ended: an end of the stream now cuts it off.
    pub fn is_inside_frame(&self) -> bool {
        self.head.is_some() || !self.buffer.is_empty()
    }

    /// The next whole frame, or `None` until more bytes come. After an error the stream is lost.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let frame = self.cut().map_err(|problem| FrameError { at: self.began, problem })?;
        if frame.is_none() && self.buffer.is_empty() {
            self.release();
        }
        Ok(frame)
    }

    /// Gives memory back: a call that waits holds no buffer.
    fn release(&mut self) {
        self.buffer = BytesMut::new();
        if self.starts.capacity() > STARTS_KEPT || self.head.is_none() {
            self.starts = Vec::new();
        }
    }

    fn cut(&mut self) -> Result<Option<Frame>, FrameProblem> {
        if self.head.is_none() {
            let Some(length) = self.find_head()? else { return Ok(None) };
            self.head = Some(self.take_head(length)?);
        }
        let Some(head) = self.head.take_if(|head| head.body <= self.buffer.len()) else {
            return Ok(None);
        };
        let frame = self.assemble(head)?;
        Ok(Some(frame))
    }

    /// The length of the header block, its blank line left out, once that is there.
    fn find_head(&mut self) -> Result<Option<usize>, FrameProblem> {
        self.skip_blank_lines();
        let unsearched = self.buffer.get(self.searched..).unwrap_or_default();
        let mut line = self.starts.last().map_or(0, |start| *start as usize);
        if self.starts.is_empty() {
            self.began = self.consumed;
            self.starts.push(0);
        }
        for offset in memchr::memchr_iter(b'\n', unsearched) {
            let end = self.searched + offset;
            if end == line {
                self.searched = 0;
                return Ok(Some(end));
            }
            if end >= HEAD_MAX {
                return Err(FrameProblem::HeadTooLong);
            }
            line = end + 1;
            push_start(&mut self.starts, line)?;
        }
        self.searched = self.buffer.len();
        if self.searched > HEAD_MAX { Err(FrameProblem::HeadTooLong) } else { Ok(None) }
    }

    /// No frame begins with a blank line; a body's superfluous line end must not look like one.
    fn skip_blank_lines(&mut self) {
        if self.searched > 0 {
            return;
        }
        let blank = self.buffer.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        self.buffer.advance(blank);
        self.consumed += blank as u64;
    }

    fn take_head(&mut self, length: usize) -> Result<Head, FrameProblem> {
        let bytes = self.take(length);
        self.buffer.advance(1);
        self.consumed += 1;
        let block = Block::new(bytes, &self.starts, false);
        self.starts.clear();
        let body = match block.value("Content-Length") {
            Some(value) => content_length(value, self.body_max)?,
            None => 0,
        };
        Ok(Head { block, body })
    }

    /// Copies, so that a frame that is kept keeps its own bytes alive and no read buffer.
    fn take(&mut self, length: usize) -> Bytes {
        let bytes = Bytes::copy_from_slice(self.buffer.get(..length).unwrap_or_default());
        self.buffer.advance(length.min(self.buffer.len()));
        self.consumed += length as u64;
        bytes
    }

    fn assemble(&mut self, head: Head) -> Result<Frame, FrameProblem> {
        let block = head.block;
        let kind = Kind::of(block.value("Content-Type"));
        if let Kind::PlainEvent = kind {
            return self.take_event(head.body).map(Frame::Event);
        }
        let body = self.take(head.body);
        Ok(match kind {
            Kind::PlainEvent | Kind::Unknown => Frame::Other { head: block, body },
            Kind::JsonEvent => Frame::Event(Event::from_json(&body).map_err(FrameProblem::Json)?),
            Kind::Reply if is_serialized(&block) => Frame::Connected(self.reindex(&block)?),
            Kind::Reply => Frame::Reply(block),
            Kind::Output => Frame::Output(body),
            Kind::Notice => Frame::Notice(notice(&block, body)),
            Kind::Log => Frame::Log { head: block, line: body },
            Kind::AuthRequest => Frame::AuthRequest,
            Kind::Rejection => Frame::Rejected { reason: body },
        })
    }

    /// A plain event is a frame in a frame: lines, a blank line, and the rest is the event's body.
    fn take_event(&mut self, length: usize) -> Result<Event, FrameProblem> {
        let whole = self.take(length);
        let end = index(&whole, &mut self.starts)?;
        let body = whole.get(end + 1..).map_or_else(Bytes::new, |body| whole.slice_ref(body));
        let block = Block::new(whole.slice(..end), &self.starts, true);
        self.starts.clear();
        Ok(Event::plain(block, body))
    }

    /// The same lines, but with values that are URL-encoded.
    fn reindex(&mut self, block: &Block) -> Result<Event, FrameProblem> {
        let bytes = block.bytes().clone();
        index(&bytes, &mut self.starts)?;
        let block = Block::new(bytes, &self.starts, true);
        self.starts.clear();
        Ok(Event::plain(block, Bytes::new()))
    }
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder")
            .field("position", &self.consumed)
            .field("buffered", &self.buffer.len())
            .finish_non_exhaustive()
    }
}

fn push_start(starts: &mut Vec<u32>, start: usize) -> Result<(), FrameProblem> {
    if starts.len() > LINES_MAX {
        return Err(FrameProblem::TooManyLines);
    }
    starts.push(u32::try_from(start).map_err(|_| FrameProblem::HeadTooLong)?);
    Ok(())
}

/// Finds the lines up to a blank line or the end, and says where they end.
fn index(bytes: &[u8], starts: &mut Vec<u32>) -> Result<usize, FrameProblem> {
    starts.clear();
    starts.push(0);
    let mut line = 0;
    let (groups, tail) = bytes.as_chunks::<GROUP>();
    for (nth, group) in groups.iter().enumerate() {
        let mut ends = line_ends(group);
        while ends != 0 {
            let end = nth * GROUP + ends.trailing_zeros() as usize;
            ends &= ends - 1;
            if end == line {
                return Ok(end);
            }
            line = end + 1;
            push_start(starts, line)?;
        }
    }
    let before = bytes.len() - tail.len();
    for end in memchr::memchr_iter(b'\n', tail).map(|offset| before + offset) {
        if end == line {
            return Ok(end);
        }
        line = end + 1;
        push_start(starts, line)?;
    }
    if line < bytes.len() {
        push_start(starts, bytes.len())?;
    }
    Ok(bytes.len())
}

/// Bytes looked at together: lines of an event are short, so that a search for each costs more than
/// the search itself.
const GROUP: usize = 64;

/// A bit for every line feed, the lowest for the first byte.
fn line_ends(group: &[u8; GROUP]) -> u64 {
    const LOW: u64 = u64::from_ne_bytes([0x7f; 8]);
    const LINE_FEEDS: u64 = u64::from_ne_bytes([b'\n'; 8]);
    let (words, _) = group.as_chunks::<8>();
    words.iter().enumerate().fold(0, |ends, (nth, word)| {
        let zero_at_hit = u64::from_le_bytes(*word) ^ LINE_FEEDS;
        let high_at_hit = !(((zero_at_hit & LOW) + LOW) | zero_at_hit | LOW);
        // Gathers the eight high bits in the top byte.
        let gathered = (high_at_hit >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        ends | gathered << (nth * 8)
    })
}

fn content_length(value: Value<'_>, max: usize) -> Result<usize, FrameProblem> {
    let Some(length) = value.number::<u64>() else {
        return Err(FrameProblem::ContentLength(value.text().chars().take(40).collect()));
    };
    usize::try_from(length)
        .ok()
        .filter(|length| *length <= max)
        .ok_or(FrameProblem::BodyTooLong(length))
}

/// The `connect` reply is an event written as a reply: its `+OK` is URL-encoded, no other reply's
/// is (`mod_event_socket.c` parse_command, "connect").
fn is_serialized(block: &Block) -> bool {
    let encoded = block.value("Reply-Text").is_some_and(|text| text.raw().starts_with(b"%2B"));
    encoded && block.value("Event-Name").is_some()
}

fn notice(block: &Block, text: Bytes) -> Notice {
    match block.value("Content-Disposition") {
        Some(value) if value.raw().eq_ignore_ascii_case(b"linger") => Notice::Linger {
            seconds: block.value("Linger-Time").and_then(|seconds| seconds.number()),
        },
        _ => Notice::Disconnect { text },
    }
}

#[derive(Clone, Copy)]
enum Kind {
    PlainEvent,
    JsonEvent,
    Reply,
    Output,
    Notice,
    Log,
    AuthRequest,
    Rejection,
    Unknown,
}

impl Kind {
    fn of(content_type: Option<Value<'_>>) -> Self {
        const NAMES: [(&[u8], Kind); 8] = [
            (b"text/event-plain", Kind::PlainEvent),
            (b"command/reply", Kind::Reply),
            (b"api/response", Kind::Output),
            (b"text/event-json", Kind::JsonEvent),
            (b"text/disconnect-notice", Kind::Notice),
            (b"log/data", Kind::Log),
            (b"auth/request", Kind::AuthRequest),
            (b"text/rude-rejection", Kind::Rejection),
        ];
        let raw = content_type.map_or(&b""[..], |value| value.raw().trim_ascii());
        let known = NAMES.iter().find(|(name, _)| raw.eq_ignore_ascii_case(name));
        known.map_or(Self::Unknown, |(_, kind)| *kind)
    }
}

/// The lines of a block that did not come in a frame of its own.
pub(super) fn indexed(bytes: Bytes) -> Result<Block, FrameProblem> {
    let mut starts = Vec::new();
    index(&bytes, &mut starts)?;
    Ok(Block::new(bytes, &starts, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(stream: &[u8]) -> Result<Vec<Frame>, FrameError> {
        let mut decoder = Decoder::new();
        decoder.feed(stream);
        std::iter::from_fn(|| decoder.next_frame().transpose()).collect()
    }

    fn problem(stream: &[u8]) -> (u64, FrameProblem) {
        let error = all(stream).unwrap_err();
        (error.at, error.problem)
    }

    #[test]
    fn a_frame_beyond_a_limit_is_refused_where_it_begins() {
        let good = b"Content-Type: command/reply\n\n";
        let behind = |bytes: &[u8]| problem(&[good, bytes].concat());
        let at = good.len() as u64;
        let long = BODY_MAX as u64 + 1;
        let head = format!("Content-Length: {long}\n\n");
        assert_eq!(behind(head.as_bytes()), (at, FrameProblem::BodyTooLong(long)));
        assert_eq!(behind(&b"a: b\n".repeat(LINES_MAX + 1)), (at, FrameProblem::TooManyLines));
        assert_eq!(behind(&vec![b'x'; HEAD_MAX + 1]), (at, FrameProblem::HeadTooLong));
        for bad in ["-1", "", "1e3", "99999999999999999999", "0x10"] {
            let head = format!("Content-Length: {bad}\n\n");
            assert_eq!(behind(head.as_bytes()), (at, FrameProblem::ContentLength(bad.to_owned())));
        }
    }

    #[test]
    fn line_ends_are_found_at_every_place_and_nowhere_else() {
        for filler in 0..=u8::MAX {
            let every = if filler == b'\n' { u64::MAX } else { 0 };
            for at in 0..GROUP {
                let mut group = [filler; GROUP];
                group[at] = b'\n';
                assert_eq!(line_ends(&group), every | 1 << at, "{filler} around {at}");
            }
        }
    }

    #[test]
    fn a_huge_body_that_is_only_announced_takes_no_memory() {
        let mut decoder = Decoder::new();
        decoder.feed(format!("Content-Length: {BODY_MAX}\n\n").as_bytes());
        assert!(decoder.next_frame().unwrap().is_none());
        assert!(decoder.buffer().capacity() <= 2 * READ_CHUNK);
    }

    #[test]
    fn nothing_is_held_between_frames() {
        let mut decoder = Decoder::new();
        decoder.buffer().extend_from_slice(b"Content-Type: command/reply\nReply-Text: +OK\n\n");
        let Some(Frame::Reply(head)) = decoder.next_frame().unwrap() else { panic!("no reply") };
        assert!(decoder.next_frame().unwrap().is_none());
        assert_eq!((decoder.buffer.capacity(), decoder.starts.capacity()), (0, 0));
        assert!(head.footprint() < 64, "a kept frame holds only itself: {}", head.footprint());
    }

    #[test]
    fn a_reply_is_raw_and_only_the_answer_to_connect_is_encoded() {
        let raw = b"Content-Type: command/reply\nReply-Text: 50%41%0A\n\n";
        let [Frame::Reply(head)] = &all(raw).unwrap()[..] else { panic!("no reply") };
        assert_eq!(head.value("reply-text").unwrap().text(), "50%41%0A");
        let connected = b"Event-Name: CHANNEL_DATA\nvariable_a: %C3%BC\nvariable_a: 2\n\
            Content-Type: command/reply\nReply-Text: %2BOK%0A\n\n";
        let [Frame::Connected(event)] = &all(connected).unwrap()[..] else { panic!("no data") };
        assert_eq!(event.variable("A").unwrap().text(), "ü");
        assert_eq!(event.headers("variable_a").count(), 2);
        assert_eq!(event.text("Reply-Text").unwrap(), "+OK\n");
    }

    #[test]
    fn an_event_in_an_event_frame_keeps_its_own_body() {
        let inner = "Event-Name: BACKGROUND_JOB\nJob-UUID: j1\nContent-Length: 7\n\n+OK a\n\n";
        let length = inner.len();
        let stream = format!(
            "content-length: {length}\ncontent-type: text/event-plain\n\n{inner}\n\
             Content-Type: api/response\nContent-Length: 3\n\nx\ny"
        );
        let [Frame::Event(event), Frame::Output(output)] = &all(stream.as_bytes()).unwrap()[..]
        else {
            panic!("not two frames")
        };
        assert_eq!(*event.body(), "+OK a\n\n");
        assert_eq!(event.header("content-length").unwrap().number(), Some(7));
        assert_eq!(*output, "x\ny");
    }

    #[test]
    fn an_event_in_json_is_read_like_a_plain_one() {
        let json = br#"{"Event-Name":"DTMF","DTMF-Digit":"5","x":["a","b"],"_body":"hi"}"#;
        let head = format!("Content-Length: {}\nContent-Type: text/event-json\n\n", json.len());
        let [Frame::Event(event)] = &all(&[head.as_bytes(), json].concat()).unwrap()[..] else {
            panic!("no event")
        };
        assert_eq!(event.digit().map(|digit| digit.byte()), Some(b'5'));
        assert_eq!(event.header("X").unwrap().items(), [b"a", b"b"]);
        assert_eq!(*event.body(), "hi");
        let broken = b"Content-Length: 2\nContent-Type: text/event-json\n\n[}";
        assert!(matches!(problem(broken), (0, FrameProblem::Json(_))));
    }

    #[test]
    fn both_notices_and_the_frames_of_other_connections_are_told_apart() {
        let stream = b"Content-Type: text/disconnect-notice\nContent-Disposition: linger\n\
            Linger-Time: -1\nContent-Length: 0\n\nContent-Type: auth/request\n\n\
            Content-Type: text/rude-rejection\nContent-Length: 3\n\nno\n\
            Content-Type: log/data\nContent-Length: 2\n\nhi\
            Content-Type: text/new\nContent-Length: 2\n\nhi\
            Content-Type: text/disconnect-notice\nContent-Length: 3\n\nbye";
        let kinds: Vec<String> = all(stream).unwrap().iter().map(|f| format!("{f:?}")).collect();
        assert_eq!(kinds[0], "Notice(Linger { seconds: None })");
        assert_eq!(kinds[1], "AuthRequest");
        assert!(kinds[2].starts_with("Rejected"));
        assert!(kinds[3].starts_with("Log"));
        assert!(kinds[4].starts_with("Other"));
        assert_eq!(kinds[5], "Notice(Disconnect { text: b\"bye\" })");
    }

    #[test]
    fn a_header_block_longer_than_short_offsets_reach_is_still_indexed() {
        let filler = format!("filler: {}\n", "x".repeat(70_000));
        let stream = format!("{filler}Content-Type: command/reply\nReply-Text: +OK\n\n");
        let [Frame::Reply(head)] = &all(stream.as_bytes()).unwrap()[..] else { panic!("no reply") };
        assert_eq!(head.value("Reply-Text").unwrap().text(), "+OK");
    }
}
