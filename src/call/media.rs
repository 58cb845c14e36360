//! From what an author wrote to what the switch is to play. Values from outside are brought into
//! the shape that their kind of speaking needs; what can't be is left out and noted.

use super::Call;
use super::describe;
use super::moment;
use super::output::Media;
use crate::base::digits::Digits;
use crate::base::ids::PromptName;
use crate::base::masked::Masked;
use crate::flow::prompt::{Prompt, SayKind, SayPrompt, SpeakPrompt};

/// Characters of one spoken value.
const SAY_MAX: usize = 64;
/// Characters given to the speech engine at once.
const SPEAK_MAX: usize = 1_000;
/// Digits of a spoken number; FreeSWITCH's say modules know words up to thousands of millions.
const NUMBER_MAX: usize = 12;

impl Call {
    /// The media of a list of prompts, or what of it is missing.
    pub(in crate::call) fn media(
        &mut self,
        prompts: &[Prompt],
        input: Option<&Digits>,
    ) -> Result<Vec<Media>, String> {
        let mut media = Vec::with_capacity(prompts.len());
        for prompt in prompts {
            match prompt {
                Prompt::Named(name) => media.push(self.file(name)?),
                Prompt::Tone(tone) => media.push(Media::Tone(tone.clone())),
                Prompt::Silence(pause) => media.push(Media::Silence(pause.silence)),
                Prompt::Say(say) => media.extend(self.say(say, input)),
                Prompt::Speak(speak) => media.extend(self.speak(speak, input)?),
            }
        }
        Ok(media)
    }

    pub(in crate::call) fn file(&self, name: &PromptName) -> Result<Media, String> {
        match self.program.prompts.get(name) {
            Some(file) => Ok(Media::File { path: file.path.clone(), name: name.to_string() }),
            None => Err(format!("there is no prompt `{name}`")),
        }
    }

    fn say(&mut self, say: &SayPrompt, input: Option<&Digits>) -> Option<Media> {
        let value = speakable(say.kind, &say.say.render(&self.names_with(input)));
        if value.is_empty() {
            let source = describe::clean(say.say.source());
            self.notice(format!("nothing to say: `{source}` is not what can be spoken so"));
            return None;
        }
        let language = say.language.clone().or_else(|| self.language()).unwrap_or_default();
        Some(Media::Say { value: Masked::new(value), kind: say.kind, language })
    }

    pub(in crate::call) fn language(&self) -> Option<String> {
        let flow = &self.state.frames.last()?.flow;
        Some(self.program.flows.get(flow)?.flow.language.clone())
    }

    fn speak(
        &mut self,
        speak: &SpeakPrompt,
        input: Option<&Digits>,
    ) -> Result<Option<Media>, String> {
        let engine = self.program.settings.speech.clone();
        let mut engine = engine.ok_or("no speech engine is configured")?;
        let text = speak.speak.render(&self.names_with(input));
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let text: String = text.chars().take(SPEAK_MAX).map(plain).collect();
        // Without a letter or a digit nothing may be left of it for the engine.
        if !text.chars().any(char::is_alphanumeric) {
            self.notice("nothing to say: the text has no words");
            return Ok(None);
        }
        if let Some(voice) = &speak.voice {
            engine.voice.clone_from(voice);
        }
        Ok(Some(Media::Speak { text: Masked::new(text), engine }))
    }
}

/// The value as the kind of speaking takes it; empty where it can't.
pub(in crate::call) fn speakable(kind: SayKind, value: &str) -> String {
    let value = value.trim();
    let only = |allowed: fn(char) -> bool| -> String {
        value.chars().filter(|c| allowed(*c)).take(SAY_MAX).collect()
    };
    let whole = |well_formed: bool| if well_formed { value.to_owned() } else { String::new() };
    match kind {
        SayKind::Number => whole(is_number(value, 6)),
        SayKind::Money => whole(is_number(value, 2)),
        SayKind::Digits => only(|c| c.is_ascii_digit() || matches!(c, '*' | '#')),
        SayKind::Spelled => only(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '*' | '#')),
        SayKind::Date => whole(value.len() <= SAY_MAX && moment::date(value).is_some()),
        SayKind::Time => whole(value.len() <= SAY_MAX && moment::time(value).is_some()),
    }
}

fn is_number(value: &str, places_max: usize) -> bool {
    let value = value.strip_prefix('-').unwrap_or(value);
    let (whole, places) = value.split_once('.').unwrap_or((value, "0"));
    let digits = |part: &str, max| {
        (1..=max).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    digits(whole, NUMBER_MAX) && digits(places, places_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_spoken_only_in_the_shape_of_its_kind() {
        for (kind, value, spoken) in [
            (SayKind::Number, "1234", "1234"),
            (SayKind::Number, "-1.5", "-1.5"),
            (SayKind::Number, "12 ${x}", ""),
            (SayKind::Number, "", ""),
            (SayKind::Money, "12.50", "12.50"),
            (SayKind::Money, "12.505", ""),
            (SayKind::Digits, "+49 (30) 12", "493012"),
            (SayKind::Spelled, "a\nb'c,d", "abcd"),
            (SayKind::Date, "2026-11-22", "2026-11-22"),
            (SayKind::Date, "2026-11-22,rm", ""),
            (SayKind::Date, "31-31", ""),
            (SayKind::Date, "2026-02-30", ""),
            (SayKind::Date, "2026-11-22T14:30:00+01:00", "2026-11-22T14:30:00+01:00"),
            (SayKind::Time, "14:30", "14:30"),
            (SayKind::Time, "25:00", ""),
            (SayKind::Spelled, "-@", ""),
        ] {
            assert_eq!(speakable(kind, value), spoken, "{kind:?} {value:?}");
        }
    }
}
