//! API commands (mod_commands.c) that a controller of one call uses. Anything else: command not
//! found.

use super::arguments::split;
use super::channel::{Channel, Hold, Job, Work};
use super::events::Kind;
use super::execute::cause_of;
use super::observed::Observed;
use super::wire::{Packet, atoi, until};
use crate::base::cause::HangupCause;
use crate::base::digits::Digit;

/// Scheduled commands and background jobs of one call.
const MAX_JOBS: usize = 256;
const NO_CHANNEL: &[u8] = b"-ERR No such channel!\n";

impl Channel {
    /// The output, and how many milliseconds the command takes.
    pub(super) fn api(&mut self, text: &[u8]) -> (Vec<u8>, u64) {
        let text = text.trim_ascii_start();
        let command = until(text, |b| b == b' ');
        let args = text.get(command.len() + 1..).unwrap_or_default();
        if command.eq_ignore_ascii_case(b"msleep") {
            return (b"+OK".to_vec(), u64::try_from(atoi(args)).unwrap_or(0));
        }
        (self.api_at_once(&command.to_ascii_lowercase(), args), 0)
    }

    fn api_at_once(&mut self, command: &[u8], args: &[u8]) -> Vec<u8> {
        let words = split(args, b' ', 8);
        match command {
            b"uuid_exists" => {
                let exists = self.ended.is_none() && args.trim_ascii() == self.call.uuid.as_bytes();
                let exists = exists || self.has_leg(args.trim_ascii());
                if exists { b"true".to_vec() } else { b"false".to_vec() }
            }
            b"status" => b"UP 0 years, 0 days, 0 hours, 0 minutes, 1 second\n".to_vec(),
            b"xml_locate" => b"<language name=\"en\" sound-prefix=\"/sounds\"/>\n".to_vec(),
            b"say_string" => b"file_string://digits/1.wav".to_vec(),
            b"strftime" => b"+0000".to_vec(),
            b"version" => b"FreeSWITCH Version 1.10.12-simulated\n".to_vec(),
            b"url_encode" => {
                let mut out = Vec::new();
                super::encode::percent(args, &mut out);
                out
            }
            b"conference" => self.api_conference(args),
            b"uuid_bridge" => self.api_bridge(&words),
            b"uuid_hold" => self.api_hold(&words),
            b"uuid_kill" => self.api_kill(&words),
            b"hupall" => self.hang_up_marked(&words),
            b"uuid_setvar_multi" => self.api_setvar_multi(args),
            b"uuid_setvar" => self.api_setvar(args),
            b"sched_hangup" | b"sched_transfer" | b"sched_api" => {
                self.api_schedule(command, &words, args)
            }
            b"sched_del" => {
                let group = args.trim_ascii();
                self.jobs.retain(|job| job.group != group);
                b"+OK\n".to_vec()
            }
            _ if command.starts_with(b"uuid_") => match self.api_on_other(command, &words) {
                Some(output) => output,
                None => self.api_on_call(command, &words),
            },
            _ => [b"-ERR ", command, b" Command not found!\n"].concat(),
        }
    }

    fn is_me(&self, words: &[Vec<u8>]) -> bool {
        self.ended.is_none() && words.first().is_some_and(|w| w == self.call.uuid.as_bytes())
    }

