//! `callwright flow …`

mod bench;
mod files;
mod store;
mod world;

use std::process::ExitCode;

use crate::app::config::Config;
use crate::flow::check::World;

use super::args::FlowCommand;
use super::screen::Screen;
use super::{open, tenant_scope};

pub(super) async fn run(
    command: FlowCommand,
    settings: impl Fn() -> anyhow::Result<Config>,
    screen: Screen,
) -> anyhow::Result<ExitCode> {
    match command {
        FlowCommand::Check { file, tenant } => {
            let world = match tenant {
                Some(slug) => {
                    let settings = settings()?;
                    let name = files::name(&file).ok();
                    world::of(&open(&settings).await?, &slug, name.as_ref(), &settings).await?.1
                }
                None => World::unknown(),
            };
            bench::check(&file, &world, screen)
        }
        FlowCommand::Simulate { file, script, others } => {
            bench::simulate(&file, &script, &others, screen)
        }
        FlowCommand::Draw { file, output } => bench::draw(&file, output.as_deref(), screen),
        FlowCommand::Schema => bench::schema(screen),
        FlowCommand::Push { name, file, tenant, author } => {
            let store = open(&settings()?).await?;
            let scope = tenant_scope(&store, &tenant).await?;
            store::push(&scope, &name, &file, &author, screen).await
        }
        FlowCommand::Publish { name, tenant, note, author } => {
            let settings = settings()?;
            let store = open(&settings).await?;
            let (scope, world) = world::of(&store, &tenant, Some(&name), &settings).await?;
            store::publish(&scope, &name, &world, author, note, screen).await
        }
        FlowCommand::Rollback { name, number, tenant, author } => {
            let settings = settings()?;
            let store = open(&settings).await?;
            let (scope, world) = world::of(&store, &tenant, Some(&name), &settings).await?;
            store::rollback(&scope, &name, number, &world, author, screen).await
        }
        FlowCommand::Versions { name, tenant } => {
            let store = open(&settings()?).await?;
            store::versions(&tenant_scope(&store, &tenant).await?, &name, screen).await
        }
        FlowCommand::Diff { old, new, tenant } => {
            let scope = match tenant {
                Some(slug) => Some(tenant_scope(&open(&settings()?).await?, &slug).await?),
                None => None,
            };
            store::diff(scope.as_ref(), &old, &new, screen).await
        }
    }
}
