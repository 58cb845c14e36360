use super::*;

fn hours(json: &str) -> Opening {
    serde_json::from_str(&format!("{{{json}}}")).unwrap()
}

fn ask(hours: &Opening, zone: &str, now: &str) -> Answer {
    state(hours, zone, now.parse().unwrap()).unwrap()
}

fn is_open(hours: &Opening, zone: &str, now: &str) -> bool {
    ask(hours, zone, now).state == State::Open
}

const BERLIN: &str = "Europe/Berlin";
const NEW_YORK: &str = "America/New_York";
const LORD_HOWE: &str = "Australia/Lord_Howe";

#[test]
fn a_span_holds_its_first_minute_and_not_its_last() {
    let hours = hours(r#""weekly": {"mon": ["09:00-12:30", "13:30-18:00"]}"#);
    for (now, expected) in [
        ("2026-11-23T08:59:59+01", false),
        ("2026-11-23T09:00:00+01", true),
        ("2026-11-23T12:29:59+01", true),
        ("2026-11-23T12:30:00+01", false),
        ("2026-11-23T13:30:00+01", true),
        ("2026-11-24T09:00:00+01", false),
    ] {
        assert_eq!(is_open(&hours, BERLIN, now), expected, "{now}");
    }
    let answer = ask(&hours, BERLIN, "2026-11-23T12:30:00+01");
    assert_eq!(answer.why, "closed at 12:30 on Monday");
    assert_eq!(answer.next_change, Some("2026-11-23T13:30:00+01".parse().unwrap()));
    let answer = ask(&hours, BERLIN, "2026-11-23T18:00:00+01");
    assert_eq!(answer.next_change, Some("2026-11-30T09:00:00+01".parse().unwrap()));
}

#[test]
fn a_span_past_midnight_belongs_to_the_day_it_begins() {
    let hours = hours(
        r#""weekly": {"fri": ["22:00-02:00"], "sat": ["22:00-02:00"]},
           "holidays": [{"date": "2026-11-28", "name": "Fair"}]"#,
    );
    // 2026-11-27 is a Friday; the Saturday is a holiday, but Friday's span runs into it.
    assert!(is_open(&hours, BERLIN, "2026-11-27T23:00:00+01"));
    assert!(is_open(&hours, BERLIN, "2026-11-28T01:59:59+01"));
    let after = ask(&hours, BERLIN, "2026-11-28T02:00:00+01");
    assert_eq!(after.state, State::Holiday { name: Some("Fair".into()) });
    assert_eq!(after.why, "closed at 02:00: a holiday (Fair)");
    assert!(!is_open(&hours, BERLIN, "2026-11-28T23:00:00+01"));
    assert!(!is_open(&hours, BERLIN, "2026-11-29T01:00:00+01"));
}

#[test]
fn a_whole_day_has_no_gap_at_midnight() {
    let all: Vec<_> = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        .map(|day| format!(r#""{day}": ["00:00-24:00"]"#))
        .into();
    let hours = hours(&format!(r#""weekly": {{{}}}"#, all.join(",")));
    assert!(is_open(&hours, BERLIN, "2026-11-23T23:59:59.999+01"));
    let answer = ask(&hours, BERLIN, "2026-11-24T00:00:00+01");
    assert_eq!((answer.state, answer.next_change), (State::Open, None));
}

#[test]
fn touching_spans_are_one_until_the_last_of_them_ends() {
    let hours =
        hours(r#""weekly": {"mon": ["09:00-12:00", "12:00-24:00"], "tue": ["00:00-01:00"]}"#);
    let answer = ask(&hours, BERLIN, "2026-11-23T10:00:00+01");
    assert_eq!(answer.next_change, Some("2026-11-24T01:00:00+01".parse().unwrap()));
}

#[test]
fn exceptions_go_before_holidays_and_holidays_before_the_week() {
    let hours = hours(
        r#""weekly": {"thu": ["09:00-17:00"], "fri": ["09:00-17:00"]},
           "holidays": [{"date": "12-24"}, {"date": "12-25", "name": "Christmas"}],
           "exceptions": [{"date": "2026-12-24", "open": ["10:00-12:00"], "name": "Eve"}]"#,
    );
    let eve = ask(&hours, BERLIN, "2026-12-24T11:00:00+01");
    assert_eq!(eve.why, "open 10:00-12:00: a day with hours of its own (Eve)");
    assert_eq!(ask(&hours, BERLIN, "2026-12-24T13:00:00+01").state, State::Closed);
    let christmas = State::Holiday { name: Some("Christmas".into()) };
    assert_eq!(ask(&hours, BERLIN, "2026-12-25T11:00:00+01").state, christmas);
    assert_eq!(ask(&hours, BERLIN, "2027-12-24T11:00:00+01").state, State::Holiday { name: None });
    assert!(is_open(&hours, BERLIN, "2026-12-31T11:00:00+01"));
}

#[test]
fn a_leap_day_is_a_holiday_only_when_there_is_one() {
    let hours = hours(
        r#""weekly": {"tue": ["09:00-17:00"], "wed": ["09:00-17:00"]},
           "holidays": [{"date": "02-29"}]"#,
    );
    assert_eq!(ask(&hours, BERLIN, "2028-02-29T12:00:00+01").state, State::Holiday { name: None });
    assert!(is_open(&hours, BERLIN, "2028-03-01T12:00:00+01"));
    assert!(is_open(&hours, BERLIN, "2026-03-03T12:00:00+01"));
}

#[test]
fn in_spring_a_span_that_begins_in_the_missing_hour_begins_after_it() {
    // Berlin skips 02:00-03:00 on 2026-03-29; New York 02:00-03:00 on 2026-03-08;
    // Lord Howe 02:00-02:30 on 2026-10-04.
    let night = hours(r#""weekly": {"sun": ["02:15-04:00"]}"#);
    for (zone, before, first, last) in [
        (BERLIN, "2026-03-29T00:59:59Z", "2026-03-29T01:15:00Z", "2026-03-29T01:59:59Z"),
        (NEW_YORK, "2026-03-08T06:59:59Z", "2026-03-08T07:15:00Z", "2026-03-08T07:59:59Z"),
        (LORD_HOWE, "2026-10-03T15:29:59Z", "2026-10-03T15:45:00Z", "2026-10-03T16:59:59Z"),
    ] {
        assert!(!is_open(&night, zone, before), "{zone}");
        assert!(is_open(&night, zone, first), "{zone}");
        assert!(is_open(&night, zone, last), "{zone}");
        let end: Timestamp = last.parse::<Timestamp>().unwrap() + 1.second();
        assert!(!is_open(&night, zone, &end.to_string()), "{zone}");
    }
}

#[test]
fn in_autumn_the_hour_that_comes_twice_is_open_twice() {
    // Berlin repeats 02:00-03:00 on 2026-10-25; New York 01:00-02:00 on 2026-11-01;
    // Lord Howe 01:30-02:00 on 2026-04-05.
    for (zone, span, first, last, end) in [
        (
            BERLIN,
            "02:30-02:45",
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:44:59Z",
            "2026-10-25T01:45:00Z",
        ),
        (
            NEW_YORK,
            "01:30-01:45",
            "2026-11-01T05:30:00Z",
            "2026-11-01T06:44:59Z",
            "2026-11-01T06:45:00Z",
        ),
        (
            LORD_HOWE,
            "01:40-01:50",
            "2026-04-04T14:40:00Z",
            "2026-04-04T15:19:59Z",
            "2026-04-04T15:20:00Z",
        ),
    ] {
        let hours = hours(&format!(r#""weekly": {{"sun": ["{span}"]}}"#));
        assert!(is_open(&hours, zone, first), "{zone}");
        assert!(is_open(&hours, zone, last), "{zone}");
        assert!(!is_open(&hours, zone, end), "{zone}");
        let answer = ask(&hours, zone, first);
        assert_eq!(answer.next_change, Some(end.parse().unwrap()), "{zone}");
    }
}

#[test]
fn a_steps_own_zone_goes_before_the_flows() {
    let hours = hours(r#""weekly": {"mon": ["09:00-10:00"]}, "timezone": "America/New_York""#);
    assert!(is_open(&hours, BERLIN, "2026-11-23T09:30:00-05"));
}

#[test]
fn what_is_no_span_day_or_zone_is_refused_in_words() {
    for text in
        ["", "9:00-10:00", "09:00", "09:00-09:00", "24:00-02:00", "09:60-10:00", "09:00-25:00"]
    {
        assert!(text.parse::<Span>().is_err(), "{text}");
    }
    for text in ["", "2026-02-29", "02-30", "13-01", "2026-1-1", "24.12.", "+26-12-24"] {
        assert!(text.parse::<DayPattern>().is_err(), "{text}");
    }
    for text in ["", "Berlin", "Europe/Bärlin", "CET+1", "local", "/etc/localtime"] {
        assert!(zone(text).is_err(), "{text}");
    }
    assert_eq!("22:00-02:00".parse::<Span>().unwrap().to_string(), "22:00-02:00");
    assert_eq!("00:00-24:00".parse::<Span>().unwrap().to_string(), "00:00-24:00");
}

#[test]
fn the_clock_on_the_wall_is_that_of_the_zone() {
    let clock = WallClock::new(&zone(LORD_HOWE).unwrap(), "2026-11-22T14:05:00Z".parse().unwrap());
    let expected = WallClock { date: "2026-11-23".into(), time: "01:05".into(), weekday: "mon" };
    assert_eq!(clock, expected);
}
