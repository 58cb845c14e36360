//! Flows in files: JSON, or YAML where the name ends so.

use std::path::Path;

use anyhow::{Context, ensure};

use crate::base::ids::FlowName;
use crate::flow::problem::Problem;
use crate::flow::{Flow, parse, parse_yaml};

/// A file that is longer than any flow or script may be is not read to its end.
const FILE_MAX: u64 = 1 << 20;

pub(super) fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let shown = file.display();
    let length = std::fs::metadata(file).with_context(|| format!("`{shown}`"))?.len();
    ensure!(length <= FILE_MAX, "`{shown}` is longer than {FILE_MAX} bytes");
    std::fs::read(file).with_context(|| format!("`{shown}`"))
}

fn is_yaml(file: &Path) -> bool {
    file.extension().is_some_and(|ending| ending == "yaml" || ending == "yml")
}

/// The flow, or everything that makes it none.
pub(super) fn flow(file: &Path) -> anyhow::Result<Result<Flow, Vec<Problem>>> {
    let bytes = read(file)?;
    Ok(if is_yaml(file) { parse_yaml(&bytes) } else { parse(&bytes) })
}

/// A flow's name after its file: `front-desk.yaml` is `front-desk`.
pub(super) fn name(file: &Path) -> anyhow::Result<FlowName> {
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let name = stem
        .parse()
        .with_context(|| format!("`{}` gives a flow no name: say NAME=FILE", file.display()))?;
    Ok(name)
}
