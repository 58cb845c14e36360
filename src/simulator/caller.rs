//! Plays a caller's script against a call: acts when it is time, and judges by the call's log.

use std::fmt;
use std::sync::Arc;

use super::channel::Channel;
use super::observed::Observed;
use super::script::{Expect, Script, Step};
use crate::base::cause::HangupCause;
use crate::base::millis::Millis;
use crate::base::now::Now;

/// Between one key and the next.
const KEY_MS: u64 = 200;
/// What a failure tells of what was heard.
const MAX_TOLD: usize = 8;

/// How a script came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    Failed(Failure),
}

/// What was expected and did not happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Place in `steps`, from 0.
    pub step: usize,
    /// Milliseconds after the caller began.
    pub after: Millis,
    pub expected: String,
    pub instead: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, after, expected, instead } = self;
        write!(f, "steps[{step}], after {after}: expected {expected}; instead {instead}")
    }
}

/// A caller in the middle of its script.
#[derive(Debug)]
pub struct Caller {
    script: Arc<Script>,
    began: u64,
    at: usize,
    since: u64,
    pressed: usize,
    /// Sounds before this place of the log have been waited for.
    heard: usize,
    entered: Vec<String>,
    keys: usize,
    verdict: Option<Verdict>,
}

/// What one step of a script says at this moment.
enum Outcome {
    Done,
    NotYet,
    Never,
}

impl Caller {
    pub fn new(script: Arc<Script>, now: Now) -> Self {
        Self {
            script,
            began: now.mono_ms,
            at: 0,
            since: now.mono_ms,
            pressed: 0,
            heard: 0,
            entered: Vec::new(),
            keys: 0,
            verdict: None,
        }
    }

    /// The flow entered a step: scripts can expect that where somebody tells it.
    pub fn entered_step(&mut self, name: &str) {
        self.entered.push(name.to_owned());
    }

    /// How many keys it has pressed.
    pub const fn keys(&self) -> usize {
        self.keys
    }

