//! `flow` and `return`: one flow calls another and comes back.

use super::{Next, Running};
use crate::call::Call;
use crate::call::variables::Known;
use crate::flow::Value;
use crate::flow::kind::subflow::{Return, Subflow};

pub(in crate::call) fn enter(call: &Call, subflow: &Subflow) -> (Running, Next) {
    let arguments = subflow.arguments.iter();
    let arguments = arguments.map(|(name, expr)| (name.clone(), call.eval(expr))).collect();
    (Running::Flow, Next::Call { flow: subflow.flow.clone(), arguments })
}

pub(in crate::call) fn give_back(call: &Call, end: &Return) -> (Running, Next) {
    let nothing = Known { value: Value::Nothing, secret: false };
    let value = end.value.as_ref().map_or(nothing, |value| call.eval(value));
    (Running::Nothing, Next::Return(value))
}
