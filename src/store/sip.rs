//! What FreeSWITCH is to know of gateways and phones, as of one moment.

use std::collections::BTreeMap;

use super::extension::StoredExtension;
use super::facts::Facts;
use super::gateway::StoredGateway;
use super::sealed::{TenantKeys, by_tenant};
use crate::base::ids::TenantId;
use crate::model::profile::Profile;

/// The operator's profiles, all tenants' gateways and extensions, and the keys that open their
/// passwords.
#[derive(Debug, Clone, Default)]
pub struct SipFacts {
    pub gateways: Vec<StoredGateway>,
    pub extensions: Vec<StoredExtension>,
    /// The operator's.
    pub profiles: Vec<Profile>,
    pub keys: TenantKeys,
    /// Tenants' SIP domains, in lower case.
    pub domains: BTreeMap<TenantId, String>,
}

impl SipFacts {
    pub(super) fn of(facts: &Facts) -> Self {
        let domain =
            |tenant: &crate::model::tenant::Tenant| (tenant.id, tenant.domain.to_ascii_lowercase());
        Self {
            gateways: facts.gateways.clone(),
            extensions: facts.extensions.clone(),
            profiles: facts.profiles.clone(),
            keys: by_tenant(&facts.keys),
            domains: facts.tenants.iter().map(domain).collect(),
        }
    }
}
