//! `callwright room …` and `callwright rooms`: conference rooms as they are kept.

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use crate::app::config::Config;
use crate::base::digits::Digits;
use crate::base::ids::{PromptName, RoomName, TenantSlug};
use crate::base::masked::Masked;
use crate::control::protocol::{Answer, Request};
use crate::control::room::{self, By, Whom};
use crate::flow::room::{Permission, Pin, Role, RoomKey, RoomSettings};
use crate::model::room::RoomView;
use crate::store::{Store, StoreError, StoredRoom};

use super::args::Goal;
use super::screen::Screen;
use super::tenant_scope;

#[derive(Debug, Subcommand)]
pub enum RoomCommand {
    /// Make the room, or change what is named and nothing else
    Set(Box<RoomSet>),
    /// Forget it; who is in it stays there
    Remove,
    /// Who is in it, who talks, who has the floor
    List,
    /// Nobody hears the member
    Mute {
        /// A number from `list`, or `others` for all but moderators
        member: String,
    },
    Unmute {
        member: String,
    },
    /// The member hears nobody
    Deaf {
        member: String,
    },
    Undeaf {
        member: String,
    },
    /// How loud the others hear the member, from -4 to 4
    Volume {
        member: String,
        #[arg(allow_negative_numbers = true)]
        level: i8,
        /// How loud the member hears the others instead
        #[arg(long)]
        hears: bool,
    },
    /// Take a member out; it goes on in its flow
    Kick {
        member: u32,
    },
    /// Let nobody else in
    Lock,
    Unlock,
    /// Play a prompt to all
    Play {
        prompt: PromptName,
    },
    /// Record the room
    Record {
        what: Switch,
    },
    /// Give a member the floor
    Floor {
        member: u32,
    },
    /// Call somebody out into the room
    Invite {
        #[command(flatten)]
        to: Goal,
        /// What they are there
        #[arg(long = "as", value_name = "ROLE", default_value = "member")]
        role: Part,
    },
    /// End it for everybody
    End,
}

/// Of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    Start,
    Stop,
}

/// What somebody is in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    Member,
    Moderator,
}

/// What is not given stays as it is.
#[derive(Debug, Args)]
pub struct RoomSet {
    /// Digits that members type; `none` asks nobody
    #[arg(long, value_name = "PIN")]
    pub member_pin: Option<String>,
    /// Digits that make a moderator; `none` takes them back
    #[arg(long, value_name = "PIN")]
    pub moderator_pin: Option<String>,
    /// What members may do: speak, mute_self, mute_others, kick, lock, record, invite, end
    #[arg(long, value_delimiter = ',', value_name = "PERMISSION")]
    pub member: Option<Vec<Permission>>,
    /// What moderators may do
    #[arg(long, value_delimiter = ',', value_name = "PERMISSION")]
    pub moderator: Option<Vec<Permission>>,
    /// Music for members until a moderator has come
    #[arg(long)]
    pub wait_for_moderator: Option<bool>,
    /// It is over when the last moderator leaves
    #[arg(long)]
    pub end_with_moderator: Option<bool>,
    #[arg(long)]
    pub join_muted: Option<bool>,
    #[arg(long)]
    pub join_deaf: Option<bool>,
    /// Most members at once; 0 for no limit
    #[arg(long)]
    pub most: Option<u32>,
    /// A tone for all when somebody comes or goes
    #[arg(long)]
    pub tones: Option<bool>,
    /// Who comes says a name, which all hear
    #[arg(long)]
    pub names: Option<bool>,
    /// A prompt for who is alone or waits; `none` takes it back
    #[arg(long, value_name = "PROMPT")]
    pub music: Option<String>,
    /// A key code and what it does, such as `*1=mute_self`; `none` takes all back; may be given
    /// again
    #[arg(long = "key", value_name = "CODE=WHAT")]
    pub keys: Vec<String>,
}

