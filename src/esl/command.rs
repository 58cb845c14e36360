//! Commands, and the only place that writes bytes for FreeSWITCH.

use std::fmt::Write;
use std::num::NonZeroU32;

use bytes::{BufMut, Bytes, BytesMut};

use crate::base::cause::HangupCause;
use crate::base::digits::Keying;
use crate::base::ids::ChannelId;

use super::application::{Application, Sound, playlist};
use super::argument::{DialPart, FilePath, Refused, Tones, VariableName, VariableValue, Why, Word};
use super::conference::{Join, RoomApi, RoomArg};
use super::credentials::Credentials;
use super::event::EventName;
use super::filter::Filter;
use super::inspect::Inspect;
use super::originate::{Eavesdrop, Originate};
use super::sofia::SofiaApi;
use super::spoken::SpeechApi;
use super::token::{ExecuteId, JobId};

/// A longer argument goes in a body, in bytes: headers are read with one system call for each byte.
pub const HEADER_ARGUMENT_MAX: usize = 64;
/// Most variables in one `uuid_setvar_multi` (`mod_commands.c` uuid_setvar_multi_function).
pub const VARIABLES_MAX: usize = 64;

/// One command of the Event Socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Asks for the channel's data; the first command of a connection.
    Connect,
    /// Keeps the connection open so many seconds after the hang-up. Never send it twice.
    Linger(u32),
    /// Restricts the connection to its own call's events, for good. See `Command::subscribe`.
    MyEvents,
    /// Takes every subscription back, but not the restriction.
    NoEvents,
    /// Adds events, in the plain format.
    Events(Vec<EventName>),
    /// Adds what is told of gateways: how they stand, and that they are deleted.
    GatewayEvents,
    /// Says that the dialplan goes on at once when the connection ends. Can't be taken back.
    Resume,
    /// Ends the connection.
    Exit,
    /// Queues an application.
    Execute(Execute),
    /// Runs an API command; the connection waits for it.
    Api(Api),
    /// Runs an API command aside; its output comes in a `BACKGROUND_JOB` event.
    BackgroundApi { job: JobId, api: Api },
    /// Answers the greeting of an inbound connection.
    Authenticate(Credentials),
    /// Lets only such events pass, and those of other filters.
    Filter(Filter),
    /// Takes a filter back. Taking back the last one lets every subscribed event pass.
    FilterDelete(Filter),
}

/// An application to be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execute {
    /// Comes back as `Application-UUID` in the two execute events.
    pub id: ExecuteId,
    /// Whether later ones wait until this one ends (`event-lock`).
    pub lock: bool,
    /// How often. Stops early when one run lasts less than half a second.
    pub loops: NonZeroU32,
    pub application: Application,
}

impl Execute {
    /// Once, and later ones wait.
    pub const fn new(id: ExecuteId, application: Application) -> Self {
        Self { id, lock: true, loops: NonZeroU32::MIN, application }
    }
}

/// What becomes of a recording of a channel (`mod_commands.c` session_record_function).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recording {
    /// `stereo`: what the channel says on the left, what it hears on the right.
    Start {
        stereo: bool,
        /// Whole seconds of the clock; 0 is no limit.
        limit_s: u32,
    },
    Stop,
    Pause,
    Resume,
    Mask,
    Unmask,
}

impl Recording {
    const fn verb(self) -> &'static str {
        match self {
            Self::Start { .. } => "start",
            Self::Stop => "stop",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Mask => "mask",
            Self::Unmask => "unmask",
        }
    }

    /// The limit and the variables of a recording that begins. By default half a second is read
    /// ahead before anything is written, and lost at the end where nobody speaks to the channel
    /// (`switch_core_media_bug.c` switch_core_media_bug_read, `record_pre_buffer_max`): one frame
    /// is enough.
    fn how(self) -> String {
        let Self::Start { stereo, limit_s } = self else { return String::new() };
        format!(" {limit_s} {{RECORD_STEREO={stereo},RECORD_PRE_BUFFER_FRAMES=1}}")
    }
}

