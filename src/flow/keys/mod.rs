//! What the keys pressed so far mean to a `menu` or `gather`: whether they match, and whether a
//! longer input still could. Compiled once for each step of a flow; a call holds only its digits.

mod language;

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::base::digits::Digits;

use super::kind::gather::{Gather, Keys};
use super::kind::menu::{DirectDial, Menu};
use language::KEYS;

pub use language::{Language, PatternError};

/// Longest input, in keys; a longer one can't match.
pub const INPUT_MAX: usize = 64;

/// What an input is, so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict<W> {
    /// It matches. Where nothing longer can match, it should act at once.
    Match { way: W, longer: bool },
    /// It does not match, and a longer input could.
    Prefix,
    /// Neither it nor anything that begins with it can match.
    Dead,
}

/// What was chosen in a menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen<'a> {
    /// The choice that is written so.
    Choice(&'a str),
    DirectDial,
}

/// A choice as an author wrote it: keys, or a pattern between slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice<'a> {
    Keys(Digits),
    Pattern(&'a str),
}

/// Why a choice can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError {
    #[error("a choice is keys (0-9, *, #, A-D) or a pattern between slashes")]
    NoKeys,
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

impl<'a> Choice<'a> {
    pub fn read(written: &'a str) -> Result<Self, ChoiceError> {
        let inner = written.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
        match (inner, written.parse::<Digits>()) {
            (Some(pattern), _) => Ok(Self::Pattern(pattern)),
            (None, Ok(keys)) if !keys.is_empty() && keys.len() <= INPUT_MAX => Ok(Self::Keys(keys)),
            _ => Err(ChoiceError::NoKeys),
        }
    }

    /// The inputs that it means.
    pub fn language(&self) -> Result<Language, PatternError> {
        match self {
            Self::Keys(keys) => Ok(Language::literal(keys.as_str())),
            Self::Pattern(pattern) => Language::pattern(pattern),
        }
    }
}

/// The inputs that dial an extension.
pub(super) fn direct_dial(direct: &DirectDial) -> Result<Language, ChoiceError> {
    let most = usize::from(direct.max).min(INPUT_MAX);
    let mut language = Language::of_length(usize::from(direct.min).max(1), most, &KEYS[..10]);
    for excluded in &direct.exclude {
        language = language.without(&Choice::read(excluded)?.language()?);
    }
    Ok(language)
}

/// A menu, ready for keys. A key that continues an input is part of it, even if it is a terminator
/// too: `#` can be a choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MenuKeys {
    /// In the order in which they are asked: keys, then patterns by alphabet.
    choices: Vec<(String, Language)>,
    direct_dial: Option<Language>,
}

impl MenuKeys {
    pub fn new(menu: &Menu) -> Result<Self, ChoiceError> {
        let mut keys = Vec::new();
        let mut patterns = Vec::new();
        for written in menu.choices.keys() {
            let choice = Choice::read(written)?;
            let language = choice.language()?;
            match choice {
                Choice::Keys(_) => keys.push((written.clone(), language)),
                Choice::Pattern(_) => patterns.push((written.clone(), language)),
            }
        }
        keys.extend(patterns);
        let direct_dial = menu.direct_dial.as_ref().map(direct_dial).transpose()?;
        Ok(Self { choices: keys, direct_dial })
    }

    pub fn verdict(&self, input: &Digits) -> Verdict<Chosen<'_>> {
        let mut chosen = None;
        let mut longer = false;
        let direct = self.direct_dial.iter().map(|language| (Chosen::DirectDial, language));
        let choices = self.choices.iter().map(|(key, language)| (Chosen::Choice(key), language));
        for (way, language) in choices.chain(direct) {
            let standing = language.standing(input.as_str());
            longer |= standing.more;
            if standing.accepted && chosen.is_none() {
                chosen = Some(way);
            }
        }
        judged(chosen, longer && input.len() < INPUT_MAX)
    }
}

fn judged<W>(way: Option<W>, longer: bool) -> Verdict<W> {
    match (way, longer) {
        (Some(way), longer) => Verdict::Match { way, longer },
        (None, true) => Verdict::Prefix,
        (None, false) => Verdict::Dead,
    }
}

/// A gather, ready for keys. A terminator is never part of its input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatherKeys {
    inputs: Language,
    secret: bool,
}

