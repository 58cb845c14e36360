//! Flows: a draft that is worked on, and published versions that never change.

use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::FromRow;
use uuid::Uuid;

use super::act::{NewAct, put_act};
use super::event::{News, put_news};
use super::pool::{in_transaction, on};
use super::{StoreError, TenantScope, now_ms, positive, timestamp};
use crate::base::ids::{FlowId, FlowName};
use crate::flow::Flow;
use crate::model::event::{Happened, Kind};
use crate::model::tenant::{FlowHead, VersionHead};

/// A flow's document is at most this many bytes long, as JSON.
const DOCUMENT_MAX: usize = 1_024 * 1_024;
/// An author's name or a note is at most this many bytes long.
const NOTE_MAX: usize = 2_000;

/// Who publishes, and what they say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    pub author: String,
    pub note: String,
}

impl Signature {
    fn check(&self) -> Result<(), StoreError> {
        let fits = |text: &str| text.len() <= NOTE_MAX && !text.contains('\0');
        if self.author.trim().is_empty() || !fits(&self.author) || !fits(&self.note) {
            return Err(StoreError::Invalid(format!(
                "a version needs an author, and author and note have at most {NOTE_MAX} bytes"
            )));
        }
        Ok(())
    }
}

/// What is being worked on.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub head: FlowHead,
    /// As written; it may have errors.
    pub document: Value,
}

/// A published version with its document.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    pub head: VersionHead,
    pub document: Value,
}

#[derive(Debug, FromRow)]
struct FlowRow {
    id: String,
    name: String,
    draft_revision: i64,
    draft_author: String,
    draft_saved_ms: i64,
    version: i64,
}

const HEAD: &str = "SELECT id, name, draft_revision, draft_author, draft_saved_ms, version \
     FROM flow WHERE tenant = $1 AND name = $2";

impl TryFrom<FlowRow> for FlowHead {
    type Error = StoreError;
    fn try_from(row: FlowRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.parse().map_err(StoreError::corrupt)?,
            name: row.name.parse().map_err(StoreError::corrupt)?,
            version: Some(positive(row.version)?).filter(|version| *version > 0),
            draft_revision: positive(row.draft_revision)?,
            draft_author: row.draft_author,
            draft_saved: timestamp(row.draft_saved_ms)?,
        })
    }
}

#[derive(Debug, FromRow)]
struct VersionRow {
    flow: String,
    version: i64,
    author: String,
    note: String,
    copy_of: Option<i64>,
    published_ms: i64,
}

impl TryFrom<VersionRow> for VersionHead {
    type Error = StoreError;
    fn try_from(row: VersionRow) -> Result<Self, StoreError> {
        Ok(Self {
            flow: row.flow.parse().map_err(StoreError::corrupt)?,
            version: positive(row.version)?,
            author: row.author,
            note: row.note,
            copy_of: row.copy_of.map(positive).transpose()?,
            published: timestamp(row.published_ms)?,
        })
    }
}

fn document(text: &str) -> Result<Value, StoreError> {
    serde_json::from_str(text).map_err(StoreError::corrupt)
}

/// Writes a version inside a transaction; the row it made.
macro_rules! add_version {
    ($tx:ident, $flow:expr, $version:expr, $document:expr, $by:expr, $copy_of:expr) => {
        sqlx::query_as::<_, VersionRow>(
            "INSERT INTO flow_version \
             (flow, version, document, author, note, copy_of, published_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) \
             RETURNING flow, version, author, note, copy_of, published_ms",
        )
        .bind($flow)
        .bind($version)
        .bind($document)
        .bind(&$by.author)
        .bind(&$by.note)
        .bind($copy_of)
        .bind(now_ms())
        .fetch_one(&mut *$tx)
        .await?
    };
}

impl TenantScope {
    /// Saves what is being worked on. `revision` is the draft's that was changed: `None` for a flow
    /// that must not exist yet. If somebody saved in between, nothing is written and it is a
    /// conflict.
    pub async fn save_draft(
        &self,
        name: &FlowName,
        document: &Value,
        author: &str,
        revision: Option<u32>,
    ) -> Result<FlowHead, StoreError> {
        Signature { author: author.to_owned(), note: String::new() }.check()?;
        let text = document.to_string();
        if text.len() > DOCUMENT_MAX {
            let length = text.len();
            let sentence = format!("the flow has {length} bytes: {DOCUMENT_MAX} are allowed");
            return Err(StoreError::Invalid(sentence));
        }
        match revision {
            None => self.insert_draft(name, &text, author).await?,
            Some(revision) => self.update_draft(name, &text, author, revision).await?,
        }
        self.flow(name).await
    }

