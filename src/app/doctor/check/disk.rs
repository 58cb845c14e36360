//! Whether there is room, and whether directories that we share with FreeSWITCH are the same ones.

use std::collections::BTreeMap;

use super::super::machine::{Disk, Room};
use super::super::switch::Switch;
use super::super::{Finding, Readings, WHOLE};

/// What must be left of a file system, in thousandths, or it counts as full.
const FULL: u64 = 20;
/// What should be left.
const NEARLY: u64 = 100;
/// Less than this is full where it is less than should be left: some minutes of recordings.
const FULL_BYTES: u64 = 32 << 20;

pub(super) fn check(readings: &Readings) -> Vec<Finding> {
    let machine = &readings.machine;
    let mut found = room(&machine.disks, WHOLE);
    found.extend(machine.disks.iter().filter_map(unwritable));
    for switch in &readings.switches {
        found.extend(room(&switch.disks, &switch.name));
        found.extend(apart(switch));
        found.extend(unwritable_there(switch));
    }
    found
}

/// One finding for each file system: several directories may lie on the same.
fn room(disks: &[Disk], place: &str) -> Vec<Finding> {
    let mut full: BTreeMap<(u64, u64), (Room, Vec<&Disk>)> = BTreeMap::new();
    for disk in disks {
        let Some(room) = disk.room.filter(|room| left(*room) < NEARLY) else { continue };
        let same = full.entry((room.bytes, room.free)).or_insert((room, Vec::new()));
        same.1.push(disk);
    }
    full.into_values().map(|(room, disks)| finding(room, &disks, place)).collect()
}

/// What is left, in thousandths: of bytes or of files, whichever is less.
fn left(room: Room) -> u64 {
    let part = |free: u64, all: u64| free.saturating_mul(1_000).checked_div(all).unwrap_or(1_000);
    part(room.free, room.bytes).min(part(room.files_free, room.files))
}

fn finding(room: Room, disks: &[&Disk], place: &str) -> Finding {
    let named = disks.iter().map(|disk| format!("{} ({})", disk.named_by, disk.path.display()));
    let named = named.collect::<Vec<_>>().join(", ");
    let (free, all) = (room.free >> 20, room.bytes >> 20);
    let files = if room.files > 0 && room.files_free.saturating_mul(1_000) / room.files < NEARLY {
        format!(", and {} of {} files", room.files_free, room.files)
    } else {
        String::new()
    };
    let what = format!("{free} of {all} MiB are left{files} for {named}");
    let first = disks.first().map_or_else(String::new, |disk| disk.path.display().to_string());
    let found = if left(room) < FULL || room.free < FULL_BYTES {
        Finding::error("disk-full", place, what)
    } else {
        Finding::warning("disk-full", place, what)
    };
    found
        .because("recordings and messages break off or are lost, and records of calls with them")
        .remedy(format!(
            "remove what is not needed there (`df -h {first}`, `du -xh {first} | sort -h | \
             tail`), or put that directory on a larger file system and name it in the settings"
        ))
}

fn unwritable(disk: &Disk) -> Option<Finding> {
    if disk.writable {
        return None;
    }
    let (path, setting) = (disk.path.display(), &disk.named_by);
    let what = format!("`{setting}`, {path}, can't be written by the user who asks");
    Some(
        Finding::warning("directory-unwritable", WHOLE, what)
            .because("if the daemon runs as this user, what it keeps there is lost")
            .remedy(format!("`chown` {path} to the daemon's user, or run this as that user")),
    )
}

fn apart(switch: &Switch) -> Vec<Finding> {
    let unseen = switch.shared.iter().filter(|shared| shared.seen == Some(false));
    let finding = |shared: &super::super::switch::SharedDirectory| {
        let (here, there) = (shared.here.display(), &shared.there);
        let what =
            format!("FreeSWITCH does not see what is in {here} as {there} (`{}`)", shared.setting);
        let (why, other) = if shared.setting.starts_with("prompts") {
            ("prompts that are uploaded are not heard", "prompts.here")
        } else {
            ("recordings and messages are never taken in", "recordings.spool")
        };
        let remedy = if switch.is_here {
            format!(
                "let FreeSWITCH's user into the directory: `namei -l {there}` shows which part \
                 of the path keeps it out; give that part x for its group, or run both under \
                 one group"
            )
        } else {
            format!(
                "mount one directory on both machines, or run a Callwright on FreeSWITCH's own; \
                 where it has another name here, say so with `{other}`"
            )
        };
        Finding::error("directory-not-shared", &switch.name, what).because(why).remedy(remedy)
    };
    unseen.map(finding).collect()
}

fn unwritable_there(switch: &Switch) -> Option<Finding> {
    let (path, user) = switch.unwritable.as_ref()?;
    let path = path.display();
    let what = format!("FreeSWITCH runs as user {user}, who can't write into {path}");
    let found = Finding::error("directory-unwritable-there", &switch.name, what);
    Some(found.because("no call is recorded and no message is taken").remedy(format!(
        "put FreeSWITCH's user and the daemon's into one group, then `chgrp GROUP {path}` and \
         `chmod 2770 {path}`"
    )))
}

#[cfg(test)]
mod tests {
    use super::super::super::switch::SharedDirectory;
    use super::super::sample;
    use super::*;

    fn with(free: u64, files_free: u64) -> Vec<Finding> {
        let mut readings = sample::healthy();
        let room = Room { bytes: 1_000 << 20, free: free << 20, files: 1_000, files_free };
        let disk = |named_by: &str| Disk {
            named_by: named_by.into(),
            path: format!("/{named_by}").into(),
            room: Some(room),
            writable: true,
        };
        readings.machine.disks = vec![disk("store.spool"), disk("recordings.store")];
        check(&readings)
    }

    #[test]
    fn a_full_file_system_is_found_once_with_all_that_lies_on_it() {
        assert_eq!(with(101, 500), []);
        assert!(!with(99, 500)[0].is_error());
        assert!(with(31, 500)[0].is_error());
        let found = with(19, 500);
        assert_eq!((found.len(), found[0].code, found[0].is_error()), (1, "disk-full", true));
        assert!(found[0].what.contains("store.spool (/store.spool), recordings.store"));
        assert!(with(500, 0)[0].is_error(), "no file can be made");
    }

    #[test]
    fn directories_that_freeswitch_does_not_see_or_write_are_found() {
        let mut readings = sample::healthy();
        readings.switches[0].shared = vec![SharedDirectory {
            setting: "prompts.directory",
            here: "/p".into(),
            there: "/q".into(),
            seen: Some(false),
        }];
        readings.switches[0].unwritable = Some(("/m".into(), 999));
        let codes: Vec<_> = check(&readings).into_iter().map(|found| found.code).collect();
        assert_eq!(codes, ["directory-not-shared", "directory-unwritable-there"]);
    }
}
