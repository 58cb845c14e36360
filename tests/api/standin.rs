//! A daemon on a whole simulated FreeSWITCH, link and all, as the demo for web backends has it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use callwright::base::masked::Masked;
use callwright::base::wav::Head;
use callwright::driver::standin::{Directory, StandIn};
use callwright::flow::talk::TalkSettings;
use callwright::model::access::Role;
use callwright::simulator::{Answers, FarEnd, Script, Verdict};
use callwright::store::NewTenant;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Answer, Asker, Place, anywhere};

/// How long may be waited for what comes by itself.
const PATIENCE: Duration = Duration::from_secs(30);
const CALLS: &str = "/v1/tenants/acme/calls";
const PASSWORD: &str = "between us";

/// Talks until somebody ends it.
const CALLER: &str = "
dial: '100'
from: { number: '+15550111', name: Ann }
patience: 5m
";

struct Desk {
    place: Place,
    standin: StandIn,
    admin: Asker,
    _tapes: tempfile::TempDir,
}

fn good(answer: &Answer) {
    assert!(answer.status.is_success(), "{answer:?}");
}

impl Desk {
    async fn new() -> Self {
        let tapes = tempfile::tempdir().unwrap();
        let answers = FarEnd::Answers(Answers::default());
        let phones = ["200", "201", "300"].map(|number| (number.to_owned(), answers.clone()));
        let phones = BTreeMap::from(phones);
        let standin = StandIn::open(tapes.path().to_owned(), phones).await.unwrap();
        let place = Place::with(|config| {
            config.link = vec![standin.link()];
            config.store.message_directory = tapes.path().to_str().unwrap().to_owned();
            config.xml_curl.listen = Some(anywhere(0));
            config.xml_curl.password = Some(Masked::new(PASSWORD.into()));
        })
        .await;
        let directory = Directory {
            url: format!("http://{}/freeswitch", place.xml_curl()),
            user: "freeswitch".into(),
            password: Masked::new(PASSWORD.into()),
        };
        standin.begin(place.address(), Some(directory));
        let mut new = NewTenant::named("acme".parse().unwrap());
        new.domain = "acme.example".into();
        let tenant = place.store.operator().create_tenant(&new).await.unwrap().id;
        let admin = place.asker(Some(tenant), Role::Admin).await;
        let may = json!(["listen", "whisper", "barge"]);
        let talk = json!({ "monitor": { "supervisors": {
            "300": { "may": may, "groups": ["*"] } } } });
        let talk: TalkSettings = serde_json::from_value(talk).unwrap();
        place.store.tenant(tenant).set_talk(&talk).await.unwrap();
        furnish(&admin).await;
        Self { place, standin, admin, _tapes: tapes }
    }

