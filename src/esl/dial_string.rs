//! Dial strings: whom to dial, at once or in turn, with which variables. Built from parts that hold
//! nothing `switch_ivr_originate.c` splits at (`,` `|` `:_:` `{}` `[]` `<>` `^^` quotes, spaces),
//! so a part can't become two.

use std::fmt::{self, Write};

use crate::base::ids::{ChannelId, GatewayName};

use super::argument::{DialPart, DisplayName, FilePath, Host, Sealed, VariableName, Word};
use super::originate::Eavesdrop;

/// Whom to dial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A user of the directory, wherever registered.
    User { user: DialPart, domain: Host },
    /// A number through a gateway.
    Gateway { gateway: GatewayName, number: DialPart },
    /// A SIP address through a Sofia profile.
    Sip { profile: Word, user: DialPart, host: Host },
    /// An extension of the dialplan, through FreeSWITCH itself.
    Loopback { extension: DialPart, context: Word },
    /// A leg that is nobody's phone and eavesdrops (`mod_loopback.c` channel_outgoing_channel).
    Eavesdrop(Eavesdrop),
}

/// A variable's value inside a dial string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DialValue {
    Number(u64),
    Flag(bool),
    Part(DialPart),
    Name(DisplayName),
    Path(FilePath),
    Word(Word),
    Channel(ChannelId),
    Sealed(Sealed),
    /// Of [`DialVariable::hang_up_after`].
    HangUpAfter(u64),
}

/// One variable of a leg or of all legs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialVariable {
    pub name: VariableName,
    pub value: DialValue,
}

impl DialVariable {
    /// FreeSWITCH hangs the leg up so many seconds after it was answered. A `:` stands for the
    /// space behind the application (`switch_channel.c` switch_channel_execute_on_value).
    pub fn hang_up_after(seconds: u64) -> Self {
        Self { name: VariableName::on_answer(), value: DialValue::HangUpAfter(seconds) }
    }
}

/// One leg to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leg {
    pub target: Target,
    /// Variables of this leg alone: `leg_timeout`, `leg_delay_start`, …
    pub variables: Vec<DialVariable>,
}

/// Groups are dialed in turn, the legs of a group at once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DialString {
    /// Variables of every leg.
    pub variables: Vec<DialVariable>,
    pub groups: Vec<Vec<Leg>>,
}

impl DialString {
    /// How many legs there are to be.
    pub fn len(&self) -> usize {
        self.groups.iter().map(Vec::len).sum()
    }

    /// Whether there is nobody to dial.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Display for DialString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        variables(f, '{', &self.variables, '}')?;
        for (nth, group) in self.groups.iter().filter(|group| !group.is_empty()).enumerate() {
            if nth > 0 {
                f.write_char('|')?;
            }
            for (nth, leg) in group.iter().enumerate() {
                if nth > 0 {
                    f.write_char(',')?;
                }
                variables(f, '[', &leg.variables, ']')?;
                write!(f, "{}", leg.target)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User { user, domain } => write!(f, "user/{}@{}", user.as_str(), domain.as_str()),
            Self::Gateway { gateway, number } => {
                write!(f, "sofia/gateway/{gateway}/{}", number.as_str())
            }
            Self::Sip { profile, user, host } => {
                write!(f, "sofia/{}/{}@{}", profile.as_str(), user.as_str(), host.as_str())
            }
            Self::Loopback { extension, context } => {
                write!(f, "loopback/{}/{}", extension.as_str(), context.as_str())
            }
            Self::Eavesdrop(eavesdrop) => write!(f, "loopback/app=eavesdrop:{eavesdrop}"),
        }
    }
}

impl fmt::Display for DialValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Part(part) => f.write_str(part.as_str()),
            Self::Name(name) => f.write_str(name.as_str()),
            Self::Path(path) => f.write_str(path.as_str()),
            Self::Word(word) => f.write_str(word.as_str()),
            Self::Channel(channel) => write!(f, "{channel}"),
            Self::Sealed(sealed) => f.write_str(sealed.as_str()),
            Self::HangUpAfter(seconds) => write!(f, "sched_hangup:+{seconds}"),
        }
    }
}

fn variables(
    f: &mut fmt::Formatter<'_>,
    open: char,
    variables: &[DialVariable],
    close: char,
) -> fmt::Result {
    if variables.is_empty() {
        return Ok(());
    }
    f.write_char(open)?;
    for (nth, variable) in variables.iter().enumerate() {
        let comma = if nth > 0 { "," } else { "" };
        write!(f, "{comma}{}={}", variable.name.as_str(), variable.value)?;
    }
    f.write_char(close)
}
