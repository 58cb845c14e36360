//! Performs http queries: the only way in which a tenant's flow reaches another system.
//!
//! It goes where `reach` lets it. Redirects are few and stay on the host that the author named,
//! since the request's headers may hold secrets.

use std::time::Duration;

use ipnet::IpNet;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::{Attempt, Policy};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::call::input::{HttpAnswer, HttpFailure};
use crate::call::output::HttpRequest;
use crate::flow::kind::http::{Method, OWN_HEADERS};
use crate::reach::{Bounds, ClientError, Forbidden, Trouble};

/// Most redirects of one try.
const REDIRECTS_MAX: usize = 3;
/// Pause before the first retry; it doubles up to the longest.
const RETRY_PAUSE: Duration = Duration::from_millis(200);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(2);

/// Tells a repeated request from a second one (draft-ietf-httpapi-idempotency-key-header).
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Settings of http requests.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Networks that are not public and may be reached all the same.
    pub allow_private: Vec<IpNet>,
}

/// One client for all calls.
#[derive(Debug, Clone)]
pub struct Http {
    client: reqwest::Client,
    bounds: Bounds,
}

impl Http {
    /// # Errors
    /// The system offers no certificates, or the like.
    pub fn new(config: &Config) -> Result<Self, ClientError> {
        let bounds = Bounds::public_and(&config.allow_private);
        let redirects = bounds.clone();
        let client = bounds
            .client()
            .redirect(Policy::custom(move |attempt| redirect(attempt, &redirects)))
            .build()?;
        Ok(Self { client, bounds })
    }

    /// Asks, and asks again where that may help. Dropping the future cancels it.
    ///
    /// # Errors
    /// Says why there is no answer; a status that is not 2xx is an answer.
    pub async fn perform(&self, request: &HttpRequest) -> Result<HttpAnswer, HttpFailure> {
        let mut pause = RETRY_PAUSE;
        let mut left = request.retries;
        loop {
            let result = self.once(request).await;
            if left == 0 || !worth_another_try(&result) {
                return result;
            }
            left -= 1;
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY_PAUSE_MAX);
        }
    }

    async fn once(&self, request: &HttpRequest) -> Result<HttpAnswer, HttpFailure> {
        let url = address(request.url.reveal(), &self.bounds)?;
        let mut builder = self
            .client
            .request(method(request.method), url)
            .timeout(request.timeout.into())
            .headers(headers(request)?);
        if let Some(body) = &request.body {
            builder = builder.body(body.reveal().clone());
        }
        let mut response = builder.send().await.map_err(failure)?;
        let too_long = || HttpFailure::TooLong(request.max_bytes);
        let max = usize::try_from(request.max_bytes).unwrap_or(usize::MAX);
        if response.content_length().is_some_and(|length| length > u64::from(request.max_bytes)) {
            return Err(too_long());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failure)? {
            if body.len() + chunk.len() > max {
                return Err(too_long());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(HttpAnswer { status: response.status().as_u16(), body })
    }
}

const fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
    }
}

fn worth_another_try(result: &Result<HttpAnswer, HttpFailure>) -> bool {
    match result {
        Ok(answer) => answer.status >= 500,
        Err(HttpFailure::TimedOut | HttpFailure::Unreachable(_)) => true,
        Err(HttpFailure::Forbidden(_) | HttpFailure::TooLong(_) | HttpFailure::Other(_)) => false,
    }
}

/// The address, if its scheme and host may be used. A name's addresses are checked when it is
/// resolved.
fn address(text: &str, bounds: &Bounds) -> Result<Url, HttpFailure> {
    let url = Url::parse(text).map_err(|error| HttpFailure::Other(format!("bad URL: {error}")))?;
    bounds.check(&url).map_err(|Forbidden(why)| HttpFailure::Forbidden(why))?;
    Ok(url)
}

fn redirect(attempt: Attempt<'_>, bounds: &Bounds) -> reqwest::redirect::Action {
    if attempt.previous().len() > REDIRECTS_MAX {
        return attempt.error(Forbidden(format!("more than {REDIRECTS_MAX} redirects")));
    }
    let Some(first) = attempt.previous().first() else { return attempt.stop() };
    let other_host = first.host_str() != attempt.url().host_str();
    let less_secure = first.scheme() == "https" && attempt.url().scheme() != "https";
    if other_host || less_secure {
        return attempt.error(Forbidden("a redirect leads to another host".into()));
    }
    match bounds.check(attempt.url()) {
        Ok(()) => attempt.follow(),
        Err(forbidden) => attempt.error(forbidden),
    }
}

