//! From words to a tree, by how tightly operators bind.

use std::iter::Peekable;
use std::vec::IntoIter;

use regex::RegexBuilder;

use super::node::{Binary, COMPARISON, Function, NEGATE, NOT, Node, Pattern};
use super::token::{Kind, Token, tokens};
use super::{DEPTH_MAX, ExprError, NODES_MAX, PATTERN_SIZE_MAX, SOURCE_MAX};
use crate::flow::nearest::nearest;
use crate::flow::value::read_number;

/// Words that can't be variables.
pub(in crate::flow) const RESERVED: [&str; 12] = [
    "and",
    "or",
    "not",
    "true",
    "false",
    "nothing",
    "matches",
    "contains",
    "starts_with",
    "ends_with",
    "in",
    "if",
];

/// Reads one expression that fills `source`.
pub(super) fn expression(source: &str) -> Result<Node, ExprError> {
    let (node, end) = leading_expression(source)?;
    if end < source.len() {
        return Err(ExprError::new(source, end, "a brace means nothing here"));
    }
    Ok(node)
}

/// Reads an expression up to the end or up to a `}`, and says how many bytes it took.
pub(super) fn leading_expression(source: &str) -> Result<(Node, usize), ExprError> {
    if source.len() > SOURCE_MAX {
        let message = format!("an expression has at most {SOURCE_MAX} bytes");
        return Err(ExprError::new(source, 0, message));
    }
    let (tokens, end) = tokens(source)?;
    let mut parser =
        Parser { source, end, tokens: tokens.into_iter().peekable(), depth: 0, nodes: 0 };
    let node = parser.expression(0)?;
    match parser.tokens.next() {
        None => Ok((node, end)),
        Some(token) => Err(parser.unexpected(&token)),
    }
}

struct Parser<'a> {
    source: &'a str,
    end: usize,
    tokens: Peekable<IntoIter<Token<'a>>>,
    depth: usize,
    nodes: usize,
}

/// What stands between two operands.
enum Infix {
    Binary(Binary),
    Matches,
    In,
}

impl<'a> Parser<'a> {
    fn error(&self, at: usize, message: impl Into<String>) -> ExprError {
        ExprError::new(self.source, at, message)
    }

    fn unexpected(&self, token: &Token<'_>) -> ExprError {
        let message = match &token.kind {
            Kind::Sign("=") => "to compare, write `==`".to_owned(),
            Kind::Sign(sign) => format!("`{sign}` is not expected here"),
            Kind::Name(name) => format!("`{name}` is not expected here"),
            Kind::Number(_) | Kind::Text(_) | Kind::Pattern(_) => {
                "a value is not expected here: an operator is missing before it".to_owned()
            }
        };
        self.error(token.at, message)
    }

    fn at(&mut self) -> usize {
        self.tokens.peek().map_or(self.end, |token| token.at)
    }

    fn eat(&mut self, sign: &str) -> bool {
        self.tokens.next_if(|token| matches!(token.kind, Kind::Sign(s) if s == sign)).is_some()
    }

    fn expect(&mut self, sign: &str) -> Result<(), ExprError> {
        if self.eat(sign) {
            return Ok(());
        }
        let at = self.at();
        Err(self.error(at, format!("`{sign}` is expected here")))
    }

