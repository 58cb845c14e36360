//! A phone: a SIP leg that calls the external profile, is recorded, can speak, press keys and hang
//! up.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::scenes::Lab;
use crate::sound::Sound;

/// How often something is looked at again.
const PAUSE: Duration = Duration::from_millis(50);
/// Calls so far: each phone has a number of its own.
static CALLS: AtomicU32 = AtomicU32::new(0);

pub(crate) struct Phone<'a> {
    lab: &'a Lab,
    pub(crate) number: String,
    uuid: String,
    recording: PathBuf,
}

impl<'a> Phone<'a> {
    /// Calls `number`, silent.
    pub(crate) fn call(lab: &'a Lab, number: &str) -> Self {
        Self::call_speaking(lab, number, "park")
    }

    /// Calls `number` and runs an application on the phone's leg (`name:argument`) on the phone's
    /// leg once there is sound.
    pub(crate) fn call_speaking(lab: &'a Lab, number: &str, application: &str) -> Self {
        let count = CALLS.fetch_add(1, Ordering::Relaxed);
        let own = format!("+1555010{count:04}");
        let uuid = format!("00000000-0000-4000-8000-{:012x}", u64::from(count) + 1);
        let recording = lab.folder().join(format!("phone-{count}.wav"));
        let ports = lab.switch.ports;
        let variables = [
            format!("origination_uuid={uuid}"),
            format!("origination_caller_id_number={own}"),
            "origination_caller_id_name=Caller".to_owned(),
            "RECORD_READ_ONLY=true".to_owned(),
            "RECORD_USE_THREAD=false".to_owned(),
            "enable_file_write_buffering=false".to_owned(),
            "absolute_codec_string=PCMU".to_owned(),
            "originate_timeout=30".to_owned(),
            "send_silence_when_idle=-1".to_owned(),
        ];
        let variables = variables.join(",");
        let to = format!("sofia/phones/{number}@127.0.0.1:{}", ports.external);
        // Two applications of the `inline` dialplan, parted by `^`.
        let then = format!("m:^:record_session:{}^{application}", recording.display());
        lab.switch.begin(&format!("originate {{{variables}}}{to} '{then}' inline"));
        Self { lab, number: own, uuid, recording }
    }

    pub(crate) fn press(&self, keys: &str) {
        let answer = self.lab.switch.api(&format!("uuid_send_dtmf {} {keys}@100", self.uuid));
        assert!(answer.starts_with("+OK"), "{keys}: {answer}");
    }

    pub(crate) fn hang_up(&self) {
        self.lab.switch.api(&format!("uuid_kill {}", self.uuid));
    }

    pub(crate) fn is_up(&self) -> bool {
        self.lab.switch.api(&format!("uuid_exists {}", self.uuid)) == "true"
    }

    pub(crate) fn sound(&self) -> Sound {
        Sound::read(&self.recording)
    }

    /// Waits until a tone is heard; gives the second of the recording at which it began.
    #[track_caller]
    pub(crate) fn hears(&self, hz: f64) -> f64 {
        self.hears_within(hz, Duration::from_secs(15))
    }

    #[track_caller]
    pub(crate) fn hears_within(&self, hz: f64, limit: Duration) -> f64 {
        let began = Instant::now();
        loop {
            let heard = self.recording.exists().then(|| self.sound().tone(hz)).flatten();
            if let Some((from, _)) = heard {
                return from;
            }
            assert!(began.elapsed() < limit, "{} did not hear {hz} Hz", self.number);
            std::thread::sleep(PAUSE);
        }
    }

    /// Waits until the call has ended; gives FreeSWITCH's cause.
    #[track_caller]
    pub(crate) fn ends(&self) -> String {
        let began = Instant::now();
        loop {
            if let Some(cause) = self.lab.switch.ended(&self.uuid) {
                return cause;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "{} is still up", self.number);
            std::thread::sleep(PAUSE);
        }
    }
}

impl Drop for Phone<'_> {
    fn drop(&mut self) {
        self.hang_up();
    }
}
