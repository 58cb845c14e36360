//! A supervisor and its worker.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::callers::{Callers, call};
use crate::daemon::{Place, Running, eventually, send};

/// A supervisor whose worker takes calls: its address, and the worker's number.
fn supervised(place: &Place) -> (Running, std::net::SocketAddr, i32) {
    let running = place.start("supervise");
    let address = place.address(&running);
    let worker = place.successor(running.pid(), &running);
    (running, address, worker)
}

#[test]
fn a_call_that_comes_while_the_worker_is_dead_is_taken_by_the_next() {
    let place = Place::new("");
    let (running, address, mut worker) = supervised(&place);
    for _ in 0..3 {
        send(worker, Signal::KILL);
        let waited = call(address).unwrap();
        worker = place.successor(worker, &running);
        eprintln!("taken by the next worker after {waited:?}");
    }
    assert!(!running.log().contains("panicked"), "{}", running.log());
}

#[test]
fn a_worker_that_is_stopped_is_replaced() {
    let place = Place::new("");
    let (running, address, worker) = supervised(&place);
    let began = Instant::now();
    send(worker, Signal::STOP);
    // What the stopped worker has accepted is lost with it; what waits is not.
    let next = place.successor(worker, &running);
    assert_ne!(next, worker);
    call(address).unwrap();
    let took = began.elapsed();
    eprintln!("replaced after {took:?}");
    assert!(took < Duration::from_secs(20), "{}", running.log());
    assert!(running.log().contains("it was stopped"), "{}", running.log());
}

#[test]
fn sighup_replaces_the_worker_and_nobody_is_refused() {
    let place = Place::new("");
    let (running, address, mut worker) = supervised(&place);
    let callers = Callers::start(address);
    for _ in 0..3 {
        running.signal(Signal::HUP);
        worker = place.successor(worker, &running);
    }
    let (calls, longest) = callers.none_was_refused();
    eprintln!("{calls} calls during 3 replacements, the longest waited {longest:?}");
}

#[test]
fn a_worker_that_lets_go_of_its_calls_by_itself_is_followed_at_once() {
    let place = Place::new("");
    let (running, address, worker) = supervised(&place);
    let callers = Callers::start(address);
    send(worker, Signal::TERM);
    place.successor(worker, &running);
    callers.none_was_refused();
}

#[test]
fn when_no_worker_can_start_the_port_is_closed_and_opens_again_when_one_can() {
    let place = Place::new("[supervise]\nfailures = 2");
    let (running, address, worker) = supervised(&place);
    let keys = place.path().join("callwright.key");
    let good = fs::read_to_string(&keys).unwrap();
    fs::write(&keys, "no key").unwrap();
    send(worker, Signal::KILL);
    eventually(&running, || call(address).err());
    assert!(running.log().contains("the port is closed"), "{}", running.log());
    fs::write(&keys, good).unwrap();
    eventually(&running, || call(address).ok());
    assert_ne!(place.successor(worker, &running), worker);
}

#[test]
fn sigterm_ends_the_worker_the_port_and_the_supervisor() {
    let place = Place::new("");
    let (mut running, address, worker) = supervised(&place);
    running.signal(Signal::TERM);
    assert!(running.end().success(), "{}", running.log());
    assert!(call(address).is_err());
    let gone = rustix::process::test_kill_process(rustix::process::Pid::from_raw(worker).unwrap());
    assert!(gone.is_err());
}

#[test]
fn a_supervisor_follows_a_daemon_that_ran_without_one() {
    let place = Place::new("");
    let mut alone = place.start("serve");
    let address = place.address(&alone);
    let callers = Callers::start(address);
    let supervisor = place.start("supervise");
    place.successor(alone.pid(), &supervisor);
    assert!(alone.end().success(), "{}", alone.log());
    callers.none_was_refused();
}

#[test]
fn a_new_program_at_the_same_path_takes_effect_on_sighup() {
    let place = Place::new("");
    let program = place.path().join("callwright");
    fs::copy(env!("CARGO_BIN_EXE_callwright"), &program).unwrap();
    let mut command = place.command(program.to_str().unwrap());
    command.arg("supervise");
    let running = place.spawn(command);
    let worker = place.successor(0, &running);
    let (newer, mark) = (place.path().join("newer"), place.path().join("mark"));
    let script = format!(
        "#!/bin/sh\ntouch '{}'\nexec '{}' \"$@\"\n",
        mark.display(),
        env!("CARGO_BIN_EXE_callwright")
    );
    fs::write(&newer, script).unwrap();
    fs::set_permissions(&newer, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&newer, &program).unwrap();
    running.signal(Signal::HUP);
    place.successor(worker, &running);
    assert!(mark.exists(), "{}", running.log());
}

#[test]
fn a_supervisor_follows_one_that_was_killed() {
    let place = Place::new("");
    let (mut killed, address, worker) = supervised(&place);
    let callers = Callers::start(address);
    killed.signal(Signal::KILL);
    killed.end();
    let supervisor = place.start("supervise");
    assert_ne!(place.successor(worker, &supervisor), worker);
    assert_eq!(place.address(&supervisor), address);
    callers.none_was_refused();
    // Nobody waits for the worker of one that was killed: it lets its calls go, and ends.
    eventually(&supervisor, || has_ended(worker).then_some(()));
}

/// A process that nobody has waited for yet has ended too (proc(5): state Z).
fn has_ended(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with('Z'))
}
