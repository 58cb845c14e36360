//! This machine beside its disks and ports: the database, keys, certificates, memory, and what
//! FreeSWITCH asks us for.

use super::super::answers::Question;
use super::super::switch::{Reach, Switch};
use super::super::xml::elements;
use super::super::{Finding, Readings, WHOLE};
use crate::esl::inspect::ConfigFile;
use crate::store::Shape;

/// Memory that should be available, in thousandths.
const MEMORY: u64 = 50;
/// How long before its end a certificate is told of.
const CERTIFICATE_DAYS: i64 = 21;
/// Bits of a key file's mode that nobody but its owner may have.
const OTHERS: u32 = 0o077;
const DAY_S: i64 = 86_400;

pub(super) fn check(readings: &Readings) -> Vec<Finding> {
    let mut found: Vec<Finding> = database(readings).into_iter().collect();
    found.extend(keys(readings));
    found.extend(certificate(readings));
    found.extend(memory(readings));
    found.extend(readings.switches.iter().filter_map(|switch| asks(switch, readings)));
    found
}

fn database(readings: &Readings) -> Option<Finding> {
    let name = String::from(readings.config.store.database.clone());
    let error = |code, what| Finding::error(code, WHOLE, what);
    let warning = |code, what| Finding::warning(code, WHOLE, what);
    let (found, why, remedy) = match &readings.machine.database {
        Ok(Shape::Current) => return None,
        Err(why) => (
            error("database-unreachable", format!("{name}: {why}")),
            "calls go on with what is in memory; nothing can be changed, and records wait in \
             the spool",
            "start the database, or correct `store.database` in callwright.toml (`callwright \
             check` tries it)",
        ),
        Ok(Shape::Empty) => (
            warning("database-empty", format!("{name} has no tables yet")),
            "there is no tenant and no flow: every call is refused",
            "`callwright tenant add …` or the first start of the daemon makes them; if there \
             should be some, correct `store.database` in callwright.toml",
        ),
        Ok(Shape::Behind { has, wants }) => (
            warning("database-behind", format!("{name} has tables {has}, this program {wants}")),
            "an older Callwright runs, or ran last",
            "start the daemon: it brings the tables up to date",
        ),
        Ok(Shape::Ahead { has, knows }) => (
            error("database-ahead", format!("{name} has tables {has}, this program {knows}")),
            "this Callwright can't use it and does not start",
            "install the newer Callwright that has been here (`callwright --version`), or \
             restore a backup from before",
        ),
        Ok(Shape::Broken { step }) => (
            error("database-broken", format!("step {step} of {name} did not come to its end")),
            "no Callwright can use the database like this",
            "restore the backup from before the upgrade, and start the daemon again",
        ),
    };
    Some(found.because(why).remedy(remedy))
}

fn keys(readings: &Readings) -> Vec<Finding> {
    let finding = |file: &super::super::machine::KeyFile| {
        let path = file.path.display();
        let mode = file.mode?;
        let found = if mode & OTHERS != 0 {
            let what = format!(
                "the key file {path} (`{}`) is open to others: {:04o}",
                file.setting,
                mode & 0o7777
            );
            Finding::error("key-file-open", WHOLE, what)
                .because(
                    "the daemon does not start with it; whoever read it can read calls' state \
                     and recordings",
                )
                .remedy(format!(
                    "`chmod 600 {path}`; if somebody may have read it, put a new key on its \
                     first line"
                ))
        } else if !file.readable {
            let what = format!(
                "the key file {path} (`{}`) can't be read by the user who asks",
                file.setting
            );
            Finding::warning("key-file-unreadable", WHOLE, what)
                .because("if the daemon runs as this user, it does not start")
                .remedy(format!("`chown` {path} to the daemon's user"))
        } else {
            return None;
        };
        Some(found)
    };
    readings.machine.key_files.iter().filter_map(finding).collect()
}

fn certificate(readings: &Readings) -> Option<Finding> {
    let (file, ends) = readings.machine.certificate.as_ref()?;
    let file = file.display();
    let why = "programs that ask the HTTP API refuse to speak to it";
    let remedy = format!(
        "renew it and put it there (`api.tls.certificate`): {file} is read again by itself"
    );
    let finding = |what: String, is_error: bool| {
        let found = if is_error {
            Finding::error("certificate-ends", WHOLE, what)
        } else {
            Finding::warning("certificate-ends", WHOLE, what)
        };
        Some(found.because(why).remedy(remedy))
    };
    match ends {
        Err(error) => finding(format!("the API's certificate {file} can't be read: {error}"), true),
        Ok(at) => {
            let left = at.as_second() - readings.machine.now.as_second();
            match left {
                ..=0 => finding(format!("the API's certificate {file} ended at {at}"), true),
                1.. if left < CERTIFICATE_DAYS * DAY_S => finding(
                    format!("the API's certificate {file} ends in {} days", left / DAY_S),
                    false,
                ),
                _ => None,
            }
        }
    }
}

