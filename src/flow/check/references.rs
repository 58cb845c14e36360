//! What a flow refers to outside itself: prompts, flows, gateways, hosts, contexts, engines,
//! addresses.

use std::collections::{BTreeMap, BTreeSet};

use super::{FlowFacts, Found, World, place};
use crate::base::ids::{FlowName, StepName};
use crate::flow::kind::dial::{Address, Dial};
use crate::flow::kind::hours::{Hours, Opening};
use crate::flow::kind::http::{Http, OWN_HEADERS};
use crate::flow::kind::subflow::Subflow;
use crate::flow::nearest::nearest;
use crate::flow::prompt::Prompt;
use crate::flow::{Flow, Step};

pub(super) fn check(flow: &Flow, world: &World, found: &mut Found) {
    for (name, step) in &flow.steps {
        prompts(name, step, world, found);
        match step {
            Step::Dial(dial) => targets(name, dial, world, found),
            Step::Queue(queue) => targets(name, &queue.dial, world, found),
            Step::Flow(subflow) => called(name, subflow, world, found),
            Step::Http(http) => request(name, http, found),
            Step::Hours(hours) => schedule(name, hours, world, found),
            Step::Conference(conference) => {
                // A name that holds expressions is looked at when the caller joins.
                if let Some(room) = conference.room.literal() {
                    let said = ("unknown-room", format!("the tenant has no room `{room}`"));
                    known(place(name, "room"), room, world.rooms.as_ref(), said, found);
                }
            }
            Step::Transfer(transfer) => {
                if let Some(context) = &transfer.context {
                    let path = place(name, "context");
                    let said =
                        ("unknown-context", format!("the context `{context}` is not allowed"));
                    known(path, context, world.contexts.as_ref(), said, found);
                }
            }
            _ => {}
        }
    }
    recursion(flow, world, found);
}

/// Tells of a name that is not among those that there are.
fn known<T: Ord + std::borrow::Borrow<str>>(
    path: String,
    name: &str,
    there: Option<&BTreeSet<T>>,
    (code, message): (&str, String),
    found: &mut Found,
) {
    let Some(there) = there else { return };
    if !there.contains(name) {
        found.error(path, code, message);
        let near = nearest(name, there.iter().map(std::borrow::Borrow::borrow));
        found.hint(near.map(|near| format!("do you mean `{near}`?")));
    }
}

fn prompts(step: &StepName, written: &Step, world: &World, found: &mut Found) {
    for (path, name) in written.prompt_names() {
        let said = ("unknown-prompt", format!("the tenant has no prompt `{name}`"));
        known(place(step, &path), name.as_str(), world.prompts.as_ref(), said, found);
    }
    for (path, prompt) in written.prompts() {
        if matches!(prompt, Prompt::Speak(_)) && world.speech == Some(false) {
            let message = "no text-to-speech engine is configured for the tenant";
            found.error(place(step, &path), "no-speech-engine", message);
        }
    }
}

fn targets(step: &StepName, dial: &Dial, world: &World, found: &mut Found) {
    for (at, target) in dial.targets.iter().enumerate() {
        match &target.to {
            Address::Extension { .. } => {}
            Address::Number { gateway: None, .. } => {
                if world.gateways.as_ref().is_some_and(BTreeSet::is_empty) {
                    let message = "the tenant has no gateway by which a number could be called";
                    found.error(place(step, &format!("targets.{at}")), "no-gateway", message);
                }
            }
            Address::Number { gateway: Some(gateway), .. } => {
                let path = place(step, &format!("targets.{at}.gateway"));
                let message = format!("`{gateway}` is not one of the tenant's gateways");
                let said = ("unknown-gateway", message);
                known(path, gateway.as_str(), world.gateways.as_ref(), said, found);
            }
            Address::Sip { sip } => {
                let path = place(step, &format!("targets.{at}.sip"));
                // The host of an address that holds expressions is looked at when it is dialed.
                let Some(literal) = sip.literal() else { continue };
                sip_host(path, literal, world, found);
            }
        }
    }
}