pub(super) async fn run(
    room: &RoomName,
    tenant: &TenantSlug,
    by: Option<u32>,
    command: &RoomCommand,
    config: &Config,
    screen: Screen,
) -> anyhow::Result<ExitCode> {
    let scope = tenant_scope(&super::open(config).await?, tenant).await?;
    if let Some(command) = live(command)? {
        let by = by.map_or(By::Tenant, By::Member);
        let request = Request::Room { tenant: scope.id(), room: room.clone(), by, command };
        if let Answer::Room { room } = super::control::ask(config, &request).await? {
            screen.either(&room, |screen| members(&room, screen))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    match command {
        RoomCommand::Set(set) => {
            let before = match scope.room(room).await {
                Ok(known) => known.settings,
                Err(StoreError::NotFound { .. }) => RoomSettings::default(),
                Err(error) => return Err(error.into()),
            };
            let stored = scope.put_room(room, &changed(before, set)?).await?;
            let shown = Shown::of(&stored);
            screen.either(&shown, |screen| screen.line(format!("room {room} is kept")))?;
        }
        RoomCommand::Remove => {
            scope.remove_room(room).await?;
            screen.either(room, |screen| screen.line(format!("room {room} removed")))?;
        }
        _ => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// What is asked of the running daemon; none where only the store is concerned.
fn live(command: &RoomCommand) -> anyhow::Result<Option<room::RoomCommand>> {
    use room::RoomCommand as Live;
    Ok(Some(match command {
        RoomCommand::Set(_) | RoomCommand::Remove => return Ok(None),
        RoomCommand::List => Live::List,
        RoomCommand::Mute { member } => Live::Mute { whom: whom(member)?, on: true },
        RoomCommand::Unmute { member } => Live::Mute { whom: whom(member)?, on: false },
        RoomCommand::Deaf { member } => Live::Deaf { whom: whom(member)?, on: true },
        RoomCommand::Undeaf { member } => Live::Deaf { whom: whom(member)?, on: false },
        RoomCommand::Volume { member, level, hears } => {
            Live::Volume { whom: whom(member)?, own: !*hears, level: *level }
        }
        RoomCommand::Kick { member } => Live::Kick { member: *member },
        RoomCommand::Lock => Live::Lock { on: true },
        RoomCommand::Unlock => Live::Lock { on: false },
        RoomCommand::Play { prompt } => Live::Play { prompt: prompt.clone() },
        RoomCommand::Record { what } => Live::Record { on: *what == Switch::Start },
        RoomCommand::Floor { member } => Live::Floor { member: *member },
        RoomCommand::Invite { to, role } => {
            let role = match role {
                Part::Member => Role::Member,
                Part::Moderator => Role::Moderator,
            };
            Live::Invite { to: super::control::goal(to)?, role }
        }
        RoomCommand::End => Live::End,
    }))
}

fn whom(text: &str) -> anyhow::Result<Whom> {
    match text.parse() {
        _ if text == "others" => Ok(Whom::Others),
        Ok(number) => Ok(Whom::Member(number)),
        Err(_) => anyhow::bail!("`{text}` is neither a member's number nor `others`"),
    }
}

fn members(room: &RoomView, screen: Screen) -> std::io::Result<()> {
    let states = [(room.locked, "locked"), (room.waits, "waiting"), (room.recording, "recorded")];
    for (_, state) in states.iter().filter(|(is, _)| *is) {
        screen.line(state)?;
    }
    let rows = room.members.iter().map(|member| {
        let states = [
            (member.muted, "muted"),
            (member.deaf, "deaf"),
            (member.talks, "talks"),
            (member.has_floor, "floor"),
        ];
        let states: Vec<_> = states.iter().filter(|(is, _)| *is).map(|(_, name)| *name).collect();
        let call = member.call.map_or_else(String::new, |call| call.to_string());
        let number = member.number.clone();
        [member.member.to_string(), member.role.clone(), number, states.join(", "), call]
    });
    screen.table(["MEMBER", "ROLE", "NUMBER", "IS", "CALL"], rows)
}

pub(super) async fn list(
    tenant: &TenantSlug,
    store: &Store,
    screen: Screen,
) -> anyhow::Result<ExitCode> {
    let rooms = tenant_scope(store, tenant).await?.rooms().await?;
    let shown: Vec<_> = rooms.iter().map(Shown::of).collect();
    screen.either(&shown, |screen| {
        let rows = shown.iter().map(|room| {
            let pins = [(room.member_pin, "member"), (room.moderator_pin, "moderator")];
            let pins = pins.iter().filter(|(has, _)| *has).map(|(_, name)| *name);
            let most = room.settings.most.map_or_else(String::new, |most| most.to_string());
            let codes = room.settings.keys.len();
            let pins = pins.collect::<Vec<_>>().join(", ");
            [room.name.to_string(), pins, most, codes.to_string()]
        });
        screen.table(["ROOM", "PINS", "MOST", "KEYS"], rows)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// A room without its PINs.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a RoomName,
    member_pin: bool,
    moderator_pin: bool,
    settings: RoomSettings,
}

impl<'a> Shown<'a> {
    fn of(room: &'a StoredRoom) -> Self {
        let known = &room.settings;
        let settings = RoomSettings { member_pin: None, moderator_pin: None, ..known.clone() };
        let (member_pin, moderator_pin) =
            (known.member_pin.is_some(), known.moderator_pin.is_some());
        Self { name: &room.name, member_pin, moderator_pin, settings }
    }
}

fn changed(mut room: RoomSettings, set: &RoomSet) -> anyhow::Result<RoomSettings> {
    put(&mut room.member_pin, set.member_pin.as_deref().map(pin).transpose()?);
    put(&mut room.moderator_pin, set.moderator_pin.as_deref().map(pin).transpose()?);
    let list = |given: &Option<Vec<Permission>>| -> Option<BTreeSet<Permission>> {
        given.as_ref().map(|given| given.iter().copied().collect())
    };
    put(&mut room.member, list(&set.member));
    put(&mut room.moderator, list(&set.moderator));
    put(&mut room.wait_for_moderator, set.wait_for_moderator);
    put(&mut room.end_with_moderator, set.end_with_moderator);
    put(&mut room.join_muted, set.join_muted);
    put(&mut room.join_deaf, set.join_deaf);
    put(&mut room.most, set.most.map(|most| Some(most).filter(|most| *most > 0)));
    put(&mut room.tones, set.tones);
    put(&mut room.names, set.names);
    let music = set.music.as_deref().map(|name| match name {
        "none" => Ok(None),
        name => name.parse::<PromptName>().map(Some),
    });
    put(&mut room.music, music.transpose()?);
    for key in &set.keys {
        if key == "none" {
            room.keys.clear();
            continue;
        }
        let (code, what) = key.split_once('=').ok_or_else(|| {
            anyhow::anyhow!("--key: `{key}` is not a code and what it does, such as `*1=mute_self`")
        })?;
        let what: RoomKey = what.parse().map_err(|error: String| anyhow::anyhow!(error))?;
        room.keys.insert(code.parse::<Digits>()?, what);
    }
    Ok(room)
}

fn put<T>(place: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *place = given;
    }
}

fn pin(text: &str) -> anyhow::Result<Option<Pin>> {
    Ok(match text {
        "none" => None,
        digits => Some(Masked::new(digits.parse()?)),
    })
}
