//! Programs of calls that began earlier: the versions that they began with, in today's setting.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Directory;
use super::routes::Routes;
use crate::base::ids::{FlowName, TenantId};
use crate::flow::program::Program;

/// Programs that are kept for the next call with the same versions.
const PROGRAMS_MAX: usize = 256;

/// Why a call can't go on as it began.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoProgram {
    #[error("there is no tenant `{0}`")]
    Tenant(TenantId),
    #[error("the call's versions don't name its flow `{0}`")]
    Main(FlowName),
    #[error("version {version} of the flow `{flow}` is not known, or no call can run it any more")]
    Version { flow: FlowName, version: u32 },
}

type Key = (TenantId, FlowName, Vec<(FlowName, u32)>);

/// What was put together for calls that were resumed.
#[derive(Debug, Default)]
pub(super) struct Resumed(Mutex<BTreeMap<Key, Arc<Program>>>);

impl Resumed {
    fn or_make(
        &self,
        key: Key,
        make: impl FnOnce() -> Result<Program, NoProgram>,
    ) -> Result<Arc<Program>, NoProgram> {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(program) = made.get(&key) {
            return Ok(Arc::clone(program));
        }
        let program = Arc::new(make()?);
        if made.len() < PROGRAMS_MAX {
            made.insert(key, Arc::clone(&program));
        }
        Ok(program)
    }
}

impl Directory {
    /// The program of a call that began with these versions, those of `main` and of every flow that
    /// it could reach; never waits. Versions are kept for as long as a call can last after they
    /// were superseded. Prompts and settings are today's.
    ///
    /// # Errors
    /// The tenant or a version is not known.
    pub fn program_of(
        &self,
        tenant: TenantId,
        main: &FlowName,
        versions: &BTreeMap<FlowName, u32>,
    ) -> Result<Arc<Program>, NoProgram> {
        self.routes().program_of(tenant, main, versions)
    }
}

impl Routes {
    /// The program of a call that is nothing but a conversation: it has no flow.
    ///
    /// # Errors
    /// The tenant is not known.
    pub fn program_of_none(&self, tenant: TenantId) -> Result<Arc<Program>, NoProgram> {
        self.program_of(tenant, &FlowName::none(), &BTreeMap::new())
    }

    pub(super) fn program_of(
        &self,
        tenant: TenantId,
        main: &FlowName,
        versions: &BTreeMap<FlowName, u32>,
    ) -> Result<Arc<Program>, NoProgram> {
        // A call that is nothing but a conversation keeps none.
        if !versions.is_empty() && !versions.contains_key(main) {
            return Err(NoProgram::Main(main.clone()));
        }
        if let Some(program) = self.program(tenant, main).filter(|now| runs(now, versions)) {
            return Ok(program);
        }
        let own = self.tenants.get(&tenant).ok_or(NoProgram::Tenant(tenant))?;
        let list = versions.iter().map(|(flow, version)| (flow.clone(), *version));
        self.resumed.or_make((tenant, main.clone(), list.collect()), || {
            let mut flows = BTreeMap::new();
            for (flow, version) in versions {
                let kept = own
                    .versions
                    .get(&(flow.clone(), *version))
                    .ok_or_else(|| NoProgram::Version { flow: flow.clone(), version: *version })?;
                flows.insert(flow.clone(), Arc::clone(kept));
            }
            Ok(own.around.program(main, flows))
        })
    }
}

fn runs(program: &Program, versions: &BTreeMap<FlowName, u32>) -> bool {
    let now = program.flows.iter().map(|(name, published)| (name, &published.version));
    now.eq(versions.iter())
}
