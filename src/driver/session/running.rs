//! A call that runs: its machine, its orders, and what is written about it on its channel.

use std::sync::Arc;

use super::{Parting, Settings};
use crate::base::cause::HangupCause;
use crate::base::ids::{ChannelId, InstanceId};
use crate::base::now::Now;
use crate::call::output::PlaceOrder;
use crate::call::{Call, Tie};
use crate::driver::desk::Desk;
use crate::driver::registry::When;
use crate::driver::seal::{Carried, Keys, SealError};
use crate::driver::translate::legs;
use crate::driver::translate::variables::{self, Former};
use crate::esl::argument::{Sealed, VariableName, VariableValue, Word};
use crate::esl::command::{Api, Command};
use crate::esl::event::Event;

/// How long the dialplan's timer stays at most: a process that dies within a millisecond or two of
/// `connect`, when `socket_resume` is off already, leaves a call that only the timer takes out of
/// its park. Left to run after that, the timer would cut a conversation whose process died.
const GUARDED_MS: u64 = 200;

/// One call with its orders.
#[derive(Debug)]
pub struct Running {
    pub(in crate::driver) call: Call,
    pub(in crate::driver) desk: Desk,
    pub(in crate::driver) channel: ChannelId,
    pub(super) parting: Option<Parting>,
    /// The channel was sent elsewhere.
    pub(super) left: bool,
    /// The caller's leg's profile: a transfer gives it another.
    pub(super) profile: Option<String>,
    /// Whether the caller was joined to somebody outside of this connection.
    pub(super) joined: Joined,
    /// Whom a phone joined the caller to, outside of this connection.
    pub(super) replaced: Option<ChannelId>,
    /// Somebody else sent the channel elsewhere.
    pub(super) taken: bool,
    pub(super) hand_over: Option<When>,
    /// As soon as everything that was wanted is with FreeSWITCH.
    pub(super) gives: bool,
    former: Former,
    keys: Arc<Keys>,
    holder: InstanceId,
    /// Where our dialplan takes up calls that we place.
    context: Word,
    /// To be set with the next state.
    unsaid: Vec<(VariableName, VariableValue)>,
    /// What takes the dialplan's timer off, and when, on the clock of `Now::mono_ms`.
    guarded: Option<(u64, Command)>,
    /// The state was too long to be written, and that was said.
    unwritten: bool,
}

/// How far the caller has left its connection for a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joined {
    Never,
    Ordered,
    /// Another call may join it to somebody.
    Lent,
    Since,
}

impl Running {
    pub(in crate::driver) fn new(
        call: Call,
        channel: ChannelId,
        former: Former,
        settings: &Settings,
    ) -> Self {
        let unsaid = variables::ours().into_iter().chain(former.forced()).collect();
        let desk = Desk::new(channel.clone(), settings.outlet(), former.clone());
        Self {
            call,
            desk,
            channel,
            parting: None,
            left: false,
            profile: None,
            joined: Joined::Never,
            replaced: None,
            taken: false,
            hand_over: None,
            gives: false,
            former,
            keys: Arc::clone(&settings.keys),
            holder: settings.instance,
            context: settings.context.clone(),
            unsaid,
            guarded: None,
            unwritten: false,
        }
    }

    /// Writes the call on its channel, and what FreeSWITCH does if the connection breaks: goes on
    /// to the next `socket` at once, cutting what plays (`socket_resume`), or finishes what runs.
    pub(in crate::driver) fn write(&mut self, cut: bool) -> Command {
        let state = self.sealed().unwrap_or_else(|error| {
            if !std::mem::replace(&mut self.unwritten, true) {
                let call = self.call.id();
                tracing::warn!(%call, %error, "no other process can take this call over");
            }
            VariableValue::cleaned("")
        });
        let mut pairs = std::mem::take(&mut self.unsaid);
        if self.call.awaits().is_some_and(|id| !self.desk.has(id)) {
            // What an earlier dial or recording left must not pass for the result of this one.
            pairs.extend(variables::no_result());
        }
        pairs.extend(variables::state(state, cut));
        variables::set(&self.channel, pairs)
    }

    fn sealed(&self) -> Result<VariableValue, SealError> {
        let carried = Carried { call: self.call.kept(), holder: self.holder, former: &self.former };
        self.keys.seal(&self.channel, &carried)
    }

