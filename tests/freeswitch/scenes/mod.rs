//! What is claimed of real calls. Each scene runs beside the others.

mod dial;
mod hangup;
mod hostile;
mod http;
mod keys;
mod lost;
mod message;
mod taken;

use std::path::Path;
use std::sync::Mutex;

use crate::daemon::Daemon;
use crate::stub;
use crate::switch::Switch;

pub(crate) type Scene = fn(&Lab);

pub(crate) const SCENES: &[(&str, Scene)] = &[
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
    ("an_http_answer_decides", http::an_answer_decides),
    ("a_broken_http_server_has_a_way_out", http::a_broken_server_has_a_way_out),
    ("a_caller_may_hang_up_in_any_step", hangup::a_caller_may_hang_up_in_any_step),
    ("an_unknown_number_is_told_so", hangup::an_unknown_number_is_told_so),
    ("no_name_is_a_command", hostile::no_name_is_a_command),
];

/// Those that end the daemon.
pub(crate) const LAST: &[(&str, Scene)] = &[
    ("calls_go_on_where_their_daemon_was_lost", taken::calls_go_on_where_their_daemon_was_lost),
    ("a_lost_daemon_cuts_no_talk", lost::a_lost_daemon_cuts_no_talk),
];

/// What all scenes share.
pub(crate) struct Lab {
    pub(crate) daemon: Mutex<Daemon>,
    pub(crate) switch: Switch,
    folder: tempfile::TempDir,
}

impl Lab {
    pub(crate) fn start(prefix: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let switch = Switch::start(prefix, folder.path());
        let values = [
            ("PHONES_PORT", switch.ports.phones.to_string()),
            ("STUB_PORT", stub::start().to_string()),
        ];
        let daemon = Mutex::new(Daemon::start(folder.path(), switch.ports.daemon, &values));
        Self { daemon, switch, folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn print_logs(&self) {
        let daemon = self.daemon.lock().map(|daemon| daemon.log()).unwrap_or_default();
        println!("---- daemon\n{daemon}\n---- FreeSWITCH\n{}", self.switch.log());
    }
}
