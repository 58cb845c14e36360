//! Settings of webhooks.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::base::millis::Millis;

/// How webhooks are delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Networks that are not public and may be reached all the same, over http too.
    pub allow_private: Vec<IpNet>,
    /// The pauses before the second attempt and each after it; then a delivery is given up.
    /// Default: 5s, 5m, 30m, 2h, 5h, 10h, 14h, 20h, 24h.
    pub retry: Vec<Millis>,
    /// How long a receiver may take to answer. Default: 15s.
    pub timeout: Millis,
    /// A webhook of which every attempt failed for so long is disabled. Default: 120h.
    pub disable_after: Millis,
}

impl Default for Config {
    fn default() -> Self {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        // As Standard Webhooks suggests.
        let retry = [
            5,
            5 * MINUTE,
            30 * MINUTE,
            2 * HOUR,
            5 * HOUR,
            10 * HOUR,
            14 * HOUR,
            20 * HOUR,
            24 * HOUR,
        ];
        Self {
            allow_private: Vec::new(),
            retry: retry.map(Millis::seconds).to_vec(),
            timeout: Millis::seconds(15),
            disable_after: Millis::seconds(120 * HOUR),
        }
    }
}
