//! What a FreeSWITCH is asked, and what it answered, as it said it.

use std::collections::BTreeMap;

use crate::esl::argument::{Refused, VariableName};
use crate::esl::command::Api;
use crate::esl::inspect::{ConfigFile, Inspect};
use crate::esl::sofia::SofiaApi;

/// One question that every FreeSWITCH is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Question {
    Version,
    Status,
    Codecs,
    ApiExpansion,
    Dialplan,
    Profiles,
    Gateways,
    Settings(ConfigFile),
    Global(&'static str),
}

/// Directories of FreeSWITCH that have to have room.
pub(super) const DIRECTORIES: [&str; 4] = ["db_dir", "log_dir", "recordings_dir", "temp_dir"];

impl Question {
    pub(super) const ALL: [Self; 24] = [
        Self::Version,
        Self::Status,
        Self::Codecs,
        Self::ApiExpansion,
        Self::Dialplan,
        Self::Profiles,
        Self::Gateways,
        Self::Settings(ConfigFile::Switch),
        Self::Settings(ConfigFile::EventSocket),
        Self::Settings(ConfigFile::Sofia),
        Self::Settings(ConfigFile::XmlCurl),
        Self::Settings(ConfigFile::Lua),
        Self::Global("hostname"),
        Self::Global("conf_dir"),
        Self::Global("mod_dir"),
        Self::Global("run_dir"),
        Self::Global("sounds_dir"),
        Self::Global("sound_prefix"),
        Self::Global("hold_music"),
        Self::Global("callwright_address"),
        Self::Global(DIRECTORIES[0]),
        Self::Global(DIRECTORIES[1]),
        Self::Global(DIRECTORIES[2]),
        Self::Global(DIRECTORIES[3]),
    ];

    pub(super) fn api(self) -> Result<Api, Refused> {
        Ok(Api::Inspect(match self {
            Self::Version => Inspect::Version,
            Self::Status => Inspect::Status,
            Self::Codecs => Inspect::Codecs,
            Self::ApiExpansion => Inspect::ApiExpansion,
            Self::Dialplan => Inspect::Dialplan,
            Self::Profiles => return Ok(Api::Sofia(SofiaApi::Profiles)),
            Self::Gateways => return Ok(Api::Sofia(SofiaApi::Gateways)),
            Self::Settings(file) => Inspect::Settings(file),
            Self::Global(name) => Inspect::Global(VariableName::new(name)?),
        }))
    }

    /// As it is called in words, and in the test data.
    pub(super) fn name(self) -> String {
        match self {
            Self::Version => "version".into(),
            Self::Status => "status".into(),
            Self::Codecs => "codecs".into(),
            Self::ApiExpansion => "api_expansion".into(),
            Self::Dialplan => "dialplan".into(),
            Self::Profiles => "profiles".into(),
            Self::Gateways => "gateways".into(),
            Self::Settings(file) => file.name().into(),
            Self::Global(name) => format!("${{{name}}}"),
        }
    }
}

/// What was answered.
#[derive(Debug, Default)]
pub(super) struct Answers {
    said: BTreeMap<Question, String>,
    /// What was not answered, and why.
    pub(super) missing: Vec<(String, String)>,
}

impl Answers {
    pub(super) fn put(&mut self, question: Question, answer: Result<String, String>) {
        match answer {
            Ok(said) => drop(self.said.insert(question, said)),
            Err(why) => self.missing.push((question.name(), why)),
        }
    }

    /// What was said, unless that was nothing.
    pub(super) fn said(&self, question: Question) -> Option<&str> {
        let said = self.said.get(&question)?.trim();
        (!said.is_empty() && said != "can't find anything").then_some(said)
    }

    pub(super) fn global(&self, name: &'static str) -> Option<&str> {
        self.said(Question::Global(name))
    }

    /// Whether it was asked, and answered with whatever.
    pub(super) fn has(&self, question: Question) -> bool {
        self.said.contains_key(&question)
    }

    /// The value of a `<param name= value=>` in one of its files; of several the last, which counts
    /// there.
    pub(super) fn param(&self, file: ConfigFile, name: &str) -> Option<String> {
        let elements = super::xml::elements(self.said(Question::Settings(file))?);
        let params = elements.into_iter().filter(|element| element.name == "param");
        let mut named = params.filter(|param| param.get("name") == Some(name));
        named.next_back()?.get("value").map(str::to_owned)
    }
}
