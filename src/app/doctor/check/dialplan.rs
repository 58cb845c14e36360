//! Whether calls find their way to us, and a way on when we are not there.

use super::super::answers::Question;
use super::super::dialplan::{Dialplan, Socket};
use super::super::switch::{Reach, Switch};
use super::super::xml::elements;
use super::super::{Finding, Readings};
use crate::esl::inspect::ConfigFile;

/// FreeSWITCH's port where `socket` names none (`mod_event_socket.c` socket_function).
const PORT_DEFAULT: u16 = 8084;
/// What the variables of our own dialplan begin with.
const OURS: &str = "${callwright_";
/// The variable that says where we are.
const ADDRESS: &str = "callwright_address";

pub(super) fn check(readings: &Readings) -> Vec<Finding> {
    let up = readings.switches.iter().filter(|switch| switch.reach == Reach::Up);
    up.flat_map(|switch| one(switch, readings)).collect()
}

/// Whether FreeSWITCH gets its dialplan from a program, so that its files don't say all.
pub(super) fn comes_from_elsewhere(switch: &Switch) -> bool {
    let bound = |file, element: &str, attribute: &str| {
        let text = switch.answers.said(Question::Settings(file)).unwrap_or_default();
        elements(text).iter().any(|one| {
            let named = one.name == element || one.get("name") == Some(element);
            named && one.get(attribute).is_some_and(|value| value.contains("dialplan"))
        })
    };
    bound(ConfigFile::XmlCurl, "gateway-url", "bindings")
        || bound(ConfigFile::Lua, "xml-handler-bindings", "value")
}

fn one(switch: &Switch, readings: &Readings) -> Vec<Finding> {
    if !switch.answers.has(Question::Dialplan) {
        return Vec::new();
    }
    let dialplan = Dialplan::read(switch.answers.said(Question::Dialplan).unwrap_or_default());
    let port = readings.config.switch.listen.port();
    let sockets = dialplan.sockets();
    let (ours, others): (Vec<_>, Vec<_>) = sockets.iter().partition(|socket| is_ours(socket, port));
    if ours.is_empty() {
        return vec![none(switch, &others, readings)];
    }
    let mut found: Vec<Finding> = ours.iter().flat_map(|socket| judge(switch, socket)).collect();
    if ours.iter().any(|socket| socket.data.contains(OURS)) {
        found.extend(address(switch, readings));
    }
    found.extend(contexts(switch, &dialplan, readings));
    found
}

/// Whether a `socket` action leads to us, by its variables or its port.
fn is_ours(socket: &Socket<'_>, port: u16) -> bool {
    socket.data.contains(OURS) || has_port(socket.data, port)
}

/// Whether one of the hosts in `host:port|host …` has our port. It is not reset for each host
/// (`mod_event_socket.c` socket_function).
fn has_port(data: &str, port: u16) -> bool {
    let hosts = data.split_whitespace().next().unwrap_or_default();
    let mut last = PORT_DEFAULT;
    hosts.split('|').filter(|host| !host.is_empty()).any(|host| {
        let host = host.split('/').next().unwrap_or(host);
        last = host.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(last);
        last == port
    })
}

