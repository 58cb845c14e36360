//! What a tenant has for calls to numbers outside, put together from what routing knows.

use super::StoredRoute;
use crate::base::ids::TenantId;
use crate::model::gateway::switch_name;
use crate::model::outbound::{Outbound, Trunk};
use crate::model::tenant::{NumberMatch, NumberRoute, Tenant};
use crate::store::extension::StoredExtension;
use crate::store::facts::Facts;
use crate::store::gateway::StoredGateway;
use crate::store::screen::Screen;

/// Shorter ones of the number map are not known outside.
const NUMBER_MIN: usize = 6;

/// A tenant's part of it. How many calls a gateway may have is one figure for both directions, and
/// the screen has it.
pub(in crate::store) fn picture(tenant: &Tenant, facts: &Facts, screen: &Screen) -> Outbound {
    let is_own = |of: TenantId| of == tenant.id;
    let routes = facts.routes.iter().filter(|one| is_own(one.tenant));
    let routes = routes.map(|one: &StoredRoute| (one.name.clone(), one.route.clone()));
    let own = facts.gateways.iter().filter(|one| is_own(one.tenant));
    let used = own.map(|one: &StoredGateway| &one.gateway).filter(|one| one.settings.enabled);
    let own = used.map(|gateway| (gateway.name.clone(), switch_name(gateway.id)));
    let given = tenant.gateways.iter().map(|name| (name.clone(), name.clone()));
    // The tenant's own name counts before the same name of one that it was given.
    let trunks = given.chain(own).map(|(name, switch)| {
        let most = screen.calls_through(&name);
        (name, Trunk { switch, most })
    });
    let rules = facts.rules.iter().find(|one| is_own(one.tenant));
    let locked = facts.locks.iter().find(|one| is_own(one.tenant));
    let mut picture = Outbound::new(routes, trunks, &tenant.timezone);
    picture.rules = rules.map(|one| one.rules.clone()).unwrap_or_default();
    picture.numbering.clone_from(&tenant.numbering);
    let number = |one: &NumberRoute| match &one.number {
        NumberMatch::Exact(number) => Some(number.clone()),
        NumberMatch::Pattern(_) => None,
    };
    let numbers = facts.numbers.iter().filter(|one| is_own(one.tenant));
    picture.numbers = numbers.filter_map(number).filter(|one| one.len() >= NUMBER_MIN).collect();
    let extensions = facts.extensions.iter().filter(|one| is_own(one.tenant));
    let outside = |one: &StoredExtension| {
        let extension = &one.extension;
        Some((extension.number.to_string(), extension.settings.outside.clone()?))
    };
    picture.extensions = extensions.filter_map(outside).collect();
    picture.locked = locked.map(|one| one.lock.clone());
    picture
}