    fn api_on_call(&mut self, command: &[u8], words: &[Vec<u8>]) -> Vec<u8> {
        const KNOWN: [&[u8]; 15] = [
            b"uuid_answer",
            b"uuid_pre_answer",
            b"uuid_ring_ready",
            b"uuid_break",
            b"uuid_getvar",
            b"uuid_dump",
            b"uuid_transfer",
            b"uuid_record",
            b"uuid_broadcast",
            b"uuid_flush_dtmf",
            b"uuid_recv_dtmf",
            b"uuid_send_dtmf",
            b"uuid_park",
            b"uuid_audio",
            b"uuid_displace",
        ];
        if !KNOWN.contains(&command) {
            return [b"-ERR ", command, b" Command not found!\n"].concat();
        }
        if command == b"uuid_getvar" && words.len() < 2 {
            return b"-USAGE: <uuid> <var>\n".to_vec();
        }
        if !self.is_me(words) {
            let unknown = match command {
                b"uuid_record" | b"uuid_displace" => &b"-ERR Cannot locate session!\n"[..],
                b"uuid_broadcast" => b"-ERR invalid uuid\n",
                b"uuid_answer" | b"uuid_pre_answer" | b"uuid_ring_ready" => b"-ERROR\n",
                _ => NO_CHANNEL,
            };
            return unknown.to_vec();
        }
        match command {
            b"uuid_answer" => self.answer(),
            b"uuid_pre_answer" => self.pre_answer(),
            b"uuid_ring_ready" => self.ring(),
            b"uuid_flush_dtmf" => self.digits.clear(),
            b"uuid_recv_dtmf" => self.receive_digits(words.get(1)),
            b"uuid_send_dtmf" => return self.send_digits(words),
            b"uuid_break" => self.api_break(words),
            b"uuid_getvar" => {
                let value = words.get(1).and_then(|name| self.lookup(name));
                return value.unwrap_or_else(|| b"_undef_".to_vec());
            }
            b"uuid_dump" => return self.dump(words.get(1).is_some_and(|w| w == b"json")),
            b"uuid_transfer" => return self.api_transfer(words),
            b"uuid_record" => return self.api_record(words),
            b"uuid_displace" => return b"+OK Success\n".to_vec(),
            b"uuid_broadcast" => {
                self.api_broadcast(words);
                return b"+OK Message sent\n".to_vec();
            }
            _ => {}
        }
        b"+OK\n".to_vec()
    }

    fn receive_digits(&mut self, keys: Option<&Vec<u8>>) {
        let keys = keys.map(Vec::as_slice).unwrap_or_default();
        let now = self.now;
        for byte in until(keys, |b| b == b'@').iter().take(100) {
            if let Some(digit) = Digit::new(*byte) {
                self.press(digit, now);
            }
        }
    }

    fn send_digits(&mut self, words: &[Vec<u8>]) -> Vec<u8> {
        let Some(keys) = words.get(1) else { return b"-USAGE: <uuid> <dtmf_data>\n".to_vec() };
        let sent = until(keys, |b| b == b'@');
        let count = sent.iter().filter(|byte| Digit::new(**byte).is_some()).count();
        if count == 0 || keys.len() > 99 {
            return b"-ERR Operation failed\n".to_vec();
        }
        self.note(Observed::KeysSent { count });
        [b"+OK ", &words[0][..], b" sent DTMF ", keys, b".\n"].concat()
    }

    /// One break ends one application; `all` empties the queue before.
    fn api_break(&mut self, words: &[Vec<u8>]) {
        if words.iter().skip(1).any(|word| word == b"all") {
            self.queue.clear();
        }
        self.break_at = Some(self.next_frame());
    }

    fn api_kill(&mut self, words: &[Vec<u8>]) -> Vec<u8> {
        let cause = words.get(1).map_or(HangupCause::NormalClearing, |word| cause_of(word));
        let Some(uuid) = words.first() else { return NO_CHANNEL.to_vec() };
        if self.is_me(words) {
            self.hang_up_from_outside(cause, false);
        } else if self.has_leg(uuid) {
            self.hang_up_leg(uuid, cause);
        } else {
            return NO_CHANNEL.to_vec();
        }
        b"+OK\n".to_vec()
    }

    /// Not checked for `${`: what is set here may be expanded later (mod_commands.c,
    /// `uuid_setvar_function`).
    fn api_setvar(&mut self, args: &[u8]) -> Vec<u8> {
        let words = split(args, b' ', 2);
        if words.len() < 2 {
            return b"-USAGE: <uuid> <var> [value]\n".to_vec();
        }
        if !self.is_me(&words) {
            return NO_CHANNEL.to_vec();
        }
        let mut spaces = 0;
        let value = args.iter().position(|b| {
            spaces += usize::from(*b == b' ');
            spaces == 2
        });
        let value = value.map(|at| split(&args[at + 1..], b' ', 1));
        let value = value.and_then(|v| v.into_iter().next()).unwrap_or_default();
        self.vars.set(words[1].clone(), value);
        b"+OK\n".to_vec()
    }