fn schedule(step: &StepName, hours: &Hours, world: &World, found: &mut Found) {
    let Some(name) = &hours.schedule else { return };
    let said = ("unknown-schedule", format!("the tenant has no schedule `{name}`"));
    let path = place(step, "schedule");
    known(path.clone(), name.as_str(), world.schedules.as_ref(), said, found);
    if hours.own() != Opening::default() {
        let message = format!("hours beside the schedule `{name}` would not count");
        found.error(path, "hours-twice", message);
        found.hint("leave out one of the two".to_owned());
    }
}

fn sip_host(path: String, written: &str, world: &World, found: &mut Found) {
    let address = written.trim();
    let address = address.strip_prefix("sip:").unwrap_or(address);
    let Some((_, host)) =
        address.split_once('@').filter(|(user, host)| !user.is_empty() && !host.is_empty())
    else {
        let message = format!("`{}` is not a SIP address", written.escape_debug());
        found.error(path, "bad-address", message);
        return found.hint("a SIP address is a user at a host: `bob@sip.example.com`".to_owned());
    };
    let said = ("unknown-sip-host", format!("the host `{host}` is not allowed"));
    let same = |known: &&String| known.eq_ignore_ascii_case(host);
    let host = world.sip_hosts.iter().flatten().find(same).map_or(host, String::as_str);
    known(path, host, world.sip_hosts.as_ref(), said, found);
}

fn called(step: &StepName, subflow: &Subflow, world: &World, found: &mut Found) {
    let Some(flows) = &world.flows else { return };
    let Some(facts) = flows.get(&subflow.flow) else {
        if world.this.as_ref() == Some(&subflow.flow) {
            return;
        }
        let message = format!("the tenant has no published flow `{}`", subflow.flow);
        found.error(place(step, "flow"), "unknown-flow", message);
        let near = nearest(subflow.flow.as_str(), flows.keys().map(FlowName::as_str));
        return found.hint(near.map(|near| format!("do you mean `{near}`?")));
    };
    for name in subflow.arguments.keys() {
        let path = place(step, &format!("arguments.{name}"));
        let message = format!("the flow `{}` takes no argument `{name}`", subflow.flow);
        let said = ("unknown-argument", message);
        known(path, name.as_str(), Some(&facts.arguments), said, found);
    }
}

/// How deep calls from flow to flow go.
fn recursion(flow: &Flow, world: &World, found: &mut Found) {
    let Some(flows) = &world.flows else { return };
    let mut graph = flows.clone();
    for (name, step) in &flow.steps {
        let Step::Flow(subflow) = step else { continue };
        let path = place(name, "flow");
        if let Some(this) = &world.this {
            graph.insert(this.clone(), FlowFacts::of(flow));
            if reaches(&graph, &subflow.flow, this) {
                let message = format!("through `{}` this flow can call itself", subflow.flow);
                found.warning(path, "flow-recursion", message);
                let hint = "a call that goes too deep leaves the step by `failed`";
                found.hint(hint.to_owned());
                continue;
            }
        }
        let depth = 1 + depth(&graph, &subflow.flow, flow.limits.depth);
        if depth > flow.limits.depth {
            let message = format!(
                "through `{}` flows call one another more than {} deep",
                subflow.flow, flow.limits.depth
            );
            found.error(path, "flows-too-deep", message);
        }
    }
}

fn reaches(graph: &BTreeMap<FlowName, FlowFacts>, from: &FlowName, to: &FlowName) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(name) = open.pop() {
        if name == to {
            return true;
        }
        if seen.insert(name) {
            open.extend(graph.get(name).into_iter().flat_map(|facts| &facts.calls));
        }
    }
    false
}

/// Flows on the longest chain of calls from one, itself included; counting ends above `most`.
fn depth(graph: &BTreeMap<FlowName, FlowFacts>, from: &FlowName, most: u32) -> u32 {
    let mut level = BTreeSet::from([from]);
    let mut depth = 0;
    while !level.is_empty() && depth <= most {
        depth += 1;
        level =
            level.into_iter().filter_map(|name| graph.get(name)).flat_map(|f| &f.calls).collect();
    }
    depth
}

