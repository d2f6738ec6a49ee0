//! A value with a close of its own: the close is called once, and goes on where it was interrupted.

use super::*;

use asyncdrop::{AsyncDropWith, BoxedAsyncDropWith};

#[derive(Debug, Clone)]
enum Op {
    Reach,
    CleanUp(Option<usize>),
    IntoInner,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        2 => Just(Op::Reach),
        5 => cut().prop_map(Op::CleanUp),
        1 => Just(Op::IntoInner),
    ];
    proptest::collection::vec(op, 1..10)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// So many polls have returned `Pending`.
    Closing(usize),
    Closed,
    Panicked,
}

/// What the close gets. Its own `Drop` does not panic, because in a close that is a panic of the close.
struct Contents {
    id: Id,
    record: Record,
}

impl Drop for Contents {
    fn drop(&mut self) {
        self.record.change(self.id, |fate| fate.dropped += 1);
    }
}

async fn close(contents: Contents) -> Result<(), Failure> {
    let Contents { id, record } = &contents;
    record.change(*id, |fate| fate.begun += 1);
    let Plan { ending, waits } = record.of(*id).plan;
    wait(waits).await;
    if ending == Ending::Panics {
        record.change(*id, |fate| fate.panicked += 1);
        panic!("the close panics");
    }
    record.change(*id, |fate| fate.done += 1);
    match ending {
        Ending::Fails => Err(Failure(*id)),
        _ => Ok(()),
    }
}

struct Pair<'a, F, Fut> {
    record: &'a Record,
    id: Id,
    guard: Guard<AsyncDropWith<Contents, F, Fut>>,
    state: State,
}

impl<F, Fut> Pair<'_, F, Fut>
where
    F: FnOnce(Contents) -> Fut + Send,
    Fut: Future<Output = Result<(), Failure>> + Send,
{
    fn play(mut self, ops: Vec<Op>) {
        for op in ops {
            match op {
                Op::Reach => {
                    let id = quietly(|| self.guard.id);
                    assert_eq!(id.is_some(), self.state == State::Open);
                }
                Op::CleanUp(cut) => self.clean_up(cut),
                Op::IntoInner => return self.into_inner(),
            }
            assert_eq!(self.guard.is_dropped(), self.state == State::Closed);
            let begun = self.record.of(self.id).begun;
            assert_eq!(begun, usize::from(self.state != State::Open));
        }
        let_go(self.record, self.guard);
    }

    fn clean_up(&mut self, cut: Option<usize>) {
        let Plan { ending, waits } = self.record.of(self.id).plan;
        let waits_left = match self.state {
            State::Open => waits,
            State::Closing(before) => waits - before,
            State::Closed | State::Panicked => 0,
        };
        let outcome = attempt(self.guard.async_drop(), cut);
        match cut {
            Some(0) => assert_eq!(outcome, Outcome::Cancelled),
            Some(cut) if cut <= waits_left => {
                assert_eq!(outcome, Outcome::Cancelled);
                self.state = State::Closing(waits - waits_left + cut);
            }
            _ => {
                let expected = match (self.state, ending) {
                    (State::Closed, _) => Outcome::Returned(Ok(())),
                    (State::Panicked, _) | (_, Ending::Panics) => Outcome::Panicked,
                    (_, Ending::Fails) => Outcome::Returned(Err(Failure(self.id))),
                    _ => Outcome::Returned(Ok(())),
                };
                assert_eq!(outcome, expected);
                note_error(self.record, &outcome);
                self.state = match outcome {
                    Outcome::Panicked => State::Panicked,
                    _ => State::Closed,
                };
            }
        }
    }

    fn into_inner(self) {
        let taken = quietly(|| AsyncDropWith::into_inner(self.guard));
        assert_eq!(taken.is_some(), self.state == State::Open);
        if let Some(contents) = taken {
            assert_eq!(contents.id, self.id);
            // It was taken out, so nothing is to be cleaned up or reported, and here it stands for that.
            self.record.change(self.id, |fate| fate.missed += 1);
        }
    }
}

fn contents(record: &Record, mut plan: Plan) -> Contents {
    if plan.ending == Ending::PanicsInDrop {
        plan.ending = Ending::Succeeds;
    }
    let id = record.new_fate(plan);
    let record = record.clone();
    Contents { id, record }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_value_with_a_close_does_what_its_model_does(plan in plan(), ops in ops()) {
        play(|record| {
            let contents = contents(record, plan);
            let id = contents.id;
            let guard = AsyncDropWith::new(contents, close);
            Pair { record, id, guard, state: State::Open }.play(ops);
        });
    }

    #[test]
    fn a_boxed_one_does_what_its_model_does(plan in plan(), ops in ops()) {
        play(|record| {
            let contents = contents(record, plan);
            let id = contents.id;
            let guard: Guard<BoxedAsyncDropWith<_, _>> = AsyncDropWith::boxed(contents, close);
            Pair { record, id, guard, state: State::Open }.play(ops);
        });
    }
}
