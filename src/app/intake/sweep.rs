//! Looks after what is left over: files in the spool that no row leads to any more, and recordings
//! whose time is over.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Intake, job};
use crate::base::ids::{CallId, RecordingId, TenantId};
use crate::model::recording::{NAME, RecordingState};
use crate::store::{Deed, Fate, StoreError};

/// Files that are looked at in one round.
const FILES_MAX: usize = 10_000;

/// A file in the spool.
struct Left {
    path: PathBuf,
    tenant: TenantId,
    id: RecordingId,
    kind: Kind,
    age: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    /// Encrypted, and whole.
    Sealed,
    /// Encrypted by the claim of this number, perhaps in part.
    Part(u32),
    /// A name that somebody said before joining a room.
    Name(CallId),
}

impl Intake {
    /// Takes in, or removes, what was left in the spool; deletes recordings whose time is over.
    /// `again`: what failed, and has a file here, is tried again.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn sweep(&self, again: bool) -> Result<(), StoreError> {
        let root = self.root.clone();
        let found = tokio::task::spawn_blocking(move || files(&root)).await;
        for left in found.unwrap_or_default() {
            self.judge(&left, again).await?;
        }
        self.delete_what_is_over().await
    }

    async fn judge(&self, left: &Left, again: bool) -> Result<(), StoreError> {
        let old = left.age >= Duration::from(self.settings.orphan_after);
        let scope = self.archive.store.tenant(left.tenant);
        if let Kind::Name(call) = left.kind {
            if old && !scope.is_live(call).await? {
                discard(&left.path);
            }
            return Ok(());
        }
        let fate = scope.fate(left.id).await?;
        let Some(fate) = fate else {
            return if old { self.adopt(left).await } else { Ok(()) };
        };
        match fate.state {
            RecordingState::Running if old && !fate.is_live => self.adopt(left).await,
            RecordingState::Failed if again => scope.retry_recording(left.id).await,
            RecordingState::Running | RecordingState::Failed => Ok(()),
            RecordingState::Pending => {
                if self.is_stale(left, &fate) {
                    discard(&left.path);
                }
                Ok(())
            }
            RecordingState::Ready | RecordingState::Absent => {
                discard(&left.path);
                Ok(())
            }
        }
    }

    /// Whether a file is of no use for a recording that is on its way.
    fn is_stale(&self, left: &Left, fate: &Fate) -> bool {
        match left.kind {
            Kind::Plain | Kind::Name(_) => false,
            Kind::Part(claim) => claim < fate.claim,
            Kind::Sealed => {
                let named = fate.object.as_deref();
                named.is_some_and(|object| self.sealed(left.tenant, object) != left.path)
            }
        }
    }

    /// A file of which nothing is known, or not that it is finished. Its recording may have been
    /// deleted: then it goes too.
    async fn adopt(&self, left: &Left) -> Result<(), StoreError> {
        if left.kind != Kind::Plain {
            discard(&left.path);
            return Ok(());
        }
        let scope = self.archive.store.tenant(left.tenant);
        let path = left.path.to_string_lossy();
        match scope.found_recording(left.id, &path).await {
            Ok(()) => {}
            Err(StoreError::NotFound { .. }) => {
                tracing::warn!(file = %path, "a recording of no tenant lies in the spool");
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        if scope.fate(left.id).await?.is_none() {
            discard(&left.path);
            return Ok(());
        }
        tracing::info!(recording = %left.id, "a recording of which nobody told is taken in");
        Ok(())
    }

    async fn delete_what_is_over(&self) -> Result<(), StoreError> {
        let operator = self.archive.store.operator();
        let deed = Deed { author: "callwright".into(), why: "its time is over".into() };
        for (tenant, id) in operator.recordings_over().await? {
            match self.archive.store.tenant(tenant).delete_recording(id, &deed).await {
                // Held or deleted meanwhile.
                Ok(()) | Err(StoreError::Conflict(_) | StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        for (tenant, id, object) in operator.recordings_going().await? {
            if let Err(error) = self.archive.clear(tenant, id, object.as_deref()).await {
                tracing::warn!(recording = %id, %error, "a recording can't be deleted now");
            }
        }
        Ok(())
    }
}

fn discard(path: &Path) {
    let file = path.display();
    match job::remove(path) {
        Ok(()) => tracing::info!(%file, "what was left in the spool of recordings is removed"),
        Err(why) => tracing::error!(%file, ?why, "a file in the spool can't be removed"),
    }
}

/// All files of recordings in the spool.
fn files(root: &Path) -> Vec<Left> {
    let mut found = Vec::new();
    for folder in fs::read_dir(root).into_iter().flatten().filter_map(Result::ok) {
        let tenant = folder.file_name().to_str().and_then(|name| name.parse().ok());
        let Some(tenant) = tenant else { continue };
        for file in fs::read_dir(folder.path()).into_iter().flatten().filter_map(Result::ok) {
            if found.len() == FILES_MAX {
                return found;
            }
            found.extend(left(tenant, file.path(), file.metadata()));
        }
    }
    found
}

fn left(tenant: TenantId, path: PathBuf, data: io::Result<Metadata>) -> Option<Left> {
    let data = data.ok().filter(Metadata::is_file)?;
    let age = SystemTime::now().duration_since(data.modified().ok()?).unwrap_or_default();
    let name = path.file_name()?.to_str()?;
    if let Some(call) = name.strip_prefix(NAME).and_then(|name| name.strip_suffix(".wav")) {
        let call: CallId = call.parse().ok()?;
        let kind = Kind::Name(call);
        return Some(Left { tenant, id: RecordingId::nth(call, 0), kind, age, path });
    }
    let (id, rest) = name.split_once('.')?;
    let claim = |rest: &str| rest.split_once('.')?.0.parse().ok();
    let kind = match rest {
        "wav" => Kind::Plain,
        _ if rest.ends_with(".sealed") => Kind::Sealed,
        _ if rest.ends_with(".part") => Kind::Part(claim(rest)?),
        _ => return None,
    };
    let id = id.parse().ok()?;
    Some(Left { tenant, id, kind, age, path })
}
