//! The promise RP19: a cleanup in the reaper runs in a span of its own.

#![cfg(feature = "tokio")]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::sync::{Arc, Mutex};

use asyncdrop::{AsyncDropReaper, AsyncDropWith, incident};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::with_default;
use tracing::{Event, Metadata, Subscriber, info, info_span};
use tracing_core::span::Current;

/// Keeps every span with its parent and its fields, and in which span each event happened.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Recorded>>);

#[derive(Default)]
struct Recorded {
    spans: Vec<Span>,
    entered: Vec<usize>,
    /// What an event said, and the names of the spans around it, the innermost first.
    events: Vec<(String, Vec<&'static str>)>,
}

struct Span {
    name: &'static str,
    metadata: &'static Metadata<'static>,
    parent: Option<usize>,
    fields: BTreeMap<&'static str, String>,
}

struct Fields<'a>(&'a mut BTreeMap<&'static str, String>);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut recorded = self.0.lock().unwrap();
        let parent = match span.parent() {
            Some(parent) => Some(parent.into_u64() as usize - 1),
            None if span.is_contextual() => recorded.entered.last().copied(),
            None => None,
        };
        let mut fields = BTreeMap::new();
        span.record(&mut Fields(&mut fields));
        recorded.spans.push(Span {
            name: span.metadata().name(),
            metadata: span.metadata(),
            parent,
            fields,
        });
        Id::from_u64(recorded.spans.len() as u64)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = BTreeMap::new();
        event.record(&mut Fields(&mut fields));
        let mut recorded = self.0.lock().unwrap();
        let mut around = Vec::new();
        let mut span = recorded.entered.last().copied();
        while let Some(index) = span {
            around.push(recorded.spans[index].name);
            span = recorded.spans[index].parent;
        }
        let message = fields.remove("message").unwrap_or_default();
        recorded.events.push((message, around));
    }

    fn current_span(&self) -> Current {
        let recorded = self.0.lock().unwrap();
        match recorded.entered.last() {
            Some(&index) => {
                let id = Id::from_u64(index as u64 + 1);
                Current::new(id, recorded.spans[index].metadata)
            }
            None => Current::none(),
        }
    }

    fn enter(&self, span: &Id) {
        let mut recorded = self.0.lock().unwrap();
        recorded.entered.push(span.into_u64() as usize - 1);
    }

    fn exit(&self, _: &Id) {
        self.0.lock().unwrap().entered.pop();
    }
}

#[test]
fn rp19_a_cleanup_in_the_reaper_runs_in_a_span_below_that_of_its_adoption() {
    let recorder = Recorder::default();
    with_default(recorder.clone(), || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut reaper = AsyncDropReaper::new();
            let upload = || {
                AsyncDropWith::new((), async |()| {
                    info!("begun");
                    tokio::task::yield_now().await;
                    info!("done");
                    io::Result::Ok(())
                })
            };
            let request = info_span!("request");
            let (named, unnamed, mut in_place) = request.in_scope(|| {
                let named = reaper.adopt_as("film.mp4", upload());
                (named, reaper.adopt(upload()), reaper.adopt(upload()))
            });
            drop(request);
            // Another span is around the drop, which has nothing to do with the value.
            info_span!("elsewhere").in_scope(|| drop((named, unnamed)));
            in_place.async_drop().await.unwrap();
            reaper.async_drop().await.unwrap();
        });
    });
    let recorded = recorder.0.lock().unwrap();
    let in_reaper: Vec<_> = recorded
        .events
        .iter()
        .filter(|(_, around)| !around.is_empty())
        .collect();
    assert_eq!(in_reaper.len(), 4);
    for (_, around) in in_reaper {
        assert_eq!(around, &["async_drop", "request"]);
    }
    // The cleanup in place runs in whatever span its owner is in.
    assert_eq!(recorded.events.len(), 6);

    let spans: Vec<_> = recorded
        .spans
        .iter()
        .filter(|it| it.name == "async_drop")
        .collect();
    assert_eq!(spans.len(), 2);
    assert_eq!(spans[0].fields["name"], "film.mp4");
    assert!(
        spans[0].fields["type"].contains("AsyncDropWith<"),
        "{:?}",
        spans[0].fields
    );
    assert_eq!(spans[1].fields.get("name"), None);
}

#[test]
fn rp19_what_is_said_of_a_value_whose_runtime_has_ended_is_said_in_its_span() {
    let recorder = Recorder::default();
    incident::set_hook(Box::new(|incident| info!("{incident}")));
    with_default(recorder.clone(), || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let mut reaper = runtime.block_on(async { AsyncDropReaper::new() });
        let upload = AsyncDropWith::new((), async |()| io::Result::Ok(()));
        drop(info_span!("request").in_scope(|| reaper.adopt(upload)));
        drop(runtime);
        let errors = futures::executor::block_on(reaper.async_drop()).unwrap_err();
        assert_eq!(errors.len(), 1);
    });
    let recorded = recorder.0.lock().unwrap();
    let around = Vec::from_iter(recorded.events.iter().map(|(_, around)| around));
    assert_eq!(around, [&["async_drop", "request"]]);
}

#[test]
fn rp19_a_subscriber_that_panics_stops_no_drop_and_no_cleanup() {
    struct HasNoRoom;

    impl Subscriber for HasNoRoom {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            panic!("there is no room for a span")
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, _: &Event<'_>) {}

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let cleaned_up = Arc::new(Mutex::new(0));
    runtime.block_on(async {
        let mut reaper = AsyncDropReaper::new();
        let uploads = Vec::from_iter((0..1_000).map(|_| {
            let cleaned_up = Arc::clone(&cleaned_up);
            let close = async move |()| {
                *cleaned_up.lock().unwrap() += 1;
                io::Result::Ok(())
            };
            reaper.adopt(AsyncDropWith::new((), close))
        }));
        // Those that wait for their turn are started by others, and that is outside of this.
        with_default(HasNoRoom, || drop(uploads));
        reaper.async_drop().await.unwrap();
    });
    assert_eq!(*cleaned_up.lock().unwrap(), 1_000);
}
