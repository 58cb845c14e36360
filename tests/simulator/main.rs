//! What the simulated switch promises beyond agreeing with recordings: it shows what text can do
//! that reaches FreeSWITCH unsafely, nothing a controller sends breaks it, and scripts judge
//! precisely.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what it did"
)]

mod far_ends;
mod letting_go;
mod pipe;
mod scripts;

use std::sync::Arc;

use callwright::base::cause::HangupCause;
use callwright::base::digits::{Digit, Digits};
use callwright::base::now::Now;
use callwright::simulator::{Action, Call, Channel, MAX_OUT, Observed, World};
use jiff::Timestamp;
use proptest::prelude::*;

const UUID: &str = "d7dffc30-f2dc-4f9e-baf3-bdb036d7f9d4";

pub(crate) fn start() -> Now {
    Now::new(1_000, Timestamp::from_second(1_795_363_972).unwrap())
}

/// A call with its controller, on virtual time.
pub(crate) struct Sim {
    pub(crate) channel: Channel,
    pub(crate) now: Now,
}

impl Sim {
    pub(crate) fn new(call: Call, world: World) -> Self {
        let mut channel = Channel::new(call, Arc::new(world), start());
        channel.connected(start());
        Self { channel, now: start() }
    }

    /// A call that is answered and parked, its connection subscribed to everything of the call.
    pub(crate) fn answered(world: World) -> Self {
        let mut sim = Self::new(Call::new(UUID, "1001", "+15550100"), world);
        sim.say("connect\n\nlinger 5\n\nmyevents\n\nevent plain PLAYBACK_STOP\n\n");
        sim.execute("answer", "");
        sim.after(100);
        sim
    }

    pub(crate) fn say(&mut self, text: &str) -> String {
        self.channel.receive(text.as_bytes(), self.now);
        String::from_utf8(self.channel.transmit()).unwrap()
    }

    pub(crate) fn execute(&mut self, app: &str, arg: &str) -> String {
        let arg = if arg.is_empty() { String::new() } else { format!("execute-app-arg: {arg}\n") };
        self.say(&format!(
            "sendmsg\ncall-command: execute\nexecute-app-name: {app}\n{arg}event-lock: true\n\n"
        ))
    }

    pub(crate) fn after(&mut self, ms: u64) -> String {
        self.now = self.now.plus_ms(ms);
        self.channel.tick(self.now);
        String::from_utf8(self.channel.transmit()).unwrap()
    }

    pub(crate) fn press(&mut self, keys: &str) {
        for key in keys.parse::<Digits>().unwrap().iter() {
            self.channel.press(key, self.now);
        }
    }

    pub(crate) fn saw(&self, test: impl Fn(&Observed) -> bool) -> bool {
        self.channel.log().moments().iter().any(|moment| test(&moment.what))
    }
}

#[test]
fn a_hostile_name_stays_one_encoded_value_of_the_connect_reply() {
    let mut call = Call::new(UUID, "1001", "+15550100");
    call.caller_name = b"A\r\n\r\nexit\n\n${system x}\xFF".to_vec();
    let mut sim = Sim::new(call, World::default());
    let reply = sim.say("connect\n\n");
    assert!(reply.contains("Caller-Caller-ID-Name: A%0D%0A%0D%0Aexit%0A%0A$%7Bsystem%20x%7D%FF\n"));
    assert_eq!(reply.matches("\n\n").count(), 1);
}

#[test]
fn a_variable_that_is_expanded_is_a_violation_and_an_escaped_one_is_not() {
    let mut sim = Sim::answered(World::default());
    sim.execute("eval", r"plain \${uuid}");
    sim.after(100);
    assert_eq!(sim.channel.log().violations().count(), 0);
    sim.execute("eval", "${system touch /tmp/x}");
    sim.after(100);
    assert!(
        sim.saw(
            |what| matches!(what, Observed::Expanded { text, .. } if text.starts_with("system"))
        )
    );
    sim.say(&format!("api uuid_setvar {UUID} evil ${{version}}\n\n"));
    sim.execute("set", "copy=\\${evil}");
    sim.after(100);
    assert_eq!(sim.channel.log().violations().count(), 3, "`set` expands twice");
}

