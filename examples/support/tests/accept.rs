//! A process of its own, because it takes away the file descriptors of all that runs in it.

#![cfg(unix)]

mod common;

use std::net::Ipv4Addr;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::accept;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tracing_subscriber::fmt;

use common::Log;

/// Only a test that would hang for ever takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A process without file descriptors cannot accept, and takes the client when it has one again.
#[tokio::test]
async fn a_lack_of_file_descriptors_delays_a_client() {
    let log = Log::default();
    let subscriber = fmt().with_writer(log.clone()).with_ansi(false).finish();
    let _subscriber = tracing::subscriber::set_default(subscriber);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let _client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();

    let allowed = getrlimit(Resource::Nofile);
    let none = Rlimit {
        current: Some(3),
        maximum: allowed.maximum,
    };
    setrlimit(Resource::Nofile, none).unwrap();
    let early = timeout(Duration::from_millis(350), accept(&listener)).await;
    setrlimit(Resource::Nofile, allowed).unwrap();
    assert!(early.is_err(), "a client was accepted without a descriptor");
    // It has paused in between: four failures fit into that time.
    let failures = log.text().matches("cannot accept a client: ").count();
    assert!((1..=4).contains(&failures), "{}", log.text());
    timeout(PATIENCE, accept(&listener)).await.unwrap();
}
