//! Sets of key sequences as small automata over the sixteen keys, so that it can be told at each
//! key what may still come.

use std::collections::BTreeMap;

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::{start, syntax};
use regex_automata::{Anchored, MatchKind};

/// Most states of one automaton: about 140 KiB.
pub(super) const STATES_MAX: usize = 4_096;

/// Most bytes of the automata on the way from a pattern to ours.
const BUILD_SIZE_MAX: usize = 1 << 20;

/// The keys, in the order of their indices.
pub(super) const KEYS: [u8; 16] = *b"0123456789*#ABCD";

/// No sequence that begins so is in the set.
const DEAD: u16 = u16::MAX;

/// Why a pattern can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("this is not a pattern: {0}")]
    Syntax(String),
    #[error("this pattern is too big")]
    TooBig,
}

/// A set of key sequences.
#[derive(Clone, PartialEq, Eq)]
pub struct Language {
    /// The first is where every sequence begins; a set without sequences has none.
    states: Vec<State>,
}

#[derive(Clone, PartialEq, Eq)]
struct State {
    next: [u16; 16],
    accepts: bool,
    /// Whether a longer sequence is in the set.
    more: bool,
}

/// What a sequence is to a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) accepted: bool,
    /// Whether a longer one is in the set.
    pub(super) more: bool,
}

impl std::fmt::Debug for Language {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Language({} states)", self.states.len())
    }
}

impl Language {
    /// One sequence.
    pub(in crate::flow) fn literal(keys: &str) -> Self {
        let bytes = keys.as_bytes();
        Self::explored(0, STATES_MAX, |at: &usize| {
            let step = |key| (bytes.get(*at) == Some(&key)).then_some(at + 1);
            (*at == bytes.len(), KEYS.map(step))
        })
    }

    /// All sequences of `min` to `max` of these keys.
    pub(super) fn of_length(min: usize, max: usize, keys: &[u8]) -> Self {
        Self::explored(0, STATES_MAX, |at: &usize| {
            let step = |key| (*at < max && keys.contains(&key)).then_some(at + 1);
            (*at >= min && *at <= max, KEYS.map(step))
        })
    }

    /// The sequences that a pattern matches from their first key to their last.
    pub(in crate::flow) fn pattern(pattern: &str) -> Result<Self, PatternError> {
        let dfa = dense::Builder::new()
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .thompson(thompson::Config::new().nfa_size_limit(Some(BUILD_SIZE_MAX)))
            .configure(
                // With `All`, a state tells of every match that ends there, not of the preferred
                // one.
                dense::Config::new()
                    .match_kind(MatchKind::All)
                    .start_kind(StartKind::Anchored)
                    .dfa_size_limit(Some(BUILD_SIZE_MAX))
                    .determinize_size_limit(Some(BUILD_SIZE_MAX)),
            )
            .build(pattern)
            .map_err(|error| trouble(&error))?;
        let start = start::Config::new().anchored(Anchored::Yes);
        let start = dfa.start_state(&start).map_err(|_| PatternError::TooBig)?;
        let mut count = 0;
        let language = Self::explored(start, STATES_MAX + 1, |state: &StateID| {
            count += 1;
            let step = |key| {
                let next = dfa.next_state(*state, key);
                (!dfa.is_dead_state(next) && !dfa.is_quit_state(next)).then_some(next)
            };
            (dfa.is_match_state(dfa.next_eoi_state(*state)), KEYS.map(step))
        });
        if count > STATES_MAX { Err(PatternError::TooBig) } else { Ok(language) }
    }

    /// The sequences that are in both.
    pub(in crate::flow) fn and(&self, other: &Self) -> Self {
        self.joined(other, |one, other| one && other, true)
    }

    /// The sequences that are in this and not in the other.
    pub(in crate::flow) fn without(&self, other: &Self) -> Self {
        self.joined(other, |one, other| one && !other, false)
    }

    /// The sequences that hold none of these keys.
    pub(super) fn avoiding(&self, keys: &[u8]) -> Self {
        Self::explored(0, STATES_MAX, |at: &u16| match self.states.get(usize::from(*at)) {
            None => (false, [None; 16]),
            Some(state) => {
                let step =
                    |(next, key): (u16, u8)| (next != DEAD && !keys.contains(&key)).then_some(next);
                (state.accepts, zipped(state.next).map(step))
            }
        })
    }

    fn joined(&self, other: &Self, accepts: fn(bool, bool) -> bool, both: bool) -> Self {
        let get = |language: &Self, at: u16| language.states.get(usize::from(at)).cloned();
        Self::explored((0, 0), STATES_MAX, |(one, two): &(u16, u16)| {
            let Some(one) = get(self, *one) else { return (false, [None; 16]) };
            let two = get(other, *two);
            let mut next = [None; 16];
            for (at, slot) in next.iter_mut().enumerate() {
                let there = two.as_ref().map_or(DEAD, |two| two.next[at]);
                if one.next[at] != DEAD && (there != DEAD || !both) {
                    *slot = Some((one.next[at], there));
                }
            }
            (accepts(one.accepts, two.is_some_and(|two| two.accepts)), next)
        })
    }

    /// Builds the automaton that `look` shows from `start` on, at most `most` states of it.
    fn explored<S: Ord + Clone>(
        start: S,
        most: usize,
        mut look: impl FnMut(&S) -> (bool, [Option<S>; 16]),
    ) -> Self {
        let mut numbers = BTreeMap::from([(start.clone(), 0_u16)]);
        let mut found = vec![start];
        let mut states = Vec::new();
        while let Some(state) = found.get(states.len()).cloned() {
            let (accepts, steps) = look(&state);
            let next = steps.map(|step| {
                let Some(step) = step else { return DEAD };
                if let Some(number) = numbers.get(&step) {
                    return *number;
                }
                let Some(number) = u16::try_from(found.len()).ok().filter(|_| found.len() < most)
                else {
                    return DEAD;
                };
                numbers.insert(step.clone(), number);
                found.push(step);
                number
            });
            states.push(State { next, accepts, more: false });
        }
        Self { states }.with_more()
    }

