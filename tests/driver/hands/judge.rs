//! Whether a call that changed hands was the call that it would have been.
//!
//! **What the caller heard** is the undisturbed sequence of sounds with repetitions: after each
//! change of hands it may go back, within the step whose sounds were being heard and no further.
//! Nothing may be missing, nothing may come in another order, nothing else may be heard.

use std::collections::{BTreeMap, BTreeSet};

use callwright::driver::simulate::{Outcome, Simulation};
use callwright::model::timeline::What;
use callwright::simulator::{Moment, Observed, Verdict};

use super::calls::{FALLBACK, SECRET, TIMER_MS, UNHEARD};

/// What is compared of a call.
#[derive(Debug)]
pub(crate) struct Story {
    /// Each sound with its moment and the step's visit in which it was heard.
    sounds: Vec<(u64, String, usize)>,
    talks: Vec<String>,
    path: Vec<String>,
    requests: Vec<(String, String)>,
    swept: bool,
    keys_lost: usize,
}

/// Music between two targets of a line. What is broken off within one frame of sound is heard or
/// not by where in the frame it was ordered.
const MUSIC: &str = "/prompts/music.wav";
const FRAME_MS: u64 = 20;

fn within_frame(moment: &Moment, to_ms: Option<u64>) -> bool {
    to_ms.is_some_and(|to_ms| to_ms <= moment.at_ms + FRAME_MS)
}

pub(crate) fn story(sim: &Simulation<'_>, outcome: &Outcome) -> Story {
    let first = outcome.timeline.first();
    let began_ms = first.map_or(0, |entry| entry.at.as_millisecond() - entry.ms.cast_signed());
    let wall = sim.began().as_millisecond();
    let entered = outcome.timeline.iter().filter_map(|entry| {
        let entered = matches!(entry.what, What::StepEntered { .. });
        entered.then(|| began_ms + entry.ms.cast_signed() - wall)
    });
    let entered: Vec<i64> = entered.collect();
    let visit = |at_ms: u64| entered.iter().filter(|at| **at <= at_ms.cast_signed()).count();
    let sounds = outcome.heard.iter().filter_map(|moment| match &moment.what {
        Observed::Heard { item, to_ms, .. } if item == MUSIC && within_frame(moment, *to_ms) => {
            None
        }
        Observed::Heard { item, .. } => Some((moment.at_ms, plain(item), visit(moment.at_ms))),
        _ => None,
    });
    let talks = outcome.heard.iter().filter_map(|moment| match &moment.what {
        Observed::Bridged { target } => Some(target.clone()),
        _ => None,
    });
    let visits = outcome.record.iter().flat_map(|record| &record.path);
    let visits = visits.map(|visit| format!("{}:{}", visit.step, visit.outcome));
    let requests = sim.requests().iter();
    let requests = requests.map(|request| (request.key.clone(), request.url.reveal().clone()));
    Story {
        sounds: sounds.collect(),
        talks: talks.collect(),
        path: visits.collect(),
        requests: requests.collect(),
        swept: sim.ended_unseen(),
        keys_lost: sim.keys_lost(),
    }
}

/// A recording's number says how often it was begun.
fn plain(item: &str) -> String {
    let message = item.strip_prefix("/messages/").and_then(|_| item.rsplit_once('-'));
    message.map_or(item, |(name, _)| name).to_owned()
}

impl Story {
    pub(crate) fn sounds(&self) -> Vec<&str> {
        self.sounds.iter().map(|(_, item, _)| item.as_str()).collect()
    }

    /// Follows the other's sounds through this story's. A place is where it stands and how far it
    /// has been: a key may cut a repetition short, and then what was heard before is not heard
    /// again.
    fn follows(&self, other: &Self, blows: &[u64]) -> Result<(), String> {
        let mut places = BTreeSet::from([(0usize, 0usize)]);
        let mut last_ms = 0;
        for (at_ms, item, _) in &other.sounds {
            if blows.iter().any(|blow| (last_ms..=*at_ms).contains(blow)) {
                let again = |(place, far): &(usize, usize)| {
                    let far = *far;
                    self.back(*place).map(move |place| (place, far)).collect::<Vec<_>>()
                };
                places = places.iter().flat_map(again).collect();
            }
            last_ms = *at_ms;
            let is_it = |at: usize| self.sounds.get(at).is_some_and(|(_, known, _)| known == item);
            let next = places.iter().flat_map(|(place, far)| [(*place, *far), (*far, *far)]);
            let next = next.filter(|(place, _)| is_it(*place));
            let next: BTreeSet<_> =
                next.map(|(place, far)| (place + 1, far.max(place + 1))).collect();
            if next.is_empty() {
                return Err(format!("at {at_ms} ms `{item}`, expected at {places:?}"));
            }
            places = next;
        }
        let end = self.sounds.len();
        let ended = places.iter().any(|(_, far)| *far == end);
        if ended { Ok(()) } else { Err(format!("it ended at {places:?} of {end}")) }
    }

