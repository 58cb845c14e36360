//! Slots as the store keeps them.

use std::time::Duration;

use tokio::time::timeout;

use crate::base::ids::CoreId;
use crate::call::park::{ParkFound, ParkQuery};
use crate::driver::queries::{Seeking, Slots};
use crate::store::Store;

/// How long the database may take.
const ANSWER: Duration = Duration::from_secs(3);

pub(super) struct StoredSlots(pub(super) Store);

impl Slots for StoredSlots {
    fn ask(&self, query: ParkQuery, core: Option<CoreId>) -> Seeking<'_> {
        Box::pin(async move {
            let scope = self.0.tenant(query.tenant);
            match timeout(ANSWER, scope.park(&query, core)).await {
                Ok(Ok(found)) => found,
                Ok(Err(error)) => {
                    let call = query.call;
                    tracing::warn!(%call, %error, "the database does not say who is in a slot");
                    ParkFound::Unknown("the database does not say who is in a slot".to_owned())
                }
                Err(_) => ParkFound::Unknown("the database does not answer in time".to_owned()),
            }
        })
    }
}
