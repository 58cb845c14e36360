//! `callwright doctor` beside a port that answers as a FreeSWITCH once did.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::thread;

use serde_json::Value;

use crate::daemon::Place;

const CORE: &str = "929d0d60-700f-4c1d-8036-9a283b06828a";
const PASSWORD: &str = "a-password-of-ours";

#[test]
fn a_freeswitch_on_which_nothing_is_wrong_has_no_error() {
    let port = switch(Manner::Answers(said()));
    let (code, report) = doctor(port, &[]);
    assert_eq!((code, &report["errors"]), (0, &0.into()), "{report:#}");
    assert_eq!(report["healthy"], true);
    let of_switch = report["examined"][1]["what"].as_str().unwrap();
    assert!(of_switch.contains("1.10.12") && of_switch.contains("1 SIP profiles"), "{of_switch}");
}

#[test]
fn what_a_freeswitch_says_is_found_with_its_remedy_unless_it_is_excepted() {
    let mut said = said();
    said.insert("fsctl api_expansion".into(), "+OK api_expansion is on\n".into());
    said.insert("module_exists mod_sndfile".into(), "false".into());
    let port = switch(Manner::Answers(said));
    let (code, report) = doctor(port, &[]);
    assert_eq!((code, codes(&report)), (1, vec!["switch-module-missing", "switch-api-expansion"]));
    let remedy = report["findings"][0]["remedy"].as_str().unwrap();
    assert!(remedy.contains("<load module=\"mod_sndfile\"/>"), "{remedy}");
    let except = ["--except", "switch-module-missing", "--except", "switch-api-expansion"];
    assert_eq!(doctor(port, &except).0, 0);
}

#[test]
fn a_freeswitch_that_lets_nobody_in_is_told_from_one_that_is_not_there() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (port, expected) in [
        (switch(Manner::Denies), "switch-password"),
        (switch(Manner::TurnsAway), "switch-acl"),
        (nobody, "switch-unreachable"),
    ] {
        let (code, report) = doctor(port, &[]);
        assert_eq!((code, codes(&report)), (1, vec![expected]), "{report:#}");
    }
}

/// The exit code, and what is printed; the errors' codes only are ever looked at.
fn doctor(port: SocketAddr, more: &[&str]) -> (i32, Value) {
    let place =
        Place::new(&format!("link = [{{ address = \"{port}\", password = \"{PASSWORD}\" }}]"));
    let mut command = place.command(env!("CARGO_BIN_EXE_callwright"));
    command.args(["--json", "doctor"]).args(more).stdout(Stdio::piped());
    let output = command.stderr(Stdio::piped()).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!format!("{printed}{errors}").contains(PASSWORD), "a secret is printed");
    let report = serde_json::from_str(&printed).unwrap_or_else(|_| panic!("{printed}{errors}"));
    (output.status.code().unwrap(), report)
}

fn codes(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().unwrap().iter();
    let errors = findings.filter(|finding| finding["severity"] == "error");
    errors.map(|finding| finding["code"].as_str().unwrap()).collect()
}

/// What the FreeSWITCH of the tests' data answers, with the address of our own listener.
fn said() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/doctor");
    let read = |name: &str| fs::read_to_string(folder.join(format!("{name}.txt"))).unwrap();
    let settings = |name| format!("xml_locate configuration configuration name {name}");
    let mut said: BTreeMap<String, String> = [
        ("version", "version"),
        ("status", "status"),
        ("show codec as json", "codecs"),
        ("fsctl api_expansion", "api_expansion"),
        ("xml_locate dialplan", "dialplan"),
        ("sofia xmlstatus gateway", "gateways"),
        ("sofia xmlstatus profile external", "profile"),
        ("xml_locate languages language name en", "language"),
    ]
    .map(|(command, name)| (command.to_owned(), read(name)))
    .into();
    for name in ["switch.conf", "event_socket.conf", "xml_curl.conf", "lua.conf"] {
        said.insert(settings(name), read(name));
    }
    let row = "<profile>\n<name>external</name>\n<type>profile</type>\n<data>sip:x</data>\n\
        <state>RUNNING (0)</state>\n</profile>\n";
    said.insert("sofia xmlstatus".into(), format!("<profiles>\n{row}</profiles>\n"));
    said.insert(settings("sofia.conf"), "can't find anything\n".into());
    said.insert("global_getvar callwright_address".into(), "127.0.0.1:0".into());
    said
}

/// How a port behaves.
#[derive(Clone)]
enum Manner {
    Denies,
    TurnsAway,
    /// Lets in, and answers these commands; `true` or nothing to others.
    Answers(BTreeMap<String, String>),
}

/// A port that is FreeSWITCH's for as long as the test runs.
fn switch(manner: Manner) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let manner = manner.clone();
            // It ends with the connection; how does not matter here.
            thread::spawn(move || drop(talk(stream, &manner)));
        }
    });
    address
}

fn talk(mut stream: TcpStream, manner: &Manner) -> std::io::Result<()> {
    let reply = "Content-Type: command/reply\nReply-Text:";
    if let Manner::TurnsAway = manner {
        let text = "Access Denied, go away.\n";
        let length = text.len();
        return write!(
            stream,
            "Content-Type: text/rude-rejection\nContent-Length: {length}\n\n{text}"
        );
    }
    write!(stream, "Content-Type: auth/request\n\n")?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let mut packet = Vec::new();
    while let Some(line) = lines.next().transpose()? {
        if !line.is_empty() {
            packet.push(line);
            continue;
        }
        let whole = std::mem::take(&mut packet);
        let first = whole.first().map(String::as_str).unwrap_or_default();
        match manner {
            Manner::Denies => return write!(stream, "{reply} -ERR invalid\n\n"),
            Manner::Answers(said) => match first.split_once(' ') {
                Some(("api", _)) => {
                    let length = CORE.len();
                    let head = "Content-Type: api/response\nContent-Length:";
                    write!(stream, "{head} {length}\n\n{CORE}")?;
                }
                Some(("bgapi", command)) => {
                    let job = whole[1].strip_prefix("Job-UUID: ").unwrap();
                    write!(stream, "{reply} +OK Job-UUID: {job}\nJob-UUID: {job}\n\n")?;
                    stream.write_all(ended(job, &answer(said, command)).as_bytes())?;
                }
                _ => write!(stream, "{reply} +OK accepted\n\n")?,
            },
            Manner::TurnsAway => {}
        }
    }
    Ok(())
}

fn answer(said: &BTreeMap<String, String>, command: &str) -> String {
    if let Some(text) = said.get(command) {
        return text.clone();
    }
    match command.split_whitespace().next().unwrap_or_default() {
        "module_exists" | "file_exists" => "true".into(),
        "strmicroepoch" => jiff::Timestamp::now().as_microsecond().to_string(),
        _ => String::new(),
    }
}

/// The event of a background job's end.
fn ended(job: &str, output: &str) -> String {
    let length = output.len();
    let event = format!(
        "Event-Name: BACKGROUND_JOB\nJob-UUID: {job}\nContent-Length: {length}\n\n{output}"
    );
    format!("Content-Length: {}\nContent-Type: text/event-plain\n\n{event}", event.len())
}
