//! What a caller is to hear, as applications: one for each thing, because FreeSWITCH plays a list
//! without a word about a file that is not there (`mod_dptools.c` next_file).

use jiff::civil;
use jiff::tz::TimeZone;

use crate::base::digits::Digits;
use crate::base::masked::Masked;
use crate::base::millis::Millis;
use crate::call::moment;
use crate::call::output::{Media, RecordChange, RecordOrder};
use crate::esl::application::{Application, SayKind, SayMethod, Sound, Terminators};
use crate::esl::argument::{FilePath, FreeText, Refused, SayText, Tones, Why, Word};
use crate::esl::command::Recording;
use crate::flow::prompt::{SayKind as Spoken, TonePrompt};

/// The level below which a caller is silent, as FreeSWITCH counts energy (`switch_ivr_play_say.c`
/// switch_ivr_record_file_event).
const SILENCE_THRESHOLD: u32 = 200;

/// How much later than the call a recording ends by itself, in seconds.
const LIMIT_LATER_S: u32 = 5;

/// One thing to play; a key of `stop_on` ends it.
///
/// # Errors
/// A value that can't be carried safely, or not be pronounced.
pub fn application(medium: &Media, stop_on: &Digits) -> Result<Application, Refused> {
    let terminators = terminators(stop_on);
    let sounds = match medium {
        Media::File { .. } | Media::Tone(_) | Media::Silence(_) | Media::Words { .. } => {
            sounds(medium)?
        }
        Media::Say { value, kind, language } => {
            return say(value, *kind, language, terminators);
        }
        Media::Speak { text, engine } => {
            let nothing = Refused { argument: "text", why: Why::Empty };
            return Ok(Application::Speak {
                engine: Word::new("speech engine", &engine.engine)?,
                voice: Word::new("voice", &engine.voice)?,
                text: FreeText::cleaned(text.reveal()).ok_or(nothing)?,
                terminators,
            });
        }
    };
    Ok(Application::Playback { sounds, terminators })
}

/// A sound that needs no voice.
///
/// # Errors
/// It is one that is spoken, or can't be carried safely.
pub fn sound(medium: &Media) -> Result<Sound, Refused> {
    Ok(match medium {
        Media::File { path, .. } => Sound::File(FilePath::new(path)?),
        Media::Tone(tone) => Sound::Tones(recipe(tone)?),
        Media::Silence(length) => Sound::Silence(length.ms().max(1)),
        Media::Say { .. } | Media::Speak { .. } | Media::Words { .. } => {
            return Err(Refused { argument: "sound", why: Why::Empty });
        }
    })
}

/// What is heard as one; nothing that needs a voice.
///
/// # Errors
/// As [`sound`].
pub fn sounds(medium: &Media) -> Result<Vec<Sound>, Refused> {
    let Media::Words { paths } = medium else { return Ok(vec![sound(medium)?]) };
    paths.iter().map(|path| FilePath::new(path).map(Sound::File)).collect()
}

/// What becomes of a recording of the call. Its own limit is for when nobody has the call: the
/// call's comes first.
pub fn change(change: RecordChange) -> Recording {
    match change {
        RecordChange::Start { stereo, limit } => {
            let limit_s = u32::try_from(limit.whole_seconds()).unwrap_or(u32::MAX);
            Recording::Start { stereo, limit_s: limit_s.saturating_add(LIMIT_LATER_S) }
        }
        RecordChange::Stop => Recording::Stop,
        RecordChange::Pause => Recording::Pause,
        RecordChange::Resume => Recording::Resume,
        RecordChange::Mask => Recording::Mask,
        RecordChange::Unmask => Recording::Unmask,
    }
}

/// Whether it is pronounced from a date or a time of day.
pub const fn speaks_time(medium: &Media) -> bool {
    matches!(medium, Media::Say { kind: Spoken::Date | Spoken::Time, .. })
}

/// How to record the caller. FreeSWITCH counts whole seconds of the wall clock and stops in the one
/// after the limit, so that the limit is given short by one.
///
/// # Errors
/// The path can't be carried safely.
pub fn recording(order: &RecordOrder) -> Result<Application, Refused> {
    let seconds = |length: Millis| u32::try_from(length.whole_seconds()).unwrap_or(u32::MAX);
    let silence_s = seconds(order.silence);
    Ok(Application::Record {
        path: FilePath::new(&order.path)?,
        limit_s: seconds(order.max_length).saturating_sub(1).max(1),
        threshold: if silence_s == 0 { 0 } else { SILENCE_THRESHOLD },
        silence_s,
        terminators: terminators(&order.terminators),
    })
}

