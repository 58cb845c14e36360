//! One daemon beside another.

use std::net::TcpListener;
use std::os::fd::OwnedFd;

use rustix::process::Signal;
use serde_json::json;

use crate::callers::{Callers, call};
use crate::daemon::{Place, eventually};

/// How often daemons replace one another.
const TIMES: usize = 10;

#[test]
fn no_call_is_refused_while_ten_daemons_follow_one_another() {
    let place = Place::new("");
    let mut running = place.start("serve");
    let address = place.address(&running);
    let callers = Callers::start(address);
    for _ in 0..TIMES {
        let next = place.start("serve");
        assert_eq!(place.successor(running.pid(), &next), next.pid());
        assert!(running.end().success(), "{}", running.log());
        running = next;
    }
    let (calls, longest) = callers.none_was_refused();
    assert!(calls > TIMES, "{calls} calls");
    eprintln!("{calls} calls during {TIMES} take-overs, the longest waited {longest:?}");
    assert_eq!(place.address(&running), address);
}

#[test]
fn a_predecessor_that_hangs_is_named_and_not_waited_for_without_end() {
    let place = Place::new("");
    let running = place.start("serve");
    place.address(&running);
    running.signal(Signal::STOP);
    let mut second = place.start("serve");
    assert_eq!(second.end().code(), Some(69), "{}", second.log());
    let named = format!("{}", running.pid());
    let log = second.log();
    assert!(log.contains(&named) && log.contains("does not answer"), "{log}");
}

#[test]
fn a_control_socket_that_nobody_holds_is_replaced() {
    let place = Place::new("");
    let mut running = place.start("serve");
    place.address(&running);
    running.signal(Signal::KILL);
    running.end();
    assert!(place.path().join("callwright.sock").exists());
    let next = place.start("serve");
    assert_eq!(place.successor(running.pid(), &next), next.pid());
}

#[test]
fn a_daemon_that_is_told_to_drain_closes_its_port_and_ends() {
    let place = Place::new("");
    let mut running = place.start("serve");
    let address = place.address(&running);
    let done = place.ask(&json!({ "do": "drain", "when": "boundary" })).unwrap();
    assert_eq!(done, json!({ "is": "done" }));
    assert!(running.end().success());
    assert!(call(address).is_err());
    assert!(!place.path().join("callwright.sock").exists());
}

#[test]
fn a_socket_from_systemd_is_used_and_stays_open_without_a_daemon() {
    let place = Place::new("");
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let activate = || {
        // As systemd does: the socket is file 3, and the process has the number that is named.
        let mut command = place.command("sh");
        let script = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" serve";
        command.args(["-c", script, env!("CARGO_BIN_EXE_callwright")]);
        command.stdin(OwnedFd::from(socket.try_clone().unwrap()));
        place.spawn(command)
    };
    let mut running = activate();
    assert_eq!(place.address(&running), address);
    let callers = Callers::start(address);
    running.signal(Signal::TERM);
    assert!(running.end().success());
    let next = activate();
    assert_eq!(place.address(&next), address);
    callers.none_was_refused();
}

#[test]
fn health_says_ready_until_the_daemon_drains() {
    let place = Place::new("[health]\nlisten = \"127.0.0.1:0\"");
    let running = place.start("serve");
    let health = eventually(&running, || {
        place.status()?["health"].as_str()?.parse::<std::net::SocketAddr>().ok()
    });
    let get = |path: &str| {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(health).ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    };
    let ready = || get("/readyz").filter(|all| all.starts_with("HTTP/1.1 200"));
    let ready = eventually(&running, ready);
    assert!(ready.contains(r#""ready":true"#), "{ready}");
    assert!(get("/livez").unwrap().starts_with("HTTP/1.1 200"));
    // A call that has not begun holds the daemon up for a while.
    let mut held = std::net::TcpStream::connect(place.address(&running)).unwrap();
    std::io::Read::read_exact(&mut held, &mut [0; 7]).unwrap();
    running.signal(Signal::TERM);
    let draining = eventually(&running, || get("/readyz").filter(|all| all.contains("503")));
    assert!(draining.contains(r#""draining":true"#), "{draining}");
    assert!(place.status().unwrap()["draining_ms"].is_u64());
    drop(held);
}

#[test]
fn a_daemon_beside_a_supervised_one_is_told_how_it_is_replaced() {
    let place = Place::new("");
    let supervisor = place.start("supervise");
    let worker = place.successor(supervisor.pid(), &supervisor);
    let mut second = place.start("serve");
    assert_eq!(second.end().code(), Some(69));
    let hint = format!("kill -HUP {}", supervisor.pid());
    assert!(second.log().contains(&hint), "{}", second.log());
    assert_eq!(place.successor(0, &supervisor), worker);
}
