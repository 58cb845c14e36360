//! TLS.

use std::path::Path;

use callwright::api::config::Tls;
use reqwest::{Certificate, Client};

use crate::client::Place;

/// Writes a certificate for `localhost`, and gives it to a client.
fn renew(folder: &Path) -> Client {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("certificate.pem"), made.cert.pem()).unwrap();
    let root = Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    Client::builder().tls_certs_only([root]).https_only(true).build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_speaks_tls_with_the_certificate_that_is_there() {
    let files = tempfile::tempdir().unwrap();
    Place::crypto();
    let first = renew(files.path());
    let tls = Tls {
        certificate: files.path().join("certificate.pem"),
        key: files.path().join("key.pem"),
    };
    let place = Place::with(|config| config.api.tls = Some(tls)).await;
    let url = format!("https://localhost:{}/v1/openapi.json", place.port());
    let answer = first.get(&url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let plain = Client::new().get(url.replace("https", "http")).send().await;
    assert!(plain.is_err(), "{plain:?}");

    let second = renew(files.path());
    while second.get(&url).send().await.is_err() {}
    place.end().await;
}
