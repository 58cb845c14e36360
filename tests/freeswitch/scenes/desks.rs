//! Phones that register on a profile of ours.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use super::Lab;
use super::talk::{ANN, TWO, hear};
use crate::api::Api;
use crate::daemon::TENANT;
use crate::phone::Phone;
use crate::switch::{DOMAIN, PASSWORD, called};

/// How long a profile may take to run, and a phone to register.
const READY_MAX: Duration = Duration::from_secs(30);

#[track_caller]
fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < READY_MAX, "never {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Has a phone register; FreeSWITCH calls one that does so a gateway.
fn register(lab: &Lab, name: &str, number: &str, password: &str) {
    let params = [
        ("username", number),
        ("password", password),
        ("realm", DOMAIN),
        ("from-domain", DOMAIN),
        ("proxy", &format!("127.0.0.1:{}", lab.switch.ports.desks)),
        ("context", "phones"),
        ("extension", number),
    ];
    let params =
        params.map(|(name, value)| format!("<param name=\"{name}\" value=\"{value}\"/>\n"));
    let text = format!("<gateway name=\"{name}\">\n{}</gateway>\n", params.concat());
    let file = lab.folder().join(format!("freeswitch-conf/sip_profiles/phones/{name}.xml"));
    fs::write(file, format!("<include>\n{text}</include>\n")).unwrap();
}

pub(super) fn phones_register_on_a_profile_of_ours_and_call(lab: &Lab) {
    let api = Api::operator(lab);
    let port = lab.switch.ports.desks;
    let profile =
        json!({ "for": "phones", "port": port, "address": "127.0.0.1", "codecs": ["PCMU"] });
    api.put("profiles/cw-desks", &profile);
    let [ann, ben] = [called(525, 90), called(625, 90)];
    for number in [&ann, &ben] {
        let path = format!("tenants/{TENANT}/extensions/{number}");
        api.put(&path, &json!({ "settings": {}, "password": PASSWORD }));
    }
    let state = || api.get("profiles/cw-desks/state")["items"][0]["standing"].clone();
    eventually("running", || state() == "running");
    register(lab, "desk-ann", &ann, PASSWORD);
    register(lab, "desk-ben", &ben, PASSWORD);
    register(lab, "thief", &ben, "guessed");
    lab.switch.api("sofia profile phones rescan");
    let stands = |name: &str| lab.switch.api(&format!("sofia status gateway {name}"));
    for name in ["desk-ann", "desk-ben"] {
        eventually("registered", || stands(name).contains("\tREGED"));
    }
    eventually("refused", || stands("thief").contains("FAIL"));

    let phone = Phone::call_by(lab, "sofia/gateway/desk-ann/4104", "park");
    phone.hears(440.0);
    phone.hang_up();
    let speech = format!("playback:tone_stream://v=-13;%(10000,0,{ANN});loops=-1");
    let phone = Phone::call_by(lab, &format!("sofia/gateway/desk-ann/{ben}"), &speech);
    let other = Phone::called(lab, &ben);
    hear(&[(&phone, &[TWO]), (&other, &[ANN])]);
    phone.hang_up();
    let nobody = Phone::call_by(lab, &format!("sofia/phones/4104@127.0.0.1:{port}"), "park");
    assert_eq!(nobody.ends(), "MANDATORY_IE_MISSING", "it is asked for a password");
}
