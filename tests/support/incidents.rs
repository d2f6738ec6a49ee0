//! The incidents of a test, kept for it to look at.

use std::cell::RefCell;
use std::sync::Once;

use asyncdrop::incident::{self, Incident, IncidentKind};

/// An incident as the hook saw it, kept for a test to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    pub kind: IncidentKind,
    pub type_name: &'static str,
    pub location: String,
    pub message: String,
}

impl From<&Incident<'_>> for Recorded {
    fn from(incident: &Incident<'_>) -> Self {
        Self {
            kind: incident.kind(),
            type_name: incident.type_name(),
            location: incident.location().to_string(),
            message: incident.to_string(),
        }
    }
}

thread_local! {
    /// `Some` while this thread records its incidents.
    static RECORDING: RefCell<Option<Vec<Recorded>>> = const { RefCell::new(None) };
}

/// Runs `f`, and returns the incidents that happened on this thread meanwhile. They do not panic.
///
/// The hook belongs to the whole process and the tests of a binary share it, so the one that is installed here
/// records on the threads that asked for it, and behaves like the default one on all others.
pub fn record<R>(f: impl FnOnce() -> R) -> (R, Vec<Recorded>) {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let default = incident::take_hook();
        incident::set_hook(Box::new(move |incident| {
            let recorded = RECORDING.with_borrow_mut(|recording| match recording {
                Some(incidents) => {
                    incidents.push(incident.into());
                    true
                }
                None => false,
            });
            if !recorded {
                default(incident);
            }
        }));
    });

    /// Ends the recording, also when `f` panics.
    struct Recording;
    impl Drop for Recording {
        fn drop(&mut self) {
            RECORDING.take();
        }
    }

    let outer = RECORDING.replace(Some(Vec::new()));
    assert_eq!(outer, None, "recordings do not nest");
    let recording = Recording;
    let result = f();
    let incidents = RECORDING.take().expect("only `Recording` ends it");
    drop(recording);
    (result, incidents)
}

/// The text of `location` as an incident shows it, for this file and this line.
#[macro_export]
macro_rules! place {
    ($line:expr, $column:literal) => {
        format!("{}:{}:{}", file!(), $line, $column)
    };
}