    /// Marks the states from which a longer sequence can be reached, backwards from those that
    /// accept.
    fn with_more(mut self) -> Self {
        let mut before: Vec<Vec<usize>> = vec![Vec::new(); self.states.len()];
        for (at, state) in self.states.iter().enumerate() {
            for next in state.next.iter().filter(|next| **next != DEAD) {
                before[usize::from(*next)].push(at);
            }
        }
        let mut open: Vec<usize> =
            (0..self.states.len()).filter(|at| self.states[*at].accepts).collect();
        while let Some(at) = open.pop() {
            for earlier in std::mem::take(&mut before[at]) {
                if !std::mem::replace(&mut self.states[earlier].more, true) {
                    open.push(earlier);
                }
            }
        }
        self
    }

    pub(super) fn standing(&self, keys: &str) -> Standing {
        let mut at = 0_u16;
        for byte in keys.bytes() {
            let key = KEYS.iter().position(|key| *key == byte);
            let state = self.states.get(usize::from(at));
            at = state.zip(key).map_or(DEAD, |(state, key)| state.next[key]);
        }
        self.states.get(usize::from(at)).map_or(
            Standing { accepted: false, more: false },
            |state| Standing { accepted: state.accepts, more: state.more },
        )
    }

    pub(in crate::flow) fn accepts(&self, keys: &str) -> bool {
        self.standing(keys).accepted
    }

    /// One of the shortest sequences of the set, if there is any.
    pub(in crate::flow) fn example(&self) -> Option<String> {
        let mut seen = vec![false; self.states.len()];
        let mut open = std::collections::VecDeque::from([(0_u16, String::new())]);
        while let Some((at, keys)) = open.pop_front() {
            let Some(state) = self.states.get(usize::from(at)) else { continue };
            if state.accepts {
                return Some(keys);
            }
            if state.more && !std::mem::replace(&mut seen[usize::from(at)], true) {
                let further = zipped(state.next).into_iter().filter(|(next, _)| *next != DEAD);
                open.extend(
                    further.map(|(next, key)| (next, format!("{keys}{}", char::from(key)))),
                );
            }
        }
        None
    }

    /// The beginnings of the set's sequences that the other set holds: who wants the longer one
    /// must not pause there.
    pub(in crate::flow) fn example_beginning_in(&self, other: &Self) -> Option<String> {
        let mut beginnings = self.clone();
        for state in &mut beginnings.states {
            state.accepts = state.more;
        }
        beginnings.with_more().and(other).example()
    }
}

fn zipped(next: [u16; 16]) -> [(u16, u8); 16] {
    std::array::from_fn(|at| (next[at], KEYS[at]))
}

fn trouble(error: &dense::BuildError) -> PatternError {
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    if error.is_size_limit_exceeded() {
        return PatternError::TooBig;
    }
    let text = deepest.to_string();
    let last = text.lines().last().unwrap_or_default();
    if last.contains("exceed") {
        PatternError::TooBig
    } else {
        PatternError::Syntax(last.trim_start_matches("error: ").to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(language: &Language, keys: &str) -> (bool, bool) {
        let standing = language.standing(keys);
        (standing.accepted, standing.more)
    }

    #[test]
    fn a_pattern_holds_what_it_matches_from_first_key_to_last() {
        let language = Language::pattern(r"^9\d{2}$|1|12").unwrap();
        for (keys, expected) in [
            ("", (false, true)),
            ("9", (false, true)),
            ("912", (true, false)),
            ("9123", (false, false)),
            ("1", (true, true)),
            ("12", (true, false)),
            ("2", (false, false)),
            ("9*", (false, false)),
        ] {
            assert_eq!(standing(&language, keys), expected, "{keys}");
        }
    }

    #[test]
    fn what_only_other_characters_could_continue_is_final() {
        assert_eq!(standing(&Language::pattern("1[a-z]*").unwrap(), "1"), (true, false));
        assert_eq!(standing(&Language::pattern("1#?").unwrap().avoiding(b"#"), "1"), (true, false));
    }

    #[test]
    fn a_pattern_that_is_too_big_or_none_is_refused() {
        assert_eq!(Language::pattern("[01]*1[01]{14}"), Err(PatternError::TooBig));
        assert_eq!(Language::pattern(r"(\d{1000}){1000}"), Err(PatternError::TooBig));
        assert!(matches!(Language::pattern("(1"), Err(PatternError::Syntax(_))));
        assert!(matches!(Language::pattern("(?=1)2"), Err(PatternError::Syntax(_))));
    }

    #[test]
    fn sets_are_joined_and_taken_apart() {
        let two = Language::of_length(2, 3, b"0123456789");
        let nines = Language::pattern("9+").unwrap();
        assert_eq!(two.and(&nines).example().as_deref(), Some("99"));
        let rest = two.without(&nines);
        assert!(!rest.accepts("99") && rest.accepts("98") && rest.accepts("990"));
        assert_eq!(Language::literal("1").and(&two).example(), None);
        assert_eq!(two.example_beginning_in(&Language::literal("12")).as_deref(), Some("12"));
        assert_eq!(two.example_beginning_in(&Language::literal("123")), None);
    }
}
