//! Each mistake in `compile-fail/` must be refused with the recorded message.
//!
//! Their repaired twins are run by the gate `conditions` of the book. With a program to run among them, trybuild compiles
//! one after the other, with two processes of cargo for each.

/// After a deliberate change, `TRYBUILD=overwrite cargo test --test compile_fail` records the messages anew.
#[test]
fn mistakes_are_refused_as_recorded() {
    let mistakes = trybuild::TestCases::new();
    mistakes.compile_fail("compile-fail/*.rs");
    // They are compiled when this is dropped. The messages may be recorded by that, so they are read afterwards.
    drop(mistakes);
    assert_no_message_points_into_the_standard_library();
}

#[test]
fn every_mistake_has_a_repaired_twin_and_every_twin_a_mistake() {
    assert_eq!(
        programs_in("compile-fail"),
        programs_in("compile-fail/fixed")
    );
}

/// The names of the programs in a folder, sorted.
fn programs_in(folder: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "rs"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert!(!names.is_empty(), "{folder} holds no program");
    names
}

fn assert_no_message_points_into_the_standard_library() {
    for name in programs_in("compile-fail") {
        let path = format!("compile-fail/{name}.stderr");
        let message = std::fs::read_to_string(&path).unwrap();
        // What rustc shows of the standard library depends on which components are installed.
        for place in ["$RUST", "/rustc/", "/library/"] {
            assert!(!message.contains(place), "{path} points to {place}");
        }
    }
}
