//! One recording on its way in, step by step.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Cursor, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Intake, object};
use crate::base::ids::RecordingId;
use crate::base::wav::{Head, Meter};
use crate::model::recording::{self, RecordingState};
use crate::store::{Kept, Measured, StoredAudio};
use crate::vault::keys::{DataKey, TenantKey};
use crate::vault::objects::ObjectError;
use crate::vault::seal::{self, SealError, Sealed};

/// A file that its writer has not finished is left alone until it has not grown for so long.
const QUIET: Duration = Duration::from_secs(5);
/// A file that is not there is looked for so often: it may be on its way over a network.
const MISSING_MAX: u32 = 6;
/// What is as loud as that at most is silence: 50 dB below the loudest.
const SILENT_PEAK: u16 = 104;
/// A length may differ from what the call told by so much, in milliseconds.
const TOLERANCE_MS: u64 = 1_000;
/// The chunks before the sound are in here.
const HEAD_BYTES: u64 = 64 * 1_024;

/// What is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// See how far it came before.
    Look,
    /// Look at the plain file, encrypt it, and read that back.
    Seal,
    /// Write down that there is an encrypted file, and its key.
    Journal,
    /// Remove the plain file.
    RemovePlain,
    /// Put the encrypted file into the store.
    Put,
    /// Read it back from there.
    Verify,
    /// Say that it is ready, or what else it is.
    Settle,
    /// Remove what is left of it in the spool.
    Clean,
    Done,
}

/// Why a recording can't be taken in now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Another process has it.
    Overtaken,
    /// It is not finished, which is no failure.
    Early(String),
    Failed(String),
}

/// One recording on its way.
#[derive(Debug)]
pub struct Job {
    kept: Kept,
    step: Step,
    made: Option<(Measured, StoredAudio)>,
    outcome: (RecordingState, String),
}

impl Job {
    pub const fn begin(kept: Kept) -> Self {
        let outcome = (RecordingState::Ready, String::new());
        Self { kept, step: Step::Look, made: None, outcome }
    }

    pub const fn kept(&self) -> &Kept {
        &self.kept
    }

    /// Does one step, and says which is next.
    ///
    /// # Errors
    /// It can't be done now. All can begin again from what is in the row and in the spool.
    pub async fn step(&mut self, intake: &Intake) -> Result<Step, Trouble> {
        self.step = match self.step {
            Step::Look => self.look(intake).await?,
            Step::Seal => self.seal(intake).await?,
            Step::Journal => self.journal(intake).await?,
            Step::RemovePlain => {
                remove(&self.plain(intake))?;
                Step::Put
            }
            Step::Put => self.put(intake).await?,
            Step::Verify => self.verify(intake).await?,
            Step::Settle => self.settle(intake).await?,
            Step::Clean => self.clean(intake)?,
            Step::Done => Step::Done,
        };
        Ok(self.step)
    }

    fn plain(&self, intake: &Intake) -> PathBuf {
        intake.plain(self.kept.recording.tenant, self.kept.recording.id)
    }

    fn sealed(&self, intake: &Intake) -> Option<PathBuf> {
        let audio = self.kept.audio.as_ref()?;
        Some(intake.sealed(self.kept.recording.tenant, &audio.object))
    }

    fn settled(&mut self, state: RecordingState, why: &str) -> Step {
        self.outcome = (state, why.to_owned());
        Step::Settle
    }

    async fn look(&mut self, intake: &Intake) -> Result<Step, Trouble> {
        let Some(audio) = self.kept.audio.clone() else { return Ok(Step::Seal) };
        let sealed = self.sealed(intake).and_then(|path| fs::metadata(path).ok());
        if sealed.is_some_and(|file| file.len() == audio.stored_bytes) {
            return Ok(Step::RemovePlain);
        }
        match intake.archive.objects().await?.length(&audio.object).await {
            Ok(_) => return Ok(Step::Verify),
            Err(ObjectError::Missing) => {}
            Err(error) => return Err(Trouble::Failed(error.to_string())),
        }
        if !self.plain(intake).exists() {
            return Ok(self.settled(RecordingState::Failed, "its file is lost"));
        }
        intake
            .archive
            .store
            .tenant(self.kept.recording.tenant)
            .unsealed_recording(&self.kept)
            .await?;
        self.kept.audio = None;
        Ok(Step::Seal)
    }

