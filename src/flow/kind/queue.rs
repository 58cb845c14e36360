//! `queue`: callers wait in a line for the next free target.

use std::borrow::Cow;
use std::collections::BTreeSet;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::dial::{Accept, CallerId, Dial, Inside, Ringback, Strategy, Target};
use crate::base::digits::Digits;
use crate::base::ids::{PromptName, QueueName, StepName, VarName};
use crate::base::millis::Millis;
use crate::flow::Exits;
use crate::flow::prompt::Prompt;

/// A waiting line, and how its targets are rung and spoken with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Queue {
    pub queue: QueueName,
    pub order: Order,
    pub retry: Millis,
    pub wrap_up: Millis,
    pub max_wait: Option<Millis>,
    pub max_callers: Option<u32>,
    pub announce: Announce,
    /// One target after another; its key to give up is the queue's exit key.
    pub dial: Dial,
}

/// Which of the free targets is rung next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The one whose last conversation ended longest ago.
    #[default]
    LongestIdle,
    /// Each in its turn: the one that was rung longest ago.
    InTurn,
    /// The first as written.
    AsWritten,
}

/// What who waits is told. `{queue.position}` is the place in the line, `{queue.minutes}` the wait
/// that is to be expected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Announce {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub position: Vec<Prompt>,
    /// Only where conversations of the queue have shown how long they take.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wait: Vec<Prompt>,
    /// How often.
    #[serde(default = "announce_every")]
    pub every: Millis,
}

impl Default for Announce {
    fn default() -> Self {
        Self { position: Vec::new(), wait: Vec::new(), every: announce_every() }
    }
}

impl Announce {
    pub fn is_silent(&self) -> bool {
        self.position.is_empty() && self.wait.is_empty()
    }
}

/// Lets the caller wait with music until a target is free, and joins the two. `next` is taken when
/// the far end hangs up after a conversation.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Queue")]
struct Written {
    /// Callers of all the tenant's flows that name the same queue wait in one line.
    queue: QueueName,
    /// One to twenty. A target speaks with one caller at a time, whatever queues it is in.
    targets: Vec<Target>,
    #[serde(default)]
    order: Order,
    /// How long each target rings.
    #[serde(default = "ring_for")]
    timeout: Millis,
    /// A target that did not answer is left alone for so long.
    #[serde(default = "retry_after")]
    retry: Millis,
    /// A target that has spoken with a caller is left alone for so long.
    #[serde(default)]
    wrap_up: Millis,
    /// The caller is given up after so long; a target that rings then rings on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_wait: Option<Millis>,
    /// So many wait at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_callers: Option<u32>,
    /// What the caller hears; without it the tenant's music, or a soft tone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    music: Option<PromptName>,
    #[serde(default)]
    announce: Announce,
    /// A key with which the caller leaves the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    exit_key: Option<Digits>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    caller_id: Option<CallerId>,
    /// The conversation is ended after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time_limit: Option<Millis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accept: Option<Accept>,
    /// Whether the conversation is recorded; without this key as the tenant has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    record: Option<bool>,
    /// Which parties are the tenant's own, so that they may use its key codes while they talk. Left
    /// out: the target, where it is an extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inside: Option<BTreeSet<Inside>>,
    /// The variable that takes which target answered: 1, 2, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answered_by: Option<VarName>,
    next: StepName,
    #[serde(default, skip_serializing_if = "Exits::is_empty")]
    on: Exits,
}

const fn ring_for() -> Millis {
    Millis::seconds(20)
}

const fn retry_after() -> Millis {
    Millis::seconds(30)
}

const fn announce_every() -> Millis {
    Millis::seconds(60)
}

impl From<Written> for Queue {
    fn from(written: Written) -> Self {
        let dial = Dial {
            targets: written.targets,
            strategy: Strategy::InTurn,
            timeout: written.timeout,
            caller_id: written.caller_id,
            ringback: written.music.map_or(Ringback::Music, Ringback::Prompt),
            time_limit: written.time_limit,
            accept: written.accept,
            cancel_key: written.exit_key,
            record: written.record,
            inside: written.inside,
            answered_by: written.answered_by,
            next: written.next,
            on: written.on,
        };
        Self {
            queue: written.queue,
            order: written.order,
            retry: written.retry,
            wrap_up: written.wrap_up,
            max_wait: written.max_wait,
            max_callers: written.max_callers,
            announce: written.announce,
            dial,
        }
    }
}

impl From<Queue> for Written {
    fn from(queue: Queue) -> Self {
        let Dial { ringback, .. } = &queue.dial;
        let music = match ringback {
            Ringback::Prompt(name) => Some(name.clone()),
            Ringback::Tone | Ringback::EarlyMedia | Ringback::Music => None,
        };
        let dial = queue.dial;
        Self {
            queue: queue.queue,
            targets: dial.targets,
            order: queue.order,
            timeout: dial.timeout,
            retry: queue.retry,
            wrap_up: queue.wrap_up,
            max_wait: queue.max_wait,
            max_callers: queue.max_callers,
            music,
            announce: queue.announce,
            exit_key: dial.cancel_key,
            caller_id: dial.caller_id,
            time_limit: dial.time_limit,
            accept: dial.accept,
            record: dial.record,
            inside: dial.inside,
            answered_by: dial.answered_by,
            next: dial.next,
            on: dial.on,
        }
    }
}

impl JsonSchema for Queue {
    fn schema_name() -> Cow<'static, str> {
        Written::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Written::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_again_as_it_stood() {
        let text = r#"{"queue":"sales","targets":[{"extension":"201","timeout":"9s"}],
            "order":"in_turn","timeout":"10s","retry":"30s","wrap_up":"5s","max_wait":"10m",
            "max_callers":9,"music":"waltz","announce":{"position":["you-are"],"every":"20s"},
            "exit_key":"*","time_limit":"1h","record":true,"answered_by":"who","next":"bye",
            "on":{"full":"busy"}}"#;
        let queue: Queue = serde_json::from_str(text).unwrap();
        let again: Queue = serde_json::from_value(serde_json::to_value(&queue).unwrap()).unwrap();
        assert_eq!(again, queue);
        assert_eq!(queue.dial.cancel_key.as_ref().map(Digits::as_str), Some("*"));
        let least = r#"{"queue":"sales","targets":[{"extension":"201"}],"next":"bye"}"#;
        let least: Queue = serde_json::from_str(least).unwrap();
        assert_eq!(least.dial.ringback, Ringback::Music);
        assert!(least.announce.is_silent());
    }
}
