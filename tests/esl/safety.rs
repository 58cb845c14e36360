//! No value adds a line, a header, a command, an argument or a variable, or is expanded: whatever
//! the builders accept is read back by FreeSWITCH's rules as exactly what was meant.

use callwright::base::cause::HangupCause;
use callwright::base::digits::Digits;
use callwright::base::ids::{ChannelId, GatewayName};
use callwright::esl::application::{Application, SayKind, SayMethod, Sound, Terminators};
use callwright::esl::argument::{
    DialPart, DisplayName, FilePath, FreeText, Host, PlainValue, RegexArg, SayText, Tones,
    VariableName, VariableValue, Word,
};
use callwright::esl::command::{Api, Command, Execute, Recording};
use callwright::esl::credentials::{Credentials, DirectoryUser, Password};
use callwright::esl::dial_string::{DialString, DialValue, DialVariable, Leg, Target};
use callwright::esl::event::EventName;
use callwright::esl::filter::Filter;
use callwright::esl::sofia::SofiaApi;
use callwright::esl::token::{ExecuteId, JobId, JobSeries};
use proptest::prelude::*;

use crate::freeswitch::{Packet, brackets, executed, expand, packets, separate};

const HOSTILE: &[&str] = &[
    "\r",
    "\n",
    "\n\n",
    "\r\n\r\n",
    "\0",
    "${",
    "$${",
    "$",
    "$\\{",
    "}",
    "{",
    "\\",
    "\\\\",
    "\\n",
    "\\s",
    "\\'",
    "'",
    "\"",
    "%[",
    "%,[",
    "%",
    "[",
    "]",
    "<",
    ">",
    "^^",
    "^^:",
    ",",
    "|",
    ":_:",
    ":",
    ";",
    "=",
    "!",
    "@@",
    "@",
    " ",
    "  ",
    "\t",
    "ARRAY::",
    "|:",
    "unload",
    "Reload",
    "mod_event_socket",
    "api ",
    "content-length: 5",
    "-both",
    "..",
    "/",
    "~",
    "&",
    "(",
    ")",
    "#",
    "*",
    "+",
    "-",
    "_",
    ".",
    "a",
    "Zoë",
    "7",
    "\u{1}",
    "\u{2}",
    "\u{1f}",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "\u{fffd}",
    "sofia/",
];

