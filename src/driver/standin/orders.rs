//! Orders over the link: to the call whose channel they name, or about all of them.

use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::line::{Order, Row};
use super::{StandIn, ring};
use crate::simulator::Outgoing;

/// As the events of simulated calls have it.
const CORE: &str = "929d0d60-700f-4c1d-8036-9a283b06828a";
const NO_CHANNEL: &[u8] = b"-ERR No such channel!\n";

impl StandIn {
    /// What FreeSWITCH answers to an `api` command. `beside` is the channel that the connection
    /// asked for last: a leg that names none is called beside that one, as who asks makes sure.
    pub(super) async fn obey(&self, command: &str, beside: Option<&str>) -> Vec<u8> {
        let words: Vec<&str> = command.split(' ').collect();
        match words[..] {
            ["global_getvar", "core_uuid"] => return CORE.into(),
            ["switchname"] => return b"sim".to_vec(),
            ["show", "channels", ..] => return self.channels(),
            ["uuid_exists", uuid] => {
                let is_there = self.owner(&[uuid]).is_some();
                return is_there.to_string().into_bytes();
            }
            ["sofia" | "sofia_gateway_data" | "reloadacl", ..] => {
                return self.0.sofia.obey(self, &words).await;
            }
            _ => {}
        }
        if let Some(order) = Outgoing::read(command.as_bytes()) {
            return ring::place(self, order).await;
        }
        let named: Vec<&str> =
            command.split(|c: char| !c.is_ascii_hexdigit() && c != '-').collect();
        let owner = self.owner(&named).or_else(|| self.owner(beside.as_slice()));
        let Some(owner) = owner else { return NO_CHANNEL.to_vec() };
        let (answer, answered) = oneshot::channel();
        let order = Order { text: command.into(), answer };
        if owner.send(order).await.is_err() {
            return NO_CHANNEL.to_vec();
        }
        // The call may end before it answers.
        answered.await.unwrap_or_else(|_| NO_CHANNEL.to_vec())
    }

    /// The call that has one of these channels.
    fn owner(&self, uuids: &[&str]) -> Option<mpsc::Sender<Order>> {
        let lines = self.lines();
        let named = |row: &Row| uuids.contains(&row.uuid.as_str());
        let found = lines.values().find(|line| line.rows.iter().any(named));
        found.map(|line| line.orders.clone())
    }

    /// `show channels as json` (`mod_commands.c` show_as_json_callback).
    fn channels(&self) -> Vec<u8> {
        let lines = self.lines();
        let all =
            lines.iter().flat_map(|(call, line)| line.rows.iter().map(move |row| (call, row)));
        let rows: Vec<_> = all
            .map(|(call, row)| {
                json!({
                    "uuid": row.uuid,
                    "call_uuid": call,
                    "direction": if row.inbound { "inbound" } else { "outbound" },
                    "created_epoch": row.created_s.to_string(),
                    "name": format!("sofia/internal/{}", row.number),
                    "state": "CS_EXECUTE",
                    "callstate": "ACTIVE",
                    "application": row.application,
                    "dest": row.number,
                    "context": "callwright",
                })
            })
            .collect();
        if rows.is_empty() {
            return b"{\"row_count\": 0}\n".to_vec();
        }
        json!({ "row_count": rows.len(), "rows": rows }).to_string().into_bytes()
    }
}
