//! Opening hours as a pure question: is it open now, why, and until when.
//!
//! A span belongs to the day on which it begins, however far past midnight it runs; so do
//! exceptions and holidays. An exception's hours go before holidays, holidays before the week.
//! Spans are wall-clock times: one that begins in the hour that a clock change skips begins after
//! it, and an hour that comes twice counts from its first to its last minute.

mod named;
mod read;

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use super::kind::hours::{Holiday, Opening, Weekly};

pub use named::Schedules;
pub use read::{DayPattern, ScheduleError, Span, zone};

/// How many days ahead the next change is looked for.
const HORIZON_DAYS: usize = 370;

/// Whether it is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Open,
    Closed,
    /// Closed because of a holiday.
    Holiday {
        name: Option<String>,
    },
}

/// The answer of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub state: State,
    /// One sentence for a person.
    pub why: String,
    /// When it opens or closes next, if it does within a year.
    pub next_change: Option<Timestamp>,
}

/// Opening hours, read once.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    week: [Vec<Span>; 7],
    holidays: Vec<(DayPattern, Option<String>)>,
    exceptions: Vec<(DayPattern, Vec<Span>, Option<String>)>,
}

/// The hours of one day and what they come from.
struct Day<'a> {
    spans: &'a [Span],
    rule: Rule<'a>,
}

enum Rule<'a> {
    Week(Weekday),
    Holiday(Option<&'a str>),
    Exception(Option<&'a str>),
}

/// Whether it is open at a moment. `timezone` is that of the flow or tenant; the hours' own goes
/// before it.
pub fn state(hours: &Opening, timezone: &str, now: Timestamp) -> Result<Answer, ScheduleError> {
    let zone = zone(hours.timezone.as_deref().unwrap_or(timezone))?;
    Ok(Schedule::new(hours)?.answer(&zone, now))
}

impl Schedule {
    /// Reads opening hours; the error names the first text that can't be read.
    pub fn new(hours: &Opening) -> Result<Self, ScheduleError> {
        let spans = |texts: &[String]| -> Result<Vec<Span>, ScheduleError> {
            texts.iter().map(|text| text.parse()).collect()
        };
        let Weekly { mon, tue, wed, thu, fri, sat, sun } = &hours.weekly;
        let mut week: [Vec<Span>; 7] = Default::default();
        for (day, texts) in week.iter_mut().zip([mon, tue, wed, thu, fri, sat, sun]) {
            *day = spans(texts)?;
        }
        let holiday = |Holiday { date, name }: &Holiday| Ok((date.parse()?, name.clone()));
        Ok(Self {
            week,
            holidays: hours.holidays.iter().map(holiday).collect::<Result<_, _>>()?,
            exceptions: hours
                .exceptions
                .iter()
                .map(|day| Ok((day.date.parse()?, spans(&day.open)?, day.name.clone())))
                .collect::<Result<_, _>>()?,
        })
    }

    pub fn answer(&self, zone: &TimeZone, now: Timestamp) -> Answer {
        let local = now.to_zoned(zone.clone());
        let today = local.date();
        let open = self.span_at(zone, now);
        let next_change = match &open {
            Some((_, _, end)) => self.closing(zone, *end),
            None => self.opening(zone, now),
        };
        match open {
            Some((day, span, _)) => Answer {
                state: State::Open,
                why: format!("open {span}{}", day.rule.words()),
                next_change,
            },
            None => {
                let day = self.day(today);
                let state = match day.rule {
                    Rule::Holiday(name) => State::Holiday { name: name.map(str::to_owned) },
                    Rule::Week(_) | Rule::Exception(_) => State::Closed,
                };
                let time = local.strftime("%H:%M");
                let why = format!("closed at {time}{}", day.rule.words());
                Answer { state, why, next_change }
            }
        }
    }

    fn day(&self, date: Date) -> Day<'_> {
        if let Some((_, spans, name)) = self.exceptions.iter().find(|(day, ..)| day.is(date)) {
            return Day { spans, rule: Rule::Exception(name.as_deref()) };
        }
        if let Some((_, name)) = self.holidays.iter().find(|(day, _)| day.is(date)) {
            return Day { spans: &[], rule: Rule::Holiday(name.as_deref()) };
        }
        let weekday = date.weekday();
        let at = usize::try_from(weekday.to_monday_zero_offset()).unwrap_or_default();
        Day { spans: &self.week[at], rule: Rule::Week(weekday) }
    }

    /// The span in which a moment lies, the day to which it belongs and when it ends.
    fn span_at(&self, zone: &TimeZone, now: Timestamp) -> Option<(Day<'_>, Span, Timestamp)> {
        let today = now.to_zoned(zone.clone()).date();
        [today.yesterday().ok(), Some(today)].into_iter().flatten().find_map(|date| {
            let day = self.day(date);
            let (span, end) = day.spans.iter().find_map(|span| {
                let (from, to) = edges(span, date, zone)?;
                (from <= now && now < to).then_some((*span, to))
            })?;
            Some((day, span, end))
        })
    }

    /// When it closes, if a span that ends at `end` is followed by others without a gap.
    fn closing(&self, zone: &TimeZone, end: Timestamp) -> Option<Timestamp> {
        let mut end = end;
        for _ in 0..HORIZON_DAYS {
            match self.span_at(zone, end) {
                Some((_, _, further)) => end = further,
                None => return Some(end),
            }
        }
        None
    }

    /// When it opens, if it is closed now.
    fn opening(&self, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
        let today = now.to_zoned(zone.clone()).date();
        let days = std::iter::successors(Some(today), |date| date.tomorrow().ok());
        days.take(HORIZON_DAYS).find_map(|date| {
            let spans = self.day(date).spans.iter();
            spans
                .filter_map(|span| Some(edges(span, date, zone)?.0))
                .filter(|from| *from > now)
                .min()
        })
    }
}

