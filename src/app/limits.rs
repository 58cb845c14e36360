//! Limits on calls, counted in the database, where all processes write theirs down.

use std::time::Duration;

use tokio::time::timeout;

use crate::driver::admission::{Admitting, Limits};
use crate::model::admission::CallLimit;
use crate::model::live::LiveCall;
use crate::store::Store;

/// How long the database may take: the caller hears nothing meanwhile. Then the calls of this
/// process count.
const ANSWER: Duration = Duration::from_millis(400);

/// Asks the database.
#[derive(Debug)]
pub(super) struct StoredLimits(pub(super) Store);

impl Limits for StoredLimits {
    fn ask<'a>(&'a self, live: &'a LiveCall, limits: &'a [CallLimit]) -> Admitting<'a> {
        Box::pin(async move {
            match timeout(ANSWER, self.0.tenant(live.tenant).admit(live, limits)).await {
                Ok(Ok(found)) => Some(found),
                Ok(Err(error)) => {
                    tracing::debug!(call = %live.call, %error, "limits go by our own calls");
                    None
                }
                Err(_) => {
                    tracing::debug!(call = %live.call, "limits were not known in time");
                    None
                }
            }
        })
    }
}
