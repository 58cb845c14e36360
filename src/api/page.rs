//! Lists in pages.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use crate::store::Cursor;

const USUAL: u32 = 50;
const MOST: u32 = 500;

/// Some of a list.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "{T}Page")]
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
    #[serde(default)]
    pub(super) limit: Limit,
}

/// Items of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "u32")]
#[schemars(inline)]
pub(super) struct Limit(#[schemars(range(min = 1, max = 500))] pub(super) u32);

impl Default for Limit {
    fn default() -> Self {
        Self(USUAL)
    }
}

impl TryFrom<u32> for Limit {
    type Error = String;
    fn try_from(limit: u32) -> Result<Self, String> {
        if (1..=MOST).contains(&limit) {
            Ok(Self(limit))
        } else {
            Err(format!("a page has 1 to {MOST} items"))
        }
    }
}

/// Reads a cursor that we wrote.
pub(super) fn cursor(text: Option<&str>) -> Result<Option<Cursor>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let json = URL_SAFE_NO_PAD.decode(text).ok();
    let cursor = json.and_then(|json| serde_json::from_slice(&json).ok());
    let wrong = || Problem::invalid("that is no cursor of ours").at("cursor");
    cursor.map(Some).ok_or_else(wrong)
}

pub(super) fn next(cursor: Option<Cursor>) -> Option<String> {
    serde_json::to_vec(&cursor?).ok().map(|json| URL_SAFE_NO_PAD.encode(json))
}
