//! Recordings: what is known of a sound file that a call left, from its first second to its end.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::ids::{CallId, RecordingId, TenantId};

/// A stretch of a recording, in milliseconds from its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Span {
    pub from_ms: u64,
    pub to_ms: u64,
}

/// How far from where a call saw a mask's edge the sound may have it.
const EDGE_MS: u64 = 1_000;
/// How far where the stretch is as long as the mask: a switch that is too busy leaves sound out,
/// and all that follows is nearer to the beginning.
const DRIFT_MS: u64 = 6_000;
/// As long is what differs by less than a part in so many, and this.
const ALIKE: u64 = 8;
const ALIKE_MS: u64 = 500;
/// Shorter masks may be between two samples of the sound.
const MASK_MIN_MS: u64 = 200;
/// An edge in the sound is that sharp.
const SHARP_MS: u64 = 20;

/// Puts the edges of masks where the sound has them. `still` are the stretches of the file in which
/// there is no sound at all, of 60 ms or longer. False where there is sound in a mask all the same.
pub fn align(masked: &mut [Span], still: &[(u64, u64)], length_ms: u64) -> bool {
    let mut silent = true;
    let mut shift_ms = 0;
    for mask in masked {
        let told = mask.shifted(shift_ms);
        let found = still.iter().map(|&(from_ms, to_ms)| Span { from_ms, to_ms });
        let found = found.max_by_key(|span| span.common_ms(&told));
        let found = found.filter(|span| span.common_ms(&told) > 0);
        if let Some(found) = found {
            let alike = told.length_ms() / ALIKE + ALIKE_MS;
            let alike = found.length_ms().abs_diff(told.length_ms()) <= alike;
            let within_ms = if alike { DRIFT_MS } else { EDGE_MS };
            let from_ms = found.from_ms.abs_diff(told.from_ms) <= within_ms;
            let to_ms = found.to_ms.abs_diff(told.to_ms) <= within_ms;
            if from_ms && to_ms {
                shift_ms += found.from_ms.cast_signed() - told.from_ms.cast_signed();
            }
            mask.from_ms = if from_ms { found.from_ms } else { mask.from_ms };
            mask.to_ms = if to_ms { found.to_ms } else { mask.to_ms };
        }
        mask.to_ms = mask.to_ms.min(length_ms);
        mask.from_ms = mask.from_ms.min(mask.to_ms);
        let around = |span: Span| {
            span.from_ms <= mask.from_ms + SHARP_MS && mask.to_ms <= span.to_ms + SHARP_MS
        };
        silent &= mask.length_ms() < MASK_MIN_MS || found.is_some_and(around);
    }
    silent
}

impl Span {
    const fn length_ms(&self) -> u64 {
        self.to_ms.saturating_sub(self.from_ms)
    }

    fn common_ms(&self, other: &Self) -> u64 {
        self.to_ms.min(other.to_ms).saturating_sub(self.from_ms.max(other.from_ms))
    }

    const fn shifted(&self, by_ms: i64) -> Self {
        Self {
            from_ms: self.from_ms.saturating_add_signed(by_ms),
            to_ms: self.to_ms.saturating_add_signed(by_ms),
        }
    }
}

/// What the file is called in which a caller has said a name, without its ending.
pub fn name_of(call: CallId) -> String {
    format!("{NAME}{call}")
}

/// How such a file's name begins: it is no recording to be kept.
pub const NAME: &str = "name-";

/// What was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordingKind {
    /// The parties of a call.
    #[default]
    Call,
    /// What a caller said to the `message` step.
    Message,
    /// A room.
    Room,
}

impl RecordingKind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Message => "message",
            Self::Room => "room",
        }
    }
}

/// How far a recording has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    /// FreeSWITCH writes it.
    Running,
    /// It has ended, and waits to be encrypted and stored.
    #[default]
    Pending,
    /// It is stored, and can be heard.
    Ready,
    /// It could not be stored, or is no sound: the reason is told.
    Failed,
    /// There is nothing to keep: no sound, or too little of it.
    Absent,
}

