//! Whether FreeSWITCH has the same time as we have.

use super::super::switch::{Clock, Switch};
use super::super::{Finding, Readings};

/// A difference that moves times in records, in milliseconds.
const NOTICED_MS: i64 = 500;
/// One with which events seem to come before their causes.
const WRONG_MS: i64 = 2_000;

pub(super) fn check(readings: &Readings) -> Vec<Finding> {
    readings.switches.iter().filter_map(one).collect()
}

fn one(switch: &Switch) -> Option<Finding> {
    let Clock { ahead_ms, round_trip_ms } = switch.clock?;
    // What the way there and back may account for does not count.
    let sure = ahead_ms.abs() - (round_trip_ms + 1) / 2;
    if sure < NOTICED_MS {
        return None;
    }
    let (by, way) = (ahead_ms.abs(), if ahead_ms > 0 { "ahead of" } else { "behind" });
    let margin = (round_trip_ms + 1) / 2;
    let what = format!("FreeSWITCH's clock is {by} ms {way} this machine's (±{margin} ms)");
    let found = if sure < WRONG_MS {
        Finding::warning("clock-off", &switch.name, what)
    } else {
        Finding::error("clock-off", &switch.name, what)
    };
    let remedy = if switch.is_here {
        "FreeSWITCH keeps the time with which it was started when the system's clock is set: \
         type `fs_cli -x 'fsctl sync_clock'` (or `sync_clock_when_idle`), and set \
         `enable-use-system-time` to true in autoload_configs/switch.conf.xml if it comes again"
    } else {
        "let chrony or systemd-timesyncd keep both machines' time (`timedatectl` says whether \
         they do); then `fs_cli -x 'fsctl sync_clock'`, since FreeSWITCH keeps the time with \
         which it was started"
    };
    let why = "times in records, of gateways' states and of queues are wrong by as much, and \
        what is to happen at an hour of the day happens too early or too late";
    Some(found.because(why).remedy(remedy))
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn with(ahead_ms: i64, round_trip_ms: i64) -> Vec<Finding> {
        let mut readings = sample::healthy();
        readings.switches[0].clock = Some(Clock { ahead_ms, round_trip_ms });
        check(&readings)
    }

    #[test]
    fn a_clock_is_off_when_the_round_trip_can_not_account_for_it() {
        assert_eq!(with(400, 10), []);
        assert_eq!(with(1_400, 2_000), []);
        assert!(!with(1_400, 10)[0].is_error());
        let found = with(-90_000, 10);
        assert!(found[0].is_error() && found[0].what.contains("90000 ms behind"));
        assert!(found[0].remedy.contains("fsctl sync_clock"));
    }
}
