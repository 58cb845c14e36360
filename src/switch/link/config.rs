//! Settings of a link.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;

use crate::base::masked::Masked;
use crate::base::millis::Millis;
use crate::esl::argument::Refused;
use crate::esl::credentials::{Credentials, DirectoryUser, Password};
use crate::switch::secret_file::{self, SecretFileError};

/// The password with which FreeSWITCH is shipped.
const SHIPPED: &str = "ClueCon";

/// A FreeSWITCH's own Event Socket: one `[[link]]` of the settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinkConfig {
    /// What operators call this FreeSWITCH. Default: its address.
    pub name: Option<String>,
    /// `host:port`, the port that `event_socket.conf` says. Default: `127.0.0.1:8021`.
    pub address: String,
    /// A user of FreeSWITCH's directory, `user@domain`. Default: none, and `event_socket.conf`'s
    /// password counts.
    pub user: Option<String>,
    /// Default: the one with which FreeSWITCH is shipped.
    #[serde(serialize_with = "hidden", skip_serializing_if = "Option::is_none")]
    pub password: Option<Masked<String>>,
    /// A file that holds the password and nothing else, but for a line end. Default: none.
    pub password_file: Option<PathBuf>,
    /// How often FreeSWITCH is asked whether it is there, and how long it may take to answer before
    /// the link is made anew. Default: 5s.
    pub ping: Millis,
    /// How long a command may take. Default: 10s.
    pub answer: Millis,
    /// The longest pause before a connection is tried again; the first is 100ms. Default: 5s.
    pub pause: Millis,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            name: None,
            address: "127.0.0.1:8021".into(),
            user: None,
            password: None,
            password_file: None,
            ping: Millis::seconds(5),
            answer: Millis::seconds(10),
            pause: Millis::seconds(5),
        }
    }
}

/// None of them zero.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    pub(super) ping: Duration,
    pub(super) answer: Duration,
    pub(super) pause: Duration,
}

fn hidden<S: Serializer>(_: &Option<Masked<String>>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str("***")
}

/// Why a link can't be tried at all.
#[derive(Debug, Error)]
pub enum LinkConfigError {
    #[error("`{0}` is not `host:port`")]
    Address(String),
    #[error("`password` and `password_file` are given: one is enough")]
    TwoPasswords,
    #[error(transparent)]
    File(#[from] SecretFileError),
    #[error("`{0}` must not be 0")]
    Zero(&'static str),
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl LinkConfig {
    /// What operators call this FreeSWITCH.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.address)
    }

    /// Whether FreeSWITCH is told the password with which it is shipped.
    pub fn has_shipped_password(&self) -> bool {
        self.password_file.is_none()
            && self.password.as_ref().is_none_or(|password| password.reveal() == SHIPPED)
    }

    /// The address, if it looks like one.
    pub(super) fn address(&self) -> Result<&str, LinkConfigError> {
        let well_formed = self.address.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
        });
        let address = well_formed.then_some(self.address.as_str());
        address.ok_or_else(|| LinkConfigError::Address(self.address.clone()))
    }

    pub(super) fn timing(&self) -> Result<Timing, LinkConfigError> {
        let times = [("ping", self.ping), ("answer", self.answer), ("pause", self.pause)];
        match times.iter().find(|(_, time)| time.ms() == 0) {
            Some((name, _)) => Err(LinkConfigError::Zero(name)),
            None => {
                let [(_, ping), (_, answer), (_, pause)] = times;
                Ok(Timing { ping: ping.into(), answer: answer.into(), pause: pause.into() })
            }
        }
    }

    /// What FreeSWITCH will be told; reads the password's file.
    pub(super) fn credentials(&self) -> Result<Credentials, LinkConfigError> {
        let password = match (&self.password, &self.password_file) {
            (Some(_), Some(_)) => return Err(LinkConfigError::TwoPasswords),
            (Some(password), None) => Password::new(password.reveal())?,
            (None, Some(file)) => Password::new(&secret_file::read(file)?)?,
            (None, None) => Password::new(SHIPPED)?,
        };
        if password == Password::new(SHIPPED)? {
            tracing::warn!(
                link = self.name(),
                "the password is the one FreeSWITCH is shipped with"
            );
        }
        Ok(match &self.user {
            Some(user) => Credentials::User { user: DirectoryUser::new(user)?, password },
            None => Credentials::Password(password),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> LinkConfig {
        toml::from_str(text).unwrap()
    }

    fn password(text: &str) -> Credentials {
        Credentials::Password(Password::new(text).unwrap())
    }

    #[test]
    fn a_link_needs_no_setting_at_all() {
        let config = config("");
        assert_eq!(
            (config.address().unwrap(), config.name()),
            ("127.0.0.1:8021", "127.0.0.1:8021")
        );
        assert_eq!(config.credentials().unwrap(), password("ClueCon"));
    }

    #[test]
    fn a_password_comes_from_one_place_and_is_never_printed() {
        let given = config("password = 'hunter2'");
        assert_eq!(given.credentials().unwrap(), password("hunter2"));
        let printed = format!("{given:?} {}", toml::to_string(&given).unwrap());
        assert!(!printed.contains("hunter2"), "{printed}");

        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, b" spaced out \r\n").unwrap();
        let in_file = LinkConfig { password_file: Some(file.path().into()), ..config("") };
        assert_eq!(in_file.credentials().unwrap(), password(" spaced out "));
        let both = LinkConfig { password: given.password, ..in_file };
        assert!(matches!(both.credentials(), Err(LinkConfigError::TwoPasswords)));
    }

    #[test]
    fn what_can_not_be_said_or_reached_is_refused_by_name() {
        for (text, problem) in [
            ("address = '127.0.0.1'", "`127.0.0.1` is not `host:port`"),
            ("address = 'x:0'", "`x:0` is not `host:port`"),
            ("address = ':8021'", "`:8021` is not `host:port`"),
            ("password = \"a\\nb\"", "the password can't be sent: byte 1 is 0x0a"),
            ("user = 'callwright'", "the directory user can't be sent: it is not `user@domain`"),
            ("password_file = '/nowhere/x'", "the password file `/nowhere/x` can't be read"),
        ] {
            let config = config(text);
            let error = match config.address() {
                Ok(_) => config.credentials().unwrap_err(),
                Err(error) => error,
            };
            assert!(error.to_string().starts_with(problem), "{error}");
        }
        assert_eq!(config("address = '[::1]:8021'").address().unwrap(), "[::1]:8021");
        assert!(toml::from_str::<LinkConfig>("adress = 'x:1'").is_err());
    }
}