impl RecordingState {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Absent => "absent",
        }
    }

    /// Whether nothing changes it any more by itself.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Ready | Self::Failed | Self::Absent)
    }
}

/// A recording, as its tenant sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Recording {
    #[schemars(with = "String")]
    pub id: RecordingId,
    #[schemars(with = "String")]
    pub tenant: TenantId,
    /// The call that it was begun in; none where a file was found of which no call told.
    #[schemars(with = "Option<String>")]
    pub call: Option<CallId>,
    pub kind: RecordingKind,
    /// The room's name, where it is a room's.
    pub room: Option<String>,
    pub state: RecordingState,
    /// Why it failed or is absent, or what is odd about it.
    pub why: String,
    #[schemars(with = "String")]
    pub began: Timestamp,
    /// As measured in the file; until then as told by the call.
    pub length_ms: u64,
    /// 2 where each party has a channel of its own.
    pub channels: u16,
    /// Samples a second; 0 until it is measured.
    pub rate: u32,
    /// Where there is silence instead of what was said: in the file, and once that is measured, to
    /// the sample.
    pub masked: Vec<Span>,
    /// When nothing was written, from when it began: the file is shorter by that time.
    pub paused: Vec<Span>,
    /// Nothing louder than noise is in it.
    pub silent: bool,
    /// Bytes of the plain file.
    pub bytes: u64,
    /// SHA-256 of the plain file, in hexadecimal digits.
    pub hash: String,
    /// SHA-256 of what is stored.
    pub stored_hash: String,
    /// Who keeps it from being deleted, and why.
    pub hold: Option<String>,
    #[schemars(with = "Option<String>")]
    pub delete_after: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aligned(masked: &[(u64, u64)], still: &[(u64, u64)]) -> (Vec<(u64, u64)>, bool) {
        let span = |&(from_ms, to_ms): &(u64, u64)| Span { from_ms, to_ms };
        let mut masked: Vec<_> = masked.iter().map(span).collect();
        let silent = align(&mut masked, still, 20_000);
        (masked.iter().map(|span| (span.from_ms, span.to_ms)).collect(), silent)
    }

    #[test]
    fn a_mask_is_where_the_sound_is_still() {
        let still = [(1_840, 3_000), (9_000, 9_100), (12_000, 20_000)];
        assert_eq!(aligned(&[(2_000, 2_400)], &still), (vec![(1_840, 3_000)], true));
        assert_eq!(aligned(&[(11_500, 25_000)], &still), (vec![(12_000, 20_000)], true));
    }

    #[test]
    fn masks_are_found_though_the_switch_left_sound_out_before_each() {
        let still = [(2_000, 4_000), (6_000, 6_300), (7_000, 9_100), (11_000, 12_800)];
        let told = [(2_700, 4_800), (9_300, 11_400), (14_900, 16_900)];
        let found = vec![(2_000, 4_000), (7_000, 9_100), (11_000, 12_800)];
        assert_eq!(aligned(&told, &still), (found, true));
    }

    #[test]
    fn a_mask_in_a_long_pause_of_speech_is_left_as_it_was_told() {
        assert_eq!(aligned(&[(5_000, 6_000)], &[(1_000, 9_000)]), (vec![(5_000, 6_000)], true));
        let apart = aligned(&[(5_000, 5_040)], &[(6_000, 9_000)]);
        assert_eq!(apart, (vec![(5_000, 5_040)], true), "nor moved to another");
    }

    #[test]
    fn sound_in_a_mask_is_noticed() {
        assert!(!aligned(&[(5_000, 6_000)], &[]).1);
        assert!(!aligned(&[(5_000, 9_000)], &[(5_000, 5_600)]).1);
        assert!(aligned(&[(25_000, 26_000)], &[]).1, "what lies behind the file's end is nothing");
    }
}
