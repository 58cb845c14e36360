//! What can be typed on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::api_key::ApiKeyCommand;
use super::doctor::Doctor;
use super::key::KeyCommand;
use super::recording::RecordingCommand;
use super::report::ReportCommand;
use crate::base::cause::HangupCause;
use crate::base::digits::Keying;
use crate::base::ids::{CallId, FlowName, GatewayName, PromptName, RoomName, StepName, TenantSlug};
use crate::base::millis::Millis;
use crate::base::slot::Slot;
use crate::flow::kind::record::RecordAction;
use crate::flow::prompt::SayKind;

use super::monitor::{AuditCommand, MonitorCommand};
use super::outbound::OutboundCommand;
use super::park::ParkCommand;
use super::prompt::PromptCommand;
use super::room::RoomCommand;
use super::schedule::ScheduleCommand;

/// A call controller for FreeSWITCH.
#[derive(Debug, Parser)]
#[command(name = "callwright", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    /// Settings file (TOML); without it ./callwright.toml where it exists
    #[arg(long, short, global = true, env = "CALLWRIGHT_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Database, instead of the settings file's: sqlite:PATH or postgres://…
    #[arg(
        long,
        global = true,
        env = "CALLWRIGHT_DATABASE",
        value_name = "URL",
        hide_env_values = true
    )]
    pub database: Option<String>,
    /// Print JSON for programs
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Take calls from FreeSWITCH until told to stop
    Serve(Serve),
    /// Keep `serve` running: hold its port, restart it when it dies, replace it on SIGHUP
    Supervise(Serve),
    /// How the running daemon is
    Status,
    /// Let the running daemon give up its calls and end
    Drain {
        /// At once instead of at their next step
        #[arg(long)]
        now: bool,
    },
    /// Tell a live call what to do
    Call {
        call: CallId,
        /// Only if it is this tenant's
        #[arg(long)]
        tenant: Option<TenantSlug>,
        #[command(subcommand)]
        command: CallCommand,
    },
    /// Call somebody for a tenant; prints the call's id
    Place(Place),
    /// Show the effective settings and try the database and the port; exit 64 when something is
    /// wrong
    Check,
    /// Examine this machine and each FreeSWITCH of the settings: what is wrong, why it matters, and
    /// what to do; exit 1 when there is an error
    Doctor(Doctor),
    /// Run sample calls on a simulated switch and print what happens
    Demo(Demo),
    /// Check, simulate, draw and publish flows
    #[command(subcommand)]
    Flow(FlowCommand),
    /// Tenants
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Numbers and the flows they lead to
    #[command(subcommand)]
    Number(NumberCommand),
    /// Prompts: what callers hear
    #[command(subcommand)]
    Prompt(PromptCommand),
    /// Opening hours by name, which flows go by
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// Calls to numbers outside: routes, what may be called, locks
    #[command(subcommand)]
    Outbound(OutboundCommand),
    /// A tenant's conference rooms
    Rooms {
        #[arg(long)]
        tenant: TenantSlug,
    },
    /// A conference room: how it is kept, and who is in it
    Room {
        room: RoomName,
        #[arg(long)]
        tenant: TenantSlug,
        /// Only if this member of the room may do it
        #[arg(long, value_name = "MEMBER")]
        by: Option<u32>,
        #[command(subcommand)]
        command: RoomCommand,
    },
    /// Who is parked in a tenant's slots
    Park {
        tenant: TenantSlug,
        #[command(subcommand)]
        command: Option<ParkCommand>,
    },
    /// A tenant's waiting lines: who waits since when, and what the targets do
    Queue { slug: TenantSlug },
    /// What calls came to over a time: flows, calls, queues
    #[command(subcommand)]
    Report(ReportCommand),
    /// Who listened to whom
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Recordings: list, export, delete, hold
    #[command(subcommand)]
    Recording(RecordingCommand),
    /// The keys of recordings
    #[command(subcommand)]
    Key(KeyCommand),
    /// Keys of the HTTP API
    #[command(subcommand)]
    ApiKey(ApiKeyCommand),
    /// The last calls of a tenant, or those that are up
    Calls(Calls),
    /// Everything that happened to a call
    Trace(Trace),
    /// Completions for a shell
    Completions { shell: clap_complete::Shell },
}

