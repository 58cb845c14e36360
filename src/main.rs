//! The `callwright` command.

fn main() -> std::process::ExitCode {
    callwright::cli::main()
}
