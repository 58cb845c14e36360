//! `callwright supervise`: `callwright serve`, kept running.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use crate::app::config::Config;
use crate::app::supervisor::{Program, Supervisor};

use super::args::Serve;
use super::{exit, serve};

pub(super) async fn run(
    mut config: Config,
    args: &Serve,
    file: Option<&Path>,
    database: Option<&str>,
) -> anyhow::Result<ExitCode> {
    serve::log(&config.log)?;
    let mut arguments = Vec::new();
    if let Some(file) = file {
        arguments.extend(["--config".into(), file.as_os_str().to_owned()]);
    }
    arguments.push("serve".into());
    if let Some(address) = args.listen {
        config.switch.listen = address;
        arguments.extend(["--listen".into(), address.to_string().into()]);
    }
    // Its password is nobody's who lists processes.
    let environment: Vec<(OsString, OsString)> = database
        .map(|database| ("CALLWRIGHT_DATABASE".into(), database.into()))
        .into_iter()
        .collect();
    let program = Program { path: program()?, arguments, environment };
    match Supervisor::build(&config, program).await {
        Ok(supervisor) => supervisor.run().await?,
        Err(error) => {
            tracing::error!("{error:#}");
            return Ok(ExitCode::from(exit::UNAVAILABLE));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The path by which this program was started, so that another one installed there takes effect:
/// not what it leads to today.
fn program() -> anyhow::Result<PathBuf> {
    let typed = PathBuf::from(std::env::args_os().next().unwrap_or_default());
    if typed.components().count() > 1 {
        return std::path::absolute(&typed).context("the program's path");
    }
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&paths).map(|path| path.join(&typed)).find(|path| path.is_file());
    found.map_or_else(|| std::env::current_exe().context("the program's path"), Ok)
}
