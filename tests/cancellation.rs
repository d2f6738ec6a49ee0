//! Every async function of the library, dropped at every place: nothing is lost, and nothing happens twice.
//!
//! `sweep` is the harness, and says what is checked after each run. Here are the scenarios.

use std::fmt::Debug;
use std::pin::Pin;

use crate::sweep::{
    AnyValue, Borrowing, Ending, Failure, NO_FAILING_ENDING, Stage, SureValue, Sweep, Value,
};
#[cfg(feature = "tokio")]
use asyncdrop::AsyncDropTokioMutex;
use asyncdrop::{
    AsyncDrop, AsyncDropArc, AsyncDropGuard, AsyncDropHashMap, AsyncDropResult, AsyncDropShared,
    async_drop_all, async_drop_on_err, async_trait, flatten_async_drop, with_async_drop,
    with_async_drop_2, with_async_drop_2_infallible, with_async_drop_both_errors,
};

use crate::support::wait;

type Guard<T> = AsyncDropGuard<T>;

/// Ends a guard, and notes what that returned.
async fn end<T>(stage: &Stage, guard: &mut Guard<T>)
where
    T: AsyncDrop<Error: Debug> + Debug,
{
    let result = guard.async_drop().await;
    stage.returned(&result);
}

mod one_guard {
    use super::*;

    #[test]
    fn async_drop_of_a_guard() {
        Sweep::of(1).resumable().run(
            |stage| stage.value("ada"),
            async |guard, stage| end(stage, guard).await,
        );
    }

    #[test]
    fn async_drop_of_a_box() {
        Sweep::of(1).resumable().run(
            |stage| stage.value("ada").into_box(),
            async |guard, stage| end(stage, guard).await,
        );
    }

    #[test]
    fn async_drop_of_a_trait_object() {
        Sweep::of(1).resumable().run(
            |stage| -> Guard<Box<dyn AnyValue>> {
                stage.value("ada").into_box().map_unsafe(|it| it as _)
            },
            async |guard, stage| end(stage, guard).await,
        );
    }

    /// A second round of polls on the same future, which its owner kept across a `select!`, say.
    #[test]
    fn two_guards_one_after_the_other() {
        Sweep::of(2).resumable().run(
            |stage| [stage.value("ada"), stage.value("bob")],
            async |guards, stage| {
                for guard in guards {
                    end(stage, guard).await;
                }
            },
        );
    }
}

mod stacks {
    use super::*;
    use asyncdrop::AsyncDropStack;

    fn stack_of(stage: &Stage, names: &[&'static str]) -> Guard<AsyncDropStack> {
        let mut stack = AsyncDropStack::new();
        for name in names {
            stack.push(stage.value(name));
        }
        stack
    }

    #[test]
    fn a_stack() {
        Sweep::of(2).resumable().run(
            |stage| stack_of(stage, &["ada", "bob"]),
            async |stack, stage| end(stage, stack).await,
        );
    }

    #[test]
    fn a_stack_from_which_a_value_is_taken() {
        Sweep::of(2).resumable().run(
            |stage| {
                let mut stack = stack_of(stage, &["ada"]);
                let key = stack.push(stage.value("bob"));
                let bob = stack.take(key).expect("it was pushed just now");
                (stack, bob)
            },
            async |(stack, bob), stage| {
                end(stage, bob).await;
                end(stage, stack).await;
            },
        );
    }
}

/// A close is called once and goes on where it was interrupted. After a panic it cannot.
mod closes {
    use super::*;
    use asyncdrop::AsyncDropWith;

    const NO_PANIC: &[Ending] = &[Ending::Succeeds, Ending::Fails];

    #[test]
    fn a_close_of_the_callers() {
        Sweep::of(1).endings(NO_PANIC).resumable().run(
            |stage| {
                AsyncDropWith::new(stage.value("ada"), async |mut value| {
                    value.async_drop().await
                })
            },
            async |guard, stage| end(stage, guard).await,
        );
    }

    #[test]
    fn a_close_in_a_box() {
        Sweep::of(1).endings(NO_PANIC).run(
            |stage| {
                AsyncDropWith::boxed(stage.value("ada"), async |mut value: Guard<Value>| {
                    value.async_drop().await
                })
            },
            async |guard, stage| end(stage, guard).await,
        );
    }
}

mod scopes {
    use super::*;

    /// The value of a scope, until the first call takes it.
    fn one(stage: &Stage) -> Option<Guard<Value>> {
        Some(stage.value("ada"))
    }

    async fn body<T>(_: &T, result: Result<u8, Failure>) -> Result<u8, Failure> {
        wait(1).await;
        result
    }

    #[test]
    fn with_async_drop_around_a_body_that_succeeds() {
        Sweep::of(1).run(one, async |kept, stage| {
            let Some(guard) = kept.take() else { return };
            let result = with_async_drop(guard, async |value| body(value, Ok(1)).await).await;
            stage.returned(&result);
        });
    }

    #[test]
    fn with_async_drop_around_a_body_that_fails() {
        Sweep::of(1).run(one, async |kept, stage| {
            let Some(guard) = kept.take() else { return };
            let error = Failure("the body");
            let result = with_async_drop(guard, async |value| body(value, Err(error)).await).await;
            stage.expect(result == Err(Failure("the body")), "the error of the body");
            stage.returned(&result);
        });
    }

    #[test]
    fn with_async_drop_around_a_body_that_panics() {
        Sweep::of(1).panics_itself().run(one, async |kept, stage| {
            let Some(guard) = kept.take() else { return };
            let result: Result<(), Failure> = with_async_drop(guard, async |_| {
                wait(1).await;
                panic!("the body panics")
            })
            .await;
            stage.returned(&result);
        });
    }

    #[test]
    fn the_scope_with_both_errors_around_a_body_that_succeeds() {
        Sweep::of(1).run(one, async |kept, stage| {
            let Some(guard) = kept.take() else { return };
            let result =
                with_async_drop_both_errors(guard, async |value| body(value, Ok(1)).await).await;
            stage.returned(&result);
        });
    }

    #[test]
    fn the_scope_with_both_errors_around_a_body_that_fails() {
        Sweep::of(1).run(one, async |kept, stage| {
            let Some(guard) = kept.take() else { return };
            let error = Failure("the body");
            let result =
                with_async_drop_both_errors(guard, async |value| body(value, Err(error)).await)
                    .await;
            stage.returned(&result);
            let error = result.expect_err("the body fails");
            stage.expect(
                error.body() == Some(&Failure("the body")),
                "the error of the body",
            );
            stage.expect(stage.suppressed("ada") == 0, "no error of a cleanup lost");
        });
    }

    #[test]
    fn the_scope_with_both_errors_around_a_body_that_panics() {
        Sweep::of(1).panics_itself().run(one, async |kept, stage| {
            let Some(guard) = kept.take() else { return };
            let result: Result<(), _> = with_async_drop_both_errors(guard, async |_| {
                wait(1).await;
                if true {
                    panic!("the body panics")
                }
                Result::<_, Failure>::Ok(())
            })
            .await;
            stage.returned(&result);
        });
    }

    #[test]
    fn the_macro_around_a_block_that_succeeds() {
        Sweep::of(1).run(one, async |kept, stage| {
            let Some(guard) = kept.take() else { return };
            let result = with_async_drop_2!(guard, { body(&guard, Ok(1)).await });
            stage.returned(&result);
        });
    }

    #[test]
    fn the_macro_around_a_block_that_fails() {
        Sweep::of(1).run(one, async |kept, stage| {
            let Some(guard) = kept.take() else { return };
            let error = Failure("the block");
            let result = with_async_drop_2!(guard, { body(&guard, Err(error)).await });
            stage.expect(
                result == Err(Failure("the block")),
                "the error of the block",
            );
            stage.returned(&result);
        });
    }

