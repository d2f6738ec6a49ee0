//! Owners that let go at the same time, and creations that are handed from one waiter to the next.
//!
//! `races` runs on real threads, because the answer to "who is last" is given by atomics
//! inside of `Arc` and of `Shared`, which no model checker can instrument.
//! `schedules` explores orders that a machine hardly ever takes. See there for what it can see and what it cannot.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};

type Guard<T> = AsyncDropGuard<T>;

/// What has happened to one value, seen from all threads.
#[derive(Debug, Default)]
struct Tally {
    created: AtomicUsize,
    /// Cleanups that began.
    begun: AtomicUsize,
    /// Cleanups that ended. Each of them fails, so that its error can be counted too.
    ended: AtomicUsize,
    errors: AtomicUsize,
}

impl Tally {
    fn add_one(counter: &AtomicUsize) {
        counter.fetch_add(1, SeqCst);
    }

    /// What is wrong with the end of a value that had to be cleaned up once, with its error returned once.
    fn fault(&self) -> Option<String> {
        let all = [&self.created, &self.begun, &self.ended, &self.errors];
        let all = all.map(|counter| counter.load(SeqCst));
        (all != [1; 4]).then(|| format!("created, begun, ended, errors: {all:?}"))
    }
}

/// Ends a guard, and counts its error.
async fn end<T: AsyncDrop + Debug>(tally: &Tally, guard: &mut Guard<T>) {
    if guard.async_drop().await.is_err() {
        Tally::add_one(&tally.errors);
    }
}

/// Threads that do something to one value at the same moment, round after round.
mod races {
    use super::*;

    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::pin::pin;
    use std::sync::{Mutex, Once, PoisonError};
    use std::task::{Context, Poll, Wake, Waker};
    use std::thread;
    use std::time::Duration;

    use asyncdrop::{AsyncDropArc, AsyncDropShared, incident};

    #[derive(Debug)]
    pub(super) struct Value(Arc<Tally>);

    impl Value {
        pub(super) fn guard(tally: &Arc<Tally>) -> Guard<Self> {
            Tally::add_one(&tally.created);
            Guard::new(Self(Arc::clone(tally)))
        }
    }

    #[async_trait]
    impl AsyncDrop for Value {
        type Error = &'static str;

