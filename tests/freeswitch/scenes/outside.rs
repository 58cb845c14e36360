//! Numbers outside, by two carriers of which the first has no line.

use super::Lab;
use super::hangup::record;
use crate::daemon::json;
use crate::phone::Phone;
use crate::switch::called;

fn dial<'a>(lab: &'a Lab, number: &str) -> Phone<'a> {
    let phone = Phone::call(lab, "4221");
    phone.hears(440.0);
    phone.press(number);
    phone
}

pub(super) fn the_next_carrier_has_what_the_first_could_not(lab: &Lab) {
    let phone = dial(lab, &format!("0{}", called(525, 41)));
    phone.hears(525.0);
    phone.hang_up();
    let record = record(lab, &phone.number);
    let trace = json(lab.folder(), &["trace", record["call"].as_str().unwrap()]).to_string();
    assert!(trace.contains("the gateway broken does not carry the call"), "{trace}");
    assert!(trace.contains("(503)"), "{trace}");
}

pub(super) fn a_denied_number_is_not_called(lab: &Lab) {
    let phone = dial(lab, "09001234");
    phone.hears(850.0);
}
