//! The other side of a link, as a test wants it: on TCP, and saying only what it is told to.

use std::time::Duration;

use callwright::base::millis::Millis;
use callwright::switch::link::{Link, LinkConfig, LinkEvent, LinkEvents};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

pub(crate) const CORE: &str = "929d0d60-700f-4c1d-8036-9a283b06828a";
pub(crate) const OTHER_CORE: &str = "0de90f0f-3fad-4ca8-911c-d751fd5634eb";
/// Longer than anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const GREETING: &str = "Content-Type: auth/request\n\n";

/// Whatever a test waits for comes, or the test fails.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it does not come")
}

pub(crate) struct Peer(TcpListener);

impl Peer {
    pub(crate) async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn config(&self) -> LinkConfig {
        LinkConfig {
            address: self.0.local_addr().unwrap().to_string(),
            ping: Millis(400),
            answer: Millis(2_000),
            pause: Millis(50),
            ..LinkConfig::default()
        }
    }

    pub(crate) fn link(&self) -> (Link, LinkEvents) {
        Link::start(&self.config()).unwrap()
    }

    pub(crate) async fn accept(&self) -> Side {
        let (stream, _) = soon(self.0.accept()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Side { stream, read: Vec::new(), seen: Vec::new() }
    }

    /// A link that is up, and FreeSWITCH's side of it.
    pub(crate) async fn up(&self) -> (Link, LinkEvents, Side) {
        let (link, mut events) = self.link();
        let side = self.accept_up(CORE).await;
        assert!(matches!(soon(events.next()).await, Some(LinkEvent::Up { same_core: true, .. })));
        (link, events, side)
    }

    /// Takes a connection and answers everything until the link is up.
    pub(crate) async fn accept_up(&self, core: &str) -> Side {
        let mut side = self.accept().await;
        side.say(GREETING).await;
        let mut quiet = false;
        while !quiet {
            let packet = side.packet().await;
            side.answer(&packet, core).await;
            quiet = packet.starts_with("api global_getvar core_uuid");
        }
        side
    }
}

/// FreeSWITCH's side of one connection.
pub(crate) struct Side {
    stream: TcpStream,
    read: Vec<u8>,
    /// Every packet that came.
    pub(crate) seen: Vec<String>,
}

impl Side {
    pub(crate) async fn say(&mut self, text: &str) {
        soon(self.stream.write_all(text.as_bytes())).await.unwrap();
    }

    /// The next packet without its blank line; empty at the end of the stream.
    pub(crate) async fn packet(&mut self) -> String {
        loop {
            if let Some(end) = self.read.windows(2).position(|pair| pair == b"\n\n") {
                let packet = String::from_utf8(self.read.drain(..end + 2).collect()).unwrap();
                let packet = packet.trim_end().to_owned();
                self.seen.push(packet.clone());
                return packet;
            }
            if soon(self.stream.read_buf(&mut self.read)).await.unwrap_or(0) == 0 {
                return String::new();
            }
        }
    }

    /// The next packet that is no ping; pings are answered.
    pub(crate) async fn next(&mut self) -> String {
        loop {
            let packet = self.packet().await;
            if !packet.starts_with("api global_getvar") {
                return packet;
            }
            self.answer(&packet, CORE).await;
        }
    }

    /// What FreeSWITCH says to this packet.
    pub(crate) async fn answer(&mut self, packet: &str, core: &str) {
        if packet.starts_with("api global_getvar core_uuid") {
            let length = core.len();
            self.say(&format!("Content-Type: api/response\nContent-Length: {length}\n\n{core}"))
                .await;
        } else {
            self.say("Content-Type: command/reply\nReply-Text: +OK accepted\n\n").await;
        }
    }

    /// Takes the next job, says that it runs, and gives its command and identity.
    pub(crate) async fn job(&mut self) -> (String, String) {
        let packet = soon(self.next()).await;
        let (command, id) = packet.split_once("\nJob-UUID: ").expect(&packet);
        let reply = format!("+OK Job-UUID: {id}\nJob-UUID: {id}\n\n");
        self.say(&format!("Content-Type: command/reply\nReply-Text: {reply}")).await;
        (command.to_owned(), id.to_owned())
    }

    pub(crate) async fn finish(&mut self, id: &str, output: &str) {
        let length = output.len();
        let tail = format!("Content-Length: {length}\n\n{output}");
        self.say(&event("BACKGROUND_JOB", &format!("Job-UUID: {id}\n{tail}"))).await;
    }

    /// Whether the other side has closed the connection.
    pub(crate) async fn is_closed(&mut self) -> bool {
        while !self.packet().await.is_empty() {}
        true
    }
}

/// An event in the plain format; `rest` ends its header lines, with a body or without.
pub(crate) fn event(name: &str, rest: &str) -> String {
    let end = if rest.contains("\n\n") { "" } else { "\n\n" };
    let body = format!("Event-Name: {name}\n{rest}{end}");
    format!("Content-Length: {}\nContent-Type: text/event-plain\n\n{body}", body.len())
}

pub(crate) fn channel_event(name: &str, channel: &str) -> String {
    event(name, &format!("Unique-ID: {channel}"))
}

/// What a link tells, in short.
pub(crate) async fn told(events: &mut LinkEvents) -> String {
    match soon(events.next()).await {
        Some(LinkEvent::Up { core, same_core }) => format!("up {core} {same_core}"),
        Some(LinkEvent::Down { reason, .. }) => format!("down: {reason}"),
        Some(LinkEvent::Channel(event)) => {
            format!("{} {}", event.name().name(), event.unique_id().unwrap())
        }
        Some(LinkEvent::Gateway(news)) => format!("{news:?}"),
        Some(LinkEvent::Lost(loss)) => format!("{loss:?}"),
        None => "end".to_owned(),
    }
}
