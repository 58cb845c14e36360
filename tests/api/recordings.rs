//! Recordings: listed, heard, held and deleted.

use std::time::Duration;

use callwright::base::ids::{CallId, RecordingId, TenantId};
use callwright::model::access::Role;
use callwright::model::record::RecordingNote;
use callwright::model::recording::RecordingState;
use callwright::store::{Config, Recorder, Settled};
use reqwest::{Method, StatusCode};
use serde_json::json;
use uuid::Uuid;

use crate::client::{Asker, Place};

/// How long the spool and the intake may take.
const SOON: Duration = Duration::from_secs(20);
/// Seconds of sound; they take more than one piece of a mebibyte.
const SECONDS: u32 = 50;

/// A WAV file of 8 kHz stereo, no two places of which are alike.
fn wav() -> Vec<u8> {
    let data = SECONDS * 32_000;
    let mut file = b"RIFF".to_vec();
    file.extend((data + 36).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x02\0");
    file.extend(8_000_u32.to_le_bytes());
    file.extend(32_000_u32.to_le_bytes());
    file.extend(b"\x04\0\x10\0data");
    file.extend(data.to_le_bytes());
    file.extend((0..data / 4).flat_map(u32::to_le_bytes));
    file
}

/// Puts a file where FreeSWITCH writes, tells of it as a call does, and waits until it is kept.
async fn recorded(place: &Place, tenant: TenantId, asker: &Asker) -> RecordingId {
    let call = CallId(Uuid::now_v7());
    let id = RecordingId::nth(call, 1);
    let folder = place.folder.path().join("messages").join(tenant.to_string());
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{id}.wav")), wav()).unwrap();
    let config = Config { spool: place.folder.path().join("calls"), ..Config::default() };
    let recorder = Recorder::start(&place.store, &config).unwrap();
    let state = RecordingState::Pending;
    let path = format!("/spool/{id}.wav");
    let note = RecordingNote { id: Some(id), path, state, ..RecordingNote::default() };
    recorder.recording(tenant, call, Box::new(note));
    assert_eq!(recorder.settle(SOON).await, Settled::Written);
    let path = format!("/v1/tenants/acme/recordings/{id}");
    let ready = async {
        while asker.get(&path).await.body["state"] != "ready" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, ready).await.unwrap();
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_heard_whole_and_in_parts_and_every_time_is_written_down() {
    let place = Place::new().await;
    let tenant = place.tenant("acme").await;
    let admin = place.asker(Some(tenant), Role::Admin).await;
    let id = recorded(&place, tenant, &admin).await;
    let audio = format!("/v1/tenants/acme/recordings/{id}/audio");
    let all = wav();
    let whole = admin.raw(Method::GET, &audio, &[], Vec::new()).await;
    assert_eq!((whole.status, whole.header("content-type")), (StatusCode::OK, Some("audio/wav")));
    assert!(whole.bytes == all, "it is what was recorded");
    let tag = whole.header("etag").unwrap();
    let length = all.len();

    for (range, part) in [
        ("bytes=0-0", 0..1),
        ("bytes=1048000-1049999", 1_048_000..1_050_000),
        ("bytes=-100", length - 100..length),
        ("bytes=1500000-", 1_500_000..length),
    ] {
        let headers = [("range", range), ("if-range", tag)];
        let got = admin.raw(Method::GET, &audio, &headers, Vec::new()).await;
        assert_eq!(got.status, StatusCode::PARTIAL_CONTENT, "{range}");
        assert!(got.bytes == all[part.clone()], "{range}");
        let told = format!("bytes {}-{}/{length}", part.start, part.end - 1);
        assert_eq!(got.header("content-range"), Some(told.as_str()));
    }
    let other = [("range", "bytes=0-0"), ("if-range", "\"another\"")];
    assert_eq!(admin.raw(Method::GET, &audio, &other, Vec::new()).await.bytes.len(), length);
    let far = admin.raw(Method::GET, &audio, &[("range", "bytes=9000000-")], Vec::new()).await;
    let told = format!("bytes */{length}");
    assert_eq!((far.status.as_u16(), far.header("content-range")), (416, Some(told.as_str())));
    let known = [("if-none-match", tag)];
    assert_eq!(admin.raw(Method::GET, &audio, &known, Vec::new()).await.status, 304);
    let head = admin.raw(Method::HEAD, &audio, &[], Vec::new()).await;
    assert_eq!(head.header("content-length"), Some(length.to_string().as_str()));

    let trace = admin.get(&format!("/v1/tenants/acme/recordings/{id}/trace")).await.body;
    let heard = trace["items"].as_array().unwrap();
    assert_eq!(heard.len(), 6, "each time that sound was sent, and no other: {trace}");
    assert!(heard.iter().all(|one| one["deed"] == "heard"));
    assert_eq!(heard[4]["why"], format!("bytes 0 to 1 of {length}"));
    assert!(heard[0]["author"].as_str().unwrap().contains("the admin's"));
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_recording_is_not_deleted_and_a_deleted_one_leaves_only_its_trace() {
    let place = Place::new().await;
    let tenant = place.tenant("acme").await;
    let admin = place.asker(Some(tenant), Role::Admin).await;
    let id = recorded(&place, tenant, &admin).await;
    let path = format!("/v1/tenants/acme/recordings/{id}");
    let hold = format!("{path}/hold");
    let held = admin.put(&hold, &json!({ "why": "a complaint" })).await;
    assert_eq!(held.status, StatusCode::NO_CONTENT, "{held:?}");
    assert!(admin.get(&path).await.body["hold"].as_str().unwrap().ends_with("a complaint"));
    let refused = admin.delete(&path).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{refused:?}");
    assert_eq!(admin.delete(&hold).await.status, StatusCode::NO_CONTENT);
    assert_eq!(admin.delete(&format!("{path}?why=asked")).await.status, StatusCode::NO_CONTENT);
    for gone in [path.clone(), format!("{path}/audio")] {
        assert_eq!(admin.get(&gone).await.status, StatusCode::NOT_FOUND, "{gone}");
    }
    let trace = admin.get(&format!("{path}/trace")).await.body;
    let deeds: Vec<_> = trace["items"].as_array().unwrap().iter().map(|one| &one["deed"]).collect();
    assert_eq!(deeds, ["deleted", "released", "held"], "{trace}");
    let left = walk(&place.folder.path().join("recordings"));
    assert_eq!(left, 0, "the file is gone too");
    place.end().await;
}

fn walk(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(Result::unwrap);
    entries.map(|entry| if entry.path().is_dir() { walk(&entry.path()) } else { 1 }).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn recordings_are_listed_by_call_time_and_state_page_by_page() {
    let place = Place::new().await;
    let tenant = place.tenant("acme").await;
    let admin = place.asker(Some(tenant), Role::Admin).await;
    let (one, two) =
        (recorded(&place, tenant, &admin).await, recorded(&place, tenant, &admin).await);
    let ids = async |query: &str| {
        let answer = admin.get(&format!("/v1/tenants/acme/recordings?{query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{query}: {answer:?}");
        let items = answer.body["items"].as_array().unwrap().clone();
        let ids = items.iter().map(|item| item["id"].as_str().unwrap().to_owned());
        (ids.collect::<Vec<_>>(), answer.body["next"].as_str().map(str::to_owned))
    };
    let (first, next) = ids("limit=1").await;
    let (second, end) = ids(&format!("limit=1&cursor={}", next.unwrap())).await;
    assert_eq!([first, second].concat(), [two.to_string(), one.to_string()]);
    assert_eq!(end, None);
    let known = admin.get(&format!("/v1/tenants/acme/recordings/{one}")).await.body;
    let (call, began) = (known["call"].as_str().unwrap(), known["began"].as_str().unwrap());
    assert_eq!(ids(&format!("call={call}&state=ready&kind=call")).await.0, [one.to_string()]);
    assert_eq!(ids(&format!("to={began}")).await.0, [""; 0]);
    assert_eq!(ids("state=failed").await.0, [""; 0]);
    assert_eq!(ids("room=main").await.0, [""; 0]);
    for wrong in ["cursor=x", "limit=0", "state=odd", "from=yesterday", "what=1"] {
        let answer = admin.get(&format!("/v1/tenants/acme/recordings?{wrong}")).await;
        assert!(answer.status.is_client_error(), "{wrong}: {answer:?}");
    }
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenant_can_do_nothing_with_a_recordings_id() {
    let place = Place::new().await;
    let tenant = place.tenant("acme").await;
    let other = place.tenant("other").await;
    let admin = place.asker(Some(tenant), Role::Admin).await;
    let stranger = place.asker(Some(other), Role::Admin).await;
    let id = recorded(&place, tenant, &admin).await;
    let path = format!("/v1/tenants/other/recordings/{id}");
    let not_found = StatusCode::NOT_FOUND;
    assert_eq!(stranger.get(&path).await.status, not_found);
    assert_eq!(stranger.get(&format!("{path}/audio")).await.status, not_found);
    assert_eq!(stranger.delete(&path).await.status, not_found);
    assert_eq!(stranger.put(&format!("{path}/hold"), &json!({})).await.status, not_found);
    let trace = stranger.get(&format!("{path}/trace")).await.body;
    assert_eq!(trace["items"], json!([]));
    place.end().await;
}
