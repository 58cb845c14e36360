//! Recordings on their way from FreeSWITCH's spool to the store of files, and afterwards.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use callwright::app::intake::{Intake, Job, Step};
use callwright::archive::{Archive, ArchiveError};
use callwright::base::ids::{CallId, InstanceId, RecordingId, TenantId};
use callwright::base::masked::Masked;
use callwright::base::millis::Millis;
use callwright::model::record::RecordingNote;
use callwright::model::recording::{Recording, RecordingState, Span};
use callwright::model::timeline::What;
use callwright::store::{
    Deed, Instance, Recorder, RecordingFilter, Settled, Store, StoreError, TenantScope,
};
use callwright::vault::config::{Config as Vault, S3};
use callwright::vault::format::FormatError;
use callwright::vault::keys::OperatorKeys;
use callwright::vault::objects::ObjectError;
use tokio::task::JoinSet;

use crate::bench::{Bench, call_id, instance_id, live, on_both, record};

const SOON: Duration = Duration::from_secs(20);
/// 32 bytes in base64, each.
const OLD_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const NEW_KEY: &str = "HxsdHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=";

/// Where the sound is masked, in ms; its call saw that a little earlier.
const MASKED: std::ops::Range<u32> = 110..230;

/// A WAV file of 8 kHz stereo as FreeSWITCH writes it, with a tone on the left.
fn wav(ms: u32) -> Vec<u8> {
    let mut file = head(ms * 32);
    for sample in 0..ms * 8 {
        let left = match sample {
            _ if MASKED.contains(&(sample / 8)) => 0_i16,
            _ if sample % 16 < 8 => 8_000,
            _ => -8_000,
        };
        file.extend([left.to_le_bytes(), 0_i16.to_le_bytes()].concat());
    }
    file
}

fn head(data: u32) -> Vec<u8> {
    let mut head = b"RIFF".to_vec();
    head.extend((data + 36).to_le_bytes());
    head.extend(b"WAVEfmt \x10\0\0\0\x01\0\x02\0");
    head.extend(8_000_u32.to_le_bytes());
    head.extend(32_000_u32.to_le_bytes());
    head.extend(b"\x04\0\x10\0data");
    head.extend(data.to_le_bytes());
    head
}

fn deed(why: &str) -> Deed {
    Deed { author: "ada".into(), why: why.into() }
}

/// A database with a spool and a store of files.
struct Kept {
    bench: Bench,
    tenant: TenantId,
    recorder: Recorder,
    vault: Vault,
}

impl Kept {
    async fn on(bench: Bench) -> Self {
        let tenant = bench.tenant("acme").await.id;
        let recorder = Recorder::start(&bench.store, &bench.config).unwrap();
        let store = bench.folder.path().join("recordings");
        let vault = Vault { store: store.to_str().unwrap().into(), ..Vault::default() };
        let kept = Self { bench, tenant, recorder, vault };
        std::fs::create_dir_all(kept.folder()).unwrap();
        kept
    }

    fn root(&self) -> PathBuf {
        self.bench.folder.path().join("messages")
    }

    fn folder(&self) -> PathBuf {
        self.root().join(self.tenant.to_string())
    }

    fn vault(&self) -> Vault {
        self.vault.clone()
    }

    fn archive_on(&self, store: &Store, keys: &str) -> Arc<Archive> {
        Arc::new(Archive::new(store, OperatorKeys::read(keys).unwrap(), self.vault()))
    }

    fn archive(&self) -> Arc<Archive> {
        self.archive_on(&self.bench.store, OLD_KEY)
    }

    /// What takes recordings in, in a process of its own.
    fn intake(&self) -> Arc<Intake> {
        Intake::new(self.archive(), self.root(), instance_id(), self.vault())
    }

