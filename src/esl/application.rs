//! The dialplan applications that we use, each with typed arguments, and how each argument is
//! written.

use std::fmt::{self, Write};

use crate::base::cause::HangupCause;
use crate::base::digits::{Digit, Digits};

use super::argument::{
    DialPart, FilePath, FreeText, PlainValue, Refused, SayText, Tones, VariableName, Why, Word,
};
use super::conference::Join;
use super::dial_string::DialString;

/// Most sounds in one list (`mod_dptools.c` file_string_context).
pub const SOUNDS_MAX: usize = 128;
/// Most variables in one `multiset`, below what it takes (`mod_dptools.c` multiset_function).
const VARIABLES_MAX: usize = 64;
/// Most keys in one `send_dtmf`; with the duration 99 bytes are taken (`switch_core_io.c`
/// switch_core_session_send_dtmf_string).
const DIGITS_MAX: usize = 80;
/// Most legs in one dial string, below what it takes (`switch_ivr_originate.c` MAX_PEERS).
pub const LEGS_MAX: usize = 64;
/// Separates the pairs of `multiset`: a byte that no value holds.
const PAIR_SEPARATOR: char = '\u{1f}';

/// One thing to play.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sound {
    File(FilePath),
    Tones(Tones),
    /// So many milliseconds of nothing.
    Silence(u64),
}

impl fmt::Display for Sound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.write_str(path.as_str()),
            Self::Tones(recipe) => write!(f, "tone_stream://{}", recipe.as_str()),
            Self::Silence(ms) => write!(f, "silence_stream://{ms}"),
        }
    }
}

/// Which keys end a sound or a recording. They are consumed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Terminators {
    #[default]
    None,
    Any,
    These(Vec<Digit>),
}

/// What kind of thing `say` pronounces (`switch_ivr_say.c` SAY_TYPE_NAMES).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SayKind {
    Number,
    Currency,
    CurrentDate,
    CurrentTime,
    CurrentDateTime,
    ShortDateTime,
    TelephoneNumber,
    TelephoneExtension,
    NameSpelled,
    TimeMeasurement,
}

/// How `say` pronounces it (`switch_ivr_say.c` SAY_METHOD_NAMES).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SayMethod {
    Pronounced,
    Iterated,
    Counted,
}

/// An application with its argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Application {
    Answer,
    PreAnswer,
    RingReady,
    /// Refuses the call with a SIP status.
    Respond(u16),
    /// Plays sounds one after another as one playback.
    Playback {
        sounds: Vec<Sound>,
        terminators: Terminators,
    },
    /// Pronounces with the recordings of a language.
    Say {
        language: Word,
        kind: SayKind,
        method: SayMethod,
        text: SayText,
        terminators: Terminators,
    },
    /// Text to speech.
    Speak {
        engine: Word,
        voice: Word,
        text: FreeText,
        terminators: Terminators,
    },
    /// Records the caller until the limit (seconds), a key, or `silence_s` seconds below
    /// `threshold`.
    Record {
        path: FilePath,
        limit_s: u32,
        threshold: u32,
        silence_s: u32,
        terminators: Terminators,
    },
    Bridge(DialString),
    /// Joins a conference room, until the member leaves it.
    Conference(Join),
    Transfer {
        extension: DialPart,
        dialplan: Word,
        context: Word,
    },
    Hangup(HangupCause),
    /// Sets variables in the order of the queue; `SetVariables` of `Api` sets them at once.
    Multiset(Vec<(VariableName, PlainValue)>),
    /// Waits so many milliseconds.
    Sleep(u64),
    /// Sends keys to the caller, each so many milliseconds long.
    SendDtmf {
        digits: Digits,
        duration_ms: u32,
    },
    /// Forgets keys that were pressed and not read yet.
    FlushDtmf,
}

/// A soft tone, twice in five seconds.
const COMFORT: &str = "v=-25;%(300,200,425);%(300,4200,425)";

impl Sound {
    /// What can always be played to somebody who waits.
    #[allow(clippy::unwrap_used, reason = "the recipe is a constant of ours, and well-formed")]
    pub fn comfort() -> Self {
        Self::Tones(Tones::new(COMFORT).unwrap())
    }

    /// As it is played again and again. A tone that is over can't be begun anew, a file can
    /// (`mod_tone_stream.c` has no seek).
    pub(super) fn endless(&self) -> String {
        match self {
            Self::File(path) => path.as_str().to_owned(),
            Self::Tones(recipe) => format!("tone_stream://{};loops=-1", recipe.as_str()),
            Self::Silence(_) => "silence_stream://-1".to_owned(),
        }
    }
}

