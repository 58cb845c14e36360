//! The command line: reads arguments, asks the floors below, prints for a person or a program.

mod api_key;
pub mod args;
mod calls;
mod check;
mod control;
mod demo;
pub mod doctor;
mod flow;
pub mod key;
mod live;
mod monitor;
mod number;
mod outbound;
mod park;
mod place;
pub mod prompt;
mod queue;
pub mod recording;
pub mod report;
mod room;
mod schedule;
mod screen;
mod serve;
mod supervise;
mod tenant;
mod timeline;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, Parser};

use crate::app::config::{Config, ConfigError};
use crate::base::ids::TenantSlug;
use crate::driver::registry::Scope;
use crate::model::act::Actor;
use crate::store::{Operator, Store, StoreError, TenantScope};

use args::{Cli, Command};
use screen::Screen;

/// Exit codes, after `sysexits.h` where that has one.
pub mod exit {
    /// The answer is no: the flow has errors, a call did not go as its script says, there is no
    /// such thing.
    pub const NO: u8 = 1;
    /// The arguments or the settings are wrong.
    pub const USAGE: u8 = 64;
    /// The database can't be reached, or the port is taken.
    pub const UNAVAILABLE: u8 = 69;
}

/// Runs what was typed; errors go to standard error.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&anyhow::Error::new(error).context("no runtime")),
    };
    match runtime.block_on(run(cli)) {
        Ok(code) => code,
        Err(error) => complain(&error),
    }
}

#[allow(
    clippy::print_stderr,
    reason = "the one place where errors of the command line are printed"
)]
fn complain(error: &anyhow::Error) -> ExitCode {
    if is_closed_pipe(error) {
        return ExitCode::SUCCESS;
    }
    let red = screen::paint(screen::RED, "error:");
    anstream::eprintln!("{red} {error:#}");
    ExitCode::from(code(error))
}

/// Whoever read our output has seen enough (`callwright calls | head`).
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn code(error: &anyhow::Error) -> u8 {
    if error.chain().any(|cause| cause.is::<ConfigError>()) {
        return exit::USAGE;
    }
    let stored = error.chain().find_map(|cause| cause.downcast_ref::<StoreError>());
    if stored.is_some_and(StoreError::retryable) { exit::UNAVAILABLE } else { exit::NO }
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let screen = Screen { json: cli.json };
    let settings = || config(cli.config.as_deref(), cli.database.as_deref());
    match cli.command {
        Command::Serve(args) => serve::run(settings()?, &args).await,
        Command::Supervise(args) => {
            let database = cli.database.as_deref();
            supervise::run(settings()?, &args, cli.config.as_deref(), database).await
        }
        Command::Status => control::status(&settings()?, screen).await,
        Command::Drain { now } => control::drain(&settings()?, now).await,
        Command::Call { call, tenant, command } => {
            let config = settings()?;
            let scope = match tenant {
                Some(slug) => Scope::Tenant(tenant_scope(&open(&config).await?, &slug).await?.id()),
                None => Scope::Operator,
            };
            control::tell(&config, scope, call, &command).await
        }
        Command::Place(args) => place::run(args, &settings()?, screen).await,
        Command::Audit(command) => {
            monitor::audit(command, &open(&settings()?).await?, screen).await
        }
        Command::Calls(args) if args.live => live::list(&settings()?, screen).await,
        Command::Check => check::run(settings()?, screen).await,
        Command::Doctor(args) => doctor::run(&args, &settings()?, screen).await,
        Command::Demo(args) => Box::pin(demo::run(&args, screen)).await,
        Command::Flow(command) => flow::run(command, settings, screen).await,
        Command::Tenant(command) => tenant::run(command, &open(&settings()?).await?, screen).await,
        Command::Number(command) => number::run(command, &open(&settings()?).await?, screen).await,
        Command::Prompt(command) => {
            let config = settings()?;
            prompt::run(command, &config, &open(&config).await?, screen).await
        }
        Command::Schedule(command) => {
            schedule::run(command, &open(&settings()?).await?, screen).await
        }
        Command::Outbound(command) => {
            outbound::run(command, &open(&settings()?).await?, screen).await
        }
        Command::Park { tenant, command } => {
            park::run(&tenant, command.as_ref(), &settings()?, screen).await
        }
        Command::Rooms { tenant } => room::list(&tenant, &open(&settings()?).await?, screen).await,
        Command::Room { room, tenant, by, command } => {
            room::run(&room, &tenant, by, &command, &settings()?, screen).await
        }
        Command::Report(command) => report::run(command, &open(&settings()?).await?, screen).await,
        Command::Queue { slug } => queue::list(&slug, &open(&settings()?).await?, screen).await,
        Command::Recording(command) => {
            let config = settings()?;
            recording::run(command, &config, &open(&config).await?, screen).await
        }
        Command::Key(command) => {
            let config = settings()?;
            key::run(command, &config, &open(&config).await?, screen).await
        }
        Command::ApiKey(command) => api_key::run(command, &open(&settings()?).await?, screen).await,
        Command::Calls(args) => calls::list(&args, &open(&settings()?).await?, screen).await,
        Command::Trace(args) => calls::trace(&args, &open(&settings()?).await?, screen).await,
        Command::Completions { shell } => Ok(complete(shell)),
    }
}

fn complete(shell: clap_complete::Shell) -> ExitCode {
    clap_complete::generate(shell, &mut Cli::command(), "callwright", &mut std::io::stdout());
    ExitCode::SUCCESS
}

/// The settings file, and what the command line says instead of it.
fn config(file: Option<&Path>, database: Option<&str>) -> anyhow::Result<Config> {
    let mut config = Config::load(file)?;
    if let Some(database) = database {
        config.store.database = database.parse().context("--database")?;
    }
    Ok(config)
}

async fn open(config: &Config) -> anyhow::Result<Store> {
    Ok(Store::open(&config.store).await?)
}

/// The data of the tenant with this slug.
async fn tenant_scope(store: &Store, slug: &TenantSlug) -> anyhow::Result<TenantScope> {
    let tenant = store.operator().tenant_named(slug).await?;
    Ok(store.tenant(tenant.id).by(actor()))
}

/// What concerns all tenants.
fn operator(store: &Store) -> Operator {
    store.operator().by(actor())
}

/// Whoever typed this.
fn actor() -> Actor {
    Actor::at_command_line(&std::env::var("USER").unwrap_or_else(|_| "somebody".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_can_be_typed() {
        Cli::command().debug_assert();
    }
}