    /// Asks again and again until the answer has something.
    async fn until<T>(&self, path: &str, found: impl Fn(&Value) -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            let answer = self.admin.get(path).await;
            if let Some(found) = found(&answer.body) {
                return found;
            }
            assert!(began.elapsed() < PATIENCE, "{path}: {}", answer.body);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until two talk, and says which call that is.
    async fn talking(&self) -> String {
        self.until("/v1/tenants/acme/events/standing", |standing| {
            let call = standing["calls"].as_array()?.iter().find(|call| !call["with"].is_null())?;
            Some(call["call"].as_str()?.to_owned())
        })
        .await
    }

    async fn order(&self, call: &str, what: &str, order: Value) {
        good(&self.admin.post(&format!("{CALLS}/{call}/{what}"), &order).await);
    }

    async fn record(&self, call: &str) -> Value {
        let path = format!("/v1/tenants/acme/records/{call}");
        self.until(&path, |record| (!record["ended"].is_null()).then(|| record.clone())).await
    }
}

/// A flow at number 100 that records and dials.
async fn furnish(admin: &Asker) {
    let steps = json!({
        "pick-up": { "kind": "answer", "next": "record" },
        "record": { "kind": "record", "action": "start", "next": "talk",
            "on": { "failed": "bye" } },
        "talk": { "kind": "dial", "targets": [{ "extension": "200" }], "next": "bye",
            "on": { "failed": "bye" } },
        "bye": { "kind": "hangup" },
    });
    let flow = json!({ "callwright": 1, "start": "pick-up", "steps": steps });
    let path = "/v1/tenants/acme/flows/main";
    good(&admin.put(&format!("{path}/draft"), &json!({ "document": flow })).await);
    good(&admin.post(&format!("{path}/publish"), &json!({ "revision": 1 })).await);
    let number = json!({ "match": "exact", "value": "100", "flow": "main" });
    good(&admin.put("/v1/tenants/acme/numbers", &number).await);
}

fn manner(mode: &str) -> Value {
    json!({ "mode": mode, "to": "far" })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_listens_whispers_and_barges_and_the_recording_is_heard() {
    let desk = Desk::new().await;
    let script = Arc::new(Script::from_yaml(CALLER).unwrap());
    let standin = desk.standin.clone();
    let caller = tokio::spawn(async move { standin.call(script).await });
    let call = desk.talking().await;
    let begin = json!({ "begin": { "by": "300", "manner": manner("listen"), "reason": "why" } });
    desk.order(&call, "monitor", begin).await;
    for mode in ["whisper", "barge"] {
        desk.order(&call, "monitor", json!({ "change": { "manner": manner(mode) } })).await;
    }
    let sessions = "/v1/tenants/acme/monitoring";
    let answered = |all: &Value| all["items"][0]["answered"].as_str().map(str::to_owned);
    desk.until(sessions, answered).await;
    desk.order(&call, "commands", json!({ "hangup": { "cause": "NORMAL_CLEARING" } })).await;
    assert_eq!(caller.await.unwrap().unwrap(), Verdict::Passed);
    let session = |all: &Value| (!all["items"][0]["ended"].is_null()).then(|| all["items"].clone());
    let sessions = desk.until(sessions, session).await;
    let modes = sessions[0]["changes"].as_array().unwrap().iter().map(|change| &change["mode"]);
    assert_eq!(modes.collect::<Vec<_>>(), ["listen", "whisper", "barge"]);

    let path = "/v1/tenants/acme/recordings";
    let ready = |all: &Value| Some(all["items"].as_array()?.first()?["id"].as_str()?.to_owned());
    let recording = desk.until(&format!("{path}?call={call}&state=ready"), ready).await;
    let sound =
        desk.admin.raw(Method::GET, &format!("{path}/{recording}/audio"), &[], Vec::new()).await;
    assert_eq!(sound.status, StatusCode::OK);
    let head = Head::read(&sound.bytes).unwrap();
    assert!(head.is_pcm && head.is_finished(sound.bytes.len() as u64));
    let loud = sound.bytes[44..].chunks_exact(2).any(|pair| pair[1] > 0x10 && pair[1] < 0x70);
    assert!(loud, "it is silent");
    desk.place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_placed_rings_is_put_through_and_is_ended() {
    let desk = Desk::new().await;
    let to = |extension: &str| json!({ "extension": extension });
    let wanted = json!({ "to": to("200"), "then": { "connect": to("201") } });
    let placed = desk.admin.post(CALLS, &wanted).await;
    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
    let call = desk.talking().await;
    assert_eq!(placed.body["call"], call.as_str());
    desk.order(&call, "commands", json!({ "hangup": { "cause": "NORMAL_CLEARING" } })).await;
    let record = desk.record(&call).await;
    assert!(!record["answered"].is_null(), "{record}");

    let wanted = json!({ "to": to("299"), "then": { "connect": to("201") } });
    let placed = desk.admin.post(CALLS, &wanted).await;
    let record = desk.record(placed.body["call"].as_str().unwrap()).await;
    assert_eq!(record["termination"]["cause"], "SUBSCRIBER_ABSENT", "{record}");
    desk.place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_registers_at_the_simulated_switch_unless_its_password_is_wrong() {
    let desk = Desk::new().await;
    let settings = json!({ "server": "sip.provider.example", "username": "acct" });
    for (name, password, standing) in [("good", "right", "registered"), ("bad", "wrong", "failed")]
    {
        let body = json!({ "settings": settings, "password": password });
        good(&desk.admin.put(&format!("/v1/tenants/acme/gateways/{name}"), &body).await);
        let path = format!("/v1/tenants/acme/gateways/{name}/state");
        let stands = |all: &Value| (all["items"][0]["standing"] == standing).then_some(());
        desk.until(&path, stands).await;
        let tested = desk.admin.post("/v1/tenants/acme/gateway-tests", &body).await;
        assert_eq!(tested.body["works"], standing == "registered", "{tested:?}");
    }
    good(&desk.admin.delete("/v1/tenants/acme/gateways/good").await);
    desk.place.end().await;
}