fn headers(request: &HttpRequest) -> Result<HeaderMap, HttpFailure> {
    let mut map = HeaderMap::new();
    if request.body.is_some() {
        map.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if request.method != Method::Get {
        let key = HeaderValue::from_str(&request.key);
        map.extend(key.ok().map(|key| (HeaderName::from_static(IDEMPOTENCY_KEY), key)));
    }
    for (name, value) in &request.headers {
        let header = HeaderName::from_bytes(name.as_bytes())
            .ok()
            .filter(|header| !OWN_HEADERS.contains(&header.as_str()))
            .ok_or_else(|| HttpFailure::Other(format!("`{name}` can't be set as a header")))?;
        let mut value = HeaderValue::from_str(value.reveal())
            .map_err(|_| HttpFailure::Other(format!("the header `{name}` has a bad value")))?;
        value.set_sensitive(true);
        map.insert(header, value);
    }
    Ok(map)
}

/// Says what went wrong without the address, which may hold secrets.
fn failure(error: reqwest::Error) -> HttpFailure {
    match Trouble::from(error) {
        Trouble::Forbidden(why) => HttpFailure::Forbidden(why),
        Trouble::TimedOut => HttpFailure::TimedOut,
        Trouble::Unreachable(why) => HttpFailure::Unreachable(why),
        Trouble::Other(why) => HttpFailure::Other(why),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::base::masked::Masked;
    use crate::base::millis::Millis;

    fn request(url: &str) -> HttpRequest {
        HttpRequest {
            method: Method::Get,
            url: Masked::new(url.to_owned()),
            headers: Vec::new(),
            body: None,
            key: "1-1".into(),
            timeout: Millis(2_000),
            retries: 0,
            max_bytes: 64,
        }
    }

    fn open() -> Http {
        let local = vec!["127.0.0.0/8".parse().unwrap()];
        Http::new(&Config { allow_private: local }).unwrap()
    }

    /// A server that answers each connection with the next text, and hands on what it was asked.
    async fn server(answers: Vec<String>) -> (SocketAddr, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = vec![0; 4_096];
                let length = stream.read(&mut head).await.unwrap();
                asked.push(String::from_utf8_lossy(&head[..length]).into_owned());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            asked
        });
        (address, task)
    }

    fn ok(body: &str) -> String {
        format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    }

    #[tokio::test]
    async fn an_address_inside_is_not_reached_however_it_is_written() {
        let closed = Http::new(&Config::default()).unwrap();
        for url in [
            "http://127.0.0.1:1/",
            "http://localhost:1/",
            "http://0x7f.1/",
            "http://2130706433/",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://169.254.169.254/latest/",
            "http://0/",
            "http://user@127.0.0.1/",
            "ftp://example.org/",
            "file:///etc/passwd",
        ] {
            let result = closed.perform(&request(url)).await;
            assert!(matches!(result, Err(HttpFailure::Forbidden(_))), "{url}: {result:?}");
        }
    }

    #[tokio::test]
    async fn a_redirect_to_another_host_or_inside_is_not_followed() {
        for target in ["http://169.254.169.254/", "http://example.org/", "file:///etc/passwd"] {
            let answer =
                format!("HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n");
            let (address, _task) = server(vec![answer]).await;
            let result = open().perform(&request(&format!("http://{address}/"))).await;
            let stayed = match &result {
                Ok(answer) => answer.status == 302,
                Err(failure) => matches!(failure, HttpFailure::Forbidden(_)),
            };
            assert!(stayed, "{target}: {result:?}");
        }
    }

    #[tokio::test]
    async fn an_answer_beyond_the_limit_is_refused_with_and_without_its_length() {
        let unsized_body =
            format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", "x".repeat(65));
        for answer in [ok(&"x".repeat(65)), unsized_body] {
            let (address, _task) = server(vec![answer]).await;
            let result = open().perform(&request(&format!("http://{address}/"))).await;
            assert_eq!(result, Err(HttpFailure::TooLong(64)));
        }
    }

    #[tokio::test]
    async fn a_server_error_is_retried_and_a_client_error_is_not() {
        let error = |status| {
            format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        };
        let (address, task) = server(vec![error(503), ok("{}")]).await;
        let retried = HttpRequest { retries: 2, ..request(&format!("http://{address}/a?b=c")) };
        let answer = open().perform(&retried).await.unwrap();
        assert_eq!((answer.status, answer.body), (200, b"{}".to_vec()));
        assert_eq!(task.await.unwrap().len(), 2);
        let (address, _task) = server(vec![error(404)]).await;
        let retried = HttpRequest { retries: 2, ..request(&format!("http://{address}/")) };
        assert_eq!(open().perform(&retried).await.unwrap().status, 404);
    }

    #[tokio::test]
    async fn a_header_can_neither_add_a_line_nor_take_over_the_connection() {
        for (name, value) in [
            ("X-Name", "a\r\nX-Evil: 1"),
            ("X-Name\r\nX-Evil", "1"),
            ("Host", "example.org"),
            ("content-length", "0"),
            ("TE", "trailers"),
            ("Proxy-Authorization", "Basic x"),
            ("X Y", "1"),
        ] {
            let headers = vec![(name.to_owned(), Masked::new(value.to_owned()))];
            let request = HttpRequest { headers, ..request("http://127.0.0.1:1/") };
            let result = open().perform(&request).await;
            assert!(matches!(result, Err(HttpFailure::Other(_))), "{name}: {result:?}");
        }
    }

    #[tokio::test]
    async fn a_silent_server_costs_no_more_than_the_time_out() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let result = open().perform(&HttpRequest { timeout: Millis(50), ..request(&url) }).await;
        assert_eq!(result, Err(HttpFailure::TimedOut));
        drop(listener);
        let result = open().perform(&request(&url)).await;
        assert!(matches!(result, Err(HttpFailure::Unreachable(_))), "{result:?}");
    }
}