    /// Calls whom the call is for, with the call on their channel.
    ///
    /// # Errors
    /// Why that can't be, in words.
    pub(in crate::driver) fn place(&self, order: &PlaceOrder) -> Result<Api, String> {
        let state = self.sealed().map_err(|error| error.to_string())?;
        let (outlet, context) = (self.desk.outlet(), self.context.clone());
        let state = Sealed::new(state.as_str()).map_err(|refused| refused.to_string())?;
        legs::place(self.channel.clone(), order, state, outlet, context)
            .map_err(|refused| refused.to_string())
    }

    /// Has the far party's channel carry what it needs if the caller's phone sends it elsewhere.
    pub(in crate::driver) fn tie(&self, channel: &ChannelId, tie: &Tie) -> Option<Command> {
        // Without a dialplan that brings it back it has no use for that.
        self.former.transfers()?;
        let sealed = self.keys.seal_tie(channel, tie).inspect_err(|error| {
            tracing::warn!(call = %self.call.id(), %error, "a channel can't be tied to its call");
        });
        Some(variables::tie(channel, sealed.ok()?))
    }

    /// Has the far party go on in a call of its own. Where nothing can bring it to us, it goes on
    /// with whoever waits for it without one, and alone not at all.
    pub(in crate::driver) fn bring(&self, channel: &ChannelId, tie: &Tie) -> Vec<Command> {
        let sealed = self.keys.seal_tie(channel, tie).inspect_err(|error| {
            tracing::warn!(call = %self.call.id(), %error, "a channel can't be tied to its call");
        });
        let awaited = tie.awaited();
        let brought = self.former.transfers().zip(sealed.ok());
        let brought = brought.map(|(away, sealed)| legs::bring(channel, tie, sealed, away));
        brought.unwrap_or_else(|| match awaited {
            Some(other) => legs::connect(channel, other, false),
            None => {
                let (channel, cause) = (channel.clone(), HangupCause::NormalTemporaryFailure);
                vec![Command::Api(Api::Kill { channel, cause })]
            }
        })
    }

    /// Whether somebody's phone has sent the channel where our dialplan brings it back.
    pub(super) fn is_referred(&self, news: &Event) -> bool {
        let context = news.text("Caller-Context");
        let away = self.former.transfers();
        let away = away.filter(|_| news.text("Caller-Dialplan").is_some_and(|is| is == "XML"));
        away.zip(context).is_some_and(|(away, context)| away.as_str() == context)
    }

    /// What was said on a connection that may have been over: FreeSWITCH closes it when a phone
    /// joins the caller to somebody else.
    pub(in crate::driver) fn said_last(&mut self) -> Vec<Command> {
        let Some(other) = self.replaced.take() else { return Vec::new() };
        let state = self.write(!self.call.runs_on());
        let back = self.former.way_back();
        let back = back.map(|back| legs::stay(&self.channel, &other, back));
        std::iter::once(state).chain(back.into_iter().flatten()).collect()
    }

    /// What is still to be set, where no state was written since.
    pub(super) fn unsaid(&mut self) -> Option<Command> {
        let pairs = std::mem::take(&mut self.unsaid);
        (!pairs.is_empty()).then(|| variables::set(&self.channel, pairs))
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        if let Some(parting) = &self.parting {
            return Some(parting.until_ms);
        }
        let call = self.call.poll_timeout().map(|(due_ms, _)| due_ms);
        [call, self.desk.deadline(), self.guarded.as_ref().map(|(until_ms, _)| *until_ms)]
            .into_iter()
            .flatten()
            .min()
    }

    /// The connection is new: the dialplan's timer runs until `cancel` takes it off.
    pub(super) fn guard(&mut self, cancel: Command, now: Now) {
        self.guarded = Some((now.mono_ms.saturating_add(GUARDED_MS), cancel));
    }

    /// Takes the dialplan's dead man's switch off, which is for processes that accept and never
    /// speak: when its time is over, or the channel is `seen` to do what it was told, so that
    /// FreeSWITCH is past the moment in which a broken connection parks it for ever.
    pub(super) fn unguard(&mut self, seen: bool, now: Now) -> Option<Command> {
        let due = self.guarded.take_if(|(until_ms, _)| seen || *until_ms <= now.mono_ms);
        due.map(|(_, cancel)| cancel)
    }
}
