//! What is compared, and how the two switches may differ.

/// A recording and the differences that are known.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// The hang-up in it was the caller's; otherwise it follows from what the controller said.
    pub(crate) caller_hangs_up: bool,
    /// `-` only FreeSWITCH said it, `+` only we did; and why.
    pub(crate) differences: &'static [(&'static str, &'static str)],
}

const fn same(name: &'static str) -> Case {
    Case { name, caller_hangs_up: false, differences: &[] }
}

const fn caller_ends(name: &'static str) -> Case {
    Case { name, caller_hangs_up: true, differences: &[] }
}

/// Parts of names of recordings that are not about one call's own outbound connection.
pub(crate) const OUT_OF_SCOPE: [(&str, &str); 9] = [
    ("inbound", "an inbound connection: Callwright has none"),
    (".watch", "an inbound connection that looks on"),
    ("04_conference.call", "conferences are not simulated"),
    ("04b_filter.call", "the call that an inbound connection filters"),
    ("07i_myevents_bad_uuid.call", "the call that an inbound connection looks at"),
    ("07j_myevents_uuid.call", "the call that an inbound connection controls"),
    ("08_", "two formats of the same events: the decoder's matter"),
    ("09_", "eavesdropping is not simulated"),
    ("11c_", "which of several hosts accepts is decided outside the simulated switch"),
];

const REMOTE_HOLD: &str =
    "the caller's own phone puts the call on hold: callers do not do that here";
const NOTICE_RACE: &str = "the notice came before the hang-up's event: a race within FreeSWITCH";
const LATER: &str = "what the controller reacted to arrives some milliseconds later here";

pub(crate) const CASES: &[Case] = &[
    same("01_answer_playback_hangup"),
    same("01b_hangup_by_sendmsg"),
    same("01c_first_command_not_connect"),
    same("01d_pipelined"),
    same("01e_pipelined_nolock"),
    same("01f_eventuuid_bodyarg_loops"),
    caller_ends("02a_caller_hangup_linger5"),
    caller_ends("02b_caller_hangup_nolinger"),
    caller_ends("02c_caller_hangup_linger_noarg"),
    caller_ends("02d_commands_while_lingering"),
    caller_ends("02e_linger30_exit"),
    caller_ends("02f_caller_cancels_before_answer"),
    caller_ends("02g_bridge_caller_hangs_up_nolinger"),
    same("03a_play_and_get_digits"),
    caller_ends("03b_dtmf_sip_info"),
    same("03c_dtmf_buffering"),
    same("03d_uuid_break"),
    same("05_record_session"),
    Case {
        name: "06a_bridge_hold",
        caller_hangs_up: false,
        differences: &[
            ("- CHANNEL_CALLSTATE CS_EXECUTE HELD answered", REMOTE_HOLD),
            ("- CHANNEL_HOLD CS_EXECUTE HELD answered", REMOTE_HOLD),
            ("- CHANNEL_CALLSTATE CS_EXECUTE UNHELD answered", REMOTE_HOLD),
            ("- CHANNEL_UNHOLD CS_EXECUTE UNHELD answered", REMOTE_HOLD),
            ("- CHANNEL_CALLSTATE CS_EXECUTE ACTIVE answered", REMOTE_HOLD),
        ],
    },
    same("06b_bridge_hangup_after"),
    same("06c_bridge_busy"),
    same("06d_bridge_noanswer"),
    Case {
        name: "06e_bridge_unreachable",
        caller_hangs_up: false,
        differences: &[("- notice linger", NOTICE_RACE), ("+ notice linger", NOTICE_RACE)],
    },
    same("06f_bridge_badgw"),
    caller_ends("06g_bridge_caller_hangs_up"),
    same("06h_bridge_multi"),
    caller_ends("06i_bridge_ring_then_caller_gone"),
    same("06j_bridge_sendmsg"),
    same("07b_bad_commands_nofull"),
    Case {
        name: "07c_sync_socket",
        caller_hangs_up: false,
        differences: &[
            ("+ api UP", LATER),
            ("- api UP", LATER),
            ("+ reply +OK", LATER),
            ("- reply +OK", LATER),
        ],
    },
    same("07g0_sendmsg"),
    same("07g1_sendmsg"),
    same("07g2_sendmsg"),
    same("07g3_sendmsg"),
    same("07g4_sendmsg"),
    same("07g5_sendmsg"),
    same("07g6_sendmsg"),
    same("07g7_sendmsg"),
    same("07g8_sendmsg"),
    same("07h_apps_bad_args"),
    Case {
        name: "07k_api_blocks_events",
        caller_hangs_up: false,
        differences: &[("+ reply +OK", LATER), ("- reply +OK", LATER)],
    },
    same("12a_close_while_parked"),
    same("12b_close_during_playback"),
    same("12c_close_linger"),
    same("12d_close_next_action"),
    same("12e_close_socket_resume"),
    same("12f_close_resume_cmd"),
    same("12g_exit_cmd"),
    same("12h_rst"),
    same("12i_close_during_bridge"),
    same("12j_close_in_conference"),
    same("12k_close_queued_apps"),
    same("12l_close_resume_during_playback"),
    same("12m_never_connect"),
    same("12n_accept_then_close"),
    same("12p_close_then_park.2"),
    same("12p_close_then_park"),
    same("12q_socket_twice.2"),
    same("12q_socket_twice"),
    same("12r_accept_close_resume"),
    same("12s_accept_close_sync"),
    same("12t_connect_then_close"),
    same("12u_firstcmd_then_close"),
];
