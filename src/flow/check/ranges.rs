//! Numbers, times and lists within their bounds.

use std::fmt::Display;

use super::{Found, place};
use crate::base::cause::HangupCause;
use crate::base::digits::{Digits, Keying};
use crate::base::ids::StepName;
use crate::base::millis::Millis;
use crate::base::slot::Slot;
use crate::flow::expr::Template;
use crate::flow::keys::{INPUT_MAX, Language};
use crate::flow::kind::dial::Dial;
use crate::flow::kind::dtmf::Dtmf;
use crate::flow::kind::gather::{Gather, Keys};
use crate::flow::kind::hold::Hold;
use crate::flow::kind::http::Http;
use crate::flow::kind::menu::Menu;
use crate::flow::kind::message::Message;
use crate::flow::kind::park::Park;
use crate::flow::kind::queue::Queue;
use crate::flow::kind::record::{Record, RecordAction};
use crate::flow::prompt::Prompt;
use crate::flow::{Flow, Limits, Step};

/// Most prompts in one list.
const PROMPTS_MAX: usize = 50;
/// Most choices of a menu, exclusions of its direct dial and inputs that a gather accepts.
const CHOICES_MAX: usize = 200;
/// Most cases of a branch.
const CASES_MAX: usize = 50;
/// Most targets of a dial.
const TARGETS_MAX: usize = 20;
/// Longest wait for a key, and for a target to answer.
const WAIT_MAX: Millis = Millis::seconds(300);
/// Longest time in which a queue leaves a target alone, or tells nothing.
const REST_MAX: Millis = Millis::seconds(3_600);
/// Shortest time between two announcements.
const ANNOUNCE_LEAST: Millis = Millis::seconds(5);
/// Most callers of a queue.
const CALLERS_MAX: u32 = 1_000;
/// Longest message that a caller leaves.
const MESSAGE_MAX: Millis = Millis::seconds(3_600);
/// Longest wait for the answer to an http request.
const HTTP_TIMEOUT_MAX: Millis = Millis::seconds(30);
const HTTP_RETRIES_MAX: u8 = 5;
const HTTP_BYTES_MAX: u32 = 1 << 20;
/// Most times that a list or tone is played.
const TIMES_MAX: u8 = 100;
/// Most tries of any kind.
const TRIES_MAX: u8 = 20;
/// Frequencies that a telephone carries, in Hz.
const TONE_HZ: (u16, u16) = (20, 4_000);
const SHORTEST: Millis = Millis(100);
/// How long a sent key sounds: FreeSWITCH knows no shorter one (`switch_types.h`
/// SWITCH_MIN_DTMF_DURATION).
const KEY_LENGTH: (Millis, Millis) = (Millis(50), Millis(5_000));

pub(super) fn check(flow: &Flow, found: &mut Found) {
    limits(&flow.limits, found);
    for (name, step) in &flow.steps {
        let mut at = At { step: name, found };
        for (path, list) in step.prompt_lists() {
            at.most(&path, list.len(), PROMPTS_MAX);
        }
        for (path, prompt) in step.prompts() {
            at.prompt(&path, prompt);
        }
        match step {
            Step::Play(play) => {
                at.filled("prompts", play.prompts.len());
                at.range("times", play.times, 1, TIMES_MAX);
            }
            Step::Menu(menu) => at.menu(menu),
            Step::Gather(gather) => at.gather(gather),
            Step::Conference(conference) => at.keys(&conference.keys),
            Step::Branch(branch) => {
                at.filled("cases", branch.cases.len());
                at.most("cases", branch.cases.len(), CASES_MAX);
            }
            Step::Set(set) => at.filled("variables", set.variables.len()),
            Step::Http(http) => at.http(http),
            Step::Dial(dial) => at.dial(dial),
            Step::Dtmf(dtmf) => at.dtmf(dtmf),
            Step::Queue(queue) => at.queue(queue),
            Step::Message(message) => at.message(message),
            Step::Record(record) => at.record(record),
            Step::Hold(hold) => at.hold(hold),
            Step::Park(park) => at.park(park),
            Step::Retrieve(retrieve) => at.slot(Some(&retrieve.slot)),
            Step::Answer(answer) => at.range("pause", answer.pause, Millis(0), WAIT_MAX),
            Step::Ring(ring) => at.range("duration", ring.duration, Millis(0), WAIT_MAX),
            Step::Hangup(hangup) if hangup.cause == HangupCause::Other => {
                let path = place(name, "cause");
                at.found.error(
                    path,
                    "unknown-cause",
                    "FreeSWITCH has no hang-up cause of this name",
                );
                at.found.hint("such as `NORMAL_CLEARING` or `USER_BUSY`".to_owned());
            }
            _ => {}
        }
    }
}

