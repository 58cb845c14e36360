//! Values that go to FreeSWITCH, one type for each kind. A value of these types can't add a line, a
//! header, an argument or a variable to a command, and is never expanded; each type says why. What
//! can't be carried is refused with the reason.
//!
//! What FreeSWITCH would act on, by file and function of 1.10.12:
//! - lines end at CR or LF, NUL hides the rest (`mod_event_socket.c` read_packet);
//! - `${…}` and `$${…}` in an application's argument are replaced, run APIs included, and a `\` may
//!   stand between `$` and `{` (`switch_channel.c` switch_channel_expand_variables_check,
//!   `switch_utils.h` switch_string_var_check_const);
//! - `\\`, `\n`, `\s`, `\t`, `\'` make the same pass rewrite backslashes
//!   (switch_string_has_escaped_data);
//! - a leading `%[…]` or `%X[…]` sets variables (`switch_core_session.c` switch_core_session_exec);
//! - words split at spaces or a given byte, `'` groups, `\` escapes, a leading `^^X` makes X the
//!   separator, outer spaces go (`switch_utils.c` switch_separate_string,
//!   cleanup_separated_string);
//! - a value that begins `ARRAY::` becomes several (`switch_event.c` switch_event_base_add_header).

use std::fmt;

use thiserror::Error;

/// Longest text for speech, in bytes.
pub const TEXT_MAX: usize = 8 * 1024;
/// Longest variable value, in bytes.
pub const VALUE_MAX: usize = 4 * 1024;
/// Longest sealed value, in bytes: FreeSWITCH sends it with each event.
pub const SEALED_MAX: usize = 16 * 1024;
/// Longest path, number, user or host, in bytes.
pub const WORD_MAX: usize = 512;

/// A value that can't be carried to FreeSWITCH safely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the {argument} can't be sent: {why}")]
pub struct Refused {
    /// Which argument: `path`, `caller name`, …
    pub argument: &'static str,
    pub why: Why,
}

/// Why a value can't be carried. It never repeats the value: that may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Why {
    #[error("it is empty")]
    Empty,
    #[error("it has more than {0} bytes")]
    TooLong(usize),
    #[error("there are more than {0}")]
    TooMany(usize),
    #[error("byte {at} is 0x{byte:02x}, which is not allowed there")]
    Byte { at: usize, byte: u8 },
    #[error("FreeSWITCH would expand the `$` at byte {at}")]
    Expansion { at: usize },
    #[error("it begins with `{0}`, which FreeSWITCH would take for an instruction")]
    Beginning(&'static str),
    #[error("it begins or ends with a space, which would be lost")]
    OuterSpace,
    #[error("it is not `user@domain`")]
    NoDomain,
    #[error("it steps out of its folder with `..`")]
    Traversal,
    #[error("a variable of that name makes FreeSWITCH execute something")]
    Executes,
    #[error("its dialplan can't bring it back to us")]
    NoWayBack,
    #[error("the words that unload FreeSWITCH's Event Socket module stand in one command")]
    Unloads,
}

/// The place of the first byte that `allowed` does not take.
pub(super) fn check_bytes(
    argument: &'static str,
    text: &str,
    max: usize,
    allowed: fn(u8) -> bool,
) -> Result<(), Refused> {
    let refuse = |why| Err(Refused { argument, why });
    if text.is_empty() {
        return refuse(Why::Empty);
    }
    if text.len() > max {
        return refuse(Why::TooLong(max));
    }
    match text.bytes().enumerate().find(|(_, byte)| !allowed(*byte)) {
        Some((at, byte)) => refuse(Why::Byte { at, byte }),
        None => Ok(()),
    }
}

/// Where FreeSWITCH would begin to expand, or might if more text followed: a `$` before `{`, `$`,
/// `\` or the end.
fn expansion(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    memchr::memchr_iter(b'$', bytes)
        .find(|at| matches!(bytes.get(at + 1), None | Some(b'{' | b'$' | b'\\')))
}

