//! Stored nouns: what the store keeps and the world reads. Data only.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod access;
pub mod act;
pub mod admission;
pub mod audit;
pub mod e164;
pub mod event;
pub mod extension;
pub mod gateway;
pub mod live;
pub mod monitor;
pub mod outbound;
pub mod park;
pub mod profile;
pub mod queue;
pub mod record;
pub mod recording;
pub mod registration;
pub mod report;
pub mod room;
pub mod sip;
pub mod talk;
pub mod tenant;
pub mod timeline;
pub mod token;
pub mod user;
pub mod webhook;