#[test]
fn scope_variables_last_as_long_as_their_application() {
    let mut sim = Sim::answered(World::default());
    let events = sim.execute("playback", "%[playback_terminators=5]tone_stream://%(1000,0,440)")
        + &sim.after(50);
    assert!(events.contains("Application-Data: tone_stream"), "{events}");
    assert_eq!(sim.channel.variable("playback_terminators"), Some(&b"5"[..]));
    sim.press("5");
    sim.after(100);
    assert_eq!(sim.channel.variable("playback_terminators"), None);
    assert_eq!(sim.channel.variable("playback_terminator_used"), Some(&b"5"[..]));
}

#[test]
fn a_controller_that_leaves_before_connect_orphans_the_call_unless_it_may_resume() {
    for (resumes, orphaned) in [(false, true), (true, false)] {
        let mut world = World::default();
        if resumes {
            world.dialplan.insert(0, Action::new("set", "socket_resume=true"));
        }
        let mut sim = Sim::new(Call::new(UUID, "1", "2"), world);
        sim.channel.closed(sim.now);
        sim.after(1_000);
        assert_eq!(sim.saw(|what| *what == Observed::Orphaned), orphaned);
        assert_eq!(sim.saw(|what| *what == Observed::Released), !orphaned);
    }
}

#[test]
fn leaving_at_once_after_connect_orphans_and_two_milliseconds_later_does_not() {
    for (pause, orphaned) in [(0, true), (2, false)] {
        let mut sim = Sim::new(Call::new(UUID, "1", "2"), World::default());
        sim.say("connect\n\n");
        sim.after(pause);
        sim.say("exit\n\n");
        sim.after(1_000);
        assert_eq!(sim.saw(|what| *what == Observed::Orphaned), orphaned, "{pause} ms");
    }
}

#[test]
fn the_next_socket_of_the_dialplan_asks_for_a_new_connection() {
    let mut world = World::default();
    world.dialplan.push(Action::new("socket", "127.0.0.1:9 async full"));
    let mut sim = Sim::new(Call::new(UUID, "1", "2"), world);
    sim.say("connect\n\n");
    sim.after(100);
    sim.channel.closed(sim.now);
    sim.after(100);
    assert_eq!(sim.channel.wants(), Some("127.0.0.1:9 async full"));
    sim.channel.connected(sim.now);
    assert!(sim.say("connect\n\n").starts_with("Event-Name: CHANNEL_DATA"));
}

#[test]
fn a_break_that_comes_before_its_application_is_lost() {
    let mut sim = Sim::answered(World::default());
    sim.execute("playback", "tone_stream://%(2000,0,440)");
    sim.say(&format!("api uuid_break {UUID}\n\n"));
    assert!(!sim.after(1_000).contains("PLAYBACK_STOP"));
    sim.say(&format!("api uuid_break {UUID}\n\n"));
    assert!(sim.after(100).contains("Playback-Status: break"));
}

#[test]
fn keys_pressed_while_parked_are_lost_and_surplus_ones_wait() {
    let mut sim = Sim::answered(World::default());
    sim.press("12");
    assert_eq!(sim.after(200).matches("DTMF-Digit").count(), 2);
    sim.execute(
        "play_and_get_digits",
        "1 2 1 2000 # silence_stream://200 silence_stream://100 d \\d+ 1000",
    );
    sim.after(100);
    sim.press("345");
    sim.after(500);
    assert_eq!(sim.channel.variable("d"), Some(&b"34"[..]));
    sim.execute("read", "1 1 silence e 1000 #");
    sim.after(100);
    assert_eq!(sim.channel.variable("e"), None, "the park took the waiting key");
}

