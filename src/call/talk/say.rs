//! A value that an operator has the parties hear in recorded words. FreeSWITCH's `say` would wait
//! until a conversation is over, so the words are looked up and played as a prompt is.

use crate::base::masked::Masked;
use crate::call::Call;
use crate::call::input::Answer;
use crate::call::media::speakable;
use crate::call::operator::Obeyed;
use crate::call::output::{Media, Query, QueryId, SpokenQuery};
use crate::flow::prompt::SayKind;
use crate::model::talk::Hearers;

/// Who is to hear words that are being looked up.
#[derive(Debug)]
pub(in crate::call) struct Saying {
    query: QueryId,
    to: Hearers,
}

impl Call {
    pub(in crate::call) fn say_to(
        &mut self,
        text: &str,
        kind: SayKind,
        language: Option<String>,
        to: Hearers,
    ) -> Obeyed {
        let value = speakable(kind, text);
        if value.is_empty() {
            return Err(format!("that can't be spoken as {}", kind.word()));
        }
        let to = self.hearers(to)?;
        self.notice(format!("{} has {to} hear a value as {}", self.operator(), kind.word()));
        let language = language.or_else(|| self.language()).unwrap_or_default();
        let query = SpokenQuery { value: Masked::new(value), kind, language };
        let query = self.tell(Query::Spoken(Box::new(query)));
        // What is asked for later counts.
        self.live.saying = Some(Saying { query, to });
        Ok(())
    }

    /// Whether the answer is about such words.
    pub(in crate::call) fn words_found(&mut self, id: QueryId, answer: &Answer) -> bool {
        let Answer::Spoken(found) = answer else { return false };
        let Some(saying) = self.live.saying.take_if(|saying| saying.query == id) else {
            return true;
        };
        let media = found.clone().map(|paths| Media::Words { paths });
        if let Err(why) = media.and_then(|media| self.let_hear(saying.to, &media)) {
            self.notice(format!("the value is not spoken: {why}"));
        }
        true
    }
}