    /// FreeSWITCH has recorded this, in some call.
    fn recorded(&self, call: CallId, file: &[u8]) -> RecordingId {
        let id = RecordingId::nth(call, 1);
        std::fs::write(self.folder().join(format!("{id}.wav")), file).unwrap();
        id
    }

    fn tell(&self, call: CallId, state: RecordingState, length_ms: u64) {
        let id = RecordingId::nth(call, 1);
        let note = RecordingNote {
            id: Some(id),
            path: format!("/spool/{id}.wav"),
            state,
            length_ms,
            masked: vec![Span { from_ms: 100, to_ms: 200 }],
            paused: vec![Span { from_ms: 700, to_ms: 900 }],
            min_length_ms: 500,
            ..RecordingNote::default()
        };
        self.recorder.recording(self.tenant, call, Box::new(note));
    }

    async fn settled(&self) {
        assert_eq!(self.recorder.settle(SOON).await, Settled::Written);
    }

    /// A recording that has ended, and of which its call told.
    async fn ended(&self, file: &[u8]) -> (CallId, RecordingId) {
        let call = call_id();
        let id = self.recorded(call, file);
        self.tell(call, RecordingState::Running, 0);
        self.tell(call, RecordingState::Pending, 2_000);
        self.settled().await;
        (call, id)
    }

    async fn take_all(&self) {
        let intake = self.intake();
        for kept in intake.claim(64).await.unwrap() {
            intake.take(kept).await;
        }
    }

    async fn state(&self, id: RecordingId) -> RecordingState {
        self.bench.store.tenant(self.tenant).recording(id).await.unwrap().recording.state
    }

    async fn read(&self, id: RecordingId) -> Result<Vec<u8>, ArchiveError> {
        let mut sound = Vec::new();
        self.archive().read(self.tenant, id, 0..u64::MAX, &mut sound).await?;
        Ok(sound)
    }

    /// What a call's timeline tells of its recordings.
    async fn told(&self, call: CallId) -> Vec<RecordingState> {
        let timeline = self.bench.store.tenant(self.tenant).timeline(call).await.unwrap();
        let states = timeline.into_iter().filter_map(|entry| match entry.what {
            What::Recording { state, .. } => Some(state),
            _ => None,
        });
        states.collect()
    }

    fn spooled(&self) -> Vec<PathBuf> {
        files(&self.root())
    }

