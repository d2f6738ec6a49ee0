//! `cargo asyncdrop`.

use std::process::ExitCode;

use cargo_asyncdrop::{compile, look, options};

fn main() -> ExitCode {
    // Cargo calls this program again, in place of rustc.
    if std::env::var_os(compile::WRAPPER).is_some() {
        return compile::wrap(std::env::args_os().skip(1));
    }
    match options::read(std::env::args_os().skip(1)) {
        Ok(options::Request::Help) => {
            print!("{}", options::HELP);
            ExitCode::SUCCESS
        }
        Ok(options::Request::Version) => {
            println!("cargo-asyncdrop {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Ok(options::Request::Check(options)) => look::run(&options),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
