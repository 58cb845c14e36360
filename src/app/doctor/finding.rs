//! One thing that is wrong.

use serde::Serialize;

use crate::flow::problem::Severity;

/// Where something is that concerns this machine and no FreeSWITCH.
pub const WHOLE: &str = "this machine";

/// One thing that is wrong: what, where, why it matters, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A word for programs that never changes, such as `switch-module-missing`.
    pub code: &'static str,
    pub severity: Severity,
    /// The link's name, or [`WHOLE`].
    #[serde(rename = "where")]
    pub place: String,
    /// One sentence.
    pub what: String,
    /// What callers, or whoever runs this, notice of it.
    pub why: String,
    /// What to change and where, and what to type.
    pub remedy: String,
}

impl Finding {
    /// Callers notice it, or it opens the machine to somebody.
    pub fn error(code: &'static str, place: &str, what: impl Into<String>) -> Self {
        let severity = Severity::Error;
        let (why, remedy) = (String::new(), String::new());
        Self { code, severity, place: place.to_owned(), what: what.into(), why, remedy }
    }

    /// Not now, or not for everybody.
    pub fn warning(code: &'static str, place: &str, what: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, place, what) }
    }

    #[must_use]
    pub fn because(self, why: impl Into<String>) -> Self {
        Self { why: why.into(), ..self }
    }

    #[must_use]
    pub fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: remedy.into(), ..self }
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
