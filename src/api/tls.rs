//! TLS for the API: handshakes beside one another, and certificates that are read again when their
//! files change.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use axum::serve::Listener;
use rustls::ServerConfig;
use rustls::crypto::ring::{default_provider, sign::any_supported_type};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::config::Tls;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Handshakes at once; further connections wait in the system's queue.
const HANDSHAKES_MAX: usize = 256;
/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// After an accept that failed.
const PAUSE: Duration = Duration::from_millis(100);

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("`{0}` can't be read as PEM: {1}")]
    File(String, rustls::pki_types::pem::Error),
    #[error("`{0}` holds no certificate")]
    Empty(String),
    #[error(transparent)]
    Rustls(#[from] rustls::Error),
}

/// The certificate of this moment.
struct Current(ArcSwap<CertifiedKey>);

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current")
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

fn read(tls: &Tls) -> Result<CertifiedKey, TlsError> {
    let name = |path: &Path| path.display().to_string();
    let wrong = |path: &Path, error| TlsError::File(name(path), error);
    let chain = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(&tls.certificate, error))?;
    if chain.is_empty() {
        return Err(TlsError::Empty(name(&tls.certificate)));
    }
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|error| wrong(&tls.key, error))?;
    let certified = CertifiedKey::new(chain, any_supported_type(&key)?);
    // Where the key can't tell whose it is, clients will.
    match certified.keys_match() {
        Err(error @ rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
            Err(error.into())
        }
        _ => Ok(certified),
    }
}

fn changed(tls: &Tls) -> [Option<SystemTime>; 2] {
    let time = |path: &Path| std::fs::metadata(path).and_then(|file| file.modified()).ok();
    [time(&tls.certificate), time(&tls.key)]
}

/// Connections whose handshake is done.
#[derive(Debug)]
pub(super) struct Secured {
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Secured {
    /// # Errors
    /// The files can't be used.
    pub(super) fn new(listener: TcpListener, tls: &Tls) -> Result<Self, super::ApiError> {
        let seen = changed(tls);
        let current = Arc::new(Current(ArcSwap::from_pointee(read(tls)?)));
        let versions = [&rustls::version::TLS13, &rustls::version::TLS12];
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&versions)
            .map_err(TlsError::from)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let (done, ready) = mpsc::channel(1);
        let address = listener.local_addr()?;
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, TlsAcceptor::from(Arc::new(config)), done));
        tasks.spawn(renew(current, tls.clone(), seen));
        Ok(Self { ready, address, _tasks: tasks })
    }
}

impl Listener for Secured {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(ready) => ready,
            // The task that accepts ends only with us.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    done: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    let mut handshakes = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = handshakes.join_next(), if !handshakes.is_empty() => {}
            accepted = listener.accept(), if handshakes.len() < HANDSHAKES_MAX => match accepted {
                Ok((stream, from)) => {
                    let (acceptor, done) = (acceptor.clone(), done.clone());
                    handshakes.spawn(async move {
                        match timeout(HANDSHAKE, acceptor.accept(stream)).await {
                            Ok(Ok(stream)) => drop(done.send((stream, from)).await),
                            Ok(Err(error)) => tracing::debug!(%from, %error, "no TLS"),
                            Err(_) => tracing::debug!(%from, "a handshake took too long"),
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the API accepts nobody");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
}

/// Reads the files again when they are others; those that can't be used change nothing.
async fn renew(current: Arc<Current>, tls: Tls, mut seen: [Option<SystemTime>; 2]) {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let now = changed(&tls);
        if now == seen {
            continue;
        }
        match read(&tls) {
            Ok(certified) => {
                current.0.store(Arc::new(certified));
                seen = now;
                tracing::info!("the API has another certificate");
            }
            // Perhaps only one of the two is written yet.
            Err(error) => tracing::warn!(%error, "the certificate is not changed"),
        }
    }
}
