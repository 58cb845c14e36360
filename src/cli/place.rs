//! `callwright place`

use std::process::ExitCode;

use anyhow::{Context, bail};
use serde::Serialize;

use crate::app::config::Config;
use crate::base::ids::{CallId, VarName};
use crate::call::place::{Placement, Purpose};
use crate::control::protocol::{Answer, Request};
use crate::flow::Value;

use super::args::{Goal, Place};
use super::control::{ask, goal};
use super::screen::Screen;
use super::{open, tenant_scope};

#[derive(Serialize)]
struct Placed {
    call: CallId,
}

pub(super) async fn run(args: Place, config: &Config, screen: Screen) -> anyhow::Result<ExitCode> {
    let tenant = tenant_scope(&open(config).await?, &args.tenant).await?.id();
    let placement = Box::new(Placement {
        to: goal(&args.to)?,
        then: purpose(&args)?,
        timeout: args.timeout,
        caller_name: args.caller_name,
        caller_number: args.caller_number,
    });
    let Answer::Placed { call } = ask(config, &Request::Place { tenant, placement }).await? else {
        bail!("the daemon answers something else");
    };
    screen.either(&Placed { call }, |screen| screen.line(call.to_string()))?;
    Ok(ExitCode::SUCCESS)
}

fn purpose(args: &Place) -> anyhow::Result<Purpose> {
    if let Some(name) = args.flow.clone() {
        let arguments = args.arguments.iter().map(|text| argument(text));
        return Ok(Purpose::Flow { name, arguments: arguments.collect::<Result<_, _>>()? });
    }
    let target = args.connect.clone().context("--flow or --connect is missing")?;
    let to = Goal { target, gateway: args.connect_gateway.clone() };
    Ok(Purpose::Connect(goal(&to)?))
}

fn argument(text: &str) -> anyhow::Result<(VarName, Value)> {
    let (name, value) = text.split_once('=').with_context(|| format!("`{text}` has no `=`"))?;
    Ok((name.parse()?, Value::text(value)))
}
