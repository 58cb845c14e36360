//! The time that a report is about, divided as its tenant's clock divides it.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The longest time of one report, in days.
pub const DAYS_MAX: i64 = 400;
/// Most parts of a report: a thousand days, or six weeks of hours.
pub const PARTS_MAX: usize = 1_010;

/// Into what a report is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Bucket {
    Hour,
    Day,
    /// From Monday on.
    Week,
    #[default]
    Total,
}

/// A moment as people write it: with an offset (RFC 3339), or by the tenant's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Moment {
    At(Timestamp),
    Local(DateTime),
}

/// Why a report's time can't be what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    #[error("`{0}` is no moment: write it like 2026-11-23, 2026-11-23T09:00 or with an offset")]
    Moment(String),
    #[error("a report ends after it begins")]
    Order,
    #[error("a report is about {DAYS_MAX} days at most: ask for less at a time")]
    Days,
    #[error("the report would have more than {PARTS_MAX} parts: ask for larger ones, or less time")]
    Parts,
    #[error("there is no such moment")]
    Clock,
}

impl FromStr for Moment {
    type Err = PeriodError;
    fn from_str(text: &str) -> Result<Self, PeriodError> {
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(Self::At(at));
        }
        let local = text.parse::<DateTime>().or_else(|_| text.parse::<Date>().map(DateTime::from));
        local.map(Self::Local).map_err(|_| PeriodError::Moment(text.chars().take(40).collect()))
    }
}

impl TryFrom<String> for Moment {
    type Error = PeriodError;
    fn try_from(text: String) -> Result<Self, PeriodError> {
        text.parse()
    }
}

impl JsonSchema for Moment {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Moment".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "examples": ["2026-11-23", "2026-11-23T09:00:00Z"] })
    }
}

impl Moment {
    fn by(self, zone: &TimeZone) -> Result<Timestamp, PeriodError> {
        match self {
            Self::At(at) => Ok(at),
            Self::Local(local) => {
                let at = local.to_zoned(zone.clone()).map_err(|_| PeriodError::Clock)?;
                Ok(at.timestamp())
            }
        }
    }
}

/// The time of a report: from a moment on, and until another, which is not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    pub bucket: Bucket,
    zone: TimeZone,
    timezone: String,
    /// Where each part begins, and at last where the whole ends, in Unix milliseconds.
    edges: Vec<i64>,
}

/// What a report is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Covered {
    /// Calls that began then or later.
    #[schemars(with = "String")]
    pub from: Timestamp,
    /// Calls that began before.
    #[schemars(with = "String")]
    pub until: Timestamp,
    /// The tenant's, by which it is divided.
    pub timezone: String,
    pub bucket: Bucket,
}

/// A part of the time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Part {
    #[schemars(with = "String")]
    pub from: Timestamp,
    #[schemars(with = "String")]
    pub until: Timestamp,
    /// When it begins by the tenant's clock.
    pub local: String,
}

impl Period {
    /// Without `until` until now, without `from` the seven days, today among them, before that.
    ///
    /// # Errors
    /// It is empty, too long or divided into too many parts.
    pub fn new(
        (from, until): (Option<Moment>, Option<Moment>),
        now: Timestamp,
        (timezone, zone): (&str, TimeZone),
        bucket: Bucket,
    ) -> Result<Self, PeriodError> {
        let until = until.map_or(Ok(now), |until| until.by(&zone))?;
        let from = match from {
            Some(from) => from.by(&zone)?,
            None => week_before(until, &zone)?,
        };
        if from >= until {
            return Err(PeriodError::Order);
        }
        if until.duration_since(from).as_hours() > DAYS_MAX * 24 {
            return Err(PeriodError::Days);
        }
        let edges = edges(from, until, &zone, bucket)?;
        Ok(Self { bucket, zone, timezone: timezone.to_owned(), edges })
    }

    pub fn from_ms(&self) -> i64 {
        self.edges.first().copied().unwrap_or(i64::MAX)
    }

    pub fn until_ms(&self) -> i64 {
        self.edges.last().copied().unwrap_or(i64::MIN)
    }

    pub fn holds(&self, at: Timestamp) -> bool {
        (self.from_ms()..self.until_ms()).contains(&at.as_millisecond())
    }

    /// How many parts it has; none of its own where it is not divided.
    pub fn parts(&self) -> usize {
        if self.bucket == Bucket::Total { 0 } else { self.edges.len().saturating_sub(1) }
    }

    /// In which part a moment lies.
    pub fn part_of(&self, at: Timestamp) -> Option<usize> {
        let ms = at.as_millisecond();
        let at = self.edges.partition_point(|edge| *edge <= ms).checked_sub(1)?;
        (at < self.parts()).then_some(at)
    }

    /// The parts in Unix milliseconds.
    pub fn stretches(&self) -> Vec<(i64, i64)> {
        let pairs = self.edges.windows(2).take(self.parts());
        pairs.map(|pair| (pair[0], pair[1])).collect()
    }

    pub fn covered(&self) -> Covered {
        let at = |ms| Timestamp::from_millisecond(ms).unwrap_or_default();
        Covered {
            from: at(self.from_ms()),
            until: at(self.until_ms()),
            timezone: self.timezone.clone(),
            bucket: self.bucket,
        }
    }

    pub fn part(&self, (from, until): (i64, i64)) -> Part {
        let at = |ms| Timestamp::from_millisecond(ms).unwrap_or_default();
        Part { from: at(from), until: at(until), local: self.local(at(from)) }
    }

