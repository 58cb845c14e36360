//! A tenant's conference rooms, as the tenant lays them down: who gets in, what each role may do
//! there, and which keys mean what.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::digits::Digits;
use crate::base::ids::{PromptName, RoomName, TenantId};
use crate::base::masked::Masked;

/// Fewest and most digits of a PIN.
pub const PIN_MIN: usize = 3;
pub const PIN_MAX: usize = 12;
/// Most members that can be asked for; FreeSWITCH takes 1 for no limit.
pub const MEMBERS_MIN: u32 = 2;
pub const MEMBERS_MAX: u32 = 1_000;
/// Most key codes of a room, and most keys of one.
pub const CODES_MAX: usize = 32;
pub const CODE_KEYS_MAX: usize = 4;

/// What a member is to the room.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RoomRole")]
pub enum Role {
    #[default]
    Member,
    Moderator,
}

impl Role {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Moderator => "moderator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing that a role may do in its room.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Be heard. Who may not joins muted.
    Speak,
    /// Mute itself, and speak again where it may speak.
    MuteSelf,
    MuteOthers,
    Kick,
    /// Lock and unlock the room, and enter it while it is locked.
    Lock,
    /// Record the room.
    Record,
    /// Call somebody out into the room.
    Invite,
    /// End the room for everybody.
    End,
}

impl Permission {
    pub const ALL: [Self; 8] = [
        Self::Speak,
        Self::MuteSelf,
        Self::MuteOthers,
        Self::Kick,
        Self::Lock,
        Self::Record,
        Self::Invite,
        Self::End,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Speak => "speak",
            Self::MuteSelf => "mute_self",
            Self::MuteOthers => "mute_others",
            Self::Kick => "kick",
            Self::Lock => "lock",
            Self::Record => "record",
            Self::Invite => "invite",
            Self::End => "end",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Permission {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let all = Self::ALL.map(Self::name).join(", ");
        let found = Self::ALL.into_iter().find(|permission| permission.name() == text);
        found.ok_or_else(|| format!("`{text}` is no permission; there are {all}"))
    }
}

/// What a key code in the room does.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum RoomKey {
    /// Mute itself, or speak again.
    MuteSelf,
    /// Everybody but moderators is muted.
    MuteOthers,
    UnmuteOthers,
    Lock,
    Unlock,
    /// Record the room, or record it no more.
    Record,
    /// Call somebody, whose number is typed then; `#` ends it and `*` gives it up.
    Invite,
    /// Hear the others louder, quieter.
    Louder,
    Quieter,
    /// Leave the room; the caller goes on in the flow.
    Leave,
    /// The room is over for everybody.
    End,
}

impl RoomKey {
    pub const ALL: [Self; 11] = [
        Self::MuteSelf,
        Self::MuteOthers,
        Self::UnmuteOthers,
        Self::Lock,
        Self::Unlock,
        Self::Record,
        Self::Invite,
        Self::Louder,
        Self::Quieter,
        Self::Leave,
        Self::End,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::MuteSelf => "mute_self",
            Self::MuteOthers => "mute_others",
            Self::UnmuteOthers => "unmute_others",
            Self::Lock => "lock",
            Self::Unlock => "unlock",
            Self::Record => "record",
            Self::Invite => "invite",
            Self::Louder => "louder",
            Self::Quieter => "quieter",
            Self::Leave => "leave",
            Self::End => "end",
        }
    }

    /// The permission without which the code is bound to nothing.
    pub const fn needs(self) -> Option<Permission> {
        match self {
            Self::MuteSelf => Some(Permission::MuteSelf),
            Self::MuteOthers | Self::UnmuteOthers => Some(Permission::MuteOthers),
            Self::Lock | Self::Unlock => Some(Permission::Lock),
            Self::Record => Some(Permission::Record),
            Self::Invite => Some(Permission::Invite),
            Self::End => Some(Permission::End),
            Self::Louder | Self::Quieter | Self::Leave => None,
        }
    }
}

impl std::str::FromStr for RoomKey {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let all = Self::ALL.map(Self::name).join(", ");
        let found = Self::ALL.into_iter().find(|key| key.name() == text);
        found.ok_or_else(|| format!("`{text}` is nothing that a key can do; there are {all}"))
    }
}

/// The digits that let somebody in.
pub type Pin = Masked<Digits>;

