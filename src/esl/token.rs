//! Identities that we give to what we ask for, and that FreeSWITCH gives back. They are short,
//! because FreeSWITCH reads a command's head with one system call for each byte.

use std::fmt;
use std::str::FromStr;

/// A text that is no identity of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an identity that was given here")]
pub struct NotOurs;

macro_rules! token {
    ($(#[$doc:meta])* $name:ident, $letter:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{:x}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = NotOurs;

            /// Takes only what `Display` writes: another application's UUID is not ours.
            fn from_str(text: &str) -> Result<Self, NotOurs> {
                let digits = text.strip_prefix($letter).ok_or(NotOurs)?;
                let token = u64::from_str_radix(digits, 16).map(Self).map_err(|_| NotOurs)?;
                if token.to_string() == text { Ok(token) } else { Err(NotOurs) }
            }
        }
    };
}

token!(
    /// One execute command: `Event-UUID` on the way out, `Application-UUID` on the way back.
    ExecuteId,
    "x"
);
token!(
    /// One background job.
    JobId,
    "j"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_spelling_is_ours() {
        assert_eq!(ExecuteId(0x1f).to_string().parse(), Ok(ExecuteId(0x1f)));
        for text in
            ["", "x", "1f", "x01", "X1", "x+1", "j1", "6b3a0d8e-8a31-4a5c-9b1d-0e5b7d9e1f2a"]
        {
            assert_eq!(text.parse::<ExecuteId>(), Err(NotOurs), "{text}");
        }
    }
}
