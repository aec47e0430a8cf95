use std::process::ExitCode;

fn main() -> ExitCode {
    relexport::cli::main()
}