/// How a room is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RoomSettings {
    /// What members type; without it nobody is asked, or whoever types nothing is a member.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub member_pin: Option<Pin>,
    /// What makes a moderator.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub moderator_pin: Option<Pin>,
    /// What members may do.
    pub member: BTreeSet<Permission>,
    /// What moderators may do.
    pub moderator: BTreeSet<Permission>,
    /// Members hear music and not one another until a moderator has come.
    pub wait_for_moderator: bool,
    /// The room is over when its last moderator leaves.
    pub end_with_moderator: bool,
    /// Members join muted, or without hearing anything.
    pub join_muted: bool,
    pub join_deaf: bool,
    /// Most members at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<u32>,
    /// A tone for all when somebody comes or goes.
    pub tones: bool,
    /// Who comes says a name, which all hear then and when the caller goes.
    pub names: bool,
    /// What is heard by who is alone, or waits for a moderator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub music: Option<PromptName>,
    /// Key codes; none as long as nobody lays them down.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, RoomKey>")]
    pub keys: BTreeMap<Digits, RoomKey>,
}

impl Default for RoomSettings {
    fn default() -> Self {
        Self {
            member_pin: None,
            moderator_pin: None,
            member: [Permission::Speak, Permission::MuteSelf].into(),
            moderator: Permission::ALL.into(),
            wait_for_moderator: false,
            end_with_moderator: false,
            join_muted: false,
            join_deaf: false,
            most: None,
            tones: false,
            names: false,
            music: None,
            keys: BTreeMap::new(),
        }
    }
}

/// Why a room can't be as it is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoomError {
    #[error("{0}: a PIN has {PIN_MIN} to {PIN_MAX} digits from 0 to 9")]
    Pin(&'static str),
    #[error("member_pin and moderator_pin: they are the same, so that nobody could be told apart")]
    SamePins,
    #[error("most: a room has room for {MEMBERS_MIN} to {MEMBERS_MAX}")]
    Most,
    #[error("keys: at most {CODES_MAX} codes, of 1 to {CODE_KEYS_MAX} keys each")]
    Keys,
    #[error("keys: `{0}` begins another code, so that one of them could not be typed")]
    Prefix(String),
}

/// What a member may not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a {role} of this room may not {}", permission.name().replace('_', " "))]
pub struct Denied {
    pub role: Role,
    pub permission: Permission,
}

/// Why a room lets somebody not in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    #[error("the room is locked")]
    Locked,
    #[error("the room is full")]
    Full,
}

impl RoomSettings {
    /// Whether one more with this role may come, however: a room that is locked lets in who may
    /// lock it.
    ///
    /// # Errors
    /// Why not.
    pub fn admits(&self, role: Role, locked: bool, members: u32) -> Result<(), Closed> {
        if locked && !self.may(role, Permission::Lock) {
            return Err(Closed::Locked);
        }
        if self.most.is_some_and(|most| members >= most) {
            return Err(Closed::Full);
        }
        Ok(())
    }

    /// Whether a role may do what needs this permission. Every key, and every operation that is
    /// done in a member's name, asks here.
    ///
    /// # Errors
    /// It may not.
    pub fn permit(&self, role: Role, permission: Permission) -> Result<(), Denied> {
        let granted = match role {
            Role::Member => &self.member,
            Role::Moderator => &self.moderator,
        };
        if granted.contains(&permission) { Ok(()) } else { Err(Denied { role, permission }) }
    }

    pub fn may(&self, role: Role, permission: Permission) -> bool {
        self.permit(role, permission).is_ok()
    }

    /// Whether whoever joins has to be asked for a PIN.
    pub const fn asks(&self) -> bool {
        self.member_pin.is_some() || self.moderator_pin.is_some()
    }

    /// What the codes of a role do: those that it may not use are not among them.
    pub fn keys_of(&self, role: Role) -> impl Iterator<Item = (&Digits, RoomKey)> {
        let may = move |key: RoomKey| key.needs().is_none_or(|needed| self.may(role, needed));
        self.keys.iter().map(|(code, key)| (code, *key)).filter(move |(_, key)| may(*key))
    }

