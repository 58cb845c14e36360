//! The events of one call: their names, who gets them, and where in FreeSWITCH they come from.

/// Every event name that FreeSWITCH knows (switch_event.c, `EVENT_NAMES`), without `ALL`.
const NAMES: [&str; 91] = [
    "CUSTOM",
    "CLONE",
    "CHANNEL_CREATE",
    "CHANNEL_DESTROY",
    "CHANNEL_STATE",
    "CHANNEL_CALLSTATE",
    "CHANNEL_ANSWER",
    "CHANNEL_HANGUP",
    "CHANNEL_HANGUP_COMPLETE",
    "CHANNEL_EXECUTE",
    "CHANNEL_EXECUTE_COMPLETE",
    "CHANNEL_HOLD",
    "CHANNEL_UNHOLD",
    "CHANNEL_BRIDGE",
    "CHANNEL_UNBRIDGE",
    "CHANNEL_PROGRESS",
    "CHANNEL_PROGRESS_MEDIA",
    "CHANNEL_OUTGOING",
    "CHANNEL_PARK",
    "CHANNEL_UNPARK",
    "CHANNEL_APPLICATION",
    "CHANNEL_ORIGINATE",
    "CHANNEL_UUID",
    "API",
    "LOG",
    "INBOUND_CHAN",
    "OUTBOUND_CHAN",
    "STARTUP",
    "SHUTDOWN",
    "PUBLISH",
    "UNPUBLISH",
    "TALK",
    "NOTALK",
    "SESSION_CRASH",
    "MODULE_LOAD",
    "MODULE_UNLOAD",
    "DTMF",
    "MESSAGE",
    "PRESENCE_IN",
    "NOTIFY_IN",
    "PRESENCE_OUT",
    "PRESENCE_PROBE",
    "MESSAGE_WAITING",
    "MESSAGE_QUERY",
    "ROSTER",
    "CODEC",
    "BACKGROUND_JOB",
    "DETECTED_SPEECH",
    "DETECTED_TONE",
    "PRIVATE_COMMAND",
    "HEARTBEAT",
    "TRAP",
    "ADD_SCHEDULE",
    "DEL_SCHEDULE",
    "EXE_SCHEDULE",
    "RE_SCHEDULE",
    "RELOADXML",
    "NOTIFY",
    "PHONE_FEATURE",
    "PHONE_FEATURE_SUBSCRIBE",
    "SEND_MESSAGE",
    "RECV_MESSAGE",
    "REQUEST_PARAMS",
    "CHANNEL_DATA",
    "GENERAL",
    "COMMAND",
    "SESSION_HEARTBEAT",
    "CLIENT_DISCONNECTED",
    "SERVER_DISCONNECTED",
    "SEND_INFO",
    "RECV_INFO",
    "RECV_RTCP_MESSAGE",
    "SEND_RTCP_MESSAGE",
    "CALL_SECURE",
    "NAT",
    "RECORD_START",
    "RECORD_STOP",
    "PLAYBACK_START",
    "PLAYBACK_STOP",
    "CALL_UPDATE",
    "FAILURE",
    "SOCKET_DATA",
    "MEDIA_BUG_START",
    "MEDIA_BUG_STOP",
    "CONFERENCE_DATA_QUERY",
    "CONFERENCE_DATA",
    "CALL_SETUP_REQ",
    "CALL_SETUP_RESULT",
    "CALL_DETAIL",
    "DEVICE_STATE",
    "TEXT",
];

