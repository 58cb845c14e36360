//! Recordings: `record`, which is an application of its own, and `record_session` and
//! `uuid_record`, which run beside everything else.

use super::arguments::split;
use super::channel::Channel;
use super::events::Kind;
use super::execute::{Activity, End, Served};
use super::observed::Observed;
use super::wire::atoi;

/// Recordings running at once on one call.
const MAX_SESSIONS: usize = 16;
/// Finished recordings that can be played again.
const MAX_RECORDED: usize = 256;
const DEFAULT_SILENCE_S: i64 = 3;

/// `record`, running.
#[derive(Debug)]
pub(super) struct Recorder {
    path: Vec<u8>,
    started: u64,
    /// It stops in the first whole second after this one.
    last_second: Option<i64>,
    silence_ms: Option<u64>,
}

/// A recording beside the call.
#[derive(Debug)]
pub(super) struct Session {
    path: Vec<u8>,
    /// What has been written, up to `since`; it is none while paused.
    written: u64,
    since: Option<u64>,
}

impl Session {
    fn length(&self, now: u64) -> u64 {
        self.written + self.since.map_or(0, |since| now.saturating_sub(since))
    }
}

impl Recorder {
    pub(super) fn deadline(&self, channel: &Channel) -> Option<u64> {
        let limit = self.last_second.map(|second| {
            let left = (second + 1) * 1_000 - channel.now.wall.as_millisecond();
            channel.now.mono_ms + u64::try_from(left).unwrap_or(0)
        });
        [limit, self.silent_at(channel)].into_iter().flatten().min()
    }

    fn silent_at(&self, channel: &Channel) -> Option<u64> {
        self.silence_ms.map(|ms| self.started.max(channel.talking_until) + ms)
    }
}

impl Channel {
    pub(super) fn begin_record(&mut self, text: &[u8]) -> Activity {
        let words = split(text, b' ', 4);
        let Some(path) = words.first().cloned() else { return Activity::Done };
        self.vars.unset(b"playback_terminator_used");
        self.vars.set(&b"silence_hits_exhausted"[..], &b"false"[..]);
        let number =
            |at: usize| words.get(at).map_or(0, |w| atoi(w.strip_prefix(b"+").unwrap_or(w)));
        let hits = if number(3) > 0 { number(3) } else { DEFAULT_SILENCE_S };
        let second = self.now.wall.as_second();
        let recorder = Recorder {
            started: self.ms(),
            last_second: (number(1) > 0).then(|| second.saturating_add(number(1))),
            silence_ms: (number(2) > 0)
                .then(|| u64::try_from(hits).unwrap_or(0).saturating_mul(1_000)),
            path,
        };
        self.fire(Kind::RecordStart, &[], &[("Record-File-Path", &recorder.path)]);
        Activity::Record(recorder)
    }

    pub(super) fn serve_record(&mut self, recorder: &Recorder) -> Served {
        let broken = self.take_break();
        let terminated = !broken && self.digit_is_due() && self.read_terminator();
        let silent = recorder.silent_at(self).is_some_and(|at| at <= self.ms());
        if silent {
            self.vars.set(&b"silence_hits_exhausted"[..], &b"true"[..]);
        }
        let second = self.now.wall.as_second();
        let full = recorder.last_second.is_some_and(|last| second > last);
        if broken || terminated || silent || full {
            self.stop_recorder(recorder);
            return Served::Ends(if broken { End::Broken } else { End::Normal });
        }
        if self.digit_is_due() { Served::Again } else { Served::Waits }
    }

    pub(super) fn stop_recorder(&mut self, recorder: &Recorder) {
        let ms = self.ms() - recorder.started;
        self.keep_recording(&recorder.path, ms);
        self.fire(Kind::RecordStop, &[], &[("Record-File-Path", &recorder.path)]);
    }

    fn keep_recording(&mut self, path: &[u8], ms: u64) {
        for (name, value) in [
            ("record_file_size", ms * 16 + 44),
            ("record_samples", ms * 8),
            ("record_seconds", ms / 1_000),
            ("record_ms", ms),
        ] {
            self.vars.set(name.as_bytes(), value.to_string().into_bytes());
        }
        if self.recorded.len() >= MAX_RECORDED {
            self.recorded.remove(0);
        }
        self.recorded.push((path.to_vec(), ms));
        let path = String::from_utf8_lossy(path).into_owned();
        self.note(Observed::Recorded { path, ms });
    }

    pub(super) fn start_session(&mut self, text: &[u8]) {
        let Some(path) = split(text, b' ', 3).into_iter().next() else { return };
        if self.recordings.len() >= MAX_SESSIONS {
            return;
        }
        self.fire(Kind::RecordStart, &[], &[("Record-File-Path", &path)]);
        self.fire_bug(Kind::MediaBugStart, &path);
        self.recordings.push(Session { path, written: 0, since: Some(self.ms()) });
    }

    /// `pause`, `resume`, `mask` and `unmask`: as often as one likes; false for an unknown one.
    pub(super) fn change_session(&mut self, action: &[u8], path: &[u8]) -> bool {
        let now = self.ms();
        let Some(session) = self.recordings.iter_mut().find(|session| session.path == path) else {
            return false;
        };
        match action {
            b"pause" => {
                session.written = session.length(now);
                session.since = None;
            }
            b"resume" => {
                session.since.get_or_insert(now);
            }
            _ => {}
        }
        true
    }

    /// True if there was such a recording; stopping an unknown one is silent.
    pub(super) fn stop_session(&mut self, path: &[u8]) -> bool {
        let Some(at) = self.recordings.iter().position(|s| s.path == path || path == b"all") else {
            return false;
        };
        let session = self.recordings.remove(at);
        self.tell_stop(&session, "success-maxtime");
        self.fire_bug(Kind::MediaBugStop, &session.path);
        true
    }

    /// At hang-up: first every recording is told to have stopped, then every bug.
    pub(super) fn stop_all_sessions(&mut self) {
        let sessions = std::mem::take(&mut self.recordings);
        for session in &sessions {
            self.tell_stop(session, "success-silence");
        }
        for session in &sessions {
            self.fire_bug(Kind::MediaBugStop, &session.path);
        }
    }

    fn tell_stop(&mut self, session: &Session, cause: &'static str) {
        self.keep_recording(&session.path, session.length(self.ms()));
        self.vars.set(&b"record_completion_cause"[..], cause.as_bytes());
        let extra: [(&str, &[u8]); 2] =
            [("Record-File-Path", &session.path), ("Record-Completion-Cause", cause.as_bytes())];
        self.fire(Kind::RecordStop, &[], &extra);
    }

    fn fire_bug(&mut self, kind: Kind, path: &[u8]) {
        let before: [(&str, &[u8]); 2] =
            [("Media-Bug-Function", b"session_record"), ("Media-Bug-Target", path)];
        self.fire(kind, &before, &[]);
    }
}
