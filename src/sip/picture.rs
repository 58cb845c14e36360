//! All that FreeSWITCH is to know, with passwords opened: in memory, so that it can be answered
//! while the database is away.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ipnet::IpNet;
use md5::{Digest, Md5};
use zeroize::Zeroizing;

use super::account::{Account, Secret};
use super::config::Config;
use super::profile::SofiaProfile;
use crate::base::ids::{GatewayId, TenantId};
use crate::base::masked::Masked;
use crate::keyring::Keyring;
use crate::model::gateway::{GatewaySettings, switch_name};
use crate::model::sip::MediaEncryption;
use crate::store::{Sealed, SecretOf, SipFacts};
use crate::vault::hex;

/// A phone that may register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phone {
    pub tenant: TenantId,
    pub number: String,
    /// Whom others see.
    pub shown: String,
    pub encryption: MediaEncryption,
    /// MD5 of user, realm and password: what digest authentication needs of it (RFC 2617 3.2.2.2).
    pub a1_hash: Secret,
}

/// The picture of one moment.
#[derive(Debug, Default)]
pub struct Picture {
    pub accounts: BTreeMap<GatewayId, Arc<Account>>,
    /// By domain and number.
    pub phones: BTreeMap<(String, String), Arc<Phone>>,
    /// The operator's profiles, by name.
    pub profiles: BTreeMap<String, Arc<SofiaProfile>>,
    /// Networks from which calls of gateways come.
    pub networks: BTreeSet<IpNet>,
    /// Passwords, by what they were sealed as: they are not opened again.
    opened: BTreeMap<String, Secret>,
}

impl Picture {
    /// Draws it. A password that can't be opened leaves out who needs it, and is told.
    pub(super) fn draw(
        facts: &SipFacts,
        keyring: &Keyring,
        config: &Config,
        before: &Self,
    ) -> Self {
        let mut picture = Self::default();
        for profile in &facts.profiles {
            let made = SofiaProfile::new(profile, config);
            picture.profiles.insert(made.name.clone(), Arc::new(made));
        }
        for one in facts.gateways.iter().filter(|one| one.gateway.settings.enabled) {
            let (gateway, settings) = (&one.gateway, &one.gateway.settings);
            picture.networks.extend(settings.addresses.iter().copied());
            let label = SecretOf::Gateway.label(gateway.id);
            let sealed = one.sealed.as_ref();
            let password = sealed
                .map(|sealed| picture.open(one.tenant, facts, keyring, (&label, sealed), before));
            if matches!(password, Some(None)) && settings.register {
                continue;
            }
            let profile = settings.profile.as_ref().unwrap_or(&config.profile).as_str();
            let name = switch_name(gateway.id);
            let secret = (password.flatten(), one.secret_revision);
            let encryption = settings.encryption.max(picture.encryption(profile));
            let settings = GatewaySettings { encryption, ..settings.clone() };
            let account = Account::new(name, &settings, profile, config.context.as_str(), secret);
            picture.accounts.insert(gateway.id, Arc::new(account));
        }
        for one in facts.extensions.iter().filter(|one| !one.extension.settings.disabled) {
            let extension = &one.extension;
            let Some(domain) = facts.domains.get(&one.tenant).filter(|domain| !domain.is_empty())
            else {
                continue;
            };
            let label = SecretOf::Extension.label(extension.id);
            let sealed = (label.as_str(), &one.sealed);
            let Some(password) = picture.open(one.tenant, facts, keyring, sealed, before) else {
                continue;
            };
            let number = extension.number.to_string();
            let phone = Phone {
                tenant: one.tenant,
                shown: extension.settings.name.clone(),
                encryption: extension.settings.encryption,
                a1_hash: a1_hash(&number, domain, password.reveal()),
                number: number.clone(),
            };
            picture.phones.insert((domain.clone(), number), Arc::new(phone));
        }
        picture
    }

    /// What a profile asks for all its calls: FreeSWITCH's own ask for nothing.
    pub fn encryption(&self, profile: &str) -> MediaEncryption {
        self.profiles.get(profile).map(|profile| profile.encryption).unwrap_or_default()
    }

    /// The profiles at which phones may have registered, and what each asks for its calls:
    /// `usual` last, by whose answer it is known that a phone is nowhere.
    pub fn phone_profiles(&self, usual: &str) -> Vec<(String, MediaEncryption)> {
        let ours = self.profiles.values().filter(|one| one.of_phones && one.enabled);
        let others = ours.map(|one| one.name.as_str()).filter(|name| *name != usual);
        let all = others.chain([usual]);
        all.map(|name| (name.to_owned(), self.encryption(name))).collect()
    }

    fn open(
        &mut self,
        tenant: TenantId,
        facts: &SipFacts,
        keyring: &Keyring,
        (label, sealed): (&str, &Sealed),
        before: &Self,
    ) -> Option<Secret> {
        let secret = match before.opened.get(&sealed.text) {
            Some(known) => known.clone(),
            None => {
                let none = Vec::new();
                let keys = facts.keys.get(&tenant).unwrap_or(&none);
                let opened = keyring.open(tenant, keys, label, sealed);
                let told = |error: &_| {
                    tracing::error!(%tenant, what = label, %error, "a password can't be opened");
                };
                Masked::new(opened.inspect_err(told).ok()?)
            }
        };
        self.opened.insert(sealed.text.clone(), secret.clone());
        Some(secret)
    }
}

fn a1_hash(user: &str, realm: &str, password: &str) -> Secret {
    let text = Zeroizing::new(format!("{user}:{realm}:{password}"));
    Masked::new(Zeroizing::new(hex(&Md5::digest(text.as_bytes()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phones_hash_is_the_one_of_rfc_2617() {
        // The example of RFC 2617 3.5: its response follows from this.
        let hash = a1_hash("Mufasa", "testrealm@host.com", "Circle Of Life");
        assert_eq!(hash.reveal().as_str(), "939e7578ed9e3c518a452acee763bce9");
        assert_eq!(format!("{hash:?}"), "•••");
    }
}
