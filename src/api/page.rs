//! Lists in pages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Some of a list.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    /// Handed in as `cursor` it gives the next page; none after the last.
    pub(super) next: Option<String>,
}

impl<T> Page<T> {
    /// A list that has only one.
    pub(super) const fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    /// `next` of the page before.
    #[serde(default)]
    pub(super) cursor: Option<String>,
    #[serde(default = "usual")]
    #[schemars(range(min = 1, max = 500))]
    pub(super) limit: u32,
}

const fn usual() -> u32 {
    50
}
