//! What FreeSWITCH reads: documents of its XML, made by a library, so that no value leaves its
//! place.

use quick_xml::Writer;
use quick_xml::escape::escape;
use quick_xml::events::{BytesEnd, BytesStart, Event};

use crate::model::sip::{ENCRYPTED_ONLY, ENCRYPTION_OUT, MediaEncryption};
use crate::sip::account::{Account, MARK};
use crate::sip::picture::Phone;
use crate::sip::profile::SofiaProfile;

/// How `user/NUMBER@DOMAIN` finds a phone: by its registration. The usual `${sofia_contact(…)}` is
/// an API call, which may be switched off.
const DIAL: &str = "{^^:sip_invite_domain=${dialed_domain}:\
     presence_id=${dialed_user}@${dialed_domain}}";
const LEG: &str = "sofia/PROFILE/${dialed_user}%${dialed_domain}";

/// A document that is being written.
struct Document(Writer<Vec<u8>>);

impl Document {
    /// An element and what is in it. Writing into memory can't fail.
    fn within(&mut self, name: &str, attributes: &[(&str, &str)], inner: impl FnOnce(&mut Self)) {
        drop(self.0.write_event(Event::Start(start(name, attributes))));
        inner(self);
        drop(self.0.write_event(Event::End(BytesEnd::new(name))));
    }

    fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        drop(self.0.write_event(Event::Empty(start(name, attributes))));
    }

    fn param(&mut self, name: &str, value: &str) {
        self.empty("param", &[("name", name), ("value", value)]);
    }

    fn text(self) -> String {
        String::from_utf8_lossy(&self.0.into_inner()).into_owned()
    }
}

fn start<'a>(name: &'a str, attributes: &[(&str, &str)]) -> BytesStart<'a> {
    let mut tag = BytesStart::new(name);
    for (name, value) in attributes {
        // `$${…}` is replaced wherever FreeSWITCH reads XML (`switch_xml.c` expand_vars).
        let value = escape(*value).replace('$', "&#36;");
        tag.push_attribute((name.as_bytes(), value.as_bytes()));
    }
    tag
}

fn document(section: &str, inner: impl FnOnce(&mut Document)) -> String {
    let mut document = Document(Writer::new(Vec::new()));
    document.within("document", &[("type", "freeswitch/xml")], |document| {
        document.within("section", &[("name", section)], inner);
    });
    document.text()
}

/// That it is not ours: FreeSWITCH goes on to its next source (`switch_xml.c` switch_xml_locate).
pub(super) fn nothing() -> String {
    document("result", |document| document.empty("result", &[("status", "not found")]))
}

/// The gateways of a profile, as it looks for them: in users of a domain (`sofia.c`
/// parse_domain_tag).
pub(super) fn gateways<'a>(domain: &str, all: impl Iterator<Item = &'a Account>) -> String {
    document("directory", |document| {
        document.within("domain", &[("name", domain)], |document| {
            for account in all {
                document.within("user", &[("id", account.name.as_str())], |document| {
                    document.within("gateways", &[], |document| gateway(document, account));
                });
            }
        });
    })
}

fn gateway(document: &mut Document, account: &Account) {
    document.within("gateway", &[("name", account.name.as_str())], |document| {
        for (name, value) in &account.params {
            document.param(name, value);
        }
        if let Some(password) = &account.password {
            document.param("password", password.reveal());
        }
        document.within("variables", &[], |document| {
            for (name, value) in &account.variables {
                document.empty("variable", &[("name", name), ("value", value)]);
            }
            let mark = [("name", MARK), ("value", &account.mark), ("direction", "outbound")];
            document.empty("variable", &mark);
        });
    });
}

/// A Sofia profile, alone: FreeSWITCH's file has the others.
pub(super) fn profile(profile: &SofiaProfile) -> String {
    document("configuration", |document| {
        document.within("configuration", &[("name", "sofia.conf")], |document| {
            document.within("profiles", &[], |document| {
                document.within("profile", &[("name", &profile.name)], |document| {
                    document.within("domains", &[], |document| {
                        let own = [("name", profile.domain), ("alias", "false"), ("parse", "true")];
                        document.empty("domain", &own);
                    });
                    document.within("settings", &[], |document| {
                        for (name, value) in &profile.params {
                            document.param(name, value);
                        }
                    });
                });
            });
        });
    })
}

/// Networks as FreeSWITCH's lists take them from a domain's users (`switch_core.c`
/// switch_load_network_lists).
pub(super) fn networks(domain: &str, all: impl Iterator<Item = String>) -> String {
    document("directory", |document| {
        document.within("domain", &[("name", domain)], |document| {
            for (nth, cidr) in all.enumerate() {
                let id = format!("network-{nth}");
                document.empty("user", &[("id", &id), ("cidr", &cidr)]);
            }
        });
    })
}

