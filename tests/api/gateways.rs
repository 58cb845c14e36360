//! Gateways and phones: laid down over the API, and told to FreeSWITCH.

use callwright::base::masked::Masked;
use callwright::model::access::Role;
use callwright::store::NewTenant;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::{Place, anywhere};

/// Each printable character of ASCII but the colon, and others.
fn every() -> String {
    (' '..='~').filter(|c| *c != ':').chain("\u{e4}\u{20ac}".chars()).collect()
}

fn gateway(password: &str) -> Value {
    let settings = json!({ "server": "sip.example:5080", "username": "alice" });
    json!({ "settings": settings, "password": password })
}

async fn place() -> Place {
    let place = Place::with(|config| {
        config.xml_curl.listen = Some(anywhere(0));
        config.xml_curl.password = Some(Masked::new("between us".into()));
    });
    place.await
}

/// What FreeSWITCH gets for this request.
pub(crate) async fn asked(
    place: &Place,
    form: &[(&str, &str)],
    password: &str,
) -> (StatusCode, String) {
    let client = reqwest::Client::new();
    let url = format!("http://{}/freeswitch", place.xml_curl());
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let sent = client.post(url).basic_auth("freeswitch", Some(password)).body(body).send().await;
    let answer = sent.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

const GATEWAYS: [(&str, &str); 6] = [
    ("hostname", "one"),
    ("section", "directory"),
    ("tag_name", "domain"),
    ("key_value", "callwright"),
    ("purpose", "gateways"),
    ("profile", "external"),
];

pub(crate) fn values(xml: &str, name: &str) -> Vec<String> {
    let read = roxmltree::Document::parse(xml).unwrap();
    let found = read.descendants().filter(|node| node.attribute("name") == Some(name));
    found.filter_map(|node| node.attribute("value").map(str::to_owned)).collect()
}

/// What FreeSWITCH gets as soon as that many have this parameter.
async fn told(place: &Place, form: &[(&str, &str)], name: &str, count: usize) -> Vec<String> {
    loop {
        let (status, xml) = asked(place, form, "between us").await;
        assert_eq!(status, StatusCode::OK);
        let found = values(&xml, name);
        if found.len() == count {
            return found;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_of_every_character_reaches_freeswitch_and_nobody_else() {
    let place = place().await;
    let tenant = place.tenant("acme").await;
    let admin = place.asker(Some(tenant), Role::Admin).await;
    let (path, password) = ("/v1/tenants/acme/gateways/carrier", every());
    let made = admin.put(path, &gateway(&password)).await;
    assert_eq!(made.status, StatusCode::OK, "{made:?}");
    assert_eq!(made.body["has_password"], true);
    for answer in [made, admin.get(path).await, admin.get("/v1/tenants/acme/gateways").await] {
        assert_eq!(answer.status, StatusCode::OK);
        assert!(!answer.body.to_string().contains("]^_`abc"), "{answer:?}");
    }
    assert_eq!(told(&place, &GATEWAYS, "password", 1).await, std::slice::from_ref(&password));
    for file in ["test.db", "test.db-wal", "spool/routing"] {
        let bytes = std::fs::read(place.folder.path().join(file)).unwrap_or_default();
        let clear = b"]^_`abc";
        assert!(!bytes.windows(clear.len()).any(|part| part == clear), "{file}");
    }
    // Without the database it is the same.
    for file in ["test.db", "test.db-wal", "test.db-shm"] {
        drop(std::fs::remove_file(place.folder.path().join(file)));
    }
    assert_eq!(told(&place, &GATEWAYS, "password", 1).await, [password]);
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_ours_or_not_asked_by_freeswitch_is_not_answered() {
    let place = place().await;
    for wrong in ["", "between", "between us "] {
        let (status, said) = asked(&place, &GATEWAYS, wrong).await;
        assert_eq!((status, said.as_str()), (StatusCode::UNAUTHORIZED, ""), "{wrong}");
    }
    for (name, value) in [
        ("section", "configuration"),
        ("section", "dialplan"),
        ("key_value", "elsewhere.example"),
        ("purpose", "publish-vm"),
        ("tag_name", ""),
    ] {
        let mut form = GATEWAYS.to_vec();
        form.iter_mut().filter(|(known, _)| *known == name).for_each(|pair| pair.1 = value);
        let (status, said) = asked(&place, &form, "between us").await;
        assert_eq!(status, StatusCode::OK);
        assert!(said.contains("<result status=\"not found\"/>"), "{name}={value}: {said}");
    }
    let (_, empty) = asked(&place, &GATEWAYS, "between us").await;
    assert!(empty.contains("<domain name=\"callwright\">"), "none is none, not unknown: {empty}");
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_is_found_in_its_tenants_domain_by_its_hash() {
    let place = place().await;
    let domain = |slug: &str| NewTenant {
        domain: format!("{slug}.example"),
        ..NewTenant::named(slug.parse().unwrap())
    };
    for slug in ["acme", "other"] {
        let made = place.store.operator().create_tenant(&domain(slug)).await.unwrap();
        let admin = place.asker(Some(made.id), Role::Admin).await;
        let path = format!("/v1/tenants/{slug}/extensions/1001");
        let none = admin.put(&path, &json!({})).await;
        assert_eq!(
            (none.status, &none.body["field"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("password"))
        );
        let made = admin.put(&path, &json!({ "password": format!("{slug}:$1") })).await;
        assert_eq!(made.status, StatusCode::OK, "{made:?}");
    }
    let mut hashes = Vec::new();
    for slug in ["acme", "other"] {
        let domain = format!("{slug}.example");
        let form = [
            ("section", "directory"),
            ("tag_name", "domain"),
            ("key_value", domain.as_str()),
            ("action", "sip_auth"),
            ("user", "1001"),
        ];
        loop {
            let (_, xml) = asked(&place, &form, "between us").await;
            assert!(!xml.contains(&format!("{slug}:")), "{xml}");
            if let [hash] = values(&xml, "a1-hash").as_slice() {
                hashes.push(hash.clone());
                break;
            }
        }
    }
    assert!(hashes[0] != hashes[1] && hashes[0].len() == 32, "{hashes:?}");
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_gateway_is_named_with_its_field() {
    let place = place().await;
    let tenant = place.tenant("acme").await;
    let admin = place.asker(Some(tenant), Role::Admin).await;
    let path = "/v1/tenants/acme/gateways/carrier";
    let cases = [
        (json!({ "settings": { "server": "a;b" } }), "settings.server"),
        (
            json!({ "settings": { "server": "a", "username": "x", "ping_s": 1 }, "password": "p" }),
            "settings.ping_s",
        ),
        (json!({ "settings": { "server": "a", "username": "x" } }), "password"),
        (json!({ "settings": { "server": "a" }, "password": "p" }), "settings.username"),
        (json!({ "settings": { "server": "a", "username": "x" }, "password": "a:b" }), "password"),
        (json!({ "settings": { "server": "a", "username": "x" }, "password": "a\nb" }), "password"),
    ];
    for (body, field) in cases {
        let refused = admin.put(path, &body).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {refused:?}");
        assert_eq!(refused.body["field"], field, "{body}: {refused:?}");
    }
    let made = admin.put(path, &gateway("p")).await;
    let tag = admin.get(path).await.tag().to_owned();
    let other = json!({ "settings": { "server": "b", "username": "alice" } });
    let changed = admin.ask(reqwest::Method::PUT, path, Some(&other), &[("if-match", &tag)]).await;
    assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
    let stale = admin.ask(reqwest::Method::PUT, path, Some(&other), &[("if-match", &tag)]).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED, "{made:?}");
    let test =
        json!({ "settings": { "server": "b", "username": "alice" }, "password_of": "carrier" });
    let untried = admin.post("/v1/tenants/acme/gateway-tests", &test).await;
    assert_eq!(untried.status, StatusCode::SERVICE_UNAVAILABLE, "no FreeSWITCH: {untried:?}");
    let reader = place.asker(Some(tenant), Role::Reader).await;
    assert_eq!(reader.get(path).await.status, StatusCode::FORBIDDEN);
    place.end().await;
}
