//! The log, to which the library's incidents go as well.

use std::io::{IsTerminal, stderr};

use asyncdrop::incident::{self, Incident, IncidentKind};

/// Lets `tracing` write to standard error, a line for each event, and reports the incidents of the library there.
///
/// # Panics
///
/// When the process has a log already.
pub fn start_log() {
    tracing_subscriber::fmt()
        .compact()
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        // What collects the lines of a service knows the time.
        .without_time()
        // A message about a line that cannot be written would go to standard error as well, and panic there.
        .log_internal_errors(false)
        .init();
    incident::set_hook(Box::new(report_incident));
}

/// An event for an incident, which names the value by its type and the line that created it.
///
/// It leaves out the value itself, because that may have what a client has sent.
pub fn report_incident(incident: &Incident<'_>) {
    let value = incident.type_name();
    let created_at = incident.location();
    match incident.kind() {
        kind @ IncidentKind::Suppressed => {
            tracing::warn!(?kind, value, %created_at, "a cleanup failed after another error");
        }
        kind => tracing::error!(?kind, value, %created_at, "a value was not cleaned up"),
    }
}
