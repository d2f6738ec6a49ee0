//! The promise E1, and what `async_drop_all` does with values, errors and panics.

use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use asyncdrop::incident::IncidentKind;
use asyncdrop::{
    AsyncDrop, AsyncDropGuard, AsyncDropStack, AsyncDropWith, BoxedAsyncDropWith, DropErrors,
    ScopeError, async_drop_all, async_trait,
};
use futures::executor::block_on;

use crate::support::{Diary, Ending, Session, abandon_after, message_of_panic, record};

/// An error as programs have them, with a number to tell one from another.
#[derive(Debug, PartialEq)]
struct LineIsDead(u32);

impl fmt::Display for LineIsDead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} is dead", self.0)
    }
}

impl Error for LineIsDead {}

/// A line whose cleanup fails if the number is odd.
#[derive(Debug)]
struct Line(u32);

#[async_trait]
impl AsyncDrop for Line {
    type Error = LineIsDead;

    async fn async_drop_impl(&mut self) -> Result<(), LineIsDead> {
        // Those with a small number take longest.
        for _ in self.0..10 {
            tokio::task::yield_now().await;
        }
        if self.0 % 2 == 0 {
            Ok(())
        } else {
            Err(LineIsDead(self.0))
        }
    }
}

fn hang_up(
    lines: impl IntoIterator<Item = u32>,
) -> Result<(), DropErrors<&'static str, LineIsDead>> {
    const NAMES: [&str; 5] = ["zero", "one", "two", "three", "four"];
    block_on(async_drop_all(lines.into_iter().map(|line| {
        (NAMES[line as usize], AsyncDropGuard::new(Line(line)))
    })))
}

fn guards<const N: usize>(sessions: [Session; N]) -> [(&'static str, AsyncDropGuard<Session>); N] {
    sessions.map(|session| (session.user, AsyncDropGuard::new(session)))
}

#[test]
fn e1_where_nothing_failed_there_is_no_error() {
    hang_up([]).unwrap();
    hang_up([0]).unwrap();
    hang_up([0, 2, 4]).unwrap();
}

#[test]
fn e1_display_says_how_many_of_how_many_failed_and_names_each_with_its_key() {
    assert_eq!(
        hang_up([1]).unwrap_err().to_string(),
        "1 of 1 cleanups failed: \"one\": line 1 is dead"
    );
    assert_eq!(
        hang_up([0, 1, 2, 3]).unwrap_err().to_string(),
        "2 of 4 cleanups failed: \"one\": line 1 is dead; \"three\": line 3 is dead"
    );
}

#[test]
fn e1_the_errors_keep_the_order_of_the_values_whoever_ended_first() {
    let errors = hang_up([3, 0, 1]).unwrap_err();

    assert_eq!(errors.len(), 2);
    assert_eq!(errors.total(), 3);
    let borrowed: Vec<_> = errors.iter().collect();
    assert_eq!(
        borrowed,
        [(&"three", &LineIsDead(3)), (&"one", &LineIsDead(1))]
    );
    let owned: Vec<_> = errors.into_iter().collect();
    assert_eq!(owned, [("three", LineIsDead(3)), ("one", LineIsDead(1))]);
}

#[test]
fn e2_the_source_says_nothing_that_the_text_has_said() {
    let errors = hang_up([3, 0, 1]).unwrap_err();

    assert!(errors.source().is_none());
}

/// An error with a source, as it comes from a client.
#[derive(Debug)]
struct Refused(LineIsDead);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it was refused")
    }
}

impl Error for Refused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

fn refused(line: u32) -> AsyncDropGuard<BoxedAsyncDropWith<u32, Refused>> {
    AsyncDropWith::boxed(line, async |line| Err(Refused(LineIsDead(line))))
}

/// The sentence that anyhow makes of an error and its sources.
fn in_one_sentence(error: impl Error + Send + Sync + 'static) -> String {
    format!("{:#}", anyhow::Error::from(error))
}

#[test]
fn e2_an_error_with_its_sources_reads_as_one_sentence() {
    let errors = block_on(async_drop_all([("one", refused(1)), ("three", refused(3))]));
    assert_eq!(
        in_one_sentence(errors.unwrap_err()),
        r#"2 of 2 cleanups failed: "one": it was refused; "three": it was refused: line 3 is dead"#
    );

    let refused = || Refused(LineIsDead(1));
    let scope: [(ScopeError<Refused, Refused>, &str); 3] = [
        (
            ScopeError::Body(refused()),
            "the body failed: it was refused: line 1 is dead",
        ),
        (
            ScopeError::Cleanup(refused()),
            "the cleanup failed: it was refused: line 1 is dead",
        ),
        (
            ScopeError::Both {
                body: refused(),
                cleanup: refused(),
            },
            "the body failed: it was refused; then the cleanup failed: it was refused: line 1 is dead",
        ),
    ];
    for (error, expected) in scope {
        assert_eq!(in_one_sentence(error), expected);
    }
}

