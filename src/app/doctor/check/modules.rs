//! Modules of FreeSWITCH that are needed and not loaded.

use super::super::answers::Question;
use super::super::switch::{Module, Switch};
use super::super::used::Used;
use super::super::{Finding, Readings};
use super::sounds::ENGLISH;
use crate::app::config::Config;
use crate::flow::problem::Severity;

/// Needed only for music that it streams.
const LOCAL_STREAM: &str = "mod_local_stream";

/// A module that is needed.
#[derive(Debug, Clone)]
pub(in super::super) struct Need {
    pub(in super::super) module: String,
    severity: Severity,
    /// What callers miss without it.
    why: String,
}

/// What these settings and flows need.
pub(in super::super) fn needs(config: &Config, used: &Used) -> Vec<Need> {
    let need = |module: &str, severity, why: &str| Need {
        module: module.to_owned(),
        severity,
        why: why.to_owned(),
    };
    let (error, warning) = (Severity::Error, Severity::Warning);
    let wanted = |is: bool| if is { error } else { warning };
    let mut needs = vec![
        need("mod_event_socket", error, "no call reaches Callwright without `socket`"),
        need("mod_dptools", error, "no call can be answered, played to, bridged or recorded"),
        need("mod_sofia", error, "there is no SIP: nobody can call"),
        need("mod_dialplan_xml", error, "no call finds its way to Callwright"),
        need("mod_sndfile", error, "no WAV file can be played: callers hear silence for prompts"),
        need(
            "mod_tone_stream",
            error,
            "no tones and no pauses: a flow's tones and waiting music end at once",
        ),
        need(
            "mod_conference",
            wanted(used.meets),
            "a call that is sent into a room is hung up (`conference` steps, merged consultations)",
        ),
        need("mod_loopback", warning, "a supervisor can't take a conversation over"),
        need(
            LOCAL_STREAM,
            warning,
            "music on hold is silent: a profile or `hold_music` names a local_stream",
        ),
    ];
    if config.xml_curl.listen.is_some() {
        let why =
            "FreeSWITCH does not ask for tenants' gateways and phones: none of them registers";
        needs.push(need("mod_xml_curl", error, why));
    }
    if let Some(speech) = &config.store.speech {
        let engine = speech.engine.split(':').next().unwrap_or(&speech.engine);
        let why = "texts that flows have spoken are not heard (`store.speech`)";
        needs.push(need(&format!("mod_{engine}"), wanted(used.speaks), why));
    }
    let why = "numbers and dates that flows speak are not heard, nor the slot of a parked call";
    let english = used.languages.is_empty().then_some(ENGLISH);
    for language in used.languages.iter().map(String::as_str).chain(english) {
        let severity = wanted(!used.languages.is_empty());
        needs.push(need(&format!("mod_say_{}", spoken(language)), severity, why));
    }
    needs
}

/// `pt` of `pt-BR`.
fn spoken(language: &str) -> String {
    language.split(['-', '_']).next().unwrap_or(language).to_ascii_lowercase()
}

pub(super) fn check(readings: &Readings) -> Vec<Finding> {
    let needs = needs(&readings.config, &readings.machine.used);
    readings.switches.iter().flat_map(|switch| one(switch, &needs)).collect()
}

fn one(switch: &Switch, needs: &[Need]) -> Vec<Finding> {
    let missing = needs.iter().filter_map(|need| match switch.modules.get(&need.module)? {
        Module::Loaded => None,
        Module::Missing { .. } if need.module == LOCAL_STREAM && !streams(switch) => None,
        Module::Missing { installed } => Some((need, *installed)),
    });
    let finding = |(need, installed): (&Need, bool)| {
        let what = format!("{} is not loaded", need.module);
        let found = Finding {
            severity: need.severity,
            ..Finding::error("switch-module-missing", &switch.name, what)
        };
        let remedy = remedy(&need.module, switch.conf_dir(), installed);
        found.because(need.why.clone()).remedy(remedy)
    };
    missing.map(finding).collect()
}

/// Whether any music is to come from `mod_local_stream`.
fn streams(switch: &Switch) -> bool {
    let own = switch.profiles.values().map(|profile| profile.hold_music.as_str());
    let global = switch.answers.said(Question::Global("hold_music"));
    own.chain(global).any(|music| music.starts_with("local_stream"))
}

/// How a module is loaded, now and at each start.
pub(super) fn remedy(module: &str, conf_dir: &str, installed: bool) -> String {
    let file = format!("{conf_dir}/autoload_configs/modules.conf.xml");
    let package = module.replace("mod_", "mod-").replace('_', "-");
    let first = if installed {
        String::new()
    } else {
        format!(
            "it is not installed: install the package freeswitch-{package} (or build it); then "
        )
    };
    format!(
        "{first}add `<load module=\"{module}\"/>` to {file} and type `fs_cli -x 'load {module}'`"
    )
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn without(module: &str, installed: bool) -> Vec<Finding> {
        let mut readings = sample::healthy();
        let modules = &mut readings.switches[0].modules;
        modules.insert(module.to_owned(), Module::Missing { installed });
        check(&readings)
    }

    #[test]
    fn a_module_that_is_not_loaded_is_named_with_the_line_that_loads_it() {
        let found = without("mod_sndfile", true);
        assert_eq!((found.len(), found[0].code), (1, "switch-module-missing"));
        assert!(found[0].is_error() && found[0].what.contains("mod_sndfile"));
        assert!(found[0].remedy.contains("<load module=\"mod_sndfile\"/>"), "{found:?}");
        assert!(!found[0].remedy.contains("package"));
        assert!(without("mod_say_en", false)[0].remedy.contains("freeswitch-mod-say-en"));
    }

    #[test]
    fn a_module_counts_only_where_something_uses_it() {
        assert_eq!(without("mod_local_stream", true), []);
        assert!(!without("mod_conference", true)[0].is_error());
        let mut readings = sample::healthy();
        readings.machine.used.meets = true;
        let missing = Module::Missing { installed: true };
        readings.switches[0].modules.insert("mod_conference".into(), missing);
        assert!(check(&readings)[0].is_error());
        let profile = readings.switches[0].profiles.values_mut().next().unwrap();
        profile.hold_music = "local_stream://moh".into();
        readings.switches[0].modules.insert(LOCAL_STREAM.into(), missing);
        assert_eq!(check(&readings).len(), 2);
    }

    #[test]
    fn settings_and_flows_say_what_is_needed() {
        let has = |config: &Config, used: &Used, module: &str| {
            needs(config, used).iter().any(|need| need.module == module)
        };
        let (mut config, mut used) = (Config::default(), Used::default());
        assert!(!has(&config, &used, "mod_xml_curl") && has(&config, &used, "mod_say_en"));
        config.xml_curl.listen = Some("127.0.0.1:8087".parse().unwrap());
        used.languages.insert("pt-BR".into());
        assert!(has(&config, &used, "mod_xml_curl") && has(&config, &used, "mod_say_pt"));
        assert!(!has(&config, &used, "mod_say_en"));
    }
}
