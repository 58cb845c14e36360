//! `play_and_get_digits` and `read` (switch_ivr_play_say.c, `switch_ivr_read` and
//! `switch_play_and_get_digits`; switch_ivr.c, `switch_ivr_collect_digits_count`).

use super::arguments::split;
use super::channel::Channel;
use super::events::Kind;
use super::execute::{Activity, End, Served};
use super::playback::Player;
use super::wire::atoi;

/// FreeSWITCH's digit buffer.
const MAX_DIGITS: u64 = 127;
/// Shorter time-outs are raised to this.
const SHORTEST_TIMEOUT_MS: u64 = 1_000;

/// What is asked for.
#[derive(Debug)]
struct Question {
    min: usize,
    max: usize,
    timeout: u64,
    digit_timeout: u64,
    terminators: Vec<u8>,
    prompt: Vec<u8>,
    bad_input: Vec<u8>,
    variable: Vec<u8>,
    pattern: Vec<u8>,
    transfer: Vec<u8>,
}

/// Digits that are being collected.
#[derive(Debug)]
pub(super) struct Collect {
    question: Question,
    /// `read`: one round, no pattern, no second try.
    once: bool,
    tries: i64,
    typed: Vec<u8>,
    terminator: Option<u8>,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Prompt(Player),
    Digits { until: u64 },
    BadInput(Player),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Success,
    Timeout,
    TooSmall,
    NoPrompt,
}

impl Collect {
    pub(super) const fn deadline(&self) -> Option<u64> {
        match &self.phase {
            Phase::Prompt(player) | Phase::BadInput(player) => player.until,
            Phase::Digits { until } => Some(*until),
        }
    }

    fn new(words: &[Vec<u8>], once: bool) -> Self {
        let text = |at: usize| words.get(at).cloned().unwrap_or_default();
        let number = |at: usize| u64::try_from(atoi(&text(at))).unwrap_or(0);
        // `read` has no tries, bad-input file and pattern between its arguments.
        let (timeout, terminators, prompt, variable, digit_timeout) =
            if once { (4, 5, 2, 3, 6) } else { (3, 4, 5, 7, 9) };
        let least = u64::from(once);
        let min = number(0).max(least).min(MAX_DIGITS);
        let max = number(1).max(min).min(MAX_DIGITS);
        let timeout = if words.len() > timeout { number(timeout) } else { SHORTEST_TIMEOUT_MS };
        let timeout = timeout.max(SHORTEST_TIMEOUT_MS);
        let digit_timeout = Some(number(digit_timeout)).filter(|t| *t > 0).unwrap_or(timeout);
        let terminators = Some(text(terminators)).filter(|t| !t.is_empty());
        let only_once = |at: usize| if once { Vec::new() } else { text(at) };
        Self {
            question: Question {
                min: usize::try_from(min).unwrap_or_default(),
                max: usize::try_from(max).unwrap_or_default(),
                timeout,
                digit_timeout,
                terminators: terminators.unwrap_or_else(|| b"#".to_vec()),
                prompt: text(prompt),
                bad_input: only_once(6),
                variable: text(variable),
                pattern: only_once(8),
                transfer: only_once(10),
            },
            once,
            tries: if once { 1 } else { atoi(&text(2)) },
            typed: Vec::new(),
            terminator: None,
            phase: Phase::Digits { until: 0 },
        }
    }
}

impl Channel {
    pub(super) fn begin_collect(&mut self, text: &[u8], once: bool) -> Activity {
        let words = split(text, b' ', 11);
        let mut collect = Collect::new(&words, once);
        if !collect.question.pattern.is_empty() && !collect.question.variable.is_empty() {
            self.vars.unset(&invalid_name(&collect));
        }
        match self.begin_try(&mut collect) {
            Served::Ends(_) => Activity::Done,
            _ => Activity::Collect(Box::new(collect)),
        }
    }

    /// Starts a try, and goes on through tries that end at once.
    fn begin_try(&mut self, collect: &mut Collect) -> Served {
        if is_out_of_tries(collect) {
            return self.give_up(collect);
        }
        self.vars.unset(b"read_result");
        self.vars.unset(&collect.question.variable);
        collect.typed.clear();
        collect.terminator = None;
        let prompt = &collect.question.prompt;
        if prompt.is_empty() || prompt.eq_ignore_ascii_case(b"silence") {
            return self.begin_digits(collect);
        }
        match self.open_player(&collect.question.prompt) {
            Ok(player) => {
                collect.phase = Phase::Prompt(player);
                Served::Again
            }
            Err(_) => self.judge(collect, Status::NoPrompt),
        }
    }

    fn begin_digits(&mut self, collect: &mut Collect) -> Served {
        let question = &collect.question;
        if collect.typed.len() >= question.max {
            return self.judge(collect, Status::Success);
        }
        let typed_terminator = collect.typed.iter().position(|d| question.terminators.contains(d));
        if let Some(at) = typed_terminator {
            collect.terminator = collect.typed.get(at).copied();
            collect.typed.truncate(at);
            return self.judge(collect, Status::Success);
        }
        let first = collect.typed.is_empty();
        let wait = if first { question.timeout } else { question.digit_timeout };
        collect.phase = Phase::Digits { until: self.ms() + wait };
        Served::Again
    }

