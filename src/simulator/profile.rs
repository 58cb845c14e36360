//! One caller, and the channel data that FreeSWITCH tells about such a call in a `connect` reply
//! and in events: the headers, their order and their sources are those of the recordings.

use super::variables::Variables;

/// A call that comes in. Names and numbers are bytes: a SIP caller can send any.
#[derive(Clone, PartialEq, Eq)]
pub struct Call {
    /// FreeSWITCH's identity of the channel, a UUID.
    pub uuid: String,
    pub caller_number: Vec<u8>,
    pub caller_name: Vec<u8>,
    pub dialed: Vec<u8>,
    pub context: String,
    pub network_addr: String,
    /// Further channel variables, as a dialplan or a SIP header would have set them.
    pub variables: Vec<(String, Vec<u8>)>,
}

impl Call {
    pub fn new(uuid: &str, caller_number: &str, dialed: &str) -> Self {
        Self {
            uuid: uuid.to_owned(),
            caller_number: caller_number.as_bytes().to_vec(),
            caller_name: caller_number.as_bytes().to_vec(),
            dialed: dialed.as_bytes().to_vec(),
            context: "public".to_owned(),
            network_addr: "127.0.0.1".to_owned(),
            variables: Vec::new(),
        }
    }

    pub(super) fn channel_name(&self) -> Vec<u8> {
        let host = self.network_addr.as_bytes();
        [b"sofia/internal/", &self.caller_number[..], b"@", host].concat()
    }

    /// The variables that mod_sofia and the dialplan set before the first application runs.
    pub(super) fn variables(&self, micros: i64) -> Variables {
        let mut vars = Variables::default();
        let host = self.network_addr.as_bytes();
        let from = [&self.caller_number[..], b"@", host].concat();
        let to = [&self.dialed[..], b"@127.0.0.1:5060"].concat();
        let stamp = micros.to_string().into_bytes();
        let mut set = |name: &'static str, value: &[u8]| vars.set(name.as_bytes(), value.to_vec());
        set("direction", b"inbound");
        set("uuid", self.uuid.as_bytes());
        set("session_id", b"1");
        set("sip_from_user", &self.caller_number);
        set("sip_from_uri", &from);
        set("sip_from_host", host);
        set("channel_name", &self.channel_name());
        set("sip_call_id", &[self.uuid.as_bytes(), b"@", host].concat());
        set("sip_local_network_addr", b"127.0.0.1");
        set("sip_network_ip", host);
        set("sip_network_port", b"5090");
        set("sip_invite_stamp", &stamp);
        set("sip_from_display", &self.caller_name);
        set("sip_full_from", &[b"<sip:", &from[..], b">;tag=1"].concat());
        set("sip_full_to", &[b"<sip:", &to[..], b">"].concat());
        set("sip_req_user", &self.dialed);
        set("sip_req_uri", &to);
        set("sip_to_user", &self.dialed);
        set("sip_to_uri", &to);
        set("call_uuid", self.uuid.as_bytes());
        for (name, value) in STATIC {
            vars.set(name.as_bytes(), value.as_bytes());
        }
        for (name, value) in &self.variables {
            vars.set(name.clone().into_bytes(), value.clone());
        }
        vars
    }

    /// A field of the caller profile that `${...}` and `getvar` find besides variables.
    pub(super) fn field(&self, name: &[u8]) -> Option<Vec<u8>> {
        Some(match name {
            b"caller_id_name" => self.caller_name.clone(),
            b"caller_id_number" | b"ani" | b"username" => self.caller_number.clone(),
            b"destination_number" => self.dialed.clone(),
            b"context" => self.context.clone().into_bytes(),
            b"network_addr" => self.network_addr.clone().into_bytes(),
            b"dialplan" => b"XML".to_vec(),
            b"hostname" => b"sim".to_vec(),
            _ => return None,
        })
    }
}

impl std::fmt::Debug for Call {
    /// Numbers and names are personal: only the channel is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").field("uuid", &self.uuid).finish_non_exhaustive()
    }
}

