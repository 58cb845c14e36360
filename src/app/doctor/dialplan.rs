//! A dialplan as FreeSWITCH has it, and the ways in it that lead to us.

use std::collections::BTreeSet;

use regex::Regex;

use super::xml::{Element, elements};

/// Applications after which a call is where it was: none of them takes a caller on.
const STAYS: [&str; 14] = [
    "set",
    "unset",
    "export",
    "multiset",
    "set_profile_var",
    "log",
    "info",
    "event",
    "sleep",
    "sched_cancel",
    "sched_transfer",
    "sched_hangup",
    "verbose_events",
    "socket",
];

/// A dialplan.
#[derive(Debug, Default)]
pub(super) struct Dialplan {
    contexts: Vec<Context>,
    /// Whether what is being read stands in no context.
    outside: bool,
}

#[derive(Debug)]
struct Context {
    name: String,
    /// How many elements are around it.
    depth: usize,
    extensions: Vec<Extension>,
}

#[derive(Debug)]
struct Extension {
    name: String,
    /// What its conditions on the dialed number want.
    numbers: Vec<String>,
    /// Its actions and anti-actions, in their order.
    actions: Vec<Action>,
}

#[derive(Debug)]
struct Action {
    application: String,
    data: String,
}

/// One `socket` action.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Socket<'a> {
    pub(super) context: &'a str,
    pub(super) extension: &'a str,
    pub(super) data: &'a str,
    pub(super) is_async: bool,
    pub(super) is_full: bool,
    /// Whether `socket_resume` is set before.
    pub(super) resumes: bool,
    /// Whether anything takes the caller on when nobody took the call.
    pub(super) falls: bool,
    /// Extensions to which the context sends callers and which it does not have.
    pub(super) gone: BTreeSet<String>,
}

impl Dialplan {
    pub(super) fn read(xml: &str) -> Self {
        let mut dialplan = Self::default();
        for element in elements(xml) {
            dialplan.take(&element);
        }
        dialplan
    }

    fn take(&mut self, element: &Element) {
        let text = |name: &str| element.get(name).unwrap_or_default().to_owned();
        if element.name == "context" {
            self.outside = false;
            let (name, depth) = (text("name"), element.depth);
            self.contexts.push(Context { name, depth, extensions: Vec::new() });
            return;
        }
        let Some(context) = self.contexts.last_mut() else { return };
        if element.name == "extension" {
            // What stands beside the contexts is never looked at.
            self.outside = element.depth <= context.depth;
        }
        if self.outside {
            return;
        }
        if element.name == "extension" {
            let (numbers, actions) = (Vec::new(), Vec::new());
            context.extensions.push(Extension { name: text("name"), numbers, actions });
            return;
        }
        let Some(extension) = context.extensions.last_mut() else { return };
        match element.name.as_str() {
            "condition" if element.get("field") == Some("destination_number") => {
                extension.numbers.push(text("expression"));
            }
            "action" | "anti-action" => {
                let (application, data) = (text("application"), text("data"));
                extension.actions.push(Action { application, data });
            }
            _ => {}
        }
    }

    pub(super) fn has(&self, context: &str) -> bool {
        self.contexts.iter().any(|one| one.name == context)
    }

    /// Every `socket` action.
    pub(super) fn sockets(&self) -> Vec<Socket<'_>> {
        let in_context = |context| Context::sockets(context, self);
        self.contexts.iter().flat_map(in_context).collect()
    }

    /// Whether a context has an extension that is made for this name, and not one that takes any.
    fn leads(&self, context: &str, target: &str) -> bool {
        let named = self.contexts.iter().filter(|one| one.name == context);
        named.flat_map(|one| &one.extensions).any(|extension| {
            extension.numbers.iter().any(|pattern| {
                let takes = |name| Regex::new(pattern).is_ok_and(|regex| regex.is_match(name));
                takes(target) && !takes("callwright_nothing_of_this_name")
            })
        })
    }
}

impl Context {
    fn sockets<'a>(&'a self, dialplan: &'a Dialplan) -> Vec<Socket<'a>> {
        let gone = self.gone(dialplan);
        let sends = self.sends();
        let mut found = Vec::new();
        for extension in &self.extensions {
            for (nth, action) in extension.actions.iter().enumerate() {
                if action.application != "socket" {
                    continue;
                }
                let (before, after) = extension.actions.split_at(nth);
                let mut words = action.data.split_whitespace().skip(1);
                let words: Vec<_> = words.by_ref().map(str::to_ascii_lowercase).collect();
                let has = |word: &str| words.iter().any(|one| one == word);
                let resume = |one: &Action| {
                    one.data.replace(' ', "").eq_ignore_ascii_case("socket_resume=true")
                };
                found.push(Socket {
                    context: &self.name,
                    extension: &extension.name,
                    data: &action.data,
                    is_async: has("async"),
                    is_full: has("full"),
                    resumes: before.iter().any(resume),
                    falls: sends || after.iter().any(Action::takes_on),
                    gone: gone.clone(),
                });
            }
        }
        found
    }

