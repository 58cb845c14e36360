//! The texts of a schedule: spans, days, time zones.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;

const DAY_MINUTES: i32 = 24 * 60;

/// Why a schedule can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    #[error(
        "`{0}` is not a span of time: write it like `09:00-12:30`, `22:00-02:00` or `00:00-24:00`"
    )]
    Span(String),
    #[error("`{0}` is not a day: write it like `2026-12-24`, or `12-25` for every year")]
    Day(String),
    #[error("there is no time zone `{0}`: write it like `Europe/Berlin`")]
    Zone(String),
}

fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

/// A time zone by its IANA name.
pub fn zone(name: &str) -> Result<TimeZone, ScheduleError> {
    let form = name.contains('/') || matches!(name, "UTC" | "GMT");
    let found = if form { TimeZone::get(name).ok() } else { None };
    found.ok_or_else(|| ScheduleError::Zone(shown(name)))
}

/// A span of wall-clock time, in minutes from the midnight with which its day begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    pub(super) from: i32,
    /// After `from`; past 24:00 it lies on the next day.
    pub(super) to: i32,
}

impl Span {
    /// Whether two spans of one day share a minute.
    pub const fn overlaps(&self, other: &Self) -> bool {
        self.from < other.to && other.from < self.to
    }
}

fn minutes(text: &str) -> Option<i32> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |part: &str| -> Option<i32> {
        (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse().ok())?
    };
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    let total = hours * 60 + minutes;
    (minutes < 60 && total <= DAY_MINUTES).then_some(total)
}

impl FromStr for Span {
    type Err = ScheduleError;
    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let read = || {
            let (from, to) = text.split_once('-')?;
            let (from, to) = (minutes(from.trim())?, minutes(to.trim())?);
            let to = if to < from { to + DAY_MINUTES } else { to };
            (from < DAY_MINUTES && from != to).then_some(Self { from, to })
        };
        read().ok_or_else(|| ScheduleError::Span(shown(text)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = if self.to > DAY_MINUTES { self.to - DAY_MINUTES } else { self.to };
        let (from, to) = ((self.from / 60, self.from % 60), (to / 60, to % 60));
        write!(f, "{:02}:{:02}-{:02}:{:02}", from.0, from.1, to.0, to.1)
    }
}

/// One day, or the same day of every year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayPattern {
    Once(Date),
    /// Month and day; 29 February is only in leap years.
    Yearly {
        month: i8,
        day: i8,
    },
}

impl DayPattern {
    pub(super) fn is(&self, date: Date) -> bool {
        match self {
            Self::Once(once) => *once == date,
            Self::Yearly { month, day } => (date.month(), date.day()) == (*month, *day),
        }
    }
}

impl FromStr for DayPattern {
    type Err = ScheduleError;
    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let digits = text.bytes().enumerate().all(|(at, byte)| {
            let dash = matches!((text.len(), at), (10, 4 | 7) | (5, 2));
            if dash { byte == b'-' } else { byte.is_ascii_digit() }
        });
        // 2000 was a leap year, so that 02-29 is a day of it.
        let read = |text: &str| text.parse::<Date>().ok();
        let day = match (digits, text.len()) {
            (true, 10) => read(text).map(Self::Once),
            (true, 5) => read(&format!("2000-{text}"))
                .map(|date| Self::Yearly { month: date.month(), day: date.day() }),
            _ => None,
        };
        day.ok_or_else(|| ScheduleError::Day(shown(text)))
    }
}