/// A phone, the profiles at which it may have registered, each with what it asks for calls, and
/// what is asked by the profile over which it speaks itself.
pub(super) fn phone(
    domain: &str,
    phone: &Phone,
    context: &str,
    profiles: &[(String, MediaEncryption)],
    asks: MediaEncryption,
) -> String {
    let leg = |(profile, asks): &(String, MediaEncryption)| {
        let asked = phone.encryption.max(*asks).word();
        let asked = asked.map(|word| format!("[{ENCRYPTION_OUT}={word}]"));
        format!("{}{}", asked.unwrap_or_default(), LEG.replace("PROFILE", profile))
    };
    let dial = format!("{DIAL}{}", profiles.iter().map(leg).collect::<Vec<_>>().join(","));
    document("directory", |document| {
        document.within("domain", &[("name", domain)], |document| {
            document.within("params", &[], |document| document.param("dial-string", &dial));
            document.within("user", &[("id", &phone.number)], |document| {
                document.within("params", &[], |document| {
                    document.param("a1-hash", phone.a1_hash.reveal());
                });
                document.within("variables", &[], |document| {
                    let shown = if phone.shown.is_empty() { &phone.number } else { &phone.shown };
                    for (name, value) in [
                        ("domain_name", domain),
                        ("user_context", context),
                        ("effective_caller_id_number", &phone.number),
                        ("effective_caller_id_name", shown),
                    ] {
                        document.empty("variable", &[("name", name), ("value", value)]);
                    }
                    if phone.encryption.max(asks) == MediaEncryption::Required {
                        let (name, value) = ENCRYPTED_ONLY;
                        document.empty("variable", &[("name", name), ("value", value)]);
                    }
                });
            });
        });
    })
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::base::masked::Masked;
    use crate::model::gateway::GatewaySettings;

    /// Every printable character of ASCII, and others.
    fn every() -> String {
        (' '..='~').chain("äß€😀".chars()).collect()
    }

    fn account(password: &str) -> Account {
        let settings = GatewaySettings::at("sip.example".parse().unwrap());
        let secret = Masked::new(Zeroizing::new(password.to_owned()));
        let name = "cw-1".parse().unwrap();
        Account::new(name, &settings, "external", "callwright", (Some(secret), 1))
    }

    #[test]
    fn a_password_of_every_character_is_read_back_as_it_was() {
        let every = every();
        let text = gateways("callwright", std::iter::once(&account(&every)));
        assert!(!text.contains('$'), "FreeSWITCH would replace it: {text}");
        let read = roxmltree::Document::parse(&text).unwrap();
        let param = read.descendants().find(|node| node.attribute("name") == Some("password"));
        assert_eq!(param.unwrap().attribute("value"), Some(every.as_str()));
        let path: Vec<_> =
            param.unwrap().ancestors().skip(1).map(|node| node.tag_name().name()).collect();
        assert_eq!(path, ["gateway", "gateways", "user", "domain", "section", "document", ""]);
    }

    #[test]
    fn no_value_leaves_its_place() {
        let hostile = "\"/><gateway name=\"x\"/><!-- ]]> & '";
        let text = gateways("callwright", std::iter::once(&account(hostile)));
        let read = roxmltree::Document::parse(&text).unwrap();
        let found = read.descendants().filter(|node| node.has_tag_name("gateway")).count();
        assert_eq!(found, 1, "{text}");
    }

    #[test]
    fn a_profile_is_told_alone_and_no_value_of_it_leaves_its_place() {
        let hostile = "\"/></settings><profile name='x'> $${secret} & <!--";
        let told = SofiaProfile::with_params("cw-a", vec![("sip-ip", hostile.to_owned())]);
        let text = profile(&told);
        assert!(!text.contains('$'), "FreeSWITCH would replace it: {text}");
        let read = roxmltree::Document::parse(&text).unwrap();
        let names = |tag: &str| {
            let found = read.descendants().filter(|node| node.has_tag_name(tag));
            found.filter_map(|node| node.attribute("name")).collect::<Vec<_>>()
        };
        assert_eq!((names("profile"), names("domain")), (vec!["cw-a"], vec!["callwright"]));
        let param = read.descendants().find(|node| node.has_tag_name("param")).unwrap();
        assert_eq!(param.attribute("value"), Some(hostile));
        let path: Vec<_> = param.ancestors().map(|node| node.tag_name().name()).collect();
        let expected = ["param", "settings", "profile", "profiles", "configuration", "section"];
        assert_eq!(path[..6], expected);
    }

    #[test]
    fn a_phone_is_told_by_its_hash_alone() {
        let told = Phone {
            tenant: crate::base::ids::TenantId(uuid::Uuid::nil()),
            number: "1001".into(),
            shown: String::new(),
            encryption: MediaEncryption::Off,
            a1_hash: Masked::new(Zeroizing::new("abcdef".into())),
        };
        let (off, only) = (MediaEncryption::Off, MediaEncryption::Required);
        let value = |name: &str, profiles: &[(&str, MediaEncryption)], asks| {
            let all = profiles.iter().map(|(name, asks)| ((*name).to_owned(), *asks));
            let all: Vec<_> = all.collect();
            let text = phone("acme.example", &told, "callwright", &all, asks);
            let read = roxmltree::Document::parse(&text).unwrap();
            let node = read.descendants().find(|node| node.attribute("name") == Some(name));
            node.and_then(|node| node.attribute("value")).map(str::to_owned)
        };
        let plain = |name: &str| value(name, &[("internal", off)], off);
        assert_eq!(plain("a1-hash").as_deref(), Some("abcdef"));
        assert_eq!(plain("password"), None);
        assert_eq!(plain("effective_caller_id_name").as_deref(), Some("1001"));
        let dial = plain("dial-string").unwrap();
        assert!(dial.ends_with("}sofia/internal/${dialed_user}%${dialed_domain}"), "{dial}");
        assert_eq!(plain("callwright_encryption"), None);
        let strict = value("callwright_encryption", &[("internal", off)], only);
        assert_eq!(strict.as_deref(), Some("required"));
        let both = value("dial-string", &[("cw-a", only), ("internal", off)], off).unwrap();
        let legs = "}[rtp_secure_media_outbound=mandatory]\
                    sofia/cw-a/${dialed_user}%${dialed_domain},\
                    sofia/internal/${dialed_user}%${dialed_domain}";
        assert!(both.ends_with(legs), "{both}");
    }
}
