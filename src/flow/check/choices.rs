//! Which choices of a menu can be taken, and which stand in each other's way.

use super::{Found, place};
use crate::base::ids::StepName;
use crate::flow::keys::{Choice, Language, direct_dial};
use crate::flow::kind::menu::Menu;

/// One way to choose, ready to be compared.
struct Way<'a> {
    written: &'a str,
    is_pattern: bool,
    inputs: Language,
}

pub(super) fn check(step: &StepName, menu: &Menu, found: &mut Found) {
    if menu.choices.is_empty() && menu.direct_dial.is_none() {
        found.error(place(step, "choices"), "no-choices", "nothing can be chosen in this menu");
    }
    let mut options = Vec::new();
    for written in menu.choices.keys() {
        let path = place(step, &format!("choices.{written}"));
        let read = Choice::read(written).and_then(|choice| Ok((choice.language()?, choice)));
        match read {
            Ok((inputs, choice)) => {
                let is_pattern = matches!(choice, Choice::Pattern(_));
                options.push(Way { written, is_pattern, inputs });
            }
            Err(error) => found.error(path, "bad-choice", error.to_string()),
        }
    }
    // The order in which they are asked.
    options.sort_by_key(|option| option.is_pattern);
    let path = |option: &Way<'_>| place(step, &format!("choices.{}", option.written));
    for (at, option) in options.iter().enumerate() {
        against_earlier(option, &options[..at], &path(option), found);
        terminators(option, &options, menu, &path(option), found);
    }
    if let Some(direct) = &menu.direct_dial {
        let at = place(step, "direct_dial");
        match direct_dial(direct) {
            Ok(inputs) => against_direct(&options, &inputs, &at, &path, found),
            Err(error) => {
                let path = format!("{at}.exclude");
                found.error(path, "bad-choice", error.to_string());
            }
        }
    }
}

/// Takes away what earlier choices take first.
fn against_earlier(option: &Way<'_>, earlier: &[Way<'_>], path: &str, found: &mut Found) {
    if !takeable(&option.inputs) {
        let message = "no input can take this choice: no keys match the pattern";
        return found.error(path, "choice-never-matches", message);
    }
    let mut left = option.inputs.clone();
    let mut takers = Vec::new();
    for other in earlier {
        let Some(example) = option.inputs.and(&other.inputs).example() else { continue };
        left = left.without(&other.inputs);
        takers.push(format!("`{}`", other.written));
        if option.is_pattern && other.is_pattern && takeable(&left) {
            let message = format!(
                "`{example}` matches this pattern and `{}`, which comes first in the alphabet",
                other.written
            );
            found.warning(path, "choices-overlap", message);
        }
    }
    if !takeable(&left) {
        let message = format!("every input that it matches takes {} first", takers.join(" or "));
        found.error(path, "choice-shadowed", message);
    }
}

/// Whether there is an input of at least one key.
fn takeable(inputs: &Language) -> bool {
    inputs.without(&Language::literal("")).example().is_some()
}

/// A terminator that another choice goes on with can't end that one's input at once.
fn terminators(option: &Way<'_>, all: &[Way<'_>], menu: &Menu, path: &str, found: &mut Found) {
    if option.is_pattern {
        return;
    }
    let ends = option.written.char_indices().skip(1);
    for (at, key) in ends.filter(|(_, key)| menu.keys.terminators.as_str().contains(*key)) {
        let begun = &option.written[..at];
        if all.iter().any(|other| other.inputs.accepts(begun)) {
            let message = format!(
                "after `{begun}` the terminator `{key}` goes on with this choice instead of ending \
                 the input"
            );
            found.warning(path, "terminator-in-choice", message);
        }
    }
}

fn against_direct(
    options: &[Way<'_>],
    direct: &Language,
    at: &str,
    path: &impl Fn(&Way<'_>) -> String,
    found: &mut Found,
) {
    if direct.example().is_none() {
        let message = "no extension can be dialed: the range is empty or all of it is excluded";
        return found.error(at, "choice-never-matches", message);
    }
    for option in options {
        if let Some(example) = direct.and(&option.inputs).example() {
            let message = format!("the extension `{example}` can't be dialed: it is this choice");
            found.warning(path(option), "choices-overlap", message);
        } else if let Some(example) = direct.example_beginning_in(&option.inputs) {
            let message = format!(
                "`{example}` begins extensions that can be dialed, so that this choice waits for \
                 more keys"
            );
            found.warning(path(option), "choice-delayed", message);
            found.hint(format!("exclude them: `\"exclude\": [\"/{example}.*/\"]`"));
        }
    }
}
