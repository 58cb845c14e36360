//! The list of channels: the output of `show channels as json` (`mod_commands.c` show_function,
//! show_as_json_callback). It is read from FreeSWITCH's own database, which may lag behind the
//! channels, and its rows begin with those that were there first.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

use crate::base::ids::ChannelId;
use crate::base::masked::Masked;

/// One channel, as FreeSWITCH's database knows it. A text that FreeSWITCH did not give is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelRow {
    pub channel: ChannelId,
    /// What the channel's legs have in common: the first leg's identity, or this one's own.
    pub call: Option<ChannelId>,
    pub inbound: bool,
    /// Seconds since 1970; 0 when FreeSWITCH did not say.
    pub created: u64,
    /// `sofia/internal/…`: it holds the far end's user or number.
    pub name: Masked<String>,
    /// `CS_EXECUTE`, `CS_PARK`, …
    pub state: String,
    /// `ACTIVE`, `RINGING`, `HELD`, …
    pub call_state: String,
    /// What it runs: `socket`, `bridge`, `park`, …
    pub application: String,
    pub application_data: Masked<String>,
    pub caller_name: Masked<String>,
    pub caller_number: Masked<String>,
    pub destination: Masked<String>,
    pub context: String,
}

/// Reads the list. Rows without a channel's identity are left out.
///
/// # Errors
/// A sentence with line and column when this is not the list, or not all of it.
pub fn rows(output: &[u8]) -> Result<Vec<ChannelRow>, String> {
    let text = String::from_utf8_lossy(output);
    let list: List = serde_json::from_str(text.trim()).map_err(|error| error.to_string())?;
    let announced = list.row_count.0.parse::<usize>().ok();
    match (list.rows, announced) {
        (Some(rows), Some(count)) if rows.0 == count => Ok(rows.1),
        (Some(rows), None) => Ok(rows.1),
        (None, Some(0)) => Ok(Vec::new()),
        (Some(rows), Some(count)) => {
            Err(format!("{count} rows are announced, {} are there", rows.0))
        }
        (None, _) => Err("there are no rows and no count of rows".to_owned()),
    }
}

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    row_count: Scalar,
    rows: Option<Rows>,
}

/// How many rows there were, and those that name a channel.
struct Rows(usize, Vec<ChannelRow>);

impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(RowsVisitor)
    }
}

struct RowsVisitor;

impl<'de> Visitor<'de> for RowsVisitor {
    type Value = Rows;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of channels")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Rows, A::Error> {
        let mut rows = Rows(0, Vec::new());
        while let Some(row) = list.next_element::<Row>()? {
            rows.0 += 1;
            rows.1.extend(row.read());
        }
        Ok(rows)
    }
}

/// The columns that we use; others are passed over.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Row {
    uuid: Scalar,
    call_uuid: Scalar,
    direction: Scalar,
    created_epoch: Scalar,
    name: Scalar,
    state: Scalar,
    callstate: Scalar,
    application: Scalar,
    application_data: Scalar,
    cid_name: Scalar,
    cid_num: Scalar,
    dest: Scalar,
    context: Scalar,
}

impl Row {
    fn read(self) -> Option<ChannelRow> {
        Some(ChannelRow {
            channel: self.uuid.0.parse().ok()?,
            call: self.call_uuid.0.parse().ok(),
            inbound: self.direction.0 == "inbound",
            created: self.created_epoch.0.parse().unwrap_or_default(),
            name: Masked::new(self.name.0),
            state: self.state.0,
            call_state: self.callstate.0,
            application: self.application.0,
            application_data: Masked::new(self.application_data.0),
            caller_name: Masked::new(self.cid_name.0),
            caller_number: Masked::new(self.cid_num.0),
            destination: Masked::new(self.dest.0),
            context: self.context.0,
        })
    }
}

/// A text or a number, as a text; whatever else there is, as an empty one.
#[derive(Default)]
struct Scalar(String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor).map(Self)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a number")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<String, E> {
        Ok(text)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_unit<E: de::Error>(self) -> Result<String, E> {
        Ok(String::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<String, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(String::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<String, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(String::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_whatever_is_missing_and_whatever_a_caller_is_called() {
        let json = br#"{"row_count":3,"rows":[
            {"uuid":"a-1","direction":"inbound","created_epoch":"1795364420","cid_name":
             "\"},{\"uuid\":\"evil\n${x}","cid_num":7,"dest":null,"new":{"x":[1]}},
            {"uuid":"b-2","call_uuid":"a-1","created_epoch":"soon"},{"uuid":"","name":"none"}]}"#;
        let rows = rows(json).unwrap();
        let [a, b] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!((a.channel.as_str(), a.inbound, a.created), ("a-1", true, 1_795_364_420));
        assert_eq!(a.caller_name.reveal(), "\"},{\"uuid\":\"evil\n${x}");
        assert_eq!((a.caller_number.reveal().as_str(), a.destination.reveal().as_str()), ("7", ""));
        assert_eq!(b.call.as_ref(), Some(&a.channel));
        assert_eq!((b.inbound, b.created, b.state.as_str()), (false, 0, ""));
        assert!(!format!("{rows:?}").contains("evil"));
    }

    #[test]
    fn an_empty_list_is_told_from_one_that_was_cut_off() {
        assert_eq!(rows(b"{\"row_count\": 0}\n"), Ok(Vec::new()));
        for bad in [
            &b"{\"row_count\": 2}"[..],
            b"{\"row_count\": 2, \"rows\": [{\"uuid\":\"a\"}]}",
            b"{\"row_count\": 1, \"rows\": [{\"uuid\":\"a\"}",
            b"{}",
            b"",
            b"-ERR no reply\n",
            b"[]",
        ] {
            assert!(rows(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn bytes_that_are_no_text_spoil_only_their_own_value() {
        let json = b"{\"row_count\":1,\"rows\":[{\"uuid\":\"a\",\"cid_name\":\"Zo\xeb\"}]}";
        assert_eq!(rows(json).unwrap()[0].caller_name.reveal(), "Zo\u{fffd}");
    }
}
