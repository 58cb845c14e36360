//! What a box says about its step, in at most two lines. Secrets stay out: no accepted PINs, no
//! addresses' user names, no request bodies.

use crate::base::ids::VarName;
use crate::flow::expr::Expr;
use crate::flow::kind::dial::{Address, Dial, Strategy};
use crate::flow::kind::hours::Hours;
use crate::flow::kind::http::Http;
use crate::flow::kind::queue::Queue;
use crate::flow::kind::set::Set;
use crate::flow::kind::subflow::Subflow;
use crate::flow::prompt::Prompt;
use crate::flow::{Kind, Step};

/// Lines for a box; the drawing cuts them to its width.
pub(super) fn words(step: &Step) -> Vec<String> {
    let lines = match step {
        Step::Answer(answer) if answer.pause.ms() == 0 => vec![],
        Step::Answer(answer) => vec![format!("then a pause of {}", answer.pause)],
        Step::Ring(ring) => vec![format!("for {}", ring.duration)],
        Step::Reject(reject) => vec![written(&reject.reason)],
        Step::Play(play) if play.times > 1 => {
            vec![prompts(&play.prompts), format!("{} times", play.times)]
        }
        Step::Play(play) => vec![prompts(&play.prompts)],
        Step::Menu(menu) => vec![prompts(&menu.prompts), into(menu.into.as_ref())],
        Step::Gather(gather) => {
            let count = match (gather.min, gather.max) {
                (1, 1) => "1 digit".to_owned(),
                (min, max) if min == max => format!("{max} digits"),
                (min, max) => format!("{min}–{max} digits"),
            };
            let secret = if gather.secret { ", secret" } else { "" };
            vec![prompts(&gather.prompts), format!("{count} into {}{secret}", gather.into)]
        }
        Step::Set(set) => variables(set),
        Step::Branch(branch) if branch.cases.len() == 1 => {
            vec![format!("if {}", branch.cases[0].condition.source())]
        }
        Step::Branch(branch) => vec![format!("first that holds of {}", branch.cases.len())],
        Step::Hours(hours) => opening(hours),
        Step::Http(http) => request(http),
        Step::Dial(dial) => targets(dial),
        Step::Queue(queue) => line_of(queue),
        Step::Dtmf(dtmf) => vec![dtmf.digits.source().to_owned()],
        Step::Transfer(transfer) => {
            let context = transfer.context.as_deref().map(|context| format!("in {context}"));
            vec![transfer.extension.source().to_owned(), context.unwrap_or_default()]
        }
        Step::Conference(conference) => {
            let role = conference.role.map(|role| format!("as {role}"));
            vec![format!("room {}", conference.room.source()), role.unwrap_or_default()]
        }
        Step::Message(message) => {
            vec![prompts(&message.prompts), format!("up to {}", message.max_length)]
        }
        Step::Record(record) => {
            vec![record.action.name().to_owned(), prompts(&record.prompts)]
        }
        Step::Hold(hold) => {
            vec![hold.duration.map(|length| format!("for {length}")).unwrap_or_default()]
        }
        Step::Park(park) => {
            let slot = park.slot.as_ref().map(|slot| format!("slot {}", slot.source()));
            let timeout = park.timeout.map(|timeout| format!("up to {timeout}"));
            vec![slot.unwrap_or_default(), timeout.unwrap_or_default()]
        }
        Step::Retrieve(retrieve) => vec![format!("slot {}", retrieve.slot.source())],
        Step::Flow(flow) => called(flow),
        Step::Return(back) => back.value.iter().map(|value| value.source().to_owned()).collect(),
        Step::Hangup(hangup) => vec![hangup.cause.name().to_owned()],
    };
    lines.into_iter().filter(|line| !line.is_empty()).collect()
}

/// Whether the flow, or its part of the call, ends with a step of this kind.
pub(super) const fn ends(kind: Kind) -> bool {
    matches!(kind, Kind::Hangup | Kind::Reject | Kind::Transfer | Kind::Return)
}

fn into(variable: Option<&VarName>) -> String {
    variable.map(|variable| format!("into {variable}")).unwrap_or_default()
}

