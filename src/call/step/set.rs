//! `set`: variables get values.

use super::{Next, Running};
use crate::call::Call;
use crate::flow::kind::set::Set;

pub(in crate::call) fn enter(call: &mut Call, set: &Set) -> (Running, Next) {
    let values: Vec<_> = set.variables.values().map(|expr| call.eval(expr)).collect();
    for (name, known) in set.variables.keys().zip(values) {
        call.set(name, known);
    }
    (Running::Nothing, Next::done())
}
