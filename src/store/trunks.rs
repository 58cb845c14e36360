//! Whose call it is, by the tenants' own gateways.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::gateway::StoredGateway;
use super::routes::NoRoute;
use crate::base::ids::{GatewayId, GatewayName, TenantId};
use crate::base::networks;
use crate::model::gateway::of_switch_name;
use crate::model::sip::MediaEncryption;

/// The gateways that are in use.
#[derive(Debug, Default)]
pub(super) struct Trunks {
    known: BTreeMap<GatewayId, Trunk>,
}

#[derive(Debug)]
struct Trunk {
    tenant: TenantId,
    name: GatewayName,
    registers: bool,
    encrypted_only: bool,
    addresses: Vec<IpNet>,
}

impl Trunks {
    pub(super) fn of_all(gateways: &[StoredGateway]) -> Self {
        let used = gateways.iter().filter(|one| one.gateway.settings.enabled);
        let known = used.map(|one| {
            let settings = &one.gateway.settings;
            let (tenant, registers) = (one.tenant, settings.register);
            let (name, addresses) = (one.gateway.name.clone(), settings.addresses.clone());
            let encrypted_only = settings.encryption == MediaEncryption::Required;
            let trunk = Trunk { tenant, name, registers, encrypted_only, addresses };
            (one.gateway.id, trunk)
        });
        Self { known: known.collect() }
    }

    /// The tenant whose gateway the call came through, and the gateway where it is known. A call
    /// that names none comes through the gateway of its address, if it is one that does not
    /// register, and only one tenant's.
    pub(super) fn of(
        &self,
        gateway: Option<&str>,
        address: Option<&str>,
    ) -> Result<Option<(TenantId, Option<&GatewayName>)>, NoRoute> {
        let address = address.and_then(|text| text.parse::<IpAddr>().ok());
        if let Some(trunk) = gateway.and_then(of_switch_name).and_then(|id| self.known.get(&id)) {
            let may = trunk.addresses.is_empty()
                || address.is_some_and(|from| networks::hold(&trunk.addresses, from));
            let found = Some((trunk.tenant, Some(&trunk.name)));
            return if may { Ok(found) } else { Err(NoRoute::GatewayAddress) };
        }
        let (None | Some(""), Some(from)) = (gateway, address) else { return Ok(None) };
        let still: Vec<_> = self.at(from).collect();
        let Some((first, others)) = still.split_first() else { return Ok(None) };
        if others.iter().any(|other| other.tenant != first.tenant) {
            return Ok(None);
        }
        Ok(Some((first.tenant, others.is_empty().then_some(&first.name))))
    }

    /// Those that do not register and whose calls come from this address.
    fn at(&self, from: IpAddr) -> impl Iterator<Item = &Trunk> {
        let trunks = self.known.values();
        trunks.filter(move |trunk| !trunk.registers && networks::hold(&trunk.addresses, from))
    }

