//! Helpers that hold one value, or the error that came instead.

use super::*;

use asyncdrop::AsyncDropResult;
#[cfg(feature = "tokio")]
use asyncdrop::AsyncDropTokioMutex;

#[derive(Debug, Clone)]
enum Op {
    Reach,
    CleanUp(Option<usize>),
    IntoInner(Option<usize>),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        2 => Just(Op::Reach),
        3 => cut().prop_map(Op::CleanUp),
        1 => cut().prop_map(Op::IntoInner),
    ];
    proptest::collection::vec(op, 1..8)
}

/// One end of a guard that holds nothing but that value. Returns whether it is over.
fn clean_up<T>(record: &Record, guard: &mut Guard<T>, id: Id, cut: Option<usize>) -> bool
where
    T: AsyncDrop<Error = Failure> + Debug,
{
    let expected = expected(record.of(id), id, cut);
    let outcome = attempt(guard.async_drop(), cut);
    assert_eq!(outcome, expected);
    note_error(record, &outcome);
    let over = matches!(outcome, Outcome::Returned(_));
    assert_eq!(guard.is_dropped(), over);
    over
}

#[cfg(feature = "tokio")]
fn play_mutex(record: &Record, plan: Plan, ops: Vec<Op>) {
    let (id, value) = record.new_value(plan);
    let mut mutex = AsyncDropTokioMutex::new(value);
    for op in ops {
        match op {
            // As with every guard, using the value after its end is a panic that says so.
            Op::Reach if record.of(id).done > 0 => {
                assert!(quietly(|| drop(mutex.try_lock())).is_none());
                assert!(matches!(attempt(mutex.lock(), None), Outcome::Panicked));
                assert!(quietly(|| mutex.get_mut().id).is_none());
            }
            Op::Reach => {
                let held = mutex.try_lock().expect("nobody holds it");
                assert_eq!(held.id, id);
                assert!(mutex.try_lock().is_err());
                assert!(matches!(attempt(mutex.lock(), Some(2)), Outcome::Cancelled));
                drop(held);
                let lock = attempt(mutex.lock(), None);
                assert!(matches!(&lock, Outcome::Returned(held) if held.id == id));
                drop(lock);
                assert_eq!(mutex.get_mut().id, id);
            }
            Op::CleanUp(cut) => {
                if clean_up(record, &mut mutex, id, cut) {
                    return;
                }
            }
            Op::IntoInner(cut) => {
                let value = AsyncDropTokioMutex::into_inner(mutex);
                end_value_with_id(record, value, id, cut);
                return;
            }
        }
    }
    let_go(record, mutex);
}

fn play_value_in_result(record: &Record, plan: Plan, ops: Vec<Op>) {
    let (id, value) = record.new_value(plan);
    let mut result = AsyncDropResult::<_, String>::new(Ok(value));
    for op in ops {
        match op {
            Op::Reach if record.of(id).done > 0 => {
                assert!(quietly(|| result.ok().is_some()).is_none());
                assert_eq!(result.err(), None);
            }
            Op::Reach => {
                assert_eq!(result.ok().map(|value| value.id), Some(id));
                assert_eq!(result.err(), None);
                assert!(result.as_ref().is_ok());
            }
            Op::CleanUp(cut) => {
                if clean_up(record, &mut result, id, cut) {
                    return;
                }
            }
            Op::IntoInner(cut) => {
                let value = AsyncDropResult::into_inner(result).expect("it is a value");
                end_value_with_id(record, value, id, cut);
                return;
            }
        }
    }
    let_go(record, result);
}

fn play_error_in_result(ops: Vec<Op>) {
    let mut result = AsyncDropResult::<Value, _>::new(Err("no value".to_owned()));
    for op in ops {
        match op {
            Op::Reach => {
                assert!(result.ok().is_none());
                assert_eq!(result.err().map(String::as_str), Some("no value"));
            }
            // There is nothing to wait for.
            Op::CleanUp(Some(0)) => {
                let outcome = attempt(result.async_drop(), Some(0));
                assert_eq!(outcome, Outcome::Cancelled);
            }
            Op::CleanUp(cut) => {
                let outcome = attempt(result.async_drop(), cut);
                assert_eq!(outcome, Outcome::Returned(Ok(())));
                return;
            }
            Op::IntoInner(_) => {
                let error = AsyncDropResult::into_inner(result).map(|_| ()).unwrap_err();
                assert_eq!(error, "no value");
                return;
            }
        }
    }
}

proptest! {
    #![proptest_config(config())]

    #[cfg(feature = "tokio")]
    #[test]
    fn a_mutex_does_what_its_model_does(plan in plan(), ops in ops()) {
        play(|record| play_mutex(record, plan, ops));
    }

    #[test]
    fn a_result_with_a_value_does_what_its_model_does(plan in plan(), ops in ops()) {
        play(|record| play_value_in_result(record, plan, ops));
    }

    #[test]
    fn a_result_with_an_error_does_what_its_model_does(ops in ops()) {
        play(|_| play_error_in_result(ops));
    }
}
