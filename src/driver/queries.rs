//! What calls ask of the outside, answered beside them.

use std::pin::Pin;
use std::sync::Arc;

use super::call::Shared;
use super::{admission, rooms, spoken};
use crate::base::ids::CoreId;
use crate::call::input::Answer;
use crate::call::output::Query;
use crate::call::park::{ParkFound, ParkQuery};

/// The slots in which tenants' callers are parked.
pub trait Slots: Send + Sync {
    /// Answers a call on this FreeSWITCH; it takes as long as it takes.
    fn ask(&self, query: ParkQuery, core: Option<CoreId>) -> Seeking<'_>;
}

/// Who is in a slot, to be known soon.
pub type Seeking<'a> = Pin<Box<dyn Future<Output = ParkFound> + Send + 'a>>;

/// No slots: nobody is parked.
#[derive(Debug)]
pub struct NoSlots;

impl Slots for NoSlots {
    fn ask(&self, _query: ParkQuery, _core: Option<CoreId>) -> Seeking<'_> {
        Box::pin(async { ParkFound::Unknown("there are no slots here".to_owned()) })
    }
}

/// The answer to a call on this FreeSWITCH.
pub(super) async fn perform(shared: Arc<Shared>, query: Query, core: Option<CoreId>) -> Answer {
    match query {
        Query::Http(request) => Answer::Http(shared.http.perform(&request).await),
        Query::Room(query) => Answer::Room(rooms::find(&*shared.switchboard, &query, core).await),
        // Those of one call come one after another.
        Query::Queue(query) => Answer::Queue(shared.queues.ask(*query).await),
        Query::Admit(query) => Answer::Admit(admission::admit(&shared, &query).await),
        Query::Outbound(query) => Answer::Outbound(shared.outside.ask(*query, core).await),
        Query::Park(query) => Answer::Park(shared.slots.ask(*query, core).await),
        Query::Spoken(query) => {
            Answer::Spoken(spoken::find(&*shared.switchboard, &query, core).await)
        }
    }
}