/// Anything, most of it nasty.
fn hostile() -> impl Strategy<Value = String> {
    let fragment = prop_oneof![
        6 => prop::sample::select(HOSTILE).prop_map(str::to_owned),
        2 => "[a-z0-9]{1,4}".prop_map(String::from),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(fragment, 0..8).prop_map(|fragments| fragments.concat())
}

/// Anything that at least looks like a word: so that many are accepted.
fn wordy() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[a-zA-Z0-9_.+#*-]{1,12}".prop_map(String::from), 1 => hostile()]
}

fn channel() -> ChannelId {
    "4be9781d-c0f1-4d7a-a521-b795cb3d13f7".parse().unwrap()
}

fn word(text: &str) -> Word {
    Word::new("word", text).unwrap()
}

/// The one packet that FreeSWITCH would read, with another command right behind it.
fn read(command: &Command) -> Option<Packet> {
    let bytes = command.encode().ok()?;
    let mut packets = packets(&[&bytes[..], b"exit\n\n"].concat());
    assert_eq!(packets.len(), 2, "{:?}", String::from_utf8_lossy(&bytes));
    let after = packets.pop().unwrap();
    assert_eq!((&after.command[..], after.headers.len()), (&b"exit"[..], 0));
    let packet = packets.pop().unwrap();
    assert!(!packet.unloads, "{:?}", String::from_utf8_lossy(&bytes));
    Some(packet)
}

type Variables = Vec<(Vec<u8>, Vec<u8>)>;

/// What the application gets: variables for this run, and its argument.
fn run(application: Application) -> Option<(Variables, Vec<u8>)> {
    let name = application.name();
    let packet = read(&Command::Execute(Execute::new(ExecuteId(1), application)))?;
    assert_eq!(packet.command, b"sendmsg");
    assert_eq!(packet.header("call-command"), Some(&b"execute"[..]));
    assert_eq!(packet.header("execute-app-name"), Some(name.as_bytes()));
    assert_eq!(packet.header("event-lock"), Some(&b"true"[..]));
    assert_eq!(packet.header("event-uuid"), Some(&b"x1"[..]));
    let expected = if packet.body.is_some() { 6 } else { 5 };
    assert_eq!(packet.headers.len(), expected, "{:?}", packet.headers);
    Some(executed(packet.argument().unwrap()))
}

/// The words of an API command's line, which has no headers.
fn api(api: Api) -> Option<Vec<u8>> {
    let packet = read(&Command::Api(api))?;
    assert_eq!(packet.headers, []);
    Some(packet.command)
}

fn is(parts: &[Vec<u8>], expected: &[&str]) {
    let parts: Vec<_> = parts.iter().map(|part| String::from_utf8_lossy(part)).collect();
    assert_eq!(parts, expected);
}

fn terminators_are(variables: &Variables, keys: &str) {
    assert_eq!(*variables, [(b"playback_terminators".to_vec(), keys.as_bytes().to_vec())]);
}

fn sounds(path: &str, tones: &str) -> Vec<Sound> {
    let mut sounds = vec![Sound::Silence(20)];
    sounds.extend(FilePath::new(path).map(Sound::File));
    sounds.extend(Tones::new(tones).map(Sound::Tones));
    sounds
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_playlist_plays_what_was_listed(
        path in prop_oneof!["(/[a-z0-9._=+-]{1,5}){1,3}".prop_map(String::from), hostile()]
            .prop_map(|path| format!("/{path}")),
        tones in prop_oneof!["%\\([0-9]{1,3},0,440\\)".prop_map(String::from), wordy()],
    ) {
        let sounds = sounds(&path, &tones);
        let expected: Vec<String> = sounds.iter().map(|sound| match sound {
            Sound::File(path) => path.as_str().to_owned(),
            Sound::Tones(tones) => format!("tone_stream://{}", tones.as_str()),
            Sound::Silence(_) => "silence_stream://20".to_owned(),
        }).collect();
        let terminators = Terminators::Any;
        let ran = run(Application::Playback { sounds, terminators });
        let Some((variables, list)) = ran else { return Ok(()) };
        terminators_are(&variables, "any");
        let list = list.strip_prefix(b"file_string://").unwrap_or(&list);
        let parts = separate(list, b'!', 128);
        is(&parts, &expected.iter().map(String::as_str).collect::<Vec<_>>());
        for part in parts {
            let opens = part.starts_with(b"{") || memchr::memmem::find(&part, b"@@").is_some();
            prop_assert!(!opens);
        }
    }

    #[test]
    fn what_is_said_is_one_word_among_four(text in wordy()) {
        let Ok(text) = SayText::new(&text) else { return Ok(()) };
        let expected = text.as_str().to_owned();
        let ran = run(Application::Say {
            language: word("en"),
            kind: SayKind::Number,
            method: SayMethod::Pronounced,
            text,
            terminators: Terminators::None,
        });
        let Some((variables, words)) = ran else { return Ok(()) };
        terminators_are(&variables, "none");
        is(&separate(&words, b' ', 5), &["en", "number", "pronounced", &expected]);
    }

    #[test]
    fn a_spoken_text_arrives_unchanged(text in hostile(), clean in any::<bool>()) {
        let text = if clean { FreeText::cleaned(&text) } else { FreeText::new(&text).ok() };
        let Some(text) = text else { return Ok(()) };
        let expected = text.as_str().to_owned();
        let (engine, voice) = (word("flite"), word("slt"));
        let terminators = Terminators::None;
        let (_, argument) = run(Application::Speak { engine, voice, text, terminators }).unwrap();
        is(&separate(&argument, b'|', 3)[..2], &["flite", "slt"]);
        prop_assert_eq!(String::from_utf8(argument).unwrap(), format!("flite|slt|{expected}"));
        let parameters = expected.trim_start_matches(' ').starts_with('{');
        prop_assert!(!parameters);
    }

    #[test]
    fn a_recording_goes_to_its_path_with_its_limits(path in hostile()) {
        let path = format!("/r/{path}");
        let Ok(path) = FilePath::new(&path) else { return Ok(()) };
        let expected = path.as_str().to_owned();
        let terminators = Terminators::These("12#".parse::<Digits>().unwrap().iter().collect());
        let (limit_s, threshold, silence_s) = (60, 200, 3);
        let ran = run(Application::Record { path, limit_s, threshold, silence_s, terminators });
        let Some((variables, words)) = ran else { return Ok(()) };
        terminators_are(&variables, "12#");
        is(&separate(&words, b' ', 4), &[&expected, "60", "200", "3"]);
    }

    #[test]
    fn a_dial_string_dials_whom_it_names_and_sets_what_it_sets(
        user in wordy(), host in wordy(), name in hostile(), path in hostile(),
    ) {
        let legs: Vec<Target> = [
            DialPart::new(&user).ok().map(|number| Target::Gateway {
                gateway: GatewayName::try_from("gw_1".to_owned()).unwrap(), number,
            }),
            Host::new(&host).ok().zip(DialPart::new(&user).ok())
                .map(|(domain, user)| Target::User { user, domain }),
            Host::new(&host).ok().zip(DialPart::new(&user).ok()).map(|(host, user)| Target::Sip {
                profile: word("internal"), user, host,
            }),
        ].into_iter().flatten().collect();
        let mut variables = vec![DialVariable {
            name: VariableName::new("leg_timeout").unwrap(),
            value: DialValue::Number(20),
        }];
        for value in [
            DisplayName::cleaned(&name).map(DialValue::Name),
            FilePath::new(&format!("/{path}")).ok().map(DialValue::Path),
        ].into_iter().flatten() {
            let name = VariableName::new("origination_caller_id_name").unwrap();
            variables.push(DialVariable { name, value });
        }
        let meant: Variables = variables.iter().map(|variable| {
            (variable.name.as_str().as_bytes().to_vec(), variable.value.to_string().into_bytes())
        }).collect();
        let leg = |target: &Target| Leg { target: target.clone(), variables: variables.clone() };
        let group: Vec<Leg> = legs.iter().map(leg).collect();
        let groups = vec![group.clone(), group];
        let dial_string = DialString { variables: variables.clone(), groups };
        let argument = run(Application::Bridge(dial_string));
        let Some((scope, argument)) = argument else { return Ok(()) };
        prop_assert_eq!(scope, []);
        dials(&argument, &meant, &legs);
    }

    #[test]
    fn a_transfer_goes_where_it_says(extension in wordy(), context in wordy()) {
        let (Ok(extension), Ok(context)) =
            (DialPart::new(&extension), Word::new("context", &context)) else { return Ok(()) };
        let expected = [extension.as_str().to_owned(), context.as_str().to_owned()];
        let dialplan = word("XML");
        let line = api(Api::Transfer {
            channel: channel(),
            extension: extension.clone(),
            dialplan: dialplan.clone(),
            context: context.clone(),
        });
        let Some((_, words)) = run(Application::Transfer { extension, dialplan, context }) else {
            return Ok(());
        };
        is(&separate(&words, b' ', 4), &[&expected[0], "XML", &expected[1]]);
        let line = line.unwrap();
        let words = line.strip_prefix(b"api uuid_transfer ").unwrap();
        let channel = channel().to_string();
        is(&separate(words, b' ', 5), &[&channel, &expected[0], "XML", &expected[1]]);
    }

    #[test]
    fn a_recording_of_a_call_starts_and_stops_at_its_path(path in hostile(), nth in 0..4_usize) {
        let Ok(path) = FilePath::new(&format!("/r/{path}")) else { return Ok(()) };
        let expected = path.as_str().to_owned();
        let start = Recording::Start { stereo: true, limit_s: 60 };
        let changes = [start, Recording::Stop, Recording::Mask, Recording::Pause];
        let line = api(Api::Record { channel: channel(), change: changes[nth], path });
        let Some(line) = line else { return Ok(()) };
        let words = line.strip_prefix(b"api uuid_record ").unwrap();
        let verb = ["start", "stop", "mask", "pause"][nth];
        let channel = channel().to_string();
        let mut expected = vec![channel.as_str(), verb, &expected];
        if nth == 0 {
            expected.extend(["60", "{RECORD_STEREO=true,RECORD_PRE_BUFFER_FRAMES=1}"]);
        }
        is(&separate(words, b' ', 5), &expected);
    }

    #[test]
    fn a_password_is_the_rest_of_its_line(password in hostile(), user in hostile()) {
        let Ok(password_taken) = Password::new(&password) else { return Ok(()) };
        let credentials = Credentials::Password(password_taken.clone());
        if let Some(packet) = read(&Command::Authenticate(credentials)) {
            prop_assert_eq!(packet.headers, []);
            prop_assert_eq!(packet.command, format!("auth {password}").into_bytes());
        }
        let Ok(user_taken) = DirectoryUser::new(&format!("{user}@pbx")) else { return Ok(()) };
        let credentials = Credentials::User { user: user_taken, password: password_taken };
        if let Some(packet) = read(&Command::Authenticate(credentials)) {
            let line = String::from_utf8(packet.command).unwrap();
            let (name, rest) = line.strip_prefix("userauth ").unwrap().split_once('@').unwrap();
            let (domain, secret) = rest.split_once(':').unwrap();
            prop_assert_eq!((name, domain, secret), (&user[..], "pbx", &password[..]));
            prop_assert!(!name.contains(':'));
        }
    }

    #[test]
    fn variables_get_exactly_their_values_by_the_queue(a in hostile(), b in hostile()) {
        let pairs: Vec<_> = [("one", a), ("two", b)].into_iter().filter_map(|(name, value)| {
            Some((VariableName::new(name).unwrap(), PlainValue::new(&value).ok()?))
        }).collect();
        if pairs.is_empty() { return Ok(()) }
        let Some((scope, argument)) = run(Application::Multiset(pairs.clone())) else {
            return Ok(());
        };
        prop_assert_eq!(scope, []);
        let set = separate(&argument, b' ', 256);
        let expected: Vec<String> =
            pairs.iter().map(|(name, value)| [name.as_str(), value.as_str()].join("=")).collect();
        is(&set, &expected.iter().map(String::as_str).collect::<Vec<_>>());
        for (_, value) in &pairs {
            prop_assert_eq!(expand(value.as_str().as_bytes()), value.as_str().as_bytes());
        }
    }

    #[test]
    fn variables_get_exactly_their_values_at_once(a in hostile(), b in hostile()) {
        let pairs: Vec<_> = [
            ("one", VariableValue::cleaned(&a)),
            ("two", VariableValue::new(&b).unwrap_or_else(|_| VariableValue::cleaned("x"))),
        ].map(|(name, value)| (VariableName::new(name).unwrap(), value)).to_vec();
        let variables = pairs.clone();
        let line = api(Api::SetVariables { channel: channel(), variables });
        let Some(line) = line else { return Ok(()) };
        let list = line.strip_prefix(format!("api uuid_setvar_multi {} ", channel()).as_bytes());
        let set = separate(list.unwrap(), b';', 64);
        let expected: Vec<String> =
            pairs.iter().map(|(name, value)| [name.as_str(), value.as_str()].join("=")).collect();
        is(&set, &expected.iter().map(String::as_str).collect::<Vec<_>>());
        for (_, value) in &pairs {
            // A later `${one}` looks for more in the value.
            expand(value.as_str().as_bytes());
            prop_assert!(!value.as_str().starts_with("ARRAY::"));
        }
    }

    #[test]
    fn what_is_cleaned_is_accepted(text in hostile()) {
        prop_assert!(VariableValue::new(VariableValue::cleaned(&text).as_str()).is_ok());
        if let Some(text) = FreeText::cleaned(&text) {
            prop_assert_eq!(FreeText::new(text.as_str()), Ok(text));
        }
        if let Some(name) = DisplayName::cleaned(&text) {
            prop_assert_eq!(DisplayName::new(name.as_str()), Ok(name));
        }
    }

    #[test]
    fn a_pattern_is_one_word_that_nothing_changes(pattern in prop_oneof![
        hostile(), "[\\^]?[0-9a-z\\[\\](){}|.*+?-]{1,9}[$]?".prop_map(String::from),
    ]) {
        let Ok(pattern) = RegexArg::new(&pattern) else { return Ok(()) };
        let text = format!("a {} b", pattern.as_str());
        prop_assert_eq!(expand(text.as_bytes()), text.as_bytes());
        is(&separate(text.as_bytes(), b' ', 9), &["a", pattern.as_str(), "b"]);
    }
}

/// Takes a dial string apart as switch_ivr_originate does.
fn dials(argument: &[u8], meant: &Variables, legs: &[Target]) {
    assert!(memchr::memmem::find(argument, b":_:").is_none(), "an enterprise originate");
    let (global, rest) = brackets(argument, b'{', b'}', b',');
    assert_eq!(global, *meant);
    let groups = separate(&rest, b'|', 128);
    assert_eq!(groups.len(), 2);
    for group in groups {
        let mut depth = 0;
        let hidden: Vec<u8> = group
            .iter()
            .map(|byte| {
                depth += i32::from(*byte == b'[') - i32::from(*byte == b']');
                if *byte == b',' && depth > 0 { 2 } else { *byte }
            })
            .collect();
        let peers = separate(&hidden, b',', 128);
        assert_eq!(peers.len(), legs.len());
        for (peer, leg) in peers.iter().zip(legs) {
            let (own, target) = brackets(peer, b'[', b']', 2);
            assert_eq!(own, *meant);
            assert_eq!(String::from_utf8_lossy(&target), leg.to_string());
        }
    }
}

#[test]
fn the_model_itself_sees_what_freeswitch_would_do() {
    let two = packets(b"api status\n\napi version\n\n");
    assert_eq!(two.len(), 2);
    let injected = packets(b"sendmsg\na: b\nexecute-app-arg: x\ny: z\n\n");
    assert_eq!(injected[0].header("y"), Some(&b"z"[..]));
    assert!(packets(b"api x reload MOD_event_socket\n\n")[0].unloads);
    assert!(std::panic::catch_unwind(|| expand(b"a ${b} c")).is_err());
    assert!(std::panic::catch_unwind(|| expand(b"a $\\{b} c")).is_err());
    is(&separate(b"a 'b c' d\\'e ^^", b' ', 9), &["a", "b c", "d'e", "^^"]);
    is(&separate(b"^^:a:b", b' ', 9), &["a", "b"]);
    assert_eq!(executed(b"%[a=1]x").0, [(b"a".to_vec(), b"1".to_vec())]);
}

#[test]
fn two_harmless_values_that_together_unload_the_module_are_refused() {
    let set = |a: &str, b: &str| {
        let value = |text| VariableValue::new(text).unwrap();
        let variables = vec![
            (VariableName::new("a").unwrap(), value(a)),
            (VariableName::new("b").unwrap(), value(b)),
        ];
        Command::Api(Api::SetVariables { channel: channel(), variables }).encode()
    };
    assert!(set("please Reload", "the mod_event_socket").is_err());
    assert!(set("mod_EVENT_socket", "unLOAD").is_err());
    assert!(set("mod_event_socket", "load").is_ok());
}

#[test]
fn a_variable_whose_value_would_be_executed_can_not_be_named() {
    for name in
        ["execute_on_answer", "api_hangup_hook", "bridge_pre_execute_aleg_app", "a[1]", "a b"]
    {
        assert!(VariableName::new(name).is_err(), "{name}");
    }
}

#[test]
fn a_refusal_says_what_and_where_and_never_the_value() {
    let error = FilePath::new("/secret\nx").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the path can't be sent: byte 7 is 0x0a, which is not allowed there"
    );
    let error = VariableValue::new("secret ${x}").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the variable value can't be sent: FreeSWITCH would expand the `$` at byte 7"
    );
}

