//! Calls that are up, asked for and ended from the command line. A simulated switch places them.

use std::fs;
use std::sync::Arc;

use callwright::driver::call::Clock;
use callwright::driver::dialer::place as dial;
use callwright::simulator::{Script, Verdict};
use serde_json::Value;

use crate::daemon::{Place, eventually};

const FLOW: &str = "
callwright: 1
start: pick-up
steps:
  pick-up: { kind: answer, next: ask }
  ask:
    kind: menu
    prompts: [welcome]
    choices: { '1': bye }
    keys: { first_key: 1m }
    on: { too_many: bye }
  bye: { kind: hangup }
";

/// A caller who waits for the end.
pub(crate) const CALLER: &str = "
dial: '100'
steps: [{ expect: { ended: {} } }]
";

/// A place in which the number 100 leads to a menu.
pub(crate) fn menu(settings: &str) -> Place {
    let place = Place::new(settings);
    fs::write(place.path().join("main.yaml"), FLOW).unwrap();
    for line in [
        "tenant add acme",
        "prompt add welcome /prompts/welcome.wav --tenant acme",
        "flow push main main.yaml --tenant acme",
        "flow publish main --tenant acme",
        "number add 100 main --tenant acme",
    ] {
        place.type_line(line);
    }
    place
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_call_is_listed_and_hung_up_from_the_command_line() {
    let place = menu("");
    let running = place.start("serve");
    let address = place.address(&running);
    let script = Arc::new(Script::from_yaml(CALLER).unwrap());
    let channel = "0190a8c4-0000-7000-8000-000000000001";
    let call = tokio::spawn(async move { dial(script, channel, address, Clock::start()).await });
    let id = eventually(&running, || {
        let calls: Value = serde_json::from_str(&place.type_line("--json calls --live")).unwrap();
        calls[0]["call"].as_str().map(str::to_owned)
    });
    assert!(place.type_line("status").contains("1 call up"));
    assert!(place.type_line("calls --live").contains(&id));
    eventually(&running, || (place.status()?["begun"] == 1).then_some(()));
    place.type_line(&format!("call {id} hangup"));
    assert_eq!(call.await.unwrap().unwrap(), Verdict::Passed);
    eventually(&running, || (place.status()?["calls"] == 0).then_some(()));
    let all: Value = serde_json::from_str(&place.type_line("--json calls --tenant acme")).unwrap();
    assert!(all["items"].is_array(), "{all}");
}
