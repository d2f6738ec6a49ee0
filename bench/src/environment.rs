//! On what the figures were taken.

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;

/// The machine, its system, the compiler and the day, as a list in Markdown.
pub fn describe(command: &str) -> String {
    let cores = available_parallelism().map_or_else(|_| "?".into(), |cores| cores.to_string());
    let system = read("/proc/sys/kernel/ostype") + " " + &read("/proc/sys/kernel/osrelease");
    format!(
        "- Command: `{command}`\n\
         - Day: {}\n\
         - Machine: {cores} cores, {}\n\
         - System: {system}, load average {}\n\
         - Compiler: {}\n",
        output("date", &["-u", "+%Y-%m-%d"]),
        cpu_model(),
        load_average(),
        output("rustc", &["--version"]),
    )
}

/// How many programs wanted to run in the last minute. Well above 1, the figures are worth less.
pub fn load_average() -> String {
    first_word(&read("/proc/loadavg"))
}

/// The version that Cargo.lock holds of a dependency.
pub fn version_of(package: &str) -> &'static str {
    let lock = include_str!("../../Cargo.lock");
    lock.split("[[package]]")
        .find(|entry| entry.contains(&format!("name = \"{package}\"\n")))
        .and_then(|entry| entry.split("version = \"").nth(1)?.split('"').next())
        .unwrap_or("?")
}

fn cpu_model() -> String {
    read("/proc/cpuinfo")
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or_else(|| "?".into(), |(_, model)| model.trim().into())
}

fn first_word(text: &str) -> String {
    text.split_whitespace().next().unwrap_or("?").into()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).map_or_else(|_| "?".into(), |text| text.trim().into())
}

fn output(program: &str, arguments: &[&str]) -> String {
    Command::new(program)
        .args(arguments)
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or_else(|| "?".into(), |text| text.trim().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_of_the_contenders_are_known() {
        for package in [
            "asyncdrop",
            "async-drop-guard",
            "async-dropper-simple",
            "futures-util",
        ] {
            assert_ne!(version_of(package), "?", "{package}");
        }
    }
}