const BEGINNINGS: [&str; 3] = ["^^", "ARRAY::", "%"];

fn check_beginning(argument: &'static str, text: &str) -> Result<(), Refused> {
    let found = BEGINNINGS.iter().find(|beginning| text.starts_with(**beginning));
    found.map_or(Ok(()), |found| Err(Refused { argument, why: Why::Beginning(found) }))
}

fn check_text(argument: &'static str, text: &str) -> Result<(), Refused> {
    check_beginning(argument, text)?;
    if let Some(at) = expansion(text) {
        return Err(Refused { argument, why: Why::Expansion { at } });
    }
    if text.starts_with(' ') || text.ends_with(' ') {
        return Err(Refused { argument, why: Why::OuterSpace });
    }
    Ok(())
}

/// Printable ASCII and whatever is beyond ASCII.
const fn printable(byte: u8) -> bool {
    byte >= b' ' && byte != 0x7f
}

const fn word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'+')
}

macro_rules! argument {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        /// Shows the length only: values may be numbers of persons, names or secrets.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({} bytes)", stringify!($name), self.0.len())
            }
        }
    };
}

argument! {
    /// An absolute path of a sound file: letters, digits, bytes beyond ASCII and `/_.-+=`, nothing
    /// that any splitter, opener (`{…}`, `!`, `@@`) or expander looks for (`switch_core_file.c`
    /// switch_core_perform_file_open, `mod_dptools.c` playback_function, file_string_file_open).
    FilePath
}

impl FilePath {
    pub fn new(path: &str) -> Result<Self, Refused> {
        let allowed = |b: u8| word_byte(b) || b >= 0x80 || matches!(b, b'/' | b'=');
        let argument = "path";
        check_bytes(argument, path, WORD_MAX, allowed)?;
        if !path.starts_with('/') {
            let byte = path.bytes().next().unwrap_or_default();
            return Err(Refused { argument, why: Why::Byte { at: 0, byte } });
        }
        if path.split('/').any(|part| part == "..") {
            return Err(Refused { argument, why: Why::Traversal });
        }
        Ok(Self(path.to_owned()))
    }
}

argument! {
    /// A recipe for tones in FreeSWITCH's Tone Generation Markup (`%(500,0,440)`), without lists,
    /// paths or variables: only the bytes of that language, and never `%[`.
    Tones
}

impl Tones {
    pub fn new(recipe: &str) -> Result<Self, Refused> {
        let allowed = |b: u8| {
            b.is_ascii_alphanumeric()
                || matches!(b, b'%' | b'(' | b')' | b',' | b';' | b'=' | b'.' | b'+' | b'-' | b'*')
        };
        check_bytes("tone recipe", recipe, WORD_MAX, allowed)?;
        Ok(Self(recipe.to_owned()))
    }
}

argument! {
    /// A number, user or extension: letters, digits and `_.-+*#`, none of which separates anything
    /// in a dial string or in the words of a command (`switch_ivr_originate.c`
    /// switch_ivr_originate).
    DialPart
}

impl DialPart {
    pub fn new(text: &str) -> Result<Self, Refused> {
        let allowed = |b: u8| word_byte(b) || matches!(b, b'*' | b'#');
        check_bytes("number", text, WORD_MAX, allowed)?;
        if text.starts_with('-') {
            // `uuid_transfer` reads `-both` and `-bleg` there (`mod_commands.c` transfer_function).
            return Err(Refused { argument: "number", why: Why::Beginning("-") });
        }
        Ok(Self(text.to_owned()))
    }
}

argument! {
    /// A host name or IPv4 address, optionally with `:port`.
    Host
}

impl Host {
    pub fn new(text: &str) -> Result<Self, Refused> {
        let (host, port) = text.split_once(':').unwrap_or((text, "1"));
        check_bytes("host", host, 255, |b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))?;
        check_bytes("port", port, 5, |b| b.is_ascii_digit())?;
        if host.starts_with('-') {
            return Err(Refused { argument: "host", why: Why::Beginning("-") });
        }
        Ok(Self(text.to_owned()))
    }
}

