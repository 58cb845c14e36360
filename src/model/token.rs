//! Tokens: what a tenant's backend gives to browsers, instead of its key, for a short time.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::access::{ApiKey, Power, Role};
use super::user::User;
use crate::base::ids::{ApiKeyId, TenantId, TokenId, UserId};

/// Powers that no token has: what is made with them lasts longer than it.
const NEVER: [Power; 5] = [
    Power::TenantsManage,
    Power::ProfilesManage,
    Power::KeysManage,
    Power::TokensMint,
    Power::WebhooksWrite,
];

/// What a token says, under a signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Token {
    pub id: TokenId,
    /// The key with which it was minted.
    pub key: ApiKeyId,
    pub tenant: TenantId,
    /// Whose it is; none where it only has a label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// What it is for, such as a wallboard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    pub role: Role,
    /// Only these of the role's powers; all of them where there are none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub powers: BTreeSet<Power>,
    pub minted: Timestamp,
    pub expires: Timestamp,
}

impl Token {
    fn may(&self, power: Power) -> bool {
        !NEVER.contains(&power)
            && self.role.may(power)
            && (self.powers.is_empty() || self.powers.contains(&power))
    }
}

/// Why somebody may not do something with a token that is to be minted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooMuch {
    #[error("a token of the role {0} may do more than the key with which it is to be minted")]
    Key(Role),
    #[error("a token of the role {0} may do more than the user")]
    User(Role),
    #[error("{0} is not among what the role, the user and the key may do, or no token may do it")]
    Power(Power),
}

/// Who asks over HTTP: with a key, or with a token that was minted with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// The key; of a token the one with which it was minted.
    pub key: ApiKey,
    pub token: Option<Token>,
    /// Whose token it is, as far as it is somebody's.
    pub user: Option<User>,
}

impl Bearer {
    pub const fn with(key: ApiKey) -> Self {
        Self { key, token: None, user: None }
    }

    /// A token never allows more than its key, and its user, may do now.
    pub fn may(&self, power: Power) -> bool {
        self.key.may(power)
            && self.token.as_ref().is_none_or(|token| token.may(power))
            && self.user.as_ref().is_none_or(|user| user.settings.role.may(power))
    }

    /// # Errors
    /// The token that it has would be wider than its key or its user.
    pub fn check(&self) -> Result<(), TooMuch> {
        let Some(token) = &self.token else { return Ok(()) };
        if !self.key.role.covers(token.role) {
            return Err(TooMuch::Key(token.role));
        }
        if self.user.as_ref().is_some_and(|user| !user.settings.role.covers(token.role)) {
            return Err(TooMuch::User(token.role));
        }
        let beyond = token.powers.iter().find(|power| !self.may(**power));
        beyond.map_or(Ok(()), |power| Err(TooMuch::Power(*power)))
    }

    /// Whose things are asked for; none of all tenants'.
    pub fn tenant(&self) -> Option<TenantId> {
        self.token.as_ref().map_or(self.key.tenant, |token| Some(token.tenant))
    }

    /// Whose requests are counted together: a key's, a user's, or those with one token.
    pub fn identity(&self) -> uuid::Uuid {
        match (&self.user, &self.token) {
            (Some(user), _) => user.id.0,
            (None, Some(token)) => token.id.0,
            (None, None) => self.key.id.0,
        }
    }

    /// A name for an author: the user's, the token's label, or the key's.
    pub fn name(&self) -> String {
        match (&self.user, self.token.as_ref().and_then(|token| token.label.as_ref())) {
            (Some(user), _) => user.name.to_string(),
            (None, Some(label)) => label.clone(),
            (None, None) => self.key.name.clone(),
        }
    }