impl GatherKeys {
    pub fn new(gather: &Gather) -> Result<Self, PatternError> {
        let Keys { terminators, .. } = &gather.keys;
        let most = usize::from(gather.max).min(INPUT_MAX);
        let mut inputs = Language::of_length(usize::from(gather.min).max(1), most, &KEYS);
        if let Some(pattern) = &gather.pattern {
            inputs = inputs.and(&Language::pattern(pattern)?);
        }
        let inputs = inputs.avoiding(terminators.as_str().as_bytes());
        Ok(Self { inputs, secret: gather.secret })
    }

    /// Whether no input can match.
    pub(super) fn is_impossible(&self) -> bool {
        self.inputs.example().is_none()
    }

    /// `accept` is what the step's `accept` comes to in this call; an empty list accepts
    /// everything.
    ///
    /// Of a secret input only its length is judged before its end: whoever guesses must not learn
    /// from the time of the answer which keys were right.
    pub fn verdict(&self, input: &Digits, accept: &[String]) -> Verdict<()> {
        let standing = self.inputs.standing(input.as_str());
        if accept.is_empty() {
            return judged(standing.accepted.then_some(()), standing.more);
        }
        let text = input.as_str();
        let possible = accept.iter().filter(|accepted| self.inputs.accepts(accepted));
        let mut matches = false;
        let mut longer = false;
        for accepted in possible {
            matches |= accepted == text;
            longer |= accepted.len() > text.len() && (self.secret || accepted.starts_with(text));
        }
        judged(matches.then_some(()), longer)
    }
}

/// What a step's keys mean, made when it is first asked for and shared by all calls of the flow.
#[derive(Clone)]
pub(in crate::flow) struct Prepared<T>(OnceLock<Option<Arc<T>>>);

impl<T> Prepared<T> {
    fn or_make<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Option<&T> {
        self.0.get_or_init(|| make().ok().map(Arc::new)).as_deref()
    }
}

impl<T> Default for Prepared<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

/// It follows from the step, and is no part of what makes two steps differ.
impl<T> PartialEq for Prepared<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> fmt::Debug for Prepared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prepared")
    }
}

impl Menu {
    /// What keys mean to it. Nothing if a choice can't be used, which the checker calls an error.
    pub fn prepared(&self) -> Option<&MenuKeys> {
        self.prepared.or_make(|| MenuKeys::new(self))
    }
}