#[test]
fn a_sensitive_key_is_read_and_no_event_tells_of_it() {
    let mut sim = Sim::answered(World::default());
    sim.execute("set", "sensitive_dtmf=true");
    sim.execute("read", "4 4 silence pin 5000 #");
    sim.after(100);
    sim.press("4711");
    let events = sim.after(300);
    assert_eq!(sim.channel.variable("pin"), Some(&b"4711"[..]));
    assert!(!events.contains("DTMF-Digit"), "{events}");
}

#[test]
fn command_number_257_in_the_queue_closes_the_connection_without_a_reply() {
    let mut sim = Sim::answered(World::default());
    sim.execute("playback", "tone_stream://%(60000,0,440)");
    sim.after(100);
    let replies: String = (0..257).map(|_| sim.execute("set", "a=b")).collect();
    assert_eq!(replies.matches("Reply-Text: +OK").count(), 256);
    assert!(replies.contains("Content-Disposition: disconnect") && sim.channel.is_closed());
}

#[test]
fn a_call_on_which_nothing_happens_needs_no_time() {
    let sim = Sim::answered(World::default());
    assert_eq!(sim.channel.deadline(), None);
}

#[test]
fn a_silent_controller_is_dropped_after_twenty_five_seconds() {
    let mut sim = Sim::new(Call::new(UUID, "1", "2"), World::default());
    assert_eq!(sim.after(24_000), "");
    assert!(sim.after(2_000).contains("Content-Disposition: disconnect"));
}

fn chunk() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "connect\n\n",
        "myevents\n\n",
        "linger 3\n\n",
        "exit\n\n",
        "event json ALL\n\n",
        "\n\n",
        "\r",
        "sendmsg\n",
        "call-command: execute\n",
        "execute-app-name: ",
        "execute-app-arg: ",
        "playback\n",
        "bridge\n",
        "play_and_get_digits\n",
        "record\n",
        "set\n",
        "sleep\n",
        "socket\n",
        "transfer\n",
        "a=${b}${a}\n\n",
        "[x=1]{y=2}user/1|,a\n\n",
        "0 9 3 1 # a b c ( 1\n\n",
        "loops: -1\n",
        "50\n\n",
        "tone_stream://%(1,1);loops=9\n\n",
        "content-length: 7\n\n",
        "filter Event-Name /(/\n\n",
        "api ",
        "uuid_break d7dffc30-f2dc-4f9e-baf3-bdb036d7f9d4 all\n\n",
        "bgapi msleep 5\n\n",
        "uuid_transfer d7dffc30-f2dc-4f9e-baf3-bdb036d7f9d4 a,b inline\n\n",
        "file_string://a!b\n\n",
    ]);
    prop_oneof![
        4 => words.prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ]
}

proptest! {
    #[test]
    fn nothing_a_controller_sends_breaks_the_switch_or_fills_its_memory(
        chunks in prop::collection::vec((chunk(), 0u64..300, any::<u8>()), 0..60)
    ) {
        let call = Call::new(UUID, "1", "2");
        let mut channel = Channel::new(call, Arc::new(World::default()), start());
        let mut now = start();
        channel.connected(now);
        for (bytes, pause, key) in chunks {
            channel.receive(&bytes, now);
            if let Some(digit) = Digit::new(key) {
                channel.press(digit, now);
            }
            now = now.plus_ms(pause);
            channel.tick(now);
            prop_assert!(channel.deadline().is_none_or(|at| at > now.mono_ms), "stuck");
            prop_assert!(channel.transmit().len() < MAX_OUT + 64 * 1024);
        }
        channel.hang_up(HangupCause::NormalClearing, now);
        channel.closed(now);
        channel.tick(now.plus_ms(100_000));
        prop_assert!(channel.is_over());
    }
}
