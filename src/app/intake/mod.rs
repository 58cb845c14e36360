//! Takes in what FreeSWITCH recorded: from its spool, where sound is plain, to the archive.
//!
//! Each recording goes through a few steps (`job.rs`), in an order that lets a process be killed
//! between any two, or in the midst of one: the next finds in the row and in the spool how far it
//! came. The plain file goes as soon as there is an encrypted one that was read back, which then
//! waits for the store of files as long as that takes.

mod job;
mod sweep;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::archive::{Archive, ArchiveError};
use crate::base::ids::{InstanceId, RecordingId, TenantId};
use crate::base::millis::Millis;
use crate::model::recording::RecordingState;
use crate::store::{Kept, StoreError};
use crate::vault::config::Config;

pub use job::{Job, Step, Trouble};

/// How often to look for recordings that have ended.
const POLL: Duration = Duration::from_secs(1);
/// How long to leave a database alone that does not answer.
const AWAY: Duration = Duration::from_secs(5);
/// Every so many looks the spool is swept, and what is over deleted.
const SWEEP_EVERY: u32 = 60;
/// Every so many looks, and at first, what failed and still has a file here is tried again.
const AGAIN_EVERY: u32 = 60 * SWEEP_EVERY;
/// After so many failures a recording has failed; that is about an hour.
const ATTEMPTS_MAX: u32 = 18;
/// The pauses between attempts double up to this one, in milliseconds.
const PAUSE_MAX_MS: u64 = 300_000;
const PAUSE_MIN_MS: u64 = 500;

/// Takes recordings in, as one process among others.
#[derive(Debug)]
pub struct Intake {
    archive: Arc<Archive>,
    /// The spool, as this machine sees it.
    root: PathBuf,
    holder: InstanceId,
    settings: Config,
    /// What is being taken in here.
    busy: Mutex<BTreeSet<RecordingId>>,
}

/// A recording is being taken in, until this goes, by whatever way.
struct Busy<'a>(&'a Intake, RecordingId);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy().remove(&self.1);
    }
}

impl Intake {
    pub fn new(
        archive: Arc<Archive>,
        root: PathBuf,
        holder: InstanceId,
        settings: Config,
    ) -> Arc<Self> {
        let busy = Mutex::default();
        Arc::new(Self { archive, root, holder, settings, busy })
    }

    fn busy(&self) -> MutexGuard<'_, BTreeSet<RecordingId>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For ever, some recordings at a time.
    pub async fn run(self: Arc<Self>) {
        make_private(&self.root);
        let mut jobs = JoinSet::new();
        let mut looks: u32 = 0;
        loop {
            let pause = match self.look(looks, &mut jobs).await {
                Ok(()) => POLL,
                Err(error) => {
                    tracing::debug!(%error, "recordings wait for the database");
                    AWAY
                }
            };
            looks = looks.wrapping_add(1);
            let full = jobs.len() >= usize::from(self.settings.workers.max(1));
            tokio::select! {
                () = tokio::time::sleep(pause), if !full => {}
                Some(_) = jobs.join_next() => {}
            }
            while jobs.try_join_next().is_some() {}
        }
    }

    async fn look(self: &Arc<Self>, looks: u32, jobs: &mut JoinSet<()>) -> Result<(), StoreError> {
        let free = usize::from(self.settings.workers.max(1)).saturating_sub(jobs.len());
        if let Ok(free @ 1..) = u32::try_from(free) {
            for kept in self.claim(free).await? {
                let intake = Arc::clone(self);
                jobs.spawn(async move { intake.take(kept).await });
            }
        }
        if looks.is_multiple_of(SWEEP_EVERY) {
            self.make_folders().await?;
            self.sweep(looks.is_multiple_of(AGAIN_EVERY)).await?;
        }
        Ok(())
    }

    /// Each tenant has a folder in the spool: FreeSWITCH's `record` does not make one
    /// (`switch_ivr_play_say.c` switch_ivr_record_file_event), and hangs the caller up instead.
    async fn make_folders(&self) -> Result<(), StoreError> {
        use std::os::unix::fs::PermissionsExt;
        let Ok(root) = std::fs::metadata(&self.root) else { return Ok(()) };
        for tenant in self.archive.store.operator().tenants().await? {
            let folder = self.folder(tenant.id);
            if std::fs::create_dir(&folder).is_ok() {
                // Whoever may write into the one may write into the other.
                let mode = std::fs::Permissions::from_mode(root.permissions().mode() & 0o770);
                if let Err(error) = std::fs::set_permissions(&folder, mode) {
                    let folder = folder.display();
                    tracing::warn!(%folder, %error, "a tenant's folder of recordings is ours only");
                }
            }
        }
        Ok(())
    }