    /// A moment by the tenant's clock, to the minute.
    pub fn local(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%dT%H:%M").to_string()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Covered { from, until, timezone, .. } = self.covered();
        let plain = |at| self.local(at).replace('T', " ");
        write!(f, "{} to {} ({timezone})", plain(from), plain(until))
    }
}

fn week_before(until: Timestamp, zone: &TimeZone) -> Result<Timestamp, PeriodError> {
    let day = until.to_zoned(zone.clone()).date();
    let first = day.checked_sub(6.days()).map_err(|_| PeriodError::Clock)?;
    let first = first.to_zoned(zone.clone()).map_err(|_| PeriodError::Clock)?;
    Ok(first.timestamp())
}

fn edges(
    from: Timestamp,
    until: Timestamp,
    zone: &TimeZone,
    bucket: Bucket,
) -> Result<Vec<i64>, PeriodError> {
    let until_ms = until.as_millisecond();
    let mut edges = vec![from.as_millisecond()];
    if bucket == Bucket::Total {
        edges.push(until_ms);
        return Ok(edges);
    }
    let mut at = from;
    loop {
        let here = at.to_zoned(zone.clone());
        let next = next(&here, bucket).map_err(|_| PeriodError::Clock)?;
        // A clock that is put back may show the same again, never go on for ever.
        if next <= at || next.as_millisecond() >= until_ms {
            edges.push(until_ms);
            return Ok(edges);
        }
        if edges.len() >= PARTS_MAX {
            return Err(PeriodError::Parts);
        }
        edges.push(next.as_millisecond());
        at = next;
    }
}

/// Where the part after this moment's begins.
fn next(here: &Zoned, bucket: Bucket) -> Result<Timestamp, jiff::Error> {
    let zone = here.time_zone().clone();
    let days = match bucket {
        Bucket::Total | Bucket::Hour => {
            let within = here.time().duration_since(
                here.time().with().minute(0).second(0).subsec_nanosecond(0).build()?,
            );
            return here.timestamp().checked_sub(within)?.checked_add(1.hour());
        }
        Bucket::Day => 1,
        Bucket::Week => 7 - i64::from(here.weekday().to_monday_zero_offset()),
    };
    Ok(here.date().checked_add(days.days())?.to_zoned(zone)?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(from: &str, until: &str, bucket: Bucket) -> Result<Period, PeriodError> {
        let name = "Europe/Berlin";
        let zone = TimeZone::get(name).map_err(|_| PeriodError::Clock)?;
        let moments = (Some(from.parse()?), Some(until.parse()?));
        Period::new(moments, Timestamp::UNIX_EPOCH, (name, zone), bucket)
    }

    fn locals(from: &str, until: &str, bucket: Bucket) -> Vec<String> {
        let period = period(from, until, bucket).unwrap();
        period.stretches().into_iter().map(|pair| period.part(pair).local).collect()
    }

    #[test]
    fn a_day_is_the_tenants_and_may_have_23_or_25_hours() {
        for (date, next, hours) in
            [("2026-03-29", "2026-03-30", 23), ("2026-10-25", "2026-10-26", 25)]
        {
            let day = period(date, next, Bucket::Day).unwrap();
            assert_eq!(day.until_ms() - day.from_ms(), hours * 3_600_000, "{date}");
            assert_eq!(day.parts(), 1);
            let hourly = period(date, next, Bucket::Hour).unwrap();
            assert_eq!(i64::try_from(hourly.parts()), Ok(hours), "{date}");
        }
    }

    #[test]
    fn parts_begin_where_the_clock_says_and_the_first_and_last_may_be_cut() {
        assert_eq!(
            locals("2026-11-23T09:20", "2026-11-23T11:10", Bucket::Hour),
            ["2026-11-23T09:20", "2026-11-23T10:00", "2026-11-23T11:00"]
        );
        // 2026-11-22 is a Sunday.
        assert_eq!(
            locals("2026-11-22", "2026-12-01", Bucket::Week),
            ["2026-11-22T00:00", "2026-11-23T00:00", "2026-11-30T00:00"]
        );
        assert_eq!(locals("2026-11-22", "2026-12-01", Bucket::Total), [""; 0]);
    }

    #[test]
    fn each_moment_lies_in_one_part_and_none_outside() {
        let week = period("2026-11-16", "2026-11-23", Bucket::Day).unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(week.part_of(at("2026-11-15T22:59:59.999Z")), None);
        assert_eq!(week.part_of(at("2026-11-15T23:00:00Z")), Some(0));
        assert_eq!(week.part_of(at("2026-11-22T22:59:59.999Z")), Some(6));
        assert_eq!(week.part_of(at("2026-11-22T23:00:00Z")), None);
        assert!(!week.holds(at("2026-11-22T23:00:00Z")));
    }

    #[test]
    fn what_is_not_said_is_the_seven_days_until_now() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let now = "2026-11-23T09:00:00Z".parse().unwrap();
        let last = Period::new((None, None), now, ("Europe/Berlin", zone), Bucket::Day).unwrap();
        assert_eq!(last.to_string(), "2026-11-17 00:00 to 2026-11-23 10:00 (Europe/Berlin)");
        assert_eq!(last.parts(), 7);
    }

    #[test]
    fn what_is_too_long_or_too_fine_or_no_time_is_refused() {
        let refused = |from, until, bucket| period(from, until, bucket).unwrap_err();
        assert_eq!(refused("2026-11-23", "2026-11-23", Bucket::Day), PeriodError::Order);
        assert_eq!(refused("2024-01-01", "2026-01-01", Bucket::Day), PeriodError::Days);
        assert_eq!(refused("2026-01-01", "2026-03-01", Bucket::Hour), PeriodError::Parts);
        assert!("yesterday".parse::<Moment>().is_err());
    }
}