/// A [`CleanupError`](asyncdrop::CleanupError) says its sources itself, each once, so it has none.
#[test]
fn e2_a_list_of_errors_of_any_type_names_each_source_once() {
    let mut stack = AsyncDropStack::new();
    stack.push(refused(1));
    stack.push(AsyncDropWith::new((), async |()| Err(LineIsDead(3))));
    let errors = block_on(stack.async_drop()).unwrap_err();
    let text = errors.to_string();
    assert_eq!(in_one_sentence(errors), text);
    for once in [
        "it was refused: line 1 is dead",
        "line 1 is dead",
        "line 3 is dead",
    ] {
        assert_eq!(text.matches(once).count(), 1, "{text}");
    }
}

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn e2_the_errors_of_a_deadline_and_of_a_shutdown_read_as_one_sentence() {
    use asyncdrop::{AsyncDropReaper, DeadlineError};
    use std::time::Duration;

    let limit = Duration::from_secs(1);
    let error = refused(1).async_drop_within(limit).await.unwrap_err();
    assert!(matches!(error, DeadlineError::Cleanup(_)));
    assert_eq!(
        in_one_sentence(error),
        "the cleanup failed: it was refused: line 1 is dead"
    );

    let reaper = AsyncDropReaper::new();
    drop(reaper.adopt(refused(1)));
    let mut in_use = reaper.adopt_as("the rest", refused(3));
    let error = AsyncDropReaper::shutdown(reaper, limit).await.unwrap_err();
    let text = error.to_string();
    assert_eq!(in_one_sentence(error), text);
    assert!(text.starts_with("not all values were gone after 1s: 1 still in use (\"the rest\""));
    assert!(text.ends_with(": it was refused: line 1 is dead"), "{text}");
    in_use.async_drop().await.unwrap_err();
}

#[test]
fn e1_it_goes_through_a_question_mark_into_anyhow() {
    fn shut_down() -> anyhow::Result<()> {
        hang_up([0, 1])?;
        Ok(())
    }

    let error = shut_down().unwrap_err();

    assert_eq!(
        format!("{error:#}"),
        "1 of 2 cleanups failed: \"one\": line 1 is dead"
    );
    let errors = error.downcast::<DropErrors<&str, LineIsDead>>().unwrap();
    assert_eq!(errors.len(), 1);
}

#[test]
fn e1_equal_keys_keep_their_errors_apart() {
    let errors = block_on(async_drop_all([
        ("line", AsyncDropGuard::new(Line(1))),
        ("line", AsyncDropGuard::new(Line(3))),
    ]))
    .unwrap_err();

    assert_eq!(
        errors.to_string(),
        "2 of 2 cleanups failed: \"line\": line 1 is dead; \"line\": line 3 is dead"
    );
}

#[test]
fn all_passes_over_a_value_that_was_already_cleaned_up() {
    let diary = Diary::default();
    let mut guards = guards([Session::of("ada", &diary)]);
    block_on(guards[0].1.async_drop()).unwrap();

    block_on(async_drop_all(guards)).unwrap();

    diary.assert_reads(&["ada cleanup begins", "ada cleanup ends", "ada dropped"]);
}

#[test]
fn all_lets_the_others_finish_before_a_panic_goes_on_and_reports_what_it_lost() {
    let diary = Diary::default();
    let guards = guards([
        Session::of("ada", &diary).ending(Ending::Panics("no route")),
        Session::of("bob", &diary).ending(Ending::Fails("line is dead")),
        Session::of("cy", &diary)
            .waiting(5)
            .ending(Ending::Panics("out of memory")),
        Session::of("dan", &diary).waiting(5),
    ]);

    let (message, incidents) = record(|| message_of_panic(|| block_on(async_drop_all(guards))));

    assert_eq!(message, "no route", "the first of the panics");
    assert!(diary.entries().contains(&"dan cleanup ends".to_owned()));
    let what: Vec<_> = incidents
        .iter()
        .map(|it| (it.kind, it.message.split(", created").next().unwrap()))
        .collect();
    let suppressed = format!(
        "Suppressed an error of {}: \"line is dead\"",
        std::any::type_name::<Session>()
    );
    assert_eq!(
        what,
        [
            (
                IncidentKind::Interrupted,
                "async_drop on Session(\"ada\") was interrupted before it finished"
            ),
            (IncidentKind::Suppressed, &*suppressed),
            (
                IncidentKind::Interrupted,
                "async_drop on Session(\"cy\") was interrupted before it finished"
            ),
        ]
    );
}

