//! Where recordings' files lie: a directory, or an S3-compatible store.

use std::fs::DirBuilder;
use std::io;
use std::ops::Range;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::buffered::BufWriter;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Place;
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt, RetryConfig};
use ring::digest::{Context, SHA256};
use tokio::io::AsyncWriteExt;

use super::config::{Config, S3};
use super::hex;

/// What goes up at once; a longer file goes in parts of this size.
const PART_BYTES: usize = 8 * 1_024 * 1_024;
/// What is read back at once.
const READ_BYTES: u64 = 4 * 1_024 * 1_024;
/// How long an answer may take; a part of a file has to pass in this time.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// How long one request is tried again for, before its recording waits and is tried as a whole.
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);
const RETRIES: usize = 3;

/// Why a file can't be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    #[error("recordings.store: {0}")]
    Setting(String),
    #[error("the store has no such file")]
    Missing,
    #[error("the store of recordings can't be used: {0}")]
    Store(object_store::Error),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<object_store::Error> for ObjectError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::Missing,
            other => Self::Store(other),
        }
    }
}

/// The files; a clone is the same store.
#[derive(Debug, Clone)]
pub struct Objects(Arc<dyn ObjectStore>);

impl Objects {
    /// Nothing is asked of the store yet; a missing directory is made, and nobody else's.
    ///
    /// # Errors
    /// The settings name none, or the directory can't be made.
    pub fn open(config: &Config) -> Result<Self, ObjectError> {
        match config.store.split_once("://") {
            Some(("s3", rest)) => s3(rest, &config.s3),
            Some(("file", path)) => local(Path::new(path)),
            Some((other, _)) => Err(ObjectError::Setting(format!(
                "`{other}:` is no kind of store: give a directory or `s3://bucket/prefix`"
            ))),
            None => local(Path::new(&config.store)),
        }
    }

    /// Stores a file; one of the same name is replaced.
    ///
    /// # Errors
    /// It can't be read, or not be stored: then nothing is there, or what was there before.
    pub async fn put(&self, name: &str, file: &Path) -> Result<(), ObjectError> {
        let file = tokio::fs::File::open(file).await?;
        let mut file = tokio::io::BufReader::with_capacity(PART_BYTES / 8, file);
        let mut writer = BufWriter::with_capacity(Arc::clone(&self.0), place(name)?, PART_BYTES);
        if let Err(error) = tokio::io::copy_buf(&mut file, &mut writer).await {
            // What cannot be given up now the store forgets by itself.
            let _ = writer.abort().await;
            return Err(error.into());
        }
        Ok(writer.shutdown().await?)
    }

    /// Some bytes of a file.
    ///
    /// # Errors
    /// There is no such file, or it is shorter.
    pub async fn read(&self, name: &str, bytes: Range<u64>) -> Result<Vec<u8>, ObjectError> {
        let wanted = bytes.end.saturating_sub(bytes.start);
        let read = self.0.get_range(&place(name)?, bytes).await?;
        if read.len() as u64 == wanted {
            Ok(read.into())
        } else {
            Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())
        }
    }

    /// A file's length in bytes.
    ///
    /// # Errors
    /// There is no such file, or the store does not answer.
    pub async fn length(&self, name: &str) -> Result<u64, ObjectError> {
        Ok(self.0.head(&place(name)?).await?.size)
    }

    /// The SHA-256 of a file, in hexadecimal digits, read back from the store.
    ///
    /// # Errors
    /// There is no such file, or the store does not answer.
    pub async fn hash(&self, name: &str) -> Result<String, ObjectError> {
        let (length, mut at) = (self.length(name).await?, 0);
        let mut digest = Context::new(&SHA256);
        while at < length {
            let end = (at + READ_BYTES).min(length);
            digest.update(&self.read(name, at..end).await?);
            at = end;
        }
        Ok(hex(digest.finish().as_ref()))
    }

    /// Removes a file; one that is not there is as good as removed.
    ///
    /// # Errors
    /// The store does not answer, or refuses.
    pub async fn remove(&self, name: &str) -> Result<(), ObjectError> {
        match self.0.delete(&place(name)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn place(name: &str) -> Result<Place, ObjectError> {
    Place::parse(name).map_err(|error| ObjectError::Store(error.into()))
}

/// What was written is on the disk, not only on its way there, before anything else is removed.
fn local(folder: &Path) -> Result<Objects, ObjectError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let store = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true);
    Ok(Objects(Arc::new(store)))
}

fn s3(rest: &str, settings: &S3) -> Result<Objects, ObjectError> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() {
        return Err(ObjectError::Setting("`s3://` names no bucket".into()));
    }
    // The one cipher suite of the whole process; object_store asks for a default.
    drop(rustls::crypto::ring::default_provider().install_default());
    let retry = RetryConfig {
        max_retries: RETRIES,
        retry_timeout: RETRY_TIMEOUT,
        ..RetryConfig::default()
    };
    let client =
        ClientOptions::new().with_timeout(ANSWER_TIMEOUT).with_allow_http(settings.allow_http);
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_client_options(client)
        .with_retry(retry);
    if let Some(endpoint) = &settings.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(region) = &settings.region {
        builder = builder.with_region(region);
    }
    if let Some(key) = &settings.access_key {
        builder = builder.with_access_key_id(key);
    }
    if let Some(key) = &settings.secret_key {
        builder = builder.with_secret_access_key(key.reveal());
    }
    let store = builder.build()?;
    let prefix = prefix.trim_matches('/');
    if prefix.is_empty() {
        return Ok(Objects(Arc::new(store)));
    }
    Ok(Objects(Arc::new(PrefixStore::new(store, place(prefix)?))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(store: &str) -> Result<Objects, ObjectError> {
        Objects::open(&Config { store: store.into(), ..Config::default() })
    }

    #[test]
    fn a_store_of_no_known_kind_is_refused() {
        let error = on("ftp://x/y").unwrap_err().to_string();
        assert!(error.contains("`ftp:` is no kind of store"), "{error}");
        assert!(on("s3://").is_err());
    }

    #[tokio::test]
    async fn a_file_is_kept_until_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, b"0123456789").unwrap();
        let objects = on(folder.path().join("store").to_str().unwrap()).unwrap();
        objects.put("a/b.cwv", &file).await.unwrap();
        assert_eq!(objects.read("a/b.cwv", 3..6).await.unwrap(), b"345");
        assert!(objects.read("a/b.cwv", 3..16).await.is_err());
        assert_eq!(objects.length("a/b.cwv").await.unwrap(), 10);
        let digest = ring::digest::digest(&SHA256, b"0123456789");
        assert_eq!(objects.hash("a/b.cwv").await.unwrap(), hex(digest.as_ref()));
        objects.remove("a/b.cwv").await.unwrap();
        objects.remove("a/b.cwv").await.unwrap();
        assert!(matches!(objects.length("a/b.cwv").await, Err(ObjectError::Missing)));
    }
}