    /// A value that contains `${` is dropped, and yet the answer is `+OK`.
    fn api_setvar_multi(&mut self, args: &[u8]) -> Vec<u8> {
        let uuid = until(args, |b| b == b' ').to_vec();
        let Some(pairs) = args.get(uuid.len() + 1..) else { return Vec::new() };
        let me = self.is_me(std::slice::from_ref(&uuid));
        if !me && !self.is_up(&uuid) {
            return NO_CHANNEL.to_vec();
        }
        for pair in split(pairs, b';', 64) {
            let name = until(&pair, |b| b == b'=').to_vec();
            let value = pair.get(name.len() + 1..).unwrap_or_default();
            if name.is_empty() {
                return b"-ERR No variable specified\n".to_vec();
            }
            if value.windows(2).any(|w| w == b"${") {
                continue;
            }
            if me {
                self.vars.set(name, value.to_vec());
            } else {
                self.set_on_other(&uuid, &name, value);
            }
        }
        b"+OK\n".to_vec()
    }

    fn api_hold(&mut self, words: &[Vec<u8>]) -> Vec<u8> {
        let off = words.first().is_some_and(|word| word == b"off");
        if !self.is_me(&words[usize::from(off).min(words.len())..]) {
            return b"+OK Success\n".to_vec();
        }
        if (self.hold == Hold::Held) != off {
            return b"-ERR Operation failed\n".to_vec();
        }
        if off {
            self.set_hold(Hold::Ending);
            self.fire(Kind::Unhold, &[], &[]);
            self.set_hold(Hold::None);
        } else {
            self.set_hold(Hold::Held);
            self.fire(Kind::Hold, &[], &[]);
        }
        b"+OK Success\n".to_vec()
    }

    fn set_hold(&mut self, hold: Hold) {
        let before = self.call_state();
        self.hold = hold;
        self.fire_call_state(before);
    }

    /// `<uuid> <path or app::args> [aleg|bleg|both]`: queued with `event-lock`
    /// (switch_ivr_async.c).
    fn api_broadcast(&mut self, words: &[Vec<u8>]) {
        let Some(what) = words.get(1) else { return };
        if words.get(2).is_some_and(|leg| leg == b"bleg") {
            return;
        }
        let at = what.windows(2).position(|w| w == b"::");
        let (app, arg) = match at {
            Some(at) => (&what[..at], &what[at + 2..]),
            None => (&b"playback"[..], &what[..]),
        };
        self.enqueue(Packet::execute(app, arg));
    }

    fn api_transfer(&mut self, words: &[Vec<u8>]) -> Vec<u8> {
        match words.get(1).map(Vec::as_slice) {
            Some(b"-bleg") if self.transfer_far_end().is_some() => b"+OK\n".to_vec(),
            Some(b"-bleg") | None => b"-ERR\n".to_vec(),
            Some(b"-both") => {
                self.transfer_far_end();
                self.transfer(words.get(2..).unwrap_or_default(), false);
                b"+OK\n".to_vec()
            }
            Some(_) => {
                self.transfer(&words[1..], false);
                b"+OK\n".to_vec()
            }
        }
    }

    fn api_record(&mut self, words: &[Vec<u8>]) -> Vec<u8> {
        let (Some(action), Some(path)) = (words.get(1), words.get(2)) else {
            return b"-USAGE: <uuid> [start|stop|mask|unmask] <path> [<limit>]\n".to_vec();
        };
        match &action[..] {
            b"start" if !self.records => return b"-ERR Cannot record session!\n".to_vec(),
            b"start" => self.start_session(path),
            b"stop" if !self.stop_session(path) => {
                return b"-ERR Cannot stop record session!\n".to_vec();
            }
            b"pause" | b"resume" if !self.change_session(action, path) => {
                return b"-ERR Cannot pause recording session!\n".to_vec();
            }
            b"mask" | b"unmask" if !self.change_session(action, path) => {
                return b"-ERR Cannot mask recording session!\n".to_vec();
            }
            _ => {}
        }
        b"+OK Success\n".to_vec()
    }

