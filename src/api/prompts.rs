//! Prompts: uploaded, or named by where FreeSWITCH finds their files.

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;

use super::config::Config;
use super::endpoint::{Asked, Endpoint};
use super::page::Page;
use super::problem::Problem;
use super::reply::{DONE, Done, Nothing, Reply, Seen, tag};
use super::shape::{Answer, Content, Good, Media, binary};
use crate::base::ids::PromptName;
use crate::base::millis::Millis;
use crate::model::access::Power;
use crate::model::tenant::StoredPrompt;
use crate::store::TenantScope;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let (all, one) = ("/v1/tenants/{tenant}/prompts", "/v1/tenants/{tenant}/prompts/{prompt}");
    let audio = "/v1/tenants/{tenant}/prompts/{prompt}/audio";
    let (read, write) = (Power::PromptsRead, Power::PromptsWrite);
    vec![
        Endpoint::new(Method::GET, all, read, "A tenant's prompts", list),
        Endpoint::new(Method::GET, one, read, "A prompt", get),
        Endpoint::new(
            Method::PUT,
            one,
            // Any file that FreeSWITCH can read: another tenant's, too.
            Power::TenantsManage,
            "Name a file that FreeSWITCH has; a tenant uploads its own",
            put,
        ),
        Endpoint::new(Method::DELETE, one, write, "Forget a prompt that nothing plays", remove),
        Endpoint::new(Method::GET, audio, read, "A prompt's sound, if it was uploaded", download),
        Endpoint::new(
            Method::PUT,
            audio,
            write,
            "Upload a prompt: WAV, MP3, FLAC or Ogg Vorbis of ten minutes at most",
            upload,
        ),
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

/// A file of sound as it was sent.
struct Upload(Bytes);

impl Content for Upload {
    fn describe(_: &mut SchemaGenerator) -> Option<Media> {
        // Any `audio/…` is taken, too; most programs that write clients know files by this alone.
        Some(Media { kinds: &["application/octet-stream"], schema: binary() })
    }

    fn most(config: &Config) -> Option<usize> {
        Some(config.upload)
    }

    /// What it is, its bytes say; by its kind only what is certainly meant otherwise is refused.
    fn read(headers: &HeaderMap, body: Bytes) -> Result<Self, Problem> {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let known = ["audio/", "application/octet-stream", "application/ogg", "video/ogg"];
        if kind.is_some_and(|kind| !known.iter().any(|known| kind.starts_with(known))) {
            let detail = "send the file itself, with a content type of `audio/…`";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Problem::new(status, "not_audio", detail));
        }
        Ok(Self(body))
    }
}

/// A prompt's file.
struct Sound(Vec<u8>);

impl Answer for Sound {
    fn describe(_: &mut SchemaGenerator) -> Vec<Good> {
        let media = Some(Media { kinds: &["audio/wav"], schema: binary() });
        vec![
            Good { status: 200, about: "The file", media, headers: &["ETag"] },
            Good::empty(304, "As `If-None-Match` says"),
        ]
    }

    fn respond(self, seen: &Seen) -> Result<Response, Problem> {
        let tag = tag(&self.0);
        if seen.knows(&tag) {
            return Ok(StatusCode::NOT_MODIFIED.into_response());
        }
        let headers = [(header::CONTENT_TYPE, "audio/wav".to_owned()), (header::ETAG, tag)];
        Ok((headers, self.0).into_response())
    }
}

async fn download(asked: Asked<TenantScope, OnePrompt>) -> Result<Sound, Problem> {
    Ok(Sound(asked.api.prompts.read(&asked.whose, &asked.path.prompt).await?))
}

async fn upload(
    asked: Asked<TenantScope, OnePrompt, Nothing, Upload>,
) -> Result<Reply<StoredPrompt>, Problem> {
    let Asked { api, whose, path, body, .. } = asked;
    Ok(Reply(api.prompts.put(&whose, &path.prompt, body.0.into()).await?))
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
