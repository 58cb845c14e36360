//! All that a step refers to, each with the place where it is written.

use super::expr::{Expr, Template};
use super::kind::Step;
use super::kind::dial::{Address, Dial, Ringback};
use super::kind::gather::Keys;
use super::prompt::Prompt;
use crate::base::ids::{PromptName, VarName};

/// An expression or template of a step.
#[derive(Debug, Clone, Copy)]
pub enum Text<'a> {
    Expr(&'a Expr),
    Template(&'a Template),
}

impl<'a> Text<'a> {
    pub fn variables(self) -> Vec<&'a str> {
        match self {
            Self::Expr(expr) => expr.variables(),
            Self::Template(template) => template.variables(),
        }
    }
}

/// Where a text ends up, as far as secrets are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It stays in the call, or goes where a secret may go.
    Inside,
    /// It is heard by the caller.
    Heard,
    /// It stands in an address, a number or a name that others see and log.
    Shown,
}

/// One text and its place within the step.
#[derive(Debug, Clone)]
pub struct Place<'a> {
    pub path: String,
    pub text: Text<'a>,
    pub purpose: Use,
}

impl Step {
    /// Every list of prompts, by its key.
    pub fn prompt_lists(&self) -> Vec<(String, &[Prompt])> {
        let mut lists: Vec<(String, &[Prompt])> = Vec::new();
        let mut add = |path: &str, list| lists.push((path.to_owned(), list));
        let keyed = |keys| -> [(&str, &[Prompt]); 2] {
            let Keys { no_input_prompts, invalid_prompts, .. }: &Keys = keys;
            [("keys.no_input_prompts", no_input_prompts), ("keys.invalid_prompts", invalid_prompts)]
        };
        match self {
            Self::Play(play) => add("prompts", play.prompts.as_slice()),
            Self::Record(record) => add("prompts", record.prompts.as_slice()),
            Self::Menu(menu) => {
                add("prompts", &menu.prompts);
                add("repeat_prompts", &menu.repeat_prompts);
                keyed(&menu.keys).into_iter().for_each(|(path, list)| add(path, list));
            }
            Self::Gather(gather) => {
                add("prompts", &gather.prompts);
                add("repeat_prompts", &gather.repeat_prompts);
                keyed(&gather.keys).into_iter().for_each(|(path, list)| add(path, list));
                if let Some(confirm) = &gather.confirm {
                    add("confirm.prompts", &confirm.prompts);
                }
            }
            Self::Conference(conference) => {
                add("prompts", &conference.prompts);
                add("name_prompts", &conference.name_prompts);
                keyed(&conference.keys).into_iter().for_each(|(path, list)| add(path, list));
            }
            Self::Http(http) => add("waiting_prompts", &http.waiting_prompts),
            Self::Queue(queue) => {
                add("announce.position", &queue.announce.position);
                add("announce.wait", &queue.announce.wait);
            }
            Self::Message(message) => {
                add("prompts", &message.prompts);
                if let Some(review) = &message.review {
                    add("review.prompts", &review.prompts);
                }
            }
            _ => {}
        }
        lists
    }

    /// Every prompt, with its place.
    pub fn prompts(&self) -> Vec<(String, &Prompt)> {
        let mut all: Vec<(String, &Prompt)> = Vec::new();
        for (path, list) in self.prompt_lists() {
            all.extend(
                list.iter().enumerate().map(|(at, prompt)| (format!("{path}.{at}"), prompt)),
            );
        }
        all
    }

    /// Every name of a stored prompt, with its place.
    pub fn prompt_names(&self) -> Vec<(String, &PromptName)> {
        let mut names: Vec<(String, &PromptName)> = Vec::new();
        for (path, prompt) in self.prompts() {
            if let Prompt::Named(name) = prompt {
                names.push((path, name));
            }
        }
        if let Self::Hold(hold) = self {
            names.extend(hold.music.iter().map(|name| ("music".into(), name)));
        }
        let music = if matches!(self, Self::Queue(_)) { "music" } else { "ringback.prompt" };
        if let Some(dial) = self.dial() {
            if let Ringback::Prompt(name) = &dial.ringback {
                names.push((music.into(), name));
            }
            if let Some(accept) = &dial.accept {
                names.push(("accept.prompt".into(), &accept.prompt));
            }
        }
        names
    }

    /// How it dials, where it is a kind that does.
    pub fn dial(&self) -> Option<&Dial> {
        match self {
            Self::Dial(dial) => Some(dial),
            Self::Queue(queue) => Some(&queue.dial),
            _ => None,
        }
    }

