//! The signals that end a service, and its log.

#![cfg(unix)]

mod common;

use std::io;
use std::time::Duration;

use asyncdrop::incident;
use asyncdrop::{AsyncDropWith, with_async_drop};
use rustix::process::{Signal, getpid, kill_process};
use support::{cancelled_by_a_signal, report_incident};
use tokio::time::timeout;
use tracing_subscriber::fmt;

use common::Log;

/// Only a test that would hang for ever takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn sigterm_and_ctrl_c_cancel_the_token() {
    for signal in [Signal::TERM, Signal::INT] {
        let token = cancelled_by_a_signal().unwrap();
        // It was not polled yet.
        kill_process(getpid(), signal).unwrap();
        timeout(PATIENCE, token.cancelled()).await.unwrap();
    }
}

/// An event says what a value was, and not what was in it.
#[tokio::test]
async fn an_incident_is_an_event_without_the_value() {
    let log = Log::default();
    let subscriber = fmt().with_writer(log.clone()).with_ansi(false).finish();
    let _subscriber = tracing::subscriber::set_default(subscriber);
    incident::set_hook(Box::new(report_incident));

    drop(AsyncDropWith::new("a secret", async |_| io::Result::Ok(())));
    let closing = AsyncDropWith::new("a secret", async |_| Err(io::Error::other("a secret")));
    let both: io::Result<()> =
        with_async_drop(closing, async |_| Err(io::Error::other("first"))).await;
    both.unwrap_err();
    let _default = incident::take_hook();

    let log = log.text();
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert!(
        lines[0].contains("ERROR") && lines[0].contains("kind=Forgotten"),
        "{log}"
    );
    assert!(
        lines[1].contains("WARN") && lines[1].contains("kind=Suppressed"),
        "{log}"
    );
    for line in lines {
        assert!(line.contains("AsyncDropWith<&str"), "{line}");
        assert!(line.contains("tests/signals_and_log.rs:"), "{line}");
        assert!(!line.contains("a secret"), "{line}");
    }
}