/// What `myevents` subscribes to (mod_event_socket.c); it lacks PLAYBACK_*, RECORD_*, CALLSTATE
/// and more.
const MY_EVENTS: [&str; 23] = [
    "CHANNEL_ANSWER",
    "CHANNEL_APPLICATION",
    "CHANNEL_BRIDGE",
    "CHANNEL_CREATE",
    "CHANNEL_DATA",
    "CHANNEL_DESTROY",
    "CHANNEL_EXECUTE",
    "CHANNEL_EXECUTE_COMPLETE",
    "CHANNEL_HANGUP",
    "CHANNEL_HANGUP_COMPLETE",
    "CHANNEL_ORIGINATE",
    "CHANNEL_UUID",
    "CHANNEL_OUTGOING",
    "CHANNEL_PARK",
    "CHANNEL_PROGRESS",
    "CHANNEL_PROGRESS_MEDIA",
    "CHANNEL_STATE",
    "CHANNEL_UNBRIDGE",
    "CHANNEL_UNPARK",
    "DETECTED_SPEECH",
    "DTMF",
    "NOTALK",
    "TALK",
];

/// A set of event names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Names(u128);

impl Names {
    pub(super) const ALL: Self = Self((1 << NAMES.len()) - 1);

    /// The set that `word` stands for: one name or `ALL`, whatever its case.
    pub(super) fn of(word: &[u8]) -> Option<Self> {
        if word.eq_ignore_ascii_case(b"ALL") {
            return Some(Self::ALL);
        }
        let at = NAMES.iter().position(|n| word.eq_ignore_ascii_case(n.as_bytes()))?;
        Some(Self(1 << at))
    }

    pub(super) fn my_events() -> Self {
        MY_EVENTS.iter().filter_map(|n| Self::of(n.as_bytes())).fold(Self::default(), Self::with)
    }

    #[must_use]
    pub(super) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn contains(self, name: &str) -> bool {
        Self::of(name.as_bytes()).is_some_and(|one| self.0 & one.0 == one.0)
    }
}

