//! Word to systemd.

use std::os::unix::net::UnixDatagram;

use rustix::process::Signal;

use crate::daemon::{PATIENCE, Place};

/// Waits for a word among others.
#[track_caller]
fn hear(socket: &UnixDatagram, wanted: &str) -> String {
    let mut word = [0; 4_096];
    for _ in 0..1_000 {
        let length = socket.recv(&mut word).expect("nothing is said");
        let text = String::from_utf8_lossy(&word[..length]).into_owned();
        if text.lines().any(|line| line == wanted) {
            return text;
        }
    }
    panic!("`{wanted}` is not said");
}

#[test]
fn systemd_hears_ready_beats_and_the_end() {
    let place = Place::new("");
    let path = place.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    for argument in ["serve", "supervise"] {
        let mut command = place.command(env!("CARGO_BIN_EXE_callwright"));
        command.arg(argument).env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "600000");
        let mut running = place.spawn(command);
        let ready = hear(&socket, "READY=1");
        assert!(argument == "supervise" || ready.contains("STATUS=ready"), "{ready}");
        hear(&socket, "WATCHDOG=1");
        hear(&socket, "WATCHDOG=1");
        running.signal(Signal::TERM);
        hear(&socket, "STOPPING=1");
        assert!(running.end().success(), "{}", running.log());
    }
}