    #[test]
    fn the_macro_around_a_block_that_panics() {
        Sweep::of(1).panics_itself().run(one, async |kept, stage| {
            let Some(guard) = kept.take() else { return };
            let result: Result<(), Failure> = with_async_drop_2!(guard, {
                wait(1).await;
                panic!("the block panics")
            });
            stage.returned(&result);
        });
    }

    #[test]
    fn the_macro_with_a_function_for_the_error() {
        Sweep::of(1).run(one, async |kept, stage| {
            let Some(guard) = kept.take() else { return };
            let result: Result<(), String> = with_async_drop_2!(
                guard,
                {
                    wait(1).await;
                    Ok(())
                },
                |error| format!("{error:?}")
            );
            stage.returned(&result);
        });
    }

    /// The function is for the error of the cleanup alone. That of the block passes it by.
    #[test]
    fn the_macro_with_a_function_for_the_error_around_a_block_that_fails() {
        Sweep::of(1).run(one, async |kept, stage| {
            let Some(guard) = kept.take() else { return };
            let result: Result<(), String> = with_async_drop_2!(
                guard,
                {
                    wait(1).await;
                    Err("the block".to_owned())
                },
                |error| format!("{error:?}")
            );
            stage.expect(
                result == Err("the block".to_owned()),
                "the error of the block",
            );
            stage.returned(&result);
        });
    }

    #[test]
    fn the_infallible_macro() {
        Sweep::of(1).endings(NO_FAILING_ENDING).run(
            |stage| Some(stage.sure_value("ada")),
            async |kept: &mut Option<Guard<SureValue>>, stage| {
                let Some(guard) = kept.take() else { return };
                let sum: u8 = with_async_drop_2_infallible!(guard, {
                    wait(1).await;
                    7
                });
                stage.expect(sum == 7, "what the block ended with");
            },
        );
    }

    #[test]
    fn the_infallible_macro_around_a_block_that_panics() {
        let sweep = Sweep::of(1).endings(NO_FAILING_ENDING).panics_itself();
        sweep.run(
            |stage| Some(stage.sure_value("ada")),
            async |kept: &mut Option<Guard<SureValue>>, stage| {
                let Some(guard) = kept.take() else { return };
                let (): () = with_async_drop_2_infallible!(guard, {
                    wait(1).await;
                    panic!("the block panics")
                });
                stage.expect(false, "that the panic goes on");
            },
        );
    }

    #[test]
    fn async_drop_on_err_around_a_body_that_succeeds() {
        /// What the function gave back is kept, and ended by the next step.
        struct Kept(Option<Guard<Value>>, Option<Guard<Value>>);
        Sweep::of(1).run(
            |stage| Kept(one(stage), None),
            async |kept, stage| {
                if let Some(guard) = kept.0.take() {
                    let result = async_drop_on_err(guard, async |value| body(value, Ok(1)).await);
                    let (guard, one) = result.await.expect("the body succeeds");
                    stage.expect(one == 1, "what the body returned");
                    kept.1 = Some(guard);
                }
                if let Some(guard) = &mut kept.1 {
                    end(stage, guard).await;
                }
            },
        );
    }

    #[test]
    fn async_drop_on_err_around_a_body_that_fails() {
        Sweep::of(1).run(one, async |kept, stage| {
            let Some(guard) = kept.take() else { return };
            let error = Failure("the body");
            let result = async_drop_on_err(guard, async |value| body(value, Err(error)).await);
            let result = result.await.map(|_| ());
            stage.expect(result == Err(Failure("the body")), "the error of the body");
            stage.returned(&result);
        });
    }

    #[test]
    fn the_macro_that_makes_the_variable() {
        Sweep::of(1).run(one, async |kept, stage| {
            if kept.is_none() {
                return;
            }
            let mut open = async || {
                wait(1).await;
                kept.take().expect("it is opened once")
            };
            let result = with_async_drop_2!(guard = open().await, { body(&guard, Ok(1)).await });
            stage.returned(&result);
        });
    }

    #[test]
    fn the_macro_around_a_value_that_borrows() {
        Sweep::of(1).run(
            |stage| (one(stage), 0),
            async |(kept, begun), stage| {
                let Some(guard) = kept.take() else { return };
                let borrowing = guard.map_unsafe(|value| Borrowing(value, begun));
                let result = with_async_drop_2!(borrowing, { body(&borrowing, Ok(1)).await });
                stage.expect(*begun == 1, "one cleanup");
                stage.returned(&result);
            },
        );
    }

    #[test]
    fn the_macro_of_async_drop_on_err_around_a_block_that_succeeds() {
        /// What the macro gave back is kept, and ended by the next step.
        struct Kept(Option<Guard<Value>>, Option<Guard<Value>>);
        Sweep::of(1).run(
            |stage| Kept(one(stage), None),
            async |kept, stage| {
                if let Some(guard) = kept.0.take() {
                    let result = async_drop_on_err!(guard, { body(&guard, Ok(1)).await });
                    let (guard, one) = result.expect("the block succeeds");
                    stage.expect(one == 1, "what the block returned");
                    kept.1 = Some(guard);
                }
                if let Some(guard) = &mut kept.1 {
                    end(stage, guard).await;
                }
            },
        );
    }

    #[test]
    fn the_macro_of_async_drop_on_err_around_a_block_that_fails() {
        Sweep::of(1).run(one, async |kept, stage| {
            let Some(guard) = kept.take() else { return };
            let error = Failure("the block");
            let result = async_drop_on_err!(guard, { body(&guard, Err(error)).await });
            let result = result.map(|_| ());
            stage.expect(
                result == Err(Failure("the block")),
                "the error of the block",
            );
            stage.returned(&result);
        });
    }

    #[test]
    fn the_macro_of_async_drop_on_err_around_a_block_that_panics() {
        Sweep::of(1).panics_itself().run(one, async |kept, stage| {
            let Some(guard) = kept.take() else { return };
            let result: Result<(_, ()), Failure> = async_drop_on_err!(guard, {
                wait(1).await;
                panic!("the block panics")
            });
            stage.returned(&result);
        });
    }

    #[test]
    fn async_drop_on_err_around_a_body_that_panics() {
        Sweep::of(1).panics_itself().run(one, async |kept, stage| {
            let Some(guard) = kept.take() else { return };
            let result: Result<(_, ()), Failure> = async_drop_on_err(guard, async |_| {
                wait(1).await;
                panic!("the body panics")
            })
            .await;
            stage.returned(&result);
        });
    }
}

mod flatten {
    use super::*;

    type Kept = (
        Option<[Result<Guard<Value>, Failure>; 2]>,
        Option<(Guard<Value>, Guard<Value>)>,
    );

    async fn flatten(kept: &mut Kept, stage: &Stage, expected: Option<Failure>) {
        if let Some([first, second]) = kept.0.take() {
            let result: Result<_, Failure> = flatten_async_drop(first, second).await;
            match result {
                Ok(both) => kept.1 = Some(both),
                Err(error) => {
                    stage.expect(Some(&error) == expected.as_ref(), "the first error");
                    stage.returned(&error);
                }
            }
        }
        if let Some((first, second)) = &mut kept.1 {
            end(stage, first).await;
            end(stage, second).await;
        }
    }

    #[test]
    fn two_values() {
        Sweep::of(2).run(
            |stage| (Some([Ok(stage.value("ada")), Ok(stage.value("bob"))]), None),
            async |kept, stage| flatten(kept, stage, None).await,
        );
    }

