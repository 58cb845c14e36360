//! Which channels are to be heard of, and which FreeSWITCH was told to tell of.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{LinkError, WATCHED_MAX};
use crate::base::ids::ChannelId;
use crate::esl::command::Command;
use crate::esl::filter::Filter;

/// Channels, by their identity.
#[derive(Debug, Default)]
pub(super) struct Watched {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    wanted: BTreeSet<ChannelId>,
    /// What FreeSWITCH was told on this connection.
    told: BTreeSet<ChannelId>,
    /// Those of the two that may differ.
    changed: BTreeSet<ChannelId>,
}

impl Watched {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, channel: ChannelId) -> Result<(), LinkError> {
        let mut state = self.state();
        if state.wanted.len() >= WATCHED_MAX && !state.wanted.contains(&channel) {
            return Err(LinkError::TooManyWatched);
        }
        if state.wanted.insert(channel.clone()) {
            state.changed.insert(channel);
            self.changed.notify_one();
        }
        Ok(())
    }

    pub(super) fn remove(&self, channel: &ChannelId) {
        let mut state = self.state();
        if !state.wanted.remove(channel) {
            return;
        }
        if state.told.contains(channel) {
            state.changed.insert(channel.clone());
            self.changed.notify_one();
        } else {
            state.changed.remove(channel);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.state().wanted.len()
    }

    /// A new connection: FreeSWITCH was told nothing.
    pub(super) fn begin(&self) {
        let mut state = self.state();
        state.told.clear();
        state.changed = state.wanted.clone();
    }

    /// The next thing to tell FreeSWITCH.
    pub(super) fn next(&self) -> Option<Command> {
        let mut state = self.state();
        while let Some(channel) = state.changed.pop_first() {
            let wanted = state.wanted.contains(&channel);
            if wanted && state.told.insert(channel.clone()) {
                return Some(Command::Filter(Filter::Channel(channel)));
            }
            if !wanted && state.told.remove(&channel) {
                return Some(Command::FilterDelete(Filter::Channel(channel)));
            }
        }
        None
    }

    /// Waits until `next` may have something.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(name: &str) -> ChannelId {
        name.parse().unwrap()
    }

    fn told(watched: &Watched) -> Vec<String> {
        let next = || watched.next().map(|command| command.encode().unwrap());
        let line = |bytes: bytes::Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        std::iter::from_fn(next).map(|bytes| line(bytes).trim_end().to_owned()).collect()
    }

    #[test]
    fn freeswitch_is_told_each_change_once_and_all_again_on_a_new_connection() {
        let watched = Watched::default();
        for name in ["a", "b", "a"] {
            watched.add(channel(name)).unwrap();
        }
        watched.remove(&channel("b"));
        assert_eq!(told(&watched), ["filter Unique-ID a"]);
        watched.add(channel("c")).unwrap();
        watched.remove(&channel("a"));
        watched.remove(&channel("never"));
        assert_eq!(told(&watched), ["filter delete Unique-ID a", "filter Unique-ID c"]);
        watched.add(channel("d")).unwrap();
        watched.begin();
        assert_eq!(told(&watched), ["filter Unique-ID c", "filter Unique-ID d"]);
        assert_eq!(told(&watched), [""; 0]);
    }

    #[test]
    fn there_is_a_limit_and_what_is_watched_already_does_not_count_twice() {
        let watched = Watched::default();
        for nth in 0..WATCHED_MAX {
            watched.add(channel(&nth.to_string())).unwrap();
        }
        assert!(matches!(watched.add(channel("more")), Err(LinkError::TooManyWatched)));
        watched.add(channel("7")).unwrap();
        watched.remove(&channel("7"));
        watched.add(channel("more")).unwrap();
        assert_eq!(watched.len(), WATCHED_MAX);
    }
}
