//! Asking other systems.

use super::Lab;
use crate::phone::Phone;

pub(super) fn an_answer_decides(lab: &Lab) {
    let phone = Phone::call(lab, "4106");
    phone.hears(1_000.0);
    assert_eq!(phone.ends(), "NORMAL_CLEARING");
}

pub(super) fn a_broken_server_has_a_way_out(lab: &Lab) {
    let phone = Phone::call(lab, "4107");
    phone.hears(600.0);
    assert_eq!(phone.ends(), "NO_ANSWER");
}
