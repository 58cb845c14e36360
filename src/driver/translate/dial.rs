//! How a dial is put to FreeSWITCH: one `bridge`, whose targets ring together. Targets that ring in
//! turn come from the call as one order each, so that what became of each is known.

use std::collections::BTreeMap;

use super::variables::{pair, set};
use crate::base::cause::HangupCause;
use crate::base::ids::ChannelId;
use crate::call::input::Dialed;
use crate::call::output::{AcceptOrder, DialAddress, DialOrder, DialTarget, RingTone};
use crate::esl::application::Application;
use crate::esl::argument::{
    DialPart, DisplayName, FilePath, Host, Refused, VariableName, Why, Word,
};
use crate::esl::command::Command;
use crate::esl::dial_string::{DialString, DialValue, DialVariable, Leg, Target};
use crate::esl::event::Event;
use crate::esl::token::ExecuteId;
use crate::model::outbound::Shown;
use crate::model::sip::{ENCRYPTION_OUT, MediaEncryption};

/// On each leg: which target it is. FreeSWITCH copies what the caller's variable `import` names
/// from the leg that answered (`switch_ivr_originate.c` switch_process_import).
const TARGET: &str = "callwright_target";
/// How the last dial ended; unset before each.
const DISPOSITION: &str = "originate_disposition";
/// With which code of its protocol the last leg ended; unset before each dial.
const FAILED_BY: &str = "last_bridge_proto_specific_hangup_cause";
/// On each leg: which dial it belongs to.
const DIAL: &str = "callwright_dial";
/// The ringing tone of North America: 440 and 480 Hz, 2 s of 6. A leading level keeps the value
/// from looking like an instruction.
const RINGING: &str = "v=-13;%(2000,4000,440,480)";
/// How much longer than its targets a dial may take before FreeSWITCH gives it up, in seconds.
const SPARE_S: u64 = 2;
/// Times to think that an accepting far end has in all, the accept prompt included.
const ACCEPT_ROUNDS: u64 = 2;

/// By which Sofia profile SIP addresses are called, and what it asks of the sound.
#[derive(Debug, Clone)]
pub struct Outlet {
    pub profile: Word,
    pub encryption: MediaEncryption,
}

/// What the caller's channel needs to know before a dial, and to forget of an earlier one.
///
/// # Errors
/// A value that can't be carried safely.
pub fn settings(channel: &ChannelId, order: &DialOrder) -> Result<Command, Refused> {
    let ringback = match &order.ringback {
        RingTone::Tone => RINGING.to_owned(),
        RingTone::EarlyMedia => String::new(),
        RingTone::File { path } => FilePath::new(path)?.as_str().to_owned(),
    };
    let cancel = order.cancel_key.as_ref().map_or("", |key| key.as_str());
    let last = ["originate_causes", "bridge_hangup_cause", "last_bridge_to", FAILED_BY];
    let forget = std::iter::once(DISPOSITION).chain(last).chain([TARGET]);
    // What a phone asked for before it spoke with anybody (`sofia.c` sofia_handle_sip_i_refer).
    let asked = ["transfer_to", "transfer_destination"];
    let mut variables: Vec<_> = forget.chain(asked).map(|name| pair(name, "")).collect();
    variables.push(pair("import", TARGET));
    variables.push(pair("ringback", &ringback));
    variables.push(pair("transfer_ringback", &ringback));
    variables.push(pair("origination_cancel_key", cancel));
    Ok(set(channel, variables))
}

/// The variable that all legs of one dial have, so that they can be given up together.
#[allow(clippy::unwrap_used, reason = "an identity of ours is a word")]
pub fn mark(dial: ExecuteId) -> (VariableName, Word) {
    (name(DIAL), Word::new("dial", &dial.to_string()).unwrap())
}

