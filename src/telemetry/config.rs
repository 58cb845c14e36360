//! Settings of traces.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::base::masked::Masked;

/// Where traces go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// An OpenTelemetry collector's HTTP endpoint, such as `http://127.0.0.1:4318/v1/traces`.
    /// Default: none, nothing is traced.
    pub endpoint: Option<Url>,
    /// Headers of each request, such as an `authorization` that the collector asks for.
    #[serde(skip_serializing)]
    pub headers: BTreeMap<String, Masked<String>>,
    /// The share of calls that are traced, from 0 to 1. Default: 1, all.
    pub share: f64,
}

impl Eq for Config {}

impl Default for Config {
    fn default() -> Self {
        Self { endpoint: None, headers: BTreeMap::new(), share: 1.0 }
    }
}
