//! Workspaces of all kinds: an older edition, a renamed dependency, a macro, features, code that does not compile.

mod support;

use std::path::Path;

use support::{command, session, workspace};

/// The exit status, and the lines that were printed.
fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = command(folder, "short").args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn an_older_edition_a_renamed_dependency_and_a_macro() {
    let app = session("guards")
        + "
#[answer::unchanged]
pub async fn forgets(yes: bool) -> Result<(), std::fmt::Error> {
    let mut session = guards::AsyncDropGuard::new(Session);
    if yes {
        return Ok(());
    }
    session.async_drop().await
}

fn main() {}
";
    let tools = session("asyncdrop")
        + "
pub async fn cleans() -> Result<(), std::fmt::Error> {
    let mut session = asyncdrop::AsyncDropGuard::new(Session);
    session.async_drop().await
}

#[cfg(feature = \"wrong\")]
pub fn forgets() {
    let _session = asyncdrop::AsyncDropGuard::new(Session);
}

#[cfg(test)]
mod tests {
    #[test]
    fn forgets_in_a_test() {
        let _session = asyncdrop::AsyncDropGuard::new(super::Session);
    }
}
";
    let folder = workspace(
        "several",
        &[
            (
                "Cargo.toml",
                "[workspace]\nmembers = [\"app\", \"tools\", \"answer\"]\nresolver = \"2\"\n[profile.dev]\nopt-level = 2\n",
            ),
            (
                "app/Cargo.toml",
                "[package]\nname = \"the-app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\n\
                 guards = { package = \"asyncdrop\", path = \"LIBRARY\", default-features = false }\n\
                 answer = { path = \"../answer\" }\n",
            ),
            ("app/src/main.rs", &app),
            (
                "tools/Cargo.toml",
                "[package]\nname = \"tools\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[features]\nwrong = []\n\
                 [dependencies]\nasyncdrop = { path = \"LIBRARY\", default-features = false }\n",
            ),
            ("tools/src/lib.rs", &tools),
            (
                "answer/Cargo.toml",
                "[package]\nname = \"answer\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[lib]\nproc-macro = true\n",
            ),
            (
                "answer/src/lib.rs",
                "#[proc_macro_attribute]\npub fn unchanged(_: proc_macro::TokenStream, item: proc_macro::TokenStream) \
                 -> proc_macro::TokenStream { item }\n",
            ),
        ],
    );
    let forgets = "app/src/main.rs:16:13: error[dropped-armed]: `session` can be dropped before its cleanup: `return` in line 18\n";

    let (code, found, errors) = run(&folder, &["--workspace"]);
    assert_eq!((code, found.as_str()), (Some(1), forgets), "{errors}");
    assert!(errors.contains("1 finding; rustc "), "{errors}");

    // Nothing is built anew, and the same is found.
    let (code, found, errors) = run(&folder, &["--workspace"]);
    assert_eq!((code, found.as_str()), (Some(1), forgets), "{errors}");

    let (code, found, errors) = run(&folder, &["-p", "tools"]);
    assert_eq!((code, found.as_str()), (Some(0), ""), "{errors}");

    let (code, found, errors) = run(&folder, &["-p", "tools", "--features", "wrong"]);
    assert_eq!(code, Some(1), "{errors}");
    assert!(
        found.starts_with("tools/src/lib.rs:21:9: error[dropped-armed]: `_session`"),
        "{found}"
    );

    let (code, found, errors) = run(&folder, &["-p", "tools", "--all-targets"]);
    assert_eq!(code, Some(1), "{errors}");
    assert!(found.starts_with("tools/src/lib.rs:28:13: "), "{found}");
    assert_eq!(found.lines().count(), 1, "{found}");
}

#[test]
fn what_does_not_compile_is_not_passed_over() {
    let folder = workspace(
        "broken",
        &[
            (
                "Cargo.toml",
                "[package]\nname = \"broken\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n",
            ),
            ("src/lib.rs", "pub fn f() -> u8 { \"no number\" }\n"),
        ],
    );
    let (code, _, errors) = run(&folder, &[]);
    assert_eq!(code, Some(2));
    assert!(errors.contains("mismatched types"), "{errors}");
}

#[test]
fn a_folder_without_a_package_and_an_unknown_option() {
    let folder = std::env::temp_dir();
    let (code, _, errors) = run(&folder, &[]);
    assert_eq!(code, Some(2), "{errors}");
    let (code, _, errors) = run(&folder, &["--everything"]);
    assert_eq!(code, Some(2));
    assert!(errors.contains("--everything"), "{errors}");
}

#[test]
fn a_comment_without_a_reason_and_one_that_silences_nothing() {
    let text = session("asyncdrop")
        + "
// asyncdrop: allow(dropped-armed)
pub fn forgets() {
    let _session = asyncdrop::AsyncDropGuard::new(Session);
}

// asyncdrop: allow(leaked): it is not
pub fn other() {}
";
    let folder = workspace(
        "comments",
        &[
            (
                "Cargo.toml",
                "[package]\nname = \"comments\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n\
                 [dependencies]\nasyncdrop = { path = \"LIBRARY\", default-features = false }\n",
            ),
            ("src/lib.rs", &text),
        ],
    );
    let (code, found, errors) = run(&folder, &[]);
    assert_eq!(code, Some(1), "{errors}");
    let lines: Vec<_> = found.lines().collect();
    assert_eq!(lines.len(), 3, "{found}");
    assert!(
        lines[0].starts_with("src/lib.rs:16:9: error[dropped-armed]"),
        "{found}"
    );
    assert!(
        lines[1].starts_with("src/lib.rs:14: error[allow]: a reason is missing"),
        "{found}"
    );
    assert!(
        lines[2].starts_with("src/lib.rs:19: error[allow]: nothing is found"),
        "{found}"
    );
}
