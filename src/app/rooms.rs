//! Looks after the recordings of rooms. A room belongs to no call: nobody hears when FreeSWITCH has
//! ended a recording of it, and whoever began it may be gone by then.

use std::sync::Arc;
use std::time::Duration;

use super::links::Links;
use crate::call::room::RoomOrder;
use crate::driver::call::{Shared, Switchboard};
use crate::driver::rooms::{Place, places};
use crate::driver::translate::room;
use crate::flow::room::address;
use crate::store::{RunningRoom, Store, StoreError};

/// How often to look whether recordings of rooms have ended.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long to leave a database alone that does not answer.
const AWAY: Duration = Duration::from_secs(5);

/// For ever: notes which recordings of rooms have ended, and ends those that last too long. Where
/// no FreeSWITCH can be asked, their files are found one day.
pub(super) async fn watch(shared: Arc<Shared>, links: Arc<Links>, store: Store) {
    if !links.is_there() {
        return;
    }
    loop {
        let pause = match look(&shared, &links, &store).await {
            Ok(()) => INTERVAL,
            Err(error) => {
                tracing::debug!(%error, "recordings of rooms wait for the database");
                AWAY
            }
        };
        tokio::time::sleep(pause).await;
    }
}

async fn look(shared: &Shared, links: &Links, store: &Store) -> Result<(), StoreError> {
    for running in store.operator().running_rooms().await? {
        let name = address(running.tenant, &running.room);
        let (places, whole) = places(links, &name).await;
        let has = |place: &&Place| place.view.recordings.contains(&running.id);
        match places.iter().find(has) {
            Some(place) => limit(shared, links, &running, place, &name).await,
            None if whole => store.tenant(running.tenant).end_recording(running.id).await?,
            None => {}
        }
    }
    Ok(())
}

/// A room is recorded no longer than the tenant's calls.
async fn limit(shared: &Shared, links: &Links, running: &RunningRoom, place: &Place, name: &str) {
    let around = shared.router.around(running.tenant);
    let longest = around.map(|around| around.settings.talk.recording.max_length);
    if longest.is_none_or(|longest| running.age <= longest) {
        return;
    }
    let order = RoomOrder::Record { path: Some(running.path.clone()), on: false };
    if let Ok(stop) = room::order_from_outside(name, &order) {
        tracing::info!(recording = %running.id, "a room was recorded as long as it may be");
        links.ask(place.core, stop).await;
    }
}
