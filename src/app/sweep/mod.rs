//! Looks, over the links, for calls that nobody holds: conversations whose process is gone are
//! followed, callers left parked are sent round their dialplan again, far parties that wait for a
//! caller who is gone get a call of their own, and calls that ended unseen get their record.

mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::links::Links;
use crate::base::cause::{HangupCause, Party, Termination};
use crate::base::ids::{CallId, ChannelId, InstanceId};
use crate::base::masked::Masked;
use crate::driver::call::{Shared, Switchboard};
use crate::driver::registry::{Heed, Hold, Word};
use crate::driver::seal::Opened;
use crate::driver::stray::{self, Stray};
use crate::driver::translate::variables;
use crate::esl::argument::{DialPart, Word as Argument};
use crate::esl::channels::ChannelRow;
use crate::esl::command::{Api, Command};
use crate::esl::event::Event;
use crate::flow::Limits;
use crate::model::live::LiveCall;
use crate::store::Store;
use crate::switch::link::Link;

/// How often, when there is no other reason.
const INTERVAL: Duration = Duration::from_secs(3);
/// Two looks are at least so far apart.
const PAUSE: Duration = Duration::from_millis(500);
/// Channels of which nothing is known that are asked for in one look.
const LOOKS_MAX: usize = 1_000;
/// A call that has been in the same plight for so many looks is in it.
const SURE: u32 = 2;
/// After so many looks a caller who was sent round, and whom nobody took, is sent once more: offers
/// to processes that keep silent take their time.
const AGAIN_AFTER: u32 = 12;
/// A followed channel that was not there in so many looks is not coming.
const FORGET_AFTER: u32 = 40;
/// Where the dialplan takes up a call that Callwright lost (`dialplan/callwright.xml`).
const AGAIN: &str = "callwright_after";

/// What is remembered from one look to the next.
pub(super) struct Sweep {
    shared: Arc<Shared>,
    links: Arc<Links>,
    store: Store,
    /// Who holds a channel's call, none where it is no call of ours, as long as the channel has the
    /// same destination: a far party may get a call of its own.
    holders: BTreeMap<ChannelId, (Masked<String>, Option<InstanceId>)>,
    /// How often a call was seen in a plight.
    plights: BTreeMap<CallId, u32>,
    /// How often a channel that a call follows was not there.
    missing: BTreeMap<ChannelId, u32>,
}

/// What one look finds.
struct View {
    channels: BTreeMap<ChannelId, (Link, ChannelRow)>,
    /// Whether every FreeSWITCH answered: what is not there is gone.
    whole: bool,
    alive: BTreeSet<InstanceId>,
}

impl Sweep {
    pub(super) fn new(shared: Arc<Shared>, links: Arc<Links>, store: Store) -> Self {
        let (holders, plights) = (BTreeMap::new(), BTreeMap::new());
        Self { shared, links, store, holders, plights, missing: BTreeMap::new() }
    }