    #[test]
    fn an_error_and_a_value() {
        Sweep::of(1).run(
            |stage| (Some([Err(Failure("first")), Ok(stage.value("bob"))]), None),
            async |kept, stage| flatten(kept, stage, Some(Failure("first"))).await,
        );
    }

    #[test]
    fn a_value_and_an_error() {
        Sweep::of(1).run(
            |stage| (Some([Ok(stage.value("ada")), Err(Failure("second"))]), None),
            async |kept, stage| flatten(kept, stage, Some(Failure("second"))).await,
        );
    }

    #[test]
    fn two_errors() {
        Sweep::of(0).run(
            |stage| {
                let errors = [stage.error("first"), stage.error("second")];
                (Some(errors.map(Err)), None)
            },
            async |kept, stage| {
                let begun = kept.0.is_some();
                flatten(kept, stage, Some(Failure("first"))).await;
                stage.expect(
                    !begun || stage.suppressed("second") == 1,
                    "an incident for the second error",
                );
            },
        );
    }
}

mod many {
    use super::*;

    type Map<T> = Guard<AsyncDropHashMap<&'static str, T>>;

    fn map_of<T>(values: impl IntoIterator<Item = (&'static str, Guard<T>)>) -> Map<T>
    where
        T: AsyncDrop<Error: Send> + Debug + Send,
    {
        let mut map = AsyncDropHashMap::new();
        for (key, value) in values {
            assert!(map.insert(key, value).is_none());
        }
        map
    }

    fn three(stage: &Stage) -> [(&'static str, Guard<Value>); 3] {
        ["ada", "bob", "cyd"].map(|name| (name, stage.value(name)))
    }

    #[test]
    fn async_drop_all_of_three() {
        Sweep::of(3).run(
            |stage| Some(three(stage)),
            async |kept, stage| {
                let Some(values) = kept.take() else { return };
                let result = async_drop_all(values).await;
                stage.returned(&result);
            },
        );
    }

    #[test]
    fn async_drop_all_of_none() {
        Sweep::of(0).resumable().run(
            |_| (),
            async |(), stage| {
                let nothing: [((), Guard<Value>); 0] = [];
                stage.expect(async_drop_all(nothing).await.is_ok(), "success");
            },
        );
    }

    #[test]
    fn a_map_of_three() {
        Sweep::of(3).resumable().run(
            |stage| map_of(three(stage)),
            async |map, stage| end(stage, map).await,
        );
    }

    /// A value whose cleanup owns the guard of another one, as a scope inside of a cleanup does.
    /// When it is interrupted, its future drops a guard: with the default hook that panics in the middle of a drop.
    #[derive(Debug)]
    struct Outer {
        inner: Option<Guard<Value>>,
    }

    #[async_trait]
    impl AsyncDrop for Outer {
        type Error = Failure;

        async fn async_drop_impl(&mut self) -> Result<(), Failure> {
            match self.inner.take() {
                Some(inner) => with_async_drop(inner, async |_| Ok(())).await,
                None => Ok(()),
            }
        }
    }

    fn three_outer(stage: &Stage) -> [(&'static str, Guard<Outer>); 3] {
        three(stage).map(|(name, inner)| {
            let inner = Some(inner);
            (name, Guard::new(Outer { inner }))
        })
    }

    #[test]
    fn a_map_of_values_whose_cleanups_own_guards() {
        Sweep::of(3).run(
            |stage| map_of(three_outer(stage)),
            async |map, stage| end(stage, map).await,
        );
    }

    #[test]
    fn async_drop_all_of_values_whose_cleanups_own_guards() {
        Sweep::of(3).run(
            |stage| Some(three_outer(stage)),
            async |kept, stage| {
                let Some(values) = kept.take() else { return };
                let result = async_drop_all(values).await;
                stage.returned(&result);
            },
        );
    }

    #[cfg(feature = "tokio")]
    #[test]
    fn a_map_of_shared_values_behind_a_lock() {
        type Shared = AsyncDropArc<AsyncDropTokioMutex<Value>>;
        struct Kept {
            map: Map<Shared>,
            other_owner: Guard<Shared>,
            ending: bool,
        }
        Sweep::of(2).resumable().run(
            |stage| {
                let [ada, bob] = ["ada", "bob"]
                    .map(|name| AsyncDropArc::new(AsyncDropTokioMutex::new(stage.value(name))));
                let other_owner = AsyncDropArc::clone(&ada);
                let map = map_of([("ada", ada), ("bob", bob)]);
                let ending = false;
                Kept {
                    map,
                    other_owner,
                    ending,
                }
            },
            async |kept, stage| {
                if !kept.ending {
                    wait(1).await;
                    drop(kept.other_owner.lock().await);
                    kept.ending = true;
                }
                end(stage, &mut kept.map).await;
                end(stage, &mut kept.other_owner).await;
            },
        );
    }
}

mod derived {
    use super::*;

    macro_rules! with_three_values {
        ($($(#[$attribute:meta])* $name:ident)*) => {$(
            #[derive(Debug, AsyncDrop)]
            $(#[$attribute])*
            struct $name {
                ada: AsyncDropGuard<Value>,
                bob: AsyncDropGuard<Value>,
                cyd: AsyncDropGuard<Value>,
            }

            impl $name {
                fn of(stage: &Stage) -> AsyncDropGuard<Self> {
                    let [ada, bob, cyd] = ["ada", "bob", "cyd"].map(|name| stage.value(name));
                    AsyncDropGuard::new(Self { ada, bob, cyd })
                }
            }
        )*};
    }

    with_three_values! {
        Declared
        #[async_drop(reverse)] Reversed
        #[async_drop(concurrent)] Concurrent
        #[async_drop(error = "Failure")] FirstError
        #[async_drop(concurrent, error = "Failure")] FirstErrorOfConcurrent
    }

    #[test]
    fn three_fields_one_after_the_other() {
        Sweep::of(3)
            .resumable()
            .run(Declared::of, async |guard, stage| end(stage, guard).await);
    }

    #[test]
    fn three_fields_in_reverse() {
        Sweep::of(3)
            .resumable()
            .run(Reversed::of, async |guard, stage| end(stage, guard).await);
    }

    #[test]
    fn three_fields_at_the_same_time() {
        Sweep::of(3)
            .resumable()
            .run(Concurrent::of, async |guard, stage| end(stage, guard).await);
    }

    /// Not resumable in the words of the harness: a second error is reported even where nobody interrupts.
    #[test]
    fn three_fields_and_the_first_error() {
        Sweep::of(3).run(FirstError::of, async |guard, stage| {
            end(stage, guard).await;
        });
    }

    #[test]
    fn three_fields_at_the_same_time_and_the_first_error() {
        Sweep::of(3).run(FirstErrorOfConcurrent::of, async |guard, stage| {
            end(stage, guard).await;
        });
    }

    /// Each value is in another kind of place, and one is behind two derived types.
    #[derive(Debug, AsyncDrop)]
    enum Place<T: AsyncDrop + Debug + Send> {
        Inner(AsyncDropGuard<T>, Vec<AsyncDropGuard<Value>>),
        Outer {
            inner: AsyncDropGuard<Box<Place<T>>>,
            other: Option<AsyncDropGuard<T>>,
        },
    }

    #[test]
    fn an_enum_in_an_enum() {
        Sweep::of(3).resumable().run(
            |stage| {
                let other = Some(stage.value("ada"));
                let inner = Place::Inner(stage.value("bob"), vec![stage.value("cyd")]);
                let inner = Guard::new(inner).into_box();
                Guard::new(Place::Outer { inner, other })
            },
            async |guard, stage| end(stage, guard).await,
        );
    }

    /// The fields are helpers, which keep errors of their own while they are interrupted.
    #[derive(Debug, AsyncDrop)]
    struct Helpers {
        shared: AsyncDropGuard<AsyncDropArc<Value>>,
        map: AsyncDropGuard<AsyncDropHashMap<&'static str, Value>>,
    }

    #[test]
    fn helpers_in_fields() {
        Sweep::of(3).resumable().run(
            |stage| {
                let shared = AsyncDropArc::new(stage.value("ada"));
                let mut map = AsyncDropHashMap::new();
                for name in ["bob", "cyd"] {
                    assert!(map.insert(name, stage.value(name)).is_none());
                }
                Guard::new(Helpers { shared, map })
            },
            async |guard, stage| end(stage, guard).await,
        );
    }

    /// Here the call owns the value, and nobody can call again.
    #[test]
    fn a_scope_around_a_derived_value() {
        Sweep::of(3).run(
            |stage| Some(FirstError::of(stage)),
            async |kept, stage| {
                let Some(guard) = kept.take() else { return };
                let result: Result<(), Failure> = with_async_drop(guard, async |_| Ok(())).await;
                stage.returned(&result);
            },
        );
    }
}

mod one_value_in_a_helper {
    use super::*;

    #[test]
    fn an_arc_whose_owners_let_go_in_turn() {
        Sweep::of(1).resumable().run(
            |stage| {
                let first = AsyncDropArc::new(stage.value("ada"));
                let second = AsyncDropArc::clone(&first);
                let weak = AsyncDropArc::downgrade(&first);
                (first, second, weak)
            },
            async |(first, second, weak), stage| {
                end(stage, first).await;
                wait(1).await;
                if let Some(mut third) = weak.upgrade() {
                    end(stage, &mut third).await;
                }
                wait(1).await;
                end(stage, second).await;
                stage.expect(weak.upgrade().is_none(), "no owner after the last one");
            },
        );
    }

    #[test]
    fn an_arc_whose_owners_let_go_in_one_task() {
        Sweep::of(2).resumable().run(
            |stage| {
                let one = AsyncDropArc::new(stage.value("ada"));
                let other = AsyncDropArc::clone(&one);
                (one, other, stage.value("bob"))
            },
            async |(one, other, bob), stage| {
                tokio::join!(end(stage, one), end(stage, other), end(stage, bob));
            },
        );
    }

    #[test]
    fn the_guard_that_an_arc_gives_back() {
        struct Kept(Option<Guard<AsyncDropArc<Value>>>, Option<Guard<Value>>);
        Sweep::of(1).resumable().run(
            |stage| Kept(Some(AsyncDropArc::new(stage.value("ada"))), None),
            async |kept, stage| {
                wait(1).await;
                if let Some(owner) = kept.0.take() {
                    kept.1 = AsyncDropArc::into_inner(owner);
                }
                if let Some(guard) = &mut kept.1 {
                    end(stage, guard).await;
                }
            },
        );
    }

    #[cfg(feature = "tokio")]
    #[test]
    fn a_mutex_that_is_locked_and_then_ended() {
        Sweep::of(1).resumable().run(
            |stage| (AsyncDropTokioMutex::new(stage.value("ada")), false),
            async |(mutex, ending), stage| {
                if !*ending {
                    let lock = async {
                        let _held = mutex.lock().await;
                        wait(1).await;
                    };
                    let wait_for_it = async {
                        wait(1).await;
                        drop(mutex.lock().await);
                    };
                    tokio::join!(lock, wait_for_it);
                    *ending = true;
                }
                end(stage, mutex).await;
            },
        );
    }

    #[test]
    fn a_result_with_a_value() {
        Sweep::of(1).resumable().run(
            |stage| AsyncDropResult::<_, Failure>::new(Ok(stage.value("ada"))),
            async |guard, stage| end(stage, guard).await,
        );
    }

    #[test]
    fn a_result_with_an_error() {
        Sweep::of(0).resumable().run(
            |_| AsyncDropResult::<Value, _>::new(Err(Failure("no value"))),
            async |guard, stage| {
                stage.expect(guard.is_dropped() || guard.err().is_some(), "the error");
                let result = guard.async_drop().await;
                stage.expect(result.is_ok(), "success");
            },
        );
    }
}

mod shared {
    use super::*;

    type Creation<T> = Pin<Box<dyn Future<Output = Guard<T>> + Send>>;
    type Shared<T> = Guard<AsyncDropShared<T, Creation<T>>>;

    fn create(stage: &Stage) -> Creation<Value> {
        let stage = stage.clone();
        Box::pin(async move {
            wait(1).await;
            let value = stage.value("ada");
            // A guard is dropped here if the creation is: it holds a guard across an `.await`.
            wait(1).await;
            value
        })
    }

    /// The two ways to wait for the value.
    #[derive(Clone, Copy)]
    enum By {
        Get,
        AwaitingTheOwner,
    }

    async fn get(shared: &Shared<Value>, by: By) -> Guard<AsyncDropArc<Value>> {
        match by {
            By::Get => shared.get().await,
            By::AwaitingTheOwner => (&**shared).await,
        }
    }

    /// Gets the value and lets go of it again, unless the owner has let go already.
    async fn get_and_end(stage: &Stage, shared: &Shared<Value>, by: By) {
        if !shared.is_dropped() {
            let mut value = get(shared, by).await;
            wait(1).await;
            end(stage, &mut value).await;
        }
    }

    #[test]
    fn the_last_owner_finishes_a_creation_that_never_ran() {
        Sweep::of(1).resumable().run(
            |stage| AsyncDropShared::new(create(stage)),
            async |shared, stage| {
                // Whatever state a call has left it in, one can look at it.
                if !shared.is_dropped() {
                    let shown = format!("{shared:?}");
                    stage.expect(
                        shown.contains("Value(ada)") == shared.peek().is_some(),
                        "that `Debug` shows what `peek` does",
                    );
                }
                end(stage, shared).await;
            },
        );
    }

    #[test]
    fn two_owners_of_a_creation_that_never_ran() {
        Sweep::of(1).resumable().run(
            |stage| {
                let first = AsyncDropShared::new(create(stage));
                let second = AsyncDropShared::clone(&first);
                (first, second)
            },
            async |(first, second), stage| {
                tokio::join!(end(stage, first), end(stage, second));
            },
        );
    }

    /// What `get` returned is owned by the call, so dropping the call leaves an owner behind that is reported.
    /// The value is cleaned up all the same, or reported itself where that owner was the last.
    fn waiters_and_owners(by: By) {
        struct Kept {
            first: Shared<Value>,
            second: Shared<Value>,
            ending: bool,
        }
        Sweep::of(1).run(
            |stage| {
                let first = AsyncDropShared::new(create(stage));
                let second = AsyncDropShared::clone(&first);
                let ending = false;
                Kept {
                    first,
                    second,
                    ending,
                }
            },
            async |kept, stage| {
                if !kept.ending {
                    tokio::join!(
                        get_and_end(stage, &kept.first, by),
                        get_and_end(stage, &kept.second, by)
                    );
                    kept.ending = true;
                }
                end(stage, &mut kept.first).await;
                end(stage, &mut kept.second).await;
            },
        );
    }

    #[test]
    fn two_waiters_and_two_owners() {
        waiters_and_owners(By::Get);
    }

    #[test]
    fn two_waiters_that_await_their_owners() {
        waiters_and_owners(By::AwaitingTheOwner);
    }

    fn hand_the_creation_over(by: By) {
        struct Kept {
            first: Shared<Value>,
            second: Shared<Value>,
            calls: usize,
        }
        Sweep::of(1).resumable().run(
            |stage| {
                let first = AsyncDropShared::new(create(stage));
                let second = AsyncDropShared::clone(&first);
                let calls = 0;
                Kept {
                    first,
                    second,
                    calls,
                }
            },
            async |kept, stage| {
                // The first call polls through one owner and the next one through the other, so that a cut lies between.
                kept.calls += 1;
                let waiter = if kept.calls % 2 == 1 {
                    &kept.first
                } else {
                    &kept.second
                };
                if !waiter.is_dropped() && waiter.peek().is_none() && kept.calls < 3 {
                    let mut value = get(waiter, by).await;
                    end(stage, &mut value).await;
                }
                end(stage, &mut kept.first).await;
                end(stage, &mut kept.second).await;
            },
        );
    }

    #[test]
    fn a_waiter_that_is_cancelled_hands_the_creation_over() {
        hand_the_creation_over(By::Get);
    }

    #[test]
    fn a_waiter_that_awaits_its_owner_and_is_cancelled_hands_the_creation_over() {
        hand_the_creation_over(By::AwaitingTheOwner);
    }

    #[test]
    fn a_creation_that_has_captured_a_guard() {
        Sweep::of(2).run(
            |stage| {
                let mut parts = stage.value("parts");
                let stage = stage.clone();
                let create: Creation<Value> = Box::pin(async move {
                    wait(1).await;
                    // What it was given is used up, and then the value is made.
                    end(&stage, &mut parts).await;
                    stage.value("ada")
                });
                AsyncDropShared::new(create)
            },
            async |shared, stage| end(stage, shared).await,
        );
    }

    #[test]
    fn a_creation_that_passes_a_captured_guard_on() {
        Sweep::of(1).resumable().run(
            |stage| {
                let parts = stage.value("parts");
                let create: Creation<Box<Value>> = Box::pin(async move {
                    wait(2).await;
                    parts.into_box()
                });
                AsyncDropShared::new(create)
            },
            async |shared, stage| end(stage, shared).await,
        );
    }

    #[test]
    fn a_creation_that_panics_with_a_guard_in_its_hands() {
        Sweep::of(1).panics_itself().run(
            |stage| {
                let parts = stage.value("parts");
                let create: Creation<Value> = Box::pin(async move {
                    let _parts = parts;
                    wait(1).await;
                    panic!("the creation panics")
                });
                AsyncDropShared::new(create)
            },
            async |shared, stage| end(stage, shared).await,
        );
    }

    /// Whoever waits for it meets the panic, and the owners have nothing to clean up.
    fn wait_for_a_creation_that_panics(by: By) {
        struct Kept {
            first: Shared<Value>,
            second: Shared<Value>,
            calls: usize,
        }
        Sweep::of(1).panics_itself().run(
            |stage| {
                let parts = stage.value("parts");
                let create: Creation<Value> = Box::pin(async move {
                    let _parts = parts;
                    wait(2).await;
                    panic!("the creation panics")
                });
                let first = AsyncDropShared::new(create);
                let second = AsyncDropShared::clone(&first);
                let calls = 0;
                Kept {
                    first,
                    second,
                    calls,
                }
            },
            async |kept, stage| {
                // The first call waits through one owner, the next one through the other, and the third lets go of both.
                kept.calls += 1;
                let waiter = match kept.calls {
                    1 => Some(&kept.first),
                    2 => Some(&kept.second),
                    _ => None,
                };
                if let Some(waiter) = waiter {
                    let mut value = get(waiter, by).await;
                    stage.expect(false, "that the waiter panics");
                    end(stage, &mut value).await;
                }
                end(stage, &mut kept.first).await;
                end(stage, &mut kept.second).await;
            },
        );
    }

    #[test]
    fn two_waiters_for_a_creation_that_panics() {
        wait_for_a_creation_that_panics(By::Get);
    }

    #[test]
    fn two_waiters_that_await_the_owners_of_a_creation_that_panics() {
        wait_for_a_creation_that_panics(By::AwaitingTheOwner);
    }

    #[test]
    fn a_shared_map() {
        Sweep::of(2).resumable().run(
            |stage| {
                let stage = stage.clone();
                let create: Creation<AsyncDropHashMap<_, _>> = Box::pin(async move {
                    let mut map = AsyncDropHashMap::new();
                    for name in ["ada", "bob"] {
                        assert!(map.insert(name, stage.value(name)).is_none());
                        wait(1).await;
                    }
                    map
                });
                let first = AsyncDropShared::new(create);
                let second = AsyncDropShared::clone(&first);
                (first, second)
            },
            async |(first, second), stage| {
                end(stage, first).await;
                end(stage, second).await;
            },
        );
    }
}

#[cfg(feature = "tokio")]
mod reaper {
    use super::*;
    use std::any::TypeId;
    use std::future::poll_fn;
    use std::pin::pin;
    use std::time::Duration;

    use asyncdrop::{AsyncDropReaper, DeadlineError, Reaped, ReaperHandle, ShutdownError};
    use tokio::runtime::{Builder, Runtime};
    use tokio::task::yield_now;
    use tokio::time::advance;

    /// What a program has that uses a reaper. The fields are dropped in this order, as they would be in `main`.
    struct World<V> {
        values: V,
        reaper: Option<Guard<AsyncDropReaper>>,
        handle: ReaperHandle,
        runtime: Runtime,
    }

    impl<V> World<V> {
        fn new(values: impl FnOnce(&ReaperHandle) -> V) -> Self {
            Self::with_reaper(|| AsyncDropReaper::new(), values)
        }

        /// With a reaper that does one thing at a time.
        fn one_by_one(values: impl FnOnce(&ReaperHandle) -> V) -> Self {
            let one_by_one = || AsyncDropReaper::builder().max_concurrent(1).build();
            Self::with_reaper(one_by_one, values)
        }

        fn with_reaper(
            reaper: impl FnOnce() -> Guard<AsyncDropReaper>,
            values: impl FnOnce(&ReaperHandle) -> V,
        ) -> Self {
            // After each poll of a task it looks whether the test itself wants to go on.
            // Its clock stands still, so that a deadline passes where a scenario wants it to.
            let runtime = Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .event_interval(1)
                .build()
                .unwrap();
            let reaper = {
                let _inside = runtime.enter();
                reaper()
            };
            let handle = reaper.handle();
            Self {
                values: values(&handle),
                reaper: Some(reaper),
                handle,
                runtime,
            }
        }

        fn reaper(&self) -> &AsyncDropReaper {
            self.reaper.as_ref().expect("nobody takes it")
        }

        /// Ends the reaper, and notes what that returned.
        async fn end(&mut self, stage: &Stage) {
            let reaper = self.reaper.as_mut().expect("nobody takes it");
            let result = while_tasks_run(&self.runtime, &self.handle, reaper.async_drop()).await;
            stage.returned(&result);
        }
    }

    /// Lets the tasks of the runtime take a step between two polls of `future`.
    async fn while_tasks_run<F: Future>(
        runtime: &Runtime,
        handle: &ReaperHandle,
        future: F,
    ) -> F::Output {
        while_tasks_and_the_clock_run(runtime, handle, usize::MAX, future).await
    }

    /// A deadline that comes when the clock of a scenario moves on, and no earlier.
    const LATER: Duration = Duration::from_secs(1);

    /// Polls after which a cleanup that waits has begun and not ended.
    const IN_THE_MIDDLE: [usize; 2] = [1, 2];

    /// As [`while_tasks_run`], and [`LATER`] comes between that poll and the next one, counted from 1.
    async fn while_tasks_and_the_clock_run<F: Future>(
        runtime: &Runtime,
        handle: &ReaperHandle,
        later_after: usize,
        future: F,
    ) -> F::Output {
        let mut future = pin!(future);
        let mut polls = 0;
        poll_fn(|context| {
            let polled = {
                let _inside = runtime.enter();
                future.as_mut().poll(context)
            };
            polls += 1;
            if polls == later_after {
                runtime.block_on(advance(LATER));
            }
            runtime.block_on(yield_now());
            if handle.pending() > 0 {
                // There are more steps to take. After the last one it is the reaper that has to wake its caller.
                context.waker().wake_by_ref();
            }
            polled
        })
        .await
    }

    async fn end_in_place<T>(stage: &Stage, reaped: &mut Reaped<T>)
    where
        T: AsyncDrop<Error: Debug + Into<Box<dyn std::error::Error + Send + Sync>>>
            + Debug
            + Send
            + 'static,
    {
        let result = reaped.async_drop().await;
        stage.returned(&result);
    }

    #[test]
    fn a_value_that_is_ended_in_place() {
        Sweep::of(1).resumable().run(
            |stage| World::new(|reaper| reaper.adopt(stage.value("ada"))),
            async |world, stage| {
                end_in_place(stage, &mut world.values).await;
                world.end(stage).await;
            },
        );
    }

    fn handed_over(sweep: Sweep) {
        sweep.run(
            |stage| {
                World::new(|reaper| {
                    let names = ["ada", "bob"];
                    Some(names.map(|name| reaper.adopt(stage.value(name))))
                })
            },
            async |world, stage| {
                wait(1).await;
                drop(world.values.take());
                world.end(stage).await;
            },
        );
    }

    #[test]
    fn values_that_are_handed_over() {
        handed_over(Sweep::of(2));
    }

    #[test]
    fn values_that_are_handed_over_to_a_reaper_that_is_interrupted() {
        handed_over(Sweep::of(2).resumable().tried_once());
    }

    fn handed_over_one_by_one(sweep: Sweep) {
        sweep.run(
            |stage| {
                World::one_by_one(|reaper| {
                    let names = ["ada", "bob"];
                    Some(names.map(|name| reaper.adopt(stage.value(name))))
                })
            },
            async |world, stage| {
                drop(world.values.take());
                world.end(stage).await;
            },
        );
    }

    #[test]
    fn values_that_wait_for_their_turn() {
        handed_over_one_by_one(Sweep::of(2));
    }

    #[test]
    fn values_that_wait_for_their_turn_in_a_reaper_that_is_interrupted() {
        handed_over_one_by_one(Sweep::of(2).resumable().tried_once());
    }

    #[test]
    fn values_that_wait_for_their_turn_at_a_deadline() {
        for later_after in IN_THE_MIDDLE {
            Sweep::of(2).endings(THREE_ENDINGS).panics_itself().run(
                |stage| {
                    World::one_by_one(|reaper| {
                        let (ada, bob) = (stage.value("ada"), stage.value("bob"));
                        Some([ada, bob].map(|value| reaper.adopt(value)))
                    })
                },
                async |world, stage| {
                    drop(world.values.take());
                    let Some(reaper) = world.reaper.take() else {
                        return;
                    };
                    let end = AsyncDropReaper::shutdown(reaper, LATER);
                    let (runtime, handle) = (&world.runtime, &world.handle);
                    let end = while_tasks_and_the_clock_run(runtime, handle, later_after, end);
                    note(stage, &end.await);
                },
            );
        }
    }

    #[test]
    fn a_value_that_is_taken_back() {
        Sweep::of(1).resumable().run(
            |stage| World::new(|reaper| Reaped::into_guard(reaper.adopt(stage.value("ada")))),
            async |world, stage| {
                end(stage, &mut world.values).await;
                world.end(stage).await;
            },
        );
    }

    #[test]
    fn errors_that_are_taken_before_the_end() {
        Sweep::of(2).resumable().tried_once().run(
            |stage| {
                World::new(|reaper| {
                    let names = ["ada", "bob"];
                    Some(names.map(|name| reaper.adopt(stage.value(name))))
                })
            },
            async |world, stage| {
                drop(world.values.take());
                while_tasks_run(&world.runtime, &world.handle, wait(1)).await;
                if let Some(errors) = world.handle.take_errors() {
                    stage.returned(&errors);
                }
                world.end(stage).await;
            },
        );
    }

    /// The first call owns the value. Dropped in the middle of the cleanup, it hands the value over.
    fn ended_by_a_call_that_owns_it(sweep: Sweep) {
        sweep.run(
            |stage| World::new(|reaper| Some(reaper.adopt(stage.value("ada")))),
            async |world, stage| {
                if let Some(mut reaped) = world.values.take() {
                    wait(1).await;
                    end_in_place(stage, &mut reaped).await;
                }
                world.end(stage).await;
            },
        );
    }

    #[test]
    fn a_value_whose_owner_is_dropped() {
        ended_by_a_call_that_owns_it(Sweep::of(1));
    }

    #[test]
    fn a_value_whose_owner_is_dropped_before_the_reaper_is_interrupted() {
        ended_by_a_call_that_owns_it(Sweep::of(1).resumable().tried_once());
    }

    async fn body(_: &mut Value, result: Result<u8, Failure>) -> Result<u8, Failure> {
        wait(1).await;
        result
    }

    /// Who makes the scope.
    #[derive(Clone, Copy)]
    enum By {
        Handle,
        Reaper,
    }

    fn scope(sweep: Sweep, by: By, error: Option<Failure>) {
        let expected = || error.as_ref().map_or(Ok(1), |error| Err(Failure(error.0)));
        sweep.run(
            |stage| World::new(|_| Some(stage.value("ada"))),
            async |world, stage| {
                if let Some(guard) = world.values.take() {
                    let body = async |value: &mut Value| body(value, expected()).await;
                    let result = match by {
                        By::Handle => world.handle.scope(guard, body).await,
                        By::Reaper => world.reaper().scope(guard, body).await,
                    };
                    stage.expect(
                        error.is_none() || result == expected(),
                        "the error of the body",
                    );
                    stage.returned(&result);
                }
                world.end(stage).await;
            },
        );
    }

    #[test]
    fn a_scope_around_a_body_that_succeeds() {
        scope(Sweep::of(1), By::Handle, None);
    }

    #[test]
    fn a_scope_of_the_reaper_itself_around_a_body_that_succeeds() {
        scope(Sweep::of(1), By::Reaper, None);
    }

    #[test]
    fn a_scope_around_a_body_that_succeeds_and_a_reaper_that_is_interrupted() {
        scope(Sweep::of(1).resumable().tried_once(), By::Handle, None);
    }

    #[test]
    fn a_scope_of_the_reaper_itself_that_is_interrupted() {
        scope(Sweep::of(1).resumable().tried_once(), By::Reaper, None);
    }

    // Not resumable: the error of the body is returned, and that of the cleanup is reported even where nobody interrupts.
    #[test]
    fn a_scope_around_a_body_that_fails() {
        scope(Sweep::of(1), By::Handle, Some(Failure("the body")));
    }

    #[test]
    fn a_scope_of_the_reaper_itself_around_a_body_that_fails() {
        scope(Sweep::of(1), By::Reaper, Some(Failure("the body")));
    }

    /// The reaper cleans up after the panic, so all is well when the next call has ended.
    fn scope_around_a_panic(by: By) {
        let sweep = Sweep::of(1).panics_itself().resumable().tried_once();
        sweep.run(
            |stage| World::new(|_| Some(stage.value("ada"))),
            async |world, stage| {
                if let Some(guard) = world.values.take() {
                    let body = async |_: &mut Value| {
                        wait(1).await;
                        panic!("the body panics")
                    };
                    let result: Result<(), Failure> = match by {
                        By::Handle => world.handle.scope(guard, body).await,
                        By::Reaper => world.reaper().scope(guard, body).await,
                    };
                    stage.returned(&result);
                }
                world.end(stage).await;
            },
        );
    }

    #[test]
    fn a_scope_around_a_body_that_panics() {
        scope_around_a_panic(By::Handle);
    }

    #[test]
    fn a_scope_of_the_reaper_itself_around_a_body_that_panics() {
        scope_around_a_panic(By::Reaper);
    }

    #[test]
    fn a_value_in_place_another_handed_over_and_a_third_in_a_scope() {
        struct Values {
            ada: Reaped<Value>,
            bob: Option<Reaped<Value>>,
            cyd: Option<Guard<Value>>,
        }
        let endings = &[Ending::Succeeds, Ending::Fails, Ending::PanicsOnce];
        let sweep = Sweep::of(3).endings(endings);
        sweep.resumable().tried_once().run(
            |stage| {
                World::new(|reaper| Values {
                    ada: reaper.adopt(stage.value("ada")),
                    bob: Some(reaper.adopt(stage.value("bob"))),
                    cyd: Some(stage.value("cyd")),
                })
            },
            async |world, stage| {
                drop(world.values.bob.take());
                if let Some(guard) = world.values.cyd.take() {
                    let scope = world
                        .handle
                        .scope(guard, async |value| body(value, Ok(1)).await);
                    let result = scope.await;
                    stage.returned(&result);
                }
                end_in_place(stage, &mut world.values.ada).await;
                world.end(stage).await;
            },
        );
    }

    /// Two owners of one value, each of whom the reaper adopts: whichever task lets go last cleans up.
    fn owners_of_an_arc(sweep: Sweep) {
        sweep.run(
            |stage| {
                World::new(|reaper| {
                    let one = AsyncDropArc::new(stage.value("ada"));
                    let other = AsyncDropArc::clone(&one);
                    Some((reaper.adopt(one), reaper.adopt(other)))
                })
            },
            async |world, stage| {
                if let Some((one, other)) = world.values.take() {
                    drop(one);
                    wait(1).await;
                    drop(other);
                }
                world.end(stage).await;
            },
        );
    }

    #[test]
    fn owners_of_an_arc_that_are_handed_over() {
        owners_of_an_arc(Sweep::of(1));
    }

    #[test]
    fn owners_of_an_arc_that_are_handed_over_to_a_reaper_that_is_interrupted() {
        owners_of_an_arc(Sweep::of(1).resumable().tried_once());
    }

    type Map = AsyncDropHashMap<&'static str, Value>;

    fn map_of_two(stage: &Stage) -> Guard<Map> {
        let mut map = AsyncDropHashMap::new();
        for name in ["ada", "bob"] {
            assert!(map.insert(name, stage.value(name)).is_none());
        }
        map
    }

    #[test]
    fn a_map_that_is_ended_in_place() {
        Sweep::of(2).resumable().run(
            |stage| World::new(|reaper| reaper.adopt(map_of_two(stage))),
            async |world, stage| {
                end_in_place(stage, &mut world.values).await;
                world.end(stage).await;
            },
        );
    }

    /// The first call owns the map. Dropped in the middle of the cleanup, it hands over what is left,
    /// together with the errors that the map has gathered.
    fn map_ended_by_a_call_that_owns_it(sweep: Sweep) {
        sweep.run(
            |stage| World::new(|reaper| Some(reaper.adopt(map_of_two(stage)))),
            async |world, stage| {
                if let Some(mut reaped) = world.values.take() {
                    wait(1).await;
                    end_in_place(stage, &mut reaped).await;
                }
                world.end(stage).await;
            },
        );
    }

    #[test]
    fn a_map_whose_owner_is_dropped() {
        map_ended_by_a_call_that_owns_it(Sweep::of(2));
    }

    #[test]
    fn a_map_whose_owner_is_dropped_before_the_reaper_is_interrupted() {
        // Nothing panics here: the map would panic with it, in the reaper, which does not try it again.
        // What the others have failed with, and the map has kept for a next call, is reported then instead of returned.
        let endings = &[Ending::Succeeds, Ending::Fails];
        map_ended_by_a_call_that_owns_it(Sweep::of(2).endings(endings).resumable());
    }

    /// A value that is in use stays with its owner, who ends it or is reported.
    fn note(stage: &Stage, result: &Result<(), ShutdownError>) {
        stage.returned(result);
        if let Err(error) = result {
            for value in error.being_cleaned_up() {
                stage.given_up(value.location());
            }
        }
    }

    #[test]
    fn a_shutdown_without_haste() {
        Sweep::of(1).run(
            |stage| World::new(|reaper| Some(reaper.adopt(stage.value("ada")))),
            async |world, stage| {
                drop(world.values.take());
                let Some(reaper) = world.reaper.take() else {
                    return;
                };
                let end = AsyncDropReaper::shutdown(reaper, Duration::MAX);
                note(
                    stage,
                    &while_tasks_run(&world.runtime, &world.handle, end).await,
                );
            },
        );
    }

    /// Nobody waits for the cleanup, so the value may only be named.
    #[test]
    fn a_shutdown_that_gives_up_at_once() {
        Sweep::of(1).panics_itself().run(
            |stage| World::new(|reaper| Some(reaper.adopt(stage.value("ada")))),
            async |world, stage| {
                if let Some(reaped) = world.values.take() {
                    drop(reaped);
                    // Whatever the first step of the cleanup comes to.
                    while_tasks_run(&world.runtime, &world.handle, wait(1)).await;
                }
                let Some(reaper) = world.reaper.take() else {
                    return;
                };
                let end = AsyncDropReaper::shutdown(reaper, Duration::ZERO);
                note(
                    stage,
                    &while_tasks_run(&world.runtime, &world.handle, end).await,
                );
            },
        );
    }

    /// Two are handed over, and the third is ended by its owner while the reaper waits for all of them.
    struct Three {
        handed_over: Option<[Reaped<Value>; 2]>,
        in_use: Reaped<Value>,
    }

    impl Three {
        fn of(stage: &Stage, reaper: &ReaperHandle) -> Self {
            let ada = reaper.adopt(stage.value("ada"));
            let bob = reaper.adopt(stage.value("bob"));
            Self {
                handed_over: Some([ada, bob]),
                in_use: reaper.adopt(stage.value("cyd")),
            }
        }
    }

    const THREE_ENDINGS: &[Ending] = &[Ending::Succeeds, Ending::Fails, Ending::PanicsOnce];

    #[test]
    fn a_shutdown_of_several_values_without_haste() {
        Sweep::of(3).endings(THREE_ENDINGS).run(
            |stage| World::new(|reaper| Three::of(stage, reaper)),
            async |world, stage| {
                drop(world.values.handed_over.take());
                let shutdown = async {
                    if let Some(reaper) = world.reaper.take() {
                        let end = AsyncDropReaper::shutdown(reaper, Duration::MAX);
                        let end = while_tasks_run(&world.runtime, &world.handle, end);
                        note(stage, &end.await);
                    }
                };
                tokio::join!(shutdown, end_in_place(stage, &mut world.values.in_use));
            },
        );
    }

    /// The deadline passes while some are cleaned up, some are waiting, and one is in use, whose owner ends it afterwards.
    #[test]
    fn a_shutdown_of_several_values_whose_deadline_passes_between_two_polls() {
        for later_after in IN_THE_MIDDLE {
            let sweep = Sweep::of(3).endings(THREE_ENDINGS).panics_itself();
            sweep.run(
                |stage| World::new(|reaper| Three::of(stage, reaper)),
                async |world, stage| {
                    drop(world.values.handed_over.take());
                    if let Some(reaper) = world.reaper.take() {
                        let end = AsyncDropReaper::shutdown(reaper, LATER);
                        let end = while_tasks_and_the_clock_run(
                            &world.runtime,
                            &world.handle,
                            later_after,
                            end,
                        );
                        let result = end.await;
                        let in_use = result
                            .as_ref()
                            .map_or_else(|error| error.in_use().len(), |()| 0);
                        stage.expect(in_use == 1, "that the error names the value in use");
                        note(stage, &result);
                    }
                    end_in_place(stage, &mut world.values.in_use).await;
                },
            );
        }
    }

    /// When the limit comes, if it comes at all.
    #[derive(Clone, Copy)]
    enum Limit {
        Never,
        AtOnce,
        /// After so many polls of the call.
        After(usize),
    }

    /// One end of a guard within that limit.
    ///
    /// Given up, a value is named by the error alone. A helper has no error for what it holds:
    /// the guards inside of it report themselves, and the audit wants them to.
    async fn end_within<T>(
        (runtime, handle): (&Runtime, &ReaperHandle),
        stage: &Stage,
        guard: &mut Guard<T>,
        limit: Limit,
    ) where
        T: AsyncDrop<Error: Debug> + Debug + 'static,
    {
        let (limit, later_after) = match limit {
            Limit::Never => (Duration::MAX, usize::MAX),
            Limit::AtOnce => (Duration::ZERO, usize::MAX),
            Limit::After(polls) => (LATER, polls),
        };
        let cleanup = guard.async_drop_within(limit);
        let result = while_tasks_and_the_clock_run(runtime, handle, later_after, cleanup).await;
        if let Err(DeadlineError::Passed { origin, .. }) = &result
            && TypeId::of::<T>() == TypeId::of::<Value>()
        {
            stage.given_up(origin.location());
        }
        stage.returned(&result);
    }

    fn within(sweep: Sweep, limit: Limit) {
        sweep.run(
            |stage| World::new(|_| stage.value("ada")),
            async |world, stage| {
                let inside = (&world.runtime, &world.handle);
                end_within(inside, stage, &mut world.values, limit).await;
                world.end(stage).await;
            },
        );
    }

    fn map_within(sweep: Sweep, limit: Limit) {
        sweep.run(
            |stage| World::new(|_| map_of_two(stage)),
            async |world, stage| {
                let inside = (&world.runtime, &world.handle);
                end_within(inside, stage, &mut world.values, limit).await;
                world.end(stage).await;
            },
        );
    }

    /// The first owner need not wait for anything, so no limit is too short for it.
    fn arc_within(sweep: Sweep, limit: Limit) {
        sweep.run(
            |stage| {
                World::new(|_| {
                    let first = AsyncDropArc::new(stage.value("ada"));
                    let last = AsyncDropArc::clone(&first);
                    (first, last)
                })
            },
            async |world, stage| {
                let inside = (&world.runtime, &world.handle);
                let (first, last) = &mut world.values;
                end_within(inside, stage, first, limit).await;
                end_within(inside, stage, last, limit).await;
                world.end(stage).await;
            },
        );
    }

    #[test]
    fn a_cleanup_with_a_deadline_far_away() {
        within(Sweep::of(1).resumable(), Limit::Never);
    }

    #[test]
    fn a_cleanup_with_a_deadline_that_has_passed() {
        within(Sweep::of(1).panics_itself(), Limit::AtOnce);
    }

    #[test]
    fn a_cleanup_with_a_deadline_that_passes_between_two_polls() {
        for polls in IN_THE_MIDDLE {
            within(Sweep::of(1).panics_itself(), Limit::After(polls));
        }
    }

    #[test]
    fn a_map_with_a_deadline_far_away() {
        map_within(Sweep::of(2).resumable(), Limit::Never);
    }

    #[test]
    fn a_map_with_a_deadline_that_has_passed() {
        map_within(Sweep::of(2).panics_itself(), Limit::AtOnce);
    }

    #[test]
    fn a_map_with_a_deadline_that_passes_between_two_polls() {
        for polls in IN_THE_MIDDLE {
            map_within(Sweep::of(2).panics_itself(), Limit::After(polls));
        }
    }

    #[test]
    fn an_arc_with_a_deadline_far_away() {
        arc_within(Sweep::of(1).resumable(), Limit::Never);
    }

    #[test]
    fn an_arc_with_a_deadline_that_has_passed() {
        arc_within(Sweep::of(1).panics_itself(), Limit::AtOnce);
    }

    #[test]
    fn an_arc_with_a_deadline_that_passes_between_two_polls() {
        for polls in IN_THE_MIDDLE {
            arc_within(Sweep::of(1).panics_itself(), Limit::After(polls));
        }
    }
}

/// The harness is worth nothing unless it sees the faults that it is there for.
mod the_harness {
    use super::*;

    fn fault<K>(
        sweep: Sweep,
        set_up: impl Fn(&Stage) -> K,
        call: impl AsyncFn(&mut K, &Stage),
    ) -> String {
        sweep.find_fault(set_up, call).unwrap_err()
    }

    #[test]
    fn sees_a_value_that_vanishes() {
        let fault = fault(
            Sweep::of(1).endings(&[Ending::Succeeds]),
            |stage| Some(stage.value("ada")),
            async |kept, _| drop(kept.take().map(Guard::unsafe_into_inner_dont_drop)),
        );
        assert!(
            fault.contains("ada was not cleaned up, and no incident says so"),
            "{fault}"
        );
    }

    #[test]
    fn sees_a_value_that_is_reported_where_only_one_that_panics_may_be() {
        let fault = fault(
            Sweep::of(1).resumable().tried_once(),
            |stage| Some(stage.value("ada")),
            async |kept, _| drop(kept.take()),
        );
        assert!(
            fault.contains("ada was cleaned up 0 times, reported 1"),
            "{fault}"
        );
    }

    #[test]
    fn sees_a_cleanup_that_runs_twice() {
        let fault = fault(
            Sweep::of(1).endings(&[Ending::Succeeds]).resumable(),
            |stage| stage.value("ada"),
            async |guard, stage| {
                if !guard.is_dropped() {
                    let _ = guard.async_drop_impl().await;
                }
                end(stage, guard).await;
            },
        );
        assert!(
            fault.contains("ada was cleaned up 2 times, reported 0"),
            "{fault}"
        );
    }

    #[test]
    fn sees_an_error_that_vanishes() {
        let fault = fault(
            Sweep::of(1).endings(&[Ending::Fails]).resumable(),
            |stage| stage.value("ada"),
            async |guard, _| drop(guard.async_drop().await),
        );
        assert!(
            fault.contains("its error was returned 0 times and suppressed 0 times"),
            "{fault}"
        );
    }

    #[test]
    fn sees_a_guard_that_leaks() {
        let fault = fault(
            Sweep::of(1).endings(&[Ending::Succeeds]),
            |stage| Some(stage.value("ada")),
            async |kept, _| std::mem::forget(kept.take()),
        );
        assert!(fault.contains("ada was dropped 0 times"), "{fault}");
    }

    #[test]
    fn sees_a_future_that_nobody_will_wake() {
        let fault = fault(
            Sweep::of(1).endings(&[Ending::Succeeds]),
            |stage| stage.value("ada"),
            async |guard, stage| {
                end(stage, guard).await;
                let mut polled = false;
                std::future::poll_fn(|_| match std::mem::replace(&mut polled, true) {
                    true => std::task::Poll::Ready(()),
                    false => std::task::Poll::Pending,
                })
                .await;
            },
        );
        assert!(
            fault.contains("it waits, and nobody will wake it"),
            "{fault}"
        );
    }
}
