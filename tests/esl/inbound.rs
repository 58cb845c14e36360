//! A connection of ours against what FreeSWITCH said and may say on its own port.

use callwright::base::ids::ChannelId;
use callwright::esl::command::{Api, Command};
use callwright::esl::credentials::{Credentials, Password};
use callwright::esl::event::EventName;
use callwright::esl::filter::Filter;
use callwright::esl::frame::{Decoder, Frame};
use callwright::esl::happening::{End, SendError, Ticket};
use callwright::esl::inbound::{Heard, Inbound, JOBS_MAX, UNANSWERED_MAX};
use callwright::esl::token::JobSeries;

use crate::freeswitch::packets;
use crate::recordings;

const GREETING: &[u8] = b"Content-Type: auth/request\n\n";
const ACCEPTED: &[u8] = b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n";
const OK: &[u8] = b"Content-Type: command/reply\nReply-Text: +OK\n\n";

fn new() -> Inbound {
    let password = Password::new("ClueCon").unwrap();
    Inbound::new(Credentials::Password(password), JobSeries::new(0x00ab_cdef))
}

fn channel() -> ChannelId {
    "4be9781d-c0f1-4d7a-a521-b795cb3d13f7".parse().unwrap()
}

fn exists() -> Api {
    Api::Exists { channel: channel() }
}

/// What comes, in short.
fn told(talk: &mut Inbound) -> Vec<String> {
    let short = |heard| match heard {
        Heard::Authenticated => "authenticated".to_owned(),
        Heard::Replied { ticket, reply } => format!("replied {} {:?}", ticket.0, reply.verdict),
        Heard::Output { ticket, output } => format!("output {} {output:?}", ticket.0),
        Heard::JobDone { job, output } => format!("done {job} {output:?}"),
        Heard::JobRefused { job, reply } => format!("refused {job} {}", reply.message()),
        Heard::JobLost { job, stage } => format!("lost {job} {stage:?}"),
        Heard::Unanswered { ticket, stage } => format!("unanswered {} {stage:?}", ticket.0),
        Heard::Event(event) => event.name().name().to_owned(),
        Heard::Disconnected(end) => format!("disconnected: {end}"),
    };
    std::iter::from_fn(|| talk.poll()).map(short).collect()
}

fn open() -> Inbound {
    let mut talk = new();
    talk.receive(GREETING);
    assert_eq!(told(&mut talk), [""; 0]);
    assert_eq!(talk.transmit().unwrap(), "auth ClueCon\n\n");
    talk.receive(ACCEPTED);
    assert_eq!(told(&mut talk), ["authenticated"]);
    talk
}

fn done(job: &str, output: &str) -> Vec<u8> {
    let length = output.len();
    let event = format!(
        "Event-Name: BACKGROUND_JOB\nJob-UUID: {job}\nContent-Length: {length}\n\n{output}"
    );
    let length = event.len();
    format!("Content-Length: {length}\nContent-Type: text/event-plain\n\n{event}").into_bytes()
}

fn jobs_of_others(stream: &[u8]) -> u64 {
    let mut decoder = Decoder::new();
    decoder.feed(stream);
    let frames = std::iter::from_fn(|| decoder.next_frame().unwrap());
    let is_job = |frame: &Frame| match frame {
        Frame::Event(event) => event.name() == EventName::BackgroundJob,
        _ => false,
    };
    frames.filter(is_job).count() as u64
}

#[test]
fn nothing_is_said_before_the_password_was_taken() {
    let mut talk = new();
    assert_eq!(talk.transmit(), None);
    assert_eq!(talk.send(&Command::Exit), Err(SendError::NotAuthenticated));
    talk.receive(GREETING);
    talk.receive(GREETING);
    told(&mut talk);
    assert_eq!(talk.send(&Command::Exit), Err(SendError::NotAuthenticated));
    assert_eq!(talk.transmit().unwrap(), "auth ClueCon\n\n");
    talk.receive(ACCEPTED);
    assert_eq!(told(&mut talk), ["authenticated"]);
    assert!(talk.begin(exists()).is_ok());
}

#[test]
fn a_refusal_at_the_door_says_which() {
    let mut talk = new();
    talk.receive(&recordings::named("07e_auth_wrong.inbound"));
    let heard = told(&mut talk);
    assert_eq!(heard, ["disconnected: FreeSWITCH does not take the password: invalid"]);
    assert_eq!(talk.send(&Command::Exit), Err(SendError::Over));

    let mut talk = new();
    talk.receive(
        b"Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n",
    );
    let heard = told(&mut talk);
    let reason = "FreeSWITCH does not take connections from here: Access Denied, go away.";
    assert_eq!(heard, [format!("disconnected: {reason}")]);
}

