//! Values that want to be commands: none of them changes what FreeSWITCH is told to do.

use std::sync::Arc;

use callwright::driver::simulate::Simulation;
use callwright::simulator::{Observed, Script};
use serde_json::json;

use crate::support::{router, settings};

const VALUES: [&str; 24] = [
    "a\r\nexecute-app-name: system",
    "a\n\nsendmsg\ncall-command: hangup\n\n",
    "a\n\napi system touch x\n\n",
    "${system touch x}",
    "$${domain}",
    "$\\{system x}",
    "\\${system x}",
    "$$${{system x}}",
    "%[playback_terminators=1]x",
    "^^;a=1;b=2",
    "ARRAY::a|:b",
    "'; uuid_kill all; '",
    "\"quoted\" and 'quoted'",
    "back\\slash\\n",
    "a,b|c:_:d",
    "{a=1}[b=2]<c=3>",
    "]user/evil@example.org,[x=",
    "x)&system(ls",
    "unload mod_event_socket reload",
    "nul\0byte",
    "tab\tand\u{1b}[31mescape",
    "-both",
    "../../etc/passwd",
    "ü€😀\u{202e}rtl",
];

/// Puts what comes from outside wherever a flow can put it.
const FLOW: &str = "
callwright: 1
start: pick-up
variables: { answer: '', kept: '', said: '' }
steps:
  pick-up: { kind: answer, next: ask }
  ask:
    kind: http
    method: POST
    url: 'https://api.example.org/{caller.name}/{channel.sip_h_x_evil}'
    headers: { X-Name: '{caller.name}' }
    body: { name: '{caller.name}', number: '{caller.number}' }
    into: { answer: /value }
    next: keep
    on: { failed: keep }
  keep:
    kind: set
    variables: { kept: \"caller.name & ' ' & channel.sip_h_x_evil & answer\" }
    next: speak
  speak:
    kind: play
    prompts:
      - { say: '{answer}', as: spelled }
      - { say: '{answer}', as: digits }
      - { say: '{caller.name}', as: number }
      - { speak: '{kept}' }
    next: dial
    on: { failed: dial }
  dial:
    kind: dial
    targets:
      - { extension: '{answer}' }
      - { number: '{answer}', gateway: carrier }
      - { sip: '{answer}' }
    caller_id: { name: '{caller.name} {answer}', number: '{caller.number}' }
    timeout: 1s
    next: second
    on: { failed: second }
  second:
    kind: dial
    targets: [{ extension: '1001' }]
    caller_id: { name: '{caller.name} {answer}', number: '{answer}' }
    timeout: 1s
    next: leave
    on: { failed: leave }
  leave:
    kind: transfer
    extension: '{answer}'
    context: inside
    on: { failed: end }
  end: { kind: hangup }
";

const COMMANDS: [&str; 15] = [
    "connect",
    "linger 10",
    "myevents",
    "noevents",
    "event plain",
    "sendmsg",
    "exit",
    "resume",
    "api uuid_setvar_multi",
    "api uuid_kill",
    "api uuid_break",
    "api hupall",
    "api uuid_transfer",
    "api sched_hangup",
    "api sched_del",
];
const HEADERS: [&str; 7] = [
    "call-command: execute",
    "execute-app-name: ",
    "execute-app-arg: ",
    "event-lock: true",
    "Event-UUID: x",
    "content-type: text/plain",
    "content-length: ",
];
const APPLICATIONS: [&str; 5] = ["answer", "playback", "say", "speak", "bridge"];

/// Each packet's lines and body, as FreeSWITCH would cut them.
fn packets(mut bytes: &[u8]) -> Vec<(Vec<String>, String)> {
    let mut packets = Vec::new();
    while !bytes.is_empty() {
        let end = bytes.windows(2).position(|two| two == b"\n\n").expect("a whole packet");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let lines: Vec<_> = head.split('\n').map(str::to_owned).collect();
        let length = lines.iter().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse().unwrap());
        let body = String::from_utf8(bytes[end + 2..end + 2 + length].to_vec()).unwrap();
        bytes = &bytes[end + 2 + length..];
        packets.push((lines, body));
    }
    packets
}

fn check(value: &str, sent: &[u8]) {
    for (lines, body) in packets(sent) {
        let told = format!("{value:?} led to {lines:?} {body:?}");
        let (command, headers) = lines.split_first().unwrap();
        assert!(COMMANDS.iter().any(|known| command.starts_with(known)), "{told}");
        assert!(headers.iter().all(|h| HEADERS.iter().any(|known| h.starts_with(known))), "{told}");
        let application = headers.iter().find_map(|h| h.strip_prefix("execute-app-name: "));
        assert!(application.is_none_or(|name| APPLICATIONS.contains(&name)), "{told}");
        let all = format!("{lines:?}{body}");
        assert!(!all.contains("${") && !all.contains('\r') && !all.contains('\0'), "{told}");
    }
}

#[test]
fn no_value_from_outside_becomes_a_command() {
    for value in VALUES {
        // A carrier of more than the value alone: what is cut off or dropped differs.
        for value in [value.to_owned(), format!("12{value}"), format!("{value}34")] {
            let script = json!({
                "dial": value,
                "from": { "number": value, "name": value },
                "variables": { "sip_h_x_evil": value },
                "http": { "https://": { "json": { "value": value } } },
                "far_ends": { "*": "no_answer" },
                "steps": [{ "press": "1*#" }],
            });
            let script = Arc::new(Script::from_json(&script.to_string()).unwrap());
            let (router, settings) = (router(FLOW), settings());
            let start = "2026-11-23T10:00:00Z".parse().unwrap();
            let mut simulation = Simulation::new(script, &router, &settings, start, 3);
            while simulation.step() {}
            check(&value, simulation.sent());
            let outcome = simulation.finish();
            let acted = outcome.heard.iter().find(|moment| {
                let what = &moment.what;
                matches!(what, Observed::Expanded { .. } | Observed::UnknownApplication { .. })
            });
            assert!(acted.is_none(), "{value:?}: {acted:?}");
            assert!(outcome.record.is_some(), "{value:?}");
        }
    }
}