/// The application that dials.
///
/// # Errors
/// A value that can't be carried safely.
pub fn bridge(
    order: &DialOrder,
    id: ExecuteId,
    outlet: &Outlet,
    away: Option<Word>,
) -> Result<Application, Refused> {
    let targets = order.targets.iter();
    let legs = targets.map(|target| leg(target, outlet)).collect::<Result<Vec<_>, _>>()?;
    let rings = order.targets.iter().map(|t| t.delay.whole_seconds() + t.timeout.whole_seconds());
    let accepting = order.accept.as_ref().map_or(0, accepting_s);
    let timeout = rings.max().unwrap_or(0) + accepting + SPARE_S;
    let mut variables = vec![
        DialVariable { name: mark(id).0, value: DialValue::Word(mark(id).1) },
        variable("originate_timeout", DialValue::Number(timeout)),
    ];
    variables.extend(self::away(away));
    let ringing: &[&str] = match order.ringback {
        RingTone::Tone | RingTone::File { .. } => &["ignore_early_media", "instant_ringback"],
        RingTone::EarlyMedia => &["bridge_early_media"],
    };
    variables.extend(ringing.iter().map(|name| variable(name, DialValue::Flag(true))));
    caller_id(order, &mut variables)?;
    accept(order, &mut variables)?;
    Ok(Application::Bridge(DialString { variables, groups: vec![legs] }))
}

/// Where a leg goes that somebody's phone sends elsewhere.
pub(super) fn away(context: Option<Word>) -> Vec<DialVariable> {
    let Some(context) = context else { return Vec::new() };
    let dialplan = variable("force_transfer_dialplan", DialValue::Word(xml()));
    vec![dialplan, variable("force_transfer_context", DialValue::Word(context))]
}

#[allow(clippy::unwrap_used, reason = "a constant of ours")]
fn xml() -> Word {
    Word::new("dialplan", "XML").unwrap()
}

const fn accepting_s(accept: &AcceptOrder) -> u64 {
    accept.timeout.whole_seconds() * ACCEPT_ROUNDS
}

fn leg(target: &DialTarget, outlet: &Outlet) -> Result<Leg, Refused> {
    let mut variables = vec![
        variable(TARGET, DialValue::Number(target.position as u64)),
        variable("leg_timeout", DialValue::Number(target.timeout.whole_seconds().max(1))),
    ];
    if target.delay.ms() > 0 {
        let delay = DialValue::Number(target.delay.whole_seconds());
        variables.push(variable("leg_delay_start", delay));
    }
    variables.extend(outside(&target.address, outlet)?);
    Ok(Leg { target: address(&target.address, &outlet.profile)?, variables })
}

/// What a leg out of the house has besides. FreeSWITCH itself ends a conversation that lasts too
/// long, even while nobody of us is there; who is shown by the leg is shown before whom the order
/// names (`switch_ivr_originate.c` switch_ivr_originate).
pub(super) fn outside(
    address: &DialAddress,
    outlet: &Outlet,
) -> Result<Vec<DialVariable>, Refused> {
    let (most, shown) = match address {
        DialAddress::Number { most, shown, .. } => (most, shown),
        // A gateway and a phone tell FreeSWITCH by themselves.
        DialAddress::Sip { .. } => {
            let asked = outlet.encryption.word().map(|word| Word::new("encryption", word));
            let asked = asked.transpose()?.map(DialValue::Word);
            return Ok(asked.map(|word| variable(ENCRYPTION_OUT, word)).into_iter().collect());
        }
        _ => return Ok(Vec::new()),
    };
    let limit = most.map(|most| DialVariable::hang_up_after(most.whole_seconds().max(1)));
    let mut variables: Vec<_> = limit.into_iter().collect();
    let (number, name) = match shown.as_deref() {
        None => return Ok(variables),
        Some(Shown::As { number, name }) => (number.as_str(), name.as_deref().unwrap_or(number)),
        Some(Shown::Nobody) => {
            let hidden = DialValue::Word(Word::new("privacy", "hide_name.hide_number")?);
            variables.push(variable("origination_privacy", hidden));
            ("anonymous", "Anonymous")
        }
    };
    let name = DisplayName::cleaned(name).map(DialValue::Name);
    variables.extend(name.map(|name| variable("origination_caller_id_name", name)));
    let number = DialValue::Part(DialPart::new(number)?);
    variables.push(variable("origination_caller_id_number", number));
    Ok(variables)
}

pub(super) fn address(address: &DialAddress, profile: &Word) -> Result<Target, Refused> {
    Ok(match address {
        DialAddress::Extension { extension, domain } => {
            Target::User { user: DialPart::new(extension)?, domain: Host::new(domain)? }
        }
        DialAddress::Number { number, gateway, .. } => {
            Target::Gateway { gateway: gateway.clone(), number: DialPart::new(number)? }
        }
        // The call asks for the gateway before it orders anything.
        DialAddress::Outside { .. } => {
            return Err(Refused { argument: "gateway", why: Why::Empty });
        }
        DialAddress::Sip { user, host } => Target::Sip {
            profile: profile.clone(),
            user: DialPart::new(user)?,
            host: Host::new(host)?,
        },
    })
}

