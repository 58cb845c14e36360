//! From what an author wrote to a target that can be dialed. Whatever the values hold, only the
//! characters of a number or a user's name come through.

use super::output::DialAddress;
use crate::base::ids::GatewayName;
use crate::flow::kind::dial::Address;
use crate::flow::program::Settings;

/// Characters of an extension, number or SIP user.
const ADDRESS_MAX: usize = 64;

/// A target that can be dialed, or why it can't.
pub(in crate::call) fn dialable(
    address: &Address,
    text: &str,
    settings: &Settings,
) -> Result<DialAddress, String> {
    match address {
        Address::Extension { .. } => {
            let extension = user(text).ok_or("that is not an extension")?;
            let domain = settings.domain.clone();
            Ok(DialAddress::Extension { extension, domain })
        }
        Address::Number { gateway, .. } => {
            let number = number(text).ok_or("that is not a number")?;
            outside(number, gateway.as_ref(), settings)
        }
        Address::Sip { .. } => {
            let address = text.trim();
            let address = address.strip_prefix("sip:").unwrap_or(address);
            let (name, host) = address.split_once('@').ok_or("that is not a SIP address")?;
            let allowed = settings.sip_hosts.iter().find(|known| known.eq_ignore_ascii_case(host));
            let host = allowed.ok_or("that host is not allowed")?.clone();
            Ok(DialAddress::Sip { user: user(name).ok_or("that is not a SIP user")?, host })
        }
    }
}

/// A number outside, by the gateway that is named, or by one that is found.
pub(in crate::call) fn outside(
    number: String,
    gateway: Option<&GatewayName>,
    settings: &Settings,
) -> Result<DialAddress, String> {
    let unknown = |name: &GatewayName| format!("gateway `{name}` is not the tenant's");
    let named = gateway.map(|name| settings.gateway(name).ok_or_else(|| unknown(name)));
    let named = named.transpose()?;
    if settings.decides_outside {
        return Ok(DialAddress::Outside { number, gateway: named.cloned() });
    }
    let gateway = named.or_else(|| settings.first_gateway());
    let gateway = gateway.ok_or("the tenant has no gateway")?.clone();
    Ok(DialAddress::Number { number, gateway, most: None, shown: None })
}

/// An extension or SIP user: letters, digits and a few signs.
pub(in crate::call) fn user(text: &str) -> Option<String> {
    let text = text.trim();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.+*#-".contains(&byte);
    let first = text.bytes().next()?;
    let begins = first.is_ascii_alphanumeric() || matches!(first, b'+' | b'*' | b'#' | b'_');
    (begins && text.len() <= ADDRESS_MAX && text.bytes().all(plain)).then(|| text.to_owned())
}

/// A number: digits with at most one `+` before them. What people write between digits is left out.
pub(in crate::call) fn number(text: &str) -> Option<String> {
    let between = |c: &char| !matches!(c, ' ' | '-' | '(' | ')' | '.' | '/');
    let number: String = text.trim().chars().filter(between).take(ADDRESS_MAX + 1).collect();
    let digits = number.strip_prefix('+').unwrap_or(&number);
    let keys = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'*' | b'#');
    let dialable = !digits.is_empty() && number.len() <= ADDRESS_MAX && digits.bytes().all(keys);
    dialable.then_some(number)
}

/// A name to be shown: one line without signs that any protocol reads as its own.
pub(in crate::call) fn display_name(text: &str) -> Option<String> {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let name: String = text.chars().map(plain).take(ADDRESS_MAX).collect();
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_dialed_comes_through() {
        assert_eq!(number("+49 (30) 123-45").as_deref(), Some("+493012345"));
        assert_eq!(number("*97").as_deref(), Some("*97"));
        for hostile in ["", "+", "12+3", "1${x}", "1\n2", "1,2", "1|2", "a", "１２", "\u{0}1"] {
            assert_eq!(number(hostile), None, "{hostile:?}");
        }
        assert_eq!(user(" 1001 ").as_deref(), Some("1001"));
        for hostile in ["", "a b", "a,b", "a|b", "a@b", "a/b", "{x}1", "[x]1", "a\nb", "-a", "ä"] {
            assert_eq!(user(hostile), None, "{hostile:?}");
        }
        assert!(user(&"1".repeat(65)).is_none());
    }

    #[test]
    fn a_sip_address_is_dialed_only_at_an_allowed_host() {
        let address: Address = serde_json::from_str(r#"{"sip": "x"}"#).unwrap();
        let settings = Settings { sip_hosts: vec!["pbx.example".into()], ..Settings::default() };
        let dialed = |text: &str| dialable(&address, text, &settings);
        let sip = DialAddress::Sip { user: "bob".into(), host: "pbx.example".into() };
        assert_eq!(dialed("sip:bob@PBX.example"), Ok(sip));
        for text in ["bob@evil.example", "bob@pbx.example;x=y", "bob", "@pbx.example"] {
            assert!(dialed(text).is_err(), "{text:?}");
        }
    }
}
