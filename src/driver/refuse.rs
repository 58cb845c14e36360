//! Gives calls back to the dialplan where no daemon runs: connections that are already made must
//! not be reset, or their calls would be parked for ever.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use super::call::Clock;
use super::session::{Router, Session, Settings};
use super::translate::arrival::Inquiry;
use crate::base::ids::{CallId, FlowName, TenantId};
use crate::esl::argument::Word;
use crate::flow::program::Program;
use crate::switch::listener::last;

/// How long FreeSWITCH may take to take them back.
const BACK_MAX: Duration = Duration::from_secs(10);

/// Closes a listening socket: whoever waits in its queue goes back to the dialplan with `word` in
/// `callwright_refused`. Says how many.
///
/// # Errors
/// The socket can't be used.
pub async fn close(socket: std::net::TcpListener, word: &'static str) -> io::Result<usize> {
    let clock = Clock::start();
    let mut backs = JoinSet::new();
    for (stream, _) in last(&socket)? {
        backs.spawn(back(stream, word, clock));
    }
    drop(socket);
    let count = backs.len();
    if timeout(BACK_MAX, async { while backs.join_next().await.is_some() {} }).await.is_err() {
        tracing::warn!(calls = backs.len(), "calls were not taken back");
    }
    Ok(count)
}

/// Nobody's router: no call gets so far as to be asked for.
pub(super) struct Nowhere;

impl Router for Nowhere {
    fn route(&self, _: &Inquiry) -> Result<Arc<Program>, String> {
        Err("draining".to_owned())
    }

    fn program(
        &self,
        _: TenantId,
        _: &FlowName,
        _: &BTreeMap<FlowName, u32>,
    ) -> Result<Arc<Program>, String> {
        Err("draining".to_owned())
    }
}

async fn back(stream: TcpStream, word: &'static str, clock: Clock) {
    let Ok(profile) = Word::new("profile", "external") else { return };
    let Ok(settings) = Settings::alone(profile) else { return };
    let call = CallId(uuid::Uuid::now_v7());
    let mut session = Session::new(call, Some(word), clock.now());
    let mut unsent = Bytes::new();
    while !session.is_closed() {
        if unsent.is_empty() {
            unsent = session.transmit().unwrap_or_default();
        }
        let (deadline, due) = (session.deadline(), clock.at(session.deadline().unwrap_or(0)));
        tokio::select! {
            writable = stream.writable(), if !unsent.is_empty() => {
                match writable.and_then(|()| stream.try_write(&unsent)) {
                    Ok(written) => unsent.advance(written),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => session.link_lost(clock.now()),
                }
            }
            readable = stream.readable() => {
                match readable.and_then(|()| stream.try_read_buf(session.buffer())) {
                    Ok(0) => session.link_lost(clock.now()),
                    Ok(_) => session.received(clock.now(), &settings, &Nowhere),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => session.link_lost(clock.now()),
                }
            }
            () = sleep_until(due), if deadline.is_some() => session.tick(clock.now()),
        }
        while session.poll().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::dialer::talk;
    use crate::simulator::{Caller, Channel, Script};

    #[tokio::test]
    async fn whoever_waits_goes_back_to_the_dialplan_with_the_word() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let script = Script::from_yaml("dial: '100'\nsteps: [{ expect: { ended: {} } }]").unwrap();
        let (script, clock) = (Arc::new(script), Clock::start());
        let mut stream = TcpStream::connect(address).await.unwrap();
        let call = script.call("0190a8c4-0000-7000-8000-000000000001");
        let mut channel = Channel::new(call, Arc::new(script.world()), clock.now());
        let mut caller = Caller::new(script, clock.now());
        channel.connected(clock.now());
        let (closed, ()) = tokio::join!(
            close(socket, "down"),
            talk(&mut channel, &mut caller, &mut stream, clock)
        );
        assert_eq!(closed.unwrap(), 1);
        assert_eq!(channel.variable("callwright_refused"), Some(b"down".as_slice()));
        assert!(TcpStream::connect(address).await.is_err());
    }
}
