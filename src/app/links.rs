//! The links to FreeSWITCH: orders to calls that have no connection of their own, and news of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::base::cause::HangupCause;
use crate::base::ids::{CallId, ChannelId, CoreId};
use crate::driver::call::{Asking, Claiming, Hearer, Order, Said, Shared, Switchboard};
use crate::driver::registry::{Heed, TellError, Word};
use crate::esl::command::Api;
use crate::sip::Accounts;
use crate::store::Store;
use crate::switch::link::{Link, LinkConfig, LinkConfigError, LinkError, LinkEvent, LinkEvents};

/// How long the database may take to say who is about to have a room.
const CLAIM: Duration = Duration::from_secs(1);

/// Every link, and which channels are followed.
#[derive(Debug, Default)]
pub(super) struct Links {
    links: Vec<Link>,
    /// Where it is written which FreeSWITCH is about to have a room.
    store: Option<Store>,
    followed: DashMap<ChannelId, CallId>,
    /// Somebody has to look at all channels again.
    doubt: Notify,
    /// A FreeSWITCH came back that knows nothing of the calls it had.
    restarted: AtomicBool,
}

impl Links {
    /// Begins to keep the links up. Call it within a tokio runtime.
    ///
    /// # Errors
    /// A link's settings make no sense.
    pub(super) fn start(
        configs: &[LinkConfig],
        store: &Store,
    ) -> Result<(Arc<Self>, Vec<LinkEvents>), LinkConfigError> {
        let started = configs.iter().map(Link::start).collect::<Result<Vec<_>, _>>()?;
        let (links, events) = started.into_iter().unzip();
        let store = Some(store.clone());
        Ok((Arc::new(Self { links, store, ..Self::default() }), events))
    }

    pub(super) fn all(&self) -> &[Link] {
        &self.links
    }

    /// Waits until there is reason to look at all channels.
    pub(super) async fn doubted(&self) {
        self.doubt.notified().await;
    }

    /// The channels that are followed, with the calls that follow them.
    pub(super) fn followed(&self) -> Vec<(ChannelId, CallId)> {
        self.followed.iter().map(|entry| (entry.key().clone(), *entry.value())).collect()
    }

    pub(super) fn was_restarted(&self) -> bool {
        self.restarted.load(Ordering::Relaxed)
    }

    /// What operators call a FreeSWITCH.
    async fn name_of(&self, core: CoreId) -> String {
        for link in &self.links {
            if link.api(Api::CoreUuid).await.is_ok_and(|own| own.trim().parse() == Ok(core)) {
                return link.name().to_owned();
            }
        }
        core.to_string()
    }

