//! What is known of a recording while it runs. Positions in its file are counted here.
//!
//! Nothing is written while a recording is paused, nor while the caller's own leg is on hold:
//! FreeSWITCH reads no sound from it then (`switch_core_io.c` switch_core_session_read_frame,
//! `CF_HOLD`).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::ids::RecordingId;
use crate::call::Call;
use crate::call::output::ActionId;
use crate::model::record::RecordingNote;
use crate::model::recording::{RecordingKind, RecordingState, Span};

/// Masked and paused stretches of one recording, each at most; later ones are joined to the last.
const SPANS_MAX: usize = 100;
/// How much longer than counted a file may be.
const LATE_MS: u64 = 60_000;
/// Changes that FreeSWITCH has not answered yet; one more is refused.
pub(super) const ORDERED_MAX: usize = 16;

/// A recording that runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Recording {
    /// Of the call's recordings, from 1 on.
    pub(super) number: u32,
    pub(super) stage: Stage,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) conversation: bool,
    pub(super) stereo: bool,
    pub(super) beep: bool,
    pub(super) max_ms: u64,
    pub(super) min_ms: u64,
    /// When it began, by the date and on the call's clock.
    pub(super) began: Timestamp,
    pub(super) began_ms: u64,
    /// What is in the file, up to `since_ms` on the call's clock; none while nothing is written.
    pub(super) written_ms: u64,
    pub(super) since_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) paused: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) held: bool,
    /// Where in the file the mask began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mask_ms: Option<u64>,
    /// In the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) masks: Vec<(u64, u64)>,
    /// From the recording's begin on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) gaps: Vec<(u64, u64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) gap_ms: Option<u64>,
    /// Where in the file the caller's leg was held first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) hold_ms: Option<u64>,
    /// What FreeSWITCH was told and has not answered yet, with the time of the order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) ordered: Vec<(ActionId, Change, u64)>,
}

