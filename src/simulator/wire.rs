//! Reads commands off the wire as FreeSWITCH does (mod_event_socket.c, `read_packet`), its oddities
//! included: an injected line has here the effect that it would have there.

/// Longest header block; FreeSWITCH takes 10 MiB and then treats the packet as complete, as we do.
pub(super) const MAX_BLOCK: usize = 1024 * 1024;
/// Longest body; a longer one ends the connection (FreeSWITCH 1.11.2 and later: 16 MiB).
pub(super) const MAX_BODY: usize = 16 * 1024 * 1024;

/// One command of the controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packet {
    /// The whole header block: FreeSWITCH looks for a command at its start, and in some cases
    /// further on.
    pub(super) command: Vec<u8>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) body: Option<Vec<u8>>,
}

impl Packet {
    /// The command that runs an application under `event-lock`.
    pub(super) fn execute(app: &[u8], arg: &[u8]) -> Self {
        let header = |name: &str, value: &[u8]| (name.as_bytes().to_vec(), value.to_vec());
        let headers = vec![
            header("call-command", b"execute"),
            header("execute-app-name", app),
            header("execute-app-arg", arg),
            header("event-lock", b"true"),
        ];
        Self { command: b"sendmsg".to_vec(), headers, body: None }
    }

    pub(super) fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers("").find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, v)| v)
    }

    /// The headers whose name begins with `prefix`, in order.
    pub(super) fn headers<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let begins = move |name: &[u8]| {
            name.get(..prefix.len()).is_some_and(|n| n.eq_ignore_ascii_case(prefix.as_bytes()))
        };
        self.headers.iter().filter(move |(n, _)| begins(n)).map(|(n, v)| (&n[..], &v[..]))
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.header(name).is_some_and(super::variables::is_true)
    }
}

/// What came of reading.
#[derive(Debug)]
pub(super) enum Read {
    Packet(Packet),
    /// More bytes are needed.
    More,
    /// FreeSWITCH would drop the connection here.
    Broken,
}

/// Bytes of the controller that are not yet commands.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    start: usize,
    scanned: usize,
    line_feeds: u8,
    body_of: Option<(Packet, Vec<usize>)>,
}

impl Inbox {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.scanned -= self.start;
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// While a command is half sent, FreeSWITCH sends no events.
    pub(super) fn is_partial(&self) -> bool {
        self.len() > 0 || self.body_of.is_some()
    }

    pub(super) fn read(&mut self) -> Read {
        if self.body_of.is_none() && !self.read_block() {
            return Read::More;
        }
        let Some((packet, lengths)) = &mut self.body_of else { return Read::More };
        while let Some(length) = lengths.first().copied() {
            if length > MAX_BODY {
                return Read::Broken;
            }
            let Some(body) = self.bytes.get(self.start..self.start + length) else {
                return Read::More;
            };
            packet.body = Some(until(body, |b| b == 0).to_vec());
            self.start += length;
            self.scanned = self.start;
            lengths.remove(0);
        }
        match self.body_of.take() {
            Some((packet, _)) => Read::Packet(packet),
            None => Read::More,
        }
    }

    /// True when a header block is complete and parsed into `body_of`.
    fn read_block(&mut self) -> bool {
        while self.scanned < self.bytes.len() {
            let byte = self.bytes[self.scanned];
            self.scanned += 1;
            if self.scanned - 1 == self.start && matches!(byte, b'\r' | b'\n') {
                self.start = self.scanned;
                self.line_feeds = 0;
                continue;
            }
            match byte {
                b'\n' => self.line_feeds += 1,
                b'\r' => {}
                _ => self.line_feeds = 0,
            }
            if self.line_feeds == 2 || self.scanned - self.start >= MAX_BLOCK {
                self.body_of = Some(parse_block(&self.bytes[self.start..self.scanned]));
                self.start = self.scanned;
                self.line_feeds = 0;
                return true;
            }
        }
        false
    }
}

