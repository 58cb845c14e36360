//! What somebody hears who listens to more than the call's own connection: the events of all
//! channels, as an inbound connection gets them.

use super::Channel;
use crate::simulator::encode::Headers;
use crate::simulator::events::Kind;

/// Events that may wait to be taken; more are lost.
const MAX_OVERHEARD: usize = 10_000;

impl Channel {
    /// From now on the events of all channels are kept for [`Channel::overheard`].
    pub fn listen(&mut self) {
        self.overheard.get_or_insert_default();
    }

    /// The events since the last time, in JSON.
    pub fn overheard(&mut self) -> Vec<Vec<u8>> {
        self.overheard.as_mut().map(std::mem::take).unwrap_or_default()
    }

    pub(in crate::simulator) fn overhear(&mut self, event: Vec<u8>) {
        if let Some(overheard) = self.overheard.as_mut().filter(|all| all.len() < MAX_OVERHEARD) {
            overheard.push(event);
        }
    }

    pub(in crate::simulator) fn tell_far(
        &mut self,
        uuid: &str,
        kind: Kind,
        extra: &[(&str, &[u8])],
    ) {
        let number = self.far_legs().into_iter().find(|leg| leg.uuid == uuid);
        let number = number.map(|leg| leg.number).unwrap_or_default();
        self.tell_leg(uuid, &number, kind, extra);
    }

    /// Tells something of another channel than the caller's.
    pub(in crate::simulator) fn tell_leg(
        &mut self,
        uuid: &str,
        number: &str,
        kind: Kind,
        extra: &[(&str, &[u8])],
    ) {
        self.sequence += 1;
        if self.overheard.is_none() {
            return;
        }
        let mut headers = Headers::new(true);
        self.common_headers(kind, &mut headers);
        headers.add("", b"Unique-ID", uuid.as_bytes());
        headers.add("", b"Caller-Destination-Number", number.as_bytes());
        for (name, value) in extra {
            headers.add("", name.as_bytes(), value);
        }
        let event = headers.finish(None);
        self.overhear(event);
    }
}
