//! By which gateways numbers outside are called: who knows, as calls see it.

use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;

use crate::base::ids::CoreId;
use crate::call::outbound::{OutboundFound, OutboundQuery};

/// Knows gateways, and counts calls to numbers outside. It answers within seconds, if only that it
/// does not know.
pub trait Outside: Send + Sync {
    /// Answers a call on this FreeSWITCH.
    fn ask(&self, query: OutboundQuery, core: Option<CoreId>) -> Leading<'_>;
}

/// By which gateway a number is called, to be known soon.
pub type Leading<'a> = Pin<Box<dyn Future<Output = OutboundFound> + Send + 'a>>;

/// Nobody knows: the gateway that was named, or the first, is taken.
#[derive(Debug)]
pub struct NoOutside;

impl Outside for NoOutside {
    fn ask(&self, _query: OutboundQuery, _core: Option<CoreId>) -> Leading<'_> {
        Box::pin(ready(OutboundFound::Unknown))
    }
}

/// Tells what nobody waits for, even if the call is over by then.
pub(super) fn tell(outside: &Arc<dyn Outside>, query: OutboundQuery) {
    let outside = Arc::clone(outside);
    tokio::spawn(async move { outside.ask(query, None).await });
}
