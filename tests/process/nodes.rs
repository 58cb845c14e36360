//! Two nodes on one PostgreSQL: what is said to one reaches the calls of the other.

use std::io::Write;
use std::sync::Arc;

use callwright::driver::call::Clock;
use callwright::driver::dialer::place as dial;
use callwright::simulator::{Script, Verdict};
use serde_json::Value;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};
use uuid::Uuid;

use crate::daemon::{Place, Running, eventually};
use crate::live::{CALLER, menu};

const POSTGRES: &str = "CALLWRIGHT_TEST_POSTGRES";

/// Settings of a store on a database of its own; none, and a loud word, without PostgreSQL.
pub(crate) async fn database() -> Option<String> {
    let Ok(url) = std::env::var(POSTGRES) else {
        let word = format!("\n*** NOT RUN: two nodes on one PostgreSQL; set {POSTGRES}\n\n");
        // Not `eprintln!`: the harness would keep it to itself.
        std::io::stderr().write_all(word.as_bytes()).unwrap();
        return None;
    };
    let name = format!("callwright_{}", Uuid::now_v7().simple());
    let mut connection = PgConnection::connect(&url).await.unwrap();
    connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    let mut own = url::Url::parse(&url).unwrap();
    own.set_path(&name);
    Some(format!("[store]\ndatabase = \"{own}\"\nconnections = 4\n"))
}

/// What `callwright` prints, where it succeeds, and what it complains of where not.
#[allow(clippy::unwrap_in_result, reason = "an answer is what the program says")]
fn try_line(place: &Place, words: &str) -> Result<String, String> {
    let mut command = place.command(env!("CARGO_BIN_EXE_callwright"));
    let output = command.args(words.split_whitespace()).stdout(std::process::Stdio::piped());
    let output = output.stderr(std::process::Stdio::piped()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// The one call that is up, as a node shows it when it knows all of it.
fn listed(place: &Place, running: &Running) -> Value {
    eventually(running, || {
        let calls: Value = serde_json::from_str(&place.type_line("--json calls --live")).unwrap();
        calls[0]["node"].is_string().then(|| calls[0].clone())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_one_node_is_shown_and_hung_up_through_the_other() {
    let Some(store) = database().await else { return };
    let one = menu(&format!("node = \"one\"\n{store}"));
    let two = Place::new(&format!("node = \"two\"\n{store}"));
    let (holder, other) = (one.start("serve"), two.start("serve"));
    let address = one.address(&holder);
    two.address(&other);
    let script = Arc::new(Script::from_yaml(CALLER).unwrap());
    let channel = "0190a8c4-0000-7000-8000-000000000002";
    let call = tokio::spawn(async move { dial(script, channel, address, Clock::start()).await });

    let shown = listed(&two, &other);
    assert_eq!(shown["node"], "one", "{shown}");
    assert_eq!(shown["known"]["dialed"], "100", "{shown}");
    assert!(shown["talks"].is_null(), "the other node can't know: {shown}");
    assert_eq!(listed(&one, &holder)["talks"], false);

    let id = shown["call"].as_str().unwrap();
    // Until both listen for letters.
    eventually(&other, || try_line(&two, &format!("call {id} record start")).ok());
    try_line(&two, &format!("call {id} hangup")).unwrap();
    assert_eq!(call.await.unwrap().unwrap(), Verdict::Passed);

    let nobody = try_line(&two, &format!("call {} hangup", Uuid::now_v7())).unwrap_err();
    assert!(nobody.contains("there is no such call"), "{nobody}");
    eventually(&holder, || {
        let told = try_line(&one, &format!("--json trace {id}")).ok()?;
        told.contains("an operator asks for the recording: start").then_some(())
    });
}
