//! Whether each FreeSWITCH can be asked at all, and by whom else.

use std::io::ErrorKind;

use super::super::answers::Question;
use super::super::switch::{Reach, Switch};
use super::super::{Finding, Readings, WHOLE};
use crate::esl::inspect::ConfigFile;
use crate::switch::link::DownCause;

/// What nobody gets without a link.
const WITHOUT: &str = "without it no call can be placed, transferred by consultation or \
    listened to, and a conversation whose Callwright was lost is not seen until its flow goes on";
const FILE: &str = "autoload_configs/event_socket.conf.xml";

pub(super) fn check(readings: &Readings) -> Vec<Finding> {
    if readings.switches.is_empty() {
        let what = "the settings name no FreeSWITCH, so that none was examined";
        let remedy = "add a [[link]] with `address = \"127.0.0.1:8021\"` and `password_file` to \
            callwright.toml, for each FreeSWITCH";
        return vec![Finding::warning("switch-none", WHOLE, what).because(WITHOUT).remedy(remedy)];
    }
    readings.switches.iter().flat_map(|switch| one(switch, readings)).collect()
}

fn one(switch: &Switch, readings: &Readings) -> Vec<Finding> {
    let mut found: Vec<Finding> = reached(switch, readings).into_iter().collect();
    found.extend(shipped(switch));
    found.extend(allowed(switch, readings));
    if let Some((first, why)) = switch.answers.missing.first() {
        let count = switch.answers.missing.len();
        let what =
            format!("{count} questions were not answered, the first of them `{first}`: {why}");
        found.push(
            Finding::warning("switch-unanswered", &switch.name, what)
                .because("what they are about was not examined")
                .remedy(
                    "let the link's user run these commands (`esl-allowed-api` of a directory \
                     user), or look at FreeSWITCH's log for what it is busy with",
                ),
        );
    }
    found
}

fn reached(switch: &Switch, readings: &Readings) -> Option<Finding> {
    let (reason, cause) = match &switch.reach {
        Reach::Up => return None,
        Reach::Settings(why) => {
            let found = Finding::error("switch-settings", &switch.name, why.clone());
            return Some(found.because(WITHOUT).remedy("correct this [[link]] in callwright.toml"));
        }
        Reach::Down { reason, cause } => (reason, *cause),
    };
    let address = &switch.address;
    let (code, what, remedy) = match cause {
        DownCause::Denied => (
            "switch-password",
            format!("FreeSWITCH at {address} refuses the password: {reason}"),
            denied(),
        ),
        DownCause::Unwelcome => (
            "switch-acl",
            format!(
                "FreeSWITCH at {address} takes no connection from this machine \
                 (text/rude-rejection)"
            ),
            unwelcome(),
        ),
        DownCause::NoCore => (
            "switch-module-missing",
            format!("FreeSWITCH at {address} has no `global_getvar`: mod_commands is not loaded"),
            super::modules::remedy("mod_commands", switch.conf_dir(), true),
        ),
        DownCause::Unreachable(kind) => (
            "switch-unreachable",
            format!("nobody answers at {address}: {reason}"),
            unreachable(kind, readings),
        ),
        DownCause::Silent | DownCause::Other => (
            "switch-silent",
            format!("{address} does not answer as FreeSWITCH does: {reason}"),
            format!(
                "see that FreeSWITCH itself listens there (`listen-ip` and `listen-port` in its \
                 {FILE}) and that no firewall swallows packets on the way"
            ),
        ),
    };
    Some(Finding::error(code, &switch.name, what).because(WITHOUT).remedy(remedy))
}

fn denied() -> String {
    format!(
        "put the `password` of FreeSWITCH's {FILE} into this [[link]]'s `password_file` or \
         `password`; if it was changed there, `fs_cli -x 'reload mod_event_socket'` makes it \
         count"
    )
}

fn unwelcome() -> String {
    format!(
        "`apply-inbound-acl` in FreeSWITCH's {FILE} names a list that must have this machine's \
         address: add `<node type=\"allow\" cidr=\"ADDRESS/32\"/>` to that list in \
         autoload_configs/acl.conf.xml, then `fs_cli -x reloadacl` and `fs_cli -x 'reload \
         mod_event_socket'`. `loopback.auto` has 127.0.0.0/8 alone"
    )
}