#[test]
fn each_command_is_written_as_freeswitch_documents_it() {
    let job = Command::BackgroundApi { job: JobId(10), api: Api::Dump { channel: channel() } };
    let kill = Command::Api(Api::Kill { channel: channel(), cause: HangupCause::UserBusy });
    let id = channel();
    for (command, bytes) in [
        (Command::Connect, "connect\n\n".to_owned()),
        (Command::Filter(Filter::Channel(id.clone())), format!("filter Unique-ID {id}\n\n")),
        (
            Command::FilterDelete(Filter::Channel(id.clone())),
            format!("filter delete Unique-ID {id}\n\n"),
        ),
        (
            Command::Filter(Filter::Name(EventName::Heartbeat)),
            "filter Event-Name HEARTBEAT\n\n".to_owned(),
        ),
        (
            Command::Filter(Filter::Jobs(JobSeries::new(0x1f))),
            "filter Job-UUID /^j8000001f/\n\n".to_owned(),
        ),
        (Command::Filter(Filter::Gateways), {
            "filter Event-Subclass /^sofia::gateway_/\n\n".to_owned()
        }),
        (Command::GatewayEvents, {
            "event plain CUSTOM sofia::gateway_state sofia::gateway_delete\n\n".to_owned()
        }),
        (Command::Api(Api::Sofia(SofiaApi::Gateways)), "api sofia xmlstatus gateway\n\n".into()),
        (Command::Api(Api::Sofia(SofiaApi::SwitchName)), "api switchname\n\n".into()),
        (
            Command::Api(Api::Sofia(SofiaApi::Kill {
                profile: Word::new("profile", "external").unwrap(),
                gateway: "cw-1".parse().unwrap(),
            })),
            "api sofia profile external killgw cw-1\n\n".into(),
        ),
        (Command::Api(Api::Channels), "api show channels as json\n\n".to_owned()),
        (Command::Api(Api::CoreUuid), "api global_getvar core_uuid\n\n".to_owned()),
        (
            Command::Api(Api::Hold { channel: id.clone(), on: false }),
            format!("api uuid_hold off {id}\n\n"),
        ),
        (Command::Api(Api::Park { channel: id.clone() }), format!("api uuid_park {id}\n\n")),
        (Command::Linger(10), "linger 10\n\n".to_owned()),
        (job, format!("bgapi uuid_dump {id} json\nJob-UUID: ja\n\n")),
        (kill, format!("api uuid_kill {id} USER_BUSY\n\n")),
        (
            Command::Execute(Execute::new(ExecuteId(31), Application::Answer)),
            "sendmsg\ncall-command: execute\nexecute-app-name: answer\nevent-lock: true\n\
             Event-UUID: x1f\n\n"
                .to_owned(),
        ),
    ] {
        assert_eq!(command.encode().unwrap(), bytes);
    }
}
