//! New legs, and what they do once somebody has answered. A leg that listens in is one of them
//! (`switch_ivr_async.c` switch_ivr_eavesdrop_session).

use std::fmt;

use crate::base::ids::ChannelId;

use super::argument::{DialPart, Tones, VariableName, Word};
use super::conference::Join;
use super::dial_string::{DialString, DialValue, DialVariable};

/// A leg to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Originate {
    /// Its identity, chosen by us: it can be followed before it is there.
    pub channel: ChannelId,
    /// A channel that is on the FreeSWITCH that is to do it; any may where there is none.
    pub beside: Option<ChannelId>,
    pub dial: DialString,
    pub then: Then,
}

/// What a new leg does once it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// Waits in silence.
    Park,
    Eavesdrop(Eavesdrop),
    /// Joins the room; whoever is not let in, or is taken out, hears these tones. FreeSWITCH hangs
    /// up who is in a room that is over (`mod_conference.c` conference_thread_run).
    Conference {
        join: Join,
        refused: Tones,
    },
    /// Goes through the XML dialplan.
    Dialplan {
        extension: DialPart,
        context: Word,
    },
}

/// Hearing what a channel says and hears.
///
/// Whoever speaks as well is heard by that channel alone: the voice is mixed into what is written
/// to it (`eavesdrop_whisper_bleg`), never into what it says, which its other party and each
/// recording would have too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Eavesdrop {
    pub target: ChannelId,
    pub speaks: bool,
    /// Hears only what the channel says.
    pub half: bool,
}

impl Eavesdrop {
    /// The variable that has the keys of an eavesdropping phone change who hears it.
    pub const KEYS: &str = "eavesdrop_enable_dtmf";
}

/// `%[…]` holds for this one run of the application: the next begins anew.
impl fmt::Display for Eavesdrop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hears = if self.half { "eavesdrop_bridge_aleg" } else { "eavesdrop_whisper_bleg" };
        let on = self.half || self.speaks;
        write!(f, "%[{hears}={on}]{}", self.target)
    }
}

/// The argument of `&…(…)` ends at the first `)` (`mod_commands.c` originate_function): no word
/// here has one.
impl fmt::Display for Then {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Park => f.write_str("&park()"),
            Self::Eavesdrop(eavesdrop) => write!(f, "&eavesdrop({eavesdrop})"),
            Self::Conference { join, refused } => {
                let (join, tones) = (join.argument(), refused.as_str());
                let steps = format!("conference:{join}^playback:tone_stream://{tones}");
                write!(f, "'m:^:{steps}^hangup:NORMAL_CLEARING' inline")
            }
            Self::Dialplan { extension, context } => {
                write!(f, "{} XML {}", extension.as_str(), context.as_str())
            }
        }
    }
}

/// The quotes keep a caller's name of several words in one: no part of a dial string has any
/// (`switch_utils.c` separate_string_blank_delim).
impl fmt::Display for Originate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut dial = self.dial.clone();
        dial.variables.push(identity(self.channel.clone()));
        write!(f, "originate '{dial}' {}", self.then)
    }
}

#[allow(clippy::unwrap_used, reason = "the name is a constant of ours, and well-formed")]
fn identity(channel: ChannelId) -> DialVariable {
    let name = VariableName::new("origination_uuid").unwrap();
    DialVariable { name, value: DialValue::Channel(channel) }
}

#[cfg(test)]
mod tests {
    use super::super::argument::{DisplayName, Host, Sealed};
    use super::super::command::{Api, Command};
    use super::super::conference::{JoinFlag, RoomArg};
    use super::super::dial_string::{Leg, Target};
    use super::*;

    fn channel(name: &str) -> ChannelId {
        name.parse().unwrap()
    }

