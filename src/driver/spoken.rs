//! With which recorded words FreeSWITCH speaks a value, for a caller who hears them as a prompt.

use super::call::Switchboard;
use super::translate::media;
use crate::base::ids::CoreId;
use crate::call::output::SpokenQuery;
use crate::esl::application::SayKind;
use crate::esl::argument::{SayText, Word};
use crate::esl::command::Api;
use crate::esl::spoken::{self, SpeechApi};

/// The words' files, or why there are none.
pub(super) async fn find(
    switchboard: &dyn Switchboard,
    query: &SpokenQuery,
    core: Option<CoreId>,
) -> Result<Vec<String>, String> {
    let language = Word::new("language", &query.language).map_err(|why| why.to_string())?;
    let (kind, method, mut text) = media::pronounced(query.value.reveal().trim(), query.kind)
        .map_err(|why| why.to_string())?;
    let answer = ask(switchboard, core, SpeechApi::Language { language: language.clone() }).await?;
    let folder = spoken::folder(&answer)?;
    if let (SayKind::CurrentDate | SayKind::CurrentTime, Ok(at_s)) = (kind, text.as_str().parse()) {
        text = in_its_zone(switchboard, core, at_s).await?;
    }
    let said =
        ask(switchboard, core, SpeechApi::SayString { language, kind, method, text }).await?;
    spoken::files(&said, &folder)
}

/// Without a channel FreeSWITCH says a moment as its own clock shows it: the moment when that shows
/// what a clock in UTC does now.
async fn in_its_zone(
    switchboard: &dyn Switchboard,
    core: Option<CoreId>,
    at_s: i64,
) -> Result<SayText, String> {
    let answer = ask(switchboard, core, SpeechApi::UtcOffset { at_s }).await?;
    let at_s = at_s.saturating_sub(spoken::utc_offset_s(&answer)?);
    SayText::new(&at_s.to_string()).map_err(|why| why.to_string())
}

async fn ask(
    switchboard: &dyn Switchboard,
    core: Option<CoreId>,
    api: SpeechApi,
) -> Result<String, String> {
    let said = switchboard.ask(core, Api::Speech(api)).await.into_iter().next();
    said.map_or_else(|| Err("no link to FreeSWITCH ([[link]])".to_owned()), |said| said.said)
}
