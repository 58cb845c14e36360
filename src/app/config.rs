//! All settings: each module's own, in one TOML file.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::archive::{Archive, OpenError, prompts};
use crate::base::millis::Millis;
use crate::{api, control, driver, hooks, provision, sip, store, switch, telemetry, vault};

/// The file that is read when none is named.
pub const FILE: &str = "callwright.toml";
/// Longest settings file, in bytes.
const FILE_MAX: u64 = 256 * 1_024;

/// The settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How long calls may go on after the daemon was told to stop. Default: 10s.
    pub grace: Millis,
    /// What operators call this machine. Default: its host name.
    pub node: Option<String>,
    pub switch: switch::config::Config,
    pub limits: switch::limits::Limits,
    pub control: control::config::Config,
    pub health: control::config::Health,
    pub api: api::config::Config,
    pub xml_curl: provision::config::Config,
    pub sip: sip::config::Config,
    pub supervise: Supervise,
    pub store: store::Config,
    pub http: driver::http::Config,
    pub webhooks: hooks::config::Config,
    pub dial: Dial,
    pub handover: Handover,
    pub recordings: vault::config::Config,
    pub prompts: prompts::Config,
    pub log: Log,
    pub traces: telemetry::Config,
    /// The FreeSWITCHes whose own Event Socket is used. Default: none; then calls whose daemon was
    /// lost while they talked are not seen until their flow goes on.
    pub link: Vec<switch::link::LinkConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            grace: Millis::seconds(10),
            node: None,
            switch: switch::config::Config::default(),
            limits: switch::limits::Limits::default(),
            control: control::config::Config::default(),
            health: control::config::Health::default(),
            api: api::config::Config::default(),
            xml_curl: provision::config::Config::default(),
            sip: sip::config::Config::default(),
            supervise: Supervise::default(),
            store: store::Config::default(),
            http: driver::http::Config::default(),
            webhooks: hooks::config::Config::default(),
            dial: Dial::default(),
            handover: Handover::default(),
            recordings: vault::config::Config::default(),
            prompts: prompts::Config::default(),
            log: Log::default(),
            traces: telemetry::Config::default(),
            link: Vec::new(),
        }
    }
}

/// How `callwright supervise` watches over its worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Supervise {
    /// A worker whose event loop gives no sign for so long is replaced. Default: 3s.
    pub watchdog: Millis,
    /// Workers that die in a row before they are ready; from then on the port is closed between
    /// two attempts, so that FreeSWITCH goes to its next host at once. Default: 5.
    pub failures: u32,
}

impl Default for Supervise {
    fn default() -> Self {
        Self { watchdog: Millis::seconds(3), failures: 5 }
    }
}

/// How calls leave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dial {
    /// The Sofia profile through which SIP addresses are dialed. Default: `external`.
    pub profile: String,
    /// The dialplan's context in which calls come to us that we begin ourselves, when somebody has
    /// answered. Default: `callwright`.
    pub context: String,
}

impl Default for Dial {
    fn default() -> Self {
        Self { profile: "external".into(), context: "callwright".into() }
    }
}

/// How calls go from one process to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Handover {
    /// The file of keys that seal the state of calls on their channels: a key on each line, the
    /// first in use, the others still read. Nodes that share calls share this file. Made where
    /// there is none. Default: `callwright.key`.
    pub keys: PathBuf,
}

impl Default for Handover {
    fn default() -> Self {
        Self { keys: "callwright.key".into() }
    }
}

/// What is logged, on standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// A level or a filter such as `info,callwright::driver=debug`.
    pub filter: String,
    /// One JSON object a line, for programs.
    pub json: bool,
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".into(), json: false }
    }
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("the settings file `{file}` can't be read: {source}")]
    Unreadable { file: PathBuf, source: std::io::Error },
    #[error("the settings file `{0}` is longer than {FILE_MAX} bytes")]
    TooLong(PathBuf),
    #[error("the settings file `{file}` is wrong: {source}")]
    Wrong { file: PathBuf, source: Box<toml::de::Error> },
}

impl Config {
    /// What operators call this machine.
    pub fn node(&self) -> String {
        let host = || std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        self.node.clone().unwrap_or_else(|| host().trim().to_owned())
    }

    /// Where recordings are kept.
    ///
    /// # Errors
    /// The operator's keys can't be read.
    pub fn archive(&self, store: &store::Store) -> Result<Archive, OpenError> {
        Archive::open(&self.recordings, &self.handover.keys, store)
    }

    /// Where this machine sees what FreeSWITCH records.
    pub fn spool(&self) -> PathBuf {
        let default = || PathBuf::from(&self.store.message_directory);
        self.recordings.spool.clone().unwrap_or_else(default)
    }

    /// Reads `file`; without one, [`FILE`] in the current directory where it exists, else the
    /// defaults.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let path = file.unwrap_or_else(|| Path::new(FILE));
        let unreadable = |source| ConfigError::Unreadable { file: path.into(), source };
        match std::fs::metadata(path) {
            Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(unreadable(error)),
            Ok(data) if data.len() > FILE_MAX => return Err(ConfigError::TooLong(path.into())),
            Ok(_) => {}
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        toml::from_str(&text)
            .map_err(|source| ConfigError::Wrong { file: path.into(), source: Box::new(source) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        file
    }

    fn read(text: &str) -> Result<Config, ConfigError> {
        Config::load(Some(file(text).path()))
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let config = read("[limits]\ncalls = 5\n").unwrap();
        assert_eq!(config.limits.calls, 5);
        assert_eq!(config.log, Log::default());
    }

    #[test]
    fn a_misspelt_setting_is_named_with_its_line() {
        let error = read("[limits]\ncall = 5\n").unwrap_err().to_string();
        assert!(error.contains("call") && error.contains("line 2"), "{error}");
    }

    #[test]
    fn a_file_that_was_named_must_exist() {
        assert!(Config::load(Some(Path::new("/nowhere/callwright.toml"))).is_err());
    }

    #[test]
    fn all_settings_can_be_printed_and_read_back() {
        let printed = toml::to_string(&Config::default()).unwrap();
        assert_eq!(read(&printed).unwrap(), Config::default());
    }
}