    async fn insert_draft(
        &self,
        name: &FlowName,
        text: &str,
        author: &str,
    ) -> Result<(), StoreError> {
        let act = self.act("flow.draft", name, None::<&()>, Some(&json!({ "revision": 1 })))?;
        let insert = async || -> Result<(), StoreError> {
            in_transaction!(self.store.ready().await?, tx => {
            sqlx::query(
                "INSERT INTO flow (id, tenant, name, draft, draft_revision, draft_author, \
                 draft_saved_ms, version) VALUES ($1, $2, $3, $4, 1, $5, $6, 0)",
            )
            .bind(FlowId(Uuid::now_v7()).to_string())
            .bind(self.key())
            .bind(name.as_str())
            .bind(text)
            .bind(author)
            .bind(now_ms())
            .execute(&mut *tx)
            .await?;
            put_act!(tx, act);
            });
            Ok(())
        };
        insert().await.map_err(|error| {
            self.without_tenant(error).taken(|| format!("there is a flow `{name}` already"))
        })
    }

    async fn update_draft(
        &self,
        name: &FlowName,
        text: &str,
        author: &str,
        revision: u32,
    ) -> Result<(), StoreError> {
        let (was, is) = (json!({ "revision": revision }), json!({ "revision": revision + 1 }));
        let act = self.act("flow.draft", name, Some(&was), Some(&is))?;
        let rows = in_transaction!(self.store.ready().await?, tx => {
            let rows = sqlx::query(
                "UPDATE flow SET draft = $1, draft_author = $2, draft_saved_ms = $3, \
                 draft_revision = draft_revision + 1 \
                 WHERE tenant = $4 AND name = $5 AND draft_revision = $6",
            )
            .bind(text)
            .bind(author)
            .bind(now_ms())
            .bind(self.key())
            .bind(name.as_str())
            .bind(i64::from(revision))
            .execute(&mut *tx)
            .await?
            .rows_affected();
            if rows > 0 {
                put_act!(tx, act);
            }
            rows
        });
        if rows == 0 { Err(self.outdated(name, revision).await) } else { Ok(()) }
    }

    async fn outdated(&self, name: &FlowName, revision: u32) -> StoreError {
        match self.flow(name).await {
            Ok(head) => StoreError::Conflict(format!(
                "the draft of `{name}` is at revision {}, saved by {}, no longer at {revision}",
                head.draft_revision, head.draft_author
            )),
            Err(error) => error,
        }
    }

