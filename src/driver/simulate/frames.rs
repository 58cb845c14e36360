//! The messages of an Event Socket connection, taken apart.

/// Whether the message tells of a key.
pub(super) fn is_key(frame: &[u8]) -> bool {
    const EVENT: &[u8] = b"Event-Name: DTMF\n";
    frame.windows(EVENT.len()).any(|window| window == EVENT)
}

/// What FreeSWITCH sends at once, one message after another: each is an input of its own.
pub(super) fn frames(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some(end) = bytes.windows(2).position(|two| two == b"\n\n") {
        let head = String::from_utf8_lossy(&bytes[..end]);
        // The reply to `connect` has no body, whatever the variables in it are called.
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let length = length.and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
        let (frame, rest) = bytes.split_at((end + 2 + length).min(bytes.len()));
        frames.push(frame);
        bytes = rest;
    }
    if !bytes.is_empty() {
        frames.push(bytes);
    }
    frames
}