fn memory(readings: &Readings) -> Option<Finding> {
    let memory = readings.machine.memory?;
    if memory.available.saturating_mul(1_000) >= memory.all.saturating_mul(MEMORY) {
        return None;
    }
    let what =
        format!("{} of {} MiB of memory are available", memory.available >> 20, memory.all >> 20);
    let found = Finding::warning("memory-low", WHOLE, what);
    Some(found.because("when it is used up, the system ends FreeSWITCH or Callwright, and their \
        calls").remedy(
        "`ps aux --sort=-rss | head` shows who has it; set `limits.memory` in callwright.toml, \
         so that calls are refused before",
    ))
}

/// Whether FreeSWITCH asks us for gateways and phones, where we would answer.
fn asks(switch: &Switch, readings: &Readings) -> Option<Finding> {
    let listen = readings.config.xml_curl.listen?;
    if switch.reach != Reach::Up || !switch.answers.has(Question::Settings(ConfigFile::XmlCurl)) {
        return None;
    }
    let text = switch.answers.said(Question::Settings(ConfigFile::XmlCurl)).unwrap_or_default();
    let port = format!(":{}", listen.port());
    let is_bound = elements(text).iter().any(|one| {
        let url = one.get("value").unwrap_or_default();
        let bindings = one.get("bindings").unwrap_or_default();
        one.get("name") == Some("gateway-url")
            && url.split('/').any(|part| part.ends_with(&port))
            && bindings.contains("directory")
            && bindings.contains("configuration")
    });
    if is_bound {
        return None;
    }
    let what = format!(
        "no binding of FreeSWITCH's xml_curl.conf asks {listen} for `directory|configuration`"
    );
    let found = Finding::error("xml-curl-none", &switch.name, what);
    let folder = switch.conf_dir();
    Some(
        found
            .because(
                "gateways, phones and SIP profiles that are kept in Callwright are not there \
                 for FreeSWITCH",
            )
            .remedy(format!(
                "put freeswitch-conf/autoload_configs/xml_curl.conf.xml of Callwright into \
                 {folder}/autoload_configs/ with `gateway-url` http://{listen}/freeswitch, load \
                 mod_xml_curl before mod_sofia, and restart FreeSWITCH"
            )),
    )
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::super::super::machine::{KeyFile, Memory};
    use super::super::sample;
    use super::*;

    fn code(change: impl FnOnce(&mut Readings)) -> Option<(&'static str, bool)> {
        let mut readings = sample::healthy();
        change(&mut readings);
        check(&readings).first().map(|found| (found.code, found.is_error()))
    }

    #[test]
    fn each_state_of_the_database_has_its_own_word() {
        for (shape, expected) in [
            (Ok(Shape::Current), None),
            (Ok(Shape::Empty), Some(("database-empty", false))),
            (Ok(Shape::Behind { has: 1, wants: 2 }), Some(("database-behind", false))),
            (Ok(Shape::Ahead { has: 3, knows: 2 }), Some(("database-ahead", true))),
            (Ok(Shape::Broken { step: 2 }), Some(("database-broken", true))),
            (Err("gone".into()), Some(("database-unreachable", true))),
        ] {
            assert_eq!(code(|readings| readings.machine.database = shape), expected);
        }
    }

    #[test]
    fn keys_that_others_can_read_are_found() {
        let file = |mode, readable| KeyFile {
            setting: "handover.keys",
            path: "/k".into(),
            mode,
            readable,
        };
        for (mode, readable, expected) in [
            (None, false, None),
            (Some(0o100_600), true, None),
            (Some(0o100_640), true, Some(("key-file-open", true))),
            (Some(0o100_600), false, Some(("key-file-unreadable", false))),
        ] {
            let found = code(|readings| readings.machine.key_files = vec![file(mode, readable)]);
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_certificate_is_told_of_before_it_ends() {
        let ends = |hours: i64| {
            code(|readings| {
                let at: Timestamp = readings.machine.now + SignedDuration::from_hours(hours);
                readings.machine.certificate = Some(("/c.pem".into(), Ok(at)));
            })
        };
        assert_eq!(ends(24 * 40), None);
        assert_eq!(ends(24 * 10), Some(("certificate-ends", false)));
        assert_eq!(ends(-1), Some(("certificate-ends", true)));
    }

    #[test]
    fn little_memory_and_a_freeswitch_that_asks_nobody_are_found() {
        let low = Some(Memory { all: 1_000 << 20, available: 49 << 20 });
        assert_eq!(code(|readings| readings.machine.memory = low), Some(("memory-low", false)));
        let listen = |port| {
            move |readings: &mut Readings| {
                readings.config.xml_curl.listen = Some(([127, 0, 0, 1], port).into());
            }
        };
        assert_eq!(code(listen(8_087)), None);
        assert_eq!(code(listen(8_088)), Some(("xml-curl-none", true)));
    }
}
