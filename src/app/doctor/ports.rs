//! Ports of this machine: which are free, and who has the others.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;

use crate::switch::listener::bind;

/// Processes that are looked at, at most.
const PROCESSES_MAX: usize = 20_000;
/// A socket that listens (`/proc/net/tcp`, TCP_LISTEN).
const LISTENS: &str = "0A";
/// The process that opens sockets for others (systemd.socket(5)).
const SYSTEMD: &str = "systemd";

/// What was found at a port that we need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Holder {
    Nobody,
    /// The Callwright that runs with these settings, or who keeps the port for it.
    Ours(i32),
    /// Another process, where it can be told which.
    Other(Option<(i32, String)>),
    /// The address is not one of this machine's, or may not be used.
    Unusable(String),
}

/// Who listens at `address`; `own` is the process of the Callwright that runs.
pub(super) fn holder(address: SocketAddr, own: Option<i32>) -> Holder {
    match bind(address) {
        Ok(_) => Holder::Nobody,
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            judge(listeners(address.port()), own)
        }
        Err(error) => Holder::Unusable(error.to_string()),
    }
}

/// Several processes may have one socket: a supervisor and its worker, systemd and whom it starts.
/// Whose it is can only be seen by root and by its owner.
fn judge(listeners: Vec<(i32, String)>, own: Option<i32>) -> Holder {
    let is_ours = |pid: &i32| listeners.is_empty() || listeners.iter().any(|(one, _)| one == pid);
    if let Some(own) = own.filter(is_ours) {
        return Holder::Ours(own);
    }
    match listeners.into_iter().next() {
        // It listens for whom it will start.
        Some((pid, name)) if name == SYSTEMD => Holder::Ours(pid),
        found => Holder::Other(found),
    }
}

/// The processes that listen at a port, with their names.
fn listeners(port: u16) -> Vec<(i32, String)> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
    let found = tables.iter().flatten().flat_map(|table| inodes(table, port));
    let sockets: BTreeSet<_> = found.map(|inode| format!("socket:[{inode}]")).collect();
    if sockets.is_empty() {
        return Vec::new();
    }
    processes().filter(|(pid, _)| has_any(*pid, &sockets)).collect()
}

/// The processes that run, with their names.
pub(super) fn processes() -> impl Iterator<Item = (i32, String)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten().take(PROCESSES_MAX);
    entries.filter_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        Some((pid, name.trim().to_owned()))
    })
}

fn has_any(pid: i32, sockets: &BTreeSet<String>) -> bool {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    open.filter_map(|entry| fs::read_link(entry.path()).ok())
        .any(|link| sockets.contains(&*link.to_string_lossy()))
}

/// The sockets that listen at a port, in a table of proc_net_tcp(5).
fn inodes(table: &str, port: u16) -> Vec<String> {
    let row = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let (_, at) = fields.get(1)?.rsplit_once(':')?;
        let is_it = u16::from_str_radix(at, 16) == Ok(port) && fields.get(3) == Some(&LISTENS);
        is_it.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
    };
    table.lines().skip(1).filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_somebody_has_is_told_with_its_process() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        let Holder::Other(Some((pid, _))) = holder(address, None) else { panic!("not seen") };
        assert_eq!(pid, own);
        assert_eq!(holder(address, Some(own)), Holder::Ours(own));
        drop(taken);
        assert_eq!(holder(address, None), Holder::Nobody);
        assert!(matches!(holder("192.0.2.1:1".parse().unwrap(), None), Holder::Unusable(_)));
    }

    #[test]
    fn a_socket_that_several_processes_have_is_ours_if_it_is_one_of_them() {
        let all = |names: &[(i32, &str)]| {
            names.iter().map(|(pid, name)| (*pid, (*name).to_owned())).collect::<Vec<_>>()
        };
        let both = all(&[(1, "systemd"), (7, "callwright")]);
        assert_eq!(judge(both.clone(), Some(7)), Holder::Ours(7));
        assert_eq!(judge(both, None), Holder::Ours(1));
        let other = all(&[(9, "nginx")]);
        assert_eq!(judge(other, Some(7)), Holder::Other(Some((9, "nginx".into()))));
        assert_eq!(judge(Vec::new(), Some(7)), Holder::Ours(7));
        assert_eq!(judge(Vec::new(), None), Holder::Other(None));
    }

    #[test]
    fn only_sockets_that_listen_at_the_port_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when \
            retrnsmt   uid  timeout inode\n   0: 0100007F:1F95 00000000:0000 0A \
            00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0\n   1: \
            0100007F:1F95 0100007F:C000 01 00000000:00000000 00:00000000 00000000     0        \
            0 4712 1 0 20 4 30 10 -1\n";
        assert_eq!(inodes(table, 8085), ["4711"]);
        assert_eq!(inodes(table, 8084), [""; 0]);
    }
}
