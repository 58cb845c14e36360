//! One attempt: an event is sent to a receiver, signed anew, and its answer judged.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::sign::Signer;
use crate::model::webhook::WebhookUrl;
use crate::reach::{Bounds, ClientError, Forbidden, Trouble};

/// Bytes of an answer that are read, and how long that may take.
const ANSWER_MAX: usize = 16 * 1_024;
const READ: Duration = Duration::from_secs(1);

/// The longest wait that a receiver may ask for.
const LATER_MAX: Duration = Duration::from_secs(24 * 3_600);

/// Whom a webhook's events are sent to, and with what they are signed.
#[derive(Debug, Clone)]
pub(super) struct Receiver {
    pub(super) url: WebhookUrl,
    pub(super) signer: Arc<Signer>,
}

/// What a receiver said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub status: Option<u16>,
    /// Why it does not count as delivered.
    pub wrong: Option<String>,
    pub took: Duration,
    /// It wants nothing more at all.
    pub gone: bool,
    /// It wants to be left alone for so long.
    pub later: Option<Duration>,
}

/// Sends events.
#[derive(Debug, Clone)]
pub(super) struct Post {
    secure: (Bounds, reqwest::Client),
    /// Without encryption only where the operator opened the network.
    plain: (Bounds, reqwest::Client),
    patience: Duration,
}

impl Post {
    /// # Errors
    /// The system offers no certificates, or the like.
    pub(super) fn new(allowed: &[ipnet::IpNet], patience: Duration) -> Result<Self, ClientError> {
        let client = |bounds: Bounds| {
            let client = bounds.client().connect_timeout(patience).build()?;
            Ok::<_, ClientError>((bounds, client))
        };
        let secure = client(Bounds::public_and(allowed))?;
        Ok(Self { secure, plain: client(Bounds::only(allowed))?, patience })
    }

    fn way(&self, url: &Url) -> &(Bounds, reqwest::Client) {
        if url.scheme() == "https" { &self.secure } else { &self.plain }
    }

    /// Whether anything may be sent there, as far as that can be said without looking its name up.
    ///
    /// # Errors
    /// It says what is wrong.
    pub(super) fn check(&self, url: &Url) -> Result<(), Forbidden> {
        self.way(url).0.check(url)
    }

    /// Sends a body once. What counts is the status, whatever comes behind it.
    pub(super) async fn send(&self, to: &Receiver, id: &str, body: String) -> Said {
        let began = Instant::now();
        let until = began + self.patience;
        let answered = timeout_at(until, self.ask(to, id, body)).await;
        let took = began.elapsed();
        let mut later = None;
        let (status, wrong) = match answered {
            Ok(Ok(response)) => {
                let status = response.status();
                later = wait(response.headers(), Timestamp::now());
                // It is over when this is dropped, and the connection with it.
                let soon = until.min(Instant::now() + READ);
                let _ = timeout_at(soon, read_away(response)).await;
                (Some(status), judge(status))
            }
            Ok(Err(trouble)) => (None, Some(trouble.to_string())),
            Err(_) => {
                let seconds = self.patience.as_secs_f64();
                (None, Some(format!("no answer came within {seconds} s")))
            }
        };
        let gone = status == Some(StatusCode::GONE);
        Said { status: status.map(|status| status.as_u16()), wrong, took, gone, later }
    }

    async fn ask(&self, to: &Receiver, id: &str, body: String) -> Result<Response, Trouble> {
        let url = to.url.url();
        let (bounds, client) = self.way(url);
        bounds.check(url).map_err(|Forbidden(why)| Trouble::Forbidden(why))?;
        let at = Timestamp::now();
        let signature = to.signer.sign(id, at, &body);
        let request = client
            .post(url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", at.as_second())
            .header("webhook-signature", signature)
            .body(body);
        Ok(request.send().await?)
    }
}

/// What `Retry-After` says: seconds, or a date (RFC 9110 10.2.3).
fn wait(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = rfc2822::parse(text).ok()?.timestamp();
            Duration::try_from(date.duration_since(now)).ok()?
        }
    };
    Some(wait.min(LATER_MAX))
}

/// Reads an answer that nobody wants, so that its connection can be used again; what is long costs
/// the connection.
async fn read_away(mut response: Response) {
    let mut left = ANSWER_MAX;
    while let Ok(Some(chunk)) = response.chunk().await {
        match left.checked_sub(chunk.len()) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

/// Why a status is no success.
fn judge(status: StatusCode) -> Option<String> {
    if status.is_success() {
        return None;
    }
    let code = status.as_u16();
    Some(if status.is_redirection() {
        format!("the receiver redirects ({code}), which is never followed: give the new address")
    } else if status == StatusCode::GONE {
        "the receiver wants nothing more (410)".into()
    } else {
        format!("the receiver answered {code}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_says_in_seconds_or_by_date_when_it_wants_to_be_asked_again() {
        let now: Timestamp = "1994-11-06T08:49:00Z".parse().unwrap();
        for (text, seconds) in [
            ("120", Some(120)),
            ("0", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(37)),
            ("Sun, 06 Nov 1994 08:48:37 GMT", None),
            ("99999999", Some(86_400)),
            ("-1", None),
            ("soon", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            assert_eq!(wait(&headers, now), seconds.map(Duration::from_secs), "{text}");
        }
    }
}