/// A change of a recording that runs. It counts from FreeSWITCH's answer on, which comes as soon as
/// it is done; a busy machine may do it long after the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Change {
    Mask(bool),
    Pause(bool),
    Stop,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    /// The parties are told of it.
    Announced,
    /// FreeSWITCH was told to begin.
    Ordered(ActionId),
    Running,
    /// FreeSWITCH was told to end it.
    Stopped,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Recording {
    /// Where in the file we are.
    pub(super) fn position(&self, age_ms: u64) -> u64 {
        if let Stage::Ordered(_) = self.stage {
            return age_ms.saturating_sub(self.began_ms);
        }
        let more = self.since_ms.map_or(0, |since_ms| age_ms.saturating_sub(since_ms));
        self.written_ms.saturating_add(more)
    }

    /// Whether it is masked, or will be as soon as FreeSWITCH has done what it was told.
    pub(super) fn is_masked(&self) -> bool {
        let wish = self.ordered.iter().rev().find_map(|(_, change, _)| match change {
            Change::Mask(on) => Some(*on),
            Change::Pause(_) | Change::Stop => None,
        });
        wish.unwrap_or_else(|| self.mask_ms.is_some())
    }

    /// As `is_masked`.
    pub(super) fn is_paused(&self) -> bool {
        let wish = self.ordered.iter().rev().find_map(|(_, change, _)| match change {
            Change::Pause(on) => Some(*on),
            Change::Mask(_) | Change::Stop => None,
        });
        wish.unwrap_or(self.paused)
    }

    /// FreeSWITCH has done what it was told by `id`; the answers to what it was told before are
    /// lost then. False where that is nothing of this.
    pub(super) fn obeyed(&mut self, id: ActionId, age_ms: u64) -> bool {
        let Some(place) = self.ordered.iter().position(|(ordered, ..)| *ordered == id) else {
            return false;
        };
        let done: Vec<_> = self.ordered.drain(..=place).collect();
        for (ordered, change, at_ms) in done {
            self.apply(change, if ordered == id { age_ms } else { at_ms });
        }
        true
    }

    /// Nobody will tell any more when FreeSWITCH did what it was told: the order's time counts.
    pub(super) fn unanswered(&mut self) {
        for (_, change, at_ms) in std::mem::take(&mut self.ordered) {
            self.apply(change, at_ms);
        }
    }

    fn apply(&mut self, change: Change, age_ms: u64) {
        match change {
            Change::Mask(true) => self.mask_ms = Some(self.position(age_ms)),
            Change::Mask(false) => self.unmask(age_ms),
            Change::Pause(on) => {
                self.paused = on;
                self.settle(age_ms);
            }
            Change::Stop => {
                self.unmask(age_ms);
                self.settle(age_ms);
            }
        }
    }

    /// Goes on, or stands still, from now on.
    pub(super) fn settle(&mut self, age_ms: u64) {
        let writes = self.stage == Stage::Running && !self.paused && !self.held;
        self.written_ms = self.position(age_ms);
        self.since_ms = writes.then_some(age_ms);
        let passed_ms = age_ms.saturating_sub(self.began_ms);
        if writes {
            if let Some(from_ms) = self.gap_ms.take() {
                add(&mut self.gaps, from_ms, passed_ms);
            }
        } else if self.stage == Stage::Running {
            self.gap_ms.get_or_insert(passed_ms);
        }
    }

    pub(super) fn unmask(&mut self, age_ms: u64) {
        let position = self.position(age_ms);
        if let Some(from_ms) = self.mask_ms.take() {
            add(&mut self.masks, from_ms, position);
        }
    }

    /// Where the file is longer than was counted, we heard late that it had begun, and all of it
    /// is further back; or the caller's leg was held: what its phone sent meanwhile is read in a
    /// burst afterwards, and a mask reaches as far as that may have moved it.
    pub(super) fn align(&mut self, length_ms: u64) {
        let late_ms = length_ms.saturating_sub(self.written_ms).min(LATE_MS);
        for (from_ms, to_ms) in &mut self.masks {
            let held = self.hold_ms.is_some_and(|hold_ms| *to_ms >= hold_ms);
            if self.hold_ms.is_none() {
                *from_ms += late_ms;
            }
            if held || self.hold_ms.is_none() {
                *to_ms = to_ms.saturating_add(late_ms).min(length_ms);
            }
            // A file that is shorter than was counted ends before it.
            *from_ms = (*from_ms).min(*to_ms);
        }
    }

    /// What there is to tell of it.
    pub(super) fn note(&self, call: &Call, state: RecordingState, length_ms: u64) -> RecordingNote {
        let id = self.id(call);
        let spans = |list: &[(u64, u64)]| {
            list.iter().map(|&(from_ms, to_ms)| Span { from_ms, to_ms }).collect()
        };
        RecordingNote {
            name: id.to_string(),
            path: self.path(call),
            length_ms,
            id: Some(id),
            kind: RecordingKind::Call,
            room: None,
            state,
            began: Some(self.began),
            channels: if self.stereo { 2 } else { 1 },
            masked: spans(&self.masks),
            paused: spans(&self.gaps),
            min_length_ms: self.min_ms,
        }
    }

    fn id(&self, call: &Call) -> RecordingId {
        RecordingId::nth(call.state.arrival.call, self.number)
    }

    pub(super) fn path(&self, call: &Call) -> String {
        call.recording_path(&self.id(call).to_string())
    }
}

/// Adds a stretch; where there are too many the last becomes longer.
pub(super) fn add(spans: &mut Vec<(u64, u64)>, from_ms: u64, to_ms: u64) {
    let full = spans.len() >= SPANS_MAX;
    match spans.last_mut() {
        Some(last) if full || last.1 >= from_ms => last.1 = last.1.max(to_ms),
        Some(_) | None => spans.push((from_ms, to_ms)),
    }
}