/// An enumeration's variant as an author writes it, in words.
fn written(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().replace('_', " ")
}

fn prompts(prompts: &[Prompt]) -> String {
    let names = prompts.iter().map(|prompt| match prompt {
        Prompt::Named(name) => name.to_string(),
        Prompt::Tone(_) => "tone".to_owned(),
        Prompt::Silence(silence) => format!("silence {}", silence.silence),
        Prompt::Say(say) => format!("say {}", say.say.source()),
        Prompt::Speak(speak) => format!("“{}”", speak.speak.source()),
    });
    names.collect::<Vec<_>>().join(", ")
}

fn variables(set: &Set) -> Vec<String> {
    let line = |(name, value): (_, &Expr)| format!("{name} = {}", value.source());
    let mut lines: Vec<String> = set.variables.iter().map(line).collect();
    if lines.len() > 2 {
        let more = lines.len() - 1;
        lines.truncate(1);
        lines.push(format!("and {more} more"));
    }
    lines
}

/// Days with the same hours stand together: `mon–fri 09:00-17:00`.
fn opening(hours: &Hours) -> Vec<String> {
    if let Some(name) = &hours.schedule {
        return vec![format!("schedule {name}")];
    }
    let week = &hours.weekly;
    let days = [
        ("mon", &week.mon),
        ("tue", &week.tue),
        ("wed", &week.wed),
        ("thu", &week.thu),
        ("fri", &week.fri),
        ("sat", &week.sat),
        ("sun", &week.sun),
    ];
    let mut parts = Vec::new();
    for same in days.chunk_by(|(_, one), (_, other)| one == other) {
        let (Some((first, spans)), Some((last, _))) = (same.first(), same.last()) else { continue };
        if spans.is_empty() {
            continue;
        }
        let spans = spans.join(", ").replace("00:00-24:00", "all day");
        match same.len() {
            1 => parts.push(format!("{first} {spans}")),
            7 => parts.push(format!("every day {spans}").replace("every day all day", "always")),
            _ => parts.push(format!("{first}–{last} {spans}")),
        }
    }
    if parts.is_empty() {
        parts.push("closed all week".to_owned());
    }
    let special = hours.holidays.len() + hours.exceptions.len();
    let special = match special {
        0 => String::new(),
        1 => "1 special day".to_owned(),
        days => format!("{days} special days"),
    };
    match (parts.len(), special.is_empty()) {
        (1, _) | (_, false) => vec![parts.join(", "), special],
        _ => vec![parts.remove(0), parts.join(", ")],
    }
}

fn request(http: &Http) -> Vec<String> {
    let url = http.url.source();
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = host.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let names = http.into.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let into = if names.is_empty() { names } else { format!("into {names}") };
    vec![format!("{} {host}", written(&http.method)), into]
}

fn targets(dial: &Dial) -> Vec<String> {
    let target = |address: &Address| match address {
        Address::Extension { extension } => extension.source().to_owned(),
        Address::Number { number, gateway: Some(gateway) } => {
            format!("{} via {gateway}", number.source())
        }
        Address::Number { number, gateway: None } => number.source().to_owned(),
        Address::Sip { sip } => sip.source().to_owned(),
    };
    let all = dial.targets.iter().map(|one| target(&one.to)).collect::<Vec<_>>().join(", ");
    let how = match dial.strategy {
        _ if dial.targets.len() < 2 => format!("rings {}", dial.timeout),
        Strategy::All => format!("all at once, {}", dial.timeout),
        Strategy::InTurn => format!("in turn, {} each", dial.timeout),
        Strategy::Rollover => format!("past busy ones, {} each", dial.timeout),
    };
    vec![all, how]
}

fn line_of(queue: &Queue) -> Vec<String> {
    let all = queue.dial.targets.iter().map(|target| target.template().source());
    let order = written(&queue.order);
    vec![
        format!("line {}", queue.queue),
        format!("{}: {order}", all.collect::<Vec<_>>().join(", ")),
    ]
}

fn called(flow: &Subflow) -> Vec<String> {
    let arguments = flow.arguments.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    vec![format!("{}({arguments})", flow.flow), into(flow.into.as_ref())]
}
