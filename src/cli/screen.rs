//! What a person sees: colours, tables, times. Nothing here decides anything.

use std::fmt::Display;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use crate::flow::problem::{Problem, Severity};

pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const GREEN: Style = AnsiColor::Green.on_default();
pub(super) const RED: Style = AnsiColor::Red.on_default().bold();
pub(super) const YELLOW: Style = AnsiColor::Yellow.on_default();
pub(super) const CYAN: Style = AnsiColor::Cyan.on_default();

/// Where answers go: for a person, or as JSON for a program. Colours are left out where nobody sees
/// them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Screen {
    pub(super) json: bool,
}

impl Screen {
    /// Prints one line.
    ///
    /// # Errors
    /// Standard output is gone.
    pub(super) fn line(self, text: impl Display) -> io::Result<()> {
        writeln!(anstream::stdout(), "{text}")
    }

    /// Prints a value for a program, on one line.
    pub(super) fn value(self, value: &impl Serialize) -> io::Result<()> {
        let mut out = anstream::stdout();
        serde_json::to_writer(&mut out, value)?;
        writeln!(out)
    }

    /// The value as JSON, or what `person` prints.
    pub(super) fn either(
        self,
        value: &impl Serialize,
        person: impl FnOnce(Self) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.json { self.value(value) } else { person(self) }
    }

    pub(super) fn table<const N: usize>(
        self,
        head: [&str; N],
        rows: impl IntoIterator<Item = [String; N]>,
    ) -> io::Result<()> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(head);
        for row in rows {
            table.add_row(row);
        }
        self.line(table.trim_fmt())
    }

    /// Problems of a flow, the errors first where they stand together.
    pub(super) fn problems(self, problems: &[Problem]) -> io::Result<()> {
        for problem in problems {
            let (style, word) = match problem.severity {
                Severity::Error => (RED, "error"),
                Severity::Warning => (YELLOW, "warning"),
            };
            let place = if problem.path.is_empty() { "flow" } else { &problem.path };
            let code = paint(DIM, &format!("[{}]", problem.code));
            self.line(format!("{}: {}: {} {code}", paint(style, word), place, problem.message))?;
            if let Some(hint) = &problem.hint {
                self.line(format!("  {} {hint}", paint(CYAN, "hint:")))?;
            }
        }
        Ok(())
    }
}

pub(super) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// A number of things: `1 error`, `2 errors`.
pub(super) fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}
