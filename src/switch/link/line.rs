//! The bytes of one connection.

use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::esl::credentials::Credentials;
use crate::esl::inbound::{Heard, Inbound};
use crate::esl::token::JobSeries;
use crate::switch::listener::tune;

/// Bytes that may wait for FreeSWITCH to take them before more commands are taken.
const UNSENT_MAX: usize = 256 * 1024;
/// Bytes read before anything else has its turn.
const READ_MAX: usize = 256 * 1024;

/// A socket and what is said on it.
#[derive(Debug)]
pub(super) struct Line {
    stream: TcpStream,
    pub(super) talk: Inbound,
    unsent: BytesMut,
    /// The stream is at its end, or broken; what came before is heard first.
    ended: bool,
}

impl Line {
    pub(super) async fn open(
        address: &str,
        credentials: Credentials,
        series: JobSeries,
    ) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        tune(&stream)?;
        let talk = Inbound::new(credentials, series);
        Ok(Self { stream, talk, unsent: BytesMut::new(), ended: false })
    }

    /// Whether one more job may begin.
    pub(super) fn has_room(&self) -> bool {
        self.talk.has_room() && self.unsent.len() < UNSENT_MAX
    }

    /// What was heard next. At the end of the stream everything that is awaited ends, after
    /// whatever came before it.
    pub(super) fn poll(&mut self) -> Option<Heard> {
        let heard = self.talk.poll();
        if heard.is_some() || !self.ended {
            return heard;
        }
        self.talk.close();
        self.talk.poll()
    }

    /// Waits until bytes can be read, or written if there are any, and does that. Nothing is lost
    /// when it is dropped. The reading never waits for the writing: FreeSWITCH would be held up,
    /// and with it every other client (`mod_event_socket.c` event_handler).
    pub(super) async fn turn(&mut self) -> io::Result<()> {
        if let Some(bytes) = self.talk.transmit() {
            self.unsent.extend_from_slice(&bytes);
        }
        let both = Interest::READABLE | Interest::WRITABLE;
        let interest = if self.unsent.is_empty() { Interest::READABLE } else { both };
        let ready = self.stream.ready(interest).await?;
        if ready.is_readable() {
            self.read();
        }
        if ready.is_writable() && !self.unsent.is_empty() && !self.ended {
            match later(self.stream.try_write(&self.unsent)) {
                Ok(written) => self.unsent.advance(written.unwrap_or_default()),
                Err(_) => self.ended = true,
            }
        }
        Ok(())
    }

    fn read(&mut self) {
        let mut total = 0;
        while total < READ_MAX {
            match later(self.stream.try_read_buf(self.talk.buffer())) {
                Ok(None) => return,
                Ok(Some(read)) if read > 0 => total += read,
                Ok(Some(_)) | Err(_) => {
                    self.ended = true;
                    return;
                }
            }
        }
    }
}

/// `None` for what has to wait.
fn later(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
