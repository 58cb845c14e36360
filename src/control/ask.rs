//! The asking end of a control socket: the command line, and a process that follows another.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::timeout;

use super::pass::Lines;
use super::protocol::{ANSWER_MAX, Answer, Request, SocketName};

/// How long an answer may take. Nothing that is asked has to wait for anything.
const ANSWER_TIME: Duration = Duration::from_secs(5);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("no Callwright answers at `{path}`: {source}")]
    Nobody { path: PathBuf, source: io::Error },
    #[error(
        "the process {pid} at `{path}` does not answer within {} s; if it hangs, end it with \
         `kill -9 {pid}`",
        ANSWER_TIME.as_secs()
    )]
    Silent { path: PathBuf, pid: i32 },
    #[error("the process {pid} at `{path}` broke off: {source}")]
    Broken { path: PathBuf, pid: i32, source: io::Error },
    #[error("the process {pid} at `{path}` answers what is no answer: {what}")]
    Nonsense { path: PathBuf, pid: i32, what: String },
    #[error("the process {pid} at `{path}` refuses: {reason}")]
    Refused { path: PathBuf, pid: i32, reason: String },
}

/// A conversation with a running process.
#[derive(Debug)]
pub struct Peer {
    lines: Lines,
    path: PathBuf,
    pid: i32,
}

/// A listening socket, and what it is for.
pub type Passed = (SocketName, std::net::TcpListener);

impl Peer {
    /// Connects to the control socket at `path`.
    ///
    /// # Errors
    /// `Nobody`: there is no socket, nobody listens to it, or it can't be opened.
    pub async fn meet(path: &Path) -> Result<Self, AskError> {
        let stream = match timeout(ANSWER_TIME, UnixStream::connect(path)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(source)) => return Err(AskError::Nobody { path: path.into(), source }),
            Err(late) => return Err(AskError::Nobody { path: path.into(), source: late.into() }),
        };
        let lines = Lines::new(stream);
        let pid = lines.pid().unwrap_or(0);
        Ok(Self { lines, path: path.into(), pid })
    }

    /// As `meet`; none where nobody is.
    ///
    /// # Errors
    /// There is somebody, who can't be spoken to.
    pub async fn find(path: &Path) -> Result<Option<Self>, AskError> {
        match Self::meet(path).await {
            Ok(peer) => Ok(Some(peer)),
            Err(AskError::Nobody { source, .. })
                if matches!(
                    source.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The process at the other end.
    pub const fn pid(&self) -> i32 {
        self.pid
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// There is none, or it is `Answer::Refused`.
    pub async fn ask(&mut self, request: &Request) -> Result<Answer, AskError> {
        self.exchange(request).await.map(|(answer, _)| answer)
    }

    /// Asks for the listening sockets.
    ///
    /// # Errors
    /// As `ask`, or what comes are no listening sockets.
    pub async fn sockets(&mut self) -> Result<Vec<Passed>, AskError> {
        let (answer, sockets) = self.exchange(&Request::Sockets).await?;
        let Answer::Sockets { names } = answer else {
            return Err(self.nonsense("not the sockets that were asked for"));
        };
        if names.len() != sockets.len() {
            return Err(self.nonsense("it names other sockets than it passes"));
        }
        let listeners = sockets.into_iter().map(std::net::TcpListener::from);
        let passed: Vec<Passed> = names.into_iter().zip(listeners).collect();
        match passed.iter().find_map(|(_, socket)| socket.local_addr().err()) {
            Some(error) => Err(self.nonsense(&error.to_string())),
            None => Ok(passed),
        }
    }

    async fn exchange(&mut self, request: &Request) -> Result<(Answer, Vec<OwnedFd>), AskError> {
        let line = serde_json::to_vec(request).map_err(|error| self.broken(error.into()))?;
        let talk = async {
            self.lines.send(&line, &[]).await?;
            self.lines.receive(ANSWER_MAX).await
        };
        let (line, sockets) = match timeout(ANSWER_TIME, talk).await {
            Ok(Ok(Some(received))) => received,
            Ok(Ok(None)) => return Err(self.broken(io::ErrorKind::UnexpectedEof.into())),
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(self.nonsense(&error.to_string()));
            }
            Ok(Err(error)) => return Err(self.broken(error)),
            Err(_) => return Err(AskError::Silent { path: self.path.clone(), pid: self.pid }),
        };
        match serde_json::from_slice(&line) {
            Ok(Answer::Refused { reason }) => {
                Err(AskError::Refused { path: self.path.clone(), pid: self.pid, reason })
            }
            Ok(answer) => Ok((answer, sockets)),
            Err(error) => Err(self.nonsense(&error.to_string())),
        }
    }

    fn broken(&self, source: io::Error) -> AskError {
        AskError::Broken { path: self.path.clone(), pid: self.pid, source }
    }

    fn nonsense(&self, what: &str) -> AskError {
        AskError::Nonsense { path: self.path.clone(), pid: self.pid, what: what.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;

    use super::*;

    /// Asks a process that answers every question with these bytes.
    async fn ask(answer: &'static [u8]) -> AskError {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let other = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 100]).await;
            stream.write_all(answer).await.unwrap();
            // Silence where there was no answer, until the asker has had enough.
            if answer.is_empty() {
                let _ = stream.read(&mut [0; 100]).await;
            }
        });
        let error = Peer::meet(&path).await.unwrap().sockets().await.unwrap_err();
        other.await.unwrap();
        error
    }

    #[tokio::test]
    async fn nonsense_is_named_as_such() {
        for answer in [b"hello\n".as_slice(), br#"{"is":"done"}"#, b"{\"is\":\"done\"}\n"] {
            let error = ask(answer).await;
            let told = matches!(error, AskError::Nonsense { .. } | AskError::Broken { .. });
            assert!(told, "{error}");
        }
        let error = ask(b"{\"is\":\"sockets\",\"names\":[\"calls\"]}\n").await;
        assert!(matches!(error, AskError::Nonsense { .. }), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_hangs_is_waited_for_no_longer_than_said() {
        let error = ask(b"").await;
        assert!(matches!(error, AskError::Silent { .. }), "{error}");
    }

    #[tokio::test]
    async fn where_nobody_is_nobody_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        assert!(Peer::find(&path).await.unwrap().is_none());
        drop(UnixListener::bind(&path).unwrap());
        assert!(Peer::find(&path).await.unwrap().is_none());
        assert!(matches!(Peer::meet(&path).await, Err(AskError::Nobody { .. })));
    }
}