        async fn async_drop_impl(&mut self) -> Result<(), &'static str> {
            Tally::add_one(&self.0.begun);
            Tally::add_one(&self.0.ended);
            Err("each cleanup fails, so that its error can be counted")
        }
    }

    /// What one thread does in one round.
    type Step = Box<dyn FnOnce() + Send>;

    fn step(future: impl Future<Output = ()> + Send + 'static) -> Step {
        Box::new(move || block_on(future))
    }

    /// Runs a future on this thread. The one of an executor would wait for ever for a wake that was lost.
    fn block_on(future: impl Future<Output = ()>) {
        struct Unpark(thread::Thread, AtomicBool);
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.1.store(true, SeqCst);
                self.0.unpark();
            }
        }
        let unpark = Arc::new(Unpark(thread::current(), AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&unpark));
        let mut context = Context::from_waker(&waker);
        let mut future = pin!(future);
        while future.as_mut().poll(&mut context).is_pending() {
            for _ in 0..100 {
                if unpark.1.load(SeqCst) {
                    break;
                }
                thread::park_timeout(Duration::from_millis(100));
            }
            let woken = unpark.1.swap(false, SeqCst);
            assert!(woken, "it waits, and nobody wakes it");
        }
    }

    /// As many as end within a few seconds. A long run asks for more in the environment.
    fn rounds() -> usize {
        match std::env::var("ASYNCDROP_STRESS_ROUNDS") {
            Ok(rounds) => rounds.parse().expect("ASYNCDROP_STRESS_ROUNDS is a number"),
            Err(_) => 30_000,
        }
    }

    /// Runs the steps that `prepare` makes for each round, each on a thread of its own, all starting at once.
    fn race<const THREADS: usize>(prepare: impl Fn(&Arc<Tally>) -> [Step; THREADS]) {
        const BATCH: usize = 500;
        // Each race gets the cores of a small machine for itself, and its incidents are its own.
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        count_incidents();
        let incidents_before = INCIDENTS.load(SeqCst);
        let rounds = rounds();
        let mut faults = Vec::new();
        for first in (0..rounds).step_by(BATCH) {
            let tallies: Vec<Arc<Tally>> = (first..rounds.min(first + BATCH))
                .map(|_| Arc::default())
                .collect();
            let mut steps: [Vec<Step>; THREADS] = std::array::from_fn(|_| Vec::new());
            for tally in &tallies {
                for (of_thread, step) in steps.iter_mut().zip(prepare(tally)) {
                    of_thread.push(step);
                }
            }
            let panics = run_side_by_side(steps);
            let wrong = tallies.iter().filter_map(|tally| tally.fault());
            faults.extend(wrong.chain(panics));
            if faults.len() > 20 {
                break;
            }
        }
        let incidents = INCIDENTS.load(SeqCst) - incidents_before;
        if incidents > 0 {
            faults.push(format!("{incidents} incidents"));
        }
        assert!(
            faults.is_empty(),
            "{} faults in at most {rounds} rounds, the first of them: {}",
            faults.len(),
            faults[0]
        );
        println!("{rounds} rounds of {THREADS} threads, 0 faults");
    }

    /// The panics of all steps.
    fn run_side_by_side<const THREADS: usize>(steps: [Vec<Step>; THREADS]) -> Vec<String> {
        let arrived = AtomicUsize::new(0);
        thread::scope(|scope| {
            let threads = steps.map(|steps| {
                scope.spawn(|| {
                    let mut panics = Vec::new();
                    for (round, step) in steps.into_iter().enumerate() {
                        arrived.fetch_add(1, SeqCst);
                        let mut spins = 0;
                        while arrived.load(SeqCst) < THREADS * (round + 1) {
                            // A `Barrier` wakes one thread after the other, and they would hardly ever meet.
                            spins += 1;
                            match spins % 100 {
                                0 => thread::yield_now(),
                                _ => std::hint::spin_loop(),
                            }
                        }
                        if let Err(panic) = catch_unwind(AssertUnwindSafe(step)) {
                            let text = panic.downcast_ref::<&str>().unwrap_or(&"see above");
                            panics.push(format!("a panic: {text}"));
                        }
                    }
                    panics
                })
            });
            let joined = threads.map(|thread| thread.join().expect("panics are caught"));
            joined.into_iter().flatten().collect()
        })
    }

    static INCIDENTS: AtomicUsize = AtomicUsize::new(0);

    fn count_incidents() {
        static INSTALL: Once = Once::new();
        INSTALL.call_once(|| {
            incident::set_hook(Box::new(|incident| {
                eprintln!("{incident}");
                Tally::add_one(&INCIDENTS);
            }));
        });
    }

    #[test]
    fn two_owners_let_go_together() {
        race(|tally| {
            let first = AsyncDropArc::new(Value::guard(tally));
            let second = AsyncDropArc::clone(&first);
            [first, second].map(|mut owner| {
                let tally = Arc::clone(tally);
                step(async move { end(&tally, &mut owner).await })
            })
        });
    }

    #[test]
    fn two_owners_let_go_while_a_third_one_comes_from_a_weak_reference() {
        race(|tally| {
            let first = AsyncDropArc::new(Value::guard(tally));
            let second = AsyncDropArc::clone(&first);
            let weak = AsyncDropArc::downgrade(&first);
            let [one, other] = [first, second].map(|mut owner| {
                let tally = Arc::clone(tally);
                step(async move { end(&tally, &mut owner).await })
            });
            let tally = Arc::clone(tally);
            let upgrade = step(async move {
                if let Some(mut owner) = weak.upgrade() {
                    assert_eq!(
                        tally.begun.load(SeqCst),
                        0,
                        "an owner of a value that is gone"
                    );
                    end(&tally, &mut owner).await;
                }
            });
            [one, other, upgrade]
        });
    }

    #[test]
    fn one_owner_lets_go_and_one_wants_the_value_back() {
        race(|tally| {
            let mut first = AsyncDropArc::new(Value::guard(tally));
            let second = AsyncDropArc::clone(&first);
            let (one, other) = (Arc::clone(tally), Arc::clone(tally));
            [
                step(async move { end(&one, &mut first).await }),
                step(async move {
                    if let Some(mut guard) = AsyncDropArc::into_inner(second) {
                        end(&other, &mut guard).await;
                    }
                }),
            ]
        });
    }

    /// Creates a value, with one poll that returns `Pending`.
    async fn create(tally: Arc<Tally>) -> Guard<Value> {
        let mut polled = false;
        std::future::poll_fn(|context| {
            if std::mem::replace(&mut polled, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        Value::guard(&tally)
    }

    #[test]
    fn two_owners_of_a_creation_that_never_ran_let_go_together() {
        race(|tally| {
            let first = AsyncDropShared::new(create(Arc::clone(tally)));
            let second = AsyncDropShared::clone(&first);
            [first, second].map(|mut owner| {
                let tally = Arc::clone(tally);
                step(async move { end(&tally, &mut owner).await })
            })
        });
    }

    #[test]
    fn two_owners_wait_for_one_creation_and_let_go() {
        race(|tally| {
            let first = AsyncDropShared::new(create(Arc::clone(tally)));
            let second = AsyncDropShared::clone(&first);
            [first, second].map(|mut owner| {
                let tally = Arc::clone(tally);
                step(async move {
                    let mut value = owner.get().await;
                    end(&tally, &mut owner).await;
                    end(&tally, &mut value).await;
                })
            })
        });
    }

    #[test]
    fn one_waiter_gives_up_while_another_one_waits() {
        race(|tally| {
            let mut first = AsyncDropShared::new(create(Arc::clone(tally)));
            let mut second = AsyncDropShared::clone(&first);
            let (one, other) = (Arc::clone(tally), Arc::clone(tally));
            [
                step(async move {
                    let mut get = first.get();
                    // Whether or not this was the one that created it: after one poll it is dropped.
                    if let Poll::Ready(mut value) = futures::poll!(&mut get) {
                        end(&one, &mut value).await;
                    }
                    drop(get);
                    end(&one, &mut first).await;
                }),
                step(async move {
                    let mut value = second.get().await;
                    end(&other, &mut value).await;
                    end(&other, &mut second).await;
                }),
            ]
        });
    }
}

/// A poll in the middle of another one, without any thread: the order that loses a wake of `futures`' `Shared`.
mod overlap {
    use super::races::Value;
    use super::*;

    use std::future::poll_fn;
    use std::pin::Pin;
    use std::sync::Mutex;
    use std::task::{Context, Poll, Wake, Waker};

    use asyncdrop::AsyncDropShared;

    type Waiter = Pin<Box<dyn Future<Output = ()> + Send>>;

    #[derive(Default)]
    struct Bell(AtomicBool);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.store(true, SeqCst);
        }
    }

    #[test]
    fn a_waiter_that_comes_during_a_poll_that_was_woken_is_woken_itself() {
        let tally = Arc::new(Tally::default());
        let bell = Arc::new(Bell::default());
        let latecomer: Arc<Mutex<Option<Waiter>>> = Arc::default();

        let creation = {
            let (tally, bell) = (Arc::clone(&tally), Arc::clone(&bell));
            let latecomer = Arc::clone(&latecomer);
            let mut polled = false;
            poll_fn(move |context| {
                if std::mem::replace(&mut polled, true) {
                    return Poll::Ready(Value::guard(&tally));
                }
                context.waker().wake_by_ref();
                // After the wake, and before the end of this poll.
                let waker = Waker::from(Arc::clone(&bell));
                let latecomer = &mut *latecomer.lock().unwrap();
                let latecomer = latecomer.as_mut().expect("it was put there").as_mut();
                let polled = latecomer.poll(&mut Context::from_waker(&waker));
                assert!(polled.is_pending());
                Poll::Pending
            })
        };
        let mut first = AsyncDropShared::new(creation);
        let mut second = AsyncDropShared::clone(&first);
        let of_second = Arc::clone(&tally);
        *latecomer.lock().unwrap() = Some(Box::pin(async move {
            let mut value = second.get().await;
            end(&of_second, &mut value).await;
            end(&of_second, &mut second).await;
        }));

        let mut gives_up = first.get();
        let polled = Pin::new(&mut gives_up).poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        drop(gives_up);
        assert!(bell.0.load(SeqCst), "nobody else will poll the creation");

        let latecomer = latecomer.lock().unwrap().take().expect("it was put there");
        futures::executor::block_on(async {
            latecomer.await;
            end(&tally, &mut first).await;
        });
        assert_eq!(tally.fault(), None);
    }
}

