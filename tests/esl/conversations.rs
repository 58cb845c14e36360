//! A conversation against what FreeSWITCH may say, in the order it may say it.

use callwright::base::cause::HangupCause;
use callwright::base::ids::ChannelId;
use callwright::esl::application::Application;
use callwright::esl::command::{Api, Command, Execute};
use callwright::esl::conversation::{Conversation, QUEUED_MAX, WAITING_MAX};
use callwright::esl::happening::{Happening, SendError, Ticket};
use callwright::esl::token::ExecuteId;

const OK: &[u8] = b"Content-Type: command/reply\nReply-Text: +OK\n\n";

fn channel() -> ChannelId {
    "4be9781d-c0f1-4d7a-a521-b795cb3d13f7".parse().unwrap()
}

fn connected() -> Conversation {
    let mut talk = Conversation::new();
    talk.send(&Command::Connect).unwrap();
    talk.receive(b"Event-Name: CHANNEL_DATA\nUnique-ID: ");
    talk.receive(channel().to_string().as_bytes());
    talk.receive(b"\nContent-Type: command/reply\nReply-Text: %2BOK%0A\n\n");
    assert!(matches!(talk.poll(), Some(Happening::Connected { ticket: Ticket(1), .. })));
    talk.transmit();
    talk
}

fn sleep(id: u64) -> Command {
    Command::Execute(Execute::new(ExecuteId(id), Application::Sleep(1)))
}

fn break_all() -> Command {
    Command::Api(Api::Break { channel: channel(), all: true })
}

fn event(name: &str, more: &str) -> Vec<u8> {
    let body = format!("Event-Name: {name}\nUnique-ID: {}\n{more}\n", channel());
    let length = body.len();
    format!("Content-Length: {length}\nContent-Type: text/event-plain\n\n{body}").into_bytes()
}

fn execute_event(name: &str, id: u64) -> Vec<u8> {
    event(name, &format!("Application-UUID: {}\n", ExecuteId(id)))
}

/// What comes, in short.
fn told(talk: &mut Conversation) -> Vec<String> {
    let short = |happening| match happening {
        Happening::Connected { ticket, .. } => format!("connected {}", ticket.0),
        Happening::Replied { ticket, reply } => {
            format!("replied {} {:?}", ticket.0, reply.verdict)
        }
        Happening::Output { ticket, .. } => format!("output {}", ticket.0),
        Happening::Started { id, .. } => format!("started {id}"),
        Happening::Completed { id, .. } => format!("completed {id}"),
        Happening::Lost { id, stage } => format!("lost {id} {stage:?}"),
        Happening::Unanswered { ticket, stage } => format!("unanswered {} {stage:?}", ticket.0),
        Happening::JobDone { job, .. } => format!("done {job}"),
        Happening::Event(event) => event.name().name().to_owned(),
        Happening::Lingering { seconds } => format!("lingering {seconds:?}"),
        Happening::Disconnected(end) => format!("disconnected {end:?}"),
    };
    std::iter::from_fn(|| talk.poll()).map(short).collect()
}

#[test]
fn no_command_goes_before_connect() {
    let mut talk = Conversation::new();
    assert_eq!(talk.send(&Command::Linger(5)), Err(SendError::ConnectFirst));
    talk.send(&Command::Connect).unwrap();
    talk.send(&Command::Linger(5)).unwrap();
    assert_eq!(talk.transmit().unwrap(), "connect\n\nlinger 5\n\n");
    assert_eq!(talk.transmit(), None);
}

#[test]
fn an_execute_starts_and_completes_under_its_own_identity() {
    let mut talk = connected();
    talk.send(&sleep(7)).unwrap();
    let other =
        event("CHANNEL_EXECUTE", "Application-UUID: 59f95bc5-f7ea-49d7-83f0-f43cacf4e9f4\n");
    let ours = [execute_event("CHANNEL_EXECUTE", 7), execute_event("CHANNEL_EXECUTE_COMPLETE", 7)];
    talk.receive(&[OK, &other, &ours.concat(), &ours[1]].concat());
    assert_eq!(
        told(&mut talk),
        [
            "replied 2 Ok",
            "CHANNEL_EXECUTE",
            "started x7",
            "completed x7",
            "CHANNEL_EXECUTE_COMPLETE"
        ]
    );
}

#[test]
fn the_end_of_a_call_ends_every_wait_and_says_how_far_each_came() {
    let mut talk = connected();
    talk.send(&sleep(1)).unwrap();
    talk.send(&sleep(2)).unwrap();
    talk.transmit();
    talk.send(&sleep(3)).unwrap();
    talk.receive(OK);
    talk.receive(&event("CHANNEL_HANGUP_COMPLETE", ""));
    assert_eq!(
        told(&mut talk),
        [
            "replied 2 Ok",
            "CHANNEL_HANGUP_COMPLETE",
            "lost x1 Accepted",
            "lost x2 Unconfirmed",
            "lost x3 NotSent"
        ]
    );
    assert_eq!(talk.send(&sleep(4)), Err(SendError::HungUp));
    talk.send(&Command::Exit).unwrap();
    talk.close();
    assert_eq!(
        told(&mut talk),
        [
            "unanswered 3 Unconfirmed",
            "unanswered 4 NotSent",
            "unanswered 5 NotSent",
            "disconnected Closed"
        ]
    );
    assert_eq!(talk.send(&Command::Exit), Err(SendError::Over));
}

