//! Values that must not reach a log.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A phone number, secret or the like: `Debug` and `Display` show a stub, `reveal` the value.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Masked<T>(T);

impl<T> Masked<T> {
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    pub const fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Masked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("•••")
    }
}

impl<T> fmt::Display for Masked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("•••")
    }
}

/// A party's number with all but its last `shown` characters replaced: `+155501•••`-like records
/// keep a caller recognisable to who knows the number, and to nobody else.
pub fn mask_number(number: &str, shown: usize) -> String {
    let length = number.chars().count();
    let hidden = length.saturating_sub(shown);
    std::iter::repeat_n('•', hidden).chain(number.chars().skip(hidden)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_value_prints_as_a_stub() {
        let secret = Masked::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "••• •••");
        assert_eq!(*secret.reveal(), "hunter2");
        assert_eq!(mask_number("+15550123", 2), "•••••••23");
        assert_eq!(mask_number("7", 2), "7");
    }
}
