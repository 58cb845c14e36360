//! Keeps a connection up: connects, and connects again.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::connection::{Broken, Connection};
use super::{LinkError, LinkEvent, Request, Shared};
use crate::base::ids::CoreId;
use crate::esl::token::JobSeries;

/// The first pause before a connection is tried again; each is twice as long as the one before.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// A link is ready within so many pings, or is given up.
const READY_PINGS: u32 = 6;
/// A link that has been up for so many pings is good: after it the pauses begin anew.
const GOOD_PINGS: u32 = 2;

/// Runs until the last handle is dropped.
pub(super) async fn run(shared: Arc<Shared>, mut requests: mpsc::Receiver<Request>) {
    let _closing = Closing(&shared);
    let mut pauses = Pauses::new(shared.timing.pause);
    let mut core = None;
    let mut reported = None;
    loop {
        shared.counters.attempts.fetch_add(1, Relaxed);
        let began = Instant::now();
        let (broken, was_up) = attempt(&shared, &mut requests, &mut core).await;
        if let Broken::Unwanted = broken {
            return;
        }
        if was_up && began.elapsed() >= shared.timing.ping * GOOD_PINGS {
            pauses = Pauses::new(shared.timing.pause);
        }
        let reason = broken.to_string();
        if was_up || reported.is_none() {
            shared.events.push(LinkEvent::Down { reason: reason.clone(), cause: broken.cause() });
        }
        let pause = pauses.next(random());
        report(&shared, &reason, pause, was_up || reported.as_ref() != Some(&reason));
        reported = Some(reason);
        tokio::select! {
            () = sleep(pause) => {}
            () = refuse(&mut requests) => return,
        }
    }
}

/// Each reason once, and not at every attempt.
fn report(shared: &Shared, reason: &str, pause: Duration, new: bool) {
    let (link, pause_ms) = (&shared.name, pause.as_millis());
    if new {
        tracing::warn!(link, reason, pause_ms, "no link to FreeSWITCH");
    } else {
        tracing::debug!(link, reason, pause_ms, "no link to FreeSWITCH");
    }
}

/// One connection; says whether it came up.
async fn attempt(
    shared: &Shared,
    requests: &mut mpsc::Receiver<Request>,
    core: &mut Option<CoreId>,
) -> (Broken, bool) {
    let ready = timeout(shared.timing.ping * READY_PINGS, ready(shared));
    let ready = tokio::select! {
        ready = ready => ready.unwrap_or(Err(Broken::NotReady)),
        () = refuse(requests) => Err(Broken::Unwanted),
    };
    let (mut connection, now) = match ready {
        Ok(ready) => ready,
        Err(broken) => return (broken, false),
    };
    let same_core = core.replace(now).is_none_or(|before| before == now);
    tracing::info!(link = shared.name, core = %now, same_core, "a link to FreeSWITCH");
    shared.counters.ups.fetch_add(1, Relaxed);
    shared.counters.pulse().up = true;
    shared.events.push(LinkEvent::Up { core: now, same_core });
    let broken = connection.hold(requests).await;
    shared.counters.pulse().up = false;
    connection.close();
    (broken, true)
}

async fn ready(shared: &Shared) -> Result<(Connection<'_>, CoreId), Broken> {
    let mut connection = Connection::open(shared, series()).await?;
    let core = connection.establish().await?;
    Ok((connection, core))
}

/// Refuses commands for as long as it is polled; ends when nobody can give one any more.
async fn refuse(requests: &mut mpsc::Receiver<Request>) {
    while let Some(request) = requests.recv().await {
        drop(request.reply.send(Err(LinkError::Down)));
    }
}

fn series() -> JobSeries {
    #[allow(clippy::cast_possible_truncation, reason = "any 32 bits will do")]
    JobSeries::new(random() as u32)
}

fn random() -> u64 {
    uuid::Uuid::now_v7().as_u64_pair().1
}

/// Tells the consumer that nothing more comes.
struct Closing<'a>(&'a Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.events.close();
    }
}

/// The pauses between attempts.
#[derive(Debug)]
struct Pauses {
    next: Duration,
    max: Duration,
}

impl Pauses {
    fn new(max: Duration) -> Self {
        Self { next: PAUSE_MIN.min(max), max }
    }

    /// Between half of the pause and all of it, so that many clients don't come back at one moment.
    fn next(&mut self, random: u64) -> Duration {
        let whole = self.next;
        self.next = whole.saturating_mul(2).min(self.max);
        let half = whole / 2;
        half + half.mul_f64((random % 1_000) as f64 / 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_limit_and_differ_from_one_another() {
        let max = Duration::from_secs(5);
        let mut pauses = Pauses::new(max);
        let longest: Vec<_> = (0..9).map(|_| pauses.next(999)).collect();
        assert!(longest.is_sorted() && longest[0] > Duration::from_millis(99));
        assert!(longest[8] > Duration::from_millis(4_990) && longest[8] <= max);
        let mut pauses = Pauses::new(max);
        assert_eq!(pauses.next(0), Duration::from_millis(50));
        assert_eq!(Pauses::new(Duration::from_millis(8)).next(0), Duration::from_millis(4));
    }
}