    /// Every expression and template, with its place and use.
    pub fn texts(&self) -> Vec<Place<'_>> {
        let mut places = Vec::new();
        for (path, prompt) in self.prompts() {
            let (key, text) = match prompt {
                Prompt::Say(say) => ("say", &say.say),
                Prompt::Speak(speak) => ("speak", &speak.speak),
                Prompt::Named(_) | Prompt::Tone(_) | Prompt::Silence(_) => continue,
            };
            let path = format!("{path}.{key}");
            places.push(Place { path, text: Text::Template(text), purpose: Use::Heard });
        }
        self.own_texts(&mut places);
        places
    }

    fn own_texts<'a>(&'a self, places: &mut Vec<Place<'a>>) {
        if let Some(dial) = self.dial() {
            dial_texts(dial, places);
        }
        let mut add = |path: String, text, purpose| places.push(Place { path, text, purpose });
        match self {
            Self::Set(set) => {
                for (name, expr) in &set.variables {
                    add(format!("variables.{name}"), Text::Expr(expr), Use::Inside);
                }
            }
            Self::Branch(branch) => {
                for (at, case) in branch.cases.iter().enumerate() {
                    add(format!("cases.{at}.if"), Text::Expr(&case.condition), Use::Inside);
                }
            }
            Self::Gather(gather) => {
                for (at, accept) in gather.accept.iter().enumerate() {
                    add(format!("accept.{at}"), Text::Template(accept), Use::Inside);
                }
            }
            Self::Http(http) => {
                add("url".into(), Text::Template(&http.url), Use::Shown);
                for (name, value) in &http.headers {
                    add(format!("headers.{name}"), Text::Template(value), Use::Inside);
                }
            }
            Self::Dtmf(dtmf) => add("digits".into(), Text::Template(&dtmf.digits), Use::Inside),
            Self::Transfer(transfer) => {
                add("extension".into(), Text::Template(&transfer.extension), Use::Shown);
            }
            Self::Conference(conference) => {
                add("room".into(), Text::Template(&conference.room), Use::Shown);
            }
            Self::Park(park) => {
                let mut shown = |key: &str, text| add(key.into(), Text::Template(text), Use::Shown);
                park.slot.iter().for_each(|text| shown("slot", text));
                park.back.iter().for_each(|text| shown("back", text));
            }
            Self::Retrieve(retrieve) => {
                add("slot".into(), Text::Template(&retrieve.slot), Use::Shown);
            }
            Self::Flow(flow) => {
                for (name, expr) in &flow.arguments {
                    add(format!("arguments.{name}"), Text::Expr(expr), Use::Inside);
                }
            }
            Self::Return(end) => {
                if let Some(value) = &end.value {
                    add("value".into(), Text::Expr(value), Use::Inside);
                }
            }
            _ => {}
        }
    }

    /// Every variable that it gives a value, with the place where its name is written.
    pub fn assigns(&self) -> Vec<(String, &VarName)> {
        fn one<'a>(path: &str, name: Option<&'a VarName>) -> Vec<(String, &'a VarName)> {
            name.map(|name| (path.to_owned(), name)).into_iter().collect()
        }
        match self {
            Self::Menu(menu) => {
                let direct = menu.direct_dial.as_ref().map(|direct| &direct.into);
                [one("into", menu.into.as_ref()), one("direct_dial.into", direct)].concat()
            }
            Self::Gather(gather) => one("into", Some(&gather.into)),
            Self::Set(set) => {
                set.variables.keys().map(|name| (format!("variables.{name}"), name)).collect()
            }
            Self::Http(http) => {
                let mut all: Vec<_> =
                    http.into.keys().map(|name| (format!("into.{name}"), name)).collect();
                all.extend(one("status", http.status.as_ref()));
                all
            }
            Self::Dial(_) | Self::Queue(_) => {
                one("answered_by", self.dial().and_then(|dial| dial.answered_by.as_ref()))
            }
            Self::Message(message) => one("into", message.into.as_ref()),
            Self::Flow(flow) => one("into", flow.into.as_ref()),
            _ => Vec::new(),
        }
    }

    /// Whether the caller is waited for, or heard something that takes time, before it is left.
    pub fn waits(&self) -> bool {
        match self {
            Self::Menu(_) | Self::Gather(_) | Self::Message(_) | Self::Dial(_) => true,
            Self::Dtmf(_) | Self::Hold(_) => true,
            Self::Play(play) => !play.prompts.is_empty() && play.times > 0,
            Self::Ring(ring) => ring.duration.ms() > 0,
            Self::Answer(answer) => answer.pause.ms() > 0,
            // These can fail at once, and a flow can come straight back.
            Self::Http(_) | Self::Flow(_) | Self::Conference(_) | Self::Queue(_) => false,
            Self::Park(_) | Self::Retrieve(_) => false,
            Self::Record(record) => !record.prompts.is_empty(),
            Self::Set(_) | Self::Branch(_) | Self::Hours(_) => false,
            Self::Reject(_) | Self::Transfer(_) | Self::Return(_) | Self::Hangup(_) => false,
        }
    }
}

fn dial_texts<'a>(dial: &'a Dial, places: &mut Vec<Place<'a>>) {
    let mut add = |path, text| {
        places.push(Place { path, text: Text::Template(text), purpose: Use::Shown });
    };
    for (at, target) in dial.targets.iter().enumerate() {
        let (key, text) = match &target.to {
            Address::Extension { extension } => ("extension", extension),
            Address::Number { number, .. } => ("number", number),
            Address::Sip { sip } => ("sip", sip),
        };
        add(format!("targets.{at}.{key}"), text);
    }
    if let Some(id) = &dial.caller_id {
        for (key, text) in [("name", &id.name), ("number", &id.number)] {
            if let Some(text) = text {
                add(format!("caller_id.{key}"), text);
            }
        }
    }
}

/// The templates in a JSON body, with their places below `path`. Texts that are no templates are
/// told of.
pub fn body_texts(
    body: &serde_json::Value,
    path: &str,
    found: &mut Vec<(String, Result<Template, super::expr::ExprError>)>,
) {
    match body {
        serde_json::Value::String(text) => {
            found.push((path.to_owned(), Template::try_from(text.clone())));
        }
        serde_json::Value::Array(list) => {
            for (at, item) in list.iter().enumerate() {
                body_texts(item, &format!("{path}.{at}"), found);
            }
        }
        serde_json::Value::Object(map) => {
            for (key, item) in map {
                body_texts(item, &format!("{path}.{key}"), found);
            }
        }
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}
