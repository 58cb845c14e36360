//! Whether we can listen where the settings say.

use super::super::machine::Port;
use super::super::ports::Holder;
use super::super::{Finding, Readings, WHOLE};

pub(super) fn check(readings: &Readings) -> Vec<Finding> {
    readings.machine.ports.iter().filter_map(one).collect()
}

fn one(port: &Port) -> Option<Finding> {
    let Port { setting, address, holder } = port;
    let why = match *setting {
        "switch.listen" => "Callwright does not start there, and no call reaches it",
        "xml_curl.listen" => "FreeSWITCH is not told of tenants' gateways and phones",
        "api.listen" => "programs that use the HTTP API speak to something else",
        _ => "whoever watches over Callwright is told nothing, or lies",
    };
    let number = address.port();
    match holder {
        Holder::Nobody | Holder::Ours(_) => None,
        Holder::Other(Some((pid, name))) => {
            let what = format!("{address} (`{setting}`) is taken by `{name}`, process {pid}");
            let remedy = if name == env!("CARGO_PKG_NAME") {
                format!(
                    "that is a Callwright with other settings: end it (`callwright drain` with \
                     its settings, or `kill {pid}`), or use its settings here"
                )
            } else {
                format!(
                    "end that program (`kill {pid}`, `systemctl stop` its unit), or set \
                     `{setting}` in callwright.toml to another port{}",
                    elsewhere(setting)
                )
            };
            Some(Finding::error("port-taken", WHOLE, what).because(why).remedy(remedy))
        }
        Holder::Other(None) => {
            let what = format!("{address} (`{setting}`) is taken by a process of another user's");
            let remedy = format!(
                "`sudo ss -ltnp 'sport = :{number}'` tells which; end it, or set `{setting}` in \
                 callwright.toml to another port{}",
                elsewhere(setting)
            );
            Some(Finding::error("port-taken", WHOLE, what).because(why).remedy(remedy))
        }
        Holder::Unusable(error) => {
            let what = format!("{address} (`{setting}`) can't be listened on: {error}");
            let remedy = format!(
                "set `{setting}` in callwright.toml to an address that `ip address` shows, and \
                 to a port above 1023"
            );
            Some(Finding::error("port-unusable", WHOLE, what).because(why).remedy(remedy))
        }
    }
}

/// Who else has to know of another port.
fn elsewhere(setting: &str) -> &'static str {
    match setting {
        "switch.listen" => " and `callwright_address` in FreeSWITCH's vars.xml with it",
        "xml_curl.listen" => " and `callwright_xml_curl` in FreeSWITCH's vars.xml with it",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn with(holder: Holder) -> Vec<Finding> {
        let mut readings = sample::healthy();
        let address = "127.0.0.1:8084".parse().unwrap();
        readings.machine.ports = vec![Port { setting: "switch.listen", address, holder }];
        check(&readings)
    }

    #[test]
    fn a_port_that_another_has_is_found_with_who_has_it() {
        assert_eq!(with(Holder::Nobody), []);
        assert_eq!(with(Holder::Ours(7)), []);
        let found = with(Holder::Other(Some((4_711, "nginx".into()))));
        assert_eq!((found[0].code, found[0].is_error()), ("port-taken", true));
        assert!(found[0].what.contains("`nginx`, process 4711"));
        assert!(found[0].remedy.contains("callwright_address"));
        assert!(with(Holder::Other(None))[0].remedy.contains("ss -ltnp"));
        assert_eq!(with(Holder::Unusable("no".into()))[0].code, "port-unusable");
    }
}