/// A name that can't be shown as it is loses what can't; a number that is none is refused.
fn caller_id(order: &DialOrder, variables: &mut Vec<DialVariable>) -> Result<(), Refused> {
    if let Some(name) = order.caller_name.as_deref().and_then(DisplayName::cleaned) {
        variables.push(variable("origination_caller_id_name", DialValue::Name(name)));
    }
    if let Some(number) = &order.caller_number {
        let number = DialPart::new(number)?;
        variables.push(variable("origination_caller_id_number", DialValue::Part(number)));
    }
    Ok(())
}

/// `switch_ivr_originate.c` collect_thread_run plays the file again after each time to think, until
/// the leg's time is over.
fn accept(order: &DialOrder, variables: &mut Vec<DialVariable>) -> Result<(), Refused> {
    let Some(accept) = &order.accept else { return Ok(()) };
    let key = DialPart::new(accept.key.as_str())?;
    variables.extend([
        variable("group_confirm_key", DialValue::Part(key)),
        variable("group_confirm_file", DialValue::Path(FilePath::new(&accept.file)?)),
        variable("group_confirm_read_timeout", DialValue::Number(accept.timeout.ms())),
        variable("group_confirm_timeout", DialValue::Number(accepting_s(accept))),
    ]);
    Ok(())
}

pub(super) fn variable(name: &str, value: DialValue) -> DialVariable {
    DialVariable { name: self::name(name), value }
}

#[allow(clippy::unwrap_used, reason = "the names are constants of ours, and well-formed")]
fn name(name: &str) -> VariableName {
    VariableName::new(name).unwrap()
}

/// The place of the target that answered, as its leg handed it to the caller's channel.
pub(super) fn answering(event: &Event) -> Option<usize> {
    event.variable(TARGET).and_then(|target| target.number())
}

/// What became of a dial that ended while nobody was connected; none where it has not ended, or
/// there was none.
pub fn found(facts: &Event) -> Option<Dialed> {
    let ended = facts.variable(DISPOSITION).is_some_and(|value| !value.text().is_empty());
    ended.then(|| outcome(facts))
}

/// What became of a dial, by the variables that its `bridge` left on the caller's channel.
pub fn outcome(event: &Event) -> Dialed {
    let text = |name: &str| event.variable(name).map(|value| value.text().into_owned());
    let disposition = text(DISPOSITION).unwrap_or_default();
    let answered = matches!(disposition.as_str(), "SUCCESS" | "call accepted");
    if !answered {
        let cause = failure(&disposition, event);
        return Dialed { answered, code: code(event), ..Dialed::talked(cause) };
    }
    let cause =
        text("bridge_hangup_cause").map_or(HangupCause::NormalClearing, |c| HangupCause::named(&c));
    Dialed {
        answered,
        cause,
        code: None,
        target: answering(event),
        other: text("last_bridge_to").and_then(|other| other.parse().ok()),
    }
}

/// Of several legs' causes the first of these counts, as it does in the machine where targets ring
/// in turn (`call::step::dial`). FreeSWITCH's own choice is the first leg's.
const TELLING: [HangupCause; 4] = [
    HangupCause::NoAnswer,
    HangupCause::NoUserResponse,
    HangupCause::CallRejected,
    HangupCause::UserBusy,
];

/// The SIP code with which the last leg failed (`switch_channel.c` switch_channel_perform_hangup
/// hands it to the caller's channel).
fn code(event: &Event) -> Option<u16> {
    let cause = event.variable(FAILED_BY)?.text().into_owned();
    cause.strip_prefix("sip:")?.parse().ok()
}

/// The most telling of the legs' causes.
fn failure(disposition: &str, event: &Event) -> HangupCause {
    let legs = event.variable("originate_causes").map(|causes| causes.items()).unwrap_or_default();
    let causes = legs.iter().filter_map(|leg| {
        let text = std::str::from_utf8(leg).ok()?;
        Some(unanswered(text.split_once(';')?.1))
    });
    let mut count: BTreeMap<HangupCause, u32> = BTreeMap::new();
    for cause in causes {
        *count.entry(cause).or_default() += 1;
    }
    TELLING
        .into_iter()
        .find(|cause| count.contains_key(cause))
        .unwrap_or_else(|| unanswered(disposition))
}

