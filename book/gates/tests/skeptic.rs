//! Every Rust block of the book, compiled and run by skeptic as edition 2021.

include!(concat!(env!("OUT_DIR"), "/skeptic-tests.rs"));

/// The tests that skeptic made of the blocks. All but these are this file's own.
mod the_harness {
    use std::collections::BTreeSet;
    use std::panic::{self, AssertUnwindSafe};
    use std::process::Command;
    use std::time::Duration;
    use std::{env, thread};

    use asyncdrop_book_gates::{chapters, markdown};

    /// What skeptic does, once more if the executable could not be started because it was open for writing.
    ///
    /// skeptic opens an executable that it keeps for writing, and closes it before it runs it. But if another of its
    /// workers starts a process between the two, that process has the file open, too, until it becomes its program.
    pub(super) fn run_test(root: &str, out_dir: &str, target: &str, snippet: &str) {
        for pause in [1, 10, 100, 1000].map(Duration::from_millis) {
            let run = AssertUnwindSafe(|| skeptic::rt::run_test(root, out_dir, target, snippet));
            match panic::catch_unwind(run) {
                Ok(()) => return,
                Err(reason) if was_busy(&*reason) => thread::sleep(pause),
                Err(reason) => panic::resume_unwind(reason),
            }
        }
        skeptic::rt::run_test(root, out_dir, target, snippet);
    }

    /// Whether skeptic says that it could not start the executable for that reason. What the snippet prints is not in there.
    fn was_busy(reason: &(dyn std::any::Any + Send)) -> bool {
        let reason = reason.downcast_ref::<String>();
        reason.is_some_and(|it| it.starts_with("Could not run ") && it.ends_with("(os error 26)"))
    }

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
