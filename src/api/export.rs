//! Call records for spreadsheets and other programs: all that are wanted in one answer, which is
//! read from the database while it is sent.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use schemars::{JsonSchema, SchemaGenerator, json_schema};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

use super::Api;
use super::endpoint::{Asked, Endpoint};
use super::problem::Problem;
use super::reply::{Nothing, Seen};
use super::shape::{Answer, Good, Media};
use super::stream::{Gone, Pipe, written};
use crate::base::cause::{HangupCause, Party};
use crate::base::ids::FlowName;
use crate::model::access::Power;
use crate::model::admission::Rule;
use crate::model::record::CallHead;
use crate::store::{CallFilter, StoreError, TenantScope};

/// Exports at once.
pub(super) const EXPORTS_MAX: usize = 4;
/// Records that are read at once.
const BATCH: u32 = 200;
const HEAD: &str = "call,started,ended,seconds,caller,dialed,flow,version,ended_by,cause\r\n";

pub(super) fn endpoints() -> Vec<Endpoint> {
    let read = Power::RecordsRead;
    vec![
        Endpoint::new(
            Method::GET,
            "/v1/tenants/{tenant}/records.csv",
            read,
            "All calls that are over as a table, the newest first",
            csv,
        ),
        Endpoint::new(
            Method::GET,
            "/v1/tenants/{tenant}/records.jsonl",
            read,
            "All records as JSON, one on each line, the newest first",
            jsonl,
        ),
    ]
}

/// Which calls.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Calls that began then or later.
    #[serde(default)]
    from: Option<Timestamp>,
    /// Calls that began before.
    #[serde(default)]
    to: Option<Timestamp>,
    /// The caller's number or the dialed one.
    #[serde(default)]
    number: Option<String>,
    #[serde(default)]
    flow: Option<FlowName>,
    /// How it ended, such as `NORMAL_CLEARING`.
    #[serde(default)]
    cause: Option<HangupCause>,
    /// Who ended it.
    #[serde(default)]
    ended_by: Option<Party>,
    /// The rule that did not let it in.
    #[serde(default)]
    turned_away: Option<Rule>,
}

impl From<Wanted> for CallFilter {
    fn from(wanted: Wanted) -> Self {
        let Wanted { from, to, number, flow, cause, ended_by: party, turned_away } = wanted;
        Self { from, to, number, flow, cause, party, turned_away }
    }
}

/// Text of one of two kinds.
struct Text<const CSV: bool>(Body);

impl<const CSV: bool> Text<CSV> {
    const KIND: &str = if CSV { "text/csv" } else { "application/jsonl" };
}

impl<const CSV: bool> Answer for Text<CSV> {
    fn describe(_: &mut SchemaGenerator) -> Vec<Good> {
        let kinds = if CSV { &["text/csv"] } else { &["application/jsonl"] };
        let media = Some(Media { kinds, schema: json_schema!({ "type": "string" }) });
        vec![Good { status: 200, about: "The records", media, headers: &[] }]
    }

    fn respond(self, seen: &Seen) -> Result<Response, Problem> {
        let body = if seen.head_only { Body::empty() } else { self.0 };
        Ok((StatusCode::OK, [(header::CONTENT_TYPE, Self::KIND)], body).into_response())
    }
}

type Export = Asked<TenantScope, Nothing, Wanted>;

/// A place among those who export; without one there are too many.
fn place(api: &Api) -> Result<OwnedSemaphorePermit, Problem> {
    let busy = |_| Problem::unavailable("too many records are being exported");
    Arc::clone(&api.exports).try_acquire_owned().map_err(busy)
}

async fn csv(asked: Export) -> Result<Text<true>, Problem> {
    let (place, filter) = (place(&asked.api)?, CallFilter::from(asked.query));
    let scope = asked.whose;
    // A database that is away is told before anything is sent.
    let mut page = scope.calls(&filter, None, BATCH).await?;
    Ok(Text(written(async move |pipe: Pipe| {
        let _place = place;
        let mut text = HEAD.to_owned();
        loop {
            page.items.iter().for_each(|call| row(call, &mut text));
            if pipe.send(std::mem::take(&mut text)).await.is_err() {
                return;
            }
            let Some(next) = page.next else { return };
            match more(&pipe, scope.calls(&filter, Some(next), BATCH).await).await {
                Ok(next) => page = next,
                Err(Gone) => return,
            }
        }
    })))
}

async fn jsonl(asked: Export) -> Result<Text<false>, Problem> {
    let (place, filter) = (place(&asked.api)?, CallFilter::from(asked.query));
    let scope = asked.whose;
    let mut page = scope.records(&filter, None, BATCH).await?;
    Ok(Text(written(async move |pipe: Pipe| {
        let _place = place;
        loop {
            let mut text = String::new();
            for record in &page.items {
                match serde_json::to_string(record) {
                    Ok(line) => text.extend([line.as_str(), "\n"]),
                    Err(error) => return pipe.fail(&error).await,
                }
            }
            if !text.is_empty() && pipe.send(text).await.is_err() {
                return;
            }
            let Some(next) = page.next else { return };
            match more(&pipe, scope.records(&filter, Some(next), BATCH).await).await {
                Ok(next) => page = next,
                Err(Gone) => return,
            }
        }
    })))
}

/// The next page; where there is none now, what was sent is not to be taken for all.
async fn more<T>(pipe: &Pipe, page: Result<T, StoreError>) -> Result<T, Gone> {
    match page {
        Ok(page) => Ok(page),
        Err(error) => {
            pipe.fail(&error).await;
            Err(Gone)
        }
    }
}

/// One line (RFC 4180).
fn row(call: &CallHead, text: &mut String) {
    let milliseconds = call.ended.as_millisecond().saturating_sub(call.started.as_millisecond());
    let seconds = format!("{}.{:03}", milliseconds / 1_000, milliseconds % 1_000);
    let fields = [
        call.call.to_string(),
        call.started.to_string(),
        call.ended.to_string(),
        seconds,
        call.caller_number.clone(),
        call.dialed.clone(),
        call.flow.to_string(),
        call.version.to_string(),
        format!("{:?}", call.party).to_lowercase(),
        call.cause.to_string(),
    ];
    line(&fields, text);
}

/// Adds a line of a table.
pub(super) fn line(fields: &[String], text: &mut String) {
    let fields: Vec<String> = fields.iter().map(|field| cell(field)).collect();
    text.extend([fields.join(",").as_str(), "\r\n"]);
}

/// A value that no spreadsheet takes for a formula: who calls chooses what it says. A number with
/// its plus is none.
fn cell(value: &str) -> String {
    let rest = value.strip_prefix(['+', '-']);
    let number = rest.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    let formula = value.starts_with(['=', '+', '-', '@', '\t', '\r']) && !number;
    let value = if formula { format!("'{value}") } else { value.to_owned() };
    if value.contains([',', '"', '\r', '\n']) {
        return format!("\"{}\"", value.replace('"', "\"\""));
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_never_a_formula_and_never_two() {
        assert_eq!(cell("+15550100"), "+15550100");
        assert_eq!(cell("anonymous"), "anonymous");
        assert_eq!(cell("=1+1"), "'=1+1");
        assert_eq!(cell("+1;cmd"), "'+1;cmd");
        assert_eq!(cell("@x"), "'@x");
        assert_eq!(cell("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
    }
}
