//! The commands of the Event Socket, matched by prefix in FreeSWITCH's order (mod_event_socket.c,
//! `parse_command`).

use super::channel::{Channel, Job, Work};
use super::events::Names;
use super::execute::{Activity, MAX_QUEUE};
use super::link::{Link, MAX_FILTERS};
use super::observed::Observed;
use super::wire::{Packet, Read, atoi, strip_cr, until};

/// The reply buffer of FreeSWITCH: what is longer is cut.
const MAX_REPLY: usize = 511;

/// What a command comes to.
enum Answer {
    Text(Vec<u8>),
    /// Nothing to send here, or it is sent already.
    Silence,
    /// FreeSWITCH leaves without a reply.
    Leave,
}

impl Answer {
    fn text(text: &str) -> Self {
        Self::Text(text.as_bytes().to_vec())
    }
}

impl Channel {
    /// Serves the connection; false when there is nothing to do now.
    pub(super) fn serve_link(&mut self) -> bool {
        let now = self.ms();
        let second = self.now.wall.as_second();
        let static_idle = self.stack.last().is_some_and(|f| matches!(f.activity, Activity::Static));
        let Some(link) = self.link.as_deref_mut().filter(|link| link.open) else { return false };
        if link.in_application && static_idle {
            link.in_application = false;
            link.reply(b"+OK");
            link.look_now(now);
            return true;
        }
        if let Some((_, response)) = link.blocked.take_if(|(until, _)| *until <= now) {
            link.send(&response);
            link.look_now(now);
            return true;
        }
        if link.ends_at_second().is_some_and(|end| end <= second) {
            self.end_link();
            return true;
        }
        if link.can_read() {
            match link.inbox.read() {
                Read::Packet(packet) => {
                    self.command(packet);
                    return true;
                }
                Read::Broken => {
                    self.end_link();
                    return true;
                }
                Read::More => {}
            }
        }
        self.look()
    }

    fn look(&mut self) -> bool {
        let now = self.ms();
        let second = self.now.wall.as_second();
        let name = self.call.channel_name();
        let down = self.ended.is_some();
        let Some(link) = &mut self.link else { return false };
        if !link.look(now) {
            return false;
        }
        if down && link.lingering.is_none() {
            match link.linger {
                None => {
                    link.lingering = Some(None);
                    self.end_link();
                }
                Some(seconds) => {
                    link.send_linger_notice(&self.call.uuid, &name, seconds);
                    link.lingering = Some((seconds >= 0).then(|| second + seconds));
                }
            }
        }
        true
    }

    fn command(&mut self, packet: Packet) {
        let now = self.ms();
        let Some(link) = self.link.as_deref_mut() else { return };
        let first = !std::mem::replace(&mut link.seen_command, true);
        let leaves = begins(&packet.command, "exit") || begins(&packet.command, "...");
        let answer = if leaves { Answer::text("+OK bye") } else { self.answer_command(packet) };
        let Some(link) = self.link.as_deref_mut().filter(|link| link.open) else { return };
        match answer {
            Answer::Text(_) if first => {}
            Answer::Text(text) if text.is_empty() => link.reply(b"-ERR command not found"),
            Answer::Text(text) => link.reply(&text[..text.len().min(MAX_REPLY)]),
            Answer::Silence => {}
            Answer::Leave => return self.end_link(),
        }
        link.look_now(now);
        if leaves {
            self.end_link();
        }
    }

    fn answer_command(&mut self, packet: Packet) -> Answer {
        let command = packet.command.clone();
        if self.asks_to_unload(&command) {
            return Answer::Leave;
        }
        let line = strip_cr(&command);
        let is = |word: &str| begins(&command, word);
        if is("filter ") {
            return self.filter(line);
        }
        if is("resume") {
            return self.resume();
        }
        if is("connect") {
            let reply = self.connect_reply();
            if let Some(link) = &mut self.link {
                link.connected = true;
                link.send(&reply);
            }
            return Answer::Silence;
        }
        if is("getvar") {
            let name = line.split(|b| *b == b' ').nth(1).map(<[u8]>::to_vec);
            return Answer::Text(name.and_then(|name| self.lookup(&name)).unwrap_or_default());
        }
        if is("myevents") {
            return self
                .link
                .as_deref_mut()
                .map_or(Answer::Silence, |link| my_events(link, &command));
        }
        if is("divert_events") {
            return divert_events(line);
        }
        if is("sendmsg") {
            return self.sendmsg(packet);
        }
        if !self.link.as_ref().is_some_and(|link| link.full) {
            return Answer::text("-ERR command not found");
        }
        self.answer_full(&packet, line)
    }

