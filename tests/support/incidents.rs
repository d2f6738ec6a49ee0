//! The incidents of a test, kept for it to look at.

use std::cell::RefCell;
use std::sync::{Mutex, Once};

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

/// Looks at an incident, and takes it by returning `true`.
type Listener = fn(&Incident<'_>) -> bool;

/// Shows every incident of the process to `listener` on the thread where it happens, for as long as the process lives.
/// An incident that no listener takes goes to the hook that was there before.
///
/// The hook belongs to the whole process and the tests of a binary share it, so it is replaced once, and what the tests
/// want to know goes through here: with two that each put theirs around the hook before, an incident of a third thread
/// could fall between the taking and the setting.
pub fn listen(listener: Listener) {
    static LISTENERS: Mutex<Vec<Listener>> = Mutex::new(Vec::new());
    LISTENERS.lock().unwrap().push(listener);
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let before = incident::take_hook();
        incident::set_hook(Box::new(move |incident| {
            // A listener may panic, or report an incident of its own, so the lock is gone when it is called.
            let listeners = LISTENERS.lock().unwrap().clone();
            if !listeners.iter().any(|listener| listener(incident)) {
                before(incident);
            }
        }));
    });
}

/// Runs `f`, and returns the incidents that happened on this thread meanwhile. They do not panic.
///
/// On threads that did not ask for it, nothing is different.
pub fn record<R>(f: impl FnOnce() -> R) -> (R, Vec<Recorded>) {
    static LISTEN: Once = Once::new();
    LISTEN.call_once(|| {
        listen(|incident| {
            RECORDING.with_borrow_mut(|recording| match recording {
                Some(incidents) => {
                    incidents.push(incident.into());
                    true
                }
                None => false,
            })
        });
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
