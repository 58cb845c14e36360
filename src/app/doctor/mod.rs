//! `callwright doctor`: what is wrong with this machine and with each FreeSWITCH that a `[[link]]`
//! names, why it matters to callers, and what to do about it.
//!
//! Everything is read first (`machine`, `switch`); each check (`check/`) is then a function from
//! the readings to findings, so that what a FreeSWITCH once answered can be judged in a test. A
//! check whose reading is missing finds nothing: that it is missing is a finding of its own.

mod answers;
mod certificate;
mod check;
mod dialplan;
mod finding;
mod machine;
mod ports;
mod switch;
mod used;
mod xml;

use serde::Serialize;

use super::config::Config;
use machine::Machine;
use switch::Switch;

pub use finding::{Finding, WHOLE};

/// All that was read.
#[derive(Debug)]
struct Readings {
    config: Config,
    machine: Machine,
    switches: Vec<Switch>,
}

/// What was found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Whether there is no error.
    pub healthy: bool,
    pub errors: usize,
    pub warnings: usize,
    /// The errors first.
    pub findings: Vec<Finding>,
    /// What was looked at, and how it is, a line each.
    pub examined: Vec<Examined>,
}

/// Something that was looked at.
#[derive(Debug, Serialize)]
pub struct Examined {
    #[serde(rename = "where")]
    pub place: String,
    pub what: String,
}

/// Examines this machine, and each FreeSWITCH. Codes in `except` don't count.
pub async fn examine(config: &Config, except: &[String]) -> Report {
    let machine = machine::read(config).await;
    let switches = switch::read_all(config, &machine.used).await;
    let readings = Readings { config: config.clone(), machine, switches };
    report(&readings, except)
}

fn report(readings: &Readings, except: &[String]) -> Report {
    let mut findings: Vec<Finding> = check::ALL.iter().flat_map(|check| check(readings)).collect();
    findings.retain(|finding| !except.iter().any(|code| code == finding.code));
    findings.sort_by_key(|finding| finding.severity);
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    let warnings = findings.len() - errors;
    let machine = Examined { place: WHOLE.to_owned(), what: readings.machine.describe() };
    let switches = readings
        .switches
        .iter()
        .map(|switch| Examined { place: switch.name.clone(), what: switch.describe() });
    let examined = std::iter::once(machine).chain(switches).collect();
    Report { healthy: errors == 0, errors, warnings, findings, examined }
}
