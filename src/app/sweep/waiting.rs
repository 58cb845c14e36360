//! Far parties that wait, with music or in silence, while their caller speaks with somebody else:
//! where the caller ended while no process was there, they are sent on as their tie says.

use std::collections::BTreeSet;

use super::{LOOKS_MAX, SURE, Sweep, View};
use crate::base::ids::{CallId, ChannelId};
use crate::call::Tie;
use crate::driver::translate::{legs, variables};
use crate::esl::argument::{VariableName, Word};
use crate::esl::channels::ChannelRow;
use crate::esl::command::Api;
use crate::switch::link::Link;

/// What a channel runs that waits with music (`driver/translate/legs.rs`).
const MUSIC: &str = "endless_playback";
/// One that was left by who spoke with it.
const LEFT: &str = "CS_PARK";

impl Sweep {
    pub(super) async fn look_for_waiting(&mut self, view: &View, plights: &mut BTreeSet<CallId>) {
        if !view.whole {
            return;
        }
        let waits = |row: &ChannelRow| row.application == MUSIC || row.state == LEFT;
        let waiting = view.channels.values();
        let waiting = waiting.filter(|(_, row)| !row.inbound && waits(row));
        for (link, row) in waiting.take(LOOKS_MAX) {
            let Some(tie) = self.tie_of(link, &row.channel).await else { continue };
            let left = tie.outlives().is_some_and(|caller| !view.channels.contains_key(caller));
            if left && self.seen(tie.call(), plights) == SURE {
                self.send_on(link, &row.channel, &tie).await;
            }
        }
    }

    async fn tie_of(&self, link: &Link, channel: &ChannelId) -> Option<Tie> {
        let text = variable(link, channel, variables::tie_name()).await?;
        self.shared.settings.keys.open_tie(channel, &text).ok()
    }

    async fn send_on(&self, link: &Link, channel: &ChannelId, tie: &Tie) {
        let context = variable(link, channel, variables::transfers_name()).await;
        let Some(context) = context.and_then(|name| Word::new("context", &name).ok()) else {
            return;
        };
        let call = tie.call();
        tracing::warn!(%call, "a party whose caller ended unseen goes on in a call of its own");
        if let Err(error) = link.api(legs::send_to_us(channel, context, 0)).await {
            tracing::warn!(%call, %error, "it did not go");
        }
    }
}

/// A variable that is set.
pub(super) async fn variable(
    link: &Link,
    channel: &ChannelId,
    name: VariableName,
) -> Option<String> {
    let text = link.api(Api::GetVariable { channel: channel.clone(), name }).await.ok()?;
    (!text.is_empty() && text != "_undef_").then_some(text)
}
