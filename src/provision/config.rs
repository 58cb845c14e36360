//! Settings of what mod_xml_curl asks.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::base::masked::Masked;
use crate::base::networks;
use crate::switch::secret_file::{self, SecretFileError};

/// The password, where it is not to be in a file.
const PASSWORD_VARIABLE: &str = "CALLWRIGHT_XML_CURL_PASSWORD";

/// How FreeSWITCH's mod_xml_curl asks for gateways and phones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where it is answered. Default: nowhere, and gateways and phones stay here.
    pub listen: Option<SocketAddr>,
    /// The user of `gateway-credentials`. Default: `freeswitch`.
    pub user: String,
    /// Its password. The environment's CALLWRIGHT_XML_CURL_PASSWORD goes before it.
    #[serde(skip_serializing)]
    pub password: Option<Masked<String>>,
    /// A file that holds the password and nothing else, but for a line end. Default: none.
    pub password_file: Option<PathBuf>,
    /// Networks from which it may be asked. Default: this machine.
    pub allow: Vec<IpNet>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: None,
            user: "freeswitch".into(),
            password: None,
            password_file: None,
            allow: networks::local(),
        }
    }
}

/// Why FreeSWITCH can't be answered.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    #[error("`xml_curl.password` is missing: passwords of gateways are nobody else's business")]
    None,
    #[error(transparent)]
    File(#[from] SecretFileError),
}

impl Config {
    /// # Errors
    /// There is no password, or its file can't be read.
    pub fn password(&self) -> Result<Masked<String>, PasswordError> {
        if let Ok(text) = std::env::var(PASSWORD_VARIABLE) {
            return Ok(Masked::new(text));
        }
        match (&self.password, &self.password_file) {
            (Some(password), _) if !password.reveal().is_empty() => Ok(password.clone()),
            (_, Some(file)) => Ok(Masked::new(secret_file::read(file)?)),
            _ => Err(PasswordError::None),
        }
    }
}