/// When a span begins and ends on the day on which it begins.
fn edges(span: &Span, date: Date, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
    let at = |minutes: i32| -> Option<DateTime> {
        date.at(0, 0, 0, 0).checked_add(minutes.minutes()).ok()
    };
    // In a fold the first 02:30 begins a span and the second ends one; in a gap both lie after it.
    let from = zone.to_ambiguous_zoned(at(span.from)?).compatible().ok()?;
    let to = zone.to_ambiguous_zoned(at(span.to)?);
    let folded = to.is_ambiguous();
    let to: Zoned = if folded { to.later().ok()? } else { to.compatible().ok()? };
    Some((from.timestamp(), to.timestamp()))
}

impl Rule<'_> {
    fn words(&self) -> String {
        let named = |name: &Option<&str>| name.map(|name| format!(" ({name})")).unwrap_or_default();
        match self {
            Self::Week(day) => format!(" on {day:?}"),
            Self::Holiday(name) => format!(": a holiday{}", named(name)),
            Self::Exception(name) => format!(": a day with hours of its own{}", named(name)),
        }
    }
}

/// What a clock on the wall shows: the values of `now.date`, `now.time` and `now.weekday`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WallClock {
    /// `2026-11-22`
    pub date: String,
    /// `14:30`
    pub time: String,
    /// `mon` to `sun`
    pub weekday: &'static str,
}

impl WallClock {
    pub fn new(zone: &TimeZone, now: Timestamp) -> Self {
        let local = now.to_zoned(zone.clone());
        Self {
            date: local.date().to_string(),
            time: local.strftime("%H:%M").to_string(),
            weekday: match local.weekday() {
                Weekday::Monday => "mon",
                Weekday::Tuesday => "tue",
                Weekday::Wednesday => "wed",
                Weekday::Thursday => "thu",
                Weekday::Friday => "fri",
                Weekday::Saturday => "sat",
                Weekday::Sunday => "sun",
            },
        }
    }
}

#[cfg(test)]
mod tests;
