//! Which of a webhook's deliveries is next: of each thing the oldest that waits, as soon as it is
//! due. While one is under way, or waits for another attempt, the later ones about the same thing
//! wait behind it; all others go on.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use crate::store::Fresh;

/// A delivery that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) event: Fresh,
    pub(super) attempts: u32,
    pub(super) due: Instant,
}

/// The deliveries of a webhook that wait.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// By what they are about.
    lanes: BTreeMap<String, Lane>,
    /// The first of each lane of which none is under way, by the time when it is due.
    agenda: BTreeSet<(Instant, u64, String)>,
    count: usize,
}

#[derive(Debug, Default)]
struct Lane {
    waiting: BTreeMap<u64, Item>,
    busy: bool,
}

impl Window {
    /// How many wait or are under way.
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// Adds one, unless it is there.
    pub(super) fn push(&mut self, item: Item) {
        let thing = item.event.thing.clone();
        self.unlist(&thing);
        let lane = self.lanes.entry(thing.clone()).or_default();
        if let std::collections::btree_map::Entry::Vacant(place) =
            lane.waiting.entry(item.event.sequence)
        {
            place.insert(item);
            self.count += 1;
        }
        self.list(&thing);
    }

    /// The next that is due; it is under way from now on.
    pub(super) fn start(&mut self, now: Instant) -> Option<Item> {
        let (due, ..) = self.agenda.first()?;
        if *due > now {
            return None;
        }
        let (_, sequence, thing) = self.agenda.pop_first()?;
        let lane = self.lanes.get_mut(&thing)?;
        lane.busy = true;
        lane.waiting.get(&sequence).cloned()
    }

    /// One that was under way is done with: what comes behind it is next.
    pub(super) fn finish(&mut self, event: &Fresh) {
        if let Some(lane) = self.lanes.get_mut(&event.thing) {
            lane.busy = false;
            self.count -= usize::from(lane.waiting.remove(&event.sequence).is_some());
        }
        self.list(&event.thing);
    }

    /// One that was under way is to be tried again.
    pub(super) fn retry(&mut self, event: &Fresh, due: Instant) {
        if let Some(lane) = self.lanes.get_mut(&event.thing) {
            lane.busy = false;
            if let Some(item) = lane.waiting.get_mut(&event.sequence) {
                (item.attempts, item.due) = (item.attempts + 1, due);
            }
        }
        self.list(&event.thing);
    }

    /// When the next is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.agenda.first().map(|(due, ..)| *due)
    }

    /// Nothing waits for its time any more.
    pub(super) fn hurry(&mut self, now: Instant) {
        for (_, sequence, thing) in std::mem::take(&mut self.agenda) {
            if let Some(item) =
                self.lanes.get_mut(&thing).and_then(|lane| lane.waiting.get_mut(&sequence))
            {
                item.due = item.due.min(now);
                self.agenda.insert((item.due, sequence, thing));
            }
        }
    }

    fn unlist(&mut self, thing: &str) {
        let Some(lane) = self.lanes.get(thing).filter(|lane| !lane.busy) else { return };
        if let Some((sequence, item)) = lane.waiting.first_key_value() {
            self.agenda.remove(&(item.due, *sequence, thing.to_owned()));
        }
    }

    fn list(&mut self, thing: &str) {
        let Some(lane) = self.lanes.get(thing).filter(|lane| !lane.busy) else { return };
        match lane.waiting.first_key_value() {
            Some((sequence, item)) => {
                self.agenda.insert((item.due, *sequence, thing.to_owned()));
            }
            None => drop(self.lanes.remove(thing)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn item(sequence: u64, thing: &str, due: Instant) -> Item {
        let (kind, thing, body) = ("call.digit".into(), thing.into(), "{}".into());
        Item { event: Fresh { sequence, kind, thing, body }, attempts: 0, due }
    }

    #[test]
    fn what_waits_for_another_attempt_holds_back_only_what_is_about_the_same() {
        let (now, later) = (Instant::now(), Instant::now() + Duration::from_secs(9));
        let mut window = Window::default();
        for (sequence, thing) in [(1, "a"), (2, "a"), (3, "b"), (4, "b")] {
            window.push(item(sequence, thing, now));
        }
        let next = |window: &mut Window, at| window.start(at).map(|item| item.event.sequence);
        assert_eq!(next(&mut window, now), Some(1));
        assert_eq!(next(&mut window, now), Some(3));
        assert_eq!(next(&mut window, now), None, "both are under way");
        window.retry(&item(1, "a", now).event, later);
        window.finish(&item(3, "b", now).event);
        assert_eq!(next(&mut window, now), Some(4));
        window.finish(&item(4, "b", now).event);
        assert_eq!((next(&mut window, now), window.due(), window.len()), (None, Some(later), 2));
        window.push(item(1, "a", now));
        assert_eq!((window.due(), window.len()), (Some(later), 2), "it is there already");
        let again = window.start(later).unwrap();
        assert_eq!((again.event.sequence, again.attempts), (1, 1));
        window.finish(&again.event);
        assert_eq!(next(&mut window, now), Some(2));
    }

    #[test]
    fn after_an_outage_nothing_waits_for_its_time() {
        let (now, later) = (Instant::now(), Instant::now() + Duration::from_secs(9));
        let mut window = Window::default();
        window.push(item(1, "a", later));
        window.push(item(2, "b", later));
        assert_eq!(window.start(now), None);
        window.hurry(now);
        assert_eq!(window.start(now).unwrap().event.sequence, 1);
        assert_eq!(window.start(now).unwrap().event.sequence, 2);
    }

    proptest! {
        #[test]
        fn each_thing_is_told_in_order_and_nothing_is_left_out(
            things in prop::collection::vec(0..4_u8, 1..60),
            failures in prop::collection::vec(any::<bool>(), 200),
        ) {
            let now = Instant::now();
            let mut window = Window::default();
            let mut failures = failures.into_iter();
            let mut told = Vec::new();
            let mut under_way = Vec::new();
            for (sequence, thing) in (1..).zip(&things) {
                window.push(item(sequence, &thing.to_string(), now));
                under_way.extend(window.start(now));
                if sequence % 3 == 0 {
                    for one in under_way.drain(..) {
                        if failures.next() == Some(true) {
                            window.retry(&one.event, now);
                        } else {
                            window.finish(&one.event);
                            told.push(one.event);
                        }
                    }
                }
            }
            while window.len() > 0 {
                under_way.extend(std::iter::from_fn(|| window.start(now)));
                for one in under_way.drain(..) {
                    window.finish(&one.event);
                    told.push(one.event);
                }
            }
            prop_assert_eq!(told.len(), things.len());
            for thing in 0..4_u8 {
                let own = told.iter().filter(|event| event.thing == thing.to_string());
                prop_assert!(own.map(|event| event.sequence).is_sorted());
            }
        }
    }
}
