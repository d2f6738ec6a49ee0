//! Cleanups that a test interrupts before an operation: how often each is begun, and how long it takes.
//!
//! There is no runtime of tokio around these, so each wait stands for an operation.

use super::*;

use asyncdrop::testing::interrupt_cleanups;

/// Each is one call of `async_drop` on one value.
fn cuts() -> impl Strategy<Value = Vec<Option<usize>>> {
    proptest::collection::vec(proptest::option::of(0..6_usize), 1..6)
}

fn clean_up_with_interruptions(record: &Record, plan: Plan, n: usize, cuts: Vec<Option<usize>>) {
    let (id, mut guard) = record.new_value(plan);
    let interruptions = interrupt_cleanups(n);
    let waits = plan.waits;
    let (mut begun, mut interrupted) = (0, 0);
    for cut in cuts {
        // Once interrupted, it has had its share, even if its caller was cancelled since.
        let is_due = interrupted == 0 && n <= waits;
        let needed = if is_due { n - 1 + waits } else { waits };
        let polls = cut.unwrap_or(usize::MAX);
        if record.of(id).done == 0 && polls > 0 {
            let happens = is_due && polls >= n;
            begun += 1 + usize::from(happens);
            interrupted += usize::from(happens);
        }
        let outcome = attempt(guard.async_drop(), cut);
        let fate = record.of(id);
        assert_eq!(
            (fate.begun, interruptions.interrupted()),
            (begun, interrupted)
        );
        match outcome {
            Outcome::Cancelled => assert!(polls == 0 || polls <= needed && fate.done == 0),
            Outcome::Panicked => assert!(polls > needed && fate.panicked + fate.done > 0),
            Outcome::Returned(_) => assert_eq!(fate.done, 1),
        }
        note_error(record, &outcome);
    }
    drop(interruptions);
    let_go(record, guard);
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_cleanup_that_a_test_interrupts_does_what_its_model_does(
        plan in plan(),
        n in 1..4_usize,
        cuts in cuts(),
    ) {
        play(|record| clean_up_with_interruptions(record, plan, n, cuts));
    }
}
