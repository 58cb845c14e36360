//! Dates and times of day as authors and other systems write them.

use jiff::civil::{Date, DateTime, Time};
use jiff::{Timestamp, Zoned};

/// The last year whose days all have a timestamp.
const YEAR_MAX: i16 = 9_998;

/// The day of `2026-11-22` or of an RFC 3339 text, as a calendar at the place shows it.
pub fn date(text: &str) -> Option<Date> {
    let date = clock(text).map(DateTime::date).or_else(|| text.parse().ok())?;
    (1..=YEAR_MAX).contains(&date.year()).then_some(date)
}

/// The time of day of `14:30` or of an RFC 3339 text, as a clock at the place shows it.
pub fn time(text: &str) -> Option<Time> {
    clock(text).map(DateTime::time).or_else(|| text.parse().ok())
}

/// What a clock at the place showed that an RFC 3339 text names by its offset.
fn clock(text: &str) -> Option<DateTime> {
    let zoned = text.parse::<Zoned>().ok().map(|zoned| zoned.datetime());
    zoned.or_else(|| {
        text.parse::<Timestamp>().ok()?;
        text.parse::<DateTime>().ok()
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil;

    use super::*;

    #[test]
    fn a_moment_is_read_as_the_clock_at_its_place_shows_it() {
        let late = "2026-11-22T23:30:00-05:00";
        assert_eq!(date(late), Some(civil::date(2026, 11, 22)));
        assert_eq!(time(late), Some(civil::time(23, 30, 0, 0)));
        assert_eq!(time("14:30"), Some(civil::time(14, 30, 0, 0)));
    }

    #[test]
    fn what_no_calendar_or_clock_shows_is_none() {
        for text in ["", "31-31", "2026-02-30", "tomorrow", "9999-12-31", "2026-11-22,rm"] {
            assert_eq!(date(text), None, "{text:?}");
        }
        for text in ["", "25:00", "14:30 h", "noon"] {
            assert_eq!(time(text), None, "{text:?}");
        }
    }
}