    /// A flow without its documents.
    pub async fn flow(&self, name: &FlowName) -> Result<FlowHead, StoreError> {
        let row = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, FlowRow>(HEAD)
                .bind(self.key())
                .bind(name.as_str())
                .fetch_optional(db)
                .await?
        });
        row.ok_or_else(|| StoreError::not_found("flow", name))?.try_into()
    }

    /// By name.
    pub async fn flows(&self) -> Result<Vec<FlowHead>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, FlowRow>(
                "SELECT id, name, draft_revision, draft_author, draft_saved_ms, version FROM flow \
                 WHERE tenant = $1 ORDER BY name",
            )
            .bind(self.key())
            .fetch_all(db)
            .await?
        });
        rows.into_iter().map(FlowHead::try_from).collect()
    }

    pub async fn draft(&self, name: &FlowName) -> Result<Draft, StoreError> {
        let row = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, (String, i64)>(
                "SELECT draft, draft_revision FROM flow WHERE tenant = $1 AND name = $2",
            )
            .bind(self.key())
            .bind(name.as_str())
            .fetch_optional(db)
            .await?
        });
        let (text, revision) = row.ok_or_else(|| StoreError::not_found("flow", name))?;
        let head = self.flow(name).await?;
        if i64::from(head.draft_revision) != revision {
            return Err(StoreError::Conflict(format!("the draft of `{name}` was saved just now")));
        }
        Ok(Draft { head, document: document(&text)? })
    }

    /// Makes the draft the version that calls get from now on. `check` says why a flow may not be
    /// published; it sees exactly the document that would be.
    pub async fn publish(
        &self,
        name: &FlowName,
        revision: u32,
        by: &Signature,
        check: impl FnOnce(&Flow) -> Result<(), String>,
    ) -> Result<VersionHead, StoreError> {
        by.check()?;
        let draft = self.draft(name).await?;
        if draft.head.draft_revision != revision {
            return Err(self.outdated(name, revision).await);
        }
        approve(name, &draft.document, check)?;
        let row = in_transaction!(self.store.ready().await?, tx => {
            let next = sqlx::query_as::<_, (String, i64, String)>(
                "UPDATE flow SET version = version + 1 \
                 WHERE tenant = $1 AND name = $2 AND draft_revision = $3 \
                 RETURNING id, version, draft",
            )
            .bind(self.key())
            .bind(name.as_str())
            .bind(i64::from(revision))
            .fetch_optional(&mut *tx)
            .await?;
            match next {
                None => None,
                Some((id, version, text)) => {
                    let row = add_version!(tx, id, version, text, by, None::<i64>);
                    put_act!(tx, self.live("flow.publish", name, version)?);
                    put_news!(tx, &[self.news(name, version)?]);
                    Some(row)
                }
            }
        });
        match row {
            None => Err(self.outdated(name, revision).await),
            Some(row) => self.published(row),
        }
    }

    /// Publishes the document of an earlier version as a new one. The draft stays as it is.
    pub async fn rollback(
        &self,
        name: &FlowName,
        version: u32,
        by: &Signature,
        check: impl FnOnce(&Flow) -> Result<(), String>,
    ) -> Result<VersionHead, StoreError> {
        by.check()?;
        let old = self.version(name, version).await?;
        approve(name, &old.document, check)?;
        let text = old.document.to_string();
        let row = in_transaction!(self.store.ready().await?, tx => {
            let (id, next) = sqlx::query_as::<_, (String, i64)>(
                "UPDATE flow SET version = version + 1 WHERE tenant = $1 AND name = $2 \
                 RETURNING id, version",
            )
            .bind(self.key())
            .bind(name.as_str())
            .fetch_one(&mut *tx)
            .await?;
            let row = add_version!(tx, id, next, text, by, Some(i64::from(version)));
            put_act!(tx, self.live("flow.rollback", name, next)?);
            put_news!(tx, &[self.news(name, next)?]);
            row
        });
        self.published(row)
    }

    /// That another version is the one that calls get: what is in versions stays to be read.
    fn live(
        &self,
        what: &'static str,
        name: &FlowName,
        version: i64,
    ) -> Result<NewAct, StoreError> {
        let was = (version > 1).then(|| json!({ "version": version - 1 }));
        self.act(what, name, was.as_ref(), Some(&json!({ "version": version })))
    }

    fn news(&self, name: &FlowName, version: i64) -> Result<News, StoreError> {
        let kind = Kind::FlowPublished { flow: name.clone(), version: positive(version)? };
        let source = format!("flow {name} {version}");
        Ok(News { tenant: self.id(), source, what: Happened { at: Timestamp::now(), kind } })
    }

    fn published(&self, row: VersionRow) -> Result<VersionHead, StoreError> {
        self.store.ring();
        self.store.tell();
        row.try_into()
    }

    /// The newest first.
    pub async fn versions(&self, name: &FlowName) -> Result<Vec<VersionHead>, StoreError> {
        let head = self.flow(name).await?;
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, VersionRow>(
                "SELECT flow, version, author, note, copy_of, published_ms FROM flow_version \
                 WHERE flow = $1 ORDER BY version DESC",
            )
            .bind(head.id.to_string())
            .fetch_all(db)
            .await?
        });
        rows.into_iter().map(VersionHead::try_from).collect()
    }

    pub async fn version(&self, name: &FlowName, version: u32) -> Result<Version, StoreError> {
        let row = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, VersionDocument>(
                "SELECT v.flow, v.version, v.author, v.note, v.copy_of, v.published_ms, v.document \
                 FROM flow_version v JOIN flow f ON f.id = v.flow \
                 WHERE f.tenant = $1 AND f.name = $2 AND v.version = $3",
            )
            .bind(self.key())
            .bind(name.as_str())
            .bind(i64::from(version))
            .fetch_optional(db)
            .await?
        });
        let row = row.ok_or_else(|| {
            StoreError::not_found("version of a flow", format!("{name} {version}"))
        })?;
        Ok(Version { document: document(&row.document)?, head: row.head.try_into()? })
    }
}

#[derive(Debug, FromRow)]
struct VersionDocument {
    #[sqlx(flatten)]
    head: VersionRow,
    document: String,
}

fn approve(
    name: &FlowName,
    document: &Value,
    check: impl FnOnce(&Flow) -> Result<(), String>,
) -> Result<(), StoreError> {
    let refused = |why: String| StoreError::Invalid(format!("`{name}` can't be published: {why}"));
    let flow: Flow =
        serde_path_to_error::deserialize(document).map_err(|error| refused(error.to_string()))?;
    check(&flow).map_err(refused)
}
