//! How FreeSWITCH speaks a language: what `xml_locate` and `say_string` answer.

use std::fmt;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::application::{SayKind, SayMethod};
use super::argument::{SayText, Word};

/// What is asked about speech.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpeechApi {
    /// With which files a value is pronounced: see [`files`].
    SayString { language: Word, kind: SayKind, method: SayMethod, text: SayText },
    /// How FreeSWITCH speaks a language: see [`folder`].
    Language { language: Word },
    /// How far FreeSWITCH's own time zone is from UTC at that moment, in Unix seconds: see
    /// [`utc_offset_s`].
    UtcOffset { at_s: i64 },
}

impl fmt::Display for SpeechApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The core takes the module from the language, the first word gives the files' ending.
            Self::SayString { language, kind, method, text } => {
                let (language, kind, method) = (language.as_str(), kind.word(), method.word());
                write!(f, "say_string {language}.wav {language} {kind} {method} {}", text.as_str())
            }
            Self::Language { language } => {
                write!(f, "xml_locate languages language name {}", language.as_str())
            }
            // The byte behind the bar is lost (`mod_dptools.c` strftime_api_function).
            Self::UtcOffset { at_s } => write!(f, "strftime {at_s}| %z"),
        }
    }
}

/// Files of one value, at most: FreeSWITCH's own list has room for so many (`mod_dptools.c`
/// file_string_context).
const FILES_MAX: usize = 128;
/// What a list of files begins with.
const LIST: &str = "file_string://";

/// The folder of a language's sounds, from the answer to `xml_locate languages language name …`.
/// The names of the attribute are those of `switch_ivr.c` switch_ivr_say_string.
///
/// # Errors
/// A sentence when there is no such language, or it says nothing of a folder.
pub fn folder(xml: &str) -> Result<String, String> {
    if xml.starts_with("-ERR") {
        return Err("FreeSWITCH has no such language".to_owned());
    }
    let mut reader = Reader::from_str(xml);
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(tag) | Event::Empty(tag) if tag.name().as_ref() == b"language" => {
                let of = |name| attribute(&tag, name);
                let found = of("sound-prefix").or_else(|| of("sound-path"));
                let found = found.or_else(|| of("sound_path"));
                return found.ok_or_else(|| "the language has no folder of sounds".to_owned());
            }
            Event::Eof => return Err("FreeSWITCH has no such language".to_owned()),
            _ => {}
        }
    }
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let value =
        tag.try_get_attribute(name).ok()??.normalized_value(XmlVersion::Implicit1_0).ok()?;
    Some(value.into_owned()).filter(|value| !value.is_empty())
}

/// The files of a value, from the answer to `say_string`, those that stand in the language's folder
/// with it. Pauses are left out.
///
/// # Errors
/// A sentence when there are none.
pub fn files(answer: &str, folder: &str) -> Result<Vec<String>, String> {
    let list = answer.trim_end().strip_prefix(LIST);
    let list = list.ok_or("FreeSWITCH has no words for it")?;
    let files = list.split('!').filter(|file| !file.is_empty() && !file.contains("://"));
    let folder = folder.trim_end_matches('/');
    let whole = |file: &str| {
        if file.starts_with('/') { file.to_owned() } else { format!("{folder}/{file}") }
    };
    let files: Vec<_> = files.map(whole).take(FILES_MAX + 1).collect();
    match files.len() {
        0 => Err("FreeSWITCH has no words for it".to_owned()),
        1..=FILES_MAX => Ok(files),
        _ => Err(format!("it takes more than {FILES_MAX} words")),
    }
}

/// Seconds by which a clock is ahead of UTC, from the answer to `strftime …|%z`: `+0130`.
///
/// # Errors
/// A sentence when it is not that.
pub fn utc_offset_s(answer: &str) -> Result<i64, String> {
    let strange = || "FreeSWITCH does not say its time zone".to_owned();
    let (sign, rest) = match answer.trim().split_at_checked(1) {
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        _ => return Err(strange()),
    };
    let digits = rest.len() == 4 && rest.bytes().all(|byte| byte.is_ascii_digit());
    let number: i64 = rest.parse().ok().filter(|_| digits).ok_or_else(strange)?;
    Ok(sign * (number / 100 * 3_600 + number % 100 * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_a_language_is_where_its_entry_says() {
        let of = |attributes: &str| {
            folder(&format!("<language name=\"en\" {attributes}><phrases/></language>"))
        };
        assert_eq!(
            of(r#"sound-prefix="/s/en/us/callie" sound-path="/b""#),
            Ok("/s/en/us/callie".into())
        );
        assert_eq!(of(r#"sound-path="/a&amp;b""#), Ok("/a&b".into()));
        assert_eq!(of(r#"sound_path="/c""#), Ok("/c".into()));
        for (xml, why) in [
            ("-ERR not found\n", "FreeSWITCH has no such language"),
            ("", "FreeSWITCH has no such language"),
            ("<language name=\"en\"/>", "the language has no folder of sounds"),
        ] {
            assert_eq!(folder(xml), Err(why.to_owned()), "{xml}");
        }
        assert!(folder("<language sound-prefix='a").is_err());
    }

    #[test]
    fn a_value_is_spoken_from_files_in_the_folder() {
        let all = files("file_string://digits/40.wav!silence_stream://100!/x/2.wav\n", "/s/");
        assert_eq!(all, Ok(vec!["/s/digits/40.wav".into(), "/x/2.wav".into()]));
        for none in ["", "-ERR no reply\n", "file_string://", "INTERNAL ERROR!\n"] {
            assert_eq!(files(none, "/s"), Err("FreeSWITCH has no words for it".into()), "{none}");
        }
        let many = format!("file_string://{}", "a!".repeat(FILES_MAX + 1));
        assert!(files(&many, "/s").unwrap_err().contains("more than 128"));
    }

    #[test]
    fn a_time_zone_is_so_many_seconds_ahead() {
        assert_eq!(utc_offset_s("+0130\n"), Ok(5_400));
        assert_eq!(utc_offset_s("-0800"), Ok(-28_800));
        for bad in ["", "0100", "+1", "+01:0", "CET", "-ERR\n"] {
            assert!(utc_offset_s(bad).is_err(), "{bad}");
        }
    }
}