#[test]
fn a_linger_notice_ends_nothing_and_a_disconnect_notice_everything() {
    let mut talk = connected();
    talk.send(&sleep(1)).unwrap();
    talk.receive(b"Content-Type: text/disconnect-notice\nContent-Disposition: linger\n");
    talk.receive(b"Linger-Time: 5\nContent-Length: 0\n\n");
    assert_eq!(told(&mut talk), ["lingering Some(5)"]);
    talk.receive(b"Content-Type: text/disconnect-notice\nContent-Length: 3\n\nbye");
    assert_eq!(told(&mut talk), ["lost x1 NotSent", "unanswered 2 NotSent", "disconnected Notice"]);
}

#[test]
fn executes_wait_here_when_the_queue_there_is_full_enough() {
    let mut talk = connected();
    let most = QUEUED_MAX + WAITING_MAX;
    for id in 0..most {
        talk.send(&sleep(id as u64)).unwrap();
    }
    assert_eq!(talk.send(&sleep(9_999)), Err(SendError::QueueFull));
    let sent = talk.transmit().unwrap();
    assert_eq!(memchr::memmem::find_iter(&sent, "sendmsg").count(), QUEUED_MAX);
    talk.receive(&execute_event("CHANNEL_EXECUTE_COMPLETE", 0));
    assert_eq!(told(&mut talk), ["completed x0"]);
    let sent = talk.transmit().unwrap();
    assert_eq!(memchr::memmem::find_iter(&sent, "sendmsg").count(), 1);
    talk.send(&sleep(9_999)).unwrap();
}

#[test]
fn what_break_all_flushed_is_lost_once_something_later_runs() {
    let mut talk = connected();
    for id in 1..=3 {
        talk.send(&sleep(id)).unwrap();
    }
    talk.receive(&[OK, OK, OK, &execute_event("CHANNEL_EXECUTE", 1)].concat());
    talk.send(&break_all()).unwrap();
    talk.send(&sleep(4)).unwrap();
    told(&mut talk);
    talk.receive(b"Content-Type: api/response\nContent-Length: 4\n\n+OK\n");
    talk.receive(OK);
    talk.receive(&execute_event("CHANNEL_EXECUTE_COMPLETE", 1));
    talk.receive(&execute_event("CHANNEL_EXECUTE", 2));
    assert_eq!(
        told(&mut talk),
        ["output 5", "replied 6 Ok", "completed x1", "started x2"],
        "the second had left the queue just before"
    );
    talk.receive(&execute_event("CHANNEL_EXECUTE", 4));
    assert_eq!(told(&mut talk), ["lost x3 Flushed", "started x4"]);
}

#[test]
fn a_refused_execute_is_lost_at_once() {
    let mut talk = connected();
    talk.send(&sleep(1)).unwrap();
    assert_eq!(talk.send(&sleep(1)), Err(SendError::SameIdentity));
    talk.receive(b"Content-Type: command/reply\nReply-Text: -ERR memory error\n\n");
    assert_eq!(told(&mut talk), ["replied 2 Error", "lost x1 Rejected"]);
    talk.send(&sleep(1)).unwrap();
}

#[test]
fn an_answer_that_nobody_asked_for_disturbs_nothing() {
    let mut talk = connected();
    talk.receive(OK);
    talk.receive(b"Content-Type: api/response\nContent-Length: 1\n\nx");
    talk.receive(b"Content-Type: text/new\nContent-Length: 1\n\nx");
    assert_eq!(told(&mut talk), Vec::<String>::new());
    assert_eq!(talk.strays(), 2);
    talk.send(&Command::Api(Api::Kill { channel: channel(), cause: HangupCause::UserBusy }))
        .unwrap();
    talk.receive(b"Content-Type: api/response\nContent-Length: 4\n\n+OK\n");
    assert_eq!(told(&mut talk), ["output 2"]);
}

#[test]
fn a_stream_that_can_not_be_read_is_the_end_and_says_where() {
    let mut talk = connected();
    let before = talk.position();
    talk.receive(b"Content-Length: many\n\n");
    let happenings = told(&mut talk);
    assert!(happenings[0].contains("Unreadable"), "{happenings:?}");
    assert!(happenings[0].contains(&format!("at: {}", before)), "{happenings:?}");
    assert!(talk.is_over() && talk.poll().is_none());
}
