//! A call's place among all that are up: how it is spoken to, and which channels it follows.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::call::Shared;
use super::registry::{Heed, Hold, Seat, WORDS_MAX, Word};
use crate::base::ids::{CallId, ChannelId};
use crate::model::live::LiveCall;

/// Other channels of which one call is told.
const HEEDED_MAX: usize = 32;

/// A call's place in the registry, and what it is told there.
pub(super) struct Entered {
    shared: Arc<Shared>,
    call: CallId,
    pub(super) seat: Seat,
    words: mpsc::Receiver<Word>,
    hold: Hold,
    /// There was a conversation without a connection.
    talked: bool,
    /// Channels of which the call is told.
    heeded: BTreeSet<ChannelId>,
}

impl Entered {
    pub(super) fn new(shared: &Arc<Shared>, live: &LiveCall, hold: Hold) -> Self {
        let (sender, words) = mpsc::channel(WORDS_MAX);
        let call = live.call;
        let seat = shared.registry.enter(live.clone(), hold, sender);
        let shared = Arc::clone(shared);
        Self { shared, call, seat, words, hold, talked: false, heeded: BTreeSet::new() }
    }

    /// How much is told of a channel.
    pub(super) fn heed(&mut self, channel: ChannelId, heed: Heed) {
        match heed {
            // What was asked for stays until it is taken back.
            Heed::Holds if self.heeded.contains(&channel) => return,
            Heed::Not if !self.heeded.remove(&channel) => return,
            Heed::Holds | Heed::All if self.heeded.len() >= HEEDED_MAX => {
                let call = self.call;
                return tracing::warn!(%call, %channel, "a channel too many is to be followed");
            }
            Heed::Not | Heed::Holds | Heed::All => {}
        }
        self.shared.switchboard.heed(self.call, &channel, heed);
        if heed != Heed::Not {
            self.heeded.insert(channel);
        }
    }

    /// The call goes on without a connection: before a conversation, in it or after it.
    pub(super) fn strays(&mut self, talks: bool) {
        self.talked |= talks;
        let hold = if self.talked && !talks { Hold::Parted } else { Hold::Stray };
        if std::mem::replace(&mut self.hold, hold) != hold {
            self.shared.registry.held_by(self.call, &self.seat, hold);
        }
        self.seat.talks(talks);
    }

    /// The next word; none once another task has the call.
    pub(super) async fn next(&mut self) -> Option<Word> {
        self.words.recv().await
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if !self.shared.registry.leave(self.call, &self.seat) {
            // Whoever has the call by now is told of them.
            return;
        }
        for channel in &self.heeded {
            self.shared.switchboard.heed(self.call, channel, Heed::Not);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::base::ids::{CoreId, InstanceId, TenantId};
    use crate::driver::call::{Asking, Clock, Counters, Order, Sink, Switchboard};
    use crate::driver::http::{Config, Http};
    use crate::driver::queries::NoSlots;
    use crate::driver::refuse::Nowhere;
    use crate::driver::registry::Registry;
    use crate::driver::session::Settings;
    use crate::driver::wake::Wake;
    use crate::esl::argument;
    use crate::esl::command::Api;
    use crate::model::audit::AuditEntry;
    use crate::model::record::{CallRecord, RecordingNote};
    use crate::model::timeline::Entry;

    struct Unwritten;

    #[derive(Default)]
    struct Followed(Mutex<BTreeSet<ChannelId>>);

    impl Sink for Unwritten {
        fn note(&self, _: TenantId, _: CallId, _: Box<Entry>) {}
        fn record(&self, _: Box<CallRecord>) {}
        fn audit(&self, _: Box<AuditEntry>) {}
        fn live(&self, _: Box<LiveCall>) {}
        fn recording(&self, _: TenantId, _: CallId, _: Box<RecordingNote>) {}
    }

    impl Switchboard for Followed {
        fn is_there(&self) -> bool {
            true
        }
        fn order(&self, _: CallId, _: Vec<Order>) {}
        fn heed(&self, _: CallId, channel: &ChannelId, heed: Heed) {
            let mut followed = self.0.lock().unwrap();
            if heed == Heed::Not {
                followed.remove(channel);
            } else {
                followed.insert(channel.clone());
            }
        }
        fn ask(&self, _: Option<CoreId>, _: Api) -> Asking<'_> {
            Box::pin(async { Vec::new() })
        }
    }

    fn live() -> LiveCall {
        LiveCall {
            call: CallId(uuid::Uuid::from_u128(7)),
            tenant: TenantId(uuid::Uuid::from_u128(1)),
            holder: InstanceId(uuid::Uuid::nil()),
            term: 0,
            channel: "a-leg".parse().unwrap(),
            flow: "main".parse().unwrap(),
            version: 1,
            caller_name: String::new(),
            caller_number: String::new(),
            dialed: String::new(),
            started: jiff::Timestamp::UNIX_EPOCH,
            number: None,
            gateway: None,
            pending: false,
        }
    }

    #[test]
    fn a_call_on_a_new_connection_goes_on_following_what_the_old_one_followed() {
        let followed = Arc::new(Followed::default());
        let profile = argument::Word::new("profile", "internal").unwrap();
        let shared = Arc::new(Shared {
            router: Box::new(Nowhere),
            sink: Box::new(Unwritten),
            http: Http::new(&Config::default()).unwrap(),
            settings: Settings::alone(profile).unwrap(),
            clock: Clock::start(),
            registry: Registry::default(),
            counters: Counters::default(),
            telemetry: crate::telemetry::Telemetry::untraced().unwrap(),
            wake: Wake::default(),
            switchboard: followed.clone(),
            slots: Box::new(NoSlots),
            queues: Arc::new(crate::driver::queues::NoQueues),
            limits: Box::new(crate::driver::admission::NoLimits),
            outside: Arc::new(crate::driver::outbound::NoOutside),
            draining: tokio_util::sync::CancellationToken::new(),
        });
        let far: ChannelId = "b-leg".parse().unwrap();
        let mut old = Entered::new(&shared, &live(), Hold::Connected);
        old.heed(far.clone(), Heed::All);
        let mut new = Entered::new(&shared, &live(), Hold::Connected);
        new.heed(far.clone(), Heed::All);
        drop(old);
        assert!(followed.0.lock().unwrap().contains(&far));
        drop(new);
        assert!(followed.0.lock().unwrap().is_empty());
    }
}