/// The API commands that we use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Api {
    /// Hangs up at once, whatever is queued.
    Kill {
        channel: ChannelId,
        cause: HangupCause,
    },
    /// Hangs up every channel whose variable has this value (`mod_commands.c` hupall_api_function).
    KillMarked {
        cause: HangupCause,
        name: VariableName,
        value: Word,
    },
    /// Stops what is running, and with `all` forgets what is queued.
    Break {
        channel: ChannelId,
        all: bool,
    },
    /// Sets variables at once; an empty value unsets.
    SetVariables {
        channel: ChannelId,
        variables: Vec<(VariableName, VariableValue)>,
    },
    /// Asks for one variable; `_undef_` when unset.
    GetVariable {
        channel: ChannelId,
        name: VariableName,
    },
    /// Asks for everything about a channel, as JSON: see `Event::from_json`.
    Dump {
        channel: ChannelId,
    },
    Exists {
        channel: ChannelId,
    },
    Answer {
        channel: ChannelId,
    },
    /// Lets the channel hear a sound once in the place of what it hears.
    Tell {
        channel: ChannelId,
        sounds: Vec<Sound>,
    },
    Speech(SpeechApi),
    Transfer {
        channel: ChannelId,
        extension: DialPart,
        dialplan: Word,
        context: Word,
    },
    /// Does this in so many seconds, as FreeSWITCH counts them: whole ones of its clock.
    SchedTransfer {
        seconds: u32,
        channel: ChannelId,
        extension: DialPart,
        dialplan: Word,
        context: Word,
    },
    /// Hangs up in so many seconds.
    SchedHangup {
        seconds: u32,
        channel: ChannelId,
        cause: HangupCause,
    },
    /// Takes back everything that was scheduled for the channel.
    SchedDel {
        channel: ChannelId,
    },
    /// Takes back one scheduled task, by the number that FreeSWITCH gave it.
    CancelTask {
        task: u32,
    },
    /// Sends keys to the channel's phone, each so many milliseconds long.
    SendDtmf {
        channel: ChannelId,
        keys: Keying,
        key_ms: u64,
    },
    /// Joins two channels.
    Bridge {
        channel: ChannelId,
        other: ChannelId,
    },
    /// Asks for all channels: see `channels::rows`.
    Channels,
    /// Asks for the identity of this run of FreeSWITCH.
    CoreUuid,
    /// Puts the far end on hold, or takes it back. Says `+OK` for an unknown channel too
    /// (`switch_ivr.c` switch_ivr_hold_uuid).
    Hold {
        channel: ChannelId,
        on: bool,
    },
    /// Changes the recording to this file; a recording is known by its path.
    Record {
        channel: ChannelId,
        change: Recording,
        path: FilePath,
    },
    /// Mixes a sound into what the channel hears.
    Overlay {
        channel: ChannelId,
        sounds: Vec<Sound>,
    },
    /// Takes the channel out of what it does, and leaves it in silence.
    Park {
        channel: ChannelId,
    },
    /// Asks something of a conference room.
    Room {
        room: RoomArg,
        command: RoomApi,
    },
    /// Asks or orders something about gateways.
    Sofia(SofiaApi),
    /// Asks something about FreeSWITCH itself.
    Inspect(Inspect),
    /// Calls somebody. Answered only when that has come to its end: run it aside.
    Originate(Box<Originate>),
    /// Has a leg of ours listen in, whatever it did before. No gap is heard where it listened
    /// already, by it or by anybody.
    Eavesdrop {
        channel: ChannelId,
        eavesdrop: Eavesdrop,
    },
    /// Lets the channel's phone hear tones, nobody else, while everything goes on.
    Beep {
        channel: ChannelId,
        tones: Tones,
    },
    /// Asks the channel's phone to talk again (SIP NOTIFY; `mod_sofia.c`
    /// SWITCH_MESSAGE_INDICATE_PHONE_EVENT).
    PhoneTalk {
        channel: ChannelId,
    },
    /// Lets the channel's phone hear this again and again in the place of what it would hear, while
    /// everything goes on; or no more. It is known by the sound.
    Displace {
        channel: ChannelId,
        on: bool,
        sound: Sound,
    },
    /// Takes the channel out of what it does, and lets it hear this until it is taken elsewhere.
    Await {
        channel: ChannelId,
        sound: Sound,
    },
    /// Takes the channel out of what it does, into a conference room.
    Enter {
        channel: ChannelId,
        join: Join,
    },
    /// Takes the channel out of what it does, has it go through these one after another, and hangs
    /// it up.
    Dismiss {
        channel: ChannelId,
        said: Vec<Application>,
    },
}

impl Command {
    /// The commands that leave only `events`, and only those of this call.
    ///
    /// `myevents` sets a flag that restricts every later subscription to the own channel and to the
    /// own background jobs (`mod_event_socket.c` event_handler, LFLAG_MYEVENTS, lines 375-383), but
    /// it also subscribes to 23 kinds of event; `noevents` drops those and leaves the flag
    /// (2593-2607); `event` then adds what is wanted. `filter Unique-ID …` instead would need the
    /// channel's identity before it can be sent, and would drop BACKGROUND_JOB, which has no
    /// Unique-ID (311-372).
    pub fn subscribe(events: Vec<EventName>) -> [Self; 3] {
        [Self::MyEvents, Self::NoEvents, Self::Events(events)]
    }

