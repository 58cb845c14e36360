//! `callwright doctor`: what is wrong with this machine and each FreeSWITCH, and what to do.

use std::process::ExitCode;

use clap::Args;

use super::exit;
use super::screen::{BOLD, CYAN, DIM, GREEN, RED, Screen, YELLOW, count, paint};
use crate::app::config::Config;
use crate::app::doctor::{Finding, Report, examine};

/// What is examined.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Leave findings with this code out; may be given again
    #[arg(long, value_name = "CODE")]
    except: Vec<String>,
}

/// Prints what was found; exit 1 when something is wrong.
pub(super) async fn run(
    args: &Doctor,
    config: &Config,
    screen: Screen,
) -> anyhow::Result<ExitCode> {
    let report = examine(config, &args.except).await;
    screen.either(&report, |screen| show(&report, screen))?;
    Ok(if report.healthy { ExitCode::SUCCESS } else { ExitCode::from(exit::NO) })
}

fn show(report: &Report, screen: Screen) -> std::io::Result<()> {
    for examined in &report.examined {
        screen.line(format!("{} {}", paint(BOLD, &examined.place), examined.what))?;
    }
    for finding in &report.findings {
        screen.line("")?;
        finding_lines(finding).into_iter().try_for_each(|line| screen.line(line))?;
    }
    let (errors, warnings) = (count(report.errors, "error"), count(report.warnings, "warning"));
    screen.line("")?;
    screen.line(match (report.errors, report.warnings) {
        (0, 0) => paint(GREEN, "nothing is wrong"),
        (0, _) => format!("{}, {warnings}", paint(GREEN, "no errors")),
        _ => format!("{}, {warnings}", paint(RED, &errors)),
    })
}

fn finding_lines(finding: &Finding) -> [String; 3] {
    let (style, word) = if finding.is_error() { (RED, "error") } else { (YELLOW, "warning") };
    let Finding { place, what, why, remedy, code, .. } = finding;
    let code = paint(DIM, &format!("[{code}]"));
    [
        format!("{}: {place}: {what} {code}", paint(style, word)),
        format!("  {} {why}", paint(CYAN, "why:")),
        format!("  {} {remedy}", paint(CYAN, "do:")),
    ]
}