fn terminators(keys: &Digits) -> Terminators {
    if keys.is_empty() { Terminators::None } else { Terminators::These(keys.iter().collect()) }
}

/// Tone Generation Markup (`libteletone_generate.c` teletone_run): on, off, frequencies.
pub(super) fn recipe(tone: &TonePrompt) -> Result<Tones, Refused> {
    let frequencies: Vec<_> = tone.tone.iter().map(ToString::to_string).collect();
    let (on, off) = (tone.on.ms(), tone.off.ms());
    let sound = format!("%({on},{off},{})", frequencies.join(","));
    let repeat = if tone.times > 1 { format!("L={};", tone.times) } else { String::new() };
    Tones::new(&(repeat + &sound))
}

fn say(
    value: &Masked<String>,
    spoken: Spoken,
    language: &str,
    terminators: Terminators,
) -> Result<Application, Refused> {
    let (kind, method, text) = pronounced(value.reveal().trim(), spoken)?;
    let language = Word::new("language", language)?;
    Ok(Application::Say { language, kind, method, text, terminators })
}

/// In which words a value is spoken; a moment as a clock in UTC shows it.
///
/// # Errors
/// It can't be pronounced so.
pub fn pronounced(value: &str, spoken: Spoken) -> Result<(SayKind, SayMethod, SayText), Refused> {
    let (kind, method, text) = match spoken {
        Spoken::Number => (SayKind::Number, SayMethod::Pronounced, value.to_owned()),
        Spoken::Digits => (SayKind::Number, SayMethod::Iterated, value.to_owned()),
        Spoken::Spelled => (SayKind::NameSpelled, SayMethod::Pronounced, spelled(value)),
        Spoken::Date => (SayKind::CurrentDate, SayMethod::Pronounced, date(value)?),
        Spoken::Time => (SayKind::CurrentTime, SayMethod::Pronounced, time(value)?),
        Spoken::Money => (SayKind::Currency, SayMethod::Pronounced, value.to_owned()),
    };
    Ok((kind, method, SayText::new(&text)?))
}

/// Only what can be pronounced letter by letter.
fn spelled(value: &str) -> String {
    value.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '*' | '#' | '.')).collect()
}

const NO_DATE: Refused = Refused { argument: "date", why: Why::Empty };
const NO_TIME: Refused = Refused { argument: "time", why: Why::Empty };

/// `say` wants seconds since 1970, and gets those of the date's noon in UTC.
fn date(value: &str) -> Result<String, Refused> {
    moment::date(value).and_then(|date| epoch(date.at(12, 0, 0, 0))).ok_or(NO_DATE)
}

fn time(value: &str) -> Result<String, Refused> {
    let day = civil::date(2000, 1, 1);
    moment::time(value).and_then(|time| epoch(day.to_datetime(time))).ok_or(NO_TIME)
}