    /// `None` while the script is running.
    pub const fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }

    /// When `act` has something to do even if nothing happens on the call.
    pub fn deadline(&self) -> Option<u64> {
        if self.verdict.is_some() {
            return None;
        }
        Some(match self.script.steps.get(self.at) {
            Some(Step::Wait(time)) => self.since + time.ms(),
            Some(Step::Press(_)) => self.since + KEY_MS * self.pressed as u64,
            _ => self.since + self.script.patience().ms(),
        })
    }

    /// Does what is due; to be called after everything that happened on the call.
    pub fn act(&mut self, channel: &mut Channel, now: Now) {
        while self.verdict.is_none() {
            let script = Arc::clone(&self.script);
            let Some(step) = script.steps.get(self.at) else { return self.stay(channel, now) };
            match self.try_step(step, channel, now) {
                Outcome::Done => {
                    self.at += 1;
                    self.since = now.mono_ms;
                    self.pressed = 0;
                }
                Outcome::NotYet => return,
                Outcome::Never => self.fail(step, channel, now),
            }
        }
    }

    /// After its last step the caller stays until the call ends or its patience does.
    fn stay(&mut self, channel: &mut Channel, now: Now) {
        if is_over(channel) {
            self.verdict = Some(Verdict::Passed);
        } else if now.mono_ms >= self.since + self.script.patience().ms() {
            hang_up(channel, now);
            self.verdict = Some(Verdict::Passed);
        }
    }

    fn try_step(&mut self, step: &Step, channel: &mut Channel, now: Now) -> Outcome {
        match step {
            Step::Hear(prompt) => {
                let moments = channel.log().moments().iter().enumerate().skip(self.heard);
                let found = moments.into_iter().find(|(_, moment)| {
                    matches!(&moment.what, Observed::Heard { item, .. } if is_prompt(item, prompt))
                });
                match found {
                    Some((at, _)) => {
                        self.heard = at + 1;
                        Outcome::Done
                    }
                    None => self.waits(channel, now),
                }
            }
            Step::Press(keys) => {
                let keys: Vec<_> = keys.iter().collect();
                while let Some(key) = keys.get(self.pressed) {
                    if now.mono_ms < self.since + KEY_MS * self.pressed as u64 {
                        return Outcome::NotYet;
                    }
                    channel.press(*key, now);
                    self.pressed += 1;
                    self.keys += 1;
                }
                Outcome::Done
            }
            Step::Wait(time) if now.mono_ms < self.since + time.ms() => Outcome::NotYet,
            Step::Wait(_) => Outcome::Done,
            Step::Talk(time) => {
                channel.talk(time.ms(), now);
                Outcome::Done
            }
            Step::Expect(expect) if self.is_met(expect, channel) => Outcome::Done,
            Step::Expect(_) => self.waits(channel, now),
            Step::Hangup => {
                hang_up(channel, now);
                Outcome::Done
            }
        }
    }

    fn waits(&self, channel: &Channel, now: Now) -> Outcome {
        let late = now.mono_ms >= self.since + self.script.patience().ms();
        if late || is_over(channel) { Outcome::Never } else { Outcome::NotYet }
    }

    fn is_met(&self, expect: &Expect, channel: &Channel) -> bool {
        let any = |test: &dyn Fn(&Observed) -> bool| {
            channel.log().moments().iter().any(|moment| test(&moment.what))
        };
        let step = expect.step.as_ref().is_none_or(|step| self.entered.contains(step));
        let answered = expect
            .answered
            .is_none_or(|wanted| any(&|what| matches!(what, Observed::Answered)) == wanted);
        let bridged = expect.bridged.as_ref().is_none_or(|wanted| {
            any(&|what| matches!(what, Observed::Bridged { target } if target == wanted))
        });
        let transferred = expect.transferred.as_ref().is_none_or(|wanted| {
            any(&|what| {
                matches!(what, Observed::Transferred { extension, .. } if extension == wanted)
            })
        });
        let released = expect
            .released
            .is_none_or(|wanted| any(&|what| matches!(what, Observed::Released)) == wanted);
        let recorded = expect
            .recorded
            .is_none_or(|wanted| any(&|what| matches!(what, Observed::Recorded { .. })) == wanted);
        let ended = expect.ended.as_ref().is_none_or(|end| {
            any(&|what| {
                matches!(what, Observed::HungUp { cause, .. }
                    if end.cause.is_none_or(|wanted| wanted == *cause))
            })
        });
        let variables = expect.variables.iter();
        let mut variables = variables.map(|(n, v)| channel.variable(n) == Some(v.as_bytes()));
        step && answered
            && bridged
            && transferred
            && released
            && recorded
            && ended
            && variables.all(|met| met)
    }

    fn fail(&mut self, step: &Step, channel: &Channel, now: Now) {
        let expected = match step {
            Step::Hear(prompt) => format!("to hear `{prompt}`"),
            Step::Expect(expect) => describe(expect),
            _ => "the call to go on".to_owned(),
        };
        self.verdict = Some(Verdict::Failed(Failure {
            step: self.at,
            after: Millis(now.mono_ms - self.began),
            expected,
            instead: self.tell(channel),
        }));
    }

    fn tell(&self, channel: &Channel) -> String {
        let moments = channel.log().moments();
        let sounds = moments.iter().filter_map(|moment| match &moment.what {
            Observed::Heard { item, .. } => Some(format!("`{item}`")),
            Observed::Missing { item } => Some(format!("nothing for `{item}`")),
            Observed::Bridged { target } => Some(format!("{target} answering")),
            _ => None,
        });
        let sounds: Vec<_> = sounds.collect();
        let last = sounds.len().saturating_sub(MAX_TOLD);
        let mut told = if sounds.is_empty() {
            "the caller heard nothing".to_owned()
        } else {
            format!("the caller heard {}", sounds[last..].join(", "))
        };
        if let Some(step) = self.entered.last() {
            told.push_str(&format!(", the flow was in step `{step}`"));
        }
        if let Some(Observed::HungUp { cause, .. }) =
            moments.iter().rev().map(|m| &m.what).find(ended)
        {
            told.push_str(&format!(", and the call ended: {cause}"));
        }
        told
    }
}

fn ended(what: &&Observed) -> bool {
    matches!(what, Observed::HungUp { .. })
}

fn is_over(channel: &Channel) -> bool {
    channel.log().moments().iter().any(|moment| ended(&&moment.what))
}

fn hang_up(channel: &mut Channel, now: Now) {
    let answered = channel.log().moments().iter().any(|m| matches!(m.what, Observed::Answered));
    let cause = if answered { HangupCause::NormalClearing } else { HangupCause::OriginatorCancel };
    channel.hang_up(cause, now);
}

/// A prompt is meant by its name, by the end of its path, or by a part of it.
fn is_prompt(item: &str, wanted: &str) -> bool {
    item.contains(wanted)
}

fn describe(expect: &Expect) -> String {
    let Expect { step, answered, bridged, transferred, released, recorded, ended, variables } =
        expect;
    let flag = |name: &str, value: &Option<bool>| value.map(|v| format!("{name}: {v}"));
    let text = |name: &str, value: &Option<String>| value.as_ref().map(|v| format!("{name}: {v}"));
    let cause = |end: &super::script::ExpectEnd| match end.cause {
        Some(cause) => format!("ended: {cause}"),
        None => "the call to end".to_owned(),
    };
    let parts = [
        text("step", step),
        flag("answered", answered),
        text("bridged", bridged),
        text("transferred", transferred),
        flag("released", released),
        flag("recorded", recorded),
        ended.as_ref().map(cause),
    ];
    let variables = variables.iter().map(|(name, value)| format!("{name} = {value}"));
    parts.into_iter().flatten().chain(variables).collect::<Vec<_>>().join(", ")
}