    fn answer_full(&mut self, packet: &Packet, line: &[u8]) -> Answer {
        let is = |word: &str| begins(line, word);
        if is("sendevent") {
            return Answer::Text(format!("+OK {}", self.identity()).into_bytes());
        }
        if is("api ") {
            return self.api_command(&line[4..]);
        }
        if is("bgapi ") {
            return self.background_command(packet, &line[6..]);
        }
        let Some(link) = self.link.as_deref_mut() else { return Answer::Silence };
        if is("log") {
            Answer::text("+OK log level  [7]")
        } else if is("linger") {
            linger(link, line)
        } else if is("nolinger") {
            link.linger = None;
            Answer::text("+OK will not linger")
        } else if is("nolog") {
            Answer::text("-ERR not loging")
        } else if is("event") {
            subscribe(link, line)
        } else if is("nixevent") {
            unsubscribe(link, line)
        } else if is("noevents") {
            no_events(link)
        } else {
            Answer::text("-ERR command not found")
        }
    }

    /// The trap of mod_event_socket.c: these two words anywhere in a command unload the module.
    fn asks_to_unload(&mut self, command: &[u8]) -> bool {
        let lower = command.to_ascii_lowercase();
        let has = |word: &[u8]| lower.windows(word.len()).any(|w| w == word);
        let asks = has(b"mod_event_socket") && (has(b"unload") || has(b"reload"));
        if asks {
            let text = "unload mod_event_socket".to_owned();
            self.note(Observed::Expanded { app: "unload".to_owned(), text });
        }
        asks
    }

    fn filter(&mut self, line: &[u8]) -> Answer {
        let words: Vec<&[u8]> = line.splitn(4, |b| *b == b' ').collect();
        let Some(link) = self.link.as_deref_mut() else { return Answer::Silence };
        let quoted = |open: &str, name: &[u8], middle: &str, value: &[u8]| {
            let end = &b"]"[..];
            Answer::Text([open.as_bytes(), name, middle.as_bytes(), value, end].concat())
        };
        match words[..] {
            [_, b"delete", b"all", ..] => {
                link.filters.clear();
                quoted("+OK filter deleted. [", b"all", "][", b"")
            }
            [_, b"delete", name, ..] => {
                let value = words.get(3).copied().unwrap_or_default();
                link.filters.retain(|(n, v)| {
                    !n.eq_ignore_ascii_case(name) || !(value.is_empty() || v == value)
                });
                quoted("+OK filter deleted. [", name, "][", value)
            }
            [_, name, value, ..] => {
                let (name, value) = if name == b"add" {
                    (value, words.get(3).copied().unwrap_or_default())
                } else {
                    (name, &line[words[0].len() + name.len() + 2..])
                };
                if link.filters.len() < MAX_FILTERS {
                    link.filters.push((name.to_vec(), value.to_vec()));
                }
                quoted("+OK filter added. [", name, "]=[", value)
            }
            _ => Answer::text("-ERR invalid syntax"),
        }
    }

    fn resume(&mut self) -> Answer {
        if let Some(link) = &mut self.link {
            link.resume = true;
        }
        self.vars.set(&b"socket_resume"[..], &b"true"[..]);
        Answer::text("+OK")
    }

    fn sendmsg(&mut self, packet: Packet) -> Answer {
        let line = strip_cr(&packet.command);
        let target = line.get(8..).unwrap_or_default().trim_ascii();
        let target = if target.is_empty() {
            packet.header("session-id").unwrap_or_default().to_vec()
        } else {
            target.to_vec()
        };
        if !target.is_empty() && target != self.call.uuid.as_bytes() {
            return self.sendmsg_to_leg(&target, &packet);
        }
        if self.ended.is_some() {
            return Answer::text("+OK");
        }
        let is_static = self.link.as_ref().is_some_and(|link| !link.is_async);
        if is_static && !packet.is_true("async") {
            if let Some(link) = &mut self.link {
                link.in_application = true;
            }
            self.run_message(&packet);
            return Answer::Silence;
        }
        if self.queue.len() >= MAX_QUEUE || !self.enqueue(packet) {
            return Answer::Leave;
        }
        Answer::text("+OK")
    }

    fn sendmsg_to_leg(&mut self, target: &[u8], packet: &Packet) -> Answer {
        if !self.has_leg(target) {
            let text = [&b"-ERR invalid session id ["[..], target, b"]"].concat();
            return Answer::Text(text);
        }
        if packet.header("call-command") == Some(b"hangup") {
            let cause = packet.header("hangup-cause").unwrap_or(b"NORMAL_CLEARING");
            self.hang_up_leg(target, super::execute::cause_of(cause));
        }
        Answer::text("+OK")
    }