    /// # Errors
    /// What can't be, and where.
    pub fn check(&self) -> Result<(), RoomError> {
        for (name, pin) in
            [("member_pin", &self.member_pin), ("moderator_pin", &self.moderator_pin)]
        {
            let fits = |pin: &Pin| {
                let pin = pin.reveal().as_str();
                let digits = pin.bytes().all(|byte| byte.is_ascii_digit());
                (PIN_MIN..=PIN_MAX).contains(&pin.len()) && digits
            };
            if !pin.as_ref().is_none_or(fits) {
                return Err(RoomError::Pin(name));
            }
        }
        if self.member_pin.is_some() && self.member_pin == self.moderator_pin {
            return Err(RoomError::SamePins);
        }
        if self.most.is_some_and(|most| !(MEMBERS_MIN..=MEMBERS_MAX).contains(&most)) {
            return Err(RoomError::Most);
        }
        self.check_keys()
    }

    fn check_keys(&self) -> Result<(), RoomError> {
        let short = |code: &Digits| (1..=CODE_KEYS_MAX).contains(&code.len());
        if self.keys.len() > CODES_MAX || !self.keys.keys().all(short) {
            return Err(RoomError::Keys);
        }
        let codes = || self.keys.keys().map(Digits::as_str);
        let prefix = codes()
            .find(|code| codes().any(|other| other.len() > code.len() && other.starts_with(code)));
        prefix.map_or(Ok(()), |code| Err(RoomError::Prefix(code.to_owned())))
    }
}

/// A room as FreeSWITCH knows it: no two tenants' rooms have the same name there.
pub fn address(tenant: TenantId, room: &RoomName) -> String {
    format!("t{}-{room}", tenant.0.simple())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(json: &str) -> RoomSettings {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_role_may_do_what_is_granted_to_it_and_nothing_else() {
        let room = room(r#"{"member": ["speak"], "moderator": ["lock", "end"]}"#);
        for permission in Permission::ALL {
            let member = room.may(Role::Member, permission);
            assert_eq!(member, permission == Permission::Speak, "{permission}");
            let moderator = room.may(Role::Moderator, permission);
            let granted = matches!(permission, Permission::Lock | Permission::End);
            assert_eq!(moderator, granted, "{permission}");
        }
        let denied = room.permit(Role::Member, Permission::MuteOthers).unwrap_err();
        assert_eq!(denied.to_string(), "a member of this room may not mute others");
    }

    #[test]
    fn a_code_is_bound_only_for_a_role_that_may_use_it() {
        let room = room(
            r##"{"keys": {"1": "mute_self", "*5": "lock", "*9": "end", "#": "leave"},
                "member": ["speak"]}"##,
        );
        let codes =
            |role| -> Vec<&str> { room.keys_of(role).map(|(code, _)| code.as_str()).collect() };
        assert_eq!(codes(Role::Member), ["#"]);
        assert_eq!(codes(Role::Moderator).len(), 4);
    }

    #[test]
    fn what_can_not_be_is_refused_by_name() {
        for (json, error) in [
            (r#"{"member_pin": "12"}"#, RoomError::Pin("member_pin")),
            (r#"{"moderator_pin": "12*4"}"#, RoomError::Pin("moderator_pin")),
            (r#"{"member_pin": "1234", "moderator_pin": "1234"}"#, RoomError::SamePins),
            (r#"{"most": 1}"#, RoomError::Most),
            (r#"{"keys": {"12345": "lock"}}"#, RoomError::Keys),
            (r#"{"keys": {"*": "lock", "*1": "unlock"}}"#, RoomError::Prefix("*".into())),
        ] {
            assert_eq!(room(json).check(), Err(error), "{json}");
        }
        assert_eq!(RoomSettings::default().check(), Ok(()));
    }

    #[test]
    fn a_pin_is_not_shown() {
        let room = room(r#"{"member_pin": "4711"}"#);
        assert!(!format!("{room:?}").contains("4711"));
        assert!(serde_json::from_str::<RoomSettings>(r#"{"pin": "1"}"#).is_err());
    }

    #[test]
    fn rooms_of_two_tenants_never_meet() {
        let tenant = |number| TenantId(uuid::Uuid::from_u128(number));
        let room = "sales".parse().unwrap();
        assert_eq!(address(tenant(1), &room), "t00000000000000000000000000000001-sales");
        assert_ne!(address(tenant(1), &room), address(tenant(2), &room));
    }
}
