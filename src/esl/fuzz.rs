//! What a fuzzer runs: arbitrary bytes as FreeSWITCH's side of a connection. Panics where a promise
//! is broken. `tests/fuzz` calls these, and `tests/esl` does with a fixed sequence of bytes.

use crate::base::ids::ChannelId;

use super::application::Application;
use super::command::{Api, Command, Execute};
use super::conversation::Conversation;
use super::credentials::{Credentials, Password};
use super::frame::{Decoder, Frame, FrameError};
use super::happening::Happening;
use super::inbound::{Heard, Inbound};
use super::token::{ExecuteId, JobSeries};

/// Cuts the bytes into frames, at once and in pieces: both must come to the same frames and the
/// same error, and every value must be readable.
pub fn decoder(bytes: &[u8]) {
    let step = bytes.first().map_or(1, |byte| usize::from(*byte) % 64 + 1);
    let whole = frames(bytes.chunks(bytes.len().max(1)));
    let pieces = frames(bytes.chunks(step));
    assert_eq!(whole, pieces, "the frames depend on how the stream was cut");
}

/// Frames in short, and what ended them.
fn frames<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Vec<(usize, usize)>, Option<FrameError>, u64) {
    let mut decoder = Decoder::new();
    let mut seen = Vec::new();
    for piece in pieces {
        decoder.feed(piece);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => seen.push(read(&frame)),
                Ok(None) => break,
                Err(error) => return (seen, Some(error), 0),
            }
        }
    }
    (seen, None, decoder.position())
}

/// Reads whatever can be read in a frame.
fn read(frame: &Frame) -> (usize, usize) {
    match frame {
        Frame::Connected(event) | Frame::Event(event) => {
            let decoded = event.iter().map(|(_, value)| value.bytes().len() + value.items().len());
            let decoded = decoded.sum::<usize>() + event.body().len();
            assert!(
                event.variable("x").is_none_or(|value| value.raw().len() <= decoded + 1_000_000)
            );
            let typed = usize::from(event.digit().is_some())
                + usize::from(event.unique_id().is_some())
                + usize::from(event.hangup_cause().is_some());
            (decoded, typed)
        }
        Frame::Reply(head) | Frame::Other { head, .. } | Frame::Log { head, .. } => {
            (head.iter().map(|(name, value)| name.len() + value.text().len()).sum(), head.len())
        }
        Frame::Output(output) => (output.len(), 0),
        Frame::Rejected { reason } => (reason.len(), 1),
        Frame::Notice(_) => (0, 2),
        Frame::AuthRequest => (0, 3),
    }
}

/// Plays a connection's life with these bytes as the other side. Everything that was asked must be
/// answered for: an execute completes or is lost, once.
pub fn conversation(bytes: &[u8]) {
    let Ok(channel) = "c".parse::<ChannelId>() else { return };
    let mut talk = Conversation::new();
    let mut open = 0_u64;
    let mut next = 0_u64;
    let say = |talk: &mut Conversation, command: &Command| talk.send(command).is_ok();
    say(&mut talk, &Command::Connect);
    for piece in bytes.chunks(97) {
        let execute = Execute::new(ExecuteId(next % 8), Application::Answer);
        open += u64::from(say(&mut talk, &Command::Execute(execute)));
        next += 1;
        if next.is_multiple_of(5) {
            let channel = channel.clone();
            say(&mut talk, &Command::Api(Api::Break { channel, all: true }));
        }
        talk.transmit();
        talk.receive(piece);
        open -= ended(&mut talk);
    }
    talk.close();
    open -= ended(&mut talk);
    assert_eq!(open, 0, "an execute was forgotten");
    assert!(talk.is_over());
}

fn ended(talk: &mut Conversation) -> u64 {
    let is_end = |h: &Happening| matches!(h, Happening::Completed { .. } | Happening::Lost { .. });
    std::iter::from_fn(|| talk.poll()).filter(is_end).count() as u64
}

/// Plays the life of a connection of ours with these bytes as the other side. Every background job
/// must end once, but for those that were given up.
pub fn inbound(bytes: &[u8]) {
    let (Ok(channel), Ok(password)) = ("c".parse::<ChannelId>(), Password::new("p")) else {
        return;
    };
    let mut talk = Inbound::new(Credentials::Password(password), JobSeries::new(0));
    let mut open = 0_u64;
    for (nth, piece) in bytes.chunks(97).enumerate() {
        let begun = talk.begin(Api::Exists { channel: channel.clone() });
        open += u64::from(begun.is_ok());
        if let (4, Ok(job)) = (nth % 5, begun) {
            talk.give_up(job);
            open -= 1;
        }
        talk.transmit();
        talk.receive(piece);
        open -= jobs_ended(&mut talk);
    }
    talk.close();
    open -= jobs_ended(&mut talk);
    assert_eq!(open, 0, "a job was forgotten");
    assert!(talk.is_over());
}

fn jobs_ended(talk: &mut Inbound) -> u64 {
    let is_end = |heard: &Heard| {
        matches!(heard, Heard::JobDone { .. } | Heard::JobRefused { .. } | Heard::JobLost { .. })
    };
    std::iter::from_fn(|| talk.poll()).filter(is_end).count() as u64
}
