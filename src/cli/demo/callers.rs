//! Callers of the demo for web backends, who come and go at the pace of people.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::driver::standin::StandIn;
use crate::simulator::Script;

/// What callers do; most wait for somebody.
const DO: [&str; 6] = [LINE, OFFICE, LINE, MESSAGE, LINE, LEAVES];
const LINE: &str = include_str!("../../../examples/demo/callers/line.yaml");
const OFFICE: &str = include_str!("../../../examples/demo/callers/office.yaml");
const MESSAGE: &str = include_str!("../../../examples/demo/callers/message.yaml");
const LEAVES: &str = include_str!("../../../examples/demo/callers/leaves.yaml");
const NAMES: [&str; 7] = [
    "Ada Holm",
    "Ben Costa",
    "Cleo Martin",
    "Dan Ivanov",
    "Eve Tanaka",
    "Finn O'Hara",
    "Zoë Müller",
];
/// How long each conversation lasts, in seconds.
const TALKS_S: [u64; 5] = [35, 50, 42, 60, 38];
/// Between one caller and the next, in seconds.
const GAPS_S: [u64; 5] = [2, 9, 6, 12, 8];
/// Callers of one tenant at once.
const AT_ONCE: usize = 4;

/// For ever: lets callers come to `number`. `first` has tenants differ.
pub(super) async fn come(standin: StandIn, number: &'static str, first: usize) {
    let mut calls = JoinSet::new();
    for nth in first.. {
        while calls.len() >= AT_ONCE {
            calls.join_next().await;
        }
        while calls.try_join_next().is_some() {}
        match script(number, nth) {
            Ok(script) => {
                let standin = standin.clone();
                calls.spawn(async move {
                    if let Err(error) = standin.call(Arc::new(script)).await {
                        tracing::warn!(%error, "a caller does not come");
                    }
                });
            }
            Err(error) => tracing::error!(%error, "a caller's script is wrong"),
        }
        tokio::time::sleep(Duration::from_secs(GAPS_S[nth % GAPS_S.len()])).await;
    }
}

fn script(number: &str, nth: usize) -> Result<Script, crate::simulator::ScriptError> {
    let text = DO[nth % DO.len()]
        .replace("DIAL", number)
        .replace("NUMBER", &format!("+1555017{:02}", nth % 100))
        .replace("NAME", NAMES[nth % NAMES.len()])
        .replace("TALK", &format!("{}s", TALKS_S[nth % TALKS_S.len()]));
    Script::from_yaml(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_caller_of_the_demo_has_a_script_that_can_be_read() {
        for nth in 0..DO.len() * NAMES.len() {
            let script = script("+15550100", nth).unwrap();
            assert_eq!(script.dial, "+15550100");
            assert!(script.from.number.starts_with("+1555017"));
        }
    }
}