    fn sent(target: Target, then: Then) -> String {
        let name = VariableName::new("origination_caller_id_name").unwrap();
        let value = DialValue::Name(DisplayName::new("Ann Lee").unwrap());
        let variables = vec![DialVariable { name, value }];
        let leg = Leg { target, variables: vec![] };
        let dial = DialString { variables, groups: vec![vec![leg]] };
        let (channel, beside) = (channel("s-leg"), channel("a-leg"));
        let originate = Originate { channel, beside: Some(beside), dial, then };
        let bytes = Command::Api(Api::Originate(Box::new(originate))).encode().unwrap();
        String::from_utf8(bytes.to_vec()).unwrap().replace('}', "}\n")
    }

    #[test]
    fn a_leg_that_listens_is_known_before_it_is_there_and_speaks_into_one_ear() {
        let user = DialPart::new("300").unwrap();
        let target = Target::User { user, domain: Host::new("pbx.example").unwrap() };
        let eavesdrop = |speaks, half| Eavesdrop { target: channel("a-leg"), speaks, half };
        insta::assert_snapshot!(sent(target, Then::Eavesdrop(eavesdrop(true, false))), @r"
        api originate '{origination_caller_id_name=Ann Lee,origination_uuid=s-leg}
        user/300@pbx.example' &eavesdrop(%[eavesdrop_whisper_bleg=true]a-leg)
        ");
        let relay = Target::Eavesdrop(eavesdrop(false, true));
        insta::assert_snapshot!(sent(relay, Then::Park), @r"
        api originate '{origination_caller_id_name=Ann Lee,origination_uuid=s-leg}
        loopback/app=eavesdrop:%[eavesdrop_bridge_aleg=true]a-leg' &park()
        ");
        let (channel, eavesdrop) = (channel("s-leg"), eavesdrop(false, false));
        let bytes = Command::Api(Api::Eavesdrop { channel, eavesdrop }).encode().unwrap();
        insta::assert_snapshot!(
            String::from_utf8_lossy(&bytes),
            @"api uuid_transfer s-leg eavesdrop:%[eavesdrop_whisper_bleg=false]a-leg inline"
        );
    }

    #[test]
    fn a_leg_that_joins_a_room_adds_no_member_that_could_make_one() {
        let room = RoomArg::new("t1-a").unwrap();
        let profile = Word::new("profile", "callwright").unwrap();
        let flags = vec![JoinFlag::Mute, JoinFlag::JoinOnly];
        let user = DialPart::new("300").unwrap();
        let target = Target::User { user, domain: Host::new("pbx.example").unwrap() };
        let join = Join { room, profile, flags };
        let refused = Tones::new("%(240,240,425);loops=3").unwrap();
        insta::assert_snapshot!(sent(target, Then::Conference { join, refused }), @r"
        api originate '{origination_caller_id_name=Ann Lee,origination_uuid=s-leg}
        user/300@pbx.example' 'm:^:conference:t1-a@callwright+flags{mute|join-only}
        ^playback:tone_stream://%(240,240,425);loops=3^hangup:NORMAL_CLEARING' inline
        ");
    }
    #[test]
    fn a_leg_for_the_dialplan_brings_its_sealed_state_along() {
        let sealed = Sealed::new("AbC-_9").unwrap();
        let name = VariableName::new("callwright_state").unwrap();
        let variables = vec![DialVariable { name, value: DialValue::Sealed(sealed) }];
        let user = DialPart::new("300").unwrap();
        let target = Target::User { user, domain: Host::new("pbx.example").unwrap() };
        let extension = DialPart::new("callwright_placed").unwrap();
        let context = Word::new("context", "callwright").unwrap();
        let dial = DialString { variables, groups: vec![vec![Leg { target, variables: vec![] }]] };
        let then = Then::Dialplan { extension, context };
        let originate = Originate { channel: channel("s-leg"), beside: None, dial, then };
        let said = originate.to_string();
        let (dial, then) = said.rsplit_once("' ").unwrap();
        let variables = "{callwright_state=AbC-_9,origination_uuid=s-leg}";
        assert_eq!(dial, format!("originate '{variables}user/300@pbx.example"));
        assert_eq!(then, "callwright_placed XML callwright");
        for wrong in ["a,b", "a'b", "a b", "a}b", ""] {
            assert!(Sealed::new(wrong).is_err(), "{wrong}");
        }
    }
}
