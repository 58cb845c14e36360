//! `callwright number …`

use std::process::ExitCode;

use crate::model::tenant::{NumberMatch, NumberRoute, Reach};
use crate::store::{NewNumber, Store};

use super::args::NumberCommand;
use super::screen::Screen;
use super::tenant_scope;

pub(super) async fn run(
    command: NumberCommand,
    store: &Store,
    screen: Screen,
) -> anyhow::Result<ExitCode> {
    match command {
        NumberCommand::Add { number, flow, tenant, pattern, order, internal, record, label } => {
            let reach = if internal { Reach::Tenant } else { Reach::Everywhere };
            let number = matching(number, pattern);
            let new = NewNumber { number, flow, order, reach, record, label };
            let route = tenant_scope(store, &tenant).await?.put_number(&new).await?;
            screen.either(&route, |screen| {
                screen.line(format!("{} leads to {}", shown(&route.number), route.flow))
            })?;
        }
        NumberCommand::Remove { number, tenant, pattern } => {
            let number = matching(number, pattern);
            tenant_scope(store, &tenant).await?.remove_number(&number).await?;
            screen.either(&number, |screen| screen.line(format!("{} removed", shown(&number))))?;
        }
        NumberCommand::List { tenant } => {
            let routes = tenant_scope(store, &tenant).await?.numbers().await?;
            screen.either(&routes, |screen| list(&routes, screen))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn matching(number: String, pattern: bool) -> NumberMatch {
    if pattern { NumberMatch::Pattern(number) } else { NumberMatch::Exact(number) }
}

fn shown(number: &NumberMatch) -> String {
    match number {
        NumberMatch::Exact(number) => number.clone(),
        NumberMatch::Pattern(pattern) => format!("/{pattern}/"),
    }
}

fn list(routes: &[NumberRoute], screen: Screen) -> std::io::Result<()> {
    let rows = routes.iter().map(|route| {
        let reach = match route.reach {
            Reach::Everywhere => "everywhere",
            Reach::Tenant => "tenant",
        };
        let recorded = if route.record { "recorded" } else { "" };
        let (number, order) = (shown(&route.number), route.order.to_string());
        let label = route.label.clone().unwrap_or_default();
        [number, route.flow.to_string(), order, reach.to_owned(), label, recorded.to_owned()]
    });
    screen.table(["NUMBER", "FLOW", "ORDER", "REACH", "LABEL", ""], rows)
}