/// The bytes before the first one that `end` picks.
pub(super) fn until(bytes: &[u8], end: impl Fn(u8) -> bool) -> &[u8] {
    let length = bytes.iter().position(|b| end(*b)).unwrap_or(bytes.len());
    &bytes[..length]
}

/// Where a line ends: at the first CR in all the rest, at the first LF only if there is none.
fn line_end(bytes: &[u8]) -> Option<usize> {
    let find = |wanted: u8| bytes.iter().position(|b| *b == wanted);
    find(b'\r').or_else(|| find(b'\n'))
}

/// The line without its end, as `strip_cr` leaves it.
pub(super) fn strip_cr(bytes: &[u8]) -> &[u8] {
    &bytes[..line_end(bytes).unwrap_or(bytes.len())]
}

fn parse_block(block: &[u8]) -> (Packet, Vec<usize>) {
    let block = until(block, |b| b == 0);
    let mut packet = Packet { command: block.to_vec(), headers: Vec::new(), body: None };
    let mut lengths = Vec::new();
    let mut rest = block;
    let mut first = true;
    while !rest.is_empty() {
        let line = strip_cr(rest);
        if !first {
            add_header(&mut packet, &mut lengths, line);
        }
        first = false;
        let Some(end) = line_end(rest) else { break };
        let ends = rest[end..].iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        rest = &rest[end + ends..];
    }
    (packet, lengths)
}

fn add_header(packet: &mut Packet, lengths: &mut Vec<usize>, line: &[u8]) {
    let Some(colon) = line.iter().position(|b| *b == b':') else { return };
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let spaces = value.iter().take_while(|b| **b == b' ').count();
    let value = &value[spaces..];
    if name.eq_ignore_ascii_case(b"content-length") {
        let length = atoi(value);
        if let Ok(length @ 1..) = usize::try_from(length) {
            lengths.push(length);
        }
    }
    if name.eq_ignore_ascii_case(b"_body") {
        packet.body = Some(value.to_vec());
        return;
    }
    if value.is_empty() {
        packet.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
    } else {
        packet.headers.push((name.to_vec(), value.to_vec()));
    }
}

/// C's `atoi`: what cannot be read is 0.
pub(super) fn atoi(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let (negative, text) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    let digits = text.iter().take_while(|b| b.is_ascii_digit());
    let value = digits.fold(0i64, |n, b| n.saturating_mul(10).saturating_add(i64::from(b - b'0')));
    if negative { -value } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<Packet> {
        let mut inbox = Inbox::default();
        let mut packets = Vec::new();
        for byte in bytes {
            inbox.push(&[*byte]);
            while let Read::Packet(packet) = inbox.read() {
                packets.push(packet);
            }
        }
        packets
    }

    #[test]
    fn an_injected_empty_line_makes_a_second_command() {
        let packets = read(b"sendmsg\nexecute-app-arg: a\n\napi version\n\n");
        assert_eq!(packets.len(), 2);
        assert!(packets[1].command.starts_with(b"api version"));
    }

    #[test]
    fn a_lone_cr_glues_lines_together_and_the_command_is_lost() {
        let packets = read(
            b"sendmsg\ncall-command: execute\nexecute-app-name: set\nexecute-app-arg: a\rb\n\n",
        );
        assert_eq!(packets.len(), 1);
        assert_eq!(packets[0].header("call-command"), None);
    }

    #[test]
    fn a_body_is_read_by_its_length_and_ends_at_a_nul() {
        let packets = read(b"\n\nsendmsg\r\ncontent-length: 5\r\n\r\nab\0cdexit\n\n");
        assert_eq!(packets[0].body.as_deref(), Some(&b"ab"[..]));
        assert!(packets[1].command.starts_with(b"exit"));
    }

    #[test]
    fn a_body_beyond_the_limit_breaks_the_connection() {
        let mut inbox = Inbox::default();
        inbox.push(b"sendmsg\ncontent-length: 99999999\n\n");
        assert!(matches!(inbox.read(), Read::Broken));
    }
}