    /// The gateway that takes encrypted calls only, of those through which the call may have come.
    pub(super) fn encrypted_only(
        &self,
        gateway: Option<&str>,
        address: Option<&str>,
    ) -> Option<&GatewayName> {
        let known = gateway.and_then(of_switch_name).and_then(|id| self.known.get(&id));
        let unnamed = gateway.is_none_or(str::is_empty);
        let from = address.filter(|_| unnamed).and_then(|text| text.parse::<IpAddr>().ok());
        let mut may = known.into_iter().chain(from.into_iter().flat_map(|from| self.at(from)));
        may.find(|trunk| trunk.encrypted_only).map(|trunk| &trunk.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::gateway::{Gateway, GatewaySettings, switch_name};
    use jiff::Timestamp;
    use uuid::Uuid;

    fn gateway(tenant: u128, id: u128, register: bool, addresses: &[&str]) -> StoredGateway {
        let settings = GatewaySettings {
            register,
            addresses: addresses.iter().map(|network| network.parse().unwrap()).collect(),
            ..GatewaySettings::at("sip.example".parse().unwrap())
        };
        let gateway = Gateway {
            id: GatewayId(Uuid::from_u128(id)),
            name: "carrier".parse().unwrap(),
            settings,
            has_password: true,
            created: Timestamp::UNIX_EPOCH,
            changed: Timestamp::UNIX_EPOCH,
        };
        let tenant = TenantId(Uuid::from_u128(tenant));
        StoredGateway { tenant, gateway, sealed: None, secret_revision: 0 }
    }

    fn name(id: u128) -> String {
        switch_name(GatewayId(Uuid::from_u128(id))).to_string()
    }

    fn found(trunks: &Trunks, gateway: &str, address: &str) -> Result<Option<u128>, NoRoute> {
        Ok(trunks.of(Some(gateway), Some(address))?.map(|(tenant, _)| tenant.0.as_u128()))
    }

    #[test]
    fn two_tenants_gateways_of_one_name_are_told_apart_by_freeswitchs() {
        let trunks = Trunks::of_all(&[gateway(1, 11, true, &[]), gateway(2, 12, true, &[])]);
        assert_eq!(found(&trunks, &name(11), "192.0.2.1"), Ok(Some(1)));
        assert_eq!(found(&trunks, &name(12), "192.0.2.1"), Ok(Some(2)));
        assert_eq!(found(&trunks, "carrier", "192.0.2.1"), Ok(None));
        assert_eq!(found(&trunks, &name(13), "192.0.2.1"), Ok(None));
    }

    #[test]
    fn a_call_from_elsewhere_is_not_the_gateways() {
        let trunks = Trunks::of_all(&[gateway(1, 11, true, &["192.0.2.0/24", "2001:db8::/32"])]);
        assert_eq!(found(&trunks, &name(11), "192.0.2.9"), Ok(Some(1)));
        assert_eq!(found(&trunks, &name(11), "::ffff:192.0.2.9"), Ok(Some(1)));
        assert_eq!(found(&trunks, &name(11), "2001:db8::1"), Ok(Some(1)));
        assert_eq!(found(&trunks, &name(11), "198.51.100.1"), Err(NoRoute::GatewayAddress));
        assert_eq!(found(&trunks, &name(11), ""), Err(NoRoute::GatewayAddress));
    }

    #[test]
    fn of_the_gateways_at_an_address_one_is_enough_to_want_encrypted_calls_only() {
        let mut all = vec![
            gateway(1, 11, false, &["192.0.2.0/24"]),
            gateway(1, 12, false, &["192.0.2.9/32"]),
            gateway(1, 13, true, &[]),
        ];
        let wants = |all: &[StoredGateway], gateway: &str, address: &str| {
            let trunks = Trunks::of_all(all);
            trunks.encrypted_only(Some(gateway), Some(address)).is_some()
        };
        assert!(!wants(&all, "", "192.0.2.9") && !wants(&all, &name(13), "192.0.2.9"));
        for one in [1, 2] {
            all[one].gateway.settings.encryption = MediaEncryption::Required;
        }
        assert!(wants(&all, "", "192.0.2.9"));
        assert!(!wants(&all, "", "192.0.2.8"));
        assert!(wants(&all, &name(13), "198.51.100.1"));
        assert!(!wants(&all, &name(11), "192.0.2.9"), "it has said by which it comes");
    }

    #[test]
    fn a_provider_that_is_known_by_its_address_only_is_found_unless_two_tenants_have_it() {
        let mut all = vec![
            gateway(1, 11, false, &["192.0.2.0/24"]),
            gateway(1, 12, true, &["198.51.100.0/24"]),
        ];
        let trunks = Trunks::of_all(&all);
        assert_eq!(found(&trunks, "", "192.0.2.9"), Ok(Some(1)));
        assert_eq!(found(&trunks, "", "198.51.100.9"), Ok(None), "that one registers");
        assert_eq!(found(&trunks, "other", "192.0.2.9"), Ok(None), "another gateway's");
        all.push(gateway(2, 13, false, &["192.0.2.9/32"]));
        let trunks = Trunks::of_all(&all);
        assert_eq!(found(&trunks, "", "192.0.2.9"), Ok(None));
        assert_eq!(found(&trunks, "", "192.0.2.8"), Ok(Some(1)));
        all.iter_mut().for_each(|one| one.gateway.settings.enabled = false);
        assert_eq!(found(&Trunks::of_all(&all), "", "192.0.2.8"), Ok(None));
    }
}
