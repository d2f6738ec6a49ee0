//! What the library promises, a file a subject.
//!
//! All of it is one binary: it is linked once, and a test that waits does so beside others that work. A test that wants
//! the hook or the whole process for itself either starts a process (`run_in_new_process`) or is a binary of its own.

mod support;
mod sweep;

mod arc;
mod auto_traits;
mod background_worker;
mod cancellation;
mod cases;
mod deadline;
mod derive;
mod endless;
mod errors;
mod flatten;
mod guard;
mod hash_map;
mod hostile_callbacks;
mod house;
mod incident;
mod large_values;
mod line_server;
mod readme;
mod reaper;
mod reaper_bursts;
mod reaper_callbacks;
mod reaper_on_any_runtime;
mod reaper_what_can_be_asked;
mod result;
mod runtimes;
mod scope;
mod shared;
mod stack;
mod sync_drop;
mod tokio_mutex;
mod with;