impl Gather {
    /// What keys mean to it. Nothing if its pattern can't be used, which the checker calls an
    /// error.
    pub fn prepared(&self) -> Option<&GatherKeys> {
        self.prepared.or_make(|| GatherKeys::new(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Digits {
        text.parse().unwrap()
    }

    fn menu(rest: &str) -> MenuKeys {
        let text = format!(r#"{{"prompts": [], {rest}}}"#);
        MenuKeys::new(&serde_json::from_str(&text).unwrap()).unwrap()
    }

    fn gather(rest: &str) -> GatherKeys {
        let text = format!(r#"{{"prompts": [], "into": "x", "next": "y", {rest}}}"#);
        GatherKeys::new(&serde_json::from_str(&text).unwrap()).unwrap()
    }

    fn choice(key: &str, longer: bool) -> Verdict<Chosen<'_>> {
        Verdict::Match { way: Chosen::Choice(key), longer }
    }

    #[test]
    fn a_digit_acts_at_once_when_nothing_longer_can_match() {
        let menu = menu(r#""choices": {"1": "a", "2": "b", "23": "c"}"#);
        assert_eq!(menu.verdict(&digits("")), Verdict::Prefix);
        assert_eq!(menu.verdict(&digits("1")), choice("1", false));
        assert_eq!(menu.verdict(&digits("2")), choice("2", true));
        assert_eq!(menu.verdict(&digits("23")), choice("23", false));
        assert_eq!(menu.verdict(&digits("4")), Verdict::Dead);
        assert_eq!(menu.verdict(&digits("11")), Verdict::Dead);
    }

    #[test]
    fn keys_win_over_patterns_and_patterns_over_direct_dial() {
        let menu = menu(
            r#""choices": {"/1\\d/": "p", "/\\d0/": "q", "11": "k"},
               "direct_dial": {"min": 2, "max": 3, "exclude": ["/9.*/", "200"],
                               "into": "x", "next": "y"}"#,
        );
        assert_eq!(menu.verdict(&digits("11")), choice("11", true));
        assert_eq!(menu.verdict(&digits("10")), choice("/1\\d/", true));
        assert_eq!(menu.verdict(&digits("20")), choice("/\\d0/", true));
        let direct = |longer| Verdict::Match { way: Chosen::DirectDial, longer };
        assert_eq!(menu.verdict(&digits("21")), direct(true));
        assert_eq!(menu.verdict(&digits("201")), direct(false));
        assert_eq!(menu.verdict(&digits("200")), Verdict::Dead);
        assert_eq!(menu.verdict(&digits("9")), Verdict::Prefix, "90 is a choice");
        assert_eq!(menu.verdict(&digits("91")), Verdict::Dead);
        assert_eq!(menu.verdict(&digits("90")), choice("/\\d0/", false));
    }

    #[test]
    fn a_terminator_can_be_a_choice() {
        let menu = menu(r##""choices": {"1": "a", "#": "b"}"##);
        assert_eq!(menu.verdict(&digits("#")), choice("#", false));
        assert_eq!(menu.verdict(&digits("1#")), Verdict::Dead, "so that it ends the input");
    }

    #[test]
    fn an_input_of_any_length_ends_at_the_limit() {
        let menu = menu(r#""choices": {"/\\d*/": "a"}"#);
        assert_eq!(menu.verdict(&digits(&"1".repeat(INPUT_MAX))), choice("/\\d*/", false));
    }

    #[test]
    fn a_gather_waits_only_while_more_can_come() {
        let gather = gather(r#""min": 2, "max": 4, "pattern": "1\\d*|2\\d|33""#);
        for (keys, expected) in [
            ("1", Verdict::Prefix),
            ("12", Verdict::Match { way: (), longer: true }),
            ("1234", Verdict::Match { way: (), longer: false }),
            ("25", Verdict::Match { way: (), longer: false }),
            ("34", Verdict::Dead),
            ("12345", Verdict::Dead),
        ] {
            assert_eq!(gather.verdict(&digits(keys), &[]), expected, "{keys}");
        }
    }

    #[test]
    fn a_secret_is_judged_by_its_length_until_its_end() {
        let open = gather(r#""max": 8, "accept": ["x"]"#);
        let secret = gather(r#""max": 8, "accept": ["x"], "secret": true"#);
        let pins = ["4711".to_owned(), "99".to_owned()];
        assert_eq!(open.verdict(&digits("5"), &pins), Verdict::Dead);
        assert_eq!(secret.verdict(&digits("5"), &pins), Verdict::Prefix);
        assert_eq!(open.verdict(&digits("99"), &pins), Verdict::Match { way: (), longer: false });
        assert_eq!(secret.verdict(&digits("99"), &pins), Verdict::Match { way: (), longer: true });
        for gather in [&open, &secret] {
            let right = gather.verdict(&digits("4711"), &pins);
            assert_eq!(right, Verdict::Match { way: (), longer: false });
            assert_eq!(gather.verdict(&digits("4712"), &pins), Verdict::Dead);
        }
    }

    #[test]
    fn an_accepted_input_that_can_never_be_typed_is_not_waited_for() {
        let gather = gather(r#""max": 4, "accept": ["x"]"#);
        let accept = ["123456".to_owned(), "12".to_owned(), "12#".to_owned()];
        let verdict = gather.verdict(&digits("12"), &accept);
        assert_eq!(verdict, Verdict::Match { way: (), longer: false });
    }

    #[test]
    fn what_keys_mean_is_made_once_and_only_if_it_can_be() {
        let read = |choice: &str| -> Menu {
            serde_json::from_str(&format!(r#"{{"prompts": [], "choices": {{"{choice}": "a"}}}}"#))
                .unwrap()
        };
        let menu = read("1");
        let first = menu.prepared().unwrap();
        assert!(std::ptr::eq(first, menu.prepared().unwrap()));
        assert_eq!(read("/(/").prepared(), None);
    }

    #[test]
    fn a_choice_that_is_neither_keys_nor_pattern_is_refused() {
        for written in ["", "x", "1 2", "/", "1/2", &"1".repeat(65)] {
            assert_eq!(Choice::read(written), Err(ChoiceError::NoKeys), "{written}");
        }
    }
}