    fn back(&self, place: usize) -> std::ops::RangeInclusive<usize> {
        let visit = |at: usize| self.sounds.get(at).map(|(_, _, visit)| *visit);
        let current = place.checked_sub(1).and_then(visit);
        let start = (0..place).find(|at| visit(*at) == current).unwrap_or(place);
        start..=place
    }
}

/// What is wrong with a call that changed hands. A key that FreeSWITCH told to a process in its
/// last moment is lost: such a call may go another way than the caller wanted, and must only go on.
pub(crate) fn judge(undisturbed: &Story, sim: &Simulation<'_>) -> Vec<String> {
    let outcome = sim.outcome();
    let told = story(sim, &outcome);
    let mut wrong = Vec::new();
    let mut claim = |holds: bool, what: String| {
        if !holds {
            wrong.push(what);
        }
    };
    for moment in &outcome.heard {
        let bad = match &moment.what {
            Observed::Orphaned => !is_rescued(&outcome, moment.at_ms),
            Observed::Expanded { .. } | Observed::UnknownApplication { .. } => true,
            Observed::Transferred { extension, .. } => extension == FALLBACK,
            _ => false,
        };
        claim(!bad, format!("{moment:?}"));
    }
    let records = sim.records().len();
    let lost = told.keys_lost > undisturbed.keys_lost;
    let none = told.swept || lost && outcome.verdict != Verdict::Passed;
    claim(records == 1 || none && records == 0, format!("{records} records"));
    timeline(&outcome, &mut claim);
    secrets(sim, &outcome, &mut claim);
    if lost {
        return wrong;
    }
    claim(outcome.verdict == Verdict::Passed, format!("{:?}", outcome.verdict));
    let heard = undisturbed.follows(&told, sim.blows());
    claim(heard.is_ok(), format!("heard {heard:?}: {:?}", told.sounds()));
    claim(told.talks == undisturbed.talks, format!("talks {:?}", told.talks));
    let same = records == 0 || told.path == undisturbed.path;
    claim(same, format!("path {:#?}\n instead of {:#?}", told.path, undisturbed.path));
    requests(undisturbed, &told, &mut claim);
    wrong
}

/// The dialplan's timer takes a call out of a park that nobody ends, unless the caller ends it.
fn is_rescued(outcome: &Outcome, orphaned_ms: u64) -> bool {
    outcome.heard.iter().any(|moment| {
        let freed = match &moment.what {
            Observed::Transferred { extension, .. } => extension == UNHEARD,
            Observed::HungUp { by_caller, .. } => *by_caller,
            _ => false,
        };
        freed && (orphaned_ms..=orphaned_ms + TIMER_MS).contains(&moment.at_ms)
    })
}

/// One request is one key, however often it is made.
fn requests(undisturbed: &Story, told: &Story, claim: &mut impl FnMut(bool, String)) {
    let mut once: Vec<&(String, String)> = Vec::new();
    let mut urls = BTreeMap::new();
    for request in &told.requests {
        let known = urls.insert(request.0.clone(), request.1.clone());
        claim(known.is_none_or(|url| url == request.1), format!("one key for two: {request:?}"));
        if !once.contains(&request) {
            once.push(request);
        }
    }
    let same = once.iter().copied().eq(&undisturbed.requests);
    claim(same, format!("requests {:?}, not {:?}", told.requests, undisturbed.requests));
}

fn timeline(outcome: &Outcome, claim: &mut impl FnMut(bool, String)) {
    let mut entries: Vec<_> = outcome.timeline.iter().collect();
    entries.sort_by_key(|entry| (entry.term, entry.sequence));
    for pair in entries.windows(2) {
        let [one, two] = pair else { continue };
        let numbered = (one.term, one.sequence) < (two.term, two.sequence);
        let gapless = one.term != two.term || one.sequence + 1 == two.sequence;
        let in_order = one.at <= two.at;
        claim(numbered && gapless && in_order, format!("timeline {one:?}, {two:?}"));
    }
}

fn secrets(sim: &Simulation<'_>, outcome: &Outcome, claim: &mut impl FnMut(bool, String)) {
    let sent = String::from_utf8_lossy(sim.sent());
    claim(!sent.contains(SECRET), "the secret was sent to the switch".into());
    let kept = serde_json::to_string(&(&outcome.timeline, sim.records())).unwrap();
    claim(!kept.contains(SECRET), "the secret was written down".into());
    let shown = format!("{:?} {:?}", outcome.timeline, sim.requests());
    claim(!shown.contains(SECRET), "the secret was shown".into());
}
