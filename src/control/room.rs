//! Operations on conference rooms, for whoever controls the phone system: who is in, and what is
//! done to them. FreeSWITCH's own list of the room is the truth; which FreeSWITCH has the room is
//! asked of all of them.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::console::{Console, Whose};
use crate::base::ids::{CallId, ChannelId, PromptName, RecordingId, RoomName, TenantId};
use crate::call::input::Command;
use crate::call::room::{MemberOp, RoomOrder, RoomSound, Who};
use crate::driver::call::Shared;
use crate::driver::registry::{Scope, TellError};
use crate::driver::rooms::{Place, places};
use crate::driver::session::Around;
use crate::driver::translate::room;
use crate::flow::room::{Closed, Denied, Permission, Role, RoomSettings, address};
use crate::model::record::RecordingNote;
use crate::model::room::{MemberView, RoomView};
use crate::model::talk::Goal;

/// In whose name something is done in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Whoever runs the tenant's phones: may do everything.
    #[default]
    Tenant,
    /// A member of the room: may do what its role may.
    Member(u32),
}

/// Whom an operation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Whom {
    Member(u32),
    /// Everybody but moderators.
    Others,
}

/// What is asked of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoomCommand {
    List,
    Mute {
        whom: Whom,
        on: bool,
    },
    Deaf {
        whom: Whom,
        on: bool,
    },
    /// How loud the others hear a member (`own`), or it them: -4 to 4.
    Volume {
        whom: Whom,
        own: bool,
        level: i8,
    },
    Kick {
        member: u32,
    },
    Lock {
        on: bool,
    },
    /// Play one of the tenant's prompts to all.
    Play {
        prompt: PromptName,
    },
    Record {
        on: bool,
    },
    Floor {
        member: u32,
    },
    /// Call somebody out into the room, by a call that is in it.
    Invite {
        to: Goal,
        #[serde(default)]
        role: Role,
    },
    /// The room is over for everybody.
    End,
}

/// Why an operation on a room was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoomOpError {
    #[error("there is no room `{0}`")]
    NotFound(RoomName),
    #[error("nobody is in the room")]
    Empty,
    #[error("nobody in the room has the number {0}")]
    NoMember(u32),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Closed(#[from] Closed),
    #[error("no call is in the room that could call somebody")]
    NoCall,
    #[error(transparent)]
    Told(#[from] TellError),
    #[error("there is no prompt `{0}`")]
    NoPrompt(PromptName),
    #[error("the room is being recorded already")]
    Recorded,
    #[error("the settings have no link to a FreeSWITCH")]
    NoLink,
    #[error("the room is on more than one FreeSWITCH: {0}")]
    Split(String),
    #[error("it is not known whether the room is anywhere: not every FreeSWITCH answers")]
    Unknown,
    #[error("FreeSWITCH says: {0}")]
    Switch(String),
}

/// A room of a tenant, to be asked and ordered.
#[derive(Debug, Clone, Copy)]
pub struct RoomDesk<'a> {
    console: &'a Console,
    shared: &'a Shared,
    tenant: TenantId,
    name: &'a RoomName,
}

impl<'a> RoomDesk<'a> {
    pub fn new(console: &'a Console, tenant: TenantId, name: &'a RoomName) -> Self {
        Self { console, shared: &console.shared, tenant, name }
    }

    /// Does it, and tells who is in where that is asked.
    ///
    /// # Errors
    /// Why not. A room of another tenant is not found.
    pub async fn run(
        &self,
        by: By,
        command: &RoomCommand,
    ) -> Result<Option<RoomView>, RoomOpError> {
        let around = self.shared.router.around(self.tenant);
        let known = around.as_ref().and_then(|around| around.settings.rooms.get(self.name));
        let (Some(around), Some(settings)) = (&around, known) else {
            return Err(RoomOpError::NotFound(self.name.clone()));
        };
        let place = self.place().await?;
        if *command == RoomCommand::List {
            return Ok(Some(place.map(|place| self.named(place.view)).unwrap_or_default()));
        }
        let place = place.ok_or(RoomOpError::Empty)?;
        if let RoomCommand::Invite { to, role } = command {
            may_invite(settings, &place.view, by, *role)?;
            let facts = room::facts(&place.view);
            settings.admits(*role, facts.locked, facts.members)?;
            return self.invite(self.named(place.view), by, to, *role).await.map(|()| None);
        }
        let order = self.order(around, command)?;
        permit(settings, &place.view, by, &order)?;
        if let Some(member) = named(command) {
            the(&place.view, member)?;
        }
        if let RoomOrder::Record { path: Some(path), .. } = &order {
            self.tell_recording(&place.view, path)?;
        }
        self.carry_out(&place, &order).await.map(|()| None)
    }

