//! Applications that take no time, and which applications there are (mod_dptools.c).

use super::arguments::split;
use super::channel::{Channel, Progress};
use super::events::Kind;
use super::execute::{Activity, Park, Sleep, cause_of};
use super::observed::Observed;
use super::wire::{atoi, until};
use crate::base::cause::HangupCause;

/// Applications of FreeSWITCH that are known but do nothing here.
const IDLE: [&str; 25] = [
    "send_dtmf",
    "queue_dtmf",
    "log",
    "info",
    "event",
    "eval",
    "verbose_events",
    "limit",
    "limit_execute",
    "set_audio_level",
    "set_mute",
    "start_dtmf",
    "stop_dtmf",
    "bind_meta_app",
    "bind_digit_action",
    "digit_action_set_realm",
    "clear_digit_action",
    "set_user",
    "set_profile_var",
    "set_global",
    "system",
    "presence",
    "privacy",
    "db",
    "hash",
];

/// Whether an application needs sound, which on an unanswered call makes early media; `None`:
/// there is no such application.
pub(super) fn needs_media(app: &str) -> Option<bool> {
    match app {
        "playback"
        | "say"
        | "speak"
        | "play_and_get_digits"
        | "read"
        | "record"
        | "conference"
        | "endless_playback"
        | "loop_playback"
        | "record_session" => Some(true),
        "answer"
        | "pre_answer"
        | "ring_ready"
        | "respond"
        | "set"
        | "multiset"
        | "unset"
        | "multiunset"
        | "export"
        | "sleep"
        | "hangup"
        | "bridge"
        | "uuid_bridge"
        | "transfer"
        | "park"
        | "socket"
        | "break"
        | "flush_dtmf"
        | "sched_hangup"
        | "sched_transfer"
        | "sched_cancel"
        | "stop_record_session" => Some(false),
        _ => IDLE.contains(&app).then_some(false),
    }
}

impl Channel {
    /// Begins an application and says what it goes on doing.
    pub(super) fn begin(&mut self, app: &str, data: Option<&[u8]>) -> Activity {
        let text = data.unwrap_or_default();
        match app {
            "playback" | "endless_playback" | "loop_playback" => return self.begin_playback(data),
            "say" => return self.begin_say(text),
            "speak" => return self.begin_speak(text),
            "play_and_get_digits" => return self.begin_collect(text, false),
            "read" => return self.begin_collect(text, true),
            "record" => return self.begin_record(text),
            "bridge" => return self.begin_bridge(text),
            "uuid_bridge" => return self.begin_joined(text),
            "conference" if !text.is_empty() => return self.begin_conference(text),
            "socket" => return self.begin_socket(text),
            "park" => {
                let enters_at = self.ms();
                return Activity::Park(Park { enters_at, entered: false, alone: true });
            }
            "sleep" => {
                let length = u64::try_from(atoi(text)).unwrap_or(0);
                let eats_digits = self.vars.is_true("sleep_eat_digits");
                return Activity::Sleep(Sleep { until: self.ms() + length, eats_digits });
            }
            _ => self.run_at_once(app, text),
        }
        Activity::Done
    }

    fn run_at_once(&mut self, app: &str, text: &[u8]) {
        match app {
            "answer" => self.answer(),
            "pre_answer" => self.pre_answer(),
            "ring_ready" => self.ring(),
            "respond" => self.respond_with_status(text),
            "set" => self.set_pair(text),
            "multiset" => self.set_pairs(text),
            "export" => self.export(text),
            "unset" => self.vars.unset(text),
            "multiunset" => split(text, b' ', 256).iter().for_each(|name| self.vars.unset(name)),
            "hangup" => {
                let cause =
                    if text.is_empty() { HangupCause::NormalClearing } else { cause_of(text) };
                self.hang_up_from_inside(cause);
            }
            "transfer" => self.transfer(&split(text, b' ', 3), true),
            "flush_dtmf" => self.digits.clear(),
            "sched_hangup" | "sched_transfer" => self.schedule(app, text),
            "sched_cancel" => self.cancel_scheduled(),
            "record_session" => self.start_session(text),
            "stop_record_session" => {
                self.stop_session(text);
            }
            _ => {}
        }
    }

    fn begin_socket(&mut self, text: &[u8]) -> Activity {
        self.hosts = Some(String::from_utf8_lossy(text).into_owned());
        Activity::Connecting
    }

    pub(super) fn respond(&mut self, response: &'static str) {
        self.vars.set(&b"current_application_response"[..], response.as_bytes());
    }

    pub(super) fn answer(&mut self) {
        if self.progress == Progress::Answered || self.ended.is_some() {
            return;
        }
        let before = self.call_state();
        self.times.answered = self.now.wall.as_microsecond();
        self.progress = Progress::Answered;
        self.note(Observed::Answered);
        self.fire(Kind::Answer, &[], &[]);
        self.times.answered_is_told = true;
        self.fire_call_state(before);
        self.vars.set(&b"endpoint_disposition"[..], &b"ANSWER"[..]);
    }

    pub(super) fn pre_answer(&mut self) {
        if self.progress < Progress::Early {
            self.times.progress_media = self.now.wall.as_microsecond();
            self.progress = Progress::Early;
            self.note(Observed::EarlyMedia);
            self.vars.set(&b"endpoint_disposition"[..], &b"EARLY MEDIA"[..]);
            self.fire(Kind::ProgressMedia, &[], &[]);
        }
    }

    pub(super) fn ring(&mut self) {
        if self.progress < Progress::Ringing {
            self.times.progress = self.now.wall.as_microsecond();
            self.progress = Progress::Ringing;
            self.note(Observed::Ringing);
            self.fire(Kind::Progress, &[], &[]);
        }
    }

    /// `respond 486 Busy Here`: a final SIP status ends a call that is not answered.
    fn respond_with_status(&mut self, text: &[u8]) {
        let cause = match atoi(text) {
            486 | 600 => HangupCause::UserBusy,
            403 | 603 => HangupCause::CallRejected,
            404 | 604 => HangupCause::UnallocatedNumber,
            480 => HangupCause::NoUserResponse,
            503 => HangupCause::NormalTemporaryFailure,
            400..700 => HangupCause::NormalUnspecified,
            _ => return,
        };
        if self.progress < Progress::Answered {
            self.hang_up_from_inside(cause);
        }
    }

    /// `set` expands its value a second time (mod_dptools.c, `base_set`).
    fn set_pair(&mut self, pair: &[u8]) {
        let mut name = until(pair, |b| b == b'=');
        if name.len() == pair.len() {
            name = until(pair, |b| b == b',');
        }
        if name.is_empty() {
            return;
        }
        let value = pair.get(name.len() + 1..).unwrap_or_default();
        let from_controller = self.stack.len() > 1;
        let value = self.expanded("set", value, from_controller);
        self.vars.set(name.to_vec(), value);
    }

    fn set_pairs(&mut self, text: &[u8]) {
        let (delimiter, text) = match text {
            [b'^', b'^', delimiter, rest @ ..] => (*delimiter, rest),
            _ => (b' ', text),
        };
        for pair in text.split(|b| *b == delimiter).take(256) {
            self.set_pair(pair);
        }
    }

    fn export(&mut self, text: &[u8]) {
        let name = until(text, |b| b == b'=');
        let value = text.get(name.len() + 1..).unwrap_or_default();
        if !name.is_empty() {
            let bare = name.strip_prefix(b"nolocal:").unwrap_or(name);
            self.vars.set(bare.to_vec(), value.to_vec());
            self.vars.set(&b"export_vars"[..], bare.to_vec());
        }
    }
}