fn unreachable(kind: ErrorKind, readings: &Readings) -> String {
    match kind {
        ErrorKind::ConnectionRefused if readings.machine.has_freeswitch => format!(
            "a FreeSWITCH runs on this machine and does not listen there: see that \
             autoload_configs/modules.conf.xml loads mod_event_socket, and `listen-ip` and \
             `listen-port` in {FILE}; its log says `Could not listen on` when the port is taken"
        ),
        ErrorKind::ConnectionRefused => format!(
            "start FreeSWITCH (`systemctl start freeswitch`); if it runs, see that \
             autoload_configs/modules.conf.xml loads mod_event_socket, and `listen-ip` and \
             `listen-port` in {FILE}"
        ),
        _ => "correct `address` of this [[link]], or the network on the way there".to_owned(),
    }
}

fn shipped(switch: &Switch) -> Option<Finding> {
    if !switch.shipped_password || switch.reach != Reach::Up {
        return None;
    }
    let listens = switch.answers.param(ConfigFile::EventSocket, "listen-ip");
    let open = listens.is_none_or(|address| !address.starts_with("127.") && address != "::1");
    let what = "its Event Socket has the password with which FreeSWITCH is shipped";
    let code = "switch-password-shipped";
    let found = if open {
        Finding::error(code, &switch.name, what).because(
            "whoever reaches that port rules the switch: they can listen to calls and place them",
        )
    } else {
        Finding::warning(code, &switch.name, what)
            .because("every program on that machine can rule the switch with it")
    };
    Some(found.remedy(format!(
        "write another `password` into FreeSWITCH's {FILE}, the same into a file named by this \
         [[link]]'s `password_file` (mode 0600), and restart FreeSWITCH or `reload \
         mod_event_socket`"
    )))
}

fn allowed(switch: &Switch, readings: &Readings) -> Option<Finding> {
    let (peer, listen) = (switch.peer?, &readings.config.switch);
    if switch.reach != Reach::Up || !switch.answers.has(Question::Version) {
        return None;
    }
    let found = if !listen.allows(peer) {
        let what = format!("`switch.allow` does not have FreeSWITCH's address {peer}");
        Finding::error("switch-refused-here", &switch.name, what)
            .remedy(format!("add \"{peer}/32\" to `allow` of [switch] in callwright.toml"))
    } else if listen.listen.ip().is_loopback() && !switch.is_here && !peer.is_loopback() {
        let what = format!("Callwright listens at {}, which {peer} can't reach", listen.listen);
        Finding::error("switch-refused-here", &switch.name, what)
            .remedy("set `listen` of [switch] in callwright.toml to an address of this network")
    } else {
        return None;
    };
    Some(found.because("its calls get no connection: every caller hears the announcement instead"))
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn down(cause: DownCause) -> Vec<Finding> {
        let mut readings = sample::healthy();
        readings.switches[0].reach = Reach::Down { reason: "so".into(), cause };
        check(&readings)
    }

    #[test]
    fn each_way_in_which_a_link_fails_has_its_own_word_and_remedy() {
        for (cause, code, remedy) in [
            (DownCause::Denied, "switch-password", "password_file"),
            (DownCause::Unwelcome, "switch-acl", "acl.conf.xml"),
            (DownCause::NoCore, "switch-module-missing", "mod_commands"),
            (DownCause::Silent, "switch-silent", "listen-port"),
            (
                DownCause::Unreachable(ErrorKind::ConnectionRefused),
                "switch-unreachable",
                "mod_event_socket",
            ),
            (DownCause::Unreachable(ErrorKind::HostUnreachable), "switch-unreachable", "network"),
        ] {
            let found = down(cause);
            assert_eq!(found[0].code, code);
            assert!(found[0].is_error() && found[0].remedy.contains(remedy), "{found:?}");
        }
    }

    #[test]
    fn a_shipped_password_is_worse_where_others_reach_the_port() {
        let mut readings = sample::healthy();
        readings.switches[0].shipped_password = true;
        let found = check(&readings);
        assert_eq!((found[0].code, found[0].is_error()), ("switch-password-shipped", false));
        sample::change(
            &mut readings,
            Question::Settings(ConfigFile::EventSocket),
            "\"127.0.0.1\"",
            "\"::\"",
        );
        assert!(check(&readings)[0].is_error());
    }

    #[test]
    fn a_freeswitch_that_we_would_turn_away_is_found() {
        let mut readings = sample::healthy();
        readings.switches[0].peer = Some("192.0.2.9".parse().unwrap());
        let found = check(&readings);
        assert_eq!(found[0].code, "switch-refused-here");
        assert!(found[0].remedy.contains("192.0.2.9/32"));
    }

    #[test]
    fn a_machine_without_any_link_is_told_so() {
        let mut readings = sample::healthy();
        readings.switches.clear();
        assert_eq!(check(&readings)[0].code, "switch-none");
    }
}