#[test]
fn all_reports_guards_and_errors_when_it_is_cancelled() {
    let diary = Diary::default();
    let guards = guards([
        Session::of("ada", &diary).ending(Ending::Fails("line is dead")),
        Session::of("bob", &diary).waiting(99),
        Session::of("cy", &diary),
    ]);

    let (_, incidents) = record(|| abandon_after(3, async_drop_all(guards)));

    let kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [IncidentKind::Suppressed, IncidentKind::Interrupted]);
}

#[test]
fn all_reports_the_guards_when_it_is_never_polled() {
    let diary = Diary::default();
    let guards = guards([Session::of("ada", &diary), Session::of("bob", &diary)]);

    let (_, incidents) = record(|| drop(async_drop_all(guards)));

    let kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [IncidentKind::Forgotten, IncidentKind::Forgotten]);
}

/// A line whose cleanup waits for ever, and owns something that panics when it is dropped.
#[derive(Debug)]
struct Stuck(Diary);

#[async_trait]
impl AsyncDrop for Stuck {
    type Error = LineIsDead;

    async fn async_drop_impl(&mut self) -> Result<(), LineIsDead> {
        let _owned = Session::of("owned", &self.0).panicking_in_drop("dropped half-way");
        std::future::pending().await
    }
}

#[test]
fn a_panic_while_half_done_cleanups_are_dropped_goes_on_after_all_of_them_are_dropped() {
    let diary = Diary::default();
    let lines = ["one", "two"].map(|name| (name, AsyncDropGuard::new(Stuck(diary.clone()))));

    let (message, incidents) = record(|| {
        let all = async_drop_all(lines);
        message_of_panic(|| abandon_after(1, all))
    });

    assert_eq!(message, "dropped half-way");
    diary.assert_reads(&["owned dropped", "owned dropped"]);
    assert_eq!(incidents.len(), 2);
}

/// A key that panics when it is dropped.
#[derive(Debug)]
struct Key(Option<&'static str>);

impl Drop for Key {
    fn drop(&mut self) {
        if let Some(message) = self.0 {
            panic!("{message}");
        }
    }
}

#[test]
fn e1_an_error_is_reported_where_the_key_of_another_value_panics_in_its_drop() {
    let keys = [Key(None), Key(Some("no such key"))];
    let lines = keys
        .into_iter()
        .zip([1, 2].map(|line| AsyncDropGuard::new(Line(line))));

    let (message, incidents) = record(|| message_of_panic(|| block_on(async_drop_all(lines))));

    assert_eq!(message, "no such key");
    let kinds: Vec<_> = incidents.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [IncidentKind::Suppressed]);
    assert!(incidents[0].message.contains("LineIsDead(1)"));
}

/// What a cleanup panics with: anything, and this is one that panics in turn when it is dropped.
struct Payload;

impl Drop for Payload {
    fn drop(&mut self) {
        panic!("the payload of a panic is dropped");
    }
}

/// A line whose cleanup panics, at once or after a turn.
#[derive(Debug)]
struct Broken {
    waits: bool,
}

#[async_trait]
impl AsyncDrop for Broken {
    type Error = LineIsDead;

    async fn async_drop_impl(&mut self) -> Result<(), LineIsDead> {
        if self.waits {
            tokio::task::yield_now().await;
        }
        std::panic::resume_unwind(Box::new(Payload))
    }
}

#[test]
fn all_keeps_the_first_panic_whatever_the_others_panicked_with() {
    let lines =
        [false, false, true, true].map(|waits| (waits, AsyncDropGuard::new(Broken { waits })));

    let (panic, incidents) = record(|| {
        let all = AssertUnwindSafe(|| block_on(async_drop_all(lines)));
        catch_unwind(all).expect_err("each cleanup panics")
    });

    assert!(panic.is::<Payload>());
    std::mem::forget(panic);
    assert_eq!(incidents.len(), 4, "each was interrupted by its panic");
}
