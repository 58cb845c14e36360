//! The database is stopped while a call is up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use callwright::base::masked::Masked;
use callwright::driver::call::Clock;
use callwright::driver::dialer::place as call_from_outside;
use callwright::model::access::Role;
use callwright::simulator::Script;
use callwright::store::{Database, NewTenant};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Answer, Asker, Place, anywhere};
use crate::cluster::Cluster;
use crate::gateways::{asked, values};

/// Whoever asks for what can't be had is told so within this time.
const SOON: Duration = Duration::from_secs(15);
/// How long may be waited for what comes by itself.
const PATIENCE: Duration = Duration::from_secs(60);

const NUMBERS: &str = "/v1/tenants/acme/numbers";

const CALLER: &str = "
dial: '100'
patience: 1h
steps: [{ wait: 1h }]
";

const PHONE: [(&str, &str); 5] = [
    ("section", "directory"),
    ("tag_name", "domain"),
    ("key_value", "acme.example"),
    ("action", "sip_auth"),
    ("user", "1001"),
];

async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A daemon with a flow at number 100, and a phone.
async fn furnished(url: &str) -> (Place, Asker) {
    let database: Database = url.parse().unwrap();
    let place = Place::with(|config| {
        config.store.database = database;
        config.xml_curl.listen = Some(anywhere(0));
        config.xml_curl.password = Some(Masked::new("between us".into()));
    });
    let place = place.await;
    let new = NewTenant {
        domain: "acme.example".to_owned(),
        ..NewTenant::named("acme".parse().unwrap())
    };
    let tenant = place.store.operator().create_tenant(&new).await.unwrap().id;
    let admin = place.asker(Some(tenant), Role::Admin).await;
    let steps = json!({
        "pick-up": { "kind": "answer", "next": "music" },
        "music": { "kind": "hold", "next": "bye" },
        "bye": { "kind": "hangup" },
    });
    let flow = json!({ "callwright": 1, "start": "pick-up", "steps": steps });
    let path = "/v1/tenants/acme/flows/main/draft";
    let good = |answer: Answer| assert!(answer.status.is_success(), "{answer:?}");
    good(admin.put(path, &json!({ "document": flow })).await);
    good(admin.post("/v1/tenants/acme/flows/main/publish", &json!({ "revision": 1 })).await);
    good(admin.put(NUMBERS, &number("100")).await);
    good(admin.put("/v1/tenants/acme/extensions/1001", &json!({ "password": "pass-1001" })).await);
    (place, admin)
}

fn number(dialed: &str) -> Value {
    json!({ "match": "exact", "value": dialed, "flow": "main" })
}

async fn hash(place: &Place) -> Option<String> {
    let (status, xml) = asked(place, &PHONE, "between us").await;
    assert_eq!(status, StatusCode::OK);
    values(&xml, "a1-hash").pop()
}

async fn is_told_so(admin: &Asker, method: Method, path: &str, body: Option<&Value>) {
    let began = Instant::now();
    let answer = admin.ask(method, path, body, &[]).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}: {answer:?}");
    assert!(answer.body["detail"].as_str().unwrap().contains("database"), "{answer:?}");
    assert!(began.elapsed() < SOON, "{path}: {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_commanded_and_phones_found_while_the_database_is_stopped() {
    if std::env::var_os("CALLWRIGHT_TEST_POSTGRES").is_none() {
        return;
    }
    let cluster = Cluster::start();
    let (place, admin) = furnished(&cluster.url).await;
    let before = eventually("the phone is known", async || hash(&place).await).await;
    let script = Arc::new(Script::from_yaml(CALLER).unwrap());
    let uuid = "0f3c2a10-5b1e-4d57-9a7e-1c2d3e4f5a6b";
    let caller = tokio::spawn(call_from_outside(script, uuid, place.address(), Clock::start()));
    let calls = "/v1/tenants/acme/calls";
    let first =
        async || admin.get(calls).await.body["items"][0]["call"].as_str().map(str::to_owned);
    let call = eventually("the call is up", first).await;

    cluster.tell("stop");
    let path = format!("{calls}/{call}");
    let shown = admin.get(&path).await;
    assert_eq!((shown.status, &shown.body["call"]), (StatusCode::OK, &json!(call)), "{shown:?}");
    assert_eq!(first().await.as_ref(), Some(&call));
    assert_eq!(hash(&place).await, Some(before.clone()), "from memory");
    is_told_so(&admin, Method::GET, NUMBERS, None).await;
    is_told_so(&admin, Method::PUT, NUMBERS, Some(&number("200"))).await;
    let commands = format!("{path}/commands");
    let moved = admin.post(&commands, &json!({ "move": { "step": "music" } })).await;
    assert_eq!(moved.status, StatusCode::NO_CONTENT, "{moved:?}");
    let bye = json!({ "hangup": { "cause": "NORMAL_CLEARING" } });
    let ended = admin.post(&commands, &bye).await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT, "{ended:?}");
    caller.await.unwrap().unwrap();

    cluster.tell("start");
    let again = async || {
        let answer = admin.put(NUMBERS, &number("200")).await;
        (answer.status != StatusCode::SERVICE_UNAVAILABLE).then_some(answer)
    };
    let made = eventually("the database is back", again).await;
    assert!(made.status.is_success(), "{made:?}");
    let record = format!("/v1/tenants/acme/records/{call}");
    let kept = async || Some(admin.get(&record).await).filter(|kept| kept.status == StatusCode::OK);
    let kept = eventually("the record follows", kept).await;
    assert_eq!(kept.body["termination"]["party"], "operator", "{kept:?}");
    assert_eq!(hash(&place).await, Some(before));
    place.end().await;
}
