//! Who may do what from outside.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::ids::{ApiKeyId, TenantId};

/// What somebody is to a phone system. The operator is nobody's tenant, all others are one's.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Whoever runs Callwright: all tenants.
    Operator,
    Admin,
    Supervisor,
    Agent,
    /// Whoever only looks.
    Reader,
}

/// One thing that somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Power {
    /// Add and change tenants: what the operator decides about them.
    TenantsManage,
    /// The operator's Sofia profiles.
    ProfilesManage,
    TenantRead,
    KeysManage,
    /// Mint tokens, which never have this power.
    TokensMint,
    UsersRead,
    UsersWrite,
    RulesWrite,
    SchedulesRead,
    SchedulesWrite,
    FlowsRead,
    FlowsWrite,
    NumbersRead,
    NumbersWrite,
    PromptsRead,
    PromptsWrite,
    RoomsRead,
    RoomsWrite,
    RoomsControl,
    GatewaysRead,
    GatewaysWrite,
    ExtensionsRead,
    ExtensionsWrite,
    CallsRead,
    CallsControl,
    /// Call somebody.
    CallsPlace,
    CallsMonitor,
    RecordsRead,
    /// Figures, without callers' numbers.
    ReportsRead,
    RecordingsRead,
    RecordingsListen,
    RecordingsWrite,
    AuditRead,
    WebhooksRead,
    WebhooksWrite,
}

impl Power {
    /// Every one, in the order of the documentation.
    pub const ALL: [Self; 35] = [
        Self::TenantsManage,
        Self::ProfilesManage,
        Self::TenantRead,
        Self::KeysManage,
        Self::TokensMint,
        Self::UsersRead,
        Self::UsersWrite,
        Self::RulesWrite,
        Self::SchedulesRead,
        Self::SchedulesWrite,
        Self::FlowsRead,
        Self::FlowsWrite,
        Self::NumbersRead,
        Self::NumbersWrite,
        Self::PromptsRead,
        Self::PromptsWrite,
        Self::RoomsRead,
        Self::RoomsWrite,
        Self::RoomsControl,
        Self::GatewaysRead,
        Self::GatewaysWrite,
        Self::ExtensionsRead,
        Self::ExtensionsWrite,
        Self::CallsRead,
        Self::CallsControl,
        Self::CallsPlace,
        Self::CallsMonitor,
        Self::RecordsRead,
        Self::ReportsRead,
        Self::RecordingsRead,
        Self::RecordingsListen,
        Self::RecordingsWrite,
        Self::AuditRead,
        Self::WebhooksRead,
        Self::WebhooksWrite,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::TenantsManage => "tenants:manage",
            Self::ProfilesManage => "profiles:manage",
            Self::TenantRead => "tenant:read",
            Self::KeysManage => "keys:manage",
            Self::TokensMint => "tokens:mint",
            Self::UsersRead => "users:read",
            Self::UsersWrite => "users:write",
            Self::RulesWrite => "rules:write",
            Self::SchedulesRead => "schedules:read",
            Self::SchedulesWrite => "schedules:write",
            Self::FlowsRead => "flows:read",
            Self::FlowsWrite => "flows:write",
            Self::NumbersRead => "numbers:read",
            Self::NumbersWrite => "numbers:write",
            Self::PromptsRead => "prompts:read",
            Self::PromptsWrite => "prompts:write",
            Self::RoomsRead => "rooms:read",
            Self::RoomsWrite => "rooms:write",
            Self::RoomsControl => "rooms:control",
            Self::GatewaysRead => "gateways:read",
            Self::GatewaysWrite => "gateways:write",
            Self::ExtensionsRead => "extensions:read",
            Self::ExtensionsWrite => "extensions:write",
            Self::CallsRead => "calls:read",
            Self::CallsControl => "calls:control",
            Self::CallsPlace => "calls:place",
            Self::CallsMonitor => "calls:monitor",
            Self::RecordsRead => "records:read",
            Self::ReportsRead => "reports:read",
            Self::RecordingsRead => "recordings:read",
            Self::RecordingsListen => "recordings:listen",
            Self::RecordingsWrite => "recordings:write",
            Self::AuditRead => "audit:read",
            Self::WebhooksRead => "webhooks:read",
            Self::WebhooksWrite => "webhooks:write",
        }
    }
}

impl fmt::Display for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<Power> for String {
    fn from(power: Power) -> Self {
        power.name().to_owned()
    }
}