/// A leg's own time limit counts as no answer.
fn unanswered(cause: &str) -> HangupCause {
    match HangupCause::named(cause) {
        HangupCause::AllottedTimeout | HangupCause::ProgressTimeout => HangupCause::NoAnswer,
        cause => cause,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::millis::Millis;
    use crate::esl::command::Execute;

    fn target(address: DialAddress) -> DialTarget {
        DialTarget { position: 0, address, delay: Millis(0), timeout: Millis(20_000) }
    }

    fn extension(extension: &str) -> DialTarget {
        target(DialAddress::Extension { extension: extension.into(), domain: "a.example".into() })
    }

    fn order(targets: Vec<DialTarget>) -> DialOrder {
        let placed = (0..).zip(targets).map(|(position, one)| DialTarget { position, ..one });
        DialOrder::plain(placed.collect())
    }

    fn sent(order: &DialOrder) -> String {
        let profile = Word::new("profile", "external").unwrap();
        let outlet = Outlet { profile, encryption: MediaEncryption::Optional };
        match bridge(order, ExecuteId(1), &outlet, None) {
            Ok(application) => {
                let command = Command::Execute(Execute::new(ExecuteId(1), application));
                let bytes = command.encode().unwrap();
                let text = String::from_utf8(bytes.to_vec()).unwrap();
                text.split_once("\n\n").unwrap().1.replace(',', ",\n")
            }
            Err(refused) => refused.to_string(),
        }
    }

    #[test]
    fn all_at_once_is_one_bridge_with_a_time_for_each_leg() {
        let second = DialTarget {
            delay: Millis(5_500),
            timeout: Millis(9_500),
            ..target(DialAddress::Number {
                number: "+15550100".into(),
                gateway: "carrier-1".parse().unwrap(),
                most: Some(Millis(90_500)),
                shown: Some(Box::new(Shown::As { number: "+4930100".into(), name: None })),
            })
        };
        let third =
            target(DialAddress::Sip { user: "bob".into(), host: "sip.example.org:5070".into() });
        insta::assert_snapshot!(sent(&order(vec![extension("1000"), second, third])), @r"
        {callwright_dial=x1,
        originate_timeout=22,
        ignore_early_media=true,
        instant_ringback=true}[callwright_target=0,
        leg_timeout=20]user/1000@a.example,
        [callwright_target=1,
        leg_timeout=10,
        leg_delay_start=6,
        execute_on_answer=sched_hangup:+91,
        origination_caller_id_name=+4930100,
        origination_caller_id_number=+4930100]sofia/gateway/carrier-1/+15550100,
        [callwright_target=2,
        leg_timeout=20,
        rtp_secure_media_outbound=optional]sofia/external/bob@sip.example.org:5070
        ");
    }

    #[test]
    fn early_media_is_passed_on_without_a_ringing_tone() {
        let order = DialOrder { ringback: RingTone::EarlyMedia, ..order(vec![extension("1000")]) };
        insta::assert_snapshot!(sent(&order), @r"
        {callwright_dial=x1,
        originate_timeout=22,
        bridge_early_media=true}[callwright_target=0,
        leg_timeout=20]user/1000@a.example
        ");
    }

    #[test]
    fn the_far_end_is_asked_to_accept_and_sees_only_a_harmless_name() {
        let order = DialOrder {
            caller_name: Some("O'Hara, ${system ls}]|x\n".into()),
            caller_number: Some("+15550199".into()),
            accept: Some(AcceptOrder {
                file: "/p/accept.wav".into(),
                key: "1".parse().unwrap(),
                timeout: Millis(10_000),
            }),
            ..order(vec![extension("1000")])
        };
        insta::assert_snapshot!(sent(&order), @r"
        {callwright_dial=x1,
        originate_timeout=42,
        ignore_early_media=true,
        instant_ringback=true,
        origination_caller_id_name=OHara system lsx,
        origination_caller_id_number=+15550199,
        group_confirm_key=1,
        group_confirm_file=/p/accept.wav,
        group_confirm_read_timeout=10000,
        group_confirm_timeout=20}[callwright_target=0,
        leg_timeout=20]user/1000@a.example
        ");
    }

    #[test]
    fn who_is_not_to_be_shown_goes_out_as_nobody() {
        let number = DialAddress::Number {
            number: "1".into(),
            gateway: "carrier-1".parse().unwrap(),
            most: None,
            shown: Some(Box::new(Shown::Nobody)),
        };
        let mut order = order(vec![target(number)]);
        order.caller_number = Some("+15550199".into());
        let sent = sent(&order);
        let (all, leg) = sent.split_once('[').unwrap();
        assert!(all.contains("origination_caller_id_number=+15550199"), "{all}");
        for part in [
            "origination_privacy=hide_name.hide_number",
            "origination_caller_id_name=Anonymous",
            "origination_caller_id_number=anonymous",
        ] {
            assert!(leg.contains(part), "{leg}");
        }
    }

    #[test]
    fn a_number_with_anything_but_keys_and_letters_is_refused() {
        for bad in
            ["1,2", "1|2", "a b", "${x}", "1]", "[x=1]2", "a\nb", "", "-both", "1000@evil", "a/b"]
        {
            assert!(sent(&order(vec![extension(bad)])).contains("can't be sent"), "{bad:?}");
        }
        let sip = |user: &str, host: &str| {
            sent(&order(vec![target(DialAddress::Sip { user: user.into(), host: host.into() })]))
        };
        for (user, host) in
            [("bob", "h,sofia/x"), ("bob;x", "h"), ("bob", "h;transport=tcp"), ("bob", "")]
        {
            assert!(sip(user, host).contains("can't be sent"), "{user} {host}");
        }
    }

    #[test]
    fn the_channel_forgets_an_earlier_dial_before_the_next() {
        let channel: ChannelId = "c1".parse().unwrap();
        let order = DialOrder { cancel_key: Some("*".parse().unwrap()), ..order(vec![]) };
        let bytes = settings(&channel, &order).unwrap().encode().unwrap();
        let text = String::from_utf8_lossy(&bytes).replace(";", ";\n");
        insta::assert_snapshot!(text, @r"
        api uuid_setvar_multi c1 originate_disposition=;
        originate_causes=;
        bridge_hangup_cause=;
        last_bridge_to=;
        last_bridge_proto_specific_hangup_cause=;
        callwright_target=;
        transfer_to=;
        transfer_destination=;
        import=callwright_target;
        ringback=v=-13\;
        %(2000,4000,440,480);
        transfer_ringback=v=-13\;
        %(2000,4000,440,480);
        origination_cancel_key=*
        ");
    }

    fn ended(variables: &[(&str, &str)]) -> Dialed {
        let fields: serde_json::Map<_, _> = variables
            .iter()
            .map(|(name, value)| (format!("variable_{name}"), serde_json::Value::from(*value)))
            .collect();
        let json = serde_json::to_vec(&fields).unwrap();
        outcome(&Event::from_json(&json).unwrap())
    }

    #[test]
    fn the_most_telling_cause_of_several_legs_counts() {
        let busy = "a;USER_BUSY";
        for (disposition, causes, cause) in [
            ("USER_BUSY", busy, HangupCause::UserBusy),
            ("USER_BUSY", "ARRAY::a;USER_BUSY|:b;ALLOTTED_TIMEOUT", HangupCause::NoAnswer),
            ("USER_BUSY", "ARRAY::a;USER_BUSY|:b;CALL_REJECTED", HangupCause::CallRejected),
            ("USER_BUSY", "ARRAY::a;USER_BUSY|:b;NO_USER_RESPONSE", HangupCause::NoUserResponse),
            ("ALLOTTED_TIMEOUT", "", HangupCause::NoAnswer),
            ("GATEWAY_DOWN", "", HangupCause::GatewayDown),
            ("ORIGINATOR_CANCEL", "a;ORIGINATOR_CANCEL", HangupCause::OriginatorCancel),
        ] {
            let dialed =
                ended(&[("originate_disposition", disposition), ("originate_causes", causes)]);
            assert_eq!((dialed.answered, dialed.cause), (false, cause), "{disposition} {causes}");
        }
    }

    #[test]
    fn a_conversation_names_its_target_and_how_it_ended() {
        let dialed = ended(&[
            ("originate_disposition", "SUCCESS"),
            ("callwright_target", "2"),
            ("last_bridge_to", "56a56b1f-3ee7-4e68-a06c-094c8aefd8da"),
            ("bridge_hangup_cause", "NORMAL_CLEARING"),
        ]);
        assert_eq!((dialed.answered, dialed.target), (true, Some(2)));
        assert_eq!(dialed.cause, HangupCause::NormalClearing);
        assert!(dialed.other.is_some());
    }
}