    /// Who it is in words, as they stand in what is kept.
    pub fn who(&self) -> String {
        let key = &self.key.name;
        match (&self.user, &self.token) {
            (Some(user), _) => format!("token of user {} by key {key}", user.name),
            (None, Some(_)) => format!("token {} by key {key}", self.name()),
            (None, None) => format!("key {key}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::user::UserSettings;
    use uuid::Uuid;

    fn key(role: Role, powers: &[Power]) -> ApiKey {
        ApiKey {
            id: ApiKeyId(Uuid::from_u128(1)),
            tenant: Some(TenantId(Uuid::from_u128(2))),
            name: "backend".into(),
            role,
            powers: powers.iter().copied().collect(),
            addresses: Vec::new(),
            created: Timestamp::UNIX_EPOCH,
            expires: None,
            used: None,
        }
    }

    fn user(role: Role) -> User {
        let settings = UserSettings { name: "Ann".into(), role, extension: None, enabled: true };
        User {
            id: UserId(Uuid::from_u128(3)),
            name: "ann@acme.example".parse().unwrap(),
            settings,
            created: Timestamp::UNIX_EPOCH,
            changed: Timestamp::UNIX_EPOCH,
            ended: None,
        }
    }

    fn bearer(key: ApiKey, user: Option<User>, role: Role, powers: &[Power]) -> Bearer {
        let token = Token {
            id: TokenId(Uuid::from_u128(4)),
            key: key.id,
            tenant: TenantId(Uuid::from_u128(2)),
            user: user.as_ref().map(|user| user.id),
            label: user.is_none().then(|| "wall".to_owned()),
            role,
            powers: powers.iter().copied().collect(),
            minted: Timestamp::UNIX_EPOCH,
            expires: Timestamp::UNIX_EPOCH,
        };
        Bearer { key, token: Some(token), user }
    }

    #[test]
    fn a_token_may_what_its_key_its_user_and_itself_may_and_nothing_else() {
        use Power as P;
        let narrow = key(Role::Admin, &[P::TokensMint, P::CallsRead, P::FlowsWrite]);
        let admin = bearer(narrow.clone(), None, Role::Admin, &[]);
        let may = |bearer: &Bearer| P::ALL.into_iter().filter(|power| bearer.may(*power)).count();
        assert!(admin.may(P::CallsRead) && admin.may(P::FlowsWrite));
        assert_eq!(may(&admin), 2, "it mints no tokens");
        let agent = bearer(narrow, Some(user(Role::Agent)), Role::Admin, &[]);
        assert!(agent.may(P::CallsRead) && !agent.may(P::FlowsWrite), "the user is an agent now");
        let wide = bearer(key(Role::Admin, &[]), None, Role::Admin, &[]);
        for never in NEVER {
            assert!(!wide.may(never), "{never}");
        }
    }

    #[test]
    fn what_would_be_wider_than_its_key_or_user_is_refused() {
        use Power as P;
        let check = |role, powers: &[Power]| {
            let minter = key(Role::Supervisor, &[P::TokensMint, P::CallsRead, P::AuditRead]);
            bearer(minter, Some(user(Role::Agent)), role, powers).check()
        };
        assert_eq!(check(Role::Admin, &[]), Err(TooMuch::Key(Role::Admin)));
        assert_eq!(check(Role::Supervisor, &[]), Err(TooMuch::User(Role::Supervisor)));
        assert_eq!(check(Role::Agent, &[P::AuditRead]), Err(TooMuch::Power(P::AuditRead)));
        assert_eq!(check(Role::Agent, &[P::FlowsRead]), Err(TooMuch::Power(P::FlowsRead)));
        assert_eq!(check(Role::Agent, &[P::CallsRead]), Ok(()));
        assert_eq!(check(Role::Reader, &[]), Ok(()));
    }

    #[test]
    fn what_is_done_with_a_token_is_its_users_or_labels_and_its_keys() {
        let admin = || key(Role::Admin, &[]);
        let ann = bearer(admin(), Some(user(Role::Agent)), Role::Agent, &[]);
        assert_eq!(ann.who(), "token of user ann@acme.example by key backend");
        assert_eq!(ann.identity(), Uuid::from_u128(3), "a new token is the same user's");
        let wall = bearer(admin(), None, Role::Reader, &[]);
        assert_eq!((wall.who(), wall.name()), ("token wall by key backend".into(), "wall".into()));
        assert_eq!(wall.identity(), Uuid::from_u128(4));
        let plain = Bearer::with(admin());
        assert_eq!((plain.who(), plain.name()), ("key backend".into(), "backend".into()));
    }
}
