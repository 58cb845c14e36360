//! `branch`: the first case that is true.

use super::{Next, Running, Way};
use crate::call::Call;
use crate::call::describe;
use crate::flow::kind::branch::Branch;

pub(in crate::call) fn enter(call: &Call, branch: &Branch) -> (Running, Next) {
    let mut cases = branch.cases.iter().enumerate();
    let taken = cases.find(|(_, case)| call.eval(&case.condition).value.truthy());
    let next = match taken {
        Some((index, case)) => Next::Leave {
            way: Way::Choice { label: format!("case {}", index + 1), to: case.next.clone() },
            why: describe::clean(case.condition.source()),
        },
        None => Next::Leave {
            way: Way::Choice { label: "otherwise".into(), to: branch.otherwise.clone() },
            why: "no case is true".into(),
        },
    };
    (Running::Nothing, next)
}
