//! SIP profiles: whether they run, and where their calls come in.

use std::collections::BTreeSet;

use super::super::answers::Question;
use super::super::dialplan::Dialplan;
use super::super::switch::{Reach, Switch};
use super::super::xml::elements;
use super::super::{Finding, Readings};
use crate::esl::inspect::{ConfigFile, ProfileNetwork};

pub(super) fn check(readings: &Readings) -> Vec<Finding> {
    let one = |switch: &Switch| {
        if switch.reach != Reach::Up || !switch.answers.has(Question::Profiles) {
            return Vec::new();
        }
        let mut found = missing(switch, readings);
        let lost = |(name, network): (&String, _)| context(switch, name, network);
        found.extend(switch.profiles.iter().filter_map(lost));
        found
    };
    readings.switches.iter().flat_map(one).collect()
}

fn missing(switch: &Switch, readings: &Readings) -> Vec<Finding> {
    let config = &readings.config;
    let mut named: Vec<(&str, String)> = vec![("dial.profile", config.dial.profile.clone())];
    if config.xml_curl.listen.is_some() {
        named.extend([
            ("sip.profile", config.sip.profile.to_string()),
            ("sip.phone_profile", config.sip.phone_profile.to_string()),
            ("sip.try_profile", config.sip.try_profile.to_string()),
        ]);
    }
    let runs = |name: &str| switch.profiles.contains_key(name);
    let mut told = BTreeSet::new();
    let mut found = Vec::new();
    for (setting, name) in named.iter().filter(|(_, name)| !runs(name)) {
        told.insert(name.clone());
        let what = format!("the SIP profile `{name}`, which `{setting}` names, does not run");
        let why = match *setting {
            "sip.phone_profile" => "no phone of a tenant can register",
            "sip.try_profile" => "accounts can't be tried out",
            _ => "no call can be made through it",
        };
        let found_one = Finding::error("profile-missing", &switch.name, what).because(why);
        found.push(found_one.remedy(start(switch, name)));
    }
    for name in configured(switch).into_iter().filter(|name| !runs(name) && !told.contains(name)) {
        let what = format!("the SIP profile `{name}` of FreeSWITCH's files does not run");
        let why = "whoever is to call through it is not heard: phones and providers get no answer";
        let found_one = Finding::error("profile-not-running", &switch.name, what).because(why);
        found.push(found_one.remedy(start(switch, &name)));
    }
    found
}

fn configured(switch: &Switch) -> Vec<String> {
    let text = switch.answers.said(Question::Settings(ConfigFile::Sofia)).unwrap_or_default();
    let elements = elements(text).into_iter().filter(|element| element.name == "profile");
    elements.filter_map(|profile| profile.get("name").map(str::to_owned)).collect()
}

fn start(switch: &Switch, name: &str) -> String {
    let folder = switch.conf_dir();
    format!(
        "type `fs_cli -x 'sofia profile {name} start'`; if it does not stay, FreeSWITCH's log \
         says why (`Error Creating SIP UA`): most often its `sip-port` is taken (`ss -lunp`) or \
         its `sip-ip` is no address of that machine. It stands in \
         {folder}/sip_profiles/{name}.xml"
    )
}

fn context(switch: &Switch, name: &str, network: &ProfileNetwork) -> Option<Finding> {
    let dialplan = Dialplan::read(switch.answers.said(Question::Dialplan)?);
    let own = network.dialplan.eq_ignore_ascii_case("XML");
    if !own || dialplan.has(&network.context) || super::dialplan::comes_from_elsewhere(switch) {
        return None;
    }
    let context = &network.context;
    let what = format!(
        "calls of the profile `{name}` come into the context `{context}`, which the dialplan \
         does not have"
    );
    let found = Finding::error("profile-context", &switch.name, what);
    let folder = switch.conf_dir();
    Some(found.because("whoever calls there is refused (SIP 404)").remedy(format!(
        "set `context` in {folder}/sip_profiles/{name}.xml to `callwright`, or add a context \
         `{context}` that transfers to it, then `fs_cli -x 'sofia profile {name} rescan'`"
    )))
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn a_profile_that_does_not_run_or_leads_nowhere_is_found() {
        let mut readings = sample::healthy();
        let external = readings.switches[0].profiles.remove("external").unwrap();
        let found = check(&readings);
        assert_eq!((found[0].code, found.len()), ("profile-missing", 1));
        readings.switches[0].profiles.insert("external".into(), external.clone());
        readings.switches[0].profiles.remove("internal");
        assert_eq!(check(&readings)[0].code, "profile-not-running");
        let lost = ProfileNetwork { context: "nowhere".into(), ..external };
        readings.switches[0].profiles.insert("internal".into(), lost);
        assert_eq!(check(&readings)[0].code, "profile-context");
    }
}
