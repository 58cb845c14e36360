//! What all have in common who count a tenant's calls: only one counts at a time, and a gateway's
//! calls are counted in one place, whichever way they go.

use super::pool::Pool;
use crate::base::ids::TenantId;

/// Locks among which PostgreSQL's tenants are divided, and the first one's number.
const LOCKS: i64 = 64;
const LOCK_FIRST: i64 = 0x6c69_6d69_7400_0000;

/// How long it takes at most until the database knows that a call is up, in ms.
pub(super) const GRACE_MS: i64 = 30_000;

/// The call of a row `o` is up, at the moment `$2`. No call lasts for a day, and one whose process
/// nobody has heard of for a minute is gone.
macro_rules! is_up {
    () => {
        "EXISTS (SELECT 1 FROM live_call l WHERE l.tenant = o.tenant AND l.id = o.call \
         AND l.started_ms > $2 - 86400000 AND NOT EXISTS \
         (SELECT 1 FROM instance i WHERE i.id = l.holder AND i.seen_ms < $2 - 60000))"
    };
}

pub(super) use is_up;

/// Calls that are up through each of the tenant's gateways (`$1`), at the moment `$2`: legs that
/// were called, of calls that are up or began lately (`$3`), and calls that came in, but for one
/// (`$4`). Gateways have the tenant's names.
pub(super) const THROUGH: &str = concat!(
    "SELECT gateway, COUNT(*) FROM (SELECT o.gateway FROM outbound_leg o WHERE o.tenant = $1 \
     AND o.ended_ms IS NULL AND (o.began_ms >= $2 - $3 OR ",
    is_up!(),
    ") UNION ALL SELECT c.gateway FROM live_call c WHERE c.tenant = $1 AND c.id <> $4 \
     AND c.gateway IS NOT NULL AND NOT c.pending) AS through GROUP BY gateway"
);

/// The lock for a tenant's counts, to be taken before any call's. SQLite has one writer at a time.
pub(super) fn turn(pool: &Pool, tenant: TenantId) -> Option<i64> {
    match pool {
        Pool::Sqlite(_) => None,
        // The end of a uuid of version 7 is random.
        Pool::Postgres(_) => Some(LOCK_FIRST + i64::from(tenant.0.as_bytes()[15]) % LOCKS),
    }
}