/// Orders of events that a scheduler chooses one by one, with `shuttle`.
///
/// `AsyncDropArc` stands on `std::sync::Arc` and `AsyncDropShared` on `futures::future::Shared`.
/// Shuttle can switch threads in neither of them, so each of their operations is one step here.
/// The places where it switches are those that the tests put between the operations, into the cleanups
/// and, in the middle of a poll, into the creation.
/// So this explores every order in which whole operations and polls of several threads can follow each other
/// and, for a creation, overlap. What happens within one operation is left to `races`.
///
/// Where a schedule fails, shuttle prints it, and `shuttle::replay` runs it again.
mod schedules {
    use super::*;

    use std::future::poll_fn;
    use std::sync::{MutexGuard, PoisonError};
    use std::task::{Poll, Waker};

    use asyncdrop::{AsyncDropArc, AsyncDropShared};
    use shuttle::future::block_on;
    use shuttle::scheduler::PctScheduler;
    use shuttle::sync::Mutex;
    use shuttle::{Config, Runner, thread};

    #[derive(Debug)]
    struct Value(Arc<Tally>);

    impl Value {
        fn guard(tally: &Arc<Tally>) -> Guard<Self> {
            Tally::add_one(&tally.created);
            Guard::new(Self(Arc::clone(tally)))
        }
    }

