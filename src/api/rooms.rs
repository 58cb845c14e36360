//! Conference rooms: how they are kept, who is in them, and what is done there.

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::endpoint::{Asked, Endpoint};
use super::page::Page;
use super::problem::Problem;
use super::reply::{DONE, Done, Nothing, Reply};
use crate::base::ids::RoomName;
use crate::control::room::{By, RoomCommand, RoomDesk};
use crate::flow::room::RoomSettings;
use crate::model::access::Power;
use crate::model::room::RoomView;
use crate::model::token::Bearer;
use crate::store::{StoreError, StoredRoom, TenantScope};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let (all, one) = ("/v1/tenants/{tenant}/rooms", "/v1/tenants/{tenant}/rooms/{room}");
    let (read, write) = (Power::RoomsRead, Power::RoomsWrite);
    vec![
        Endpoint::new(Method::GET, all, read, "A tenant's conference rooms", list),
        Endpoint::new(Method::GET, one, read, "How a room is kept", get),
        Endpoint::new(Method::PUT, one, write, "Lay down how a room is kept", put),
        Endpoint::new(Method::DELETE, one, write, "Forget a room; who is in it stays", remove),
        Endpoint::new(
            Method::GET,
            "/v1/tenants/{tenant}/rooms/{room}/members",
            read,
            "Who is in a room",
            members,
        ),
        Endpoint::new(
            Method::POST,
            "/v1/tenants/{tenant}/rooms/{room}/commands",
            Power::RoomsControl,
            "Do something in a room",
            command,
        ),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
struct OneRoom {
    room: RoomName,
}

#[derive(Debug, Serialize, JsonSchema)]
struct KeptRoom {
    name: RoomName,
    settings: RoomSettings,
}

/// PINs are shown only to who may change them.
fn shown(room: StoredRoom, by: &Bearer) -> KeptRoom {
    let StoredRoom { name, mut settings, .. } = room;
    if !by.may(Power::RoomsWrite) {
        settings.member_pin = None;
        settings.moderator_pin = None;
    }
    KeptRoom { name, settings }
}

async fn list(asked: Asked<TenantScope>) -> Result<Reply<Page<KeptRoom>>, Problem> {
    let rooms = asked.whose.rooms().await?;
    let rooms = rooms.into_iter().map(|room| shown(room, &asked.by));
    Ok(Reply(Page::whole(rooms.collect())))
}

async fn get(asked: Asked<TenantScope, OneRoom>) -> Result<Reply<KeptRoom>, Problem> {
    Ok(Reply(shown(asked.whose.room(&asked.path.room).await?, &asked.by)))
}

async fn put(
    asked: Asked<TenantScope, OneRoom, Nothing, RoomSettings>,
) -> Result<Reply<KeptRoom>, Problem> {
    let Asked { by, whose, path, body, seen, .. } = asked;
    match whose.room(&path.room).await {
        Ok(room) => seen.still(&shown(room, &by))?,
        Err(StoreError::NotFound { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(Reply(shown(whose.put_room(&path.room, &body).await?, &by)))
}

async fn remove(asked: Asked<TenantScope, OneRoom>) -> Result<Done, Problem> {
    asked.whose.remove_room(&asked.path.room).await?;
    Ok(DONE)
}

async fn members(asked: Asked<TenantScope, OneRoom>) -> Result<Reply<RoomView>, Problem> {
    let desk = RoomDesk::new(&asked.api.console, asked.whose.id(), &asked.path.room);
    let view = desk.run(By::Tenant, &RoomCommand::List).await?;
    Ok(Reply(view.unwrap_or_default()))
}

async fn command(
    asked: Asked<TenantScope, OneRoom, Nothing, RoomCommand>,
) -> Result<Done, Problem> {
    if asked.body == RoomCommand::List {
        return Err(Problem::invalid("that is no command: ask for the members"));
    }
    let desk = RoomDesk::new(&asked.api.console, asked.whose.id(), &asked.path.room);
    desk.run(By::Tenant, &asked.body).await?;
    Ok(DONE)
}