/// An event that a simulated call fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Answer,
    BackgroundJob,
    Bridge,
    CallState,
    CallUpdate,
    Custom,
    Data,
    Dtmf,
    Execute,
    ExecuteComplete,
    Hangup,
    HangupComplete,
    Hold,
    MediaBugStart,
    MediaBugStop,
    Park,
    PlaybackStart,
    PlaybackStop,
    Progress,
    ProgressMedia,
    RecordStart,
    RecordStop,
    State,
    Unbridge,
    Unhold,
    Unpark,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        self.origin().0
    }

    /// Name, and the file, function and line that the recordings name.
    pub(super) const fn origin(self) -> (&'static str, &'static str, &'static str, u32) {
        const CHANNEL: &str = "switch_channel.c";
        const BUG: &str = "switch_core_media_bug.c";
        const BRIDGE: (&str, &str) = ("switch_ivr_bridge.c", "switch_ivr_multi_threaded_bridge");
        const PLAY: (&str, &str) = ("switch_ivr_play_say.c", "switch_ivr_play_file");
        const SESSION: (&str, &str) = ("switch_core_session.c", "switch_core_session_exec");
        match self {
            Self::Answer => {
                ("CHANNEL_ANSWER", CHANNEL, "switch_channel_perform_mark_answered", 3846)
            }
            Self::BackgroundJob => ("BACKGROUND_JOB", "mod_event_socket.c", "api_exec", 1572),
            Self::Bridge => ("CHANNEL_BRIDGE", BRIDGE.0, BRIDGE.1, 1689),
            Self::CallState => {
                ("CHANNEL_CALLSTATE", CHANNEL, "switch_channel_perform_set_callstate", 301)
            }
            Self::CallUpdate => ("CALL_UPDATE", "mod_sofia.c", "sofia_receive_message", 2100),
            Self::Custom => {
                let function = "conference_member_add_event_data";
                ("CUSTOM", "conference_event.c", function, 560)
            }
            Self::Data => ("CHANNEL_DATA", "mod_event_socket.c", "parse_command", 2021),
            Self::Dtmf => ("DTMF", CHANNEL, "switch_channel_dequeue_dtmf", 677),
            Self::Execute => ("CHANNEL_EXECUTE", SESSION.0, SESSION.1, 2944),
            Self::ExecuteComplete => ("CHANNEL_EXECUTE_COMPLETE", SESSION.0, SESSION.1, 2967),
            Self::Hangup => ("CHANNEL_HANGUP", CHANNEL, "switch_channel_perform_hangup", 3445),
            Self::HangupComplete => {
                let function = "switch_core_session_reporting_state";
                ("CHANNEL_HANGUP_COMPLETE", "switch_core_state_machine.c", function, 943)
            }
            Self::Hold => ("CHANNEL_HOLD", "switch_ivr.c", "switch_ivr_hold", 1558),
            Self::MediaBugStart => ("MEDIA_BUG_START", BUG, "switch_core_media_bug_add", 1014),
            Self::MediaBugStop => ("MEDIA_BUG_STOP", BUG, "switch_core_media_bug_destroy", 84),
            Self::Park => ("CHANNEL_PARK", "switch_ivr.c", "switch_ivr_park", 1002),
            Self::PlaybackStart => ("PLAYBACK_START", PLAY.0, PLAY.1, 1646),
            Self::PlaybackStop => ("PLAYBACK_STOP", PLAY.0, PLAY.1, 2020),
            Self::Progress => {
                let function = "switch_channel_perform_mark_ring_ready_value";
                ("CHANNEL_PROGRESS", CHANNEL, function, 3505)
            }
            Self::ProgressMedia => {
                let function = "switch_channel_perform_mark_pre_answered";
                ("CHANNEL_PROGRESS_MEDIA", CHANNEL, function, 3605)
            }
            Self::RecordStart => ("RECORD_START", "switch_ivr_async.c", "record_callback", 1481),
            Self::RecordStop => {
                ("RECORD_STOP", "switch_ivr_async.c", "send_record_stop_event", 1240)
            }
            Self::State => {
                ("CHANNEL_STATE", CHANNEL, "switch_channel_perform_set_running_state", 2408)
            }
            Self::Unbridge => ("CHANNEL_UNBRIDGE", BRIDGE.0, BRIDGE.1, 1879),
            Self::Unhold => ("CHANNEL_UNHOLD", "switch_ivr.c", "switch_ivr_unhold", 1638),
            Self::Unpark => ("CHANNEL_UNPARK", "switch_ivr.c", "switch_ivr_park", 1213),
        }
    }

    /// Whether the event carries `variable_*` (switch_channel.c,
    /// `switch_channel_event_set_extended_data`).
    pub(super) const fn carries_variables(self) -> bool {
        !matches!(
            self,
            Self::State | Self::CallState | Self::Custom | Self::Dtmf | Self::BackgroundJob
        )
    }

    /// Whether somebody is told who listens to all channels.
    pub(super) const fn is_overheard(self) -> bool {
        matches!(
            self,
            Self::Answer
                | Self::Bridge
                | Self::Unbridge
                | Self::Hold
                | Self::Unhold
                | Self::Park
                | Self::Dtmf
                | Self::RecordStart
                | Self::RecordStop
                | Self::Custom
                | Self::Hangup
                | Self::HangupComplete
        )
    }

    /// Whether the event is about the channel at all.
    pub(super) const fn carries_channel(self) -> bool {
        !matches!(self, Self::BackgroundJob)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn myevents_lacks_what_the_recordings_say_it_lacks() {
        let mine = Names::my_events();
        for name in ["PLAYBACK_START", "RECORD_STOP", "CHANNEL_CALLSTATE", "BACKGROUND_JOB"] {
            assert!(!mine.contains(name), "{name}");
        }
        assert!(mine.contains("CHANNEL_HANGUP_COMPLETE") && mine.contains("DTMF"));
    }

    #[test]
    fn names_are_found_whatever_their_case_and_unknown_ones_are_not() {
        assert_eq!(Names::of(b"dtmf"), Names::of(b"DTMF"));
        assert_eq!(Names::of(b"NOSUCH"), None);
        assert!(Names::ALL.without(Names::of(b"DTMF").unwrap()).contains("CODEC"));
    }
}