fn request(step: &StepName, http: &Http, found: &mut Found) {
    let literal = http.url.literal_prefix();
    let whole = http.url.literal().is_some();
    if let Err(message) = host(literal, whole) {
        found.error(place(step, "url"), "bad-url", message);
        found.hint("such as `https://example.com/customers/{caller.number}`".to_owned());
    }
    for name in http.headers.keys() {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        let message = if name.is_empty() || !name.bytes().all(token) {
            format!("`{}` is not the name of an http header", name.escape_debug())
        } else if OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            format!("`{name}` can't be set: it belongs to the connection")
        } else {
            continue;
        };
        found.error(place(step, &format!("headers.{name}")), "bad-header", message);
    }
    for (name, pointer) in &http.into {
        if !is_pointer(pointer) {
            let message =
                "this is not a JSON pointer: it begins with `/`, such as `/customer/name`";
            found.error(place(step, &format!("into.{name}")), "bad-pointer", message);
        }
    }
}

/// Whether an address begins with a scheme and a host that no variable can change.
fn host(literal: &str, whole: bool) -> Result<(), &'static str> {
    let rest = literal.strip_prefix("https://").or_else(|| literal.strip_prefix("http://"));
    let Some(rest) = rest else { return Err("an address begins with `https://` or `http://`") };
    let end = rest.find(['/', '?', '#']);
    if end.is_none() && !whole {
        return Err("the host of an address is written out, up to the `/` after it");
    }
    let host = &rest[..end.unwrap_or(rest.len())];
    if host.contains('@') {
        return Err("an address holds no user name or password: use a header");
    }
    let address = url::Url::parse(&literal[..literal.len() - rest.len() + host.len()]);
    match address {
        Ok(address) if address.host_str().is_some() => Ok(()),
        _ => Err("the host of this address can't be read"),
    }
}

/// RFC 6901, section 3.
fn is_pointer(text: &str) -> bool {
    let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    (text.is_empty() || text.starts_with('/')) && escapes
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;
    use crate::flow::parse;

    /// The problems of a flow whose step `a` has these keys.
    fn codes(step: &str, world: &World) -> Vec<String> {
        let text = format!(
            r#"{{"callwright": 1, "start": "a", "fallback": "bye", "steps": {{
                "a": {{{step}, "next": "bye"}}, "bye": {{"kind": "hangup"}}}}}}"#
        );
        let problems = check(&parse(text.as_bytes()).unwrap(), world).into_iter();
        problems.map(|problem| format!("{} {}", problem.path, problem.code)).collect()
    }

    #[test]
    fn a_sip_host_is_one_in_whatever_case_and_never_missing() {
        let told = |sip: &str, world: &World| {
            codes(&format!(r#""kind": "dial", "targets": [{{"sip": "{sip}"}}]"#), world)
        };
        let hosts = BTreeSet::from(["pbx.example".to_owned()]);
        let world = World { sip_hosts: Some(hosts), ..World::unknown() };
        assert_eq!(told("sip:bob@PBX.Example", &world), [""; 0]);
        assert_eq!(told("bob@{caller.number}", &world), [""; 0]);
        assert_eq!(told("bob@evil.example", &world), ["steps.a.targets.0.sip unknown-sip-host"]);
        const BAD_ADDRESS: &str = "steps.a.targets.0.sip bad-address";
        for sip in ["bob", "bob@", "@pbx.example", "sip:bob"] {
            assert_eq!(told(sip, &World::unknown()), [BAD_ADDRESS], "{sip}");
        }
    }

    #[test]
    fn every_header_that_would_be_refused_is_told_of() {
        for name in OWN_HEADERS {
            let name = name.to_uppercase();
            let step =
                format!(r#""kind": "http", "url": "https://x/", "headers": {{"{name}": "y"}}"#);
            let expected = format!("steps.a.headers.{name} bad-header");
            assert_eq!(codes(&step, &World::unknown()), [expected]);
        }
    }
}
