//! Time zones and opening hours that can be read and make sense.

use super::Found;
use crate::flow::document::below;
use crate::flow::kind::hours::{Opening, Weekly};
use crate::flow::schedule::{DayPattern, Span, zone};
use crate::flow::{Flow, Step};

pub(super) fn check(flow: &Flow, found: &mut Found) {
    if let Some(name) = &flow.timezone {
        timezone("timezone".into(), name, found);
    }
    for (name, step) in &flow.steps {
        if let Step::Hours(hours) = step {
            opening(&format!("steps.{name}"), &hours.own(), found);
        }
    }
}

fn timezone(path: String, name: &str, found: &mut Found) {
    if let Err(error) = zone(name) {
        found.error(path, "unknown-timezone", error.to_string());
    }
}

/// `path` is where the hours stand; empty where they stand alone.
pub(super) fn opening(path: &str, hours: &Opening, found: &mut Found) {
    if let Some(name) = &hours.timezone {
        timezone(below(path, "timezone"), name, found);
    }
    let Weekly { mon, tue, wed, thu, fri, sat, sun } = &hours.weekly;
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    for (day, texts) in days.into_iter().zip([mon, tue, wed, thu, fri, sat, sun]) {
        spans(texts, &below(path, format!("weekly.{day}")), found);
    }
    let holidays = hours.holidays.iter().map(|holiday| holiday.date.as_str());
    dates(holidays, &below(path, "holidays"), found);
    let exceptions = hours.exceptions.iter().map(|exception| exception.date.as_str());
    dates(exceptions, &below(path, "exceptions"), found);
    for (at, exception) in hours.exceptions.iter().enumerate() {
        spans(&exception.open, &below(path, format!("exceptions.{at}.open")), found);
    }
}

fn spans(texts: &[String], path: &str, found: &mut Found) {
    let mut earlier: Vec<Span> = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        match text.parse::<Span>() {
            Ok(span) => {
                if let Some(other) = earlier.iter().find(|other| other.overlaps(&span)) {
                    let message = format!("{span} and {other} share time");
                    found.warning(format!("{path}.{at}"), "hours-overlap", message);
                }
                earlier.push(span);
            }
            Err(error) => found.error(format!("{path}.{at}"), "bad-hours", error.to_string()),
        }
    }
}

fn dates<'a>(texts: impl Iterator<Item = &'a str>, path: &str, found: &mut Found) {
    let mut earlier: Vec<DayPattern> = Vec::new();
    for (at, text) in texts.enumerate() {
        let path = format!("{path}.{at}.date");
        match text.parse::<DayPattern>() {
            Ok(day) if earlier.contains(&day) => {
                let message = format!("`{text}` stands here twice: only the first counts");
                found.warning(path, "date-twice", message);
            }
            Ok(day) => earlier.push(day),
            Err(error) => found.error(path, "bad-hours", error.to_string()),
        }
    }
}