fn epoch(moment: civil::DateTime) -> Option<String> {
    let moment = moment.to_zoned(TimeZone::UTC).ok()?;
    Some(moment.timestamp().as_second().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::esl::command::{Command, Execute};
    use crate::esl::token::ExecuteId;
    use crate::flow::program::SpeechEngine;

    /// What FreeSWITCH is sent for it, or why nothing is.
    fn sent(medium: &Media, stop_on: &str) -> String {
        let application = match application(medium, &stop_on.parse().unwrap()) {
            Ok(application) => application,
            Err(refused) => return refused.to_string(),
        };
        let command = Command::Execute(Execute::new(ExecuteId(0x10000), application));
        String::from_utf8(command.encode().unwrap().to_vec()).unwrap()
    }

    fn said(value: &str, kind: Spoken) -> String {
        let value = Masked::new(value.to_owned());
        let sent = sent(&Media::Say { value, kind, language: "en".into() }, "");
        let body = sent.split_once("\n\n").map_or("", |(_, body)| body);
        match sent.split_once("execute-app-arg: ") {
            Some((_, argument)) => plain(argument),
            None if body.is_empty() => sent,
            None => plain(body),
        }
    }

    /// An argument without what it says about keys.
    fn plain(argument: &str) -> String {
        argument.trim_end().trim_start_matches("%[playback_terminators=none]").to_owned()
    }

    #[test]
    fn a_file_is_one_playback_that_only_its_keys_end() {
        let file = Media::File { path: "/p/hello.wav".into(), name: "hello".into() };
        insta::assert_snapshot!(sent(&file, "12#"), @r"
        sendmsg
        call-command: execute
        execute-app-name: playback
        event-lock: true
        Event-UUID: x10000
        execute-app-arg: %[playback_terminators=12#]/p/hello.wav
        ");
        insta::assert_snapshot!(sent(&file, "").lines().last().unwrap_or_default(), @"");
    }

    #[test]
    fn tones_and_pauses_are_playbacks_too() {
        let tone = TonePrompt { tone: vec![440, 480], on: Millis(400), off: Millis(200), times: 3 };
        let arg = |medium| plain(sent(&medium, "").split_once("arg: ").unwrap().1);
        insta::assert_snapshot!(arg(Media::Tone(tone)), @"tone_stream://L=3;%(400,200,440,480)");
        insta::assert_snapshot!(arg(Media::Silence(Millis(700))), @"silence_stream://700");
    }

    #[test]
    fn every_way_of_saying_has_its_words() {
        insta::assert_snapshot!(said("1234", Spoken::Number), @"en number pronounced 1234");
        insta::assert_snapshot!(said("1234", Spoken::Digits), @"en number iterated 1234");
        insta::assert_snapshot!(said("AB 12", Spoken::Spelled), @"en name_spelled pronounced AB12");
        insta::assert_snapshot!(said("12.50", Spoken::Money), @"en currency pronounced 12.50");
        let (date, time) = (said("2026-11-22", Spoken::Date), said("14:30", Spoken::Time));
        insta::assert_snapshot!(date, @"en current_date pronounced 1795348800");
        insta::assert_snapshot!(time, @"en current_time pronounced 946737000");
    }

    #[test]
    fn a_moment_is_said_as_a_clock_at_its_place_shows_it() {
        assert_eq!(
            said("2026-11-22T23:30:00-05:00", Spoken::Date),
            said("2026-11-22", Spoken::Date)
        );
        assert_eq!(said("2026-11-22T14:30:00+09:00", Spoken::Time), said("14:30", Spoken::Time));
    }

    #[test]
    fn what_can_not_be_said_is_refused_and_never_sent() {
        for (value, kind) in [
            ("1 2", Spoken::Number),
            ("${system ls}", Spoken::Digits),
            ("1\nEvent-UUID: x1", Spoken::Number),
            ("tomorrow", Spoken::Date),
            ("25:00", Spoken::Time),
            ("", Spoken::Spelled),
        ] {
            assert!(said(value, kind).contains("can't be sent"), "{value:?}");
        }
    }

    #[test]
    fn free_text_travels_in_a_body_without_what_would_expand() {
        let engine = SpeechEngine { engine: "flite".into(), voice: "kal".into() };
        let text = Masked::new("Hello ${system ls},\nit's 5 o'clock".to_owned());
        insta::assert_snapshot!(sent(&Media::Speak { text, engine }, ""), @r"
        sendmsg
        call-command: execute
        execute-app-name: speak
        event-lock: true
        Event-UUID: x10000
        content-type: text/plain
        content-length: 70

        %[playback_terminators=none]flite|kal|Hello $system ls,
        it's 5 o'clock
        ");
    }

    #[test]
    fn a_recording_is_never_longer_than_asked() {
        let order = RecordOrder {
            path: "/messages/a.wav".into(),
            max_length: Millis(120_000),
            silence: Millis(5_000),
            terminators: "#".parse().unwrap(),
        };
        let Application::Record { limit_s, threshold, silence_s, .. } = recording(&order).unwrap()
        else {
            panic!("not a recording");
        };
        assert_eq!((limit_s, threshold, silence_s), (119, 200, 5));
        let forever = RecordOrder { silence: Millis(0), path: "/a b.wav".into(), ..order };
        assert!(recording(&forever).is_err());
    }
}