    /// The bytes for the wire.
    ///
    /// # Errors
    /// Refused when the command as a whole can't be sent, although each of its arguments could.
    pub fn encode(&self) -> Result<Bytes, Refused> {
        let mut packet = BytesMut::new();
        match self {
            Self::Connect => line(&mut packet, "connect"),
            Self::Linger(seconds) => line(&mut packet, &format!("linger {seconds}")),
            Self::MyEvents => line(&mut packet, "myevents"),
            Self::NoEvents => line(&mut packet, "noevents"),
            Self::Events(events) => line(&mut packet, &subscription(events)?),
            Self::GatewayEvents => {
                line(&mut packet, "event plain CUSTOM sofia::gateway_state sofia::gateway_delete");
            }
            Self::Resume => line(&mut packet, "resume"),
            Self::Exit => line(&mut packet, "exit"),
            Self::Execute(execute) => return execute_packet(execute),
            Self::Api(api) => line(&mut packet, &format!("api {}", api.words()?)),
            Self::BackgroundApi { job, api } => {
                line(&mut packet, &format!("bgapi {}\nJob-UUID: {job}", api.words()?));
            }
            Self::Authenticate(credentials) => line(&mut packet, &credentials.line()),
            Self::Filter(filter) => line(&mut packet, &format!("filter {filter}")),
            Self::FilterDelete(filter) => line(&mut packet, &format!("filter delete {filter}")),
        }
        finish(packet, b"")
    }
}

fn line(packet: &mut BytesMut, text: &str) {
    packet.put_slice(text.as_bytes());
    packet.put_u8(b'\n');
}

fn subscription(events: &[EventName]) -> Result<String, Refused> {
    if events.is_empty() {
        return Err(Refused { argument: "list of events", why: Why::Empty });
    }
    // What follows CUSTOM is read as subclasses, so that it comes last.
    let mut ordered = events.to_vec();
    ordered.sort_by_key(|event| matches!(event, EventName::Custom));
    let names = ordered.iter().map(|event| event.name());
    let mut list = names.fold("event plain".to_owned(), |list, name| list + " " + name);
    if events.contains(&EventName::Custom) {
        list.push_str(" conference::maintenance");
    }
    Ok(list)
}

/// Head and body in one buffer: FreeSWITCH spins while a body is on its way (`mod_event_socket.c`
/// read_packet).
fn execute_packet(execute: &Execute) -> Result<Bytes, Refused> {
    execute.application.check()?;
    let argument = execute.application.argument();
    let mut packet = BytesMut::with_capacity(160 + argument.len());
    line(&mut packet, "sendmsg");
    line(&mut packet, "call-command: execute");
    line(&mut packet, &format!("execute-app-name: {}", execute.application.name()));
    if execute.lock {
        line(&mut packet, "event-lock: true");
    }
    if execute.loops > NonZeroU32::MIN {
        line(&mut packet, &format!("loops: {}", execute.loops));
    }
    line(&mut packet, &format!("Event-UUID: {}", execute.id));
    if argument.is_empty() {
        return finish(packet, b"");
    }
    if !execute.application.wants_body(&argument) {
        line(&mut packet, &format!("execute-app-arg: {argument}"));
        return finish(packet, b"");
    }
    line(&mut packet, "content-type: text/plain");
    line(&mut packet, &format!("content-length: {}", argument.len()));
    finish(packet, argument.as_bytes())
}

/// FreeSWITCH unloads its Event Socket module when two words stand anywhere in a packet's head
/// (`mod_event_socket.c` parse_command, 1729-1733). Bodies are not searched.
fn finish(mut packet: BytesMut, body: &[u8]) -> Result<Bytes, Refused> {
    let head = packet.to_ascii_lowercase();
    let has = |word: &str| memchr::memmem::find(&head, word.as_bytes()).is_some();
    if has("mod_event_socket") && (has("unload") || has("reload")) {
        return Err(Refused { argument: "command", why: Why::Unloads });
    }
    packet.put_u8(b'\n');
    packet.put_slice(body);
    Ok(packet.freeze())
}

fn displace(channel: &ChannelId, sounds: &[Sound], flags: &str) -> String {
    format!("uuid_displace {channel} start {} 0{flags}", playlist(sounds))
}