fn limits(limits: &Limits, found: &mut Found) {
    let ceiling = Limits::CEILING;
    let mut look = |name: &str, fits: (bool, bool), most: String| {
        let path = format!("limits.{name}");
        match fits {
            (false, _) => found.error(path, "out-of-range", "a limit is at least 1"),
            (_, false) => {
                let message = format!("no flow may raise this limit above {most}");
                found.error(path, "limit-above-ceiling", message);
            }
            _ => {}
        }
    };
    for (name, value, most) in [
        ("steps", limits.steps, ceiling.steps),
        ("silent_steps", limits.silent_steps, ceiling.silent_steps),
        ("legs", limits.legs, ceiling.legs),
        ("depth", limits.depth, ceiling.depth),
    ] {
        look(name, (value >= 1, value <= most), most.to_string());
    }
    let duration = limits.duration;
    let most = ceiling.duration;
    look("duration", (duration.ms() >= 1, duration <= most), most.to_string());
}

/// The step that is looked at.
struct At<'a> {
    step: &'a StepName,
    found: &'a mut Found,
}

impl At<'_> {
    fn range<T: PartialOrd + Display>(&mut self, path: &str, value: T, least: T, most: T) {
        if value < least || value > most {
            let message = format!("this is from {least} to {most}, not {value}");
            self.found.error(place(self.step, path), "out-of-range", message);
        }
    }

    fn most(&mut self, path: &str, count: usize, most: usize) {
        if count > most {
            let message = format!("at most {most} can stand here, not {count}");
            self.found.error(place(self.step, path), "too-many", message);
        }
    }

    fn filled(&mut self, path: &str, count: usize) {
        if count == 0 {
            let message = "at least one must stand here";
            self.found.error(place(self.step, path), "empty-list", message);
        }
    }

    fn key(&mut self, path: &str, key: &Digits) {
        if key.len() != 1 {
            let message = "this is one key: 0-9, *, # or A-D";
            self.found.error(place(self.step, path), "out-of-range", message);
        }
    }

    fn prompt(&mut self, path: &str, prompt: &Prompt) {
        match prompt {
            Prompt::Tone(tone) => {
                self.range(&format!("{path}.tone"), tone.tone.len(), 1, 4);
                for (at, hz) in tone.tone.iter().enumerate() {
                    self.range(&format!("{path}.tone.{at}"), *hz, TONE_HZ.0, TONE_HZ.1);
                }
                self.range(&format!("{path}.on"), tone.on, Millis(1), WAIT_MAX);
                self.range(&format!("{path}.off"), tone.off, Millis(0), WAIT_MAX);
                self.range(&format!("{path}.times"), tone.times, 1, TIMES_MAX);
            }
            Prompt::Silence(silence) => {
                self.range(&format!("{path}.silence"), silence.silence, Millis(1), WAIT_MAX);
            }
            Prompt::Named(_) | Prompt::Say(_) | Prompt::Speak(_) => {}
        }
    }

    fn keys(&mut self, keys: &Keys) {
        self.range("keys.first_key", keys.first_key, SHORTEST, WAIT_MAX);
        self.range("keys.next_key", keys.next_key, SHORTEST, WAIT_MAX);
        self.range("keys.max_no_input", keys.max_no_input, 1, TRIES_MAX);
        self.range("keys.max_invalid", keys.max_invalid, 1, TRIES_MAX);
        self.range("keys.max_failures", keys.max_failures, 1, TRIES_MAX);
    }

    fn menu(&mut self, menu: &Menu) {
        self.keys(&menu.keys);
        self.most("choices", menu.choices.len(), CHOICES_MAX);
        if let Some(direct) = &menu.direct_dial {
            self.most("direct_dial.exclude", direct.exclude.len(), CHOICES_MAX);
            self.lengths("direct_dial.", direct.min, direct.max);
        }
    }

    fn lengths(&mut self, path: &str, min: u8, max: u8) {
        let most = u8::try_from(INPUT_MAX).unwrap_or(u8::MAX);
        self.range(&format!("{path}max"), max, 1, most);
        self.range(&format!("{path}min"), min, 1, max.max(1));
    }

    fn gather(&mut self, gather: &Gather) {
        self.keys(&gather.keys);
        self.lengths("", gather.min, gather.max);
        self.most("accept", gather.accept.len(), CHOICES_MAX);
        if let Some(confirm) = &gather.confirm {
            self.key("confirm.accept", &confirm.accept);
            self.range("confirm.attempts", confirm.attempts, 1, TRIES_MAX);
        }
        let Some(pattern) = &gather.pattern else { return };
        let path = place(self.step, "pattern");
        match (Language::pattern(pattern), gather.prepared()) {
            (Err(error), _) => self.found.error(path, "bad-pattern", error.to_string()),
            (Ok(_), Some(keys)) if keys.is_impossible() => {
                let message = "no input of this length, without terminators, matches the pattern";
                self.found.error(path, "choice-never-matches", message);
            }
            _ => {}
        }
    }

    fn http(&mut self, http: &Http) {
        self.range("timeout", http.timeout, SHORTEST, HTTP_TIMEOUT_MAX);
        self.range("retries", http.retries, 0, HTTP_RETRIES_MAX);
        self.range("max_bytes", http.max_bytes, 1, HTTP_BYTES_MAX);
    }

    fn dial(&mut self, dial: &Dial) {
        self.rings(dial);
        if let Some(key) = &dial.cancel_key {
            self.key("cancel_key", key);
        }
    }

    fn rings(&mut self, dial: &Dial) {
        self.filled("targets", dial.targets.len());
        self.most("targets", dial.targets.len(), TARGETS_MAX);
        self.range("timeout", dial.timeout, Millis::seconds(1), WAIT_MAX);
        for (at, target) in dial.targets.iter().enumerate() {
            self.range(&format!("targets.{at}.delay"), target.delay, Millis(0), WAIT_MAX);
            if let Some(timeout) = target.timeout {
                let path = format!("targets.{at}.timeout");
                self.range(&path, timeout, Millis::seconds(1), WAIT_MAX);
            }
        }
        if let Some(limit) = dial.time_limit {
            self.range("time_limit", limit, Millis::seconds(1), Limits::CEILING.duration);
        }
        if let Some(accept) = &dial.accept {
            self.key("accept.key", &accept.key);
            self.range("accept.timeout", accept.timeout, Millis::seconds(1), WAIT_MAX);
        }
    }

    fn hold(&mut self, hold: &Hold) {
        if let Some(duration) = hold.duration {
            self.range("duration", duration, SHORTEST, Limits::CEILING.duration);
        }
        if let Some(key) = &hold.cancel_key {
            self.key("cancel_key", key);
        }
    }

    fn park(&mut self, park: &Park) {
        if let Some(timeout) = park.timeout {
            self.range("timeout", timeout, Millis::seconds(1), Limits::CEILING.duration);
        }
        self.slot(park.slot.as_ref());
    }

    /// What holds expressions is looked at when a call comes there.
    fn slot(&mut self, slot: Option<&Template>) {
        let literal = slot.and_then(Template::literal);
        if let Some(Err(error)) = literal.map(str::parse::<Slot>) {
            self.found.error(place(self.step, "slot"), "bad-slot", error.to_string());
        }
    }

    fn queue(&mut self, queue: &Queue) {
        self.rings(&queue.dial);
        for (at, target) in queue.dial.targets.iter().enumerate() {
            if target.delay.ms() > 0 {
                let message = "the targets of a queue ring one at a time, without a delay";
                let path = place(self.step, &format!("targets.{at}.delay"));
                self.found.error(path, "no-delay", message);
            }
        }
        if let Some(key) = &queue.dial.cancel_key {
            self.key("exit_key", key);
        }
        self.range("retry", queue.retry, Millis::seconds(1), REST_MAX);
        self.range("wrap_up", queue.wrap_up, Millis(0), REST_MAX);
        if let Some(wait) = queue.max_wait {
            self.range("max_wait", wait, Millis::seconds(1), Limits::CEILING.duration);
        }
        if let Some(callers) = queue.max_callers {
            self.range("max_callers", callers, 1, CALLERS_MAX);
        }
        self.range("announce.every", queue.announce.every, ANNOUNCE_LEAST, REST_MAX);
    }

    fn dtmf(&mut self, dtmf: &Dtmf) {
        self.range("length", dtmf.length, KEY_LENGTH.0, KEY_LENGTH.1);
        // What holds expressions is looked at when it is sent.
        if let Some(Err(error)) = dtmf.digits.literal().map(str::parse::<Keying>) {
            self.found.error(place(self.step, "digits"), "bad-keys", error.to_string());
        }
    }

    fn message(&mut self, message: &Message) {
        self.range("max_length", message.max_length, Millis::seconds(1), MESSAGE_MAX);
        self.range("min_length", message.min_length, Millis(0), message.max_length);
        self.range("silence", message.silence, Millis(0), WAIT_MAX);
        if let Some(review) = &message.review {
            self.key("review.keep", &review.keep);
            self.key("review.again", &review.again);
            self.range("review.timeout", review.timeout, SHORTEST, WAIT_MAX);
            self.range("review.attempts", review.attempts, 1, TRIES_MAX);
        }
    }

    fn record(&mut self, record: &Record) {
        let most = Limits::CEILING.duration;
        if let Some(max_length) = record.max_length {
            self.range("max_length", max_length, Millis::seconds(1), most);
        }
        if let Some(min_length) = record.min_length {
            let longest = record.max_length.unwrap_or(most);
            self.range("min_length", min_length, Millis(0), longest);
        }
        let Record { prompts, beep, stereo, max_length, min_length, .. } = record;
        let given = [
            ("prompts", !prompts.is_empty()),
            ("beep", beep.is_some()),
            ("stereo", stereo.is_some()),
            ("max_length", max_length.is_some()),
            ("min_length", min_length.is_some()),
        ];
        for (key, _) in given.iter().filter(|(_, given)| *given) {
            if record.action != RecordAction::Start {
                let message = format!("`{}` takes no `{key}`", record.action.name());
                self.found.error(place(self.step, key), "not-for-this-action", message);
            }
        }
    }
}