argument! {
    /// A word of configuration: a profile, context, dialplan, language, voice or engine. Letters,
    /// digits and `_.-+`, not beginning with `-`.
    Word
}

impl Word {
    pub fn new(argument: &'static str, text: &str) -> Result<Self, Refused> {
        check_bytes(argument, text, WORD_MAX, word_byte)?;
        if text.starts_with('-') {
            return Err(Refused { argument, why: Why::Beginning("-") });
        }
        Ok(Self(text.to_owned()))
    }
}

argument! {
    /// The name of a channel variable: letters, digits and `_.-`, and none whose value FreeSWITCH
    /// would execute (`execute_on_…`, `api_on_…`, `api_hangup_hook`, `…_exec_…`: `switch_channel.c`
    /// switch_channel_execute_on, switch_channel_api_on).
    VariableName
}

impl VariableName {
    /// The one name whose value is executed that is ever sent, and its value is made in one place
    /// (`DialVariable::hang_up_after`).
    pub(super) fn on_answer() -> Self {
        Self("execute_on_answer".to_owned())
    }

    pub fn new(name: &str) -> Result<Self, Refused> {
        let argument = "variable name";
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        check_bytes(argument, name, 128, allowed)?;
        let lower = name.to_ascii_lowercase();
        if lower.contains("exec") || lower.starts_with("api_") || lower.contains("_api_") {
            return Err(Refused { argument, why: Why::Executes });
        }
        Ok(Self(name.to_owned()))
    }
}

argument! {
    /// A channel variable's value: any printable text that nothing expands or takes for an
    /// instruction, whoever mentions the variable later. Quotes, separators and backslashes are
    /// escaped where it is written (`switch_utils.c` cleanup_separated_string undoes that).
    VariableValue
}

impl VariableValue {
    pub fn new(value: &str) -> Result<Self, Refused> {
        let argument = "variable value";
        if !value.is_empty() {
            check_bytes(argument, value, VALUE_MAX, printable)?;
            check_text(argument, value)?;
        }
        Ok(Self(value.to_owned()))
    }

    /// What is sealed may be longer than other values.
    pub fn sealed(value: &str) -> Result<Self, Refused> {
        Sealed::new(value).map(|sealed| Self(sealed.0))
    }

    /// The same text without what can't be carried.
    pub fn cleaned(value: &str) -> Self {
        Self(clean(value, VALUE_MAX, printable))
    }
}

argument! {
    /// Sealed bytes in base64url (RFC 4648 section 5): nothing splits at any of these characters.
    Sealed
}

impl Sealed {
    pub fn new(value: &str) -> Result<Self, Refused> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        check_bytes("sealed value", value, SEALED_MAX, allowed)?;
        Ok(Self(value.to_owned()))
    }
}

argument! {
    /// A variable's value for `multiset`, whose two passes of expansion and one of splitting would
    /// eat quotes and backslashes (`mod_dptools.c` multiset_function, base_set): it has none.
    PlainValue
}

impl PlainValue {
    pub fn new(value: &str) -> Result<Self, Refused> {
        let value = VariableValue::new(value)?.0;
        match value.bytes().enumerate().find(|(_, byte)| matches!(byte, b'\\' | b'\'')) {
            Some((at, byte)) => {
                Err(Refused { argument: "variable value", why: Why::Byte { at, byte } })
            }
            None => Ok(Self(value)),
        }
    }
}

argument! {
    /// A text for a person: to be spoken. It travels in a body, so it may have several lines. No
    /// `\`, since the expander rewrites those, and no braces, which give the engine parameters
    /// (`switch_core_speech.c` switch_core_speech_feed_tts). It is the last of three fields, and
    /// the splitter looks no further (`mod_dptools.c` speak_function).
    FreeText
}