const STATIC: [(&str, &str); 30] = [
    ("video_media_flow", "disabled"),
    ("text_media_flow", "disabled"),
    ("sip_via_protocol", "udp"),
    ("sofia_profile_name", "internal"),
    ("sofia_profile_url", "sip:mod_sofia@127.0.0.1:5060"),
    ("recovery_profile_name", "internal"),
    ("sip_full_via", "SIP/2.0/UDP 127.0.0.1:5090;branch=z9hG4bK-1-1-0"),
    ("sip_req_port", "5060"),
    ("sip_req_host", "127.0.0.1"),
    ("sip_to_port", "5060"),
    ("sip_to_host", "127.0.0.1"),
    ("sip_via_host", "127.0.0.1"),
    ("sip_via_port", "5090"),
    ("max_forwards", "70"),
    ("switch_r_sdp", "v=0\r\no=user1 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\n"),
    ("ep_codec_string", "CORE_PCM_MODULE.PCMU@8000h@20i@64000b"),
    ("rtp_use_codec_string", "PCMU,PCMA,OPUS"),
    ("remote_audio_media_flow", "sendrecv"),
    ("audio_media_flow", "sendrecv"),
    ("remote_media_ip", "127.0.0.1"),
    ("remote_media_port", "6000"),
    ("rtp_use_codec_name", "PCMU"),
    ("rtp_use_codec_rate", "8000"),
    ("rtp_use_codec_ptime", "20"),
    ("read_codec", "PCMU"),
    ("read_rate", "8000"),
    ("write_codec", "PCMU"),
    ("write_rate", "8000"),
    ("dtmf_type", "rfc2833"),
    ("endpoint_disposition", "RECEIVED"),
];

/// Moments of a leg in microseconds since 1970; 0 where it has not come to that.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Times {
    pub(super) created: i64,
    pub(super) answered: i64,
    /// The event of the answer is out: from then on the call state is ACTIVE.
    pub(super) answered_is_told: bool,
    pub(super) progress: i64,
    pub(super) progress_media: i64,
    pub(super) hangup: i64,
    pub(super) bridged: i64,
}

/// A caller profile's headers, in the order of switch_caller.c
/// (`switch_caller_profile_event_set_data`).
pub(super) fn profile_headers(
    leg: &Leg<'_>,
    times: &Times,
    mut add: impl FnMut(&'static str, &[u8]),
) {
    add("Direction", leg.direction.as_bytes());
    add("Logical-Direction", b"inbound");
    add("Username", leg.number);
    add("Dialplan", b"XML");
    for (name, value) in [
        ("Caller-ID-Name", leg.name),
        ("Caller-ID-Number", leg.number),
        ("Orig-Caller-ID-Name", leg.name),
        ("Orig-Caller-ID-Number", leg.number),
        ("Callee-ID-Name", leg.callee),
        ("Callee-ID-Number", leg.callee),
        ("Network-Addr", leg.network_addr.as_bytes()),
        ("ANI", leg.number),
        ("Destination-Number", leg.destination),
        ("Unique-ID", leg.uuid.as_bytes()),
        ("Source", b"mod_sofia"),
        ("Context", leg.context.as_bytes()),
        ("Channel-Name", leg.channel_name),
        ("Profile-Index", leg.profile_index.as_bytes()),
    ] {
        if !value.is_empty() {
            add(name, value);
        }
    }
    for (name, micros) in [
        ("Profile-Created-Time", times.created),
        ("Channel-Created-Time", times.created),
        ("Channel-Answered-Time", times.answered),
        ("Channel-Progress-Time", times.progress),
        ("Channel-Progress-Media-Time", times.progress_media),
        ("Channel-Hangup-Time", times.hangup),
        ("Channel-Transfer-Time", 0),
        ("Channel-Resurrect-Time", 0),
        ("Channel-Bridged-Time", times.bridged),
        ("Channel-Last-Hold", 0),
        ("Channel-Hold-Accum", 0),
    ] {
        add(name, micros.to_string().as_bytes());
    }
    add("Screen-Bit", b"true");
    add("Privacy-Hide-Name", b"false");
    add("Privacy-Hide-Number", b"false");
}

/// One leg as its profile headers tell it; what is empty is left out.
#[derive(Debug)]
pub(super) struct Leg<'a> {
    pub(super) direction: &'static str,
    pub(super) number: &'a [u8],
    pub(super) name: &'a [u8],
    pub(super) callee: &'a [u8],
    pub(super) network_addr: &'a str,
    pub(super) destination: &'a [u8],
    pub(super) uuid: &'a str,
    pub(super) context: &'a str,
    pub(super) channel_name: &'a [u8],
    pub(super) profile_index: &'a str,
}
