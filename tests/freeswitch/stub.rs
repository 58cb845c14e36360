//! An http server that a flow asks: `/vip` knows the caller, `/late` as well but not at once,
//! `/slow` takes too long, everything else is out of order.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// Longer than the flow's time-out of 4 s.
const SLOW: Duration = Duration::from_secs(6);
/// Shorter than that.
const LATE: Duration = Duration::from_secs(3);

/// Serves until the test ends; gives its port.
pub(crate) fn start() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that goes away is none of our business.
            std::thread::spawn(move || drop(answer(stream)));
        }
    });
    port
}

fn answer(stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let path = request.split(' ').nth(1);
    match path {
        Some("/slow") => std::thread::sleep(SLOW),
        Some("/late") => std::thread::sleep(LATE),
        _ => {}
    }
    let (status, body) = match path {
        Some("/vip" | "/late") => ("200 OK", r#"{"customer":{"vip":true}}"#),
        _ => ("500 Internal Server Error", "{}"),
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\n");
    let rest = format!("Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    reader.get_mut().write_all(format!("{head}{rest}").as_bytes())
}
