//! A reaper: what it has to clean up and in which order, what it says about that, and what it gives back.

use super::*;

use std::collections::VecDeque;
use std::pin::Pin;

use asyncdrop::{AsyncDropReaper, CleanupError, CleanupErrors, Reaped};

/// Numbers stand for values that are in use, counted round.
#[derive(Debug, Clone)]
enum Op {
    Adopt(Plan, bool),
    Reach(usize),
    CleanUp(usize, Option<usize>),
    HandOver(usize),
    IntoGuard(usize, Option<usize>),
    /// Each task is polled once.
    RunTasks,
    TakeErrors,
    /// The end of the reaper is begun, and interrupted.
    AwaitEnd,
    /// Every task is dropped, now and from now on.
    RuntimeEnds,
}

fn op() -> impl Strategy<Value = Op> {
    let any = 0..100_usize;
    prop_oneof![
        8 => (plan(), any_bool()).prop_map(|(plan, named)| Op::Adopt(plan, named)),
        2 => any.clone().prop_map(Op::Reach),
        3 => (any.clone(), cut()).prop_map(|(value, cut)| Op::CleanUp(value, cut)),
        6 => any.clone().prop_map(Op::HandOver),
        2 => (any, cut()).prop_map(|(value, cut)| Op::IntoGuard(value, cut)),
        8 => Just(Op::RunTasks),
        2 => Just(Op::TakeErrors),
        2 => Just(Op::AwaitEnd),
        1 => Just(Op::RuntimeEnds),
    ]
}

fn any_bool() -> impl Strategy<Value = bool> {
    prop_oneof![Just(false), Just(true)]
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Polls the tasks of a reaper, in the order in which they were spawned.
#[derive(Clone, Default)]
struct Executor(Arc<Mutex<Tasks>>);

#[derive(Default)]
struct Tasks {
    spawned: Vec<Task>,
    has_ended: bool,
}

impl Executor {
    fn spawn(&self, task: Task) {
        let mut tasks = self.0.lock().unwrap();
        if tasks.has_ended {
            // The next one may be spawned by the drop of this one.
            drop(tasks);
            drop(task);
        } else {
            tasks.spawned.push(task);
        }
    }

    fn take(&self) -> Vec<Task> {
        std::mem::take(&mut self.0.lock().unwrap().spawned)
    }

    fn poll_each(&self) {
        for mut task in self.take() {
            let mut context = Context::from_waker(Waker::noop());
            // Without a task around it, so that the hook writes down what it reports.
            let polled = quietly(|| task.as_mut().poll(&mut context));
            match polled.expect("a task of the reaper's does not panic") {
                Poll::Ready(()) => drop(task),
                Poll::Pending => self.0.lock().unwrap().spawned.push(task),
            }
        }
    }

    fn end(&self) {
        self.0.lock().unwrap().has_ended = true;
        drop(self.take());
    }
}

struct Owner {
    id: Id,
    name: Option<String>,
    reaped: Reaped<Value>,
}

/// A value that was handed over, under its name.
struct Handed {
    id: Id,
    name: Option<String>,
    waits: usize,
}

/// An error that was not asked for yet: of which value, under which name, and what it says.
type Known = (Id, Option<String>, String);

struct World<'a> {
    record: &'a Record,
    reaper: Guard<AsyncDropReaper>,
    executor: Executor,
    max_concurrent: usize,
    has_runtime: bool,
    owners: Vec<Owner>,
    running: VecDeque<Handed>,
    waiting: VecDeque<Handed>,
    errors: Vec<Known>,
    /// How many cleanups have ended in the reaper since its errors were last taken.
    ended: usize,
}