    fn grown(&mut self, at: usize, node: Node) -> Result<Node, ExprError> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            let message = format!("an expression has at most {NODES_MAX} parts");
            return Err(self.error(at, message));
        }
        Ok(node)
    }

    fn expression(&mut self, at_least: u8) -> Result<Node, ExprError> {
        self.depth += 1;
        let at = self.at();
        if self.depth > DEPTH_MAX {
            let message = format!("an expression is nested at most {DEPTH_MAX} deep");
            return Err(self.error(at, message));
        }
        let mut left = self.prefixed()?;
        while let Some((infix, negated, at)) = self.infix(at_least)? {
            left = self.joined(left, &infix, at)?;
            if negated {
                left = self.grown(at, Node::Not(Box::new(left)))?;
            }
        }
        self.depth -= 1;
        Ok(left)
    }

    /// The next operator, if it binds as tightly as asked; `not` may stand before one in words.
    fn infix(&mut self, at_least: u8) -> Result<Option<(Infix, bool, usize)>, ExprError> {
        let Some(Token { kind: Kind::Name(word) | Kind::Sign(word), at }) = self.tokens.peek()
        else {
            return Ok(None);
        };
        let (word, at) = (*word, *at);
        if word == "not" && at_least <= COMPARISON {
            self.tokens.next();
            return match self.infix(COMPARISON)? {
                Some((infix @ (Infix::Matches | Infix::In), ..)) => Ok(Some((infix, true, at))),
                Some((Infix::Binary(b), ..))
                    if b.tightness() == COMPARISON && b.sign().starts_with(char::is_alphabetic) =>
                {
                    Ok(Some((Infix::Binary(b), true, at)))
                }
                _ => Err(self.error(at, "`not` stands before what it turns round")),
            };
        }
        let infix = match word {
            "matches" => Infix::Matches,
            "in" => Infix::In,
            _ => match Binary::ALL.into_iter().find(|binary| binary.sign() == word) {
                Some(binary) => Infix::Binary(binary),
                None => return Ok(None),
            },
        };
        let tightness =
            if let Infix::Binary(binary) = infix { binary.tightness() } else { COMPARISON };
        if tightness < at_least {
            return Ok(None);
        }
        self.tokens.next();
        Ok(Some((infix, false, at)))
    }

    fn joined(&mut self, left: Node, infix: &Infix, at: usize) -> Result<Node, ExprError> {
        let node = match infix {
            Infix::Matches => Node::Matches(Box::new(left), self.pattern()?),
            Infix::In => Node::In(Box::new(left), self.list()?),
            Infix::Binary(binary) => {
                let right = self.expression(binary.tightness() + 1)?;
                self.refuse_sum_of_texts(*binary, [&left, &right], at)?;
                Node::Binary(*binary, Box::new(left), Box::new(right))
            }
        };
        let comparison =
            !matches!(infix, Infix::Binary(binary) if binary.tightness() != COMPARISON);
        if comparison && self.comparison_follows() {
            let at = self.at();
            return Err(self.error(at, "comparisons can't be chained: join them with `and`"));
        }
        self.grown(at, node)
    }

    fn comparison_follows(&mut self) -> bool {
        let Some(Token { kind: Kind::Name(word) | Kind::Sign(word), .. }) = self.tokens.peek()
        else {
            return false;
        };
        ["matches", "in"].contains(word)
            || Binary::ALL.iter().any(|b| b.sign() == *word && b.tightness() == COMPARISON)
    }

    fn refuse_sum_of_texts(
        &self,
        binary: Binary,
        sides: [&Node; 2],
        at: usize,
    ) -> Result<(), ExprError> {
        let words = |node: &Node| matches!(node, Node::Text(t) if read_number(t).is_none());
        if binary == Binary::Add && sides.into_iter().any(words) {
            return Err(self.error(at, "`+` adds numbers: join texts with `&`"));
        }
        Ok(())
    }

    fn prefixed(&mut self) -> Result<Node, ExprError> {
        let at = self.at();
        if self.tokens.next_if(|token| token.kind == Kind::Name("not")).is_some() {
            let of = self.expression(NOT)?;
            return self.grown(at, Node::Not(Box::new(of)));
        }
        if self.eat("-") {
            let of = self.expression(NEGATE)?;
            return self.grown(at, Node::Negate(Box::new(of)));
        }
        let Some(token) = self.tokens.next() else {
            return Err(self.error(at, "a value is expected here"));
        };
        let node = match token.kind {
            Kind::Number(number) => Node::Number(number),
            Kind::Text(text) => Node::Text(text),
            Kind::Name("true") => Node::Bool(true),
            Kind::Name("false") => Node::Bool(false),
            Kind::Name("nothing") => Node::Nothing,
            Kind::Name(name) if self.eat("(") => self.call(name, at)?,
            Kind::Name(name) => self.variable(name, at)?,
            Kind::Sign("(") => {
                let inner = self.expression(0)?;
                self.expect(")")?;
                return Ok(inner);
            }
            Kind::Sign("[") => return Err(self.error(at, "a list stands only after `in`")),
            Kind::Sign(_) | Kind::Pattern(_) => return Err(self.unexpected(&token)),
        };
        self.grown(at, node)
    }

    fn variable(&self, name: &str, at: usize) -> Result<Node, ExprError> {
        if RESERVED.contains(&name) {
            return Err(self.error(at, format!("`{name}` is not expected here")));
        }
        if name.ends_with('.') || name.contains("..") {
            return Err(self.error(at, format!("`{name}` is not a variable: a part is empty")));
        }
        Ok(Node::Variable(name.to_owned()))
    }

    fn call(&mut self, name: &str, at: usize) -> Result<Node, ExprError> {
        let Some(function) = Function::ALL.iter().copied().find(|f| f.name() == name) else {
            let known = Function::ALL.iter().map(|f| f.name());
            let message = match nearest(name, known.clone()) {
                Some(near) => format!("there is no function `{name}`: do you mean `{near}`?"),
                None => {
                    let known = known.collect::<Vec<_>>().join(", ");
                    format!("there is no function `{name}`: there are {known}")
                }
            };
            return Err(self.error(at, message));
        };
        let arguments = self.items(")")?;
        let (fewest, most) = function.arity();
        if arguments.len() < fewest || arguments.len() > most {
            return Err(self.error(at, format!("write it like `{}`", function.usage())));
        }
        Ok(Node::Call(function, arguments))
    }

    fn list(&mut self) -> Result<Vec<Node>, ExprError> {
        self.expect("[")?;
        self.items("]")
    }

    fn items(&mut self, end: &str) -> Result<Vec<Node>, ExprError> {
        let mut items = Vec::new();
        if self.eat(end) {
            return Ok(items);
        }
        loop {
            items.push(self.expression(0)?);
            if !self.eat(",") {
                self.expect(end)?;
                return Ok(items);
            }
        }
    }

    /// The pattern is a literal, so that it is compiled once and its size is known.
    fn pattern(&mut self) -> Result<Pattern, ExprError> {
        let at = self.at();
        let Some(Token { kind: Kind::Pattern(pattern) | Kind::Text(pattern), .. }) =
            self.tokens.next()
        else {
            let message = "after `matches` stands a pattern such as `/^9/`, written out";
            return Err(self.error(at, message));
        };
        RegexBuilder::new(&pattern)
            .size_limit(PATTERN_SIZE_MAX)
            .dfa_size_limit(PATTERN_SIZE_MAX)
            .build()
            .map(Pattern)
            .map_err(|error| self.error(at, pattern_trouble(&error)))
    }
}

fn pattern_trouble(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "this pattern is too big".into(),
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default();
            format!("this is not a pattern: {}", last.trim_start_matches("error: "))
        }
    }
}
