//! Variables that nothing sets, that nothing reads, and secrets that would get out.

use std::collections::BTreeSet;

use super::{Found, place};
use crate::base::ids::VarName;
use crate::flow::expr::{BUILT_IN, Doubt, KnownVariables, RESERVED, Template, Type};
use crate::flow::secrets::reads;
use crate::flow::visit::{Place, Text, Use, body_texts};
use crate::flow::{Flow, Step};

pub(super) fn check(flow: &Flow, found: &mut Found) {
    let mut known = KnownVariables::of_every_call();
    let mut assigned: Vec<(String, &VarName)> = Vec::new();
    assigned.extend(flow.arguments.keys().map(|name| (format!("arguments.{name}"), name)));
    assigned.extend(flow.variables.keys().map(|name| (format!("variables.{name}"), name)));
    for (step, written) in &flow.steps {
        assigned.extend(written.assigns().into_iter().map(|(at, name)| (place(step, &at), name)));
    }
    for (path, name) in &assigned {
        known.add(name.as_str(), Type::Any);
        let taken = RESERVED.contains(&name.as_str())
            || name.as_str() == "input"
            || BUILT_IN.iter().any(|(built_in, _)| name.as_str() == *built_in);
        if taken {
            let message = format!("`{name}` means something else and can't be a variable");
            found.error(path.clone(), "reserved-variable", message);
        }
    }
    let secret = flow.secret_variables(&BTreeSet::new());
    let mut read: BTreeSet<String> = BTreeSet::new();
    for (step, written) in &flow.steps {
        for text in written.texts() {
            read.extend(text.text.variables().into_iter().map(str::to_owned));
            doubts(&text, written, &place(step, &text.path), &known, found);
            leaks(&text, written, &place(step, &text.path), &secret, found);
        }
        if let Step::Http(http) = written
            && let Some(body) = &http.body
        {
            let mut texts = Vec::new();
            body_texts(body, &place(step, "body"), &mut texts);
            for (path, text) in texts {
                match text {
                    Ok(text) => {
                        read.extend(text.variables().into_iter().map(str::to_owned));
                        tell(text.check(&known), &path, found);
                    }
                    Err(error) => found.error(path, "bad-body", error.to_string()),
                }
            }
        }
    }
    unused(flow, &assigned, &read, found);
}

/// Variables that a menu, dial, message or called flow fills may stand only for the record: of the
/// others it is said that nothing reads them.
fn unused(
    flow: &Flow,
    assigned: &[(String, &VarName)],
    read: &BTreeSet<String>,
    found: &mut Found,
) {
    let mut told = BTreeSet::new();
    for (path, name) in assigned {
        let step = path.split('.').nth(1).and_then(|step| flow.steps.get(step));
        let expected = match step {
            Some(step) if path.starts_with("steps.") => {
                matches!(step, Step::Set(_) | Step::Http(_) | Step::Gather(_))
            }
            _ => true,
        };
        let gate = matches!(step, Some(Step::Gather(gather)) if !gather.accept.is_empty());
        if expected && !gate && !read.contains(name.as_str()) && told.insert(*name) {
            let message = format!("nothing reads the variable `{name}`");
            found.warning(path.clone(), "unused-variable", message);
        }
    }
}

fn doubts(text: &Place<'_>, step: &Step, path: &str, known: &KnownVariables, found: &mut Found) {
    let confirmation = text.path.starts_with("confirm.") && matches!(step, Step::Gather(_));
    let mut own;
    let known = if confirmation {
        own = known.clone();
        own.add("input", Type::Text);
        &own
    } else {
        known
    };
    let doubts = match text.text {
        Text::Expr(expr) => expr.check(known),
        Text::Template(template) => template.check(known),
    };
    tell(doubts, path, found);
}

fn tell(doubts: Vec<Doubt>, path: &str, found: &mut Found) {
    for doubt in doubts {
        match doubt {
            Doubt::UnknownVariable { name, meant } => {
                let message = format!("nothing sets the variable `{name}`");
                found.error(path, "unknown-variable", message);
                found.hint(meant.map(|meant| format!("do you mean `{meant}`?")));
            }
            Doubt::AlwaysThe { same, comparison } => {
                let always = if same { "always" } else { "never" };
                found.warning(path, "always-same", format!("`{comparison}` is {always} true"));
            }
        }
    }
}

fn leaks(text: &Place<'_>, step: &Step, path: &str, secret: &BTreeSet<VarName>, found: &mut Found) {
    let shows = |template: &Template| template.variables().iter().any(|n| secret.contains(*n));
    let reads_secret = match text.text {
        Text::Expr(expr) => reads(expr, secret),
        Text::Template(template) => shows(template),
    };
    let secret_input = matches!(step, Step::Gather(gather) if gather.secret)
        && text.text.variables().contains(&"input");
    if !reads_secret && !secret_input {
        return;
    }
    match (text.purpose, step) {
        (Use::Shown, _) => {
            let message = "a secret would stand in what others see and log";
            found.error(path, "secret-shown", message);
        }
        (Use::Heard, _) => {
            found.warning(path, "secret-heard", "a secret is spoken to the caller");
        }
        (Use::Inside, Step::Flow(_) | Step::Return(_)) => {
            let message = "a secret that goes to another flow is no secret there any more";
            found.warning(path, "secret-leaves", message);
        }
        (Use::Inside, _) => {}
    }
}