impl<'a> World<'a> {
    fn new(record: &'a Record, max_concurrent: Option<usize>) -> Self {
        let executor = Executor::default();
        let spawner = executor.clone();
        let builder = AsyncDropReaper::builder().spawner(move |task| spawner.spawn(task));
        let builder = match max_concurrent {
            Some(n) => builder.max_concurrent(n),
            None => builder,
        };
        Self {
            record,
            reaper: builder.build(),
            executor,
            max_concurrent: max_concurrent.unwrap_or(usize::MAX),
            has_runtime: true,
            owners: Vec::new(),
            running: VecDeque::new(),
            waiting: VecDeque::new(),
            errors: Vec::new(),
            ended: 0,
        }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Adopt(plan, named) => self.adopt(plan, named),
            Op::Reach(value) => {
                if let Some(value) = self.pick(value) {
                    self.reach(value);
                }
            }
            Op::CleanUp(value, cut) => {
                if let Some(value) = self.pick(value) {
                    self.clean_up(value, cut);
                }
            }
            Op::HandOver(value) => {
                if let Some(value) = self.pick(value) {
                    self.hand_over(value);
                }
            }
            Op::IntoGuard(value, cut) => {
                if let Some(value) = self.pick(value) {
                    let Owner { id, reaped, .. } = self.owners.swap_remove(value);
                    let guard = Reaped::into_guard(reaped);
                    self.check_pending();
                    end_value_with_id(self.record, guard, id, cut);
                }
            }
            Op::RunTasks => self.run_tasks(),
            Op::TakeErrors => {
                let errors = self.reaper.take_errors();
                // Without errors there is no list, and what the next one counts just grows.
                if self.errors.is_empty() {
                    assert!(errors.is_none());
                } else {
                    self.check_errors(errors);
                }
            }
            Op::AwaitEnd => {
                if self.pending() > 0 {
                    let end = attempt(self.reaper.async_drop(), Some(2));
                    assert!(matches!(end, Outcome::Cancelled));
                }
            }
            Op::RuntimeEnds => self.end_runtime(),
        }
        self.check_pending();
    }

    fn pick(&self, number: usize) -> Option<usize> {
        number.checked_rem(self.owners.len())
    }

    fn pending(&self) -> usize {
        self.owners.len() + self.running.len() + self.waiting.len()
    }

    fn check_pending(&self) {
        assert_eq!(self.reaper.pending(), self.pending());
    }

    fn adopt(&mut self, plan: Plan, named: bool) {
        let (id, value) = self.record.new_value(plan);
        let name = named.then(|| format!("the value {id}"));
        let reaped = match name.clone() {
            Some(name) => self.reaper.adopt_as(name, value),
            None => self.reaper.adopt(value),
        };
        self.owners.push(Owner { id, name, reaped });
    }

    fn reach(&self, value: usize) {
        let Owner { id, reaped, .. } = &self.owners[value];
        let is_there = self.record.of(*id).done == 0;
        assert_eq!(quietly(|| reaped.id), is_there.then_some(*id));
    }

    fn clean_up(&mut self, value: usize, cut: Option<usize>) {
        let Owner { id, reaped, .. } = &mut self.owners[value];
        let expected = expected(self.record.of(*id), *id, cut);
        let outcome = attempt(reaped.async_drop(), cut);
        assert_eq!(outcome, expected);
        note_error(self.record, &outcome);
        if let Outcome::Returned(_) = outcome {
            // The reaper gives it up here, and not only when this is dropped.
            let done = self.owners.swap_remove(value);
            self.check_pending();
            assert!(quietly(|| drop(done)).is_some());
        }
    }

    fn hand_over(&mut self, value: usize) {
        let Owner { id, name, reaped } = self.owners.swap_remove(value);
        assert!(quietly(|| drop(reaped)).is_some(), "it never panics");
        let Fate { plan, done, .. } = self.record.of(id);
        if done == 1 {
            // Its own `Drop` has panicked after its cleanup.
            return;
        }
        let waits = plan.waits;
        self.waiting.push_back(Handed { id, name, waits });
        self.start_waiting();
        self.notice_lost();
    }

    fn start_waiting(&mut self) {
        while self.running.len() < self.max_concurrent {
            let Some(next) = self.waiting.pop_front() else {
                return;
            };
            self.running.push_back(next);
        }
    }

    fn run_tasks(&mut self) {
        self.record.take_ended();
        self.executor.poll_each();

        let mut ended = Vec::new();
        for _ in 0..self.running.len() {
            let Some(mut handed) = self.running.pop_front() else {
                break;
            };
            if let Some(waits) = handed.waits.checked_sub(1) {
                handed.waits = waits;
                self.running.push_back(handed);
                continue;
            }
            ended.push(handed.id);
            self.end_one(handed);
            self.start_waiting();
        }
        assert_eq!(self.record.take_ended(), ended);
    }

    /// What the reaper says of a cleanup that has come to its end. The record has it already.
    fn end_one(&mut self, handed: Handed) {
        let fate = self.record.of(handed.id);
        let says = match fate.plan.ending {
            Ending::Fails => Some(Failure(handed.id).to_string()),
            Ending::Panics if fate.done == 0 => {
                // It is not tried twice.
                assert_eq!(fate.missed, 1);
                Some("its cleanup panicked: the cleanup panics".to_owned())
            }
            Ending::PanicsInDrop => {
                Some("its cleanup panicked: the value's own Drop panics".to_owned())
            }
            Ending::Succeeds | Ending::Panics => None,
        };
        self.ended += 1;
        let error = says.map(|says| (handed.id, handed.name, says));
        self.errors.extend(error);
    }

    fn end_runtime(&mut self) {
        self.has_runtime = false;
        // A value that panics when it is dropped does so in a place that must not panic.
        assert!(quietly(|| self.executor.end()).is_some());
        self.notice_lost();
    }

    /// Without a runtime nothing of what was handed over is cleaned up, and each value is reported.
    fn notice_lost(&mut self) {
        if self.has_runtime {
            return;
        }
        let mut lost = Vec::from(std::mem::take(&mut self.running));
        // The first that is dropped gives its turn to those that wait, and each of them is dropped at once.
        let waiting = std::mem::take(&mut self.waiting);
        let after_the_first = lost.len().min(1);
        lost.splice(after_the_first..after_the_first, waiting);
        for Handed { id, name, .. } in lost {
            assert_eq!(self.record.of(id).missed, 1);
            let says = "its runtime ended before its cleanup".to_owned();
            self.errors.push((id, name, says));
            self.ended += 1;
        }
    }

    fn check_errors(&mut self, errors: Option<CleanupErrors>) {
        let known = std::mem::take(&mut self.errors);
        let ended = std::mem::take(&mut self.ended);
        let Some(errors) = errors else {
            assert!(known.is_empty());
            return;
        };
        assert_eq!((errors.len(), errors.total()), (known.len(), ended));
        for ((origin, error), (id, name, says)) in errors.into_iter().zip(known) {
            assert_eq!(origin.name(), name.as_deref());
            assert_eq!(origin.type_name(), type_name::<Value>());
            assert_eq!(error.to_string(), says);
            if let CleanupError::Failed(_) = error {
                assert_eq!(error.downcast::<Failure>().unwrap(), Failure(id));
                self.record.change(id, |fate| fate.error_returned += 1);
            }
        }
    }

    /// Hands over what is left, and awaits the end.
    fn end(mut self) {
        while !self.owners.is_empty() {
            self.hand_over(0);
            self.check_pending();
        }
        loop {
            match attempt(self.reaper.async_drop(), Some(1)) {
                Outcome::Cancelled => {
                    assert!(self.pending() > 0);
                    self.run_tasks();
                }
                Outcome::Panicked => panic!("the end of a reaper does not panic"),
                Outcome::Returned(result) => {
                    assert_eq!(self.pending(), 0);
                    self.check_errors(result.err());
                    break;
                }
            }
        }
        assert!(self.executor.take().is_empty());
    }

    /// Forgets the reaper, which reports it, and every error that it still had.
    fn forget(self) {
        let handle = self.reaper.handle();
        assert!(quietly(|| drop(self.reaper)).is_some());
        for (id, ..) in &self.errors {
            if self.record.of(*id).plan.ending == Ending::Fails {
                let fate = self.record.of(*id);
                assert_eq!(fate.error_suppressed + fate.missed, 1);
            }
        }
        // What is handed over or adopted after that is reported at once.
        let (id, late) = self.record.new_value(SUCCEEDS);
        drop(handle.adopt(late));
        assert_eq!(self.record.of(id).missed, 1);
        for Owner { id, reaped, .. } in self.owners {
            let open = self.record.of(id).done == 0;
            assert!(quietly(|| drop(reaped)).is_some());
            assert_eq!(self.record.of(id).missed, usize::from(open));
        }
        self.executor.end();
    }
}

const SUCCEEDS: Plan = Plan {
    ending: Ending::Succeeds,
    waits: 0,
};

fn max_concurrent() -> impl Strategy<Value = Option<usize>> {
    proptest::option::of(1..4_usize)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_reaper_does_what_its_model_does(
        max_concurrent in max_concurrent(),
        ops in proptest::collection::vec(op(), 1..40),
    ) {
        play(|record| {
            let mut world = World::new(record, max_concurrent);
            for op in ops {
                world.apply(op);
            }
            world.end();
        });
    }

    #[test]
    fn a_reaper_that_is_forgotten_does_what_its_model_does(
        max_concurrent in max_concurrent(),
        ops in proptest::collection::vec(op(), 1..20),
    ) {
        play(|record| {
            let mut world = World::new(record, max_concurrent);
            for op in ops {
                world.apply(op);
            }
            world.forget();
        });
    }
}