    #[async_trait]
    impl AsyncDrop for Value {
        type Error = &'static str;

        async fn async_drop_impl(&mut self) -> Result<(), &'static str> {
            Tally::add_one(&self.0.begun);
            shuttle::future::yield_now().await;
            Tally::add_one(&self.0.ended);
            Err("each cleanup fails, so that its error can be counted")
        }
    }

    /// Runs all steps, each in a thread of its own, and looks at the tally at the end.
    fn check_end<const THREADS: usize>(tally: &Tally, steps: [Box<dyn FnOnce() + Send>; THREADS]) {
        for thread in steps.map(thread::spawn) {
            thread.join().unwrap();
        }
        assert_eq!(tally.fault(), None);
    }

    fn step(future: impl Future<Output = ()> + Send + 'static) -> Box<dyn FnOnce() + Send> {
        Box::new(move || {
            thread::yield_now();
            block_on(future);
        })
    }

    /// One at a time, and no race crawls because all the cores explore.
    fn turn() -> MutexGuard<'static, ()> {
        static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
        ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of schedules that were run.
    fn explore_all(scenario: impl Fn() + Send + Sync + 'static) -> usize {
        let _turn = turn();
        let runs = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&runs);
        shuttle::check_dfs(
            move || {
                Tally::add_one(&counter);
                scenario();
            },
            None,
        );
        runs.load(SeqCst)
    }

    /// Where there are too many orders to run them all. The seeds are fixed, so each run of the test is the same.
    fn explore_some(scenario: fn()) {
        const SEED: u64 = 0x5eed;
        let _turn = turn();
        shuttle::check_random_with_seed(scenario, SEED, 5_000);
        // Few switches at the wrong places, where the other one makes many at any.
        let few_switches = PctScheduler::new_from_seed(SEED, 3, 1_000);
        Runner::new(few_switches, Config::default()).run(scenario);
    }

    #[test]
    fn owners_of_an_arc_and_a_weak_reference() {
        let runs = explore_all(|| {
            let tally = Arc::new(Tally::default());
            let first = AsyncDropArc::new(Value::guard(&tally));
            let second = AsyncDropArc::clone(&first);
            let weak = AsyncDropArc::downgrade(&first);
            let [one, other] = [first, second].map(|mut owner| {
                let tally = Arc::clone(&tally);
                step(async move { end(&tally, &mut owner).await })
            });
            let of_weak = Arc::clone(&tally);
            let upgrade = step(async move {
                let upgraded = weak.upgrade();
                let begun = of_weak.begun.load(SeqCst) > 0;
                assert_eq!(
                    upgraded.is_none(),
                    begun,
                    "an owner exactly while there is a value"
                );
                if let Some(mut owner) = upgraded {
                    thread::yield_now();
                    end(&of_weak, &mut owner).await;
                }
            });
            check_end(&tally, [one, other, upgrade]);
        });
        println!("all {runs} schedules");
        assert!(runs > 100, "only {runs} schedules");
    }

    /// Something that a creation waits for, and that another thread makes happen.
    #[derive(Default)]
    struct Door(Mutex<(bool, Option<Waker>)>);

    impl Door {
        async fn passed(&self) {
            poll_fn(|context| {
                // In the middle of a poll: other threads find the creation being polled.
                thread::yield_now();
                {
                    let (open, waker) = &mut *self.0.lock().unwrap();
                    if *open {
                        return Poll::Ready(());
                    }
                    *waker = Some(context.waker().clone());
                }
                // The door may open, and wake, before this poll has ended.
                thread::yield_now();
                Poll::Pending
            })
            .await;
        }

        fn open(&self) {
            let waker = {
                let (open, waker) = &mut *self.0.lock().unwrap();
                *open = true;
                waker.take()
            };
            // Outside of the lock, as an executor would do it.
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// One waiter polls and gives up, the other one must still get the value: shuttle reports a deadlock otherwise.
    fn hand_over() {
        let tally = Arc::new(Tally::default());
        let door = Arc::new(Door::default());
        let creation = {
            let (tally, door) = (Arc::clone(&tally), Arc::clone(&door));
            async move {
                door.passed().await;
                Value::guard(&tally)
            }
        };
        let mut first = AsyncDropShared::new(creation);
        let mut second = AsyncDropShared::clone(&first);
        let (one, other) = (Arc::clone(&tally), Arc::clone(&tally));
        let gives_up = step(async move {
            let mut get = first.get();
            if let Poll::Ready(mut value) = futures::poll!(&mut get) {
                end(&one, &mut value).await;
            }
            thread::yield_now();
            drop(get);
            end(&one, &mut first).await;
        });
        let waits = step(async move {
            let mut value = second.get().await;
            end(&other, &mut second).await;
            end(&other, &mut value).await;
        });
        let opens = Box::new(move || {
            thread::yield_now();
            door.open();
        });
        check_end(&tally, [gives_up, waits, opens]);
    }

    #[test]
    fn a_creation_is_handed_over() {
        explore_some(hand_over);
    }

    /// The last owner finishes the creation itself, or cleans up what the other one has created.
    #[test]
    fn owners_that_let_go_of_a_creation_that_nobody_waits_for() {
        let scenario = || {
            let tally = Arc::new(Tally::default());
            let door = Arc::new(Door::default());
            let creation = {
                let (tally, door) = (Arc::clone(&tally), Arc::clone(&door));
                async move {
                    door.passed().await;
                    Value::guard(&tally)
                }
            };
            let first = AsyncDropShared::new(creation);
            let second = AsyncDropShared::clone(&first);
            let [one, other] = [first, second].map(|mut owner| {
                let tally = Arc::clone(&tally);
                step(async move { end(&tally, &mut owner).await })
            });
            let opens = Box::new(move || {
                thread::yield_now();
                door.open();
            });
            check_end(&tally, [one, other, opens]);
        };
        explore_some(scenario);
    }
}