const fn speakable(byte: u8) -> bool {
    (printable(byte) || byte == b'\n') && !matches!(byte, b'\\' | b'{' | b'}')
}

impl FreeText {
    pub fn new(text: &str) -> Result<Self, Refused> {
        check_bytes("text", text, TEXT_MAX, speakable)?;
        check_text("text", text)?;
        Ok(Self(text.to_owned()))
    }

    /// The same text without what can't be carried; `None` when nothing is left.
    pub fn cleaned(text: &str) -> Option<Self> {
        let text = clean(text, TEXT_MAX, speakable);
        (!text.is_empty()).then_some(Self(text))
    }
}

argument! {
    /// A caller's name to be shown to another party: what no dial string parser looks at, so no
    /// quotes, brackets or separators (`switch_event.c` switch_event_create_brackets).
    DisplayName
}

const fn displayable(byte: u8) -> bool {
    byte >= 0x80
        || byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b' ' | b'_' | b'.' | b'-' | b'+' | b'*' | b'#' | b'/' | b'&' | b'(' | b')'
        )
}

impl DisplayName {
    pub fn new(name: &str) -> Result<Self, Refused> {
        check_bytes("caller name", name, 128, displayable)?;
        check_text("caller name", name)?;
        Ok(Self(name.to_owned()))
    }

    /// The same name without what can't be carried; `None` when nothing is left.
    pub fn cleaned(name: &str) -> Option<Self> {
        let name = clean(name, 128, displayable);
        (!name.is_empty()).then_some(Self(name))
    }
}

argument! {
    /// What the `say` application pronounces: a number, digits, a date as seconds since 1970, a
    /// time. One word without quotes (`mod_dptools.c` say_function).
    SayText
}

impl SayText {
    pub fn new(text: &str) -> Result<Self, Refused> {
        let allowed = |b: u8| word_byte(b) || matches!(b, b'*' | b'#' | b':' | b'@' | b'/');
        check_bytes("text to say", text, WORD_MAX, allowed)?;
        Ok(Self(text.to_owned()))
    }
}

argument! {
    /// A regular expression for FreeSWITCH: no space, quote, backslash or `$` but a last one,
    /// because tokeniser and expander would change it. Write `[0-9]` for `\d`.
    RegexArg
}

impl RegexArg {
    pub fn new(pattern: &str) -> Result<Self, Refused> {
        let argument = "pattern";
        let allowed = |b: u8| b.is_ascii_graphic() && !matches!(b, b'\'' | b'"' | b'\\' | b'%');
        check_bytes(argument, pattern, WORD_MAX, allowed)?;
        check_beginning(argument, pattern)?;
        let inner = pattern.strip_suffix('$').unwrap_or(pattern);
        if let Some(at) = inner.find('$') {
            return Err(Refused { argument, why: Why::Expansion { at } });
        }
        Ok(Self(pattern.to_owned()))
    }
}

/// Drops the bytes that `allowed` does not take, then what would expand or instruct, to the end.
fn clean(text: &str, max: usize, allowed: fn(u8) -> bool) -> String {
    let keep = |c: char| !c.is_ascii() || u8::try_from(c).is_ok_and(allowed);
    let spaced = |c: char| if matches!(c, '\n' | '\r' | '\t') && !keep(c) { ' ' } else { c };
    let mut kept: String = text.chars().map(spaced).filter(|c| keep(*c)).collect();
    while let Some(at) = expansion(&kept) {
        kept.remove(at);
    }
    let mut rest = kept.trim_matches(' ');
    while let Some(beginning) = BEGINNINGS.iter().find(|b| rest.starts_with(**b)) {
        rest = rest.get(beginning.len()..).unwrap_or_default().trim_start_matches(' ');
    }
    let end = (0..=rest.len().min(max)).rev().find(|end| rest.is_char_boundary(*end)).unwrap_or(0);
    let rest = rest.get(..end).unwrap_or_default();
    let rest = rest.trim_end_matches([' ', '$']);
    rest.to_owned()
}
