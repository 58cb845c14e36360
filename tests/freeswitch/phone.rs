//! A phone: a SIP leg that calls the external profile, or is called by it; it is recorded, can
//! speak, press keys and hang up.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::scenes::Lab;
use crate::sound::Sound;

/// How often something is looked at again.
const PAUSE: Duration = Duration::from_millis(50);
/// Calls so far: each phone has a number of its own.
static CALLS: AtomicU32 = AtomicU32::new(0);
/// Legs that were called and that a scene has.
static TAKEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
/// How long what somebody hears may take to change.
const CHANGE_MAX: Duration = Duration::from_secs(10);
/// How long it must be heard then, in seconds.
const A_WHILE: f64 = 0.6;

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
        let to = format!("sofia/phones/{number}@127.0.0.1:{}", lab.switch.ports.external);
        Self::call_by(lab, &to, application)
    }

    /// The same by a dial string.
    pub(crate) fn call_by(lab: &'a Lab, to: &str, application: &str) -> Self {
        let count = CALLS.fetch_add(1, Ordering::Relaxed);
        let own = format!("+1555010{count:04}");
        let uuid = format!("00000000-0000-4000-8000-{:012x}", u64::from(count) + 1);
        let recording = lab.folder().join(format!("phone-{count}.wav"));
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
        // Two applications of the `inline` dialplan, parted by `^`.
        let then = format!("m:^:record_session:{}^{application}", recording.display());
        lab.switch.begin(&format!("originate {{{variables}}}{to} '{then}' inline"));
        Self { lab, number: own, uuid, recording }
    }

    /// The phone of this number, once it is called: the last digits but two say what it speaks, in
    /// Hz (`phones/dialplan.xml`).
    #[track_caller]
    pub(crate) fn called(lab: &'a Lab, number: &str) -> Self {
        let began = Instant::now();
        let start = format!("{number}_");
        loop {
            for entry in std::fs::read_dir(lab.folder().join("heard")).unwrap() {
                let recording = entry.unwrap().path();
                let stem = recording.file_stem().unwrap().to_str().unwrap();
                let Some(uuid) = stem.strip_prefix(&start).map(str::to_owned) else { continue };
                if TAKEN.lock().unwrap().insert(uuid.clone()) {
                    return Self { lab, number: number.to_owned(), uuid, recording };
                }
            }
            assert!(began.elapsed() < Duration::from_secs(15), "{number} was not called");
            std::thread::sleep(PAUSE);
        }
    }

    pub(crate) fn press(&self, keys: &str) {
        let answer = self.lab.switch.api(&format!("uuid_send_dtmf {} {keys}@100", self.uuid));
        assert!(answer.starts_with("+OK"), "{keys}: {answer}");
    }

    pub(crate) fn hang_up(&self) {
        self.lab.switch.api(&format!("uuid_kill {}", self.uuid));
    }

    /// The name of who calls, as a phone that is called shows it.
    pub(crate) fn shows(&self) -> String {
        self.lab.switch.api(&format!("uuid_getvar {} caller_id_name", self.uuid))
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

/// Waits until each of them hears just these tones together, for a while, and nothing else.
#[track_caller]
pub(crate) fn hear(parties: &[(&Phone<'_>, &[f64])], among: &[f64]) {
    let began = Instant::now();
    loop {
        let heard = parties.iter().map(|(phone, _)| {
            let sound = phone.recording.exists().then(|| phone.sound())?;
            let end = sound.length().as_secs_f64();
            sound.tones(among, (end - A_WHILE).max(0.0), end)
        });
        let heard: Vec<_> = heard.collect();
        let wanted = parties.iter().map(|(_, tones)| Some(tones.to_vec()));
        if heard.iter().cloned().eq(wanted.clone()) {
            return;
        }
        let told =
            || parties.iter().map(|(phone, tones)| (&phone.number, tones)).collect::<Vec<_>>();
        assert!(began.elapsed() < CHANGE_MAX, "{heard:?} is heard, not {:?}", told());
        std::thread::sleep(2 * PAUSE);
    }
}

impl Drop for Phone<'_> {
    fn drop(&mut self) {
        self.hang_up();
    }
}