    /// For ever, or until the process is to stop.
    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let look = async {
            loop {
                tokio::select! {
                    () = self.links.doubted() => {}
                    () = tokio::time::sleep(INTERVAL) => {}
                }
                self.look().await;
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::select! {
            () = look => {}
            () = shared.draining.cancelled() => {}
        }
    }

    async fn look(&mut self) {
        let Some(view) = self.view().await else { return };
        let mut plights = BTreeSet::new();
        self.look_for_ended(&view, &mut plights);
        self.look_for_far_ends(&view);
        self.look_for_parted(&view, &mut plights).await;
        self.look_for_lost(&view, &mut plights).await;
        self.look_for_unseen(&view, &mut plights).await;
        self.look_for_waiting(&view, &mut plights).await;
        self.plights.retain(|call, _| plights.contains(call));
        self.holders.retain(|channel, _| view.channels.contains_key(channel));
    }

    async fn view(&self) -> Option<View> {
        let instances = match self.store.operator().instances().await {
            Ok(instances) => instances,
            // Who is alive is not known: nothing is done to anybody's call.
            Err(error) => {
                tracing::debug!(%error, "calls are not looked for");
                return None;
            }
        };
        let alive = instances.iter().filter(|instance| instance.alive).map(|instance| instance.id);
        let mut view = View {
            channels: BTreeMap::new(),
            whole: true,
            alive: alive.chain([self.shared.settings.instance]).collect(),
        };
        for link in self.links.all() {
            match link.channels().await {
                Ok(rows) => view
                    .channels
                    .extend(rows.into_iter().map(|row| (row.channel.clone(), (link.clone(), row)))),
                Err(error) => {
                    tracing::debug!(link = link.name(), %error, "channels are not known");
                    view.whole = false;
                }
            }
        }
        Some(view)
    }

    /// Whether a call was in its plight for long enough.
    fn sure(&mut self, call: CallId, plights: &mut BTreeSet<CallId>) -> bool {
        self.seen(call, plights) >= SURE
    }

    /// How often a call was seen in its plight, this time included.
    fn seen(&mut self, call: CallId, plights: &mut BTreeSet<CallId>) -> u32 {
        plights.insert(call);
        let seen = self.plights.entry(call).or_default();
        *seen = seen.saturating_add(1);
        *seen
    }

    /// Calls of ours without a connection whose channel is gone.
    fn look_for_ended(&mut self, view: &View, plights: &mut BTreeSet<CallId>) {
        if !view.whole || self.links.all().is_empty() {
            return;
        }
        let reason = if self.links.was_restarted() {
            "FreeSWITCH was restarted"
        } else {
            "the call ended while its connection was broken"
        };
        let held = self.shared.registry.held().into_iter();
        for held in held.filter(|held| held.hold != Hold::Connected) {
            if !view.channels.contains_key(&held.channel) && self.sure(held.call, plights) {
                // One that does not listen now is told at the next look.
                let _ = self.shared.registry.say(held.call, Word::Gone(reason));
            }
        }
    }

    /// Conversations that were followed and are over, whose caller stands in the `socket` of a
    /// process that is gone and holds the connection still: one that was stopped.
    async fn look_for_parted(&mut self, view: &View, plights: &mut BTreeSet<CallId>) {
        let strays = self.shared.registry.held().into_iter();
        for held in strays.filter(|held| held.hold == Hold::Parted) {
            let Some((link, row)) = view.channels.get(&held.channel) else { continue };
            let Some(opened) = self.opened(link, &held.channel).await else { continue };
            let elsewhere = opened.holder != self.shared.settings.instance;
            if elsewhere && view.alive.contains(&opened.holder) {
                continue;
            }
            let seen = self.seen(held.call, plights);
            if (seen == SURE || seen.is_multiple_of(AGAIN_AFTER))
                && let Ok(Some(facts)) = link.dump(&held.channel).await
            {
                send_round(held.call, link, row, &facts).await;
            }
        }
    }

    /// Channels that calls of ours follow and that are gone: their end was not heard, perhaps.
    fn look_for_far_ends(&mut self, view: &View) {
        if !view.whole {
            return;
        }
        let held: BTreeSet<_> =
            self.shared.registry.held().into_iter().map(|held| held.channel).collect();
        let mut missing = BTreeMap::new();
        for (channel, call) in self.links.followed() {
            if view.channels.contains_key(&channel) || held.contains(&channel) {
                continue;
            }
            // One that is being called is not there yet.
            let looks = self.missing.get(&channel).map_or(1, |looks: &u32| looks.saturating_add(1));
            if looks >= SURE {
                // A call that does not listen now is told at the next look.
                let _ = self.shared.registry.say(call, Word::FarGone(channel.clone()));
            }
            if looks >= FORGET_AFTER {
                // Whoever followed it has gone on without it.
                self.links.heed(call, &channel, Heed::Not);
            } else {
                missing.insert(channel, looks);
            }
        }
        self.missing = missing;
    }

    /// Channels with a call that no living process holds.
    async fn look_for_lost(&mut self, view: &View, plights: &mut BTreeSet<CallId>) {
        let held: BTreeSet<_> =
            self.shared.registry.held().into_iter().map(|held| held.channel).collect();
        let mut looks = 0;
        for (channel, (link, row)) in &view.channels {
            let known = self.holders.get(channel).filter(|(to, _)| *to == row.destination);
            let well = known.is_some_and(|(_, id)| id.is_none_or(|id| view.alive.contains(&id)));
            if held.contains(channel) || well || looks >= LOOKS_MAX {
                continue;
            }
            looks += 1;
            match self.opened(link, channel).await {
                Some(opened) if !self.is_well(&opened, view) => {
                    self.save(opened, link, row, plights).await;
                }
                opened => {
                    let holder = opened.map(|opened| opened.holder);
                    self.holders.insert(channel.clone(), (row.destination.clone(), holder));
                }
            }
        }
    }

    fn is_well(&self, opened: &Opened, view: &View) -> bool {
        let ours = opened.holder == self.shared.settings.instance;
        !ours && view.alive.contains(&opened.holder)
    }

    async fn opened(&self, link: &Link, channel: &ChannelId) -> Option<Opened> {
        let text = waiting::variable(link, channel, variables::state_name()).await?;
        self.shared.settings.keys.open(channel, &text).ok()
    }

    /// A conversation is followed; a caller whom nobody has taken back is sent round again.
    async fn save(
        &mut self,
        opened: Opened,
        link: &Link,
        row: &ChannelRow,
        plights: &mut BTreeSet<CallId>,
    ) {
        let call = opened.call.state().call();
        let Ok(Some(facts)) = link.dump(&row.channel).await else { return };
        let other: Option<ChannelId> =
            facts.variable("signal_bond").and_then(|bond| bond.text().parse().ok());
        let busy = matches!(row.application.as_str(), "bridge" | "record" | "conference");
        if other.is_some() || (busy && opened.call.state().runs_on()) {
            return self.follow(opened, other);
        }
        let seen = self.seen(call, plights);
        if seen == SURE || seen.is_multiple_of(AGAIN_AFTER) {
            send_round(call, link, row, &facts).await;
        }
    }

    fn follow(&self, opened: Opened, other: Option<ChannelId>) {
        let state = opened.call.state();
        let (call, tenant, main) = (state.call(), state.tenant(), state.main().clone());
        let program = match self.shared.router.program(tenant, &main, state.versions()) {
            Ok(program) => program,
            Err(reason) => return tracing::warn!(%call, reason, "a call can't be followed"),
        };
        if self.shared.registry.holds(call) {
            return;
        }
        match Stray::found(opened, program, other, &self.shared.settings, self.shared.clock.now()) {
            Ok(found) => {
                tracing::info!(%call, "a conversation that nobody held is followed");
                stray::adopt(&self.shared, found);
            }
            Err(error) => tracing::warn!(%call, %error, "a call can't be followed"),
        }
    }

    /// Calls of processes that are gone, which are not on any channel.
    async fn look_for_unseen(&mut self, view: &View, plights: &mut BTreeSet<CallId>) {
        let operator = self.store.operator();
        let Ok(calls) = operator.live_calls_of_the_dead().await else { return };
        for live in calls {
            if self.shared.registry.holds(live.call)
                || view.channels.contains_key(&live.channel)
                || !self.must_be_over(&live, view)
                || !self.sure(live.call, plights)
            {
                continue;
            }
            let cause = HangupCause::NormalUnspecified;
            let reason = "the call ended while no process held it".into();
            let termination = Termination { party: Party::Us, cause, reason };
            match operator.close_unseen(&live, &termination, None).await {
                Ok(Some(_)) => tracing::info!(call = %live.call, "a call had ended unseen"),
                Ok(None) => {}
                Err(error) => tracing::warn!(call = %live.call, %error, "a call stays open"),
            }
        }
    }

    /// Without links only time tells.
    fn must_be_over(&self, live: &LiveCall, view: &View) -> bool {
        if !self.links.all().is_empty() {
            return view.whole;
        }
        let longest = Limits::CEILING.duration.ms();
        let age = Timestamp::now().duration_since(live.started).as_millis();
        u64::try_from(age).is_ok_and(|age| age > longest)
    }
}

/// Lets the dialplan offer the call again.
async fn send_round(call: CallId, link: &Link, row: &ChannelRow, facts: &Event) {
    if facts.variable("callwright_offered").is_none_or(|offered| offered != "true") {
        return tracing::warn!(%call, "a call is held by nobody, and its dialplan is not known");
    }
    let extension = facts.variable("callwright_again").map(|name| name.text().into_owned());
    let extension = DialPart::new(extension.as_deref().unwrap_or(AGAIN));
    let context = Argument::new("context", &row.context);
    let (Ok(extension), Ok(context), Ok(dialplan)) =
        (extension, context, Argument::new("dialplan", "XML"))
    else {
        return;
    };
    tracing::warn!(%call, "a caller whom nobody held is sent round the dialplan again");
    if let Command::Api(resume) = variables::cut(&row.channel) {
        let _ = link.api(resume).await;
    }
    let channel = row.channel.clone();
    let transfer = Api::Transfer { channel, extension, dialplan, context };
    if let Err(error) = link.api(transfer).await {
        tracing::warn!(%call, %error, "it did not go");
    }
}
