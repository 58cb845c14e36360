//! Names and numbers that would be commands.

use std::time::Duration;

use super::Lab;
use super::hangup::record;
use crate::invite;
use crate::phone::Phone;

/// What each would do if it were obeyed: set the global variable `pwned`, or unload the module.
const NAMES: &[&[u8]] = &[
    b"a%0a%0aapi global_setvar pwned=1%0a%0a",
    b"a%0d%0a%0d%0aapi global_setvar pwned=1%0d%0a%0d%0a",
    b"a%0aexecute-app-name: set%0aexecute-app-arg: pwned=1",
    b"${global_setvar(pwned=1)}",
    b"\\\\${global_setvar pwned=1}",
    b"%[pwned=1]",
    b"^^:pwned=1",
    b"a,pwned=1,]}|sofia/phones/2003",
    b"[pwned=1]'],{pwned=1}",
    b"ARRAY::a|:pwned=1",
    b"unload mod_event_socket",
    b"\xff\xfe\xc3\x28 pwned=1",
    b"'; global_setvar pwned=1; '",
];

pub(super) fn no_name_is_a_command(lab: &Lab) {
    let port = lab.switch.ports.external;
    for (count, name) in NAMES.iter().enumerate() {
        let user = format!("+155502{count:05}");
        let talk = Duration::from_millis(400);
        let status = invite::call(port, "4109", name, user.as_bytes(), talk);
        // 400 where FreeSWITCH itself takes no such name.
        assert!(status == 200 || status == 400, "{status}: {}", name.escape_ascii());
        if status == 200 {
            let kept = record(lab, &user);
            assert!(!kept["variables"].is_null(), "{kept}");
        }
        let pwned = lab.switch.api("global_getvar pwned");
        assert!(!pwned.contains('1'), "{} was obeyed", name.escape_ascii());
    }
    let users: &[&[u8]] =
        &[b"a%0A%0Aapi%20global_setvar%20pwned=1%0A", b"%24%7Bglobal_setvar%20pwned=1%7D"];
    for user in users {
        invite::call(port, "4109", b"Caller", user, Duration::from_millis(400));
        let pwned = lab.switch.api("global_getvar pwned");
        assert!(!pwned.contains('1'), "{} was obeyed", user.escape_ascii());
    }
    let log = lab.switch.log();
    let set = log.lines().find(|line| line.contains("EXECUTE") && line.contains("set(pwned"));
    assert_eq!(set, None);
    // Everybody is still well.
    let phone = Phone::call(lab, "4101");
    phone.hears(440.0);
}
