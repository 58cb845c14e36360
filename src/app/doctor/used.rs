//! What tenants' flows and prompts need of FreeSWITCH.

use std::collections::BTreeSet;

use crate::flow::kind::{Kind, Step};
use crate::flow::parse::parse;
use crate::flow::prompt::Prompt;
use crate::store::{Store, StoreError, TenantScope};

/// Prompts whose files are looked for, at most.
const PROMPTS_MAX: usize = 2_000;
/// Flows that are looked at, at most.
const FLOWS_MAX: usize = 5_000;

/// What is used.
#[derive(Debug, Default)]
pub(super) struct Used {
    pub(super) tenants: usize,
    /// Languages in which flows speak numbers and dates.
    pub(super) languages: BTreeSet<String>,
    /// Whether a flow has text spoken.
    pub(super) speaks: bool,
    /// Whether a flow has a conference room.
    pub(super) meets: bool,
    pub(super) prompts: Vec<UsedPrompt>,
}

/// A prompt, with its file as FreeSWITCH names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UsedPrompt {
    pub(super) tenant: String,
    pub(super) name: String,
    pub(super) path: String,
}

/// Reads all tenants' flows and prompts.
pub(super) async fn read(store: &Store) -> Result<Used, StoreError> {
    let mut used = Used::default();
    let mut flows = 0;
    for tenant in store.operator().tenants().await? {
        used.tenants += 1;
        let scope = store.tenant(tenant.id);
        if used.prompts.len() < PROMPTS_MAX {
            let prompts = scope.prompts().await?.into_iter().map(|prompt| UsedPrompt {
                tenant: tenant.slug.to_string(),
                name: prompt.name.to_string(),
                path: prompt.path,
            });
            used.prompts.extend(prompts.take(PROMPTS_MAX));
        }
        if flows < FLOWS_MAX {
            flows += look(&scope, &mut used).await?;
        }
    }
    Ok(used)
}

/// Looks at the published flows of a tenant; how many.
async fn look(scope: &TenantScope, used: &mut Used) -> Result<usize, StoreError> {
    let mut flows = 0;
    for head in scope.flows().await? {
        let Some(version) = head.version else { continue };
        flows += 1;
        let document = scope.version(&head.name, version).await?.document;
        let Ok(flow) = parse(document.to_string().as_bytes()) else { continue };
        for step in flow.steps.values() {
            used.take(step, &flow.language);
        }
    }
    Ok(flows)
}

impl Used {
    fn take(&mut self, step: &Step, language: &str) {
        self.meets |= step.kind() == Kind::Conference;
        for prompt in step.prompt_lists().into_iter().flat_map(|(_, list)| list) {
            match prompt {
                Prompt::Say(say) => {
                    let own = say.language.clone().unwrap_or_else(|| language.to_owned());
                    self.languages.insert(own);
                }
                Prompt::Speak(_) => self.speaks = true,
                Prompt::Named(_) | Prompt::Tone(_) | Prompt::Silence(_) => {}
            }
        }
    }
}
