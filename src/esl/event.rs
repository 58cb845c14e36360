//! Typed reading of events. Nothing is decoded until it is asked for.

use std::borrow::Cow;

use bytes::Bytes;

use crate::base::cause::HangupCause;
use crate::base::digits::Digit;
use crate::base::ids::ChannelId;

use super::block::Block;
use super::frame;
use super::json;
use super::value::Value;

macro_rules! events {
    ($($variant:ident = $name:literal),* $(,)?) => {
        /// The events that we use; every other name, and a missing one, is `Other`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EventName {
            $($variant,)*
            Other,
        }

        impl EventName {
            /// FreeSWITCH's name; `CLONE`, which never happens, for `Other`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* Self::Other => "CLONE" }
            }

            fn named(name: &[u8]) -> Self {
                $(if name == $name.as_bytes() { return Self::$variant; })*
                Self::Other
            }
        }
    };
}

events! {
    ChannelExecuteComplete = "CHANNEL_EXECUTE_COMPLETE",
    ChannelExecute = "CHANNEL_EXECUTE",
    Dtmf = "DTMF",
    BackgroundJob = "BACKGROUND_JOB",
    CallUpdate = "CALL_UPDATE",
    ChannelAnswer = "CHANNEL_ANSWER",
    ChannelApplication = "CHANNEL_APPLICATION",
    ChannelBridge = "CHANNEL_BRIDGE",
    ChannelCallstate = "CHANNEL_CALLSTATE",
    ChannelCreate = "CHANNEL_CREATE",
    ChannelData = "CHANNEL_DATA",
    ChannelDestroy = "CHANNEL_DESTROY",
    ChannelHangup = "CHANNEL_HANGUP",
    ChannelHangupComplete = "CHANNEL_HANGUP_COMPLETE",
    ChannelHold = "CHANNEL_HOLD",
    ChannelOriginate = "CHANNEL_ORIGINATE",
    ChannelOutgoing = "CHANNEL_OUTGOING",
    ChannelPark = "CHANNEL_PARK",
    ChannelProgress = "CHANNEL_PROGRESS",
    ChannelProgressMedia = "CHANNEL_PROGRESS_MEDIA",
    ChannelState = "CHANNEL_STATE",
    ChannelUnbridge = "CHANNEL_UNBRIDGE",
    ChannelUnhold = "CHANNEL_UNHOLD",
    ChannelUnpark = "CHANNEL_UNPARK",
    ChannelUuid = "CHANNEL_UUID",
    Custom = "CUSTOM",
    DetectedSpeech = "DETECTED_SPEECH",
    DetectedTone = "DETECTED_TONE",
    Heartbeat = "HEARTBEAT",
    MediaBugStart = "MEDIA_BUG_START",
    MediaBugStop = "MEDIA_BUG_STOP",
    PlaybackStart = "PLAYBACK_START",
    PlaybackStop = "PLAYBACK_STOP",
    RecordStart = "RECORD_START",
    RecordStop = "RECORD_STOP",
}

/// One event: its headers as they came, and its body.
#[derive(Debug, Clone)]
pub struct Event {
    block: Block,
    body: Bytes,
}

impl Event {
    pub(super) const fn plain(block: Block, body: Bytes) -> Self {
        Self { block, body }
    }

    /// An event that was written as JSON, the output of `uuid_dump UUID json` included.
    ///
    /// # Errors
    /// A sentence with line and column when this is not one JSON object, or is too large.
    pub fn from_json(json: &[u8]) -> Result<Self, String> {
        let fields = json::parse(json)?;
        let block = frame::indexed(fields.lines).map_err(|problem| problem.to_string())?;
        Ok(Self { block, body: fields.body })
    }

    pub fn name(&self) -> EventName {
        self.header("Event-Name").map_or(EventName::Other, |name| EventName::named(name.raw()))
    }

    /// The first header called `name`, letter case aside.
    pub fn header(&self, name: &str) -> Option<Value<'_>> {
        self.block.value(name)
    }

    /// Every header called `name`: it may repeat.
    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Value<'a>> {
        self.block.values(name)
    }

    /// The channel variable `name`, in the events that carry variables.
    pub fn variable(&self, name: &str) -> Option<Value<'_>> {
        self.block.prefixed("variable_", name)
    }

    /// Every header with its name, in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Value<'_>)> {
        self.block.iter()
    }

    /// The event's body: a background job's output, an XML record.
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// The bytes that this event holds in memory.
    pub fn footprint(&self) -> usize {
        self.block.footprint() + self.body.len()
    }

    /// The header as text, lossily, for what is shown or compared.
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        self.header(name).filter(|value| !value.is_undefined()).map(|value| value.text())
    }

    /// The channel that the event is about.
    pub fn unique_id(&self) -> Option<ChannelId> {
        self.channel("Unique-ID")
    }

    /// The channel on the other side of a bridge.
    pub fn other_leg(&self) -> Option<ChannelId> {
        self.channel("Other-Leg-Unique-ID")
    }

    /// The identity that the execute command was given (`switch_ivr.c` switch_ivr_parse_event).
    pub fn application_uuid(&self) -> Option<Cow<'_, str>> {
        self.text("Application-UUID")
    }

    pub fn application(&self) -> Option<Cow<'_, str>> {
        self.text("Application")
    }

    /// What the application said of its end: `FILE PLAYED`, `USER_BUSY`, `_none_`.
    pub fn application_response(&self) -> Option<Cow<'_, str>> {
        self.text("Application-Response")
    }

    pub fn job_uuid(&self) -> Option<Cow<'_, str>> {
        self.text("Job-UUID")
    }

    pub fn hangup_cause(&self) -> Option<HangupCause> {
        self.text("Hangup-Cause").map(|cause| HangupCause::named(&cause))
    }

    /// The key of a `DTMF` event.
    pub fn digit(&self) -> Option<Digit> {
        match &*self.header("DTMF-Digit")?.bytes() {
            [byte] => Digit::new(*byte),
            _ => None,
        }
    }

    fn channel(&self, header: &str) -> Option<ChannelId> {
        self.text(header)?.parse().ok()
    }
}
