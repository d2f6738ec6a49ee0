//! Whether many values are handed over in a row.

use std::cell::Cell;

use tokio::task::{self, Id};

/// So many in a row are not yet a burst.
const FEW: usize = 64;

thread_local! {
    /// The task that has handed over last in this thread, or no task, and how many values it has handed over since another did so.
    static ROW: Cell<(Option<Id>, usize)> = const { Cell::new((None, 0)) };
}

/// Counts a value that is handed over, and says whether it belongs to a burst.
///
/// That is so if the same task has handed over many before, and no other task in this thread has meanwhile.
/// Tasks that drop a value now and then alternate, so theirs never do, however many tasks there are.
pub(super) fn goes_on() -> bool {
    let by = task::try_id();
    let goes_on = ROW.try_with(|row| {
        let (last, before) = row.get();
        let before = if last == by { before } else { 0 };
        row.set((by, before.saturating_add(1)));
        before >= FEW
    });
    // A thread that is ending has no such variable any more.
    goes_on.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    use tokio::runtime::Builder;

    use crate::reaper::in_new_thread;

    /// Which of that many in a row belong to a burst.
    fn of_a_burst(many: usize) -> usize {
        (0..many).filter(|_| goes_on()).count()
    }

    #[test]
    fn what_comes_after_a_few_in_a_row_is_a_burst() {
        in_new_thread(|| {
            assert_eq!(of_a_burst(FEW), 0);
            assert_eq!(of_a_burst(FEW), FEW);
        });
    }

    #[test]
    fn a_burst_ends_when_another_task_hands_over_in_the_thread() {
        in_new_thread(|| {
            let runtime = Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                assert_eq!(of_a_burst(FEW + 1), 1);
                let other = task::spawn(async { of_a_burst(FEW + 2) });
                assert_eq!(other.await.unwrap(), 2);
                assert_eq!(of_a_burst(FEW + 1), 1);
            });
        });
    }

    #[test]
    fn tasks_that_take_turns_make_no_burst() {
        in_new_thread(|| {
            let runtime = Builder::new_current_thread().build().unwrap();
            let in_turns = async || {
                let mut of_bursts = 0;
                for _ in 0..FEW {
                    of_bursts += of_a_burst(FEW / 2);
                    task::yield_now().await;
                }
                of_bursts
            };
            runtime.block_on(async {
                let tasks = [(); 2].map(|()| task::spawn(in_turns()));
                for task in tasks {
                    assert_eq!(task.await.unwrap(), 0);
                }
            });
        });
    }
}