    async fn seal(&mut self, intake: &Intake) -> Result<Step, Trouble> {
        let path = self.plain(intake);
        let Some(found) = look_at(&path)? else { return self.missing() };
        if !found.is_finished {
            return Err(Trouble::Early("FreeSWITCH still writes it".to_owned()));
        }
        if let Some(why) = found.too_little(self.kept.min_length_ms) {
            return Ok(self.settled(RecordingState::Absent, &why));
        }
        let tenant = intake.archive.tenant_key(self.kept.recording.tenant).await?;
        let (name, id) = (object(&self.kept), self.kept.recording.id);
        let target = intake.sealed(self.kept.recording.tenant, &name);
        let work = move || encrypt(&path, &found, id, &tenant, &target);
        let made = tokio::task::spawn_blocking(work).await.map_err(failed)??;
        let Made { sealed, meter, head, wrapped, key_number } = made;
        let length_ms = head.map_or(0, |(head, sound)| head.length_ms(sound));
        let peak = meter.as_ref().map(|meter| meter.peak);
        let mut masked = self.kept.recording.masked.clone();
        let still = meter.map(Meter::still);
        let unmasked = still.is_some_and(|s| !recording::align(&mut masked, &s, length_ms));
        let measured = Measured {
            length_ms,
            channels: head.map_or(0, |(head, _)| head.channels),
            rate: head.map_or(0, |(head, _)| head.rate),
            silent: peak.is_some_and(|peak| peak <= SILENT_PEAK),
            masked,
            bytes: sealed.bytes,
            hash: sealed.hash,
            why: self.odd(head.is_some(), length_ms, unmasked),
        };
        let audio = StoredAudio {
            object: name,
            key_number,
            wrapped: Some(wrapped),
            stored_bytes: sealed.stored_bytes,
            stored_hash: sealed.stored_hash,
        };
        self.made = Some((measured, audio));
        Ok(Step::Journal)
    }

    /// What is odd about a file.
    fn odd(&self, is_sound: bool, length_ms: u64, unmasked: bool) -> String {
        let told = self.kept.recording.length_ms;
        if !is_sound {
            "FreeSWITCH's file is no WAV file; it is kept as it is".to_owned()
        } else if told > 0 && told.abs_diff(length_ms) > TOLERANCE_MS {
            format!("it is {length_ms} ms long, where the call tells of {told}")
        } else if unmasked {
            "there is sound where it should be masked".to_owned()
        } else {
            String::new()
        }
    }

    fn missing(&mut self) -> Result<Step, Trouble> {
        let told = self.kept.recording.length_ms;
        if told == 0 || told < self.kept.min_length_ms {
            return Ok(self.settled(RecordingState::Absent, "nothing was recorded"));
        }
        if self.kept.attempts < MISSING_MAX {
            return Err(Trouble::Failed("FreeSWITCH's file is not there".to_owned()));
        }
        Ok(self.settled(RecordingState::Failed, "FreeSWITCH left no file"))
    }

    async fn journal(&mut self, intake: &Intake) -> Result<Step, Trouble> {
        let Some((measured, audio)) = self.made.take() else { return Ok(Step::Look) };
        let scope = intake.archive.store.tenant(self.kept.recording.tenant);
        if !scope.sealed_recording(&self.kept, &measured, &audio).await? {
            remove(&intake.sealed(self.kept.recording.tenant, &audio.object))?;
            // Where only the tenant's key has changed, the recording is still ours.
            return Err(Trouble::Early("the tenant's key is another now".to_owned()));
        }
        self.kept.recording.why = measured.why;
        self.kept.recording.rate = measured.rate;
        self.kept.audio = Some(audio);
        Ok(Step::RemovePlain)
    }

    async fn put(&self, intake: &Intake) -> Result<Step, Trouble> {
        let (Some(audio), Some(file)) = (&self.kept.audio, self.sealed(intake)) else {
            return Ok(Step::Look);
        };
        let objects = intake.archive.objects().await?;
        objects.put(&audio.object, &file).await.map_err(failed)?;
        Ok(Step::Verify)
    }

    async fn verify(&mut self, intake: &Intake) -> Result<Step, Trouble> {
        let Some(audio) = &self.kept.audio else { return Ok(Step::Look) };
        let found = intake.archive.objects().await?.hash(&audio.object).await.map_err(failed)?;
        if found != audio.stored_hash {
            return Err(Trouble::Failed("the store gives back something else".to_owned()));
        }
        let sound = self.kept.recording.rate > 0;
        let state = if sound { RecordingState::Ready } else { RecordingState::Failed };
        let why = self.kept.recording.why.clone();
        Ok(self.settled(state, &why))
    }

    async fn settle(&self, intake: &Intake) -> Result<Step, Trouble> {
        let (state, why) = &self.outcome;
        let scope = intake.archive.store.tenant(self.kept.recording.tenant);
        if !scope.settle_recording(&self.kept, *state, why, intake.settings.keep).await? {
            return Err(Trouble::Overtaken);
        }
        let recording = self.kept.recording.id;
        tracing::info!(%recording, state = state.name(), why, "a recording is settled");
        Ok(Step::Clean)
    }

