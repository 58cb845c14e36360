//! The same stream yields the same frames, however it is cut.

use callwright::esl::event::EventName;
use callwright::esl::frame::{Decoder, Frame, Notice};

use crate::recordings;

/// Frames as text with all content, so that they can be compared.
fn shown(frame: &Frame) -> String {
    match frame {
        Frame::Connected(event) | Frame::Event(event) => {
            let mut text = format!("{} {:?}", event.name().name(), event.body());
            for (name, value) in event.iter() {
                text += &format!("\n{}={:?}", String::from_utf8_lossy(name), value.bytes());
            }
            text
        }
        Frame::Reply(head) => format!("reply {:?}", head.value("Reply-Text").map(|v| v.text())),
        Frame::Log { head, line } => format!("log {} {line:?}", head.len()),
        Frame::Other { head, body } => format!("other {head:?} {body:?}"),
        frame @ (Frame::Output(_) | Frame::Notice(_) | Frame::AuthRequest) => format!("{frame:?}"),
        frame @ Frame::Rejected { .. } => format!("{frame:?}"),
    }
}

fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Frame> {
    let mut decoder = Decoder::new();
    let mut frames = Vec::new();
    for piece in pieces {
        decoder.feed(piece);
        while let Some(frame) = decoder.next_frame().unwrap() {
            frames.push(frame);
        }
    }
    assert!(!decoder.is_inside_frame(), "the stream ends inside a frame");
    frames
}

/// Pieces of 1 to 97 bytes, different ones for every stream.
fn pieces(bytes: &[u8]) -> Vec<&[u8]> {
    let mut seed = bytes.len();
    let mut rest = bytes;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (piece, tail) = rest.split_at(rest.len().min((seed >> 33) % 97 + 1));
        pieces.push(piece);
        rest = tail;
    }
    pieces
}

#[test]
fn every_recording_yields_the_same_frames_in_pieces_of_any_size() {
    for recording in recordings::from_freeswitch() {
        let whole = frames([&recording.bytes[..]]);
        let parts = frames(pieces(&recording.bytes));
        assert!(whole.iter().map(shown).eq(parts.iter().map(shown)), "{}", recording.name);
    }
}

#[test]
fn a_short_recording_yields_the_same_frames_cut_at_every_byte() {
    for recording in recordings::from_freeswitch() {
        if recording.bytes.len() < 40_000 {
            let whole = frames([&recording.bytes[..]]);
            let parts = frames(recording.bytes.chunks(1));
            assert!(whole.iter().map(shown).eq(parts.iter().map(shown)), "{}", recording.name);
        }
    }
}

#[test]
fn a_stream_cut_in_two_at_any_byte_yields_the_same_frames() {
    let bytes = &recordings::named("07b_bad_commands_nofull")[..];
    let whole: Vec<String> = frames([bytes]).iter().map(shown).collect();
    for cut in (0..bytes.len()).step_by(29).chain(bytes.len() - 300..bytes.len()) {
        let (front, back) = bytes.split_at(cut);
        let parts = frames([front, back]);
        assert!(parts.iter().map(shown).eq(whole.iter().cloned()), "cut at {cut}");
    }
}

#[test]
fn no_recording_holds_a_frame_of_unknown_kind_and_all_outbound_calls_begin_with_connect() {
    for recording in recordings::from_freeswitch() {
        let frames = frames([&recording.bytes[..]]);
        for frame in &frames {
            let xml = |head: &callwright::esl::block::Block| {
                head.value("Content-Type").is_some_and(|kind| kind == "text/event-xml")
            };
            assert!(
                !matches!(frame, Frame::Other { head, .. } if !xml(head)),
                "{}: {frame:?}",
                recording.name
            );
        }
        if recording.name.contains("pipelined") {
            let Some(Frame::Connected(event)) = frames.first() else { panic!("{:?}", frames[0]) };
            assert_eq!(event.name(), EventName::ChannelData);
            assert!(event.variable("sip_from_user").is_some());
            assert!(event.unique_id().is_some());
            let Some(Frame::Notice(Notice::Disconnect { text })) = frames.last() else {
                panic!("no notice at the end of {}", recording.name)
            };
            assert!(text.starts_with(b"Disconnected, goodbye."));
        }
    }
}
