//! What a visit has besides its trace: how often the caller failed at it, and when somebody
//! answered. A list of its own, since few visits have anything of it.

use serde::{Deserialize, Serialize};

use super::Call;
use super::listen::Lapse;

/// Of one visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "MarkRow", into = "MarkRow")]
pub(in crate::call) struct Mark {
    /// Its place in the path.
    visit: usize,
    pub(in crate::call) no_input: u8,
    pub(in crate::call) invalid: u8,
    /// From when the step was entered.
    pub(in crate::call) answered_ms: Option<u64>,
}

type MarkRow = (usize, u8, u8, Option<u64>);

impl From<MarkRow> for Mark {
    fn from((visit, no_input, invalid, answered_ms): MarkRow) -> Self {
        Self { visit, no_input, invalid, answered_ms }
    }
}

impl From<Mark> for MarkRow {
    fn from(mark: Mark) -> Self {
        (mark.visit, mark.no_input, mark.invalid, mark.answered_ms)
    }
}

impl Call {
    /// What is marked of a visit.
    pub(in crate::call) fn marked(&self, visit: usize) -> Mark {
        let marks = self.state.marks.iter();
        marks.copied().find(|mark| mark.visit == visit).unwrap_or_default()
    }

    /// Marks the visit of the running step; there is none where the path is full.
    fn mark(&mut self, change: impl FnOnce(&mut Mark)) {
        let Some(visit) = self.state.frames.last().and_then(|frame| frame.visit) else { return };
        let marks = &mut self.state.marks;
        match marks.iter_mut().find(|mark| mark.visit == visit) {
            Some(mark) => change(mark),
            None => {
                let mut mark = Mark { visit, ..Mark::default() };
                change(&mut mark);
                marks.push(mark);
            }
        }
    }

    pub(in crate::call) fn mark_lapse(&mut self, lapse: Lapse) {
        let count: fn(&mut Mark) -> &mut u8 = match lapse {
            Lapse::NoInput => |mark| &mut mark.no_input,
            Lapse::Invalid => |mark| &mut mark.invalid,
            Lapse::Denied => return,
        };
        self.mark(|mark| *count(mark) = count(mark).saturating_add(1));
    }

    /// Somebody whom the running step called is joined to the caller; the first time counts.
    pub(in crate::call) fn mark_answered(&mut self) {
        let Some(visit) = self.visit() else { return };
        let after_ms = self.state.age_ms.saturating_sub(visit.entered_ms);
        self.mark(|mark| mark.answered_ms = mark.answered_ms.or(Some(after_ms)));
    }
}
