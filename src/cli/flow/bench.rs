//! Flows in files, tried without a switch: check, simulate, draw.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use jiff::Timestamp;
use serde::Serialize;

use crate::base::ids::FlowName;
use crate::cli::screen::{BOLD, GREEN, RED, Screen, YELLOW, count, paint};
use crate::cli::{exit, timeline};
use crate::driver::session::Settings;
use crate::driver::simulate::{Outcome, simulate as run, stage};
use crate::esl::argument::Word;
use crate::flow::check::{World, check as judge};
use crate::flow::draw::svg;
use crate::flow::problem::Problem;
use crate::flow::program::{Program, Published};
use crate::flow::schema as flow_schema;
use crate::model::record::CallRecord;
use crate::model::timeline::Entry;
use crate::simulator::{Script, Verdict};

use super::files;

/// Prints every problem; exit 1 when there are errors.
pub(super) fn check(file: &Path, world: &World, screen: Screen) -> anyhow::Result<ExitCode> {
    let problems = match files::flow(file)? {
        Ok(flow) => judge(&flow, world),
        Err(problems) => problems,
    };
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    screen.either(&problems, |screen| {
        screen.problems(&problems)?;
        let warnings = count(problems.len() - errors, "warning");
        let (style, sign) = if errors == 0 { (GREEN, "✓") } else { (RED, "✗") };
        screen.line(format!(
            "{} {}: {}, {warnings}",
            paint(style, sign),
            file.display(),
            count(errors, "error")
        ))
    })?;
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::from(exit::NO) })
}

pub(super) fn draw(file: &Path, output: Option<&Path>, screen: Screen) -> anyhow::Result<ExitCode> {
    let flow = match files::flow(file)? {
        Ok(flow) => flow,
        Err(problems) => return refuse(&problems, screen),
    };
    let problems = judge(&flow, &World::unknown());
    let name = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or("flow");
    let picture = svg(&flow, name, &problems);
    match output {
        Some(path) => std::fs::write(path, picture)
            .with_context(|| format!("`{}` can't be written", path.display()))?,
        None => screen.line(picture)?,
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn schema(screen: Screen) -> anyhow::Result<ExitCode> {
    screen.line(serde_json::to_string_pretty(&flow_schema::schema())?)?;
    Ok(ExitCode::SUCCESS)
}

fn refuse(problems: &[Problem], screen: Screen) -> anyhow::Result<ExitCode> {
    screen.either(&problems, |screen| screen.problems(problems))?;
    Ok(ExitCode::from(exit::NO))
}

#[derive(Serialize)]
struct Simulated<'a> {
    passed: bool,
    failure: Option<String>,
    refused: Option<&'a str>,
    record: Option<&'a CallRecord>,
    timeline: &'a [Entry],
}

/// Runs a flow against a caller's script; exit 1 when the call does not go as the script says.
pub(super) fn simulate(
    file: &Path,
    script: &Path,
    others: &[String],
    screen: Screen,
) -> anyhow::Result<ExitCode> {
    let program = match load(file, others)? {
        Ok(program) => program,
        Err(problems) => return refuse(&problems, screen),
    };
    let text = String::from_utf8(files::read(script)?).context("the script is not UTF-8")?;
    let script = Script::from_yaml(&text).with_context(|| format!("`{}`", script.display()))?;
    let settings = Settings::alone(Word::new("profile", "external")?)?;
    let router = Arc::new(program);
    let outcome = run(Arc::new(script), &router, &settings, Timestamp::now());
    let failure = match &outcome.verdict {
        Verdict::Passed => None,
        Verdict::Failed(failure) => Some(failure.to_string()),
    };
    let simulated = Simulated {
        passed: failure.is_none(),
        failure: failure.clone(),
        refused: outcome.refused.as_deref(),
        record: outcome.record.as_ref(),
        timeline: &outcome.timeline,
    };
    screen.either(&simulated, |screen| tell(&outcome, failure.as_deref(), screen))?;
    Ok(if failure.is_none() { ExitCode::SUCCESS } else { ExitCode::from(exit::NO) })
}

fn tell(outcome: &Outcome, failure: Option<&str>, screen: Screen) -> std::io::Result<()> {
    if let Some(record) = &outcome.record {
        for line in timeline::summary(record) {
            screen.line(line)?;
        }
    }
    outcome.timeline.iter().try_for_each(|entry| screen.line(timeline::line(entry)))?;
    if let Some(reason) = &outcome.refused {
        screen.line(format!("{} back to the dialplan: {reason}", paint(YELLOW, "↩")))?;
    }
    match failure {
        None => screen.line(format!("{} went as the script says", paint(GREEN, "✓"))),
        Some(failure) => screen.line(format!("{} {}", paint(RED, "✗"), paint(BOLD, failure))),
    }
}

/// The flow and those it may call; whatever prompts, gateways and contexts they name exist.
fn load(file: &Path, others: &[String]) -> anyhow::Result<Result<Program, Vec<Problem>>> {
    let main = files::name(file)?;
    let mut flows: BTreeMap<FlowName, Arc<Published>> = BTreeMap::new();
    let first = (main.clone(), file);
    let named = others.iter().map(|other| match other.split_once('=') {
        Some((name, file)) => Ok((name.parse::<FlowName>()?, Path::new(file))),
        None => Ok((files::name(Path::new(other))?, Path::new(other))),
    });
    for entry in std::iter::once(Ok(first)).chain(named) {
        let (name, file): (FlowName, &Path) = entry.map_err(|error: anyhow::Error| error)?;
        let flow = match files::flow(file)? {
            Ok(flow) => flow,
            Err(problems) => return Ok(Err(problems)),
        };
        let published = Published::new(name.clone(), 0, flow);
        if flows.insert(name.clone(), Arc::new(published)).is_some() {
            bail!("two of the files are flow `{name}`");
        }
    }
    Ok(Ok(stage(main, flows)))
}