    fn stored(&self) -> Vec<PathBuf> {
        files(&self.bench.folder.path().join("recordings"))
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// All of the tenant's recordings, or of a call's, page by page.
async fn listed(scope: &TenantScope, call: Option<CallId>) -> Vec<Recording> {
    let filter = RecordingFilter { call, ..RecordingFilter::default() };
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = scope.recordings(&filter, after, 60).await.unwrap();
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

fn age(file: &Path, by: Duration) {
    let file = std::fs::File::options().write(true).open(file).unwrap();
    file.set_modified(SystemTime::now() - by).unwrap();
}

async fn a_process_killed_between_any_two_steps_loses_nothing_and_leaves_no_plain_sound(
    bench: Bench,
) {
    let kept = Kept::on(bench).await;
    let sound = wav(2_000);
    let mut cut = Vec::new();
    for stop in 0.. {
        let (call, id) = kept.ended(&sound).await;
        let first = kept.intake();
        let mut job = Job::begin(first.claim(1).await.unwrap().pop().unwrap());
        let mut last = Step::Look;
        for _ in 0..stop {
            last = job.step(&first).await.unwrap();
        }
        // As a process that is killed: nothing else is done.
        drop((job, first));
        kept.take_all().await;
        kept.intake().sweep(true).await.unwrap();
        assert_eq!(kept.state(id).await, RecordingState::Ready, "stopped before {last:?}");
        assert_eq!(kept.spooled(), [] as [PathBuf; 0], "stopped before {last:?}");
        assert_eq!(kept.stored().len(), stop + 1, "stopped before {last:?}");
        assert_eq!(kept.read(id).await.unwrap(), sound, "stopped before {last:?}");
        assert_eq!(kept.told(call).await, [RecordingState::Ready], "stopped before {last:?}");
        cut.push(last);
        if last == Step::Done {
            break;
        }
    }
    let steps = [
        Step::Seal,
        Step::Journal,
        Step::RemovePlain,
        Step::Put,
        Step::Verify,
        Step::Settle,
        Step::Clean,
        Step::Done,
    ];
    assert_eq!(cut[1..], steps);
}

async fn a_process_killed_in_the_midst_of_writing_leaves_nothing_behind(bench: Bench) {
    let kept = Kept::on(bench).await;
    let (_, id) = kept.ended(&wav(2_000)).await;
    let first = kept.intake();
    assert_eq!(first.claim(1).await.unwrap().len(), 1);
    std::fs::write(kept.folder().join(format!("{id}.1.part")), b"CWRV and half a chunk").unwrap();
    kept.take_all().await;
    kept.intake().sweep(false).await.unwrap();
    assert_eq!(kept.read(id).await.unwrap(), wav(2_000));
    assert_eq!(kept.spooled(), [] as [PathBuf; 0]);
}

async fn what_was_overtaken_changes_nothing(bench: Bench) {
    let kept = Kept::on(bench).await;
    let (call, id) = kept.ended(&wav(2_000)).await;
    let slow = kept.intake();
    let mut job = Job::begin(slow.claim(1).await.unwrap().pop().unwrap());
    assert_eq!(job.step(&slow).await, Ok(Step::Seal));
    assert_eq!(job.step(&slow).await, Ok(Step::Journal));
    kept.take_all().await;
    assert!(job.step(&slow).await.is_err());
    assert_eq!(kept.read(id).await.unwrap(), wav(2_000));
    assert_eq!(kept.told(call).await, [RecordingState::Ready]);
    kept.intake().sweep(false).await.unwrap();
    assert_eq!((kept.spooled().len(), kept.stored().len()), (0, 1));
}

/// Says that a process is alive, as long as this runs.
async fn alive(store: Store, id: InstanceId) {
    let instance =
        Instance { id, node: "here".into(), started: jiff::Timestamp::now(), alive: true };
    let mut turns = tokio::time::interval(Duration::from_secs(1));
    loop {
        turns.tick().await;
        store.operator().beat(&instance).await.unwrap();
    }
}

async fn two_hundred_at_once_are_taken_in_once_each_by_two_processes(bench: Bench) {
    let kept = Kept::on(bench).await;
    let sound = wav(1_000);
    let mut ids = BTreeSet::new();
    for _ in 0..200 {
        let call = call_id();
        ids.insert(kept.recorded(call, &sound));
        kept.tell(call, RecordingState::Pending, 1_000);
    }
    kept.settled().await;
    let mut running = JoinSet::new();
    for _ in 0..2 {
        let (store, holder) = (kept.bench.another_store().await, instance_id());
        let archive = kept.archive_on(&store, OLD_KEY);
        running.spawn(alive(store, holder));
        running.spawn(Intake::new(archive, kept.root(), holder, kept.vault()).run());
    }
    let scope = kept.bench.store.tenant(kept.tenant);
    let mut turns = tokio::time::interval(Duration::from_millis(100));
    let all_in = async {
        loop {
            turns.tick().await;
            let all = listed(&scope, None).await;
            let ready = all.iter().filter(|one| one.state == RecordingState::Ready).count();
            if ready == 200 && kept.spooled().is_empty() {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all_in).await.unwrap();
    running.shutdown().await;
    assert_eq!(kept.stored().len(), 200);
    let all = listed(&scope, None).await;
    assert_eq!(all.iter().map(|one| one.id).collect::<BTreeSet<_>>(), ids);
    assert!(all.iter().all(|one| one.length_ms == 1_000 && one.channels == 2 && !one.silent));
    assert_eq!(all.iter().map(|one| &one.stored_hash).collect::<BTreeSet<_>>().len(), 200);
}

async fn keys_are_rotated_without_touching_the_sound(bench: Bench) {
    let kept = Kept::on(bench).await;
    let (_, id) = kept.ended(&wav(2_000)).await;
    kept.take_all().await;
    let scope = kept.bench.store.tenant(kept.tenant);
    let before = std::fs::read(&kept.stored()[0]).unwrap();
    assert_eq!(kept.archive().rotate(kept.tenant, &deed("a year is over")).await.unwrap(), 1);
    assert_eq!(kept.read(id).await.unwrap(), wav(2_000));
    let keys = scope.keys().await.unwrap();
    assert_eq!(keys.iter().map(|key| key.wrapped.is_some()).collect::<Vec<_>>(), [true, false]);
    // The operator's key: the new one is put before the old one in the file.
    let both = format!("{NEW_KEY}\n{OLD_KEY}\n");
    let archive = kept.archive_on(&kept.bench.store, &both);
    assert_eq!(archive.rotate_operator().await.unwrap(), 1);
    assert_eq!(archive.rotate_operator().await.unwrap(), 0);
    let after = kept.archive_on(&kept.bench.store, NEW_KEY);
    let mut sound = Vec::new();
    after.read(kept.tenant, id, 0..u64::MAX, &mut sound).await.unwrap();
    assert_eq!(sound, wav(2_000));
    assert!(matches!(kept.read(id).await, Err(ArchiveError::Key(_))));
    assert_eq!(std::fs::read(&kept.stored()[0]).unwrap(), before);
}

async fn a_destroyed_key_takes_its_sound_with_it(bench: Bench) {
    let kept = Kept::on(bench).await;
    let (_, id) = kept.ended(&wav(2_000)).await;
    kept.take_all().await;
    let scope = kept.bench.store.tenant(kept.tenant);
    scope.hold(id, true, &deed("a lawsuit")).await.unwrap();
    let refused = scope.destroy_keys(None, &deed("they left")).await.unwrap_err().to_string();
    assert!(refused.contains("1 of the tenant's recordings are held"), "{refused}");
    scope.hold(id, false, &deed("it is settled")).await.unwrap();
    assert_eq!(scope.destroy_keys(None, &deed("they left")).await.unwrap(), 1);
    assert!(matches!(kept.read(id).await, Err(ArchiveError::Destroyed)));
    assert_eq!(kept.state(id).await, RecordingState::Ready);
    // What comes later has a new key.
    let (_, later) = kept.ended(&wav(1_000)).await;
    kept.take_all().await;
    assert_eq!(kept.read(later).await.unwrap(), wav(1_000));
    let deeds = scope.recording_traces(None, 10).await.unwrap();
    let deeds: Vec<_> = deeds.iter().map(|one| one.deed.as_str()).collect();
    assert_eq!(deeds, ["destroyed", "released", "held"]);
}

async fn another_tenants_recording_is_not_found(bench: Bench) {
    let other = bench.tenant("other").await.id;
    let kept = Kept::on(bench).await;
    let (call, id) = kept.ended(&wav(2_000)).await;
    kept.take_all().await;
    let scope = kept.bench.store.tenant(other);
    let no = |error: StoreError| matches!(error, StoreError::NotFound { .. });
    assert!(no(scope.recording(id).await.unwrap_err()));
    assert!(no(scope.hold(id, true, &deed("")).await.unwrap_err()));
    assert!(no(scope.delete_recording(id, &deed("")).await.unwrap_err()));
    assert!(no(scope.retry_recording(id).await.unwrap_err()));
    assert!(listed(&scope, Some(call)).await.is_empty());
    let mut sound = Vec::new();
    let read = kept.archive().read(other, id, 0..10, &mut sound).await.unwrap_err();
    assert!(matches!(read, ArchiveError::Store(StoreError::NotFound { .. })), "{read}");
    let deleted = kept.archive().delete(other, id, &deed("")).await.unwrap_err();
    assert!(matches!(deleted, ArchiveError::Store(StoreError::NotFound { .. })), "{deleted}");
    assert!(sound.is_empty());
    assert_eq!(kept.read(id).await.unwrap(), wav(2_000));
}

async fn a_recording_goes_when_its_time_is_over_unless_it_is_held(bench: Bench) {
    let kept = Kept::on(bench).await;
    let scope = kept.bench.store.tenant(kept.tenant);
    let (_, before) = kept.ended(&wav(2_000)).await;
    kept.take_all().await;
    scope.keep_recordings(Millis(1), &deed("1ms")).await.unwrap();
    let (_, after) = kept.ended(&wav(1_000)).await;
    let (call, held) = kept.ended(&wav(1_000)).await;
    kept.take_all().await;
    scope.hold(held, true, &deed("a lawsuit")).await.unwrap();
    let error = kept.archive().delete(kept.tenant, held, &deed("tidy")).await.unwrap_err();
    assert_eq!(error.to_string(), "the recording is held by ada: a lawsuit");
    kept.bench.sql("UPDATE recording SET delete_after_ms = delete_after_ms - 10000").await;
    kept.intake().sweep(false).await.unwrap();
    for gone in [before, after] {
        assert!(matches!(scope.recording(gone).await, Err(StoreError::NotFound { .. })));
        let trace = scope.recording_traces(Some(gone), 5).await.unwrap().pop().unwrap();
        assert_eq!((trace.deed.as_str(), trace.why.as_str()), ("deleted", "its time is over"));
    }
    assert_eq!(kept.stored().len(), 1);
    assert_eq!(kept.read(held).await.unwrap(), wav(1_000));
    scope.hold(held, false, &deed("")).await.unwrap();
    kept.archive().delete(kept.tenant, held, &deed("they asked")).await.unwrap();
    assert_eq!(kept.stored().len(), 0);
    // Its call's notes may come again from the spool of a process that was killed.
    kept.tell(call, RecordingState::Pending, 2_000);
    kept.settled().await;
    assert!(listed(&scope, None).await.is_empty());
}

async fn a_deletion_that_was_cut_short_is_finished(bench: Bench) {
    let kept = Kept::on(bench).await;
    let (_, id) = kept.ended(&wav(2_000)).await;
    kept.take_all().await;
    let scope = kept.bench.store.tenant(kept.tenant);
    scope.delete_recording(id, &deed("they asked")).await.unwrap();
    assert!(matches!(kept.read(id).await, Err(ArchiveError::Store(_))));
    kept.intake().sweep(false).await.unwrap();
    assert_eq!(kept.stored().len(), 0);
}

async fn a_file_of_which_nobody_told_is_taken_in_when_it_is_old(bench: Bench) {
    let kept = Kept::on(bench).await;
    let id = kept.recorded(call_id(), &wav(2_000));
    let file = kept.folder().join(format!("{id}.wav"));
    kept.intake().sweep(true).await.unwrap();
    kept.take_all().await;
    let scope = kept.bench.store.tenant(kept.tenant);
    assert!(listed(&scope, None).await.is_empty(), "it may still grow");
    age(&file, Duration::from_secs(2 * 3_600));
    kept.intake().sweep(true).await.unwrap();
    kept.take_all().await;
    assert_eq!(kept.read(id).await.unwrap(), wav(2_000));
    assert_eq!(kept.spooled(), [] as [PathBuf; 0]);
}

async fn a_recording_whose_process_was_lost_ends_with_its_call(bench: Bench) {
    let kept = Kept::on(bench).await;
    let call = call_id();
    let id = kept.recorded(call, &wav(2_000));
    kept.recorder.live(live(kept.tenant, call, 0));
    kept.tell(call, RecordingState::Running, 0);
    kept.settled().await;
    kept.take_all().await;
    assert_eq!(kept.state(id).await, RecordingState::Running);
    kept.recorder.record(record(kept.tenant, call, 1));
    kept.settled().await;
    kept.take_all().await;
    assert_eq!(kept.state(id).await, RecordingState::Ready);
}

async fn a_file_that_freeswitch_did_not_finish_is_mended(bench: Bench) {
    let kept = Kept::on(bench).await;
    let mut torn = wav(2_000);
    torn[4..8].copy_from_slice(&[0; 4]);
    torn[40..44].copy_from_slice(&[0; 4]);
    let (_, id) = kept.ended(&torn).await;
    kept.take_all().await;
    assert_eq!(kept.state(id).await, RecordingState::Pending, "it may still be written");
    age(&kept.spooled()[0], Duration::from_secs(10));
    kept.bench.sql("UPDATE recording SET due_ms = 0").await;
    kept.take_all().await;
    assert_eq!(kept.read(id).await.unwrap(), wav(2_000));
}

async fn what_is_too_short_or_not_there_is_absent_and_what_is_no_sound_fails(bench: Bench) {
    let kept = Kept::on(bench).await;
    let (call, short) = kept.ended(&wav(499)).await;
    let (_, empty) = kept.ended(&head(0)).await;
    let (_, noise) = kept.ended(b"this is no sound at all, but somebody may need it").await;
    kept.spooled().iter().for_each(|file| age(file, Duration::from_secs(10)));
    let never = call_id();
    kept.tell(never, RecordingState::Pending, 0);
    kept.settled().await;
    kept.take_all().await;
    let row = kept.state(RecordingId::nth(never, 1)).await;
    assert_eq!(row, RecordingState::Pending, "another machine may have it");
    kept.bench.sql("UPDATE recording SET due_ms = due_ms - 60000").await;
    kept.take_all().await;
    assert_eq!(kept.state(short).await, RecordingState::Absent);
    assert_eq!(kept.state(empty).await, RecordingState::Absent);
    assert_eq!(kept.state(RecordingId::nth(never, 1)).await, RecordingState::Absent);
    assert_eq!(kept.told(call).await, [RecordingState::Absent]);
    assert_eq!(kept.state(noise).await, RecordingState::Failed);
    assert!(kept.read(noise).await.unwrap().starts_with(b"this is no sound"));
    assert_eq!(kept.spooled(), [] as [PathBuf; 0]);
}

async fn a_recording_waits_encrypted_for_a_store_that_is_away(bench: Bench) {
    let kept = Kept::on(bench).await;
    let (_, id) = kept.ended(&wav(2_000)).await;
    let store = kept.bench.folder.path().join("recordings");
    std::fs::write(&store, b"no folder").unwrap();
    kept.take_all().await;
    let row = kept.bench.store.tenant(kept.tenant).recording(id).await.unwrap();
    assert_eq!((row.recording.state, row.attempts), (RecordingState::Pending, 1));
    assert!(!row.trouble.is_empty());
    let waiting = kept.spooled();
    assert!(waiting.len() == 1 && waiting[0].extension().unwrap() == "sealed", "{waiting:?}");
    std::fs::remove_file(&store).unwrap();
    kept.bench.sql("UPDATE recording SET due_ms = 0").await;
    kept.take_all().await;
    assert_eq!(kept.read(id).await.unwrap(), wav(2_000));
    assert_eq!(kept.spooled(), [] as [PathBuf; 0]);
}

async fn a_file_on_another_machine_is_left_to_that_and_taken_in_when_it_is_back(bench: Bench) {
    let kept = Kept::on(bench).await;
    let (call, id) = kept.ended(&wav(2_000)).await;
    let elsewhere = kept.bench.folder.path().join("elsewhere");
    let other = Intake::new(kept.archive(), elsewhere, instance_id(), kept.vault());
    assert!(other.claim(10).await.unwrap().is_empty());
    // The machine that has it is down.
    kept.bench.sql("UPDATE recording SET due_ms = 0, attempts = 6").await;
    for row in other.claim(10).await.unwrap() {
        other.take(row).await;
    }
    assert_eq!(kept.state(id).await, RecordingState::Failed);
    kept.intake().sweep(true).await.unwrap();
    kept.take_all().await;
    assert_eq!(kept.read(id).await.unwrap(), wav(2_000));
    assert_eq!(kept.told(call).await, [RecordingState::Failed, RecordingState::Ready]);
}

async fn a_changed_bit_in_the_store_is_named_by_its_chunk(bench: Bench) {
    let kept = Kept::on(bench).await;
    let (_, id) = kept.ended(&wav(10_000)).await;
    kept.take_all().await;
    let path = &kept.stored()[0];
    let whole = std::fs::read(path).unwrap();
    assert!(!whole.windows(4).any(|bytes| bytes == b"WAVE" || bytes == b"RIFF"));
    let mut changed = whole.clone();
    changed[200_000] ^= 1;
    std::fs::write(path, changed).unwrap();
    let error = kept.read(id).await.unwrap_err();
    let named = FormatError::Damaged { chunk: 3, of: 5 };
    assert!(matches!(&error, ArchiveError::Damaged(found) if *found == named), "{error}");
    std::fs::write(path, &whole[..whole.len() - 1]).unwrap();
    assert!(matches!(kept.read(id).await, Err(ArchiveError::Length { .. })));
    std::fs::write(path, whole).unwrap();
    let mut part = Vec::new();
    kept.archive().read(kept.tenant, id, 100_000..100_010, &mut part).await.unwrap();
    assert_eq!(part, wav(10_000)[100_000..100_010]);
}

async fn notes_of_a_recording_may_come_in_any_order_and_again(bench: Bench) {
    let kept = Kept::on(bench).await;
    let call = call_id();
    let id = kept.recorded(call, &wav(2_000));
    for _ in 0..2 {
        kept.tell(call, RecordingState::Pending, 2_000);
        kept.tell(call, RecordingState::Running, 0);
        kept.settled().await;
    }
    kept.take_all().await;
    kept.tell(call, RecordingState::Running, 0);
    kept.settled().await;
    let recording = kept.bench.store.tenant(kept.tenant).recording(id).await.unwrap().recording;
    assert_eq!((recording.state, recording.length_ms), (RecordingState::Ready, 2_000));
    assert_eq!(recording.masked, [Span { from_ms: 110, to_ms: 230 }], "as the sound has it");
    assert_eq!(recording.paused, [Span { from_ms: 700, to_ms: 900 }]);
    assert_eq!(recording.call, Some(call));
}

async fn a_rooms_recording_is_its_tenants_and_ends_when_somebody_sees_that(bench: Bench) {
    let kept = Kept::on(bench).await;
    let scope = kept.bench.store.tenant(kept.tenant);
    let running = async || kept.bench.store.operator().running_rooms().await.unwrap();
    let call = call_id();
    let id = kept.recorded(call, &wav(2_000));
    let room = "sales".parse().unwrap();
    let began = |ago| jiff::Timestamp::now() - jiff::SignedDuration::from_secs(ago);
    let path = format!("/spool/{id}.wav");
    for ago in [0, 60] {
        let note = RecordingNote::room(id, &room, path.clone(), began(ago));
        kept.recorder.recording(kept.tenant, call, Box::new(note));
        kept.settled().await;
        assert_eq!(
            running().await.len(),
            usize::from(ago > 0),
            "one that has just begun is let be"
        );
    }
    let found = running().await.remove(0);
    assert_eq!((found.tenant, found.id, found.room, found.path), (kept.tenant, id, room, path));
    assert!(found.age >= Millis::seconds(60));
    kept.take_all().await;
    assert_eq!(scope.recording(id).await.unwrap().recording.state, RecordingState::Running);
    scope.end_recording(id).await.unwrap();
    kept.take_all().await;
    let recording = scope.recording(id).await.unwrap().recording;
    assert_eq!((recording.state, recording.length_ms), (RecordingState::Ready, 2_000));
    assert_eq!((recording.room.as_deref(), recording.call), (Some("sales"), None));
    assert!(running().await.is_empty());
    scope.end_recording(id).await.unwrap();
    assert_eq!(scope.recording(id).await.unwrap().recording.state, RecordingState::Ready);
}

/// The URL of a server of S3, from `tests/s3 run …`.
const S3_SERVER: &str = "CALLWRIGHT_TEST_S3";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_s3_store_keeps_recordings_as_a_folder_does() {
    let Ok(endpoint) = std::env::var(S3_SERVER) else {
        let word = format!("\n*** NOT RUN: recordings on S3; set {S3_SERVER}\n\n");
        // Not `eprintln!`: the harness would keep it to itself.
        return std::io::stderr().write_all(word.as_bytes()).unwrap();
    };
    let mut kept = Kept::on(Bench::sqlite().await).await;
    kept.vault.store = format!("s3://callwright/{}", uuid::Uuid::now_v7());
    kept.vault.s3 = S3 {
        endpoint: Some(endpoint),
        region: Some("us-east-1".into()),
        access_key: Some("test".into()),
        secret_key: Some(Masked::new("test".into())),
        allow_http: true,
    };
    // The longer goes up in parts.
    let (short, long) = (wav(2_000), wav(600_000));
    let (_, one) = kept.ended(&short).await;
    let (_, other) = kept.ended(&long).await;
    kept.take_all().await;
    assert_eq!(kept.read(one).await.unwrap(), short);
    assert!(kept.read(other).await.unwrap() == long);
    let mut part = Vec::new();
    kept.archive().read(kept.tenant, other, 9_000_000..9_000_100, &mut part).await.unwrap();
    assert_eq!(part, long[9_000_000..9_000_100]);
    assert_eq!(kept.spooled(), [] as [PathBuf; 0]);
    let scope = kept.bench.store.tenant(kept.tenant);
    let object = scope.recording(one).await.unwrap().audio.unwrap().object;
    kept.archive().delete(kept.tenant, one, &deed("they asked")).await.unwrap();
    let length = kept.archive().objects().await.unwrap().length(&object).await;
    assert!(matches!(length, Err(ObjectError::Missing)));
}

on_both!(
    a_process_killed_between_any_two_steps_loses_nothing_and_leaves_no_plain_sound,
    a_process_killed_in_the_midst_of_writing_leaves_nothing_behind,
    what_was_overtaken_changes_nothing,
    two_hundred_at_once_are_taken_in_once_each_by_two_processes,
    keys_are_rotated_without_touching_the_sound,
    a_destroyed_key_takes_its_sound_with_it,
    another_tenants_recording_is_not_found,
    a_recording_goes_when_its_time_is_over_unless_it_is_held,
    a_deletion_that_was_cut_short_is_finished,
    a_file_of_which_nobody_told_is_taken_in_when_it_is_old,
    a_recording_whose_process_was_lost_ends_with_its_call,
    a_file_that_freeswitch_did_not_finish_is_mended,
    what_is_too_short_or_not_there_is_absent_and_what_is_no_sound_fails,
    a_recording_waits_encrypted_for_a_store_that_is_away,
    a_file_on_another_machine_is_left_to_that_and_taken_in_when_it_is_back,
    a_changed_bit_in_the_store_is_named_by_its_chunk,
    notes_of_a_recording_may_come_in_any_order_and_again,
    a_rooms_recording_is_its_tenants_and_ends_when_somebody_sees_that,
);