    /// `sched_hangup [+]<t> <uuid> [cause]` and its like; times are relative to now if they begin
    /// with `+`.
    fn api_schedule(&mut self, command: &[u8], words: &[Vec<u8>], args: &[u8]) -> Vec<u8> {
        let (Some(time), Some(second)) = (words.first(), words.get(1)) else {
            return b"-USAGE: [+]<time> <uuid>\n".to_vec();
        };
        let seconds = match time.strip_prefix(b"+") {
            Some(relative) => atoi(relative.strip_prefix(b"@").unwrap_or(relative)),
            None => atoi(time) - self.now.wall.as_second(),
        };
        let at = self.ms() + u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000);
        let rest = |skip: usize| -> Vec<u8> {
            args.splitn(skip + 1, |b| *b == b' ').nth(skip).unwrap_or_default().to_vec()
        };
        let work = match command {
            b"sched_hangup" => {
                let cause =
                    words.get(2).map_or(HangupCause::AllottedTimeout, |word| cause_of(word));
                if second == self.call.uuid.as_bytes() {
                    Work::Hangup(cause)
                } else if self.has_leg(second) {
                    let cause = cause.name().as_bytes();
                    Work::Api([b"uuid_kill ", &second[..], b" ", cause].concat())
                } else {
                    return NO_CHANNEL.to_vec();
                }
            }
            b"sched_transfer" => Work::Api([b"uuid_transfer ", &rest(1)[..]].concat()),
            _ => Work::Api(rest(2)),
        };
        self.jobs_push(Job { at, group: second.clone(), work });
        b"+OK\n".to_vec()
    }

    /// The applications `sched_hangup` and `sched_transfer`: the commands without the uuid.
    pub(super) fn schedule(&mut self, app: &str, text: &[u8]) {
        let uuid = self.call.uuid.clone().into_bytes();
        let mut words = split(text, b' ', 4);
        words.insert(words.len().min(1), uuid);
        self.api_schedule(app.as_bytes(), &words, &words.join(&b' '));
    }

    /// The application `sched_cancel`: one at a time is all that a dialplan has here, so its number
    /// says nothing.
    pub(super) fn cancel_scheduled(&mut self) {
        let group = self.call.uuid.as_bytes();
        self.jobs.retain(|job| job.group != group);
    }

    pub(super) fn jobs_push(&mut self, job: Job) {
        if self.jobs.len() < MAX_JOBS {
            self.jobs.push(job);
        }
    }

    /// Does one thing that is due; false when nothing is.
    pub(super) fn run_job(&mut self) -> bool {
        let due = |job: &Job| job.at <= self.ms();
        let Some(at) = self.jobs.iter().position(due) else { return false };
        match self.jobs.remove(at).work {
            Work::Api(text) => {
                self.api(&text);
            }
            Work::Hangup(cause) => self.hang_up_from_outside(cause, false),
            Work::Result { uuid, command, output } => self.tell_result(&uuid, &command, &output),
        }
        true
    }

    fn tell_result(&mut self, uuid: &[u8], command: &[u8], output: &[u8]) {
        if self.keep_outcome(uuid, output) {
            return;
        }
        let owner = self.call.uuid.clone();
        let name = until(command, |b| b == b' ');
        let args = command.get(name.len() + 1..).unwrap_or_default();
        let mut extra =
            vec![("Job-UUID", uuid), ("Job-Owner-UUID", owner.as_bytes()), ("Job-Command", name)];
        if !args.is_empty() {
            extra.push(("Job-Command-Arg", args));
        }
        self.fire_with_body(Kind::BackgroundJob, &[], &extra, Some(output));
    }
}