#[derive(Debug, Args)]
pub struct Serve {
    /// Address to listen on, instead of the settings file's
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
}

#[derive(Debug, Args)]
pub struct Demo {
    /// End after the sample calls; exit 1 if one of them did not end as its script says
    #[arg(long)]
    pub exit: bool,
    /// Serve the HTTP API there, for a web backend: two tenants, whose callers come and go
    #[arg(long, value_name = "ADDRESS", conflicts_with = "exit")]
    pub api: Option<SocketAddr>,
    /// Write the tenants' keys into this file, for this user alone, until the end
    #[arg(long, value_name = "FILE", requires = "api")]
    pub keys: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum FlowCommand {
    /// Find everything wrong with a flow; exit 1 when there are errors
    Check {
        /// JSON or YAML
        file: PathBuf,
        /// Check against this tenant's prompts, gateways and flows
        #[arg(long)]
        tenant: Option<TenantSlug>,
    },
    /// Run a flow against a caller's script, on a clock that does not wait
    Simulate {
        file: PathBuf,
        /// The caller's script (YAML)
        #[arg(long, short)]
        script: PathBuf,
        /// Further flows that it calls, as FILE or NAME=FILE
        #[arg(long = "with", value_name = "FILE")]
        others: Vec<String>,
    },
    /// Draw a flow (SVG)
    Draw {
        file: PathBuf,
        /// Where to write it, instead of standard output
        #[arg(long, short)]
        output: Option<PathBuf>,
    },
    /// Print the JSON Schema of the flow language
    Schema,
    /// Store a flow as the tenant's draft
    Push {
        name: FlowName,
        file: PathBuf,
        #[arg(long)]
        tenant: TenantSlug,
        /// Who changed it
        #[arg(long, env = "USER", default_value = "unknown")]
        author: String,
    },
    /// Make the draft the version that the next call runs
    Publish {
        name: FlowName,
        #[arg(long)]
        tenant: TenantSlug,
        /// What changed
        #[arg(long, default_value = "")]
        note: String,
        /// Who publishes
        #[arg(long, env = "USER", default_value = "unknown")]
        author: String,
    },
    /// Publish an earlier version again, as a new one
    Rollback {
        name: FlowName,
        /// The version to go back to
        #[arg(value_name = "VERSION")]
        number: u32,
        #[arg(long)]
        tenant: TenantSlug,
        #[arg(long, env = "USER", default_value = "unknown")]
        author: String,
    },
    /// List a flow's versions
    Versions {
        name: FlowName,
        #[arg(long)]
        tenant: TenantSlug,
    },
    /// Compare two flows: files, NAME@VERSION, NAME@draft or NAME (the published one)
    Diff {
        old: String,
        new: String,
        #[arg(long)]
        tenant: Option<TenantSlug>,
    },
}

#[derive(Debug, Subcommand)]
pub enum TenantCommand {
    /// Create a tenant
    Add(TenantAdd),
    /// Change what is named, and nothing else; a list that is named replaces the old one
    Set(TenantSet),
    List,
    /// Show its rules for conversations, or replace them by those in a YAML file
    Talk {
        slug: TenantSlug,
        file: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub struct TenantAdd {
    /// A short name for the command line
    pub slug: TenantSlug,
    /// A name for people
    #[arg(long)]
    pub name: Option<String>,
    /// Its SIP domain
    #[arg(long, default_value = "")]
    pub domain: String,
    /// Its domain_uuid where FusionPBX sets one
    #[arg(long, value_name = "UUID")]
    pub domain_uuid: Option<uuid::Uuid>,
    /// Its IANA time zone
    #[arg(long, default_value = "UTC")]
    pub timezone: String,
    /// A gateway through which it calls and is called; may be given again
    #[arg(long = "gateway")]
    pub gateways: Vec<GatewayName>,
    /// A host that its flows may dial by SIP address; may be given again
    #[arg(long = "sip-host")]
    pub sip_hosts: Vec<String>,
    /// A dialplan context that its flows may transfer to; may be given again
    #[arg(long = "context", default_value = "default")]
    pub contexts: Vec<String>,
    /// Mask parties' numbers in records
    #[arg(long)]
    pub mask_parties: bool,
}

#[derive(Debug, Args)]
pub struct TenantSet {
    pub slug: TenantSlug,
    #[arg(long)]
    pub name: Option<String>,
    #[arg(long)]
    pub domain: Option<String>,
    #[arg(long, value_name = "UUID")]
    pub domain_uuid: Option<uuid::Uuid>,
    #[arg(long)]
    pub timezone: Option<String>,
    #[arg(long = "gateway")]
    pub gateways: Vec<GatewayName>,
    #[arg(long = "sip-host")]
    pub sip_hosts: Vec<String>,
    #[arg(long = "context")]
    pub contexts: Vec<String>,
    /// Mask parties' numbers in records, or not
    #[arg(long)]
    pub mask_parties: Option<bool>,
}

#[derive(Debug, Subcommand)]
pub enum NumberCommand {
    /// Lead a number to a flow
    Add {
        /// The number as it is dialed, or a regular expression with --pattern
        number: String,
        flow: FlowName,
        #[arg(long)]
        tenant: TenantSlug,
        #[arg(long)]
        pattern: bool,
        /// Patterns are tried from the lowest order on
        #[arg(long, default_value_t = 100)]
        order: i32,
        /// Only for calls that are the tenant's by domain or gateway, such as an extension
        #[arg(long)]
        internal: bool,
        /// Record the conversations of its calls
        #[arg(long)]
        record: bool,
        /// What phones show before the caller's name, such as Sales
        #[arg(long)]
        label: Option<String>,
    },
    Remove {
        number: String,
        #[arg(long)]
        tenant: TenantSlug,
        #[arg(long)]
        pattern: bool,
    },
    List {
        #[arg(long)]
        tenant: TenantSlug,
    },
}

#[derive(Debug, Args)]
pub struct Calls {
    #[arg(long, required_unless_present = "live")]
    pub tenant: Option<TenantSlug>,
    /// The calls that are up in the running daemon
    #[arg(long, conflicts_with_all = ["tenant", "limit"])]
    pub live: bool,
    /// How many, from the newest on
    #[arg(long, default_value_t = 20)]
    pub limit: u32,
}

#[derive(Debug, Args)]
pub struct Place {
    #[command(flatten)]
    pub to: Goal,
    #[arg(long)]
    pub tenant: TenantSlug,
    /// The flow that begins when they answer
    #[arg(long, required_unless_present = "connect", conflicts_with = "connect")]
    pub flow: Option<FlowName>,
    /// An argument of the flow
    #[arg(long = "set", value_name = "NAME=TEXT", requires = "flow")]
    pub arguments: Vec<String>,
    /// The extension, or with --connect-gateway the number, to which they are put through
    #[arg(long)]
    pub connect: Option<String>,
    #[arg(long, value_name = "GATEWAY", requires = "connect")]
    pub connect_gateway: Option<GatewayName>,
    /// How long it may ring: 5s to 120s
    #[arg(long, default_value = "30s")]
    pub timeout: Millis,
    /// What they see
    #[arg(long)]
    pub caller_name: Option<String>,
    #[arg(long)]
    pub caller_number: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum CallCommand {
    /// End it
    Hangup {
        /// What the caller's side is told
        #[arg(long, default_value = "NORMAL_CLEARING")]
        cause: HangupCause,
    },
    /// Let one party wait with music
    Hold {
        #[arg(long, default_value = "caller")]
        leg: Leg,
    },
    /// Let the two talk again
    Unhold {
        #[arg(long, default_value = "caller")]
        leg: Leg,
    },
    /// Move one of the two to another party, or to a room; back to who was left when nobody is
    /// reached
    Send {
        #[command(flatten)]
        to: Goal,
        #[arg(long, default_value = "caller")]
        leg: Legs,
    },
    /// Move the caller to a step of its flow
    Move { step: StepName },
    /// Let one of the two speak with somebody while the other waits
    Consult {
        #[command(flatten)]
        to: Goal,
        #[arg(long, default_value = "far")]
        leg: Leg,
    },
    /// Let who consults change between the two
    Toggle,
    /// Leave the two to one another
    Complete,
    /// Make a conference of all three
    Merge,
    /// Bring the two together again and hang up who is consulted
    Cancel,
    /// Answer a call that its flow has not answered yet
    Answer,
    /// Let a prompt be heard: by who talks in the place of the other, else beside what plays
    Play {
        prompt: PromptName,
        #[arg(long, default_value = "caller")]
        leg: Legs,
    },
    /// Let a value be heard in recorded words, as `play` does with a prompt
    Say {
        text: String,
        /// How: number, digits, spelled, date, time or money
        #[arg(long = "as", default_value = "number", value_parser = say_kind)]
        kind: SayKind,
        /// Another language than the flow's
        #[arg(long)]
        language: Option<String>,
        #[arg(long, default_value = "caller")]
        leg: Legs,
    },
    /// Send keys to one party's phone
    Dtmf {
        /// 0-9, *, #, A-D, and w for a pause of half a second
        digits: Keying,
        #[arg(long, default_value = "caller")]
        leg: Leg,
    },
    /// Send the caller to an extension of the dialplan
    Transfer {
        extension: String,
        /// One of the tenant's contexts, instead of its first
        #[arg(long)]
        context: Option<String>,
    },
    /// Park one of the two; the other one hears the slot, and is let go if it is not the caller
    Park {
        /// This slot instead of the lowest that is free
        #[arg(long)]
        slot: Option<Slot>,
        #[arg(long, default_value = "caller")]
        leg: Leg,
    },
    /// Call somebody who is to have the parked caller
    Retrieve {
        #[command(flatten)]
        by: Goal,
    },
    /// Act on one party in the conference room where it is
    Room {
        #[arg(long, default_value = "caller")]
        leg: Leg,
        #[command(subcommand)]
        what: InRoom,
    },
    /// Let a supervisor listen in
    #[command(subcommand)]
    Monitor(MonitorCommand),
    /// Record the whole call, or change that recording
    Record { what: RecordVerb },
}

/// What is done to a party in a room.
#[derive(Debug, Subcommand)]
pub enum InRoom {
    /// Nobody hears the party
    Mute,
    Unmute,
    /// The party hears nobody
    Deaf,
    Undeaf,
    /// Take it out of the room
    Kick,
    /// Call somebody out into the room
    Invite {
        #[command(flatten)]
        to: Goal,
    },
}

/// To whom a party is moved.
#[derive(Debug, Clone, Args)]
pub struct Goal {
    /// An extension, with --gateway a number, or room:NAME
    pub target: String,
    /// The tenant's gateway through which the number is reached
    #[arg(long)]
    pub gateway: Option<GatewayName>,
}

/// A party of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Leg {
    Caller,
    Far,
}

/// One party of a conversation, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Legs {
    Caller,
    Far,
    Both,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RecordVerb {
    Start,
    Stop,
    /// Write nothing
    Pause,
    Resume,
    /// Write silence
    Mask,
    Unmask,
}

fn say_kind(word: &str) -> Result<SayKind, String> {
    let words = SayKind::ALL.map(SayKind::word).join(", ");
    SayKind::ALL
        .into_iter()
        .find(|kind| kind.word() == word)
        .ok_or_else(|| format!("expected one of {words}"))
}

impl From<RecordVerb> for RecordAction {
    fn from(verb: RecordVerb) -> Self {
        match verb {
            RecordVerb::Start => Self::Start,
            RecordVerb::Stop => Self::Stop,
            RecordVerb::Pause => Self::Pause,
            RecordVerb::Resume => Self::Resume,
            RecordVerb::Mask => Self::Mask,
            RecordVerb::Unmask => Self::Unmask,
        }
    }
}

#[derive(Debug, Args)]
pub struct Trace {
    pub call: CallId,
    /// Look only among this tenant's calls
    #[arg(long)]
    pub tenant: Option<TenantSlug>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn no_two_arguments_of_a_command_have_the_same_name() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_earlier_version_is_named_by_its_number() {
        let line = ["callwright", "flow", "rollback", "main", "3", "--tenant", "acme"];
        let cli = Cli::try_parse_from(line).unwrap();
        assert!(matches!(cli.command, Command::Flow(FlowCommand::Rollback { number: 3, .. })));
    }
}