    /// The call that invites knows what becomes of it: the member's who asks, or a moderator's.
    async fn invite(
        &self,
        view: RoomView,
        by: By,
        to: &Goal,
        role: Role,
    ) -> Result<(), RoomOpError> {
        let mut members = view.members;
        members.retain(|member| by == By::Tenant || by == By::Member(member.member));
        members.sort_by_key(|member| member.role != Role::Moderator.name());
        let command = Command::Room(MemberOp::Invite { to: to.clone(), role });
        let scope = Scope::Tenant(self.tenant);
        if let Some(call) = members.iter().find_map(|member| member.call) {
            return Ok(self.shared.registry.tell(scope, call, command.into()).await?);
        }
        // Another process has all of their calls, or they are legs that were called out.
        let channels = members.into_iter().filter_map(|member| member.channel).collect();
        match self.console.send(scope, Whose::FirstOf(channels), command.into()).await {
            Err(TellError::Unknown) => Err(RoomOpError::NoCall),
            told => Ok(told?),
        }
    }

    /// Kept before it begins: from then on it is known whose the file is, whoever dies.
    fn tell_recording(&self, view: &RoomView, path: &str) -> Result<(), RoomOpError> {
        if view.recording {
            return Err(RoomOpError::Recorded);
        }
        let id = Path::new(path).file_stem().and_then(|name| name.to_str()?.parse().ok());
        if let Some(id) = id {
            let now = self.shared.clock.now().wall;
            let note = RecordingNote::room(id, self.name, path.to_owned(), now);
            self.shared.sink.recording(self.tenant, CallId(uuid::Uuid::nil()), Box::new(note));
        }
        Ok(())
    }

    /// The one FreeSWITCH that has the room.
    async fn place(&self) -> Result<Option<Place>, RoomOpError> {
        let board = &*self.shared.switchboard;
        if !board.is_there() {
            return Err(RoomOpError::NoLink);
        }
        let (mut found, whole) = places(board, &address(self.tenant, self.name)).await;
        if found.len() > 1 {
            let links: Vec<_> = found.into_iter().map(|place| place.link).collect();
            return Err(RoomOpError::Split(links.join(", ")));
        }
        match found.pop() {
            None if !whole => Err(RoomOpError::Unknown),
            place => Ok(place),
        }
    }

    fn order(&self, around: &Around, command: &RoomCommand) -> Result<RoomOrder, RoomOpError> {
        let who = |whom: Whom| match whom {
            Whom::Member(member) => Who::Member(member),
            Whom::Others => Who::Others,
        };
        Ok(match command {
            RoomCommand::Mute { whom, on } => RoomOrder::Mute { who: who(*whom), on: *on },
            RoomCommand::Deaf { whom, on } => RoomOrder::Deaf { who: who(*whom), on: *on },
            RoomCommand::Volume { whom, own, level } => {
                RoomOrder::Volume { who: who(*whom), own: *own, level: *level }
            }
            RoomCommand::Kick { member } => RoomOrder::Kick(Who::Member(*member)),
            RoomCommand::Floor { member } => RoomOrder::Floor(Who::Member(*member)),
            RoomCommand::Lock { on } => RoomOrder::Lock(*on),
            RoomCommand::Play { prompt } => {
                let file = around.prompts.get(prompt);
                let file = file.ok_or_else(|| RoomOpError::NoPrompt(prompt.clone()))?;
                RoomOrder::Play(RoomSound::File { path: file.path.clone() })
            }
            RoomCommand::Record { on: true } => {
                let folder = &around.settings.message_directory;
                let id = RecordingId(uuid::Uuid::now_v7());
                RoomOrder::Record { path: Some(format!("{folder}/{id}.wav")), on: true }
            }
            RoomCommand::Record { on: false } => RoomOrder::Record { path: None, on: false },
            RoomCommand::End | RoomCommand::List | RoomCommand::Invite { .. } => RoomOrder::End,
        })
    }

    async fn carry_out(&self, place: &Place, order: &RoomOrder) -> Result<(), RoomOpError> {
        let name = address(self.tenant, self.name);
        let api = room::order_from_outside(&name, order);
        let api = api.map_err(|refused| RoomOpError::Switch(refused.to_string()))?;
        let said = self.shared.switchboard.ask(place.core, api).await.into_iter().next();
        match said.map(|said| said.said) {
            Some(Ok(said)) if said.starts_with("-ERR") => {
                let said = said.trim_start_matches("-ERR").trim();
                Err(RoomOpError::Switch(said.to_owned()))
            }
            Some(Ok(_)) => Ok(()),
            Some(Err(error)) => Err(RoomOpError::Switch(error)),
            None => Err(RoomOpError::Empty),
        }
    }

    /// Members with the calls that they are here.
    fn named(&self, mut view: RoomView) -> RoomView {
        let held = self.shared.registry.held();
        for member in &mut view.members {
            let same = |channel: &ChannelId| Some(channel) == member.channel.as_ref();
            member.call = held.iter().find(|held| same(&held.channel)).map(|held| held.call);
        }
        view
    }
}

