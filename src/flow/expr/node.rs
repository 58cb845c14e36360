//! An expression as a tree, and how it is written.

use std::fmt;

use regex::Regex;

/// What two values are put together by, from the loosest to the tightest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Contains,
    StartsWith,
    EndsWith,
    Join,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Binary {
    pub(super) const ALL: [Self; 17] = [
        Self::Or,
        Self::And,
        Self::Equal,
        Self::NotEqual,
        Self::Less,
        Self::LessEqual,
        Self::Greater,
        Self::GreaterEqual,
        Self::Contains,
        Self::StartsWith,
        Self::EndsWith,
        Self::Join,
        Self::Add,
        Self::Subtract,
        Self::Multiply,
        Self::Divide,
        Self::Remainder,
    ];

    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Or => "or",
            Self::And => "and",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Contains => "contains",
            Self::StartsWith => "starts_with",
            Self::EndsWith => "ends_with",
            Self::Join => "&",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }

    /// How tightly it binds; comparisons stand alone and are not chained.
    pub(super) const fn tightness(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Equal
            | Self::NotEqual
            | Self::Less
            | Self::LessEqual
            | Self::Greater
            | Self::GreaterEqual
            | Self::Contains
            | Self::StartsWith
            | Self::EndsWith => COMPARISON,
            Self::Join => 5,
            Self::Add | Self::Subtract => 6,
            Self::Multiply | Self::Divide | Self::Remainder => 7,
        }
    }
}

pub(super) const NOT: u8 = 3;
pub(super) const COMPARISON: u8 = 4;
pub(super) const NEGATE: u8 = 8;
const PRIMARY: u8 = 9;

macro_rules! functions {
    ($($variant:ident $name:literal $fewest:literal $most:literal $usage:literal),* $(,)?) => {
        /// A function of the language.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Function { $($variant),* }

        impl Function {
            pub(super) const ALL: &[Self] = &[$(Self::$variant),*];

            pub(super) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// Fewest and most arguments.
            pub(super) const fn arity(self) -> (usize, usize) {
                match self { $(Self::$variant => ($fewest, $most)),* }
            }

            /// How it is called, for an author who called it wrongly.
            pub(super) const fn usage(self) -> &'static str {
                match self { $(Self::$variant => $usage),* }
            }
        }
    };
}

functions! {
    If "if" 3 3 "if(condition, then, else)",
    Length "length" 1 1 "length(text)",
    Lower "lower" 1 1 "lower(text)",
    Upper "upper" 1 1 "upper(text)",
    Trim "trim" 1 1 "trim(text)",
    Number "number" 1 1 "number(value)",
    Text "text" 1 1 "text(value)",
    First "first" 2 2 "first(text, count)",
    Last "last" 2 2 "last(text, count)",
    Slice "slice" 3 3 "slice(text, from, count)",
    DigitsOnly "digits_only" 1 1 "digits_only(text)",
    Default "default" 2 2 "default(value, otherwise)",
    Round "round" 1 2 "round(number, places)",
    Min "min" 2 2 "min(number, number)",
    Max "max" 2 2 "max(number, number)",
}

/// A pattern, compiled when it was read.
#[derive(Debug, Clone)]
pub(super) struct Pattern(pub(super) Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Nothing,
    Bool(bool),
    Number(f64),
    Text(String),
    Variable(String),
    Not(Box<Self>),
    Negate(Box<Self>),
    Binary(Binary, Box<Self>, Box<Self>),
    Matches(Box<Self>, Pattern),
    In(Box<Self>, Vec<Self>),
    Call(Function, Vec<Self>),
}

impl Node {
    pub(super) fn children(&self) -> Vec<&Self> {
        match self {
            Self::Nothing | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::Variable(_) => {
                Vec::new()
            }
            Self::Not(of) | Self::Negate(of) | Self::Matches(of, _) => vec![of.as_ref()],
            Self::Binary(_, left, right) => vec![left.as_ref(), right.as_ref()],
            Self::In(of, list) => std::iter::once(of.as_ref()).chain(list).collect(),
            Self::Call(_, arguments) => arguments.iter().collect(),
        }
    }

    /// Itself and all below it.
    pub(super) fn all(&self) -> Vec<&Self> {
        let mut all = vec![self];
        let mut at = 0;
        while let Some(node) = all.get(at).copied() {
            all.extend(node.children());
            at += 1;
        }
        all
    }

    const fn tightness(&self) -> u8 {
        match self {
            Self::Binary(binary, ..) => binary.tightness(),
            Self::Not(_) => NOT,
            Self::Negate(_) => NEGATE,
            Self::Matches(..) | Self::In(..) => COMPARISON,
            _ => PRIMARY,
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, at_least: u8) -> fmt::Result {
        if self.tightness() < at_least { write!(f, "({self})") } else { write!(f, "{self}") }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Bool(yes) => write!(f, "{yes}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write_quoted(f, text),
            Self::Variable(name) => f.write_str(name),
            Self::Not(of) => {
                f.write_str("not ")?;
                of.write(f, NOT)
            }
            Self::Negate(of) => {
                f.write_str("-")?;
                of.write(f, NEGATE)
            }
            Self::Binary(binary, left, right) => {
                let tightness = binary.tightness();
                left.write(f, tightness + u8::from(tightness == COMPARISON))?;
                write!(f, " {} ", binary.sign())?;
                right.write(f, tightness + 1)
            }
            Self::Matches(of, pattern) => {
                of.write(f, COMPARISON + 1)?;
                write!(f, " matches /{}/", pattern.0.as_str().replace('/', "\\/"))
            }
            Self::In(of, list) => {
                of.write(f, COMPARISON + 1)?;
                f.write_str(" in [")?;
                write_list(f, list)?;
                f.write_str("]")
            }
            Self::Call(function, arguments) => {
                write!(f, "{}(", function.name())?;
                write_list(f, arguments)?;
                f.write_str(")")
            }
        }
    }
}

fn write_list(f: &mut fmt::Formatter<'_>, list: &[Node]) -> fmt::Result {
    for (at, node) in list.iter().enumerate() {
        if at > 0 {
            f.write_str(", ")?;
        }
        write!(f, "{node}")?;
    }
    Ok(())
}

fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for character in text.chars() {
        match character {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            other => write!(f, "{other}")?,
        }
    }
    f.write_str("\"")
}
