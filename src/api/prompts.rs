//! Prompts, by where FreeSWITCH finds their files.

use axum::http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::endpoint::{Asked, Endpoint};
use super::page::Page;
use super::problem::Problem;
use super::reply::{DONE, Done, Nothing, Reply};
use crate::base::ids::PromptName;
use crate::base::millis::Millis;
use crate::model::access::Power;
use crate::model::tenant::StoredPrompt;
use crate::store::TenantScope;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let (all, one) = ("/v1/tenants/{tenant}/prompts", "/v1/tenants/{tenant}/prompts/{prompt}");
    let (read, write) = (Power::PromptsRead, Power::PromptsWrite);
    vec![
        Endpoint::new(Method::GET, all, read, "A tenant's prompts", list),
        Endpoint::new(Method::GET, one, read, "A prompt", get),
        Endpoint::new(Method::PUT, one, write, "Give a prompt its file", put),
        Endpoint::new(Method::DELETE, one, write, "Forget a prompt; its file stays", remove),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
struct OnePrompt {
    prompt: PromptName,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewPrompt {
    /// The file as FreeSWITCH sees it, from the root on.
    path: String,
    /// How long it plays, where that is known.
    #[serde(default)]
    length_ms: Option<u64>,
}

async fn list(asked: Asked<TenantScope>) -> Result<Reply<Page<StoredPrompt>>, Problem> {
    Ok(Reply(Page::whole(asked.whose.prompts().await?)))
}

async fn get(asked: Asked<TenantScope, OnePrompt>) -> Result<Reply<StoredPrompt>, Problem> {
    Ok(Reply(asked.whose.prompt(&asked.path.prompt).await?))
}

async fn put(
    asked: Asked<TenantScope, OnePrompt, Nothing, NewPrompt>,
) -> Result<Reply<StoredPrompt>, Problem> {
    let Asked { whose, path, body, .. } = asked;
    let length = body.length_ms.map(Millis);
    Ok(Reply(whose.put_prompt(&path.prompt, &body.path, length).await?))
}

async fn remove(asked: Asked<TenantScope, OnePrompt>) -> Result<Done, Problem> {
    asked.whose.remove_prompt(&asked.path.prompt).await?;
    Ok(DONE)
}