impl Api {
    fn words(&self) -> Result<String, Refused> {
        Ok(match self {
            Self::Kill { channel, cause } => format!("uuid_kill {channel} {cause}"),
            Self::KillMarked { cause, name, value } => {
                format!("hupall {cause} {} {}", name.as_str(), value.as_str())
            }
            Self::Break { channel, all: true } => format!("uuid_break {channel} all"),
            Self::Break { channel, all: false } => format!("uuid_break {channel}"),
            Self::SetVariables { channel, variables } => {
                format!("uuid_setvar_multi {channel} {}", pairs(variables)?)
            }
            Self::GetVariable { channel, name } => {
                format!("uuid_getvar {channel} {}", name.as_str())
            }
            Self::Dump { channel } => format!("uuid_dump {channel} json"),
            Self::Exists { channel } => format!("uuid_exists {channel}"),
            Self::Answer { channel } => format!("uuid_answer {channel}"),
            Self::Tell { channel, sounds } => displace(channel, sounds, ""),
            Self::Speech(speech) => speech.to_string(),
            Self::Transfer { channel, extension, dialplan, context } => {
                let words = [extension.as_str(), dialplan.as_str(), context.as_str()];
                format!("uuid_transfer {channel} {}", words.join(" "))
            }
            Self::SchedTransfer { seconds, channel, extension, dialplan, context } => {
                let words = [extension.as_str(), dialplan.as_str(), context.as_str()];
                format!("sched_transfer +{seconds} {channel} {}", words.join(" "))
            }
            Self::SchedHangup { seconds, channel, cause } => {
                format!("sched_hangup +{seconds} {channel} {cause}")
            }
            Self::SchedDel { channel } => format!("sched_del {channel}"),
            Self::CancelTask { task } => format!("sched_del {task}"),
            Self::SendDtmf { channel, keys, key_ms } => {
                format!("uuid_send_dtmf {channel} {}@{key_ms}", keys.as_str())
            }
            Self::Bridge { channel, other } => format!("uuid_bridge {channel} {other}"),
            Self::Channels => "show channels as json".to_owned(),
            Self::CoreUuid => "global_getvar core_uuid".to_owned(),
            Self::Hold { channel, on: true } => format!("uuid_hold {channel}"),
            Self::Hold { channel, on: false } => format!("uuid_hold off {channel}"),
            Self::Record { channel, change, path } => {
                format!("uuid_record {channel} {} {}{}", change.verb(), path.as_str(), change.how())
            }
            Self::Overlay { channel, sounds } => displace(channel, sounds, " m"),
            Self::Park { channel } => format!("uuid_park {channel}"),
            Self::Room { room, command } => format!("conference {}", command.words(room)),
            Self::Sofia(sofia) => sofia.to_string(),
            Self::Inspect(inspect) => inspect.to_string(),
            Self::Originate(originate) => originate.to_string(),
            Self::Eavesdrop { channel, eavesdrop } => {
                format!("uuid_transfer {channel} eavesdrop:{eavesdrop} inline")
            }
            Self::Beep { channel, tones } => {
                format!("uuid_displace {channel} start tone_stream://{} 0 mux", tones.as_str())
            }
            Self::PhoneTalk { channel } => format!("uuid_phone_event {channel} talk"),
            Self::Displace { channel, on: true, sound } => {
                format!("uuid_displace {channel} start {} 0 l", sound.endless())
            }
            Self::Displace { channel, on: false, sound } => {
                format!("uuid_displace {channel} stop {}", sound.endless())
            }
            Self::Dismiss { channel, said } => dismissal(channel, said),
            Self::Enter { channel, join } => {
                format!("uuid_transfer {channel} 'm:^:conference:{}' inline", join.checked()?)
            }
            Self::Await { channel, sound } => waiting(channel, sound),
        })
    }
}

/// What can't be played ends at once: then there is still a tone (`mod_dptools.c`
/// endless_playback_function).
fn waiting(channel: &ChannelId, sound: &Sound) -> String {
    let (sound, tone) = (sound.endless(), Sound::comfort().endless());
    format!("uuid_transfer {channel} 'm:^:endless_playback:{sound}^endless_playback:{tone}' inline")
}

fn dismissal(channel: &ChannelId, said: &[Application]) -> String {
    let steps = said.iter().map(|said| format!("{}:{}^", said.name(), said.argument()));
    let steps: String = steps.collect();
    format!("uuid_transfer {channel} 'm:^:{steps}hangup:NORMAL_CLEARING' inline")
}

/// `a=1;b=2`. The splitter takes `\;`, `\'` and `\\` for the byte itself (`switch_utils.c`
/// cleanup_separated_string with the delimiter `;`).
fn pairs(variables: &[(VariableName, VariableValue)]) -> Result<String, Refused> {
    let refuse = |why| Err(Refused { argument: "list of variables", why });
    if variables.is_empty() {
        return refuse(Why::Empty);
    }
    if variables.len() > VARIABLES_MAX {
        return refuse(Why::TooMany(VARIABLES_MAX));
    }
    let mut list = String::new();
    for (nth, (name, value)) in variables.iter().enumerate() {
        let semicolon = if nth > 0 { ";" } else { "" };
        // Writing into a text can't fail.
        let _ = write!(list, "{semicolon}{}=", name.as_str());
        for character in value.as_str().chars() {
            if matches!(character, ';' | '\'' | '\\') {
                list.push('\\');
            }
            list.push(character);
        }
    }
    Ok(list)
}
