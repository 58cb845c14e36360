//! How FreeSWITCH's core is set: what it executes, takes, logs, and which codecs it has.

use std::collections::BTreeSet;

use super::super::answers::Question;
use super::super::switch::Switch;
use super::super::{Finding, Readings};
use crate::esl::inspect::{ConfigFile, codecs, load};

/// The oldest version that was tried: before it `app_disable_expand_variables` is missing.
const OLDEST: (u32, u32, u32) = (1, 10, 7);
/// So many of a hundred sessions in use are nearly all.
const NEARLY: u64 = 80;
/// FreeSWITCH's own range, where its settings name none (`switch_rtp.c`).
const RTP_DEFAULT: (u32, u32) = (16_384, 32_768);
/// The first of its levels that writes SIP and the dialplan's variables down.
const DEBUG: &str = "debug";

/// Codecs that profiles may name, and as what FreeSWITCH lists them.
const CODECS: [(&str, &str); 7] = [
    ("PCMU", "G.711 ulaw"),
    ("PCMA", "G.711 alaw"),
    ("G722", "G.722"),
    ("OPUS", "OPUS (STANDARD)"),
    ("GSM", "GSM"),
    ("G729", "G.729"),
    ("G726-32", "G.726 32k"),
];

pub(super) fn check(readings: &Readings) -> Vec<Finding> {
    let all = [version, expansion, ready, full, log_level, rtp_ports];
    let one = |switch: &Switch| -> Vec<Finding> {
        let found = all.iter().filter_map(|check| check(switch));
        found.chain(missing_codecs(switch)).collect()
    };
    readings.switches.iter().flat_map(one).collect()
}

fn version(switch: &Switch) -> Option<Finding> {
    let text = switch.answers.said(Question::Version)?;
    let version = numbers(text.split("Version ").nth(1)?)?;
    if version >= OLDEST {
        return None;
    }
    let what = format!("this is FreeSWITCH {}.{}.{}", version.0, version.1, version.2);
    let found = Finding::warning("switch-version-old", &switch.name, what);
    Some(
        found
            .because("Callwright was tried with 1.10.12; older ones lack what it relies on")
            .remedy("install FreeSWITCH 1.10.12 or newer"),
    )
}

/// `1.10.12-release…`
fn numbers(text: &str) -> Option<(u32, u32, u32)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let mut parts = text.get(..end)?.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next().flatten().unwrap_or_default()))
}

fn expansion(switch: &Switch) -> Option<Finding> {
    let said = switch.answers.said(Question::ApiExpansion)?;
    if !said.trim_end().ends_with("is on") {
        return None;
    }
    let what =
        "api-expansion is on: `${command argument}` in an application's argument runs that command";
    Some(
        Finding::error("switch-api-expansion", &switch.name, what)
            .because(
                "a caller's name or a SIP header that the dialplan puts into an argument is \
                 enough to run commands of FreeSWITCH, and with `system` programs of that \
                 machine",
            )
            .remedy(format!(
                "set `<param name=\"api-expansion\" value=\"false\"/>` in {}, and until the \
                 next start `fs_cli -x 'fsctl api_expansion off'`. Where the dialplan itself \
                 needs it, as FusionPBX's does, leave this out with `--except \
                 switch-api-expansion`",
                file(switch)
            )),
    )
}

fn file(switch: &Switch) -> String {
    let folder = switch.conf_dir();
    format!("{folder}/autoload_configs/switch.conf.xml")
}

fn ready(switch: &Switch) -> Option<Finding> {
    let load = load(switch.answers.said(Question::Status)?)?;
    if load.ready {
        return None;
    }
    let found =
        Finding::error("switch-not-ready", &switch.name, "FreeSWITCH says that it is not ready");
    Some(
        found.because("it takes no calls").remedy(
            "`fs_cli -x 'fsctl resume'` if it was paused; else its log says what it waits for",
        ),
    )
}

fn full(switch: &Switch) -> Option<Finding> {
    let load = load(switch.answers.said(Question::Status)?)?;
    let (sessions, most) = (load.sessions, load.sessions_max);
    if u64::from(sessions) * 100 < u64::from(most) * NEARLY {
        return None;
    }
    let what = format!("{sessions} of {most} sessions are in use; each leg is one");
    let found = Finding::warning("switch-full", &switch.name, what);
    Some(found.because("at the limit FreeSWITCH refuses every further call").remedy(format!(
        "raise `max-sessions` in {}, and until the next start `fs_cli -x 'fsctl max_sessions N'`",
        file(switch)
    )))
}

