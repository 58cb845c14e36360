//! Lines on a Unix socket, with open sockets beside them (unix(7), `SCM_RIGHTS`).
//!
//! A socket that is passed is the same socket: its queue of connections stays, and no caller is
//! refused while one process follows another.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::UnixStream;

/// Sockets beside one line at most.
pub(super) const SOCKETS_MAX: usize = 4;
/// Bytes read at once.
const CHUNK: usize = 16 * 1_024;

/// One end of a conversation in lines.
#[derive(Debug)]
pub(super) struct Lines {
    stream: UnixStream,
    read: Vec<u8>,
    sockets: Vec<OwnedFd>,
}

impl Lines {
    pub(super) const fn new(stream: UnixStream) -> Self {
        Self { stream, read: Vec::new(), sockets: Vec::new() }
    }

    /// The next line without its end, and the sockets beside it; none when the other end is gone.
    pub(super) async fn receive(
        &mut self,
        bytes_max: usize,
    ) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.read.drain(..=end).collect();
                line.pop();
                return Ok(Some((line, std::mem::take(&mut self.sockets))));
            }
            if self.read.len() > bytes_max {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the line is too long"));
            }
            if self.read_some().await? == 0 {
                return Ok(None);
            }
        }
    }

    async fn read_some(&mut self) -> io::Result<usize> {
        let mut bytes = vec![0; CHUNK];
        let (stream, sockets) = (&self.stream, &mut self.sockets);
        let count = stream
            .async_io(Interest::READABLE, || receive(stream.as_fd(), &mut bytes, sockets))
            .await?;
        if sockets.len() > SOCKETS_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "too many sockets"));
        }
        self.read.extend_from_slice(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }

    /// Sends a line; `sockets` come with its first bytes.
    pub(super) async fn send(&mut self, line: &[u8], sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(line.len() + 1);
        bytes.extend_from_slice(line);
        bytes.push(b'\n');
        let stream = &self.stream;
        let sent =
            stream.async_io(Interest::WRITABLE, || send(stream.as_fd(), &bytes, sockets)).await?;
        self.stream.write_all(bytes.get(sent..).unwrap_or_default()).await
    }

    /// The process at the other end, where the system tells.
    pub(super) fn pid(&self) -> Option<i32> {
        self.stream.peer_cred().ok()?.pid()
    }
}

fn receive(
    stream: BorrowedFd<'_>,
    bytes: &mut [u8],
    sockets: &mut Vec<OwnedFd>,
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let mut slices = [IoSliceMut::new(bytes)];
    let received = recvmsg(stream, &mut slices, &mut beside, RecvFlags::CMSG_CLOEXEC)?;
    for message in beside.drain() {
        if let RecvAncillaryMessage::ScmRights(passed) = message {
            sockets.extend(passed);
        }
    }
    Ok(received.bytes)
}

fn send(stream: BorrowedFd<'_>, bytes: &[u8], sockets: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !sockets.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(sockets)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many sockets"));
    }
    Ok(sendmsg(stream, &[IoSlice::new(bytes)], &mut beside, SendFlags::NOSIGNAL)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Lines, Lines) {
        let (one, other) = UnixStream::pair().unwrap();
        (Lines::new(one), Lines::new(other))
    }

    #[tokio::test]
    async fn a_socket_that_is_passed_has_the_same_address() {
        let (mut one, mut other) = pair();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        one.send(b"here", &[listener.as_fd()]).await.unwrap();
        drop(listener);
        let (line, sockets) = other.receive(100).await.unwrap().unwrap();
        assert_eq!((line.as_slice(), sockets.len()), (b"here".as_slice(), 1));
        let passed = std::net::TcpListener::from(sockets.into_iter().next().unwrap());
        assert_eq!(passed.local_addr().unwrap(), address);
        assert!(std::net::TcpStream::connect(address).is_ok());
    }

    #[tokio::test]
    async fn lines_are_told_apart_and_a_long_one_is_refused() {
        let (mut one, mut other) = pair();
        one.send(b"first\nsecond", &[]).await.unwrap();
        assert_eq!(other.receive(100).await.unwrap().unwrap().0, b"first");
        assert_eq!(other.receive(100).await.unwrap().unwrap().0, b"second");
        one.send(&[b'x'; 200], &[]).await.unwrap();
        assert_eq!(other.receive(100).await.unwrap().unwrap().0.len(), 200);
        let long = vec![b'x'; 100_000];
        let (sent, received) = tokio::join!(one.send(&long, &[]), async {
            let received = other.receive(1_000).await;
            drop(other);
            received
        });
        assert!(received.is_err());
        drop(sent);
    }

    #[tokio::test]
    async fn the_other_ends_death_is_the_end() {
        let (one, mut other) = pair();
        drop(one);
        assert!(other.receive(100).await.unwrap().is_none());
    }
}