    fn api_command(&mut self, text: &[u8]) -> Answer {
        let now = self.ms();
        let (output, takes) = self.api(text);
        let output = if output.is_empty() { b"-ERR no reply\n".to_vec() } else { output };
        let head = format!("Content-Type: api/response\nContent-Length: {}\n\n", output.len());
        let response = [head.as_bytes(), &output].concat();
        if let Some(link) = self.link.as_deref_mut().filter(|link| link.open) {
            if takes == 0 {
                link.send(&response);
            } else {
                link.blocked = Some((now + takes, response));
            }
        }
        Answer::Silence
    }

    fn background_command(&mut self, packet: &Packet, text: &[u8]) -> Answer {
        let uuid = match packet.header("job-uuid") {
            Some(uuid) => uuid.to_vec(),
            None => self.identity().into_bytes(),
        };
        if begins(text, "originate ") {
            self.originate(uuid.clone(), text);
        } else {
            let (output, takes) = self.api(text);
            let work = Work::Result { uuid: uuid.clone(), command: text.to_vec(), output };
            self.jobs_push(Job { at: self.ms() + takes + 1, group: Vec::new(), work });
        }
        let middle = &b"\nJob-UUID: "[..];
        Answer::Text([b"~Reply-Text: +OK Job-UUID: ", &uuid[..], middle, &uuid, b"\n\n"].concat())
    }
}

fn begins(command: &[u8], word: &str) -> bool {
    command.get(..word.len()).is_some_and(|c| c.eq_ignore_ascii_case(word.as_bytes()))
}

fn my_events(link: &mut Link, command: &[u8]) -> Answer {
    if link.my_events {
        return Answer::text("-ERR aready enabled.");
    }
    link.my_events = true;
    link.listening = true;
    link.names = link.names.with(Names::my_events());
    let lower = command.to_ascii_lowercase();
    if lower.windows(4).any(|w| w == b"json") {
        link.json = true;
    }
    Answer::text("+OK Events Enabled")
}

fn divert_events(line: &[u8]) -> Answer {
    match line.split(|b| *b == b' ').nth(1) {
        Some(b"on") => Answer::text("+OK events diverted"),
        Some(b"off") => Answer::text("+OK events not diverted"),
        _ => Answer::text("-ERR missing value."),
    }
}

/// While lingering, a new number of seconds is read as a moment of 1970: the connection ends at
/// once.
fn linger(link: &mut Link, line: &[u8]) -> Answer {
    let argument = line.get(6..).unwrap_or_default().trim_ascii();
    if argument.is_empty() {
        link.linger = Some(-1);
        return Answer::text("+OK will linger");
    }
    let seconds = atoi(argument);
    link.linger = Some(seconds);
    if link.lingering.is_some() {
        link.lingering = Some(Some(seconds));
    }
    Answer::Text(format!("+OK will linger {seconds} seconds").into_bytes())
}

fn subscribe(link: &mut Link, line: &[u8]) -> Answer {
    let words = line.split(|b| *b == b' ').skip(1).enumerate();
    let mut names = None;
    let mut custom = false;
    for (index, word) in words {
        if index == 0 && [&b"plain"[..], b"xml"].iter().any(|f| word.eq_ignore_ascii_case(f)) {
            link.json = false;
        } else if index == 0 && word.eq_ignore_ascii_case(b"json") {
            link.json = true;
        } else if custom {
            if link.subclasses.len() < MAX_FILTERS {
                link.subclasses.insert(until(word, |b| b == 0).to_vec());
            }
        } else if let Some(found) = Names::of(word) {
            custom = word.eq_ignore_ascii_case(b"CUSTOM");
            names = Some(found.with(names.unwrap_or_default()));
        }
    }
    let Some(names) = names else { return Answer::text("-ERR no keywords supplied") };
    link.names = link.names.with(names);
    link.listening = true;
    let form = if link.json { "json" } else { "plain" };
    Answer::Text(format!("+OK event listener enabled {form}").into_bytes())
}

fn unsubscribe(link: &mut Link, line: &[u8]) -> Answer {
    let words = line.split(|b| *b == b' ').skip(1);
    let names = words.filter_map(Names::of).reduce(Names::with);
    let Some(names) = names else { return Answer::text("-ERR no keywords supplied") };
    link.names = link.names.without(names);
    link.listening = true;
    Answer::text("+OK events nixed")
}

fn no_events(link: &mut Link) -> Answer {
    link.drop_events();
    if !std::mem::replace(&mut link.listening, false) {
        return Answer::text("-ERR not listening for events");
    }
    link.names = Names::default();
    link.subclasses.clear();
    Answer::text("+OK no longer listening for events")
}
