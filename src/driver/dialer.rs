//! The simulated switch on a network, at the speed of the clock: it connects to a controller as
//! FreeSWITCH's `socket` application does. The demo and load tests call with it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::call::Clock;
use crate::simulator::{Caller, Channel, Script, Verdict};

/// What is read at once, in bytes.
const READ_MAX: usize = 64 * 1_024;
/// How long a call may last, whatever its script says.
const LENGTH_MAX: Duration = Duration::from_secs(3_600);

/// Calls the controller at `address`, plays the caller's script, and says how it came out. `uuid`
/// is the channel's identity. A script that expects steps is for [`super::simulate`]: here nobody
/// tells them.
///
/// # Errors
/// The controller does not accept the connection, or breaks it where FreeSWITCH would notice.
pub async fn place(
    script: Arc<Script>,
    uuid: &str,
    address: SocketAddr,
    clock: Clock,
) -> std::io::Result<Verdict> {
    let now = clock.now();
    let mut channel = Channel::new(script.call(uuid), Arc::new(script.world()), now);
    let mut caller = Caller::new(script, now);
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    channel.connected(clock.now());
    let talk = talk(&mut channel, &mut caller, &mut stream, clock);
    if tokio::time::timeout(LENGTH_MAX, talk).await.is_err() {
        channel.closed(clock.now());
    }
    caller.act(&mut channel, clock.now());
    Ok(caller.verdict().cloned().unwrap_or(Verdict::Passed))
}

/// Carries bytes and time until the call is over for the switch and for the caller.
pub(super) async fn talk(
    channel: &mut Channel,
    caller: &mut Caller,
    stream: &mut TcpStream,
    clock: Clock,
) {
    let mut bytes = BytesMut::with_capacity(READ_MAX);
    let mut open = true;
    loop {
        caller.act(channel, clock.now());
        let out = channel.transmit();
        if open && !out.is_empty() && stream.write_all(&out).await.is_err() {
            open = false;
            channel.closed(clock.now());
        }
        if channel.is_closed() && open {
            open = false;
            drop(stream.shutdown().await);
        }
        if channel.is_over() && (!open || caller.verdict().is_some()) {
            return;
        }
        let due = [channel.deadline(), caller.deadline()].into_iter().flatten().min();
        tokio::select! {
            biased;
            read = stream.read_buf(&mut bytes), if open => match read {
                Ok(1..) => {
                    channel.receive(&bytes, clock.now());
                    bytes.clear();
                }
                Ok(0) | Err(_) => {
                    open = false;
                    channel.closed(clock.now());
                }
            },
            () = clock.reach(due) => channel.tick(clock.now()),
        }
    }
}
