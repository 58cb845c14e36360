//! The kinds of steps, a file each: what an author writes for it. What each does is in `call::step`, under
//! the same name.

pub mod answer;
pub mod branch;
pub mod dial;
pub mod gather;
pub mod hangup;
pub mod hours;
pub mod http;
pub mod menu;
pub mod message;
pub mod play;
pub mod set;
pub mod subflow;
pub mod transfer;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A step: its kind and what that kind needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Step {
    Answer(answer::Answer),
    Ring(answer::Ring),
    Reject(answer::Reject),
    Play(play::Play),
    Menu(Box<menu::Menu>),
    Gather(Box<gather::Gather>),
    Set(set::Set),
    Branch(branch::Branch),
    Hours(hours::Hours),
    Http(Box<http::Http>),
    Dial(Box<dial::Dial>),
    Transfer(transfer::Transfer),
    Message(Box<message::Message>),
    Flow(subflow::Subflow),
    Return(subflow::Return),
    Hangup(hangup::Hangup),
}
