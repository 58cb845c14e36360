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

/// The background jobs of one connection. Other clients' jobs end in the same event, an earlier
/// connection's of our own too, so that each connection numbers its jobs elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobSeries(u32);

impl JobSeries {
    /// A series that is as unlike others as `random` is.
    pub const fn new(random: u32) -> Self {
        // With the highest bit set, all jobs of a series have the same first eight digits.
        Self(random | 0x8000_0000)
    }

    pub(super) fn job(self, nth: u32) -> JobId {
        JobId(u64::from(self.0) << 32 | u64::from(nth))
    }

    /// What every job's identity begins with.
    pub(super) fn prefix(self) -> String {
        format!("j{:x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_of_a_series_begins_alike_and_no_other_does() {
        for random in [0, 1, 0x7fff_ffff, u32::MAX] {
            let series = JobSeries::new(random);
            for nth in [0, 1, u32::MAX] {
                let text = series.job(nth).to_string();
                assert!(text.starts_with(&series.prefix()), "{text}");
                assert_eq!(text.parse(), Ok(series.job(nth)));
                assert!(!text.starts_with(&JobSeries::new(random ^ 2).prefix()));
            }
        }
    }

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