#[test]
fn every_recorded_conversation_has_one_answer_for_each_command_and_in_order() {
    for recording in recordings::from_freeswitch() {
        if !recording.name.ends_with(".inbound") || recording.name.starts_with("07") {
            continue;
        }
        let mut talk = new();
        talk.receive(&recording.bytes[..GREETING.len()]);
        told(&mut talk);
        talk.receive(&recording.bytes[GREETING.len()..][..ACCEPTED.len()]);
        assert_eq!(told(&mut talk), ["authenticated"], "{}", recording.name);
        let commands = packets(&recordings::sent(&recording.name)).len() - 1;
        let tickets: Vec<Ticket> =
            (0..commands).map(|_| talk.send(&Command::NoEvents).unwrap()).collect();
        talk.receive(&recording.bytes[GREETING.len() + ACCEPTED.len()..]);
        let mut heard: Vec<Heard> = std::iter::from_fn(|| talk.poll()).collect();
        talk.close();
        heard.extend(std::iter::from_fn(|| talk.poll()));
        let answered = heard.iter().filter_map(|heard| match heard {
            Heard::Replied { ticket, .. } | Heard::Output { ticket, .. } => Some(*ticket),
            _ => None,
        });
        assert_eq!(answered.collect::<Vec<_>>(), tickets, "{}", recording.name);
        let end = heard.last();
        let whole = matches!(end, Some(Heard::Disconnected(End::Notice | End::Closed)));
        assert!(whole, "{}: {end:?}", recording.name);
        assert_eq!(talk.strays(), jobs_of_others(&recording.bytes), "{}", recording.name);
    }
}

#[test]
fn a_job_ends_under_its_own_identity_and_nobody_elses() {
    let mut talk = open();
    let (first, second) = (talk.begin(exists()).unwrap(), talk.begin(exists()).unwrap());
    let sent = talk.transmit().unwrap();
    let ours = format!("bgapi uuid_exists {}\nJob-UUID: j80abcdef00000000\n\n", channel());
    assert!(sent.starts_with(ours.as_bytes()), "{sent:?}");
    talk.receive(&[OK, OK].concat());
    for (job, output) in [
        ("7c6aa0a5-2b8f-4f43-9d3f-8d7a3f8f0e7b", "another client's"),
        ("j80abcdef00000007", "not begun"),
        ("j80abcdee00000000", "an earlier connection's"),
        (&second.to_string(), "true"),
        (&second.to_string(), "again"),
        (&first.to_string(), "false"),
    ] {
        talk.receive(&done(job, output));
    }
    let expected = [format!("done {second} b\"true\""), format!("done {first} b\"false\"")];
    assert_eq!(told(&mut talk), expected);
    assert_eq!(talk.strays(), 4);
}

#[test]
fn a_job_that_is_refused_given_up_or_lost_ends_once() {
    let mut talk = open();
    let jobs: Vec<_> = (0..4).map(|_| talk.begin(exists()).unwrap()).collect();
    talk.transmit();
    let denied = b"Content-Type: command/reply\nReply-Text: -ERR permission denied\n\n";
    talk.receive(&[OK, &denied[..], OK].concat());
    assert_eq!(told(&mut talk), [format!("refused {} permission denied", jobs[1])]);
    talk.give_up(jobs[0]);
    talk.receive(&done(&jobs[0].to_string(), "late"));
    assert_eq!(told(&mut talk), [""; 0]);
    let unsent = talk.begin(exists()).unwrap();
    talk.close();
    assert_eq!(
        told(&mut talk),
        [
            format!("lost {} Accepted", jobs[2]),
            format!("lost {} Unconfirmed", jobs[3]),
            format!("lost {unsent} NotSent"),
            "disconnected: the connection was closed".to_owned(),
        ]
    );
}

#[test]
fn jobs_and_commands_are_limited_and_there_is_room_again() {
    let mut talk = open();
    let jobs: Vec<_> = (0..JOBS_MAX).map(|_| talk.begin(exists()).unwrap()).collect();
    assert!(!talk.has_room());
    assert_eq!(talk.begin(exists()), Err(SendError::Jobs));
    talk.give_up(jobs[0]);
    assert!(talk.has_room() && talk.begin(exists()).is_ok());
    while talk.unanswered() < UNANSWERED_MAX {
        talk.send(&Command::Filter(Filter::Channel(channel()))).unwrap();
    }
    assert_eq!(talk.send(&Command::NoEvents), Err(SendError::Unanswered));
    talk.receive(OK);
    told(&mut talk);
    assert!(talk.send(&Command::NoEvents).is_ok());
}
