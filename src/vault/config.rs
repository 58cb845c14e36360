//! Where recordings are kept, and for how long.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::base::masked::Masked;
use crate::base::millis::Millis;

/// The settings of recordings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where encrypted recordings are kept: a directory, or `s3://bucket/prefix`. Nodes that share
    /// a database share this too. Default: `recordings`.
    pub store: String,
    /// Where this machine sees the directory in which FreeSWITCH writes, `store.message_directory`,
    /// if it has another name here. Default: the same.
    pub spool: Option<PathBuf>,
    /// The file of the operator's keys: a key on each line, the first in use, the others still
    /// read. The environment's CALLWRIGHT_RECORDING_KEYS, keys in the same form, goes before it.
    /// Default: the file of `handover.keys`.
    pub keys: Option<PathBuf>,
    /// Recordings that are taken in at once. Default: 4.
    pub workers: u16,
    /// How long recordings are kept, of tenants of whom nothing else was said. Default: for ever.
    pub keep: Option<Millis>,
    /// A file of which no call told, and that has not grown for so long, is taken in. Default: 1h.
    pub orphan_after: Millis,
    pub s3: S3,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            store: "recordings".into(),
            spool: None,
            keys: None,
            workers: 4,
            keep: None,
            orphan_after: Millis::seconds(3_600),
            s3: S3::default(),
        }
    }
}

/// How an S3-compatible store is reached. What is left out is taken from the environment's AWS_
/// variables, or from the machine's role.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct S3 {
    /// A URL, for others than Amazon.
    pub endpoint: Option<String>,
    pub region: Option<String>,
    pub access_key: Option<String>,
    #[serde(skip_serializing)]
    pub secret_key: Option<Masked<String>>,
    /// Whether an `http:` endpoint may be used: what goes over it is encrypted, who sends it is
    /// not.
    pub allow_http: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_key_is_read_and_never_shown() {
        let text = "store = \"s3://audio/x\"\ns3.access_key = \"me\"\ns3.secret_key = \"hunter2\"";
        let config: Config = toml::from_str(text).unwrap();
        assert_eq!(config.s3.secret_key.as_ref().map(|key| key.reveal().as_str()), Some("hunter2"));
        let shown = format!("{config:?} {}", serde_json::to_string(&config).unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
