//! The checks, by theme: each a function from what was read to what is wrong.
//!
//! | code | what it is about |
//! |---|---|
//! | `switch-none` | no `[[link]]` in the settings |
//! | `switch-settings` | a link's settings can't be used |
//! | `switch-unreachable` | nobody answers at a link's address |
//! | `switch-password` | FreeSWITCH does not take the password |
//! | `switch-acl` | FreeSWITCH's access list does not have us |
//! | `switch-silent` | something answers, and not as FreeSWITCH does |
//! | `switch-unanswered` | a question was not answered |
//! | `switch-password-shipped` | the password is the one everybody knows |
//! | `switch-refused-here` | `switch.allow` does not have FreeSWITCH's address |
//! | `switch-module-missing` | a module is not loaded |
//! | `switch-codec-missing` | a profile names a codec that is not loaded |
//! | `switch-version-old` | a FreeSWITCH older than those that were tried |
//! | `switch-api-expansion` | text of a caller's could run commands |
//! | `switch-not-ready` | FreeSWITCH takes no calls |
//! | `switch-full` | nearly as many sessions as it takes |
//! | `switch-loglevel` | its logs hold what was said in SIP |
//! | `switch-rtp-ports` | fewer ports for sound than sessions |
//! | `clock-off` | its clock and ours differ |
//! | `disk-full` | a directory has no room |
//! | `directory-unwritable` | a directory can't be written |
//! | `directory-not-shared` | FreeSWITCH does not see a directory of ours |
//! | `directory-unwritable-there` | FreeSWITCH's user can't write where it records |
//! | `prompt-missing` | FreeSWITCH has not the file of a prompt |
//! | `prompt-unreadable` | FreeSWITCH's user can't read it |
//! | `sounds-missing` | FreeSWITCH has not the recorded words of a language |
//! | `profile-missing` | a SIP profile that the settings name does not run |
//! | `profile-not-running` | a SIP profile of FreeSWITCH's files does not run |
//! | `profile-nat` | a SIP profile announces an address at which it is not reached |
//! | `profile-loopback` | a SIP profile is reached from this machine only |
//! | `profile-context` | calls of a SIP profile come into no context |
//! | `dialplan-none` | the dialplan does not lead to us |
//! | `dialplan-address` | the dialplan leads elsewhere |
//! | `dialplan-not-async-full` | `socket` lacks `async` or `full` |
//! | `dialplan-no-resume` | `socket_resume` is not set |
//! | `dialplan-no-fallback` | nobody takes a caller on when we don't |
//! | `dialplan-context` | a context that the settings name is not there |
//! | `xml-curl-none` | FreeSWITCH does not ask us for gateways and phones |
//! | `port-taken` | another process has a port of ours |
//! | `port-unusable` | an address can't be listened on |
//! | `database-unreachable` | the database does not answer |
//! | `database-empty` | there are no tables yet |
//! | `database-behind` | the tables are older than the program |
//! | `database-ahead` | the tables are newer than the program |
//! | `database-broken` | a change of the tables did not come to its end |
//! | `key-file-open` | others can read the keys |
//! | `key-file-unreadable` | the keys can't be read |
//! | `certificate-ends` | the API's certificate ends, or can't be read |
//! | `memory-low` | the machine has little memory left |

mod clock;
mod core;
mod dialplan;
mod disk;
mod link;
mod machine;
pub(super) mod modules;
mod nat;
mod ports;
mod profiles;
pub(super) mod sounds;

#[cfg(test)]
pub(super) mod sample;

use super::{Finding, Readings};

/// Every check.
pub(super) const ALL: &[fn(&Readings) -> Vec<Finding>] = &[
    link::check,
    modules::check,
    core::check,
    clock::check,
    disk::check,
    profiles::check,
    nat::check,
    sounds::check,
    dialplan::check,
    ports::check,
    machine::check,
];
