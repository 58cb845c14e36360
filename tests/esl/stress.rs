//! Recordings spoilt in a fixed sequence of ways: the decoder and both conversations must put up
//! with all.

use callwright::esl::fuzz;

use crate::recordings;

/// How many spoilt streams are tried.
const STREAMS: usize = 4_000;
/// Longest stream, in bytes.
const LONGEST: usize = 9_000;

const SPLICES: &[&[u8]] = &[
    b"\n",
    b"\n\n",
    b"\r\n",
    b"\0",
    b":",
    b"%",
    b"%4",
    b"Content-Length: 99999999999999999999\n",
    b"Content-Length: 7\n",
    b"Content-Length: -1\n",
    b"Content-Type: text/event-json\nContent-Length: 9\n\n{\"a\":[1]}",
    b"Content-Type: text/event-plain\nContent-Length: 0\n\n",
    b"Content-Type: text/disconnect-notice\n\n",
    b"Reply-Text: %2BOK%0A\n",
    b"Event-Name: CHANNEL_EXECUTE\nApplication-UUID: x1\n",
    b"Event-Name: CHANNEL_HANGUP_COMPLETE\n",
    b"Content-Type: auth/request\n\nContent-Type: command/reply\nReply-Text: +OK accepted\n\n",
    b"Event-Name: BACKGROUND_JOB\nJob-UUID: j8000000000000001\n",
    b"\xff\xfe",
];

struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % bound.max(1)
    }

    fn spoil(&mut self, stream: &mut Vec<u8>) {
        let at = self.below(stream.len());
        let to = (at + self.below(200)).min(stream.len());
        match self.below(5) {
            0 if at < stream.len() => stream[at] = u8::try_from(self.below(256)).unwrap(),
            1 => drop(stream.drain(at..to)),
            2 => {
                let again = stream[at..to].to_vec();
                stream.splice(at..at, again);
            }
            3 => stream.truncate(at.max(1)),
            _ => {
                let splice = SPLICES[self.below(SPLICES.len())];
                stream.splice(at..at, splice.iter().copied());
            }
        }
    }
}

#[test]
fn a_spoilt_stream_never_panics_and_never_depends_on_how_it_is_cut() {
    let recordings = recordings::from_freeswitch();
    let mut dice = Dice(0x5eed_cafe);
    for _ in 0..STREAMS {
        let recording = &recordings[dice.below(recordings.len())].bytes;
        let from = dice.below(recording.len().saturating_sub(LONGEST / 2));
        let from = if dice.below(2) == 0 { 0 } else { from };
        let to = (from + dice.below(LONGEST)).min(recording.len());
        let mut stream = recording[from..to].to_vec();
        for _ in 0..=dice.below(4) {
            dice.spoil(&mut stream);
        }
        fuzz::decoder(&stream);
        fuzz::conversation(&stream);
        fuzz::inbound(&stream);
    }
}

#[test]
fn bytes_without_any_order_are_put_up_with() {
    let mut dice = Dice(7);
    for length in 0..600 {
        let mut byte = || u8::try_from(dice.below(256)).unwrap();
        let stream: Vec<u8> = (0..length).map(|_| byte()).collect();
        fuzz::decoder(&stream);
        fuzz::conversation(&stream);
        fuzz::inbound(&stream);
    }
}