fn none(switch: &Switch, others: &[&Socket<'_>], readings: &Readings) -> Finding {
    let listen = readings.config.switch.listen;
    let elsewhere = others.first().map_or_else(String::new, |socket| {
        format!("; `socket` in the context `{}` leads to {}", socket.context, socket.data)
    });
    let what = format!("no extension of the dialplan hands calls to {listen}{elsewhere}");
    let found = if comes_from_elsewhere(switch) {
        let what =
            format!("{what}; another program makes dialplans, which can't be seen from here");
        Finding::warning("dialplan-none", &switch.name, what)
    } else {
        Finding::error("dialplan-none", &switch.name, what)
    };
    let folder = switch.conf_dir();
    found.because("no call reaches Callwright").remedy(format!(
        "copy Callwright's dialplan/callwright.xml to {folder}/dialplan/, set `{ADDRESS}` in \
         vars.xml to {listen}, `fs_cli -x reloadxml`, and give SIP profiles or users the \
         context `callwright`"
    ))
}

fn judge(switch: &Switch, socket: &Socket<'_>) -> Vec<Finding> {
    let place = format!("the extension `{}` in the context `{}`", socket.extension, socket.context);
    let mut found = Vec::new();
    let mut add = |code, what: String, why: &str, remedy: String| {
        let remedy = format!("{remedy}, then `fs_cli -x reloadxml`");
        found.push(Finding::error(code, &switch.name, what).because(why).remedy(remedy));
    };
    let hosts = socket.data.split_whitespace().next().unwrap_or_default();
    let words = match (socket.is_async, socket.is_full) {
        (true, true) => None,
        (false, false) => Some("`async` and `full`"),
        (false, true) => Some("`async`"),
        (true, false) => Some("`full`"),
    };
    if let Some(words) = words {
        add(
            "dialplan-not-async-full",
            format!("{place} runs `socket` without {words}"),
            "Callwright hears nothing of keys and of the caller's hanging up while something \
             plays, and may give no commands: calls get stuck",
            format!("write `<action application=\"socket\" data=\"{hosts} async full\"/>` there"),
        );
    }
    if !socket.resumes {
        add(
            "dialplan-no-resume",
            format!("{place} does not set `socket_resume` before `socket`"),
            "a caller whose connection to Callwright breaks stays in silence until they hang up",
            "put `<action application=\"set\" data=\"socket_resume=true\"/>` before it".to_owned(),
        );
    }
    if !socket.falls {
        add(
            "dialplan-no-fallback",
            format!("in {place} nothing follows `socket`"),
            "while Callwright is away callers are cut off instead of being put through to somebody",
            "put what a caller is to hear, or to whom they are to be put through, behind it, or \
             use Callwright's own dialplan/callwright.xml, which tries other addresses first"
                .to_owned(),
        );
    }
    if !socket.gone.is_empty() {
        let gone: Vec<_> = socket.gone.iter().map(|gone| format!("`{gone}`")).collect();
        add(
            "dialplan-no-fallback",
            format!(
                "the context `{}` sends callers to {}, which is not there",
                socket.context,
                gone.join(", ")
            ),
            "a call that Callwright gives back, or does not take, goes round in circles or ends",
            "put the extensions of Callwright's own dialplan/callwright.xml back".to_owned(),
        );
    }
    found
}

fn address(switch: &Switch, readings: &Readings) -> Option<Finding> {
    let listen = readings.config.switch.listen;
    let remedy = format!(
        "set `{ADDRESS}` in FreeSWITCH's vars.xml to {listen} (several addresses as \
         host:port|host:port), then `fs_cli -x reloadxml`"
    );
    let why = "no call reaches this Callwright";
    let Some(said) = switch.answers.global(ADDRESS) else {
        // It may be set on each channel; without any value, `socket` connects to nothing.
        let what = format!("the dialplan's variable `{ADDRESS}` is not set");
        let found = Finding::warning("dialplan-address", &switch.name, what);
        return Some(found.because(why).remedy(remedy));
    };
    if has_port(said, listen.port()) {
        return None;
    }
    let what = format!("the dialplan's `{ADDRESS}` is {said}, and Callwright listens at {listen}");
    let found = Finding::error("dialplan-address", &switch.name, what);
    Some(found.because(why).remedy(remedy))
}

fn contexts(switch: &Switch, dialplan: &Dialplan, readings: &Readings) -> Vec<Finding> {
    let config = &readings.config;
    let mut named = vec![("dial.context", config.dial.context.clone())];
    if config.xml_curl.listen.is_some() {
        named.push(("sip.context", config.sip.context.to_string()));
    }
    named.retain(|(_, name)| !dialplan.has(name) && !comes_from_elsewhere(switch));
    let finding = |(setting, name): (&str, String)| {
        let what = format!("the dialplan has no context `{name}`, which `{setting}` names");
        let why = if setting == "dial.context" {
            "whoever is called by Callwright itself is hung up on when they answer"
        } else {
            "calls of tenants' phones and gateways are refused (SIP 404)"
        };
        Finding::error("dialplan-context", &switch.name, what).because(why).remedy(format!(
            "set `{setting}` in callwright.toml to the context of Callwright's dialplan, as \
             which dialplan/callwright.xml has `callwright`"
        ))
    };
    named.into_iter().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn changed(from: &str, to: &str) -> Vec<Finding> {
        let mut readings = sample::healthy();
        sample::change(&mut readings, Question::Dialplan, from, to);
        check(&readings)
    }

    fn codes(found: &[Finding]) -> Vec<&str> {
        found.iter().map(|one| one.code).collect()
    }

    #[test]
    fn a_socket_that_is_not_as_it_should_be_is_found_with_what_to_write() {
        let found = changed(" async full", "");
        assert_eq!(codes(&found), ["dialplan-not-async-full"]);
        assert!(found[0].remedy.contains("async full\"/>"), "{found:?}");
        assert_eq!(codes(&changed("async full", "async")), ["dialplan-not-async-full"]);
        assert_eq!(codes(&changed("socket_resume=true", "x=y")), ["dialplan-no-resume"]);
    }

    #[test]
    fn a_dialplan_without_its_fallback_is_found() {
        let mut readings = sample::healthy();
        for name in ["^callwright_(after|unheard)$", "^callwright_after$"] {
            sample::change(&mut readings, Question::Dialplan, name, "^nothing$");
        }
        assert_eq!(codes(&check(&readings)), ["dialplan-no-fallback"]);
    }

    #[test]
    fn a_dialplan_that_does_not_lead_here_is_found() {
        let found = changed("application=\"socket\"", "application=\"park\"");
        assert_eq!((codes(&found), found[0].is_error()), (vec!["dialplan-none"], true));
        let mut readings = sample::healthy();
        sample::change(&mut readings, Question::Global(ADDRESS), "8084", "9999");
        assert_eq!(codes(&check(&readings)), ["dialplan-address"]);
        let xml_curl = Question::Settings(ConfigFile::XmlCurl);
        let mut readings = sample::healthy();
        sample::change(&mut readings, xml_curl, "directory|", "directory|dialplan|");
        sample::change(&mut readings, Question::Dialplan, "\"socket\"", "\"park\"");
        assert!(!check(&readings)[0].is_error(), "it may be where nobody sees it");
    }

    #[test]
    fn the_port_of_one_host_counts_for_those_behind_it() {
        for (data, found) in [
            ("127.0.0.1 async full", true),
            ("a:9000|b async full", false),
            ("a:9000|b:8084 async full", true),
            ("a:8084/path async", true),
        ] {
            assert_eq!(has_port(data, 8_084), found, "{data}");
        }
    }
}