    fn clean(&self, intake: &Intake) -> Result<Step, Trouble> {
        remove(&self.plain(intake))?;
        if let Some(file) = self.sealed(intake) {
            remove(&file)?;
        }
        Ok(Step::Done)
    }
}

fn failed(error: impl std::fmt::Display) -> Trouble {
    Trouble::Failed(error.to_string())
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        failed(format!("the spool can't be used: {error}"))
    }
}

impl From<SealError> for Trouble {
    fn from(error: SealError) -> Self {
        failed(error)
    }
}

/// Removes a file; one that is gone is as good.
pub(super) fn remove(path: &Path) -> Result<(), Trouble> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A plain file, before it is read.
struct Found {
    bytes: u64,
    /// None where it is no WAV file.
    head: Option<Head>,
    /// The file's beginning, its lengths put right.
    start: Vec<u8>,
    is_finished: bool,
}

impl Found {
    /// Why nothing of it is kept.
    fn too_little(&self, min_ms: u64) -> Option<String> {
        let Some(head) = self.head else {
            return (self.bytes == 0).then(|| "nothing was recorded".to_owned());
        };
        let sound = head.sound_bytes(self.bytes);
        let length_ms = head.length_ms(sound);
        match sound {
            0 => Some("nothing was recorded".to_owned()),
            _ if length_ms < min_ms => {
                Some(format!("{length_ms} ms were recorded; {min_ms} are the least"))
            }
            _ => None,
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    // A link would lead out of the spool.
    let flags = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0);
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// Looks at a plain file; none where there is none.
fn look_at(path: &Path) -> io::Result<Option<Found>> {
    let mut file = match open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let data = file.metadata()?;
    let (bytes, mut start) = (data.len(), Vec::new());
    (&mut file).take(HEAD_BYTES).read_to_end(&mut start)?;
    let head = Head::read(&start).ok();
    let age = SystemTime::now().duration_since(data.modified()?).unwrap_or_default();
    let is_finished = age >= QUIET || head.is_some_and(|head| head.is_finished(bytes));
    if let Some(head) = head.filter(|head| !head.is_finished(bytes)) {
        head.mend(&mut start, bytes);
    }
    Ok(Some(Found { bytes, head, start, is_finished }))
}

/// What was made of a plain file.
struct Made {
    sealed: Sealed,
    meter: Option<Meter>,
    /// The head, and bytes of sound.
    head: Option<(Head, u64)>,
    wrapped: String,
    key_number: u32,
}

/// Encrypts a file with a new key into `target`, and reads that back. What is under this name is
/// whole.
fn encrypt(
    path: &Path,
    found: &Found,
    id: RecordingId,
    tenant: &TenantKey,
    target: &Path,
) -> Result<Made, Trouble> {
    let key = DataKey::generate().map_err(failed)?;
    let wrapped = tenant.wrap(id, &key).map_err(failed)?;
    let mut file = open(path)?;
    io::copy(&mut (&mut file).take(found.start.len() as u64), &mut io::sink())?;
    let rest = found.bytes.saturating_sub(found.start.len() as u64);
    let meter = found.head.filter(|head| head.is_pcm && head.bits == 16);
    let mut sound = Metered {
        inner: Cursor::new(&found.start).chain((&mut file).take(rest)),
        skip: meter.map_or(0, |head| head.data_at),
        meter: meter.as_ref().map(Meter::new),
    };
    let part = target.with_extension("part");
    let written =
        OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&part)?;
    let sealed = seal::seal(&mut sound, io::BufWriter::new(&written), id, &key)?;
    let meter = sound.meter;
    if sealed.bytes != found.bytes || fs::metadata(path)?.len() != found.bytes {
        return Err(Trouble::Early("it grew while it was read".to_owned()));
    }
    written.sync_all()?;
    seal::check(io::BufReader::new(File::open(&part)?), id, &key, &sealed)?;
    fs::rename(&part, target)?;
    if let Some(folder) = target.parent() {
        File::open(folder)?.sync_all()?;
    }
    let head = found.head.map(|head| (head, head.sound_bytes(found.bytes)));
    Ok(Made { sealed, meter, head, wrapped, key_number: tenant.number })
}

/// Hears what passes.
struct Metered<R> {
    inner: R,
    /// Bytes before the sound.
    skip: u64,
    meter: Option<Meter>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(read);
        self.skip -= skipped as u64;
        if let Some(meter) = &mut self.meter {
            meter.hear(into.get(skipped..read).unwrap_or_default());
        }
        Ok(read)
    }
}
