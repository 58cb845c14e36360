//! `callwright status`, `drain` and `call`: the running daemon, asked over its control socket.

use std::process::ExitCode;

use anyhow::bail;

use crate::app::config::Config;
use crate::app::sockets::control_path;
use crate::base::ids::CallId;
use crate::call::input;
use crate::call::room::MemberOp;
use crate::control::ask::Peer;
use crate::control::protocol::{Answer, Request, Status};
use crate::driver::registry::{Scope, When};
use crate::flow::room::Role;
use crate::model::talk::{Goal, Hearers, Side};

use super::args::{self, CallCommand, InRoom, Leg, Legs};
use super::screen::{GREEN, Screen, YELLOW, count, paint};

pub(super) async fn ask(config: &Config, request: &Request) -> anyhow::Result<Answer> {
    Ok(Peer::meet(&control_path(config)).await?.ask(request).await?)
}

pub(super) async fn status(config: &Config, screen: Screen) -> anyhow::Result<ExitCode> {
    let Answer::Status(status) = ask(config, &Request::Status).await? else {
        bail!("the daemon answers something else");
    };
    screen.either(&status, |screen| {
        lines(&status).into_iter().try_for_each(|line| screen.line(line))
    })?;
    Ok(ExitCode::SUCCESS)
}

fn lines(status: &Status) -> Vec<String> {
    let (calls, talking) = (count(status.calls, "call"), status.talking);
    let state = match (status.draining_ms, &status.shedding) {
        (Some(ms), _) => paint(YELLOW, &format!("letting go of its calls for {} s", ms / 1_000)),
        (None, Some(word)) => paint(YELLOW, &format!("refuses calls ({word})")),
        (None, None) => paint(GREEN, "ready"),
    };
    let refused = &status.refused;
    let rules = status.turned_away.iter().filter(|(_, count)| **count > 0);
    let rules: Vec<_> = rules.map(|(rule, count)| format!("{rule} {count}")).collect();
    let turned: u64 = status.turned_away.values().sum();
    vec![
        format!("{state}: {calls} up, {talking} talking"),
        format!("process   {}, version {}", status.pid, status.version),
        format!("up        {} s, on {}", status.up_ms / 1_000, status.address),
        format!("begun     {}, {} ended by a fault of ours", status.begun, status.faults),
        format!(
            "refused   {}: busy {}, rate {}, memory {}, slow {}",
            refused.all, refused.busy, refused.rate, refused.memory, refused.slow
        ),
        format!("not in    {turned}: {}", rules.join(", ")),
        format!("memory    {} MiB", status.memory >> 20),
        format!("late by   {} µs", status.delay_us),
    ]
}

pub(super) async fn drain(config: &Config, now: bool) -> anyhow::Result<ExitCode> {
    let when = if now { When::Now } else { When::Boundary };
    ask(config, &Request::Drain { when }).await?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn tell(
    config: &Config,
    scope: Scope,
    call: CallId,
    command: &CallCommand,
) -> anyhow::Result<ExitCode> {
    let command = ordered(command)?;
    ask(config, &Request::Tell { scope, call, command }).await?;
    Ok(ExitCode::SUCCESS)
}

fn ordered(command: &CallCommand) -> anyhow::Result<input::Command> {
    Ok(match command {
        CallCommand::Hangup { cause } => input::Command::Hangup { cause: *cause },
        CallCommand::Hold { leg } => input::Command::Hold { on: true, side: side(*leg) },
        CallCommand::Unhold { leg } => input::Command::Hold { on: false, side: side(*leg) },
        CallCommand::Send { to, leg } => {
            let to = goal(to)?;
            match leg {
                Legs::Caller => input::Command::Send { side: Side::Caller, to },
                Legs::Far => input::Command::Send { side: Side::Far, to },
                Legs::Both => input::Command::SendBoth { to },
            }
        }
        CallCommand::Move { step } => input::Command::Move { step: step.clone() },
        CallCommand::Consult { to, leg } => {
            input::Command::Consult { side: side(*leg), to: goal(to)? }
        }
        CallCommand::Toggle => input::Command::Toggle,
        CallCommand::Merge => input::Command::Merge,
        CallCommand::Complete => input::Command::Complete,
        CallCommand::Cancel => input::Command::Cancel,
        CallCommand::Answer => input::Command::Answer,
        CallCommand::Play { prompt, leg } => {
            input::Command::Play { prompt: prompt.clone(), to: hearers(*leg) }
        }
        CallCommand::Say { text, kind, language, leg } => input::Command::Say {
            text: text.clone(),
            kind: *kind,
            language: language.clone(),
            to: hearers(*leg),
        },
        CallCommand::Dtmf { digits, leg } => {
            input::Command::Dtmf { side: side(*leg), digits: digits.clone() }
        }
        CallCommand::Transfer { extension, context } => {
            input::Command::Transfer { extension: extension.clone(), context: context.clone() }
        }
        CallCommand::Park { slot, leg } => input::Command::Park { side: side(*leg), slot: *slot },
        CallCommand::Retrieve { by } => input::Command::Retrieve { to: goal(by)? },
        CallCommand::Room { leg, what } => {
            let op = in_room(what)?;
            match leg {
                Leg::Caller => input::Command::Room(op),
                Leg::Far => input::Command::FarInRoom(op),
            }
        }
        CallCommand::Monitor(monitor) => input::Command::Monitor(monitor.into()),
        CallCommand::Record { what } => input::Command::Record { action: (*what).into() },
    })
}

fn in_room(what: &InRoom) -> anyhow::Result<MemberOp> {
    Ok(match what {
        InRoom::Mute => MemberOp::Mute(true),
        InRoom::Unmute => MemberOp::Mute(false),
        InRoom::Deaf => MemberOp::Deaf(true),
        InRoom::Undeaf => MemberOp::Deaf(false),
        InRoom::Kick => MemberOp::Kick,
        InRoom::Invite { to } => MemberOp::Invite { to: goal(to)?, role: Role::Member },
    })
}

const fn hearers(legs: Legs) -> Hearers {
    match legs {
        Legs::Caller => Hearers::Caller,
        Legs::Far => Hearers::Far,
        Legs::Both => Hearers::Both,
    }
}

const fn side(leg: Leg) -> Side {
    match leg {
        Leg::Caller => Side::Caller,
        Leg::Far => Side::Far,
    }
}

pub(super) fn goal(to: &args::Goal) -> anyhow::Result<Goal> {
    let target = to.target.clone();
    if let Some(room) = target.strip_prefix("room:") {
        return Ok(Goal::Room(room.parse()?));
    }
    Ok(match &to.gateway {
        None => Goal::Extension(target),
        gateway => Goal::Number { number: target, gateway: gateway.clone() },
    })
}
