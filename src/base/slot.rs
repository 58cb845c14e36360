//! Slots in which callers are parked: numbers that people dial and say.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The highest slot.
const SLOT_MAX: u32 = 999_999;
/// Slots of one range.
const SLOTS_MAX: u32 = 1_000;

/// Why a text is no slot, or no range of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SlotError {
    #[error("`{0}` is no slot: a number from 1 to {SLOT_MAX} is expected")]
    Slot(String),
    #[error("`{0}` is no range of slots: expected such as `701-720`, of at most {SLOTS_MAX}")]
    Range(String),
}

/// One slot.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "u32", into = "u32")]
#[schemars(extend("minimum" = 1, "maximum" = SLOT_MAX))]
pub struct Slot(u32);

impl Slot {
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Slot {
    type Error = SlotError;
    fn try_from(number: u32) -> Result<Self, SlotError> {
        let known = (1..=SLOT_MAX).contains(&number);
        if known { Ok(Self(number)) } else { Err(SlotError::Slot(number.to_string())) }
    }
}

impl From<Slot> for u32 {
    fn from(slot: Slot) -> Self {
        slot.0
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Slot {
    type Err = SlotError;
    fn from_str(text: &str) -> Result<Self, SlotError> {
        let text = text.trim();
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse::<u32>().ok().filter(|_| digits);
        let slot = number.and_then(|number| Self::try_from(number).ok());
        slot.ok_or_else(|| SlotError::Slot(text.chars().take(40).collect()))
    }
}

/// Slots from the first to the last, both of them included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct SlotRange {
    first: Slot,
    last: Slot,
}

impl SlotRange {
    pub const fn first(self) -> Slot {
        self.first
    }

    pub const fn last(self) -> Slot {
        self.last
    }

    pub fn contains(self, slot: Slot) -> bool {
        (self.first..=self.last).contains(&slot)
    }
}

impl FromStr for SlotRange {
    type Err = SlotError;
    fn from_str(text: &str) -> Result<Self, SlotError> {
        let refused = || SlotError::Range(text.chars().take(40).collect());
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last): (Slot, Slot) =
            (first.parse().map_err(|_| refused())?, last.parse().map_err(|_| refused())?);
        let fits = first <= last && last.0 - first.0 < SLOTS_MAX;
        if fits { Ok(Self { first, last }) } else { Err(refused()) }
    }
}

impl TryFrom<String> for SlotRange {
    type Error = SlotError;
    fn try_from(text: String) -> Result<Self, SlotError> {
        text.parse()
    }
}

impl From<SlotRange> for String {
    fn from(range: SlotRange) -> Self {
        range.to_string()
    }
}

impl fmt::Display for SlotRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_as_people_write_it() {
        let range: SlotRange = "701-720".parse().unwrap();
        assert_eq!((range.first().number(), range.last().number()), (701, 720));
        assert!(range.contains("710".parse().unwrap()));
        assert!(!range.contains("721".parse().unwrap()));
        let one: SlotRange = "5".parse().unwrap();
        assert_eq!(one.to_string(), "5-5");
        for wrong in ["", "-", "720-701", "0-5", "1-1001", "a-b", "1-2-3", "+1-+2", "701-7000000"] {
            assert!(wrong.parse::<SlotRange>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_a_number_of_keys_is_a_slot() {
        assert_eq!(" 0701 ".parse::<Slot>().map(Slot::number), Ok(701));
        for wrong in ["", "0", "+7", "7*", "7.0", "1000000", "99999999999999999999", "७"] {
            assert!(wrong.parse::<Slot>().is_err(), "{wrong}");
        }
    }
}
