//! Connections as FreeSWITCH makes them, one after another without an end.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::daemon::PATIENCE;

/// What a daemon says first to whom it has accepted.
const GREETING: &[u8] = b"connect\n\n";
/// Between two calls.
const PAUSE: Duration = Duration::from_millis(2);

/// Connects and waits until a daemon speaks; how long that took.
pub(crate) fn call(address: SocketAddr) -> io::Result<Duration> {
    let began = Instant::now();
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut greeting = [0; GREETING.len()];
    stream.read_exact(&mut greeting)?;
    assert_eq!(greeting, *GREETING);
    Ok(began.elapsed())
}

/// Callers who come all the time.
pub(crate) struct Callers {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<io::Result<Duration>>>,
}

impl Callers {
    pub(crate) fn start(address: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut calls = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                calls.push(call(address));
                std::thread::sleep(PAUSE);
            }
            calls
        });
        Self { stop, thread }
    }

    /// Ends them: how many there were, and how long the unluckiest waited.
    #[track_caller]
    pub(crate) fn none_was_refused(self) -> (usize, Duration) {
        self.stop.store(true, Ordering::Relaxed);
        let calls = self.thread.join().unwrap();
        let refused: Vec<_> = calls.iter().filter_map(|call| call.as_ref().err()).collect();
        assert!(refused.is_empty(), "of {} calls: {refused:?}", calls.len());
        (calls.len(), calls.into_iter().flatten().max().unwrap())
    }
}
