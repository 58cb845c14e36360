//! A call written by hand: bytes in the From header that no phone would send.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

static CALLS: AtomicU32 = AtomicU32::new(0);

/// Calls `number` from `"display" <sip:user@…>`, waits for the answer, talks for `talk`, hangs up.
/// Gives the SIP status.
pub(crate) fn call(port: u16, number: &str, display: &[u8], user: &[u8], talk: Duration) -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let own = socket.local_addr().unwrap();
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    // The port is the socket's: nothing speaks RTP there, and nothing needs to.
    let media = own.port();
    let sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=audio {media} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\n"
    );
    let head = |method: &str, sequence: u32, branch: u32, to_tag: &str| {
        let mut head = format!(
            "{method} sip:{number}@127.0.0.1:{port} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {own};branch=z9hG4bK-{call}-{branch};rport\r\n\
             Max-Forwards: 70\r\nFrom: \""
        )
        .into_bytes();
        head.extend_from_slice(display);
        head.extend_from_slice(b"\" <sip:");
        head.extend_from_slice(user);
        head.extend_from_slice(
            format!(
                "@{own}>;tag=a{call}\r\nTo: <sip:{number}@127.0.0.1:{port}>{to_tag}\r\n\
                 Call-ID: by-hand-{call}-{own}\r\nCSeq: {sequence} {method}\r\n\
                 Contact: <sip:hand@{own}>\r\n"
            )
            .as_bytes(),
        );
        head
    };
    let mut invite = head("INVITE", 1, 1, "");
    let length = sdp.len();
    invite.extend(
        format!("Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{sdp}").bytes(),
    );
    let (status, to_tag) = ask(&socket, &invite, "INVITE");
    let end = "Content-Length: 0\r\n\r\n";
    let finish = |mut head: Vec<u8>| {
        head.extend_from_slice(end.as_bytes());
        head
    };
    socket.send(&finish(head("ACK", 1, 2, &to_tag))).unwrap();
    if status == 200 && !ends_within(&socket, talk) {
        ask(&socket, &finish(head("BYE", 2, 3, &to_tag)), "BYE");
    }
    status
}

/// Whether the far end hangs up first; its BYE is answered.
fn ends_within(socket: &UdpSocket, talk: Duration) -> bool {
    let began = Instant::now();
    let mut buffer = [0; 8_192];
    while began.elapsed() < talk {
        let Ok(length) = socket.recv(&mut buffer) else { continue };
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if answer_bye(socket, &text) {
            return true;
        }
    }
    false
}

fn answer_bye(socket: &UdpSocket, text: &str) -> bool {
    let is_bye = text.starts_with("BYE ");
    if is_bye {
        let kept = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
        let lines = text.lines().filter(|line| kept.iter().any(|name| line.starts_with(name)));
        let lines: String = lines.map(|line| format!("{line}\r\n")).collect();
        let answer = format!("SIP/2.0 200 OK\r\n{lines}Content-Length: 0\r\n\r\n");
        socket.send(answer.as_bytes()).unwrap();
    }
    is_bye
}

/// Sends a request until a final answer comes; gives its status and the To tag.
fn ask(socket: &UdpSocket, request: &[u8], method: &str) -> (u16, String) {
    let began = Instant::now();
    socket.send(request).unwrap();
    let mut buffer = [0; 8_192];
    while began.elapsed() < Duration::from_secs(20) {
        let Ok(length) = socket.recv(&mut buffer) else { continue };
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if answer_bye(socket, &text) {
            return (200, String::new());
        }
        let status = text.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let ours = text.lines().any(|line| line.starts_with("CSeq:") && line.ends_with(method));
        if let (Some(status @ 200..), true) = (status, ours) {
            let to = text.lines().find(|line| line.starts_with("To:")).unwrap_or_default();
            let tag =
                to.split_once(";tag=").map_or(String::new(), |(_, tag)| format!(";tag={tag}"));
            return (status, tag);
        }
    }
    (408, String::new())
}
