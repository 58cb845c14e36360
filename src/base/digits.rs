//! The sixteen keys of a telephone, and strings of them. Digits are PINs and card numbers: printing
//! them for a developer (`Debug`) shows only how many there are.

use std::fmt;
use std::str::FromStr;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_never_shown_to_a_developer() {
        let digits: Digits = "4711#".parse().unwrap();
        assert_eq!(format!("{digits:?}"), "Digits(5 keys)");
        assert_eq!(digits.as_str(), "4711#");
        assert!("12x".parse::<Digits>().is_err());
        assert!("1\n".parse::<Digits>().is_err());
    }
}