    /// For ever: hands what the links hear to the calls that it is about.
    pub(super) async fn listen(
        self: Arc<Self>,
        events: Vec<LinkEvents>,
        shared: Arc<Shared>,
        accounts: Accounts,
    ) {
        let mut tasks = JoinSet::new();
        for (place, events) in events.into_iter().enumerate() {
            let heard = (place, accounts.clone());
            tasks.spawn(Arc::clone(&self).listen_to(events, Arc::clone(&shared), heard));
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn listen_to(
        self: Arc<Self>,
        mut events: LinkEvents,
        shared: Arc<Shared>,
        (place, accounts): (usize, Accounts),
    ) {
        while let Some(event) = events.next().await {
            match event {
                LinkEvent::Up { core, same_core } => {
                    if !same_core {
                        self.restarted.store(true, Ordering::Relaxed);
                    }
                    accounts.up(place, core);
                    self.doubt.notify_one();
                }
                LinkEvent::Gateway(news) => accounts.hear(place, news),
                LinkEvent::Channel(event) => self.tell(Box::new(event), &shared),
                LinkEvent::Lost(_) => {
                    accounts.missed(place);
                    self.doubt.notify_one();
                }
                LinkEvent::Down { .. } => accounts.down(place),
            }
        }
    }

    fn tell(&self, event: Box<crate::esl::event::Event>, shared: &Shared) {
        let channel = event.unique_id();
        let call = channel.and_then(|channel| self.followed.get(&channel).map(|call| *call));
        let Some(call) = call else { return };
        if let Err(TellError::Busy) = shared.registry.say(call, Word::News(event)) {
            // What it missed is seen when the channels are looked at.
            self.doubt.notify_one();
        }
    }
}

/// What one FreeSWITCH says, if it is the one that is asked.
async fn asked(link: &Link, core: Option<CoreId>, api: Api) -> Option<Said> {
    let told = link.api(Api::CoreUuid).await.ok();
    let own = told.and_then(|told| told.trim().parse().ok());
    if core.is_some() && own != core {
        return None;
    }
    let said = match link.api(api).await {
        Ok(said) => Ok(said),
        Err(LinkError::Refused(why)) => Ok(format!("-ERR {why}")),
        Err(error) => Err(error.to_string()),
    };
    Some(Said { link: link.name().to_owned(), core: own, said })
}

impl Switchboard for Links {
    fn is_there(&self) -> bool {
        !self.links.is_empty()
    }

    fn ask(&self, core: Option<CoreId>, api: Api) -> Asking<'_> {
        Box::pin(async move {
            let mut all = Vec::new();
            for link in &self.links {
                all.extend(asked(link, core, api.clone()).await);
            }
            all
        })
    }

    /// With one FreeSWITCH nothing can go wrong. Calls don't wait for a database that is away.
    fn claim<'a>(&'a self, room: &'a str, core: CoreId) -> Claiming<'a> {
        Box::pin(async move {
            let store = self.store.as_ref().filter(|_| self.links.len() > 1)?;
            match timeout(CLAIM, store.operator().claim_room(room, core)).await {
                Ok(Ok(holder)) if holder == core => None,
                Ok(Ok(holder)) => Some(self.name_of(holder).await),
                Ok(Err(error)) => {
                    tracing::warn!(room, %error, "whether another FreeSWITCH has it is not known");
                    None
                }
                Err(_) => None,
            }
        })
    }

    /// Which FreeSWITCH has the call is not known: the others know no such channel.
    fn order(&self, call: CallId, orders: Vec<Order>) {
        let anywhere =
            |order: &Order| matches!(&order.api, Api::Originate(leg) if leg.beside.is_none());
        let (placed, orders) = orders.into_iter().partition::<Vec<_>, _>(anywhere);
        for order in placed {
            tokio::spawn(place(self.links.clone(), call, order));
        }
        for link in &self.links {
            let (link, orders) = (link.clone(), orders.clone());
            tokio::spawn(async move {
                for order in orders {
                    let originates = matches!(order.api, Api::Originate(_));
                    let carried = carry_out(link.clone(), call, order);
                    if originates {
                        // It is answered when somebody has picked up: nothing waits for that.
                        tokio::spawn(carried);
                    } else {
                        carried.await;
                    }
                }
            });
        }
    }

    fn heed(&self, call: CallId, channel: &ChannelId, heed: Heed) {
        if heed == Heed::Not {
            // It may be another call's by now.
            self.followed.remove_if(channel, |_, by| *by == call);
        } else {
            self.followed.insert(channel.clone(), call);
        }
        let known = self.followed.contains_key(channel);
        for link in &self.links {
            match heed {
                Heed::All => {
                    if let Err(error) = link.watch(channel.clone()) {
                        tracing::warn!(%call, link = link.name(), %error, "a call is not followed");
                    }
                }
                Heed::Not if !known => link.unwatch(channel),
                Heed::Not | Heed::Holds => {}
            }
        }
    }
}

/// The first FreeSWITCH that can be told calls somebody.
async fn place(links: Vec<Link>, call: CallId, order: Order) {
    let mut done = Err(LinkError::Down);
    for link in links {
        done = link.api(order.api.clone()).await;
        match &done {
            Err(LinkError::Down | LinkError::Busy) => {}
            Err(error) => {
                tracing::debug!(%call, link = link.name(), %error, "a placed call has failed");
                break;
            }
            Ok(_) => break,
        }
    }
    let Some(hearer) = order.hearer else { return };
    match done {
        Err(LinkError::Down | LinkError::Busy | LinkError::Unsendable(_)) => {
            hearer(Err(HangupCause::NetworkOutOfOrder.name().to_owned()));
        }
        done => tell(done, &hearer),
    }
}

async fn carry_out(link: Link, call: CallId, order: Order) {
    let Order { api, hearer } = order;
    // A leg is called where the call is, and nowhere else.
    if let Api::Originate(leg) = &api
        && let Some(beside) = &leg.beside
        && !has(&link, beside).await
    {
        return;
    }
    let done = link.api(api).await;
    if let Err(error) = &done {
        tracing::debug!(%call, link = link.name(), %error, "an order is refused");
    }
    if let Some(hearer) = hearer {
        tell(done, &hearer);
    }
}

/// Passes on what became of an order, unless this FreeSWITCH has no such channel.
fn tell(done: Result<String, LinkError>, hearer: &Hearer) {
    match done {
        Ok(said) => match said.strip_prefix("-ERR") {
            Some(why) if !is_elsewhere(why) => hearer(Err(why.trim().to_owned())),
            Some(_) => {}
            None => hearer(Ok(())),
        },
        Err(LinkError::Refused(why)) if !is_elsewhere(&why) => hearer(Err(why)),
        // Nobody knows.
        Err(_) => {}
    }
}

/// `mod_commands.c` session_record_function.
fn is_elsewhere(why: &str) -> bool {
    why.contains("Cannot locate session")
}

/// Whether this FreeSWITCH has a channel.
async fn has(link: &Link, channel: &ChannelId) -> bool {
    let known = link.api(Api::Exists { channel: channel.clone() }).await;
    known.is_ok_and(|known| known.starts_with("true"))
}
