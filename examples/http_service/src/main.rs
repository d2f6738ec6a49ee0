//! An HTTP service that counts visits, and keeps the counts in another server.
//!
//! ```text
//! cargo run -p asyncdrop-example-http-service -- --addr 127.0.0.1:8000
//! curl -X POST http://127.0.0.1:8000/visits/home
//! ```
//!
//! Stop it with Ctrl-C or SIGTERM: it answers what it has accepted, says goodbye on every connection of its pool,
//! and names each connection on which it could not.
//!
//! `--counter HOST:PORT` is where the counts are kept. Without it the program starts a small counter itself.

mod counter;
mod pool;

use std::io::{self, Write};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use asyncdrop::AsyncDropReaper;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::pool::Pool;

// ANCHOR: main
#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("http_service: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> anyhow::Result<()> {
    let options = Options::from_args()?;
    let told_to_stop = told_to_stop()?;
    let listener = TcpListener::bind(&options.addr).await?;
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;

    let counter = match options.counter {
        Some(counter) => counter,
        None => counter::start().await?.to_string(),
    };

    let reaper = AsyncDropReaper::new();
    let pool = Pool::new(
        counter,
        options.connections,
        options.answer,
        reaper.handle(),
    );
    let served = serve(listener, pool, told_to_stop, options.deadline).await;
    let left = match &served {
        Ok(end) => end.saturating_duration_since(Instant::now()),
        Err(_) => options.deadline,
    };
    let closed = AsyncDropReaper::shutdown(reaper, left).await;
    if let (Err(_), Err(error)) = (&served, &closed) {
        eprintln!("http_service: {error}");
    }
    served?;
    closed?;
    writeln!(io::stdout(), "every connection is closed")?;
    Ok(())
}
// ANCHOR_END: main

/// The part of the time at the end in which waiting requests may still get their answer.
const ANSWERING: f32 = 0.5;
/// The part after which no client is waited for any more. The rest is for the goodbyes.
const TELLING: f32 = 0.75;

/// Ends with SIGTERM or Ctrl-C. From the call on, not only from the first poll, neither kills the process.
fn told_to_stop() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

struct Service {
    pool: Pool,
    /// Changes when requests must not wait any longer.
    give_up: watch::Receiver<()>,
}

// ANCHOR: handler
async fn visit(
    State(service): State<Arc<Service>>,
    Path(page): Path<String>,
) -> Result<String, (StatusCode, String)> {
    // A line break in it would be a second command.
    if !page.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        let reason = "the name of a page has only letters and digits\n".to_owned();
        return Err((StatusCode::BAD_REQUEST, reason));
    }
    let mut give_up = service.give_up.clone();
    tokio::select! {
        visits = service.pool.visit(&page) => match visits {
            Ok(visits) => Ok(format!("{visits}\n")),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                Err((StatusCode::GATEWAY_TIMEOUT, format!("{error}\n")))
            }
            Err(error) => Err((StatusCode::BAD_GATEWAY, format!("{error}\n"))),
        },
        _ = give_up.changed() => {
            let reason = "the service is shutting down\n".to_owned();
            Err((StatusCode::SERVICE_UNAVAILABLE, reason))
        }
    }
}
// ANCHOR_END: handler

// ANCHOR: serve
/// Answers requests until it is told to stop, and returns when everything must be over.
async fn serve(
    listener: TcpListener,
    pool: Pool,
    told_to_stop: impl Future<Output = ()>,
    limit: Duration,
) -> io::Result<Instant> {
    let (give_up, giving_up) = watch::channel(());
    let (stop, mut stopping) = watch::channel(());
    let service = Arc::new(Service {
        pool,
        give_up: giving_up,
    });
    let app = Router::new()
        .route("/visits/{page}", post(visit))
        .with_state(Arc::clone(&service));
    let serving = axum::serve(listener, app).with_graceful_shutdown(async move {
        let _ = stopping.changed().await;
    });
    let mut serving = pin!(serving.into_future());
    tokio::select! {
        ended = &mut serving => ended?,
        () = told_to_stop => {}
    }

    let asked = Instant::now();
    // From here on nobody new is let in.
    stop.send_replace(());
    if timeout_at(asked + limit.mul_f32(ANSWERING), &mut serving)
        .await
        .is_err()
    {
        // Each request that still waits is answered now, with 503.
        give_up.send_replace(());
        let answered = timeout_at(asked + limit.mul_f32(TELLING), &mut serving).await;
        if answered.is_err() {
            eprintln!("http_service: a client neither finished its request nor hung up");
        }
    }
    service.pool.close();
    Ok(asked + limit)
}
// ANCHOR_END: serve

struct Options {
    addr: String,
    /// Without it the program starts a counter of its own.
    counter: Option<String>,
    connections: usize,
    /// How long the counter may take to answer one command.
    answer: Duration,
    /// From the signal to the end of the process.
    deadline: Duration,
}

impl Options {
    fn from_args() -> anyhow::Result<Self> {
        use lexopt::prelude::*;

        let mut addr = "127.0.0.1:0".to_owned();
        let mut counter = None;
        let mut connections = 8;
        let mut answer = Duration::from_secs(15);
        let mut deadline = Duration::from_secs(10);
        let mut args = lexopt::Parser::from_env();
        while let Some(arg) = args.next()? {
            match arg {
                Long("addr") => addr = args.value()?.string()?,
                Long("counter") => counter = Some(args.value()?.string()?),
                Long("connections") => connections = args.value()?.parse()?,
                Long("answer-ms") => answer = Duration::from_millis(args.value()?.parse()?),
                Long("deadline-ms") => deadline = Duration::from_millis(args.value()?.parse()?),
                _ => return Err(arg.unexpected().into()),
            }
        }
        Ok(Self {
            addr,
            counter,
            connections,
            answer,
            deadline,
        })
    }
}
