//! What each kind of step looks like: its colours and its sign.

use crate::flow::Kind;

/// The colours of a group of kinds: all dark ones can be read on white and on their light one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Looks {
    pub(super) dark: &'static str,
    pub(super) light: &'static str,
    /// An outline drawing in 14 × 14 px.
    pub(super) sign: &'static str,
}

const HANDSET: &str = "M4 1.5l2 3-1.3 1.4a7 7 0 0 0 3.4 3.4L9.5 8l3 2v1.7a1.3 1.3 0 0 1-1.3 1.3\
    A9.6 9.6 0 0 1 1 2.8 1.3 1.3 0 0 1 2.3 1.5z";

pub(super) const fn looks(kind: Kind) -> Looks {
    let (dark, light) = match kind {
        Kind::Answer | Kind::Ring => ("#166534", "#f0fdf4"),
        Kind::Play | Kind::Message | Kind::Record => ("#1d4ed8", "#eff6ff"),
        Kind::Menu | Kind::Gather => ("#6d28d9", "#f5f3ff"),
        Kind::Set | Kind::Branch | Kind::Hours => ("#92400e", "#fffbeb"),
        Kind::Http => ("#0f766e", "#f0fdfa"),
        Kind::Dial | Kind::Dtmf | Kind::Queue | Kind::Transfer | Kind::Conference => {
            ("#0e7490", "#ecfeff")
        }
        Kind::Hold | Kind::Park | Kind::Retrieve => ("#0e7490", "#ecfeff"),
        Kind::Flow | Kind::Return => ("#334155", "#f8fafc"),
        Kind::Hangup | Kind::Reject => ("#9f1239", "#fff1f2"),
    };
    Looks { dark, light, sign: sign(kind) }
}

const fn sign(kind: Kind) -> &'static str {
    match kind {
        Kind::Answer | Kind::Dial => HANDSET,
        Kind::Ring => "M7 1.5v1M3 10h8L10 8V6a3 3 0 0 0-6 0v2zM6 12.5h2",
        Kind::Reject => "M7 1a6 6 0 1 0 .01 0zM3 3l8 8",
        Kind::Play => "M1.5 5h2.5l3.5-3v10L4 9H1.5zM10 4.5a4 4 0 0 1 0 5M12 2.5a7 7 0 0 1 0 9",
        Kind::Menu => "M2 2h2v2H2zM10 2h2v2h-2zM2 10h2v2H2zM10 10h2v2h-2zM6 2h2v2H6zM6 6h2v2H6z",
        Kind::Gather => "M5 1.5L3.5 12.5M10.5 1.5L9 12.5M1.5 5h11M1.5 9.5h11",
        Kind::Set => "M2 5h10M2 9h10",
        Kind::Branch => "M7 1l6 6-6 6-6-6z",
        Kind::Hours => "M7 1a6 6 0 1 0 .01 0zM7 3.5V7l2.5 2",
        Kind::Http => "M7 1a6 6 0 1 0 .01 0zM1 7h12M7 1a9 9 0 0 1 0 12M7 1a9 9 0 0 0 0 12",
        Kind::Dtmf => "M2 2h10v10H2zM2 5.3h10M2 8.6h10M5.3 2v10M8.6 2v10",
        Kind::Queue => "M2.5 5a1.5 1.5 0 1 0 .01 0zM7 5a1.5 1.5 0 1 0 .01 0zM11.5 2v10",
        Kind::Transfer => "M1 7h11M8 3l4 4-4 4",
        Kind::Conference => "M7 4.5a2 2 0 1 0 .01 0zM3 2a1.5 1.5 0 1 0 .01 0zM3 12a4 4 0 0 1 8 0",
        Kind::Message => "M4 4.5a2.5 2.5 0 1 0 .01 0zM10 4.5a2.5 2.5 0 1 0 .01 0zM4 9.5h6",
        Kind::Record => "M7 1a6 6 0 1 0 .01 0zM7 4.5a2.5 2.5 0 1 0 .01 0z",
        Kind::Hold => "M5 3v8M9 3v8",
        Kind::Park => "M5 12V2h3a2.8 2.8 0 0 1 0 5.6H5",
        Kind::Retrieve => "M7 9V1.5M4 4.5l3-3 3 3M2 8v4h10V8",
        Kind::Flow => "M1.5 1.5h8v8h-8zM5 12.5h7.5V5",
        Kind::Return => "M12.5 11V5H2M5 1.5L1.5 5 5 8.5",
        Kind::Hangup => "M2.5 2.5l9 9M11.5 2.5l-9 9",
    }
}

/// Lines that go back, one colour for each step that they lead to, again from the first when used
/// up.
pub(super) const BACK: [&str; 6] =
    ["#7c3aed", "#be185d", "#0369a1", "#15803d", "#b45309", "#4338ca"];