    pub(super) fn serve_collect(&mut self, collect: &mut Collect) -> Served {
        match &mut collect.phase {
            Phase::Prompt(player) => {
                let typed = if self.digit_is_due() { self.read_digit() } else { None };
                if typed.is_some() || self.take_break() {
                    self.stop_player(player, true, true);
                } else if self.play_on(player) {
                    self.stop_player(player, false, false);
                } else {
                    return Served::Waits;
                }
                collect.typed.extend(typed.map(|digit| digit.byte()));
                self.begin_digits(collect)
            }
            Phase::Digits { until } => {
                let late = *until <= self.ms();
                if !late && self.digit_is_due() {
                    self.take_digits(collect)
                } else if late {
                    self.judge(collect, Status::Timeout)
                } else {
                    Served::Waits
                }
            }
            Phase::BadInput(player) => {
                if self.take_break() {
                    self.stop_player(player, true, true);
                } else if self.play_on(player) {
                    self.stop_player(player, false, false);
                } else {
                    return Served::Waits;
                }
                collect.tries -= 1;
                self.begin_try(collect)
            }
        }
    }

    fn take_digits(&mut self, collect: &mut Collect) -> Served {
        while let Some(digit) = self.read_digit() {
            if collect.question.terminators.contains(&digit.byte()) {
                collect.terminator = Some(digit.byte());
                return self.judge(collect, Status::Success);
            }
            collect.typed.push(digit.byte());
            if collect.typed.len() >= collect.question.max {
                return self.judge(collect, Status::Success);
            }
        }
        collect.phase = Phase::Digits { until: self.ms() + collect.question.digit_timeout };
        Served::Waits
    }

    /// What a round of reading came to.
    fn judge(&mut self, collect: &mut Collect, status: Status) -> Served {
        let question = &collect.question;
        let mut status = status;
        if status != Status::NoPrompt {
            if let Some(terminator) = collect.terminator {
                self.vars.set(&b"read_terminator_used"[..], vec![terminator]);
            } else if question.terminators.starts_with(b"=") {
                status = Status::TooSmall;
            }
            if question.min > collect.typed.len() {
                status = Status::TooSmall;
            }
            let result = match status {
                Status::Success => "success",
                Status::Timeout => "timeout",
                _ => "failure",
            };
            self.vars.set(&b"read_result"[..], result.as_bytes());
        }
        let only = (question.max == 1 && collect.typed.len() == 1).then(|| collect.typed[0]);
        if only.is_some_and(|digit| question.terminators.contains(&digit)) {
            collect.typed.clear();
        }
        if !collect.typed.is_empty() && !question.variable.is_empty() {
            self.vars.set(question.variable.clone(), collect.typed.clone());
        }
        if collect.once {
            return Served::Ends(End::Normal);
        }
        self.judge_try(collect, status)
    }

    fn judge_try(&mut self, collect: &mut Collect, status: Status) -> Served {
        let question = &collect.question;
        let enough = collect.typed.len() >= question.min;
        let success = status == Status::Success || (status == Status::Timeout && enough);
        let empty = collect.typed.is_empty();
        if question.min == 0 && empty && self.vars.get(b"read_terminator_used").is_some() {
            return Served::Ends(End::Normal);
        }
        if success && !empty {
            if matches_pattern(&question.pattern, &collect.typed) {
                return Served::Ends(End::Normal);
            }
            self.vars.unset(&question.variable);
            if !question.variable.is_empty() {
                self.vars.set(invalid_name(collect), collect.typed.clone());
            }
        }
        if let Ok(player) = self.open_player_quietly(&collect.question.bad_input) {
            collect.phase = Phase::BadInput(player);
            return Served::Again;
        }
        collect.tries -= 1;
        self.begin_try(collect)
    }

    fn open_player_quietly(&mut self, file: &[u8]) -> Result<Player, &'static str> {
        if file.is_empty() { Err("") } else { self.open_player(file) }
    }

    fn give_up(&mut self, collect: &Collect) -> Served {
        if !collect.question.transfer.is_empty() {
            let words = split(&collect.question.transfer, b' ', 3);
            self.transfer(&words, true);
        }
        Served::Ends(End::Normal)
    }

    pub(super) fn abandon_collect(&mut self, collect: &Collect) {
        if let Phase::Prompt(player) | Phase::BadInput(player) = &collect.phase {
            self.stop_player(player, true, false);
        }
        self.vars.set(&b"read_result"[..], &b"failure"[..]);
    }

    /// Takes a key from the caller: only now its event is fired, unless `sensitive_dtmf` is set
    /// (switch_channel.c, `switch_channel_dequeue_dtmf`).
    pub(super) fn read_digit(&mut self) -> Option<crate::base::digits::Digit> {
        let digit = self.digits.pop_front()?;
        self.digit_at = self.next_frame();
        if !self.vars.is_true("sensitive_dtmf") {
            let extra: [(&str, &[u8]); 3] = [
                ("DTMF-Digit", &[digit.byte()]),
                ("DTMF-Duration", b"2000"),
                ("DTMF-Source", b"RTP"),
            ];
            self.fire(Kind::Dtmf, &[], &extra);
        }
        Some(digit)
    }
}

const fn is_out_of_tries(collect: &Collect) -> bool {
    collect.tries <= 0
}

fn invalid_name(collect: &Collect) -> Vec<u8> {
    [&collect.question.variable[..], b"_invalid"].concat()
}

fn matches_pattern(pattern: &[u8], typed: &[u8]) -> bool {
    if pattern.is_empty() {
        return true;
    }
    let pattern = String::from_utf8_lossy(pattern);
    regex::bytes::Regex::new(&pattern).is_ok_and(|regex| regex.is_match(typed))
}