/// No power has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no power `{0}`")]
pub struct NoPower(String);

impl FromStr for Power {
    type Err = NoPower;
    fn from_str(text: &str) -> Result<Self, NoPower> {
        let named = Self::ALL.into_iter().find(|power| power.name() == text);
        named.ok_or_else(|| NoPower(text.chars().take(80).collect()))
    }
}

impl TryFrom<String> for Power {
    type Error = NoPower;
    fn try_from(text: String) -> Result<Self, NoPower> {
        text.parse()
    }
}

impl JsonSchema for Power {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Power".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names: Vec<_> = Self::ALL.iter().map(|power| power.name()).collect();
        schemars::json_schema!({ "type": "string", "enum": names })
    }
}

impl Role {
    pub const ALL: [Self; 5] =
        [Self::Operator, Self::Admin, Self::Supervisor, Self::Agent, Self::Reader];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Admin => "admin",
            Self::Supervisor => "supervisor",
            Self::Agent => "agent",
            Self::Reader => "reader",
        }
    }

    /// Whether whoever has this role may do all that the other may.
    pub fn covers(self, other: Self) -> bool {
        Power::ALL.into_iter().all(|power| self.may(power) || !other.may(power))
    }

    /// What the role may do; a key may allow less.
    pub const fn may(self, power: Power) -> bool {
        let manages = matches!(self, Self::Operator | Self::Admin);
        let leads = manages || matches!(self, Self::Supervisor);
        match power {
            Power::TenantsManage | Power::ProfilesManage => matches!(self, Self::Operator),
            Power::KeysManage
            | Power::TokensMint
            | Power::UsersWrite
            | Power::RulesWrite
            | Power::SchedulesWrite
            | Power::FlowsWrite
            | Power::NumbersWrite
            | Power::PromptsWrite
            | Power::RoomsWrite
            | Power::GatewaysWrite
            | Power::ExtensionsWrite
            | Power::RecordingsWrite
            | Power::WebhooksRead
            | Power::WebhooksWrite => manages,
            Power::CallsMonitor
            | Power::GatewaysRead
            | Power::RecordingsRead
            | Power::RecordingsListen
            | Power::AuditRead => leads,
            Power::CallsControl | Power::CallsPlace | Power::RoomsControl => {
                leads || matches!(self, Self::Agent)
            }
            Power::TenantRead
            | Power::UsersRead
            | Power::SchedulesRead
            | Power::FlowsRead
            | Power::NumbersRead
            | Power::PromptsRead
            | Power::RoomsRead
            | Power::ExtensionsRead
            | Power::CallsRead
            | Power::RecordsRead
            | Power::ReportsRead => true,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A key of the HTTP API; its secret is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApiKey {
    pub id: ApiKeyId,
    /// None for the operator's.
    pub tenant: Option<TenantId>,
    pub name: String,
    pub role: Role,
    /// Only these of the role's powers; all of them where there are none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub powers: BTreeSet<Power>,
    /// Networks from which it counts; all of them where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub addresses: Vec<IpNet>,
    pub created: Timestamp,
    pub expires: Option<Timestamp>,
    /// To the minute.
    pub used: Option<Timestamp>,
}

impl ApiKey {
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    pub fn may(&self, power: Power) -> bool {
        self.role.may(power) && (self.powers.is_empty() || self.powers.contains(&power))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_power_is_found_by_its_name_and_only_the_operator_has_all() {
        for power in Power::ALL {
            assert_eq!(power.name().parse(), Ok(power));
            assert!(Role::Operator.may(power));
        }
        for role in Role::ALL.into_iter().skip(1) {
            assert!(!role.may(Power::TenantsManage), "{role}");
            assert!(!role.may(Power::ProfilesManage), "{role}");
        }
        assert!("calls:dance".parse::<Power>().is_err());
    }

    #[test]
    fn a_key_never_allows_more_than_its_role() {
        let key = ApiKey {
            id: ApiKeyId(uuid::Uuid::from_u128(1)),
            tenant: None,
            name: "wall".into(),
            role: Role::Reader,
            powers: [Power::CallsRead, Power::CallsControl].into(),
            addresses: Vec::new(),
            created: Timestamp::UNIX_EPOCH,
            expires: None,
            used: None,
        };
        assert!(key.may(Power::CallsRead));
        assert!(!key.may(Power::CallsControl), "a reader never controls");
        assert!(!key.may(Power::FlowsRead), "the key was cut down");
    }
}