/// The member that a command names.
const fn named(command: &RoomCommand) -> Option<u32> {
    match command {
        RoomCommand::Mute { whom: Whom::Member(member), .. }
        | RoomCommand::Deaf { whom: Whom::Member(member), .. }
        | RoomCommand::Volume { whom: Whom::Member(member), .. }
        | RoomCommand::Kick { member }
        | RoomCommand::Floor { member } => Some(*member),
        _ => None,
    }
}

fn the(view: &RoomView, member: u32) -> Result<&MemberView, RoomOpError> {
    let found = view.members.iter().find(|known| known.member == member);
    found.ok_or(RoomOpError::NoMember(member))
}

/// Whether somebody may be invited in this name. Only a moderator makes another.
fn may_invite(
    settings: &RoomSettings,
    view: &RoomView,
    by: By,
    role: Role,
) -> Result<(), RoomOpError> {
    let By::Member(own) = by else { return Ok(()) };
    let own = role_of(the(view, own)?);
    settings.permit(own, Permission::Invite)?;
    if role == Role::Moderator && own != Role::Moderator {
        return Err(Denied { role: own, permission: Permission::Invite }.into());
    }
    Ok(())
}

fn role_of(member: &MemberView) -> Role {
    if member.role == Role::Moderator.name() { Role::Moderator } else { Role::Member }
}

/// Whether this may be done in this name.
fn permit(
    settings: &RoomSettings,
    view: &RoomView,
    by: By,
    order: &RoomOrder,
) -> Result<(), RoomOpError> {
    let By::Member(own) = by else { return Ok(()) };
    let role = role_of(the(view, own)?);
    let needed = match order {
        RoomOrder::Mute { who: Who::Member(whom), on } if *whom == own => {
            if !*on {
                settings.permit(role, Permission::Speak)?;
            }
            Some(Permission::MuteSelf)
        }
        RoomOrder::Deaf { who: Who::Member(whom), .. }
        | RoomOrder::Volume { who: Who::Member(whom), .. }
            if *whom == own =>
        {
            None
        }
        order => order.needs(),
    };
    needed.map_or(Ok(()), |needed| Ok(settings.permit(role, needed)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(member: u32, role: Role) -> MemberView {
        MemberView {
            member,
            call: None,
            channel: None,
            role: role.name().to_owned(),
            name: String::new(),
            number: String::new(),
            muted: false,
            deaf: false,
            talks: false,
            has_floor: false,
            volume: 0,
            hears: 0,
            since_s: 0,
        }
    }

    #[test]
    fn who_may_invite_makes_nobody_more_than_it_is() {
        let settings: RoomSettings =
            serde_json::from_str(r#"{"member": ["invite"], "moderator": ["invite"]}"#).unwrap();
        let members = vec![member(1, Role::Member), member(2, Role::Moderator)];
        let view = RoomView { members, ..RoomView::default() };
        let may = |settings: &RoomSettings, by, role| may_invite(settings, &view, by, role).is_ok();
        for by in [By::Tenant, By::Member(2)] {
            assert!(may(&settings, by, Role::Member) && may(&settings, by, Role::Moderator));
        }
        assert!(may(&settings, By::Member(1), Role::Member));
        assert!(!may(&settings, By::Member(1), Role::Moderator));
        let settings = RoomSettings::default();
        assert!(!may(&settings, By::Member(1), Role::Member), "by default members may not");
        assert!(!may(&settings, By::Member(9), Role::Member), "who is not in may nothing");
    }

    #[test]
    fn a_member_may_do_by_operation_what_its_role_may_and_nothing_else() {
        let settings: RoomSettings =
            serde_json::from_str(r#"{"member": ["mute_self"], "moderator": ["kick"]}"#).unwrap();
        let members = vec![member(1, Role::Member), member(2, Role::Moderator)];
        let view = RoomView { members, ..RoomView::default() };
        let may = |by, order: RoomOrder| permit(&settings, &view, By::Member(by), &order).is_ok();
        let mute = |who, on| RoomOrder::Mute { who: Who::Member(who), on };
        assert!(may(1, mute(1, true)) && !may(1, mute(1, false)) && !may(1, mute(2, true)));
        assert!(
            may(2, RoomOrder::Kick(Who::Member(1))) && !may(1, RoomOrder::Kick(Who::Member(2)))
        );
        for order in [RoomOrder::End, RoomOrder::Lock(true)] {
            assert!(!may(1, order.clone()) && !may(2, order.clone()));
            assert_eq!(permit(&settings, &view, By::Tenant, &order), Ok(()));
        }
        let stranger = permit(&settings, &view, By::Member(9), &RoomOrder::End);
        assert_eq!(stranger, Err(RoomOpError::NoMember(9)));
    }
}