impl Application {
    /// FreeSWITCH's name of it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::PreAnswer => "pre_answer",
            Self::RingReady => "ring_ready",
            Self::Respond(_) => "respond",
            Self::Playback { .. } => "playback",
            Self::Say { .. } => "say",
            Self::Speak { .. } => "speak",
            Self::Record { .. } => "record",
            Self::Bridge(_) => "bridge",
            Self::Conference(_) => "conference",
            Self::Transfer { .. } => "transfer",
            Self::Hangup(_) => "hangup",
            Self::Multiset(_) => "multiset",
            Self::Sleep(_) => "sleep",
            Self::SendDtmf { .. } => "send_dtmf",
            Self::FlushDtmf => "flush_dtmf",
        }
    }

    /// Refuses lists that FreeSWITCH would cut off or take for nothing.
    pub(super) fn check(&self) -> Result<(), Refused> {
        let (argument, length, most) = match self {
            Self::Playback { sounds, .. } => ("list of sounds", sounds.len(), SOUNDS_MAX),
            Self::Multiset(pairs) => ("list of variables", pairs.len(), VARIABLES_MAX),
            Self::SendDtmf { digits, .. } => ("string of keys", digits.len(), DIGITS_MAX),
            Self::Bridge(dial_string) => ("dial string", dial_string.len(), LEGS_MAX),
            Self::Conference(join) => return join.check(),
            _ => return Ok(()),
        };
        match length {
            0 => Err(Refused { argument, why: Why::Empty }),
            length if length > most => Err(Refused { argument, why: Why::TooMany(most) }),
            _ => Ok(()),
        }
    }

    /// The argument as FreeSWITCH is to read it; empty when there is none.
    pub(super) fn argument(&self) -> String {
        match self {
            Self::Answer | Self::PreAnswer | Self::RingReady | Self::FlushDtmf => String::new(),
            Self::Respond(status) => status.to_string(),
            Self::Playback { sounds, terminators } => scoped(terminators) + &playlist(sounds),
            Self::Say { language, kind, method, text, terminators } => {
                let words = [language.as_str(), kind.word(), method.word(), text.as_str()];
                scoped(terminators) + &words.join(" ")
            }
            Self::Speak { engine, voice, text, terminators } => {
                let parts = [engine.as_str(), voice.as_str(), text.as_str()];
                scoped(terminators) + &parts.join("|")
            }
            Self::Record { path, limit_s, threshold, silence_s, terminators } => {
                let path = path.as_str();
                scoped(terminators) + &format!("{path} {limit_s} {threshold} {silence_s}")
            }
            Self::Bridge(dial_string) => dial_string.to_string(),
            Self::Conference(join) => join.argument(),
            Self::Transfer { extension, dialplan, context } => {
                [extension.as_str(), dialplan.as_str(), context.as_str()].join(" ")
            }
            Self::Hangup(cause) => cause.name().to_owned(),
            Self::Multiset(pairs) => multiset(pairs),
            Self::Sleep(ms) => ms.to_string(),
            Self::SendDtmf { digits, duration_ms } => format!("{}@{duration_ms}", digits.as_str()),
        }
    }

    /// Whether the argument goes in a body: free text, and whatever is long, because FreeSWITCH
    /// reads headers byte by byte and bodies at once (`mod_event_socket.c` read_packet).
    pub(super) fn wants_body(&self, argument: &str) -> bool {
        matches!(self, Self::Speak { .. }) || argument.len() > super::command::HEADER_ARGUMENT_MAX
    }
}

impl SayKind {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Currency => "currency",
            Self::CurrentDate => "current_date",
            Self::CurrentTime => "current_time",
            Self::CurrentDateTime => "current_date_time",
            Self::ShortDateTime => "short_date_time",
            Self::TelephoneNumber => "telephone_number",
            Self::TelephoneExtension => "telephone_extension",
            Self::NameSpelled => "name_spelled",
            Self::TimeMeasurement => "time_measurement",
        }
    }
}

impl SayMethod {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Pronounced => "pronounced",
            Self::Iterated => "iterated",
            Self::Counted => "counted",
        }
    }
}

/// `%[…]` sets variables for this one run of the application (`switch_core_session.c`
/// switch_core_session_exec, switch_channel_set_scope_variables).
fn scoped(terminators: &Terminators) -> String {
    let keys = match terminators {
        Terminators::None => "none".to_owned(),
        Terminators::Any => "any".to_owned(),
        Terminators::These(keys) => keys.iter().map(|key| char::from(*key)).collect(),
    };
    format!("%[playback_terminators={keys}]")
}

pub(super) fn playlist(sounds: &[Sound]) -> String {
    let mut list = String::new();
    if sounds.len() > 1 {
        list.push_str("file_string://");
    }
    for (nth, sound) in sounds.iter().enumerate() {
        if nth > 0 {
            list.push('!');
        }
        // Writing into a text can't fail.
        let _ = write!(list, "{sound}");
    }
    list
}

fn multiset(pairs: &[(VariableName, PlainValue)]) -> String {
    let mut list = "^^".to_owned();
    for (name, value) in pairs {
        list.push(PAIR_SEPARATOR);
        list.push_str(name.as_str());
        list.push('=');
        list.push_str(value.as_str());
    }
    list
}
