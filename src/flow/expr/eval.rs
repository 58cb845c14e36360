//! What an expression comes to. Every operation has a result for every value: where there is no
//! sensible one it is nothing (or, of a comparison, no).

use super::Scope;
use super::node::{Binary, Function, Node};
use crate::flow::value::{Value, cut};

/// Most decimal places that `round` keeps.
const PLACES_MAX: f64 = 9.0;

pub(super) fn evaluate(node: &Node, scope: &dyn Scope) -> Value {
    match node {
        Node::Nothing => Value::Nothing,
        Node::Bool(yes) => Value::Bool(*yes),
        Node::Number(number) => Value::number(*number),
        Node::Text(text) => Value::text(text.as_str()),
        Node::Variable(name) => scope.lookup(name),
        Node::Not(of) => Value::Bool(!evaluate(of, scope).truthy()),
        Node::Negate(of) => numbers([&evaluate(of, scope)], |[number]| -number),
        Node::Binary(binary, left, right) => join(*binary, left, right, scope),
        Node::Matches(of, pattern) => {
            let value = evaluate(of, scope);
            Value::Bool(value != Value::Nothing && pattern.0.is_match(&value.to_text()))
        }
        Node::In(of, list) => {
            let value = evaluate(of, scope);
            Value::Bool(list.iter().any(|item| value.equals(&evaluate(item, scope))))
        }
        Node::Call(function, arguments) => call(*function, arguments, scope),
    }
}

fn join(binary: Binary, left: &Node, right: &Node, scope: &dyn Scope) -> Value {
    let left = evaluate(left, scope);
    match (binary, left.truthy()) {
        (Binary::And, false) => return Value::Bool(false),
        (Binary::Or, true) => return Value::Bool(true),
        _ => {}
    }
    let right = evaluate(right, scope);
    let order =
        |fits: fn(std::cmp::Ordering) -> bool| Value::Bool(left.order(&right).is_some_and(fits));
    let texts = |fits: fn(&str, &str) -> bool| {
        Value::Bool(left != Value::Nothing && fits(&left.to_text(), &right.to_text()))
    };
    match binary {
        Binary::Or | Binary::And => Value::Bool(right.truthy()),
        Binary::Equal => Value::Bool(left.equals(&right)),
        Binary::NotEqual => Value::Bool(!left.equals(&right)),
        Binary::Less => order(std::cmp::Ordering::is_lt),
        Binary::LessEqual => order(std::cmp::Ordering::is_le),
        Binary::Greater => order(std::cmp::Ordering::is_gt),
        Binary::GreaterEqual => order(std::cmp::Ordering::is_ge),
        Binary::Contains => texts(|text, part| text.contains(part)),
        Binary::StartsWith => texts(|text, part| text.starts_with(part)),
        Binary::EndsWith => texts(|text, part| text.ends_with(part)),
        Binary::Join => Value::text(left.to_text().into_owned() + &right.to_text()),
        Binary::Add => numbers([&left, &right], |[a, b]| a + b),
        Binary::Subtract => numbers([&left, &right], |[a, b]| a - b),
        Binary::Multiply => numbers([&left, &right], |[a, b]| a * b),
        // A division by zero is not finite, and what is not finite is nothing.
        Binary::Divide => numbers([&left, &right], |[a, b]| a / b),
        Binary::Remainder => numbers([&left, &right], |[a, b]| a % b),
    }
}

/// The result of an operation on numbers; nothing where a value is none or the result is not
/// finite.
fn numbers<const N: usize>(values: [&Value; N], operation: impl Fn([f64; N]) -> f64) -> Value {
    let mut operands = [0.0; N];
    for (operand, value) in operands.iter_mut().zip(values) {
        let Some(number) = value.to_number() else { return Value::Nothing };
        *operand = number;
    }
    Value::number(operation(operands))
}

fn call(function: Function, arguments: &[Node], scope: &dyn Scope) -> Value {
    let argument =
        |at: usize| arguments.get(at).map_or(Value::Nothing, |node| evaluate(node, scope));
    let value = argument(0);
    let text = |change: fn(&str) -> String| Value::text(change(&value.to_text()));
    match function {
        Function::If => argument(if value.truthy() { 1 } else { 2 }),
        Function::Length => Value::Number(size(&value.to_text())),
        Function::Lower => text(str::to_lowercase),
        Function::Upper => text(str::to_uppercase),
        Function::Trim => text(|text| text.trim().to_owned()),
        Function::Number => value.to_number().map_or(Value::Nothing, Value::number),
        Function::Text => text(str::to_owned),
        Function::First => slice(&value, &Value::Number(1.0), &argument(1)),
        Function::Last => last(&value, &argument(1)),
        Function::Slice => slice(&value, &argument(1), &argument(2)),
        Function::DigitsOnly => text(|text| text.chars().filter(char::is_ascii_digit).collect()),
        Function::Default => match value {
            Value::Nothing => argument(1),
            Value::Text(text) if text.is_empty() => argument(1),
            other => other,
        },
        Function::Round if arguments.len() == 1 => numbers([&value], |[number]| number.round()),
        Function::Round => numbers([&value, &argument(1)], |[number, places]| {
            let factor = 10_f64.powf(places.round().clamp(0.0, PLACES_MAX));
            (number * factor).round() / factor
        }),
        Function::Min => numbers([&value, &argument(1)], |[a, b]| a.min(b)),
        Function::Max => numbers([&value, &argument(1)], |[a, b]| a.max(b)),
    }
}

#[allow(clippy::cast_precision_loss, reason = "texts are short")]
fn size(text: &str) -> f64 {
    text.chars().count() as f64
}

/// A count of characters: whole, not below zero, at most a text's length.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
fn count(value: &Value) -> Option<usize> {
    value.to_number().map(|number| number.floor().clamp(0.0, 4_096.0) as usize)
}

/// `count` characters from the one numbered `from`; the first is number 1.
fn slice(value: &Value, from: &Value, many: &Value) -> Value {
    match (count(from), count(many)) {
        (Some(from), Some(many)) => {
            let text = value.to_text();
            let mut part: String = text.chars().skip(from.saturating_sub(1)).take(many).collect();
            cut(&mut part);
            Value::Text(part)
        }
        _ => Value::Nothing,
    }
}

fn last(value: &Value, many: &Value) -> Value {
    let Some(many) = count(many) else { return Value::Nothing };
    let text = value.to_text();
    let skipped = text.chars().count().saturating_sub(many);
    Value::text(text.chars().skip(skipped).collect::<String>())
}
