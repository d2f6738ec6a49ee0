//! The promises H1 to H4, and N1 for the map.

use std::collections::HashMap;
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;

use asyncdrop::incident::IncidentKind;
use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropHashMap, DropErrors, async_trait};
use futures::executor::block_on;
use tokio::runtime::{Handle, Runtime};

use crate::place;
use crate::support::{Diary, Ending, Session, abandon_after, message_of_panic, poll_once, record};

type Sessions = AsyncDropGuard<AsyncDropHashMap<&'static str, Session>>;

/// A map in which each session has its user's name as key.
fn map_of(sessions: impl IntoIterator<Item = Session>) -> Sessions {
    let mut map = AsyncDropHashMap::new();
    for session in sessions {
        let user = session.user;
        assert!(map.insert(user, AsyncDropGuard::new(session)).is_none());
    }
    map
}

fn end(map: &mut Sessions) -> Result<(), DropErrors<&'static str, String>> {
    block_on(map.async_drop())
}

/// The errors by key: a map has no order.
fn by_key(errors: DropErrors<&'static str, String>) -> HashMap<&'static str, String> {
    errors.into_iter().collect()
}

fn count(diary: &Diary, entry: &str) -> usize {
    diary.entries().iter().filter(|it| *it == entry).count()
}

/// A hall in which each must wait until all others have come.
#[derive(Debug)]
struct Meeting {
    arrived: Arc<Mutex<usize>>,
    expected: usize,
}

#[async_trait]
impl AsyncDrop for Meeting {
    type Error = fmt::Error;

    async fn async_drop_impl(&mut self) -> Result<(), fmt::Error> {
        *self.arrived.lock().unwrap() += 1;
        while *self.arrived.lock().unwrap() < self.expected {
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

#[test]
fn h1_the_cleanups_run_concurrently_in_the_task_of_the_caller() {
    let arrived = Arc::new(Mutex::new(0));
    let mut map = AsyncDropHashMap::new();
    for key in 0..100 {
        let meeting = Meeting {
            arrived: Arc::clone(&arrived),
            expected: 100,
        };
        assert!(map.insert(key, AsyncDropGuard::new(meeting)).is_none());
    }

    // One after the other they would wait for ever, and no other thread or task could help.
    let mut cleanup = pin!(map.async_drop());
    let ended = (0..100).any(|_| matches!(poll_once(cleanup.as_mut()), Poll::Ready(Ok(()))));

    assert!(ended);
}

#[tokio::test(start_paused = true)]
async fn h1_a_thousand_cleanups_that_wait_take_as_long_as_one() {
    use tokio::time::{Duration, Instant, sleep};

    #[derive(Debug)]
    struct Slow;

    #[async_trait]
    impl AsyncDrop for Slow {
        type Error = fmt::Error;

        async fn async_drop_impl(&mut self) -> Result<(), fmt::Error> {
            sleep(Duration::from_secs(1)).await;
            Ok(())
        }
    }

    let mut map = AsyncDropHashMap::new();
    for key in 0..1000 {
        assert!(map.insert(key, AsyncDropGuard::new(Slow)).is_none());
    }
    let start = Instant::now();

    map.async_drop().await.unwrap();

    assert_eq!(start.elapsed().as_secs(), 1);
}

#[test]
fn h1_an_empty_map_has_nothing_to_clean_up() {
    let mut map = map_of([]);

    let (ended, incidents) = record(|| end(&mut map));

    ended.unwrap();
    assert!(map.is_dropped());
    assert_eq!(incidents, []);
}

#[test]
fn h1_an_empty_map_must_be_ended_all_the_same() {
    let line = line!() + 1;
    let map: Sessions = AsyncDropHashMap::new();

    let message = message_of_panic(|| drop(map));

    let place = place!(line, 25);
    assert_eq!(
        message,
        format!("Forgot to call async_drop on {{}}, created at {place}")
    );
}

#[test]
fn h1_one_value_is_cleaned_up_once_however_often_the_map_is() {
    let diary = Diary::default();
    let mut map = map_of([Session::of("ada", &diary)]);

    end(&mut map).unwrap();
    end(&mut map).unwrap();

    diary.assert_reads(&["ada cleanup begins", "ada cleanup ends", "ada dropped"]);
}

#[test]
fn h1_a_value_that_was_already_cleaned_up_is_passed_over() {
    let diary = Diary::default();
    let mut guard = AsyncDropGuard::new(Session::of("ada", &diary));
    assert_eq!(block_on(guard.async_drop()), Ok(()));
    let mut map = AsyncDropHashMap::new();
    assert!(map.insert("ada", guard).is_none());

    end(&mut map).unwrap();

    diary.assert_reads(&["ada cleanup begins", "ada cleanup ends", "ada dropped"]);
}

#[test]
fn h1_a_map_let_go_on_another_thread_is_cleaned_up_as_on_its_own() {
    let diary = Diary::default();
    let mut map = map_of([
        Session::of("ada", &diary).waiting(1),
        Session::of("bob", &diary).ending(Ending::Fails("line is dead")),
    ]);

    let ended = thread::spawn(move || end(&mut map)).join().unwrap();

    assert_eq!(
        by_key(ended.unwrap_err()),
        [("bob", "line is dead".to_owned())].into()
    );
    for entry in ["ada cleanup ends", "ada dropped", "bob dropped"] {
        assert_eq!(count(&diary, entry), 1, "{entry}");
    }
}

#[test]
fn h1_a_map_forgotten_on_another_thread_panics_there() {
    let diary = Diary::default();
    let line = line!() + 1;
    let mut map = AsyncDropHashMap::new();
    let ada = AsyncDropGuard::new(Session::of("ada", &diary));
    assert!(map.insert("ada", ada).is_none());

    let forget = move || message_of_panic(|| drop(map));
    let message = thread::spawn(forget).join().unwrap();

    let place = place!(line, 19);
    assert_eq!(
        message,
        format!(
            r#"Forgot to call async_drop on {{"ada": AsyncDropGuard(Session("ada"))}}, created at {place}"#
        )
    );
    diary.assert_reads(&["ada dropped"]);
}

#[test]
fn h1_a_map_from_a_runtime_that_has_ended_is_cleaned_up_outside_of_any() {
    let diary = Diary::default();
    let runtime = Runtime::new().unwrap();
    let sessions = [
        Session::of("ada", &diary).waiting(1),
        Session::of("bob", &diary),
    ];
    let mut map = runtime.block_on(async { map_of(sessions) });
    drop(runtime);

    assert!(Handle::try_current().is_err());
    let mut cleanup = pin!(map.async_drop());
    let ended = (0..3).any(|_| matches!(poll_once(cleanup.as_mut()), Poll::Ready(Ok(()))));

    assert!(ended);
    for entry in ["ada cleanup ends", "bob cleanup ends"] {
        assert_eq!(count(&diary, entry), 1, "{entry}");
    }
}

#[test]
fn h2_one_cleanup_that_fails_stops_no_other() {
    let diary = Diary::default();
    let mut map = map_of([
        Session::of("ada", &diary).waiting(3),
        Session::of("bob", &diary).ending(Ending::Fails("line is dead")),
        Session::of("cy", &diary).waiting(1),
    ]);

    assert!(end(&mut map).is_err());

    assert_eq!(count(&diary, "ada cleanup ends"), 1);
    assert_eq!(count(&diary, "cy cleanup ends"), 1);
}

#[test]
fn h2_one_cleanup_that_panics_stops_no_other() {
    let diary = Diary::default();
    let mut map = map_of([
        Session::of("ada", &diary).waiting(3),
        Session::of("bob", &diary).ending(Ending::Panics("no route")),
        Session::of("cy", &diary).waiting(1),
    ]);

    let (message, incidents) = record(|| {
        let message = message_of_panic(|| end(&mut map));
        assert_eq!(count(&diary, "ada cleanup ends"), 1);
        assert_eq!(count(&diary, "cy cleanup ends"), 1);
        drop(map);
        message
    });

    assert_eq!(message, "no route");
    let [map, bob] = &incidents[..] else {
        panic!("{incidents:?}")
    };
    assert_eq!(
        (map.kind, bob.kind),
        (IncidentKind::Interrupted, IncidentKind::Interrupted)
    );
    assert!(
        map.message
            .starts_with(r#"async_drop on {"bob": AsyncDropGuard(Session("bob"))} was interrupted before it finished, "#)
    );
    assert!(
        bob.message
            .starts_with(r#"async_drop on Session("bob") was interrupted before it finished, "#)
    );
}

#[test]
fn h2_after_a_panic_the_errors_of_the_others_are_still_returned() {
    let attempts = Arc::new(Mutex::new(0));

    /// Panics at its first cleanup.
    #[derive(Debug)]
    struct Moody(Option<Arc<Mutex<u32>>>);

    #[async_trait]
    impl AsyncDrop for Moody {
        type Error = String;

        async fn async_drop_impl(&mut self) -> Result<(), String> {
            let Some(attempts) = &self.0 else {
                return Err("line is dead".to_owned());
            };
            let mut attempts = attempts.lock().unwrap_or_else(|it| it.into_inner());
            *attempts += 1;
            assert_ne!(*attempts, 1, "not today");
            Ok(())
        }
    }

    let mut map = AsyncDropHashMap::new();
    let moody = AsyncDropGuard::new(Moody(Some(Arc::clone(&attempts))));
    assert!(map.insert("moody", moody).is_none());
    let failing = AsyncDropGuard::new(Moody(None));
    assert!(map.insert("failing", failing).is_none());

    message_of_panic(|| block_on(map.async_drop()));
    let errors = block_on(map.async_drop()).unwrap_err();

    assert_eq!(errors.total(), 2);
    assert_eq!(
        by_key(errors),
        [("failing", "line is dead".to_owned())].into()
    );
    assert_eq!(*attempts.lock().unwrap_or_else(|it| it.into_inner()), 2);
}

#[test]
fn h2_several_panics_go_on_as_one_after_all_values_had_their_turn() {
    let diary = Diary::default();
    let mut map = map_of([
        Session::of("ada", &diary).ending(Ending::Panics("no route")),
        Session::of("bob", &diary).ending(Ending::Panics("no route")),
        Session::of("cy", &diary).waiting(2),
    ]);

    let (_, incidents) = record(|| {
        assert_eq!(message_of_panic(|| end(&mut map)), "no route");
        drop(map);
    });

    assert_eq!(count(&diary, "ada cleanup panics"), 1);
    assert_eq!(count(&diary, "bob cleanup panics"), 1);
    assert_eq!(count(&diary, "cy cleanup ends"), 1);
    // The map itself, and each value whose cleanup did not end.
    assert_eq!(incidents.len(), 3, "{incidents:?}");
    assert!(
        incidents
            .iter()
            .all(|it| it.kind == IncidentKind::Interrupted)
    );
}

#[test]
fn h2_a_value_whose_own_drop_panics_stops_no_other_cleanup() {
    let diary = Diary::default();
    let mut map = map_of([
        Session::of("ada", &diary).panicking_in_drop("out of order"),
        Session::of("bob", &diary).waiting(2),
    ]);

    assert_eq!(message_of_panic(|| end(&mut map)), "out of order");

    assert_eq!(count(&diary, "bob cleanup ends"), 1);
    end(&mut map).unwrap();
    assert_eq!(count(&diary, "ada cleanup begins"), 1);
}

#[test]
fn h3_every_error_is_returned_with_its_key() {
    let diary = Diary::default();
    let mut map = map_of([
        Session::of("ada", &diary).ending(Ending::Fails("line is dead")),
        Session::of("bob", &diary),
        Session::of("cy", &diary)
            .waiting(2)
            .ending(Ending::Fails("no route")),
    ]);

    let (errors, incidents) = record(|| end(&mut map).unwrap_err());

    assert_eq!((errors.len(), errors.total()), (2, 3));
    assert_eq!(
        by_key(errors),
        [
            ("ada", "line is dead".to_owned()),
            ("cy", "no route".to_owned())
        ]
        .into()
    );
    assert_eq!(incidents, []);
    assert!(map.is_dropped());
}

#[test]
fn h4_try_insert_gives_key_and_value_back_when_the_key_is_taken() {
    #[derive(Debug)]
    struct Name(&'static str, u32);
    impl PartialEq for Name {
        fn eq(&self, other: &Self) -> bool {
            self.0 == other.0
        }
    }
    impl Eq for Name {}
    impl std::hash::Hash for Name {
        fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
            self.0.hash(state);
        }
    }

    let diary = Diary::default();
    let mut map = AsyncDropHashMap::new();
    let first = AsyncDropGuard::new(Session::of("ada", &diary));
    assert!(map.try_insert(Name("ada", 1), first).is_ok());
    let second = AsyncDropGuard::new(Session::of("second ada", &diary));

    let mut taken = map.try_insert(Name("ada", 2), second).unwrap_err();

    assert_eq!(
        taken.to_string(),
        "the key Name(\"ada\", 2) is taken; the value comes back with this error and must be cleaned up"
    );
    assert_eq!(
        format!("{taken:?}"),
        "TryInsertError { key: Name(\"ada\", 2), value: AsyncDropGuard(Session(\"second ada\")) }"
    );
    assert_eq!(
        taken.key.1, 2,
        "the key that was given, not the one in the map"
    );
    assert_eq!(map.len(), 1);
    assert_eq!(map.get(&Name("ada", 0)).unwrap().user, "ada");
    block_on(async {
        taken.value.async_drop().await.unwrap();
        map.async_drop().await.unwrap();
    });
}

#[test]
fn h4_a_try_insert_error_that_is_dropped_reports_its_value() {
    let diary = Diary::default();
    let mut map = map_of([Session::of("ada", &diary)]);
    let line = line!() + 1;
    let second = AsyncDropGuard::new(Session::of("ada", &diary));

    let message = message_of_panic(|| drop(map.try_insert("ada", second)));

    let place = place!(line, 18);
    assert_eq!(
        message,
        format!("Forgot to call async_drop on Session(\"ada\"), created at {place}")
    );
    end(&mut map).unwrap();
}

#[test]
fn an_equal_key_pushes_the_old_value_out_still_armed() {
    let diary = Diary::default();
    let mut map = map_of([Session::of("ada", &diary)]);

    let new = AsyncDropGuard::new(Session::of("new ada", &diary));
    let mut old = map.insert("ada", new).expect("the key was taken");

    assert_eq!(old.user, "ada");
    assert!(!old.is_dropped());
    assert_eq!(map.len(), 1);
    assert_eq!(map.get("ada").unwrap().user, "new ada");
    assert_eq!(block_on(old.async_drop()), Ok(()));
    end(&mut map).unwrap();
    diary.assert_reads(&[
        "ada cleanup begins",
        "ada cleanup ends",
        "ada dropped",
        "new ada cleanup begins",
        "new ada cleanup ends",
        "new ada dropped",
    ]);
}

#[test]
fn what_was_removed_is_no_longer_cleaned_up_by_the_map() {
    let diary = Diary::default();
    let mut map = map_of([Session::of("ada", &diary)]);

    assert!(map.remove("bob").is_none());
    let mut ada = map.remove("ada").expect("it was inserted");
    assert!(map.is_empty());
    end(&mut map).unwrap();

    diary.assert_reads(&[]);
    assert_eq!(block_on(ada.async_drop()), Ok(()));
}

#[test]
fn what_the_map_has_can_be_looked_at_and_changed() {
    let diary = Diary::default();
    let mut map = map_of([Session::of("ada", &diary), Session::of("bob", &diary)]);

    assert_eq!(map.len(), 2);
    assert!(!map.is_empty());
    assert!(map.contains_key("ada"));
    assert!(!map.contains_key("cy"));
    assert!(map.get("cy").is_none());
    assert!(map.get_mut("cy").is_none());
    map.get_mut("ada").unwrap().user = "eve";
    for (_, session) in map.iter_mut() {
        if session.user == "bob" {
            session.user = "mallory";
        }
    }
    let mut users: Vec<_> = map.iter().map(|(key, it)| (*key, it.user)).collect();
    users.sort_unstable();
    assert_eq!(users, [("ada", "eve"), ("bob", "mallory")]);
    let mut keys: Vec<_> = map.keys().copied().collect();
    keys.sort_unstable();
    assert_eq!(keys, ["ada", "bob"]);
    let mut values: Vec<_> = map.values().map(|it| it.user).collect();
    values.sort_unstable();
    assert_eq!(values, ["eve", "mallory"]);

    end(&mut map).unwrap();
}

#[test]
fn drained_values_are_guards_that_the_caller_must_end() {
    let diary = Diary::default();
    let mut map = map_of([Session::of("ada", &diary), Session::of("bob", &diary)]);

    let mut drained: Vec<_> = map.drain().collect();

    assert!(map.is_empty());
    end(&mut map).unwrap();
    diary.assert_reads(&[]);
    for (key, session) in &mut drained {
        assert_eq!(session.user, *key);
        assert_eq!(block_on(session.async_drop()), Ok(()));
    }
}

#[test]
fn a_drain_that_is_dropped_early_loses_no_value_in_silence() {
    let diary = Diary::default();
    let mut map = map_of([
        Session::of("ada", &diary),
        Session::of("bob", &diary),
        Session::of("cy", &diary),
    ]);

    let message = message_of_panic(|| drop(map.drain()));

    assert!(message.starts_with("Forgot to call async_drop on Session("));
    let mut dropped = diary.entries();
    dropped.sort_unstable();
    assert_eq!(dropped, ["ada dropped", "bob dropped", "cy dropped"]);
    end(&mut map).unwrap();
}

#[test]
fn a_map_taken_out_of_its_guard_loses_no_value_in_silence() {
    let diary = Diary::default();
    let map = map_of([
        Session::of("ada", &diary),
        Session::of("bob", &diary),
        Session::of("cy", &diary),
    ]);
    let map = map.unsafe_into_inner_dont_drop();

    let message = message_of_panic(|| drop(map));

    assert!(message.starts_with("Forgot to call async_drop on Session("));
    let mut dropped = diary.entries();
    dropped.sort_unstable();
    assert_eq!(dropped, ["ada dropped", "bob dropped", "cy dropped"]);
}

#[test]
fn a_forgotten_map_reports_itself_and_each_of_its_values() {
    let diary = Diary::default();
    let line = line!() + 1;
    let mut map = AsyncDropHashMap::new();
    assert!(
        map.insert("ada", AsyncDropGuard::new(Session::of("ada", &diary)))
            .is_none()
    );
    assert!(
        map.insert("bob", AsyncDropGuard::new(Session::of("bob", &diary)))
            .is_none()
    );

    let (_, incidents) = record(|| drop(map));

    assert_eq!(incidents.len(), 3);
    assert_eq!(incidents[0].location, place!(line, 19));
    assert!(
        incidents
            .iter()
            .all(|it| it.kind == IncidentKind::Forgotten)
    );
    assert_eq!(
        count(&diary, "ada dropped") + count(&diary, "bob dropped"),
        2
    );
}

#[test]
fn n1_an_interrupted_cleanup_goes_on_with_what_is_left() {
    let diary = Diary::default();
    let mut map = map_of([
        Session::of("ada", &diary),
        Session::of("bob", &diary).ending(Ending::Fails("line is dead")),
        Session::of("cy", &diary).waiting(9),
    ]);

    let (errors, incidents) = record(|| {
        abandon_after(1, map.async_drop());
        assert!(!map.is_dropped());
        assert_eq!(
            format!("{map:?}"),
            r#"AsyncDropGuard({"cy": AsyncDropGuard(Session("cy"))})"#
        );
        end(&mut map).unwrap_err()
    });

    assert_eq!((errors.len(), errors.total()), (1, 3));
    assert_eq!(by_key(errors), [("bob", "line is dead".to_owned())].into());
    assert_eq!(incidents, []);
    for (entry, times) in [
        ("ada cleanup begins", 1),
        ("ada dropped", 1),
        ("bob cleanup begins", 1),
        ("bob dropped", 1),
        ("cy cleanup begins", 2),
        ("cy cleanup ends", 1),
        ("cy dropped", 1),
    ] {
        assert_eq!(count(&diary, entry), times, "{entry}");
    }
}

#[test]
fn n1_what_is_inserted_after_an_interruption_is_cleaned_up_too() {
    let diary = Diary::default();
    let mut map = map_of([Session::of("ada", &diary).waiting(9)]);
    abandon_after(1, map.async_drop());

    assert!(map.is_empty());
    let again = AsyncDropGuard::new(Session::of("second ada", &diary));
    assert!(map.insert("ada", again).is_none());
    end(&mut map).unwrap();

    assert_eq!(count(&diary, "ada cleanup ends"), 1);
    assert_eq!(count(&diary, "second ada cleanup ends"), 1);
}

#[test]
fn n1_after_an_interruption_a_cleanup_that_panicked_runs_again() {
    let diary = Diary::default();
    let mut map = map_of([
        Session::of("cy", &diary).ending(Ending::Panics("no route")),
        Session::of("dan", &diary).waiting(9),
    ]);
    abandon_after(1, map.async_drop());
    assert_eq!(message_of_panic(|| end(&mut map)), "no route");
    assert_eq!(count(&diary, "cy cleanup begins"), 2);
    record(|| drop(map));
}

#[test]
fn n1_a_panic_before_an_interruption_goes_on_once_the_others_are_done() {
    let diary = Diary::default();
    let mut map = map_of([
        Session::of("ada", &diary).panicking_in_drop("the line is dead"),
        Session::of("bob", &diary).waiting(3),
        Session::of("cy", &diary).ending(Ending::Fails("no route")),
    ]);
    abandon_after(1, map.async_drop());
    abandon_after(1, map.async_drop());
    assert_eq!(message_of_panic(|| end(&mut map)), "the line is dead");
    for user in ["ada", "bob", "cy"] {
        assert_eq!(count(&diary, &format!("{user} dropped")), 1);
    }
    assert_eq!(count(&diary, "ada cleanup begins"), 1);
    // It goes on once, and then the errors are returned.
    let errors = end(&mut map).unwrap_err();
    assert_eq!((errors.len(), errors.total()), (1, 3));
}

/// Whether the cleanup had to be run again does not matter: that it panicked must be known.
#[test]
fn n1_the_first_panic_goes_on_even_if_the_cleanup_succeeds_after_an_interruption() {
    let diary = Diary::default();
    let mut map = map_of([
        Session::of("ada", &diary).ending(Ending::PanicsOnce("no route")),
        Session::of("bob", &diary).waiting(3),
    ]);
    abandon_after(1, map.async_drop());
    assert_eq!(message_of_panic(|| end(&mut map)), "no route");
    assert_eq!(count(&diary, "ada cleanup ends"), 1);
    end(&mut map).unwrap();
}

/// The panic is of no use to anyone then, and its value was reported already.
#[test]
fn n1_a_map_that_is_dropped_after_an_interruption_drops_its_panic() {
    let diary = Diary::default();
    let mut map = map_of([
        Session::of("ada", &diary).panicking_in_drop("the line is dead"),
        Session::of("bob", &diary).waiting(9),
    ]);
    abandon_after(1, map.async_drop());
    let ((), incidents) = record(|| drop(map));
    assert_eq!(incidents.len(), 2);
    assert!(
        incidents
            .iter()
            .all(|it| it.kind == IncidentKind::Interrupted)
    );
}

#[test]
fn n1_errors_gathered_before_an_interruption_are_reported_when_the_map_is_dropped() {
    let diary = Diary::default();
    let mut map = map_of([
        Session::of("ada", &diary).ending(Ending::Fails("line is dead")),
        Session::of("bob", &diary).waiting(9),
    ]);
    abandon_after(1, map.async_drop());

    let (_, incidents) = record(|| drop(map));

    let mut kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
    kinds.sort_by_key(|kind| *kind as u8);
    assert_eq!(
        kinds,
        [
            IncidentKind::Interrupted,
            IncidentKind::Interrupted,
            IncidentKind::Suppressed
        ]
    );
    assert!(
        incidents
            .iter()
            .any(|it| it.message.contains("\"line is dead\""))
    );
}

/// A map with one guard that was cleaned up before it came there, and the message of whoever uses its value.
fn map_with_an_empty_guard(diary: &Diary) -> (Sessions, String) {
    let line = line!() + 1;
    let mut session = AsyncDropGuard::new(Session::of("ada", diary));
    assert_eq!(block_on(session.async_drop()), Ok(()));
    let mut map = AsyncDropHashMap::new();
    assert!(map.insert("ada", session).is_none());
    let message = format!(
        "AsyncDropGuard<{}> was used after async_drop, created at {}",
        std::any::type_name::<Session>(),
        place!(line, 23)
    );
    (map, message)
}

#[test]
fn h1_a_value_that_was_already_cleaned_up_cannot_be_lent() {
    let diary = Diary::default();
    let (mut map, expected) = map_with_an_empty_guard(&diary);

    for message in [
        message_of_panic(|| map.get("ada").is_some()),
        message_of_panic(|| map.get_mut("ada").is_some()),
        message_of_panic(|| map.iter().count()),
        message_of_panic(|| map.iter_mut().count()),
        message_of_panic(|| map.values().count()),
    ] {
        assert_eq!(message, expected);
    }
    // What lends no value does not mind.
    assert_eq!((map.len(), map.is_empty()), (1, false));
    assert!(map.contains_key("ada"));
    assert_eq!(map.keys().collect::<Vec<_>>(), [&"ada"]);
    assert_eq!(
        format!("{map:?}"),
        r#"AsyncDropGuard({"ada": AsyncDropGuard(<dropped>)})"#
    );
    assert!(map.remove("ada").unwrap().is_dropped());
    end(&mut map).unwrap();
}

#[test]
fn h4_a_value_that_was_already_cleaned_up_finds_its_place_and_cannot_be_lent() {
    let diary = Diary::default();
    let (mut map, expected) = map_with_an_empty_guard(&diary);
    let empty = map.remove("ada").unwrap();

    let message = message_of_panic(|| map.try_insert("ada", empty).is_ok());

    assert_eq!(message, expected);
    assert!(map.contains_key("ada"));
    end(&mut map).unwrap();
    diary.assert_reads(&["ada cleanup begins", "ada cleanup ends", "ada dropped"]);
}
