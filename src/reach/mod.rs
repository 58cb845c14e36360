//! Requests to addresses that a tenant named. A tenant is not the operator, so they go to public
//! addresses only, unless the operator opened a network: the address that a name leads to is
//! checked where the connection is made, so a name can't be looked up once for the check and once
//! more for the use.

mod address;

use std::error::Error as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;
use url::{Host, Url};

use address::is_public;

/// Idle connections kept for each host, and for how long.
const IDLE_PER_HOST: usize = 8;
const IDLE_FOR: Duration = Duration::from_secs(30);

/// Why requests can't be made at all.
#[derive(Debug, Error)]
#[error("the http client can't be made: {0}")]
pub struct ClientError(#[from] reqwest::Error);

/// An address that may not be reached.
#[derive(Debug, Clone, Error)]
#[error("{0}")]
pub struct Forbidden(pub String);

/// Which addresses may be reached; a clone is the same.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Whether public ones may be.
    public: bool,
    allowed: Arc<[IpNet]>,
}

impl Bounds {
    /// Public addresses, and those in these networks.
    pub fn public_and(allowed: &[IpNet]) -> Self {
        Self { public: true, allowed: allowed.into() }
    }

    /// Those in these networks.
    pub fn only(allowed: &[IpNet]) -> Self {
        Self { public: false, allowed: allowed.into() }
    }

    fn hold(&self, address: IpAddr) -> bool {
        let plain = address.to_canonical();
        let opened = self.allowed.iter().any(|network| network.contains(&plain));
        opened || (self.public && is_public(plain))
    }

    fn none(&self) -> &'static str {
        if self.public { "public address" } else { "address in a network that is open to http" }
    }

    /// Whether an address of the web may be asked. A name's addresses are checked when it is
    /// resolved.
    ///
    /// # Errors
    /// Its scheme or its host may not be used.
    pub fn check(&self, url: &Url) -> Result<(), Forbidden> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Forbidden(format!("the scheme `{}` is not http or https", url.scheme())));
        }
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(Forbidden("there is no host".into())),
        };
        if self.hold(literal) {
            Ok(())
        } else {
            Err(Forbidden(format!("{literal} is no {}", self.none())))
        }
    }

    /// A client that resolves names to such addresses only, and follows no redirects unless it is
    /// told to. Who uses it has to [`Bounds::check`] each address first: one that is written as a
    /// number is not resolved.
    pub fn client(&self) -> reqwest::ClientBuilder {
        // Another part of the process may have chosen a provider already; either will do.
        drop(rustls::crypto::ring::default_provider().install_default());
        reqwest::Client::builder()
            .user_agent(concat!("callwright/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(Resolver(self.clone())))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .pool_idle_timeout(IDLE_FOR)
    }
}

/// Looks names up with the system's resolver, and keeps the addresses that may be reached.
#[derive(Debug)]
struct Resolver(Bounds);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let bounds = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let usable: Vec<SocketAddr> =
                found.filter(|address| bounds.hold(address.ip())).collect();
            if usable.is_empty() {
                let sentence = format!("`{}` has no {}", name.as_str(), bounds.none());
                return Err(Forbidden(sentence).into());
            }
            Ok(Box::new(usable.into_iter()) as Addrs)
        })
    }
}

/// Why there is no answer. The address, which may hold secrets, is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Trouble {
    #[error("{0}")]
    Forbidden(String),
    #[error("it took too long")]
    TimedOut,
    #[error("there is no connection: {0}")]
    Unreachable(String),
    #[error("{0}")]
    Other(String),
}

impl From<reqwest::Error> for Trouble {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut source = error.source();
        let mut deepest = None;
        while let Some(cause) = source {
            if let Some(Forbidden(why)) = cause.downcast_ref::<Forbidden>() {
                return Self::Forbidden(why.clone());
            }
            deepest = Some(cause.to_string());
            source = cause.source();
        }
        let text = deepest.unwrap_or_else(|| error.to_string());
        if error.is_timeout() {
            Self::TimedOut
        } else if error.is_connect() {
            Self::Unreachable(text)
        } else {
            Self::Other(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_reached_and_that_is_said() {
        let url: Url = "http://localhost:1/".parse().unwrap();
        for (bounds, words) in [
            (Bounds::public_and(&[]), "`localhost` has no public address"),
            (
                Bounds::only(&["10.0.0.0/8".parse().unwrap()]),
                "`localhost` has no address in a network that is open to http",
            ),
        ] {
            assert!(bounds.check(&url).is_ok(), "a name says nothing yet");
            let sent = bounds.client().build().unwrap().get(url.clone()).send().await;
            assert_eq!(Trouble::from(sent.unwrap_err()), Trouble::Forbidden(words.into()));
        }
    }

    #[test]
    fn bounds_without_the_public_hold_open_networks_only() {
        let only = Bounds::only(&["10.0.0.0/8".parse().unwrap()]);
        let check = |url: &str| only.check(&url.parse().unwrap()).is_ok();
        assert!(check("http://10.1.2.3/"));
        for url in ["http://8.8.8.8/", "http://127.0.0.1/", "http://[::ffff:11.0.0.1]/", "ftp://x/"]
        {
            assert!(!check(url), "{url}");
        }
    }
}