    /// Whether it is made of extensions that send the caller from one to the next, as ours is.
    fn sends(&self) -> bool {
        let mut targets = self.targets();
        targets.any(|(name, context)| name.starts_with("callwright_") && context == self.name)
    }

    /// Where its actions send callers, with the context, as far as that can be told.
    fn targets(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.extensions.iter().flat_map(|one| &one.actions).filter_map(Action::target);
        let own = |(name, context)| {
            (name, if context == "${context}" { self.name.as_str() } else { context })
        };
        all.map(own).filter(|(_, context)| !context.contains('$'))
    }

    fn gone(&self, dialplan: &Dialplan) -> BTreeSet<String> {
        let ours = self.targets().filter(|(name, _)| name.starts_with("callwright_"));
        let gone = ours.filter(|(name, context)| !dialplan.leads(context, name));
        gone.map(|(name, context)| format!("{name} XML {context}")).collect()
    }
}

impl Action {
    fn takes_on(&self) -> bool {
        !STAYS.contains(&self.application.as_str())
    }

    /// The extension and the context to which it sends the caller.
    fn target(&self) -> Option<(&str, &str)> {
        let mut words = self.data.split_whitespace();
        match self.application.as_str() {
            "transfer" | "execute_extension" => {}
            "sched_transfer" => drop(words.next()),
            _ => return None,
        }
        let (name, dialplan, context) = (words.next()?, words.next()?, words.next()?);
        (dialplan == "XML" && !name.contains('$')).then_some((name, context))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = include_str!("../../../dialplan/callwright.xml");

    #[test]
    fn our_own_dialplan_has_one_socket_that_is_as_it_should_be() {
        let dialplan = Dialplan::read(OURS);
        let sockets = dialplan.sockets();
        let [socket] = &sockets[..] else { panic!("{sockets:?}") };
        assert_eq!((socket.context, socket.extension), ("callwright", "callwright-offer"));
        assert!(socket.is_async && socket.is_full && socket.resumes && socket.falls);
        assert_eq!(socket.gone, BTreeSet::new());
        assert!(dialplan.has("callwright") && !dialplan.has("public"));
    }

    #[test]
    fn what_is_taken_out_of_our_dialplan_is_missed() {
        let text = OURS.replace("async full", "full");
        assert!(!Dialplan::read(&text).sockets()[0].is_async);
        let text = OURS.replace("socket_resume=true", "socket_resume=false");
        assert!(!Dialplan::read(&text).sockets()[0].resumes);
        let text = OURS.replace("^callwright_(after|unheard)$", "^nothing$");
        let text = text.replace("^callwright_after$", "^nothing$");
        let gone: Vec<String> = Dialplan::read(&text).sockets()[0].gone.iter().cloned().collect();
        assert_eq!(gone, ["callwright_after XML callwright"]);
    }

    #[test]
    fn what_stands_in_no_context_leads_nowhere() {
        let extension = "<extension name=\"x\"><condition><action application=\"socket\" \
            data=\"127.0.0.1:8084\"/></condition></extension>";
        let context = format!("<context name=\"c\">{extension}</context>");
        let count = |inner: String| {
            Dialplan::read(&format!("<section name=\"dialplan\">{inner}</section>")).sockets().len()
        };
        assert_eq!(count(context.clone()), 1);
        assert_eq!(count(format!("{extension}{context}{extension}")), 1);
        assert_eq!(count(extension.to_owned()), 0);
    }

    #[test]
    fn a_socket_of_ones_own_falls_when_something_follows_it() {
        let with = |after: &str| {
            let xml = format!(
                "<section name=\"dialplan\"><context name=\"public\"><extension \
                 name=\"x\"><condition field=\"destination_number\" expression=\"^1$\"><action \
                 application=\"set\" data=\"socket_resume=true\"/><action \
                 application=\"socket\" data=\"127.0.0.1:8084 async \
                 full\"/>{after}</condition></extension></context></section>"
            );
            Dialplan::read(&xml).sockets()[0].falls
        };
        assert!(!with(""));
        assert!(!with("<action application=\"set\" data=\"a=b\"/>"));
        assert!(with("<action application=\"playback\" data=\"/x.wav\"/>"));
    }
}
