//! How to connect a simulated call to a stream: here an in-memory pipe, on tokio's paused clock.

use std::sync::Arc;
use std::time::Duration;

use callwright::simulator::{Call, Channel, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{Instant, sleep_until};

/// Carries bytes and time between a call and its connection until FreeSWITCH would close it.
async fn pump(mut channel: Channel, mut stream: DuplexStream) -> Channel {
    let began = Instant::now();
    let elapsed = |at: Instant| u64::try_from(at.duration_since(began).as_millis()).unwrap();
    let now = |at: Instant| crate::start().plus_ms(elapsed(at));
    let mut buffer = [0; 4096];
    channel.connected(now(began));
    while !channel.is_over() {
        let out = channel.transmit();
        if !out.is_empty() && stream.write_all(&out).await.is_err() {
            channel.closed(now(Instant::now()));
        }
        if channel.is_closed() {
            break;
        }
        let wait = channel.deadline().map(|at| at.saturating_sub(crate::start().mono_ms));
        let due = began + wait.map_or(Duration::from_secs(3_600), Duration::from_millis);
        tokio::select! {
            read = stream.read(&mut buffer) => match read {
                Ok(length @ 1..) => channel.receive(&buffer[..length], now(Instant::now())),
                _ => channel.closed(now(Instant::now())),
            },
            () = sleep_until(due) => channel.tick(now(Instant::now())),
        }
    }
    channel
}

#[tokio::test(start_paused = true)]
async fn a_call_runs_over_a_pipe_until_it_is_over() {
    let (ours, mut theirs) = tokio::io::duplex(1024);
    let channel =
        Channel::new(Call::new(crate::UUID, "1", "2"), Arc::new(World::default()), crate::start());
    let switch = tokio::spawn(pump(channel, ours));
    let commands = "connect\n\nlinger 3\n\nmyevents\n\n\
        sendmsg\ncall-command: execute\nexecute-app-name: answer\nevent-lock: true\n\n\
        sendmsg\ncall-command: execute\nexecute-app-name: playback\nevent-lock: true\n\
        execute-app-arg: tone_stream://%(60000,0,440)\n\n\
        sendmsg\ncall-command: execute\nexecute-app-name: hangup\nevent-lock: true\n\n";
    theirs.write_all(commands.as_bytes()).await.unwrap();
    let mut said = String::new();
    theirs.read_to_string(&mut said).await.unwrap();
    assert!(said.contains("FILE%20PLAYED") && said.contains("CHANNEL_HANGUP_COMPLETE"));
    assert!(said.ends_with("http://www.cluecon.com/\n"));
    assert!(switch.await.unwrap().is_over());
}
