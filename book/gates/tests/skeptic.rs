//! Every Rust block of the book, compiled and run by skeptic as edition 2021.

include!(concat!(env!("OUT_DIR"), "/skeptic-tests.rs"));

/// The tests that skeptic made of the blocks. All but these are this file's own.
mod the_harness {
    use std::collections::BTreeSet;
    use std::env;
    use std::process::Command;

    use asyncdrop_book_gates::{chapters, markdown};

    /// The harness itself says what it runs, so a block that skeptic overlooks is missed here.
    fn snippets(only_ignored: bool) -> BTreeSet<String> {
        let mut command = Command::new(env::current_exe().expect("a test has a file"));
        command.args(["--list", "--format", "terse"]);
        if only_ignored {
            command.arg("--ignored");
        }
        let listed = command.output().expect("a test can be run again");
        String::from_utf8(listed.stdout)
            .expect("names are text")
            .lines()
            .filter_map(|line| line.strip_suffix(": test"))
            .filter(|name| !name.starts_with("the_harness::"))
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn has_one_test_for_each_rust_block_of_the_book_and_runs_all_but_the_ignored() {
        let blocks: Vec<_> = chapters()
            .iter()
            .flat_map(|chapter| markdown::listings(chapter).blocks)
            .collect();
        let rust = blocks.iter().filter(|block| block.is_rust()).count();
        let ignored = blocks
            .iter()
            .filter(|block| block.is_rust() && !block.runs())
            .count();
        let tests = snippets(false).len();
        let ignored_tests = snippets(true).len();
        println!("{rust} Rust blocks, of which {} run", rust - ignored);
        assert_eq!(
            (tests, ignored_tests),
            (rust, ignored),
            "skeptic makes {tests} tests ({ignored_tests} ignored) of {rust} Rust blocks ({ignored} ignored): \
             look for a block whose info string skeptic does not take for Rust"
        );
    }
}
