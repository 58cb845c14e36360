//! `hours`: opening hours, in the tenant's time zone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::ids::{ScheduleName, StepName};
use crate::flow::Exits;

/// Goes on by whether it is open now. `next` is open; `closed` and `holiday` are in `on`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// One of the tenant's schedules, in the place of hours of the step's own: as it is when the
    /// call begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleName>,
    #[serde(default, skip_serializing_if = "Weekly::is_empty")]
    pub weekly: Weekly,
    /// Days on which it is closed, whatever the day of the week.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holidays: Vec<Holiday>,
    /// Single days with hours of their own; they go before holidays and the week.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<Exception>,
    /// Another IANA time zone than the flow's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    pub next: StepName,
    #[serde(default)]
    pub on: Exits,
}

/// Opening hours: what a tenant's schedule is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    #[serde(default)]
    pub weekly: Weekly,
    /// Days on which it is closed, whatever the day of the week.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holidays: Vec<Holiday>,
    /// Single days with hours of their own; they go before holidays and the week.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<Exception>,
    /// An IANA time zone, such as `Europe/Berlin`; without it the flow's, then the tenant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
}

impl Hours {
    /// The hours of the step's own.
    pub fn own(&self) -> Opening {
        Opening {
            weekly: self.weekly.clone(),
            holidays: self.holidays.clone(),
            exceptions: self.exceptions.clone(),
            timezone: self.timezone.clone(),
        }
    }
}

impl Weekly {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The hours of a week: for each day, spans such as `09:00-12:30`. `22:00-02:00` runs past
/// midnight, `00:00-24:00` is the whole day, no span is closed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Weekly {
    pub mon: Vec<String>,
    pub tue: Vec<String>,
    pub wed: Vec<String>,
    pub thu: Vec<String>,
    pub fri: Vec<String>,
    pub sat: Vec<String>,
    pub sun: Vec<String>,
}

/// A day off: `2026-12-24` once, `12-25` every year.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Holiday {
    pub date: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// One day with hours of its own; no span is closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SpecialDay")]
pub struct Exception {
    pub date: String,
    #[serde(default)]
    pub open: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}
