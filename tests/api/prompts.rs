//! Prompts: uploaded, converted, played from where FreeSWITCH reads, deleted.

use std::os::unix::fs::PermissionsExt;

use callwright::model::access::Role;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::client::{Asker, Place};

/// Half a second of a tone in a WAV file of 44.1 kHz.
fn tone() -> Vec<u8> {
    let data = 44_100_u32;
    let mut file = b"RIFF".to_vec();
    file.extend((data + 36).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(44_100_u32.to_le_bytes());
    file.extend(88_200_u32.to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend(data.to_le_bytes());
    let sample = |at: u32| if (at / 50).is_multiple_of(2) { 9_000_i16 } else { -9_000 };
    file.extend((0..data / 2).flat_map(|at| sample(at).to_le_bytes()));
    file
}

async fn upload(asker: &Asker, name: &str, file: Vec<u8>) -> (StatusCode, serde_json::Value) {
    let path = format!("/v1/tenants/acme/prompts/{name}/audio");
    let kind = [("content-type", "audio/wav")];
    let answer = asker.raw(Method::PUT, &path, &kind, file).await;
    (answer.status, serde_json::from_slice(&answer.bytes).unwrap())
}

async fn place() -> Place {
    Place::with(|config| {
        let folder = config.recordings.store.replace("recordings", "prompts");
        config.prompts.directory = "/fs/prompts".into();
        config.prompts.here = Some(folder.into());
        config.api.upload = 100_000;
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_uploaded_prompt_lies_under_an_id_as_freeswitch_plays_it() {
    let place = place().await;
    let tenant = place.tenant("acme").await;
    let admin = place.asker(Some(tenant), Role::Admin).await;
    let (status, prompt) = upload(&admin, "welcome", tone()).await;
    assert_eq!((status, &prompt["length_ms"]), (StatusCode::OK, &json!(500)), "{prompt}");
    let path = prompt["path"].as_str().unwrap();
    let file = path.strip_prefix(&format!("/fs/prompts/{tenant}/")).unwrap();
    assert!(!path.contains("welcome"), "{path}");
    let folder = place.folder.path().join("prompts").join(tenant.to_string());
    let wav = std::fs::read(folder.join(file)).unwrap();
    assert_eq!((&wav[..4], &wav[24..28]), (&b"RIFF"[..], &16_000_u32.to_le_bytes()[..]));
    let mode = std::fs::metadata(folder.join(file)).unwrap().permissions().mode();
    assert_eq!(mode & 0o444, 0o444);

    let audio = "/v1/tenants/acme/prompts/welcome/audio";
    let played = admin.raw(Method::GET, audio, &[], Vec::new()).await;
    assert_eq!((played.status, played.header("content-type")), (StatusCode::OK, Some("audio/wav")));
    assert!(played.bytes == wav);
    let (_, again) = upload(&admin, "welcome", tone()).await;
    assert_ne!(again["path"], prompt["path"], "calls that are up play the old one");
    assert!(folder.join(file).exists());
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_sound_or_too_long_is_refused_and_leaves_nothing() {
    let place = place().await;
    let tenant = place.tenant("acme").await;
    let admin = place.asker(Some(tenant), Role::Admin).await;
    let (status, problem) = upload(&admin, "bad", b"<html>no sound</html>".to_vec()).await;
    assert_eq!((status, &problem["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("not_sound")));
    assert!(problem["detail"].as_str().unwrap().contains("MP3"), "{problem}");
    let (status, problem) = upload(&admin, "bad", vec![0; 100_001]).await;
    assert_eq!((status, &problem["code"]), (StatusCode::PAYLOAD_TOO_LARGE, &json!("too_long")));
    let path = "/v1/tenants/acme/prompts/bad/audio";
    let kind = [("content-type", "text/html")];
    let answer = admin.raw(Method::PUT, path, &kind, tone()).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(admin.get("/v1/tenants/acme/prompts").await.body["items"], json!([]));
    let folder = place.folder.path().join("prompts").join(tenant.to_string());
    assert_eq!(std::fs::read_dir(folder).into_iter().flatten().count(), 0);
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_a_live_flow_plays_is_not_deleted() {
    let place = place().await;
    let tenant = place.tenant("acme").await;
    let admin = place.asker(Some(tenant), Role::Admin).await;
    upload(&admin, "welcome", tone()).await;
    let flow = json!({
        "callwright": 1, "start": "hello",
        "steps": {
            "hello": { "kind": "play", "prompts": ["welcome"], "next": "bye" },
            "bye": { "kind": "hangup" },
        },
    });
    let (flows, one) = ("/v1/tenants/acme/flows/main", "/v1/tenants/acme/prompts/welcome");
    let saved = admin.put(&format!("{flows}/draft"), &json!({ "document": flow })).await;
    assert_eq!(saved.status, StatusCode::OK, "{saved:?}");
    let live = admin.post(&format!("{flows}/publish"), &json!({ "revision": 1 })).await;
    assert_eq!(live.status, StatusCode::OK, "{live:?}");
    let refused = admin.delete(one).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{refused:?}");
    assert!(refused.body["detail"].as_str().unwrap().contains("flow `main`"), "{refused:?}");
    admin.put("/v1/tenants/acme/rooms/all", &json!({ "music": "welcome" })).await;
    let refused = admin.delete(one).await;
    assert!(refused.body["detail"].as_str().unwrap().contains("room `all`"), "{refused:?}");

    upload(&admin, "unused", tone()).await;
    let unused = "/v1/tenants/acme/prompts/unused";
    assert_eq!(admin.delete(unused).await.status, StatusCode::NO_CONTENT);
    assert_eq!(admin.get(unused).await.status, StatusCode::NOT_FOUND);
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_tenant_names_a_file_of_the_machine() {
    let place = place().await;
    let tenant = place.tenant("acme").await;
    let admin = place.asker(Some(tenant), Role::Admin).await;
    let operator = place.asker(None, Role::Operator).await;
    let path = "/v1/tenants/acme/prompts/spy";
    let file = json!({ "path": "/var/lib/another/recording.wav" });
    assert_eq!(admin.put(path, &file).await.status, StatusCode::FORBIDDEN);
    assert_eq!(operator.put(path, &file).await.status, StatusCode::OK);
    let audio = admin.get(&format!("{path}/audio")).await;
    assert_eq!((audio.status, &audio.body["code"]), (StatusCode::CONFLICT, &json!("elsewhere")));
    place.end().await;
}
