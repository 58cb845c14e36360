//! How a connection of ours says who it is.

use super::argument::{Refused, Why};
use crate::base::masked::Masked;

/// Longest password or user, in bytes.
pub const CREDENTIAL_MAX: usize = 256;

/// What FreeSWITCH asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// The password of `event_socket.conf`.
    Password(Password),
    /// A user of FreeSWITCH's directory with a password of its own (`esl-password`), who may be
    /// restricted to certain commands and events.
    User { user: DirectoryUser, password: Password },
}

impl Credentials {
    pub(super) fn line(&self) -> String {
        match self {
            Self::Password(password) => format!("auth {}", password.0.reveal()),
            Self::User { user, password } => {
                format!("userauth {}:{}", user.0, password.0.reveal())
            }
        }
    }
}

/// A password: everything but CR and LF, at which the line would end, and NUL, which hides the rest
/// (`mod_event_socket.c` parse_command takes what follows `auth `, spaces included).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Password(Masked<String>);

impl Password {
    pub fn new(password: &str) -> Result<Self, Refused> {
        check("password", password, |byte| !matches!(byte, b'\r' | b'\n' | 0))?;
        Ok(Self(Masked::new(password.to_owned())))
    }
}

/// `user@domain`. The line is split at the first `@` and at colons (`mod_event_socket.c`
/// parse_command, `userauth`), so that neither part may hold one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryUser(String);

impl DirectoryUser {
    pub fn new(text: &str) -> Result<Self, Refused> {
        let argument = "directory user";
        check(argument, text, |byte| byte > b' ' && !matches!(byte, b':' | 0x7f))?;
        match text.split_once('@') {
            Some((user, domain))
                if !user.is_empty() && !domain.is_empty() && !domain.contains('@') =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(Refused { argument, why: Why::NoDomain }),
        }
    }
}

fn check(argument: &'static str, text: &str, allowed: fn(u8) -> bool) -> Result<(), Refused> {
    super::argument::check_bytes(argument, text, CREDENTIAL_MAX, allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_travels_as_it_is_or_not_at_all() {
        for text in ["ClueCon", " a b ", "it's: \\ \"50%\" ${x} ~", "pässwörd", "\t\u{7f}"] {
            let credentials = Credentials::Password(Password::new(text).unwrap());
            assert_eq!(credentials.line(), format!("auth {text}"));
            assert!(!format!("{credentials:?}").contains(text));
        }
        for text in ["", "a\nb", "a\rb", "a\0b", &"x".repeat(CREDENTIAL_MAX + 1)] {
            let error = Password::new(text).unwrap_err().to_string();
            assert!(error.starts_with("the password can't be sent: "), "{error}");
        }
    }

    #[test]
    fn a_directory_user_is_one_name_at_one_domain() {
        let user = DirectoryUser::new("callwright@pbx.example").unwrap();
        let password = Password::new("a:b@c").unwrap();
        let line = Credentials::User { user, password }.line();
        assert_eq!(line, "userauth callwright@pbx.example:a:b@c");
        for text in ["", "a", "@b", "a@", "a@b@c", "a:b@c", "a@b:1", "a b@c", "a@b\nc"] {
            assert!(DirectoryUser::new(text).is_err(), "{text:?}");
        }
    }
}
