//! `http`: another system is asked while the caller waits.

use serde::{Deserialize, Serialize};

use super::{Heard, Next, Running};
use crate::base::digits::Digits;
use crate::base::masked::Masked;
use crate::call::input::{Answer, HttpAnswer};
use crate::call::output::{HttpRequest, Query};
use crate::call::variables::Known;
use crate::call::{Call, describe};
use crate::flow::Value;
use crate::flow::expr::Template;
use crate::flow::kind::http::Http;

/// No try takes longer, whatever the author wrote.
const TIMEOUT_MAX_MS: u64 = 30_000;
/// No request is tried again more often.
const RETRIES_MAX: u8 = 5;
/// No answer is longer, in bytes.
const ANSWER_MAX: u32 = 1 << 20;
/// Between two tries the driver may wait so long.
const BETWEEN_TRIES_MS: u64 = 2_000;
/// Bytes of a header's value.
const HEADER_MAX: usize = 2_048;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::call) struct ExpectReply {
    /// Whether the waiting prompts still play.
    playing: bool,
    /// The request's number within the call: the same for the same request, whoever makes it.
    #[serde(default)]
    asked: u32,
}

pub(in crate::call) fn enter(call: &mut Call, http: &Http) -> (Running, Next) {
    let asked = call.state.counters.queries.saturating_add(1);
    let mut state = ExpectReply { playing: false, asked };
    let next = state.ask(call, http);
    (Running::Http(state), next)
}

/// Whether the request was made nobody knows: it is made again under the same key.
pub(in crate::call) fn resume(
    call: &mut Call,
    http: &Http,
    mut state: ExpectReply,
) -> (Running, Next) {
    let next = state.ask(call, http);
    (Running::Http(state), next)
}

impl ExpectReply {
    fn ask(&mut self, call: &mut Call, http: &Http) -> Next {
        let Some(request) = request(call, http, self.asked) else {
            return Next::failed("the address is not one that can be asked");
        };
        let tries = u64::from(request.retries) + 1;
        let within_ms = tries * (request.timeout.ms() + BETWEEN_TRIES_MS);
        // The author's text, not what became of it: the values in it may be secret.
        let question =
            format!("{} {}", describe::method(http.method), describe::clean(http.url.source()));
        call.ask(Query::Http(Box::new(request)), question, within_ms);
        self.keep_waiting(call, http)
    }

    fn keep_waiting(&mut self, call: &mut Call, http: &Http) -> Next {
        self.playing = match call.media(&http.waiting_prompts, None) {
            Ok(media) => call.play(media, Digits::default()),
            Err(missing) => {
                call.notice(format!("the caller waits in silence: {missing}"));
                false
            }
        };
        Next::Wait
    }

    pub(in crate::call) fn hear(&mut self, call: &mut Call, http: &Http, heard: Heard) -> Next {
        match heard {
            Heard::Key(key) => {
                call.keep_key(key);
                Next::Wait
            }
            Heard::Ended(ending) => match describe::failure(&ending) {
                Some(why) => {
                    call.notice(format!("the caller waits in silence: {why}"));
                    Next::Wait
                }
                None => self.keep_waiting(call, http),
            },
            Heard::Answer(Answer::Http(answer)) => match answer {
                Ok(answer) => take(call, http, &answer),
                Err(failure) => {
                    set_status(call, http, 0);
                    Next::failed(describe::clean(&failure.to_string()))
                }
            },
            Heard::Answer(
                Answer::Room(_)
                | Answer::Park(_)
                | Answer::Queue(_)
                | Answer::Admit(_)
                | Answer::Outbound(_)
                | Answer::Spoken(_),
            )
            | Heard::Due(_)
            | Heard::Bridged(_)
            | Heard::Room(_) => Next::Wait,
        }
    }
}

/// The address, each value percent-encoded (RFC 3986, unreserved characters stay); the scheme and
/// the host are the author's own.
fn address(call: &Call, http: &Http) -> Option<String> {
    let (scheme, rest) = http.url.literal_prefix().split_once("://")?;
    let whole = http.url.literal().is_some();
    let known = matches!(scheme, "http" | "https");
    let written_out = whole || rest.contains(['/', '?']);
    (known && written_out).then(|| http.url.render_with(&call.names(), encoded))
}

fn encoded(value: String) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The body with its templates filled in; a text that is one expression keeps its type.
fn filled(call: &Call, json: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match json {
        Json::String(text) => match Template::try_from(text.clone()) {
            Ok(template) => template.value(&call.names()).to_json(),
            Err(_) => Json::String(text.clone()),
        },
        Json::Array(items) => items.iter().map(|item| filled(call, item)).collect(),
        Json::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), filled(call, value)));
            Json::Object(fields.collect())
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => json.clone(),
    }
}

fn request(call: &Call, http: &Http, asked: u32) -> Option<HttpRequest> {
    let url = address(call, http)?;
    let header = |template| {
        let (value, _) = call.render(template);
        Masked::new(value.chars().filter(|c| !c.is_control()).take(HEADER_MAX).collect::<String>())
    };
    let body = http.body.as_ref().map(|body| Masked::new(filled(call, body).to_string()));
    let headers = http.headers.iter();
    Some(HttpRequest {
        method: http.method,
        url: Masked::new(url),
        headers: headers.map(|(name, template)| (name.clone(), header(template))).collect(),
        body,
        key: format!("{}-{asked}", call.state.call()),
        timeout: crate::base::millis::Millis(http.timeout.ms().min(TIMEOUT_MAX_MS)),
        retries: http.retries.min(RETRIES_MAX),
        max_bytes: http.max_bytes.min(ANSWER_MAX),
    })
}

fn set_status(call: &mut Call, http: &Http, status: u16) {
    if let Some(name) = &http.status {
        call.set(name, Known { value: Value::Number(status.into()), secret: false });
    }
}

fn take(call: &mut Call, http: &Http, answer: &HttpAnswer) -> Next {
    set_status(call, http, answer.status);
    if !(200..300).contains(&answer.status) {
        return Next::failed(format!("the status is {}", answer.status));
    }
    if http.into.is_empty() {
        return Next::done();
    }
    let json: serde_json::Value = match serde_json::from_slice(&answer.body) {
        Ok(json) => json,
        Err(_) => return Next::failed("the answer is not JSON"),
    };
    for (name, pointer) in &http.into {
        let value = json.pointer(pointer).map_or(Value::Nothing, Value::from_json);
        call.set(name, Known { value, secret: false });
    }
    Next::done()
}
