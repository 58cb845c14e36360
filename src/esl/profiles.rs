//! Profiles of `mod_sofia`: which there are, and how one is.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::Event as XmlEvent;

/// Things in one answer, at most.
const RECORDS_MAX: usize = 20_000;

/// A profile that runs. One that has TLS, too, is listed twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileRow {
    pub name: String,
    /// Where it is reached.
    pub url: String,
    /// Legs on it.
    pub calls: u32,
}

/// More about one profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileInfo {
    /// Its `presence-hosts`.
    pub hosts: String,
    /// Phones that are registered there.
    pub registrations: u32,
}

/// Reads the answer to `sofia xmlstatus` (`mod_sofia.c` cmd_xml_status).
///
/// # Errors
/// A sentence when it is not that answer.
pub fn profiles(xml: &str) -> Result<Vec<ProfileRow>, String> {
    let rows = records(xml, "profiles", "profile")?;
    let row = |mut fields: Fields| {
        let mut take = |name: &str| fields.remove(name).unwrap_or_default();
        // `RUNNING (2)`, `RUNNING (2) (TLS)`
        let state = take("state");
        let count = state.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
        let calls = count.and_then(|(count, _)| count.parse().ok()).unwrap_or_default();
        ProfileRow { name: take("name"), url: take("data"), calls }
    };
    Ok(rows.into_iter().map(row).collect())
}

/// Reads the answer to `sofia xmlstatus profile NAME`; none where no such profile runs.
///
/// # Errors
/// A sentence when it is not that answer.
pub fn profile(xml: &str) -> Result<Option<ProfileInfo>, String> {
    if xml.trim_start().starts_with("Invalid Profile") {
        return Ok(None);
    }
    let found = records(xml, "profile", "profile-info")?.into_iter().next();
    let mut fields = found.ok_or("that says nothing of a profile")?;
    let mut take = |name: &str| fields.remove(name).unwrap_or_default();
    let registrations = take("registrations").parse().unwrap_or_default();
    Ok(Some(ProfileInfo { hosts: take("pres-hosts"), registrations }))
}

pub(super) type Fields = BTreeMap<String, String>;

/// The fields of each such element of a list. Only what has no characters of XML in it is read as
/// it is: FreeSWITCH does not escape the rest everywhere (`mod_sofia.c` xml_gateway_status).
pub(super) fn records(xml: &str, list: &str, element: &str) -> Result<Vec<Fields>, String> {
    let mut reader = Reader::from_str(xml);
    reader.config_mut().check_end_names = false;
    reader.config_mut().allow_dangling_amp = true;
    let (mut all, mut own, mut field) = (Vec::new(), None::<Fields>, String::new());
    let mut whole = false;
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            XmlEvent::Start(tag) if tag.name().as_ref() == element.as_bytes() => {
                own = Some(Fields::new());
            }
            XmlEvent::Start(tag) => {
                field = String::from_utf8_lossy(tag.name().as_ref()).into_owned();
            }
            XmlEvent::Text(text) => {
                if let Some(own) = own.as_mut().filter(|_| !field.is_empty()) {
                    let text = String::from_utf8_lossy(&text).into_owned();
                    own.entry(field.clone()).or_insert(text);
                }
            }
            XmlEvent::End(tag) => {
                field.clear();
                if tag.name().as_ref() == element.as_bytes() {
                    all.extend(own.take());
                }
                whole |= tag.name().as_ref() == list.as_bytes();
            }
            XmlEvent::Eof => break,
            _ => {}
        }
        if all.len() > RECORDS_MAX {
            return Err(format!("there are more than {RECORDS_MAX}"));
        }
    }
    if whole { Ok(all) } else { Err(format!("that has no `{list}`, or not all of it")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_listed_with_their_calls_and_gateways_are_passed_over() {
        let xml = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<profiles>\n\
            <profile>\n<name>cw-a</name>\n<type>profile</type>\n\
            <data>sip:mod_sofia@192.0.2.1:5070</data>\n<state>RUNNING (3)</state>\n</profile>\n\
            <profile>\n<name>cw-a</name>\n<type>profile</type>\n\
            <data>sip:mod_sofia@192.0.2.1:5071;transport=tls</data>\n\
            <state>RUNNING (3) (TLS)</state>\n</profile>\n\
            <gateway>\n<name>x</name>\n<data>sip:a&b@c</data>\n<state>TRYING</state>\n</gateway>\n \
            (retry: 3s)\n\
            <alias>\n<name>127.0.0.1</name>\n<type>alias</type>\n<data>internal</data>\n\
            <state>ALIASED</state>\n</alias>\n</profiles>\n";
        let row = |url: &str| ProfileRow { name: "cw-a".into(), url: url.into(), calls: 3 };
        let urls = ["sip:mod_sofia@192.0.2.1:5070", "sip:mod_sofia@192.0.2.1:5071;transport=tls"];
        assert_eq!(profiles(xml), Ok(urls.map(row).to_vec()));
        assert_eq!(profiles("<profiles>\n</profiles>\n"), Ok(Vec::new()));
        for bad in ["", "-ERR no reply\n", "<profiles><profile><name>a</name></profile>"] {
            assert!(profiles(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_told_of_one_profile_is_its_mark_and_its_phones() {
        let xml = "<profile>\n  <profile-info>\n    <name>cw-a</name>\n    \
            <pres-hosts>callwright-1</pres-hosts>\n    <dialplan>XML</dialplan>\n    \
            <registrations>12</registrations>\n  </profile-info>\n</profile>\n";
        let info = ProfileInfo { hosts: "callwright-1".into(), registrations: 12 };
        assert_eq!(profile(xml), Ok(Some(info)));
        assert_eq!(profile("Invalid Profile!\n"), Ok(None));
        assert!(profile("<profile>\n  <profile-info>\n").is_err());
    }
}
