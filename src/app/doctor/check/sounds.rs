//! Whether FreeSWITCH has what callers are to hear.

use std::path::Path;

use super::super::switch::Switch;
use super::super::used::UsedPrompt;
use super::super::xml::elements;
use super::super::{Finding, Readings};

/// The language of a flow that names none.
pub(in super::super) const ENGLISH: &str = "en";
/// Prompts that are named; the others are counted.
const NAMED: usize = 3;
/// Rates for which `mod_sndfile` looks in folders of their own (`mod_sndfile.c`
/// sndfile_file_open).
const RATES: [&str; 4] = ["8000", "16000", "32000", "48000"];

/// Files in which a language's word for one may be, by what FreeSWITCH says of the language.
pub(in super::super) fn words(language: &str, sound_prefix: &str) -> Vec<String> {
    let elements = elements(language);
    let own = elements.iter().find(|element| element.name == "language");
    let prefix = own.and_then(|own| own.get("sound-prefix").or_else(|| own.get("sound-path")));
    let prefix = prefix.unwrap_or(sound_prefix).trim_end_matches('/');
    let plain = std::iter::once(format!("{prefix}/digits/1.wav"));
    plain.chain(RATES.iter().map(|rate| format!("{prefix}/digits/{rate}/1.wav"))).collect()
}

pub(super) fn check(readings: &Readings) -> Vec<Finding> {
    let one = |switch| missing(switch, readings).into_iter().chain(silent(switch, readings));
    readings.switches.iter().flat_map(one).collect()
}

fn missing(switch: &Switch, readings: &Readings) -> Vec<Finding> {
    let prompts = &readings.machine.used.prompts;
    let gone = prompts.iter().filter(|prompt| switch.files.get(&prompt.path) == Some(&false));
    let gone: Vec<_> = gone.collect();
    let hidden: Vec<_> =
        prompts.iter().filter(|prompt| switch.unreadable.contains(&prompt.path)).collect();
    let mut found = Vec::new();
    if !gone.is_empty() {
        let is_here = |prompt: &&UsedPrompt| Path::new(&prompt.path).exists();
        let remedy = if switch.is_here && gone.iter().all(is_here) {
            "the files are on this machine, and FreeSWITCH's user can't come to them: `namei -l \
             FILE` shows which part of the path keeps it out"
        } else if switch.is_here {
            "put the files there, or upload the prompts again (`callwright prompt upload`)"
        } else {
            "put the files on FreeSWITCH's machine under these names, or share \
             `prompts.directory` with it and upload them (`callwright prompt upload`)"
        };
        let what = format!("FreeSWITCH has no file for {}", named(&gone));
        found.push(Finding::error("prompt-missing", &switch.name, what).remedy(remedy));
    }
    if !hidden.is_empty() {
        let what = format!("FreeSWITCH's user can't read the file of {}", named(&hidden));
        let remedy = "`chmod a+r` the files, or give them to FreeSWITCH's group";
        found.push(Finding::error("prompt-unreadable", &switch.name, what).remedy(remedy));
    }
    let why = "callers hear nothing where these are to be played, and menus seem dead";
    found.into_iter().map(|found| found.because(why)).collect()
}

/// `welcome of acme (/p/welcome.wav), … and 4 more`.
fn named(prompts: &[&UsedPrompt]) -> String {
    let first = prompts.iter().take(NAMED);
    let first =
        first.map(|one| format!("the prompt `{}` of {} ({})", one.name, one.tenant, one.path));
    let rest = prompts.len().saturating_sub(NAMED);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    first.collect::<Vec<_>>().join(", ") + &more
}

fn silent(switch: &Switch, readings: &Readings) -> Vec<Finding> {
    let used = &readings.machine.used.languages;
    let without = switch.words.iter().filter(|(_, files)| {
        let mut asked = files.iter().filter_map(|file| switch.files.get(file)).peekable();
        asked.peek().is_some() && asked.all(|there| !there)
    });
    let finding = |(language, files): (&String, &Vec<String>)| {
        let first = files.first().map(String::as_str).unwrap_or_default();
        let folder = first.strip_suffix("/digits/1.wav").unwrap_or(first);
        let what =
            format!("FreeSWITCH has no recorded words for the language `{language}` in {folder}");
        let found = if used.contains(language) {
            Finding::error("sounds-missing", &switch.name, what)
                .because("flows speak numbers or dates in it, and callers hear nothing there")
        } else {
            Finding::warning("sounds-missing", &switch.name, what).because(
                "numbers and dates that a flow speaks, and the slot of a parked call, are not \
                 heard",
            )
        };
        found.remedy(format!(
            "install FreeSWITCH's sounds (package freeswitch-sounds-en-us-callie, or `make \
             cd-sounds-install` in its sources; other languages have packages of their own), or \
             correct `sound-prefix` in lang/{language}/{language}.xml and `fs_cli -x reloadxml`"
        ))
    };
    without.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn words_are_looked_for_where_the_language_says() {
        let english = include_str!("../../../../tests/data/doctor/language.txt");
        let files = words(english, "/nowhere");
        assert!(files[0].ends_with("/en/us/callie/digits/1.wav"), "{files:?}");
        assert!(files[1].ends_with("/en/us/callie/digits/8000/1.wav"), "{files:?}");
        assert_eq!(words("can't find anything", "/s/")[0], "/s/digits/1.wav");
    }

    #[test]
    fn a_prompt_without_its_file_is_named() {
        let mut readings = sample::healthy();
        let path = "/prompts/welcome.wav".to_owned();
        let (tenant, name) = ("acme".into(), "welcome".into());
        readings.machine.used.prompts.push(UsedPrompt { tenant, name, path: path.clone() });
        readings.switches[0].files.insert(path.clone(), true);
        assert_eq!(check(&readings), []);
        readings.switches[0].unreadable.insert(path.clone());
        assert_eq!(check(&readings)[0].code, "prompt-unreadable");
        readings.switches[0].unreadable.clear();
        readings.switches[0].files.insert(path, false);
        let found = check(&readings);
        assert_eq!((found[0].code, found[0].is_error()), ("prompt-missing", true));
        assert!(found[0].what.contains("`welcome` of acme"), "{found:?}");
    }

    #[test]
    fn missing_words_are_worse_where_a_flow_speaks_them() {
        let mut readings = sample::healthy();
        let files = words("", "/s");
        readings.switches[0].files.extend(files.iter().map(|file| (file.clone(), false)));
        readings.switches[0].words.insert("en".into(), files.clone());
        assert!(!check(&readings)[0].is_error());
        readings.machine.used.languages.insert("en".into());
        assert!(check(&readings)[0].is_error());
        readings.switches[0].files.insert(files[1].clone(), true);
        assert_eq!(check(&readings), []);
    }
}
