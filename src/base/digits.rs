//! The sixteen keys of a telephone, and strings of them. Digits are PINs and card numbers: printing
//! them for a developer (`Debug`) shows only how many there are.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One key: `0`-`9`, `*`, `#`, `A`-`D`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "char", into = "char")]
pub struct Digit(u8);

/// Why a text is not keys of a telephone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("only the keys 0-9, *, # and A-D can be pressed on a telephone")]
pub struct DigitError;

impl Digit {
    /// Takes lower-case letters too: some phones send them.
    pub fn new(byte: u8) -> Option<Self> {
        let byte = byte.to_ascii_uppercase();
        matches!(byte, b'0'..=b'9' | b'*' | b'#' | b'A'..=b'D').then_some(Self(byte))
    }

    pub const fn byte(self) -> u8 {
        self.0
    }
}

impl TryFrom<char> for Digit {
    type Error = DigitError;
    fn try_from(character: char) -> Result<Self, DigitError> {
        u8::try_from(character).ok().and_then(Self::new).ok_or(DigitError)
    }
}

impl From<Digit> for char {
    fn from(digit: Digit) -> Self {
        Self::from(digit.0)
    }
}

impl fmt::Debug for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digit(•)")
    }
}

/// Keys pressed one after another. `as_str` shows them; `Debug` does not.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digits(String);

impl Digits {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn push(&mut self, digit: Digit) {
        self.0.push(char::from(digit));
    }

    pub fn contains(&self, digit: Digit) -> bool {
        self.0.as_bytes().contains(&digit.byte())
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn iter(&self) -> impl Iterator<Item = Digit> + '_ {
        self.0.bytes().map(Digit)
    }
}

impl FromStr for Digits {
    type Err = DigitError;
    fn from_str(text: &str) -> Result<Self, DigitError> {
        text.chars().map(|c| Digit::try_from(c).map(char::from)).collect::<Result<_, _>>().map(Self)
    }
}

impl TryFrom<String> for Digits {
    type Error = DigitError;
    fn try_from(text: String) -> Result<Self, DigitError> {
        text.parse()
    }
}

impl From<Digits> for String {
    fn from(digits: Digits) -> Self {
        digits.0
    }
}

impl fmt::Debug for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digits({} keys)", self.len())
    }
}

/// Keys and pauses in one [`Keying`], so that FreeSWITCH takes them with a length beside them
/// (`switch_core_io.c` switch_core_session_send_dtmf_string: 99 bytes).
pub const KEYING_MAX: usize = 80;

/// Keys to be sent one after another; `w` is a pause of half a second. `as_str` shows them; `Debug`
/// does not.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = "^[0-9*#A-Dw]{1,80}$"))]
pub struct Keying(String);

/// Why a text can't be sent as keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyingError {
    #[error("only the keys 0-9, *, # and A-D, and w for a pause of half a second, can be sent")]
    Stranger,
    #[error("there is no key to send")]
    Empty,
    #[error("at most {KEYING_MAX} keys and pauses are sent in one go")]
    TooLong,
}

impl Keying {
    const PAUSE: char = 'w';
    const PAUSE_MS: u64 = 500;
    /// What FreeSWITCH leaves between two keys (`sofia.c`, `rtp-digit-delay`).
    const BETWEEN_MS: u64 = 40;

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How many keys, without pauses.
    pub fn keys(&self) -> usize {
        self.0.chars().filter(|c| *c != Self::PAUSE).count()
    }

    /// How long it takes to send them, in ms, where each key is so long.
    pub fn length_ms(&self, key_ms: u64) -> u64 {
        let one = |c| if c == Self::PAUSE { Self::PAUSE_MS } else { key_ms + Self::BETWEEN_MS };
        self.0.chars().map(one).sum()
    }
}

impl FromStr for Keying {
    type Err = KeyingError;
    fn from_str(text: &str) -> Result<Self, KeyingError> {
        let one = |c: char| match c {
            'w' | 'W' => Ok(Self::PAUSE),
            key => Digit::try_from(key).map(char::from).map_err(|_| KeyingError::Stranger),
        };
        let keying = Self(text.chars().map(one).collect::<Result<_, _>>()?);
        match keying.keys() {
            0 => Err(KeyingError::Empty),
            _ if keying.0.len() > KEYING_MAX => Err(KeyingError::TooLong),
            _ => Ok(keying),
        }
    }
}

impl TryFrom<String> for Keying {
    type Error = KeyingError;
    fn try_from(text: String) -> Result<Self, KeyingError> {
        text.parse()
    }
}

impl From<Keying> for String {
    fn from(keying: Keying) -> Self {
        keying.0
    }
}

impl fmt::Debug for Keying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keying({} keys)", self.keys())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_to_send_have_pauses_and_a_length_and_are_not_shown() {
        let keying: Keying = "1w2W#".parse().unwrap();
        assert_eq!((keying.as_str(), keying.keys()), ("1w2w#", 3));
        assert_eq!(keying.length_ms(100), 3 * 140 + 2 * 500);
        assert_eq!(format!("{keying:?}"), "Keying(3 keys)");
        for (text, error) in [
            ("", KeyingError::Empty),
            ("ww", KeyingError::Empty),
            ("1@2000", KeyingError::Stranger),
            ("1 2", KeyingError::Stranger),
            (&*"1".repeat(81), KeyingError::TooLong),
        ] {
            assert_eq!(text.parse::<Keying>(), Err(error), "{text}");
        }
    }

    #[test]
    fn keys_are_never_shown_to_a_developer() {
        let digits: Digits = "4711#".parse().unwrap();
        assert_eq!(format!("{digits:?}"), "Digits(5 keys)");
        assert_eq!(digits.as_str(), "4711#");
        assert!("12x".parse::<Digits>().is_err());
        assert!("1\n".parse::<Digits>().is_err());
    }
}