    /// Recordings that are this process's to take in.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn claim(&self, limit: u32) -> Result<Vec<Kept>, StoreError> {
        let operator = self.archive.store.operator();
        operator.end_recordings_of_ended_calls().await?;
        let busy = self.busy().clone();
        let is_here = |tenant, id, object: Option<&str>| {
            self.plain(tenant, id).exists()
                || object.is_some_and(|object| self.sealed(tenant, object).exists())
        };
        let claimed = operator.claim_recordings(self.holder, &busy, limit, is_here).await?;
        self.busy().extend(claimed.iter().map(|kept| kept.recording.id));
        Ok(claimed)
    }

    /// Takes a claimed recording in, or writes down why that failed.
    pub async fn take(&self, kept: Kept) {
        let (tenant, id) = (kept.recording.tenant, kept.recording.id);
        let _busy = Busy(self, id);
        let mut job = Job::begin(kept);
        let trouble = loop {
            match job.step(self).await {
                Ok(Step::Done) => return,
                Ok(_) => {}
                Err(trouble) => break trouble,
            }
        };
        if let Err(error) = self.put_off(job.kept(), &trouble).await {
            // Its claim ends with this process, or with its next look.
            tracing::warn!(%tenant, recording = %id, %error, "a recording waits");
        }
    }

    async fn put_off(&self, kept: &Kept, trouble: &Trouble) -> Result<(), StoreError> {
        let scope = self.archive.store.tenant(kept.recording.tenant);
        let id = kept.recording.id;
        let (why, counts) = match trouble {
            Trouble::Overtaken => return Ok(()),
            Trouble::Early(why) => (why, false),
            Trouble::Failed(why) => (why, true),
        };
        let pause = Millis(PAUSE_MAX_MS.min(PAUSE_MIN_MS << kept.attempts.min(16)));
        if counts && kept.attempts + 1 >= ATTEMPTS_MAX {
            tracing::error!(recording = %id, why, "a recording can't be kept");
            scope.settle_recording(kept, RecordingState::Failed, why, None).await?;
            return Ok(());
        }
        tracing::warn!(recording = %id, why, "a recording can't be taken in now");
        scope.postpone_recording(kept, why, counts, pause).await
    }

    fn folder(&self, tenant: TenantId) -> PathBuf {
        self.root.join(tenant.to_string())
    }

    /// Where FreeSWITCH leaves a recording.
    fn plain(&self, tenant: TenantId, id: RecordingId) -> PathBuf {
        self.folder(tenant).join(format!("{id}.wav"))
    }

    /// Where a recording waits for the store of files, by its name there.
    fn sealed(&self, tenant: TenantId, object: &str) -> PathBuf {
        let name = object.rsplit('/').next().unwrap_or_default();
        self.folder(tenant).join(format!("{}.sealed", name.trim_end_matches(".cwv")))
    }
}

/// A recording's name in the store of files: another for each claim, so that none overwrites what
/// another wrote.
fn object(kept: &Kept) -> String {
    format!("{}/{}.{}.cwv", kept.recording.tenant, kept.recording.id, kept.claim)
}

/// The spool is the owner's alone, or its group's where FreeSWITCH runs as somebody else. It is
/// made where its parent is there.
fn make_private(root: &Path) {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    let made = std::fs::DirBuilder::new().mode(0o700).create(root);
    let Ok(data) = std::fs::metadata(root) else {
        let error = made.err();
        tracing::debug!(folder = %root.display(), ?error, "there is no spool for recordings");
        return;
    };
    let mode = data.permissions().mode();
    if mode & 0o007 != 0 {
        let closed = std::fs::Permissions::from_mode(mode & 0o770);
        if let Err(error) = std::fs::set_permissions(root, closed) {
            let folder = root.display();
            tracing::error!(%folder, %error, "the spool of recordings is open to others");
        }
    }
}

impl From<ArchiveError> for Trouble {
    fn from(error: ArchiveError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.to_string())
    }
}
