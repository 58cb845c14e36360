//! The timeline: every input, decision and order becomes a note.

use super::Call;
use super::describe;
use super::output::{ActionId, Output};
use super::state::VISIT_KEYS_MAX;
use crate::base::digits::Digit;
use crate::base::masked::mask_number;
use crate::model::timeline::{Entry, Sign, What};

/// Notes of one call. A call that has more is noted by its first ones and its end.
pub(in crate::call) const ENTRIES_MAX: u32 = 4_000;
/// How much of a party's number is shown where the tenant wants them masked.
const PARTY_SHOWN: usize = 3;
/// What stands for a key that nobody is to see.
pub(in crate::call) const HIDDEN_KEY: char = '•';

impl Call {
    pub(in crate::call) fn note(&mut self, what: What) {
        let last = matches!(what, What::Ended { .. });
        let entries = self.state.counters.entries;
        if entries >= ENTRIES_MAX && !last {
            return;
        }
        let cut = entries + 1 == ENTRIES_MAX && !last;
        let what = if cut {
            What::Noticed { text: "the timeline is cut here".into(), sign: None }
        } else {
            what
        };
        self.state.counters.entries = entries + 1;
        let (at, ms) = (self.live.now.wall, self.state.age_ms);
        let entry = Entry { term: self.state.term, sequence: entries + 1, at, ms, what };
        self.outputs.push_back(Output::Note(Box::new(entry)));
    }

    pub(in crate::call) fn notice(&mut self, text: impl Into<String>) {
        self.note(What::Noticed { text: text.into(), sign: None });
    }

    /// The same, of which programs are told too.
    pub(in crate::call) fn notice_as(&mut self, sign: Sign, text: impl Into<String>) {
        self.note(What::Noticed { text: text.into(), sign: Some(sign) });
    }

    pub(in crate::call) fn note_guard(&mut self, limit: impl Into<String>) {
        self.note(What::Guard { limit: limit.into() });
    }

    pub(in crate::call) fn note_done(&mut self, id: ActionId, mut result: String) {
        let awaited = self.waits().action.is_some_and(|(awaited, _)| awaited == id);
        if !awaited && !self.departs_by(id) {
            result.push_str(" (nobody waits for it)");
        }
        self.note(What::Done { action: id.0, result });
    }

    pub(in crate::call) fn note_arrival(&mut self) {
        let arrival = &self.state.arrival;
        let version = self.state.versions.get(&self.state.main).copied().unwrap_or(0);
        let what = What::Arrived {
            caller_name: self.caller_name(),
            caller_number: self.party(&arrival.caller_number),
            dialed: describe::clean(&arrival.dialed),
            flow: self.state.main.clone(),
            version,
        };
        self.note(what);
    }

    /// A key, as the step that it is for allows it to be shown.
    pub(in crate::call) fn note_key(&mut self, key: Digit) {
        let key = if self.shows_keys() { char::from(key) } else { HIDDEN_KEY };
        self.note(What::Key { key: key.into() });
    }

    /// Keeps a key in the visit of the step that took it.
    pub(in crate::call) fn trace_key(&mut self, key: Digit, secret: bool) {
        let shown = if secret { HIDDEN_KEY } else { char::from(key) };
        self.trace_text(shown);
    }

    /// Sets apart what is typed next from what was typed before.
    pub(in crate::call) fn trace_gap(&mut self) {
        if self.visit().is_some_and(|visit| !visit.keys.is_empty() && !visit.keys.ends_with(' ')) {
            self.trace_text(' ');
        }
    }

    fn trace_text(&mut self, character: char) {
        if let Some(visit) = self.visit_mut()
            && visit.keys.chars().count() < VISIT_KEYS_MAX
        {
            let mut keys = String::from(std::mem::take(&mut visit.keys));
            keys.push(character);
            visit.keys = keys.into_boxed_str();
        }
    }

    /// The caller's name as the tenant lets it be kept. Where a phone sends none, FreeSWITCH puts
    /// the number in its place.
    pub(in crate::call) fn caller_name(&self) -> String {
        let name = &self.state.arrival.caller_name;
        if name.chars().any(char::is_alphabetic) { describe::clean(name) } else { self.party(name) }
    }

    /// How the leg at a place of the record was dialed.
    pub(in crate::call) fn party_of(&self, leg: usize) -> String {
        self.state.legs.get(leg).map(|leg| leg.party.clone()).unwrap_or_default()
    }

    /// A party's number as the tenant lets it be kept.
    pub(in crate::call) fn party(&self, number: &str) -> String {
        let number = describe::clean(number);
        if self.live.secrets.shown_in(&number) {
            return String::from_iter([HIDDEN_KEY; 3]);
        }
        if self.program.settings.mask_parties { mask_number(&number, PARTY_SHOWN) } else { number }
    }
}
