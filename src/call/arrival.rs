//! What is known of a call when FreeSWITCH hands it over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::address;
use crate::base::ids::{CallId, ChannelId, GatewayName};
use crate::model::admission::AsSent;
use crate::model::record::CameBy;

/// The call's facts, taken from the `connect` reply. All texts come from outside and may hold
/// anything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arrival {
    pub call: CallId,
    pub channel: ChannelId,
    pub caller_name: String,
    pub caller_number: String,
    /// The number that was dialed.
    pub dialed: String,
    /// Whether the channel is answered already.
    pub answered: bool,
    /// The channel variables that the program reads, and those of [`OWN_PHONE`], without the prefix
    /// `variable_`.
    pub variables: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Via::is_nothing")]
    pub via: Via,
}

/// By what the call found its tenant and flow, as far as that is counted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Via {
    /// The number, as the tenant's number map has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// The gateway through which it came, by the tenant's name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<GatewayName>,
    /// Its numbers as they came, where they were read otherwise.
    #[serde(default, skip_serializing_if = "AsSent::is_nothing")]
    pub sent: AsSent,
    /// We placed it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub placed: bool,
    /// The caller's name has the number's label, of which FreeSWITCH knows nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub labelled: bool,
}

impl Via {
    /// As records have it.
    pub fn came_by(&self) -> CameBy {
        CameBy { number: self.number.clone(), gateway: self.gateway.clone(), placed: self.placed }
    }

    const fn is_nothing(&self) -> bool {
        self.number.is_none()
            && self.gateway.is_none()
            && self.sent.is_nothing()
            && !self.placed
            && !self.labelled
    }
}

/// What FreeSWITCH sets where a phone has shown its password (`sofia.c` sofia_handle_sip_i_invite,
/// `sofia_reg.c` sofia_reg_parse_auth).
pub const OWN_PHONE: [&str; 2] = ["sip_authorized", "user_name"];

impl Arrival {
    /// Puts a label before the caller's name, or in its place where that is none but a number.
    pub fn label(&mut self, label: &str) {
        let is_name = self.caller_name.chars().any(char::is_alphabetic);
        self.caller_name =
            if is_name { format!("{label} - {}", self.caller_name) } else { label.to_owned() };
        self.via.labelled = true;
    }

    /// The caller's name where phones that are called would not show it by themselves.
    pub fn shown_name(&self) -> Option<String> {
        address::display_name(&self.caller_name).filter(|_| self.via.labelled)
    }

    /// The tenant's extension whose phone calls; none where the call comes from outside.
    pub fn extension(&self) -> Option<&str> {
        let [authorized, user] = OWN_PHONE.map(|name| self.variables.get(name));
        user.filter(|_| authorized.is_some_and(|word| word == "true")).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_stands_before_a_name_and_in_place_of_a_number() {
        let named = |name: &str| {
            let json = serde_json::json!({ "call": uuid::Uuid::nil(), "channel": "a",
                "caller_name": name, "caller_number": "+1555", "dialed": "100",
                "answered": false, "variables": {} });
            serde_json::from_value::<Arrival>(json).unwrap()
        };
        for (name, shown) in [
            ("Ann", "Sales - Ann"),
            ("+1555", "Sales"),
            ("", "Sales"),
            ("\u{5fc3}", "Sales - \u{5fc3}"),
        ] {
            let mut arrival = named(name);
            assert_eq!(arrival.shown_name(), None, "FreeSWITCH shows it by itself");
            arrival.label("Sales");
            assert_eq!(arrival.shown_name().as_deref(), Some(shown));
        }
    }
}
