//! What is claimed of real calls.

mod desks;
mod dial;
mod hangup;
mod hostile;
mod hours;
mod http;
mod keys;
mod line;
mod lost;
mod message;
mod monitor;
mod outlive;
mod outside;
mod park;
mod recorded;
mod room;
mod taken;
mod talk;
mod watched;

use std::path::Path;
use std::sync::Mutex;

use crate::daemon::Daemon;
use crate::stub::Stub;
use crate::switch::Switch;

pub(crate) type Scene = fn(&Lab);

/// Those that run side by side: so many at once as one machine can hear.
pub(crate) const SCENES: [&[(&str, Scene)]; 3] = [CALLS, TALKS, OTHERS];

const CALLS: &[(&str, Scene)] = &[
    ("no_key_ends_in_no_input", keys::no_key_ends_in_no_input),
    ("wrong_keys_end_in_invalid", keys::wrong_keys_end_in_invalid),
    ("both_together_end_in_too_many", keys::both_together_end_in_too_many),
    ("a_digit_acts_at_once", keys::a_digit_acts_at_once),
    ("a_digit_waits_for_a_longer_choice", keys::a_digit_waits_for_a_longer_choice),
    ("keys_end_a_prompt", keys::keys_end_a_prompt),
    ("keys_pressed_too_early_count", keys::keys_pressed_too_early_count),
    ("two_parties_hear_each_other", dial::two_parties_hear_each_other),
    ("the_flow_goes_on_when_the_far_end_hangs_up", dial::the_flow_goes_on_after_the_far_end),
    ("busy_declined_and_silent_are_told_apart", dial::busy_declined_and_silent_are_told_apart),
    ("a_message_is_as_long_and_loud_as_spoken", message::is_as_long_and_loud_as_spoken),
    ("the_next_carrier_is_tried", outside::the_next_carrier_has_what_the_first_could_not),
    ("a_denied_number_is_not_called", outside::a_denied_number_is_not_called),
    ("an_http_answer_decides", http::an_answer_decides),
    ("a_broken_http_server_has_a_way_out", http::a_broken_server_has_a_way_out),
    ("a_changed_schedule_is_for_the_next", hours::a_changed_schedule_is_for_who_calls_afterwards),
    ("a_caller_may_hang_up_in_any_step", hangup::a_caller_may_hang_up_in_any_step),
    ("an_unknown_number_is_told_so", hangup::an_unknown_number_is_told_so),
    ("no_name_is_a_command", hostile::no_name_is_a_command),
];

const TALKS: &[(&str, Scene)] = &[
    ("who_is_held_hears_music", talk::who_is_held_hears_music_and_the_other_nobody),
    ("a_blind_transfer_reaches_or_returns", talk::a_blind_transfer_reaches_the_other_or_comes_back),
    ("one_is_consulted_and_stays", talk::who_is_consulted_hears_one_then_the_other),
    ("one_is_consulted_and_goes", talk::a_cancelled_consultation_leaves_the_two_as_they_were),
    ("a_conversation_is_kept", recorded::a_conversation_is_kept_with_silence_in_its_mask),
];

const OTHERS: &[(&str, Scene)] = &[
    ("who_is_parked_waits", park::who_is_parked_waits_with_music_for_who_calls_the_slot),
    ("a_room_mutes_kicks_and_is_locked", room::a_room_mutes_kicks_and_is_locked),
    ("a_supervisor_is_heard_by_whom_it_should", monitor::a_supervisor_is_heard_by_whom_it_should),
    ("phones_of_our_own_profile", desks::phones_register_on_a_profile_of_ours_and_call),
    ("callers_wait_in_line", line::callers_wait_in_line_for_the_one_agent),
    ("a_call_is_one_tree", watched::a_call_is_one_tree_of_its_steps_orders_and_requests),
];

/// Those that look at all calls before, or end the daemon.
pub(crate) const LAST: &[(&str, Scene)] = &[
    ("figures_are_those_of_the_calls", watched::figures_are_those_of_the_calls),
    ("calls_go_on_where_their_daemon_was_lost", taken::calls_go_on_where_their_daemon_was_lost),
    ("people_notice_nothing", outlive::people_notice_nothing_and_all_is_known_again),
    ("a_lost_daemon_cuts_no_talk", lost::a_lost_daemon_cuts_no_talk),
];

/// What all scenes share.
pub(crate) struct Lab {
    pub(crate) daemon: Mutex<Daemon>,
    pub(crate) switch: Switch,
    pub(crate) stub: Stub,
    folder: tempfile::TempDir,
}

impl Lab {
    pub(crate) fn start(prefix: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let switch = Switch::start(prefix, folder.path());
        let stub = Stub::start();
        let values = [
            ("PHONES_PORT", switch.ports.phones.to_string()),
            ("STUB_PORT", stub.port.to_string()),
        ];
        let daemon = Mutex::new(Daemon::start(folder.path(), switch.ports, &values));
        Self { daemon, switch, stub, folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn print_logs(&self) {
        let daemon = self.daemon.lock().map(|daemon| daemon.log()).unwrap_or_default();
        println!("---- daemon\n{daemon}\n---- FreeSWITCH\n{}", self.switch.log());
    }
}
