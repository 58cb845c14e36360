//! One connection to the Event Socket of the simulated FreeSWITCH, as `mod_event_socket.c` serves
//! an inbound one.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

use super::StandIn;
use crate::simulator::Overheard;

/// Longest command, in bytes: the state of a call goes out in one.
const PACKET_MAX: usize = 1_024 * 1_024;
/// Filters of one connection.
const FILTERS_MAX: usize = 10_000;
/// Answers of background jobs that wait to be written.
const ANSWERS_MAX: usize = 1_024;

/// What one client wants to hear.
#[derive(Default)]
struct Port {
    authenticated: bool,
    names: BTreeSet<String>,
    filters: Vec<(String, String)>,
    /// The channel that was asked for last.
    asked: Option<String>,
}

/// Serves until one of the two leaves.
pub(super) async fn serve(standin: &StandIn, mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.write_all(b"Content-Type: auth/request\n\n").await?;
    let mut news = standin.0.news.subscribe();
    let (answer, mut answers) = mpsc::channel::<Vec<u8>>(ANSWERS_MAX);
    let (mut port, mut read) = (Port::default(), BytesMut::new());
    loop {
        tokio::select! {
            count = stream.read_buf(&mut read) => {
                if count? == 0 {
                    return Ok(());
                }
                while let Some(packet) = packet(&mut read)? {
                    let Some(said) = port.hear(standin, &packet, &answer).await else {
                        return Ok(());
                    };
                    stream.write_all(&said).await?;
                }
            }
            event = news.recv() => match event {
                Ok(event) if port.wants(&event) => stream.write_all(&event.plain()).await?,
                Ok(_) => {}
                // As FreeSWITCH does with who does not read.
                Err(RecvError::Lagged(_) | RecvError::Closed) => return Ok(()),
            },
            Some(said) = answers.recv() => stream.write_all(&said).await?,
        }
    }
}

/// The next command without its blank line.
fn packet(read: &mut BytesMut) -> io::Result<Option<String>> {
    let Some(end) = read.windows(2).position(|pair| pair == b"\n\n") else {
        if read.len() > PACKET_MAX {
            return Err(io::Error::other("a command without an end"));
        }
        return Ok(None);
    };
    let packet = String::from_utf8_lossy(&read[..end]).into_owned();
    read.advance(end + 2);
    Ok(Some(packet))
}

fn reply(text: &str) -> Vec<u8> {
    format!("Content-Type: command/reply\nReply-Text: {text}\n\n").into_bytes()
}

impl Port {
    /// What is said at once; none where the connection is to end.
    async fn hear(
        &mut self,
        standin: &StandIn,
        packet: &str,
        answer: &mpsc::Sender<Vec<u8>>,
    ) -> Option<Vec<u8>> {
        let (line, rest) = packet.split_once('\n').unwrap_or((packet, ""));
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        if verb == "auth" {
            self.authenticated = argument == standin.0.password;
        }
        if !self.authenticated {
            return None;
        }
        match verb {
            "exit" => return None,
            "event" => self.names.extend(argument.split(' ').skip(1).map(str::to_owned)),
            "filter" => self.filter(argument),
            "api" => {
                let output = self.obey(standin, argument).await;
                let head =
                    format!("Content-Type: api/response\nContent-Length: {}\n\n", output.len());
                return Some([head.into_bytes(), output].concat());
            }
            "bgapi" => {
                let job = rest.strip_prefix("Job-UUID: ").unwrap_or_default().trim().to_owned();
                self.begin(standin, argument, job.clone(), answer);
                return Some(reply(&format!("+OK Job-UUID: {job}\nJob-UUID: {job}")));
            }
            _ => {}
        }
        Some(reply("+OK accepted"))
    }

    async fn obey(&mut self, standin: &StandIn, command: &str) -> Vec<u8> {
        self.note(command);
        standin.obey(command, self.asked.as_deref()).await
    }

    fn note(&mut self, command: &str) {
        if let Some(uuid) = command.strip_prefix("uuid_exists ") {
            self.asked = Some(uuid.to_owned());
        }
    }

    /// Runs a command aside; its output comes in an event.
    fn begin(
        &mut self,
        standin: &StandIn,
        command: &str,
        job: String,
        answer: &mpsc::Sender<Vec<u8>>,
    ) {
        self.note(command);
        let (standin, command, beside) = (standin.clone(), command.to_owned(), self.asked.clone());
        let answer = answer.clone();
        tokio::spawn(async move {
            let output = standin.obey(&command, beside.as_deref()).await;
            let output = String::from_utf8_lossy(&output).into_owned();
            let event = Overheard::new("BACKGROUND_JOB", &[("Job-UUID", &job)], Some(output));
            // The connection may be gone.
            let _ = answer.send(event.plain()).await;
        });
    }

    fn filter(&mut self, argument: &str) {
        let (delete, rule) = match argument.strip_prefix("delete ") {
            Some(rule) => (true, rule),
            None => (false, argument),
        };
        let Some((header, value)) = rule.split_once(' ') else { return };
        let rule = (header.to_owned(), value.to_owned());
        if delete {
            self.filters.retain(|known| *known != rule);
        } else if self.filters.len() < FILTERS_MAX {
            self.filters.push(rule);
        }
    }

    fn wants(&self, event: &Arc<Overheard>) -> bool {
        let named = event.header("Event-Name").is_some_and(|name| self.names.contains(name));
        let passes = || self.filters.iter().any(|(header, rule)| event.passes(header, rule));
        named && (self.filters.is_empty() || passes())
    }
}