fn log_level(switch: &Switch) -> Option<Finding> {
    // `fsctl loglevel` without a level would switch all logs off (`switch_core.c` SCSC_LOGLEVEL).
    let level = switch.answers.param(ConfigFile::Switch, "loglevel")?;
    if !level.eq_ignore_ascii_case(DEBUG) {
        return None;
    }
    let found =
        Finding::warning("switch-loglevel", &switch.name, "FreeSWITCH logs at the level debug");
    Some(
        found
            .because(
                "keys that callers press and their numbers are in its logs, and a busy \
                 FreeSWITCH is slowed by them",
            )
            .remedy(format!(
                "set `loglevel` to `info` in {}, and until the next start `fs_cli -x 'fsctl \
                 loglevel info'`",
                file(switch)
            )),
    )
}

fn rtp_ports(switch: &Switch) -> Option<Finding> {
    let param = |name| switch.answers.param(ConfigFile::Switch, name)?.trim().parse::<u32>().ok();
    let load = load(switch.answers.said(Question::Status)?)?;
    let first = param("rtp-start-port").unwrap_or(RTP_DEFAULT.0);
    let last = param("rtp-end-port").unwrap_or(RTP_DEFAULT.1);
    // A leg takes two: one for sound, one for RTCP.
    let legs = last.saturating_sub(first) / 2;
    if legs >= load.sessions_max {
        return None;
    }
    let most = load.sessions_max;
    let what = format!(
        "ports {first} to {last} are enough for {legs} legs with sound, max-sessions is {most}"
    );
    let found = Finding::warning("switch-rtp-ports", &switch.name, what);
    Some(found.because("callers beyond that are connected and hear nothing").remedy(format!(
        "widen `rtp-start-port` and `rtp-end-port` in {} (and in the firewall), or lower \
         `max-sessions`; then restart FreeSWITCH",
        file(switch)
    )))
}

fn missing_codecs(switch: &Switch) -> Vec<Finding> {
    let Some(loaded) = switch.answers.said(Question::Codecs).and_then(|json| codecs(json).ok())
    else {
        return Vec::new();
    };
    let mut missing: BTreeSet<(&str, &str)> = BTreeSet::new();
    for (profile, network) in &switch.profiles {
        // `PCMU@20i`, `OPUS@48000h@20i`
        let named = network.codecs.split(',').filter_map(|codec| codec.split('@').next());
        let known = named.filter_map(|codec| CODECS.iter().find(|(name, _)| *name == codec.trim()));
        let gone = known.filter(|(_, long)| !loaded.iter().any(|one| one == long));
        missing.extend(gone.map(|(codec, _)| (*codec, profile.as_str())));
    }
    let finding = |(codec, profile): (&str, &str)| {
        let what = format!("the profile `{profile}` names the codec {codec}, which is not loaded");
        Finding::warning("switch-codec-missing", &switch.name, what)
            .because("phones that speak nothing else are refused (SIP 488)")
            .remedy(format!(
                "load its module (OPUS: mod_opus, G722: mod_spandsp) in \
                 autoload_configs/modules.conf.xml, or take {codec} out of the profile's codecs"
            ))
    };
    missing.into_iter().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn changed(question: Question, from: &str, to: &str) -> Vec<Finding> {
        let mut readings = sample::healthy();
        sample::change(&mut readings, question, from, to);
        check(&readings)
    }

    #[test]
    fn api_expansion_is_found_with_the_parameter_that_ends_it() {
        let found = changed(Question::ApiExpansion, "is off", "is on");
        assert_eq!((found.len(), found[0].code), (1, "switch-api-expansion"));
        assert!(found[0].is_error() && found[0].remedy.contains("api-expansion"));
    }

    #[test]
    fn what_the_core_says_of_itself_is_judged() {
        for (question, from, to, code) in [
            (Question::Version, "1.10.12", "1.8.7", "switch-version-old"),
            (Question::Status, "is ready", "is not ready", "switch-not-ready"),
            (Question::Status, "0 session(s) - peak", "900 session(s) - peak", "switch-full"),
            (Question::Settings(ConfigFile::Switch), "\"info\"", "\"debug\"", "switch-loglevel"),
            (Question::Status, "1000 session(s) max", "9000 session(s) max", "switch-rtp-ports"),
        ] {
            let found = changed(question, from, to);
            assert_eq!(found.iter().map(|one| one.code).collect::<Vec<_>>(), [code]);
        }
    }

    #[test]
    fn a_codec_that_only_a_profile_knows_is_found() {
        let mut readings = sample::healthy();
        readings.switches[0].profiles.get_mut("external").unwrap().codecs =
            "PCMU,OPUS@48000h@20i".into();
        assert_eq!(check(&readings), []);
        sample::change(&mut readings, Question::Codecs, "OPUS", "SPEEX");
        let found = check(&readings);
        assert_eq!(found.iter().map(|one| one.code).collect::<Vec<_>>(), ["switch-codec-missing"]);
        assert!(found[0].what.contains("OPUS"), "{found:?}");
    }
}
