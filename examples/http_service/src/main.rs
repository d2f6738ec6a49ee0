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

use std::io::{self, ErrorKind, Write};
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use asyncdrop::AsyncDropReaper;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::pool::Pool;

/// How many connections to the counter there may be.
const MAX_CONNECTIONS: usize = 8;

/// How long the counter may take to answer one command.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);

/// How long a client waits for its answer, whatever keeps us. Then its handler is cancelled.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);

/// How long it may take from the signal to the end of the process.
const DEADLINE: Duration = Duration::from_secs(10);

const USAGE: &str = "usage: http_service [--addr HOST:PORT] [--counter HOST:PORT] \
    [--connections COUNT] [--answer-ms N] [--request-ms N] [--deadline-ms N]";

// ANCHOR: main
#[tokio::main]
async fn main() -> ExitCode {
    support::start_log();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> anyhow::Result<()> {
    let options = Options::from_args().map_err(|error| anyhow!("{error} ({USAGE})"))?;
    let told_to_end = support::cancelled_by_a_signal()?;
    let counter = match &options.counter {
        Some(counter) => counter.clone(),
        None => counter::start().await?.to_string(),
    };
    let listener = TcpListener::bind(&options.addr).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", options.addr))?;
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;

    let reaper = AsyncDropReaper::new();
    let pool = Pool::new(
        counter,
        options.connections,
        options.answer,
        reaper.handle(),
    );
    let served = serve(listener, pool, told_to_end, &options).await;
    let left = match &served {
        Ok(end) => end.saturating_duration_since(Instant::now()),
        Err(_) => options.deadline,
    };
    let closed = AsyncDropReaper::shutdown(reaper, left).await;
    if let (Err(_), Err(error)) = (&served, &closed) {
        tracing::error!("{error}");
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

struct Service {
    pool: Pool,
    /// Cancelled when requests must not wait any longer.
    give_up: CancellationToken,
    /// How long one request may take.
    limit: Duration,
}

// ANCHOR: handler
async fn visit(
    State(service): State<Arc<Service>>,
    Path(page): Path<String>,
) -> Result<String, (StatusCode, &'static str)> {
    // A line break in it would be a second command.
    if !page.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        let reason = "the name of a page has only letters and digits\n";
        return Err((StatusCode::BAD_REQUEST, reason));
    }
    // Whichever of these ends the wait drops the visit where it is.
    let visit = timeout(service.limit, service.pool.visit(&page));
    match service.give_up.run_until_cancelled(visit).await {
        None => Err((
            StatusCode::SERVICE_UNAVAILABLE,
            "the service is shutting down\n",
        )),
        Some(Ok(Ok(visits))) => Ok(format!("{visits}\n")),
        Some(Ok(Err(error))) if error.kind() != ErrorKind::TimedOut => {
            // We tell the client only what it can do something about.
            tracing::warn!(page, "a visit was not counted: {error}");
            Err((StatusCode::BAD_GATEWAY, "the counter cannot be reached\n"))
        }
        Some(_timed_out) => Err((StatusCode::GATEWAY_TIMEOUT, "the counter did not answer\n")),
    }
}
// ANCHOR_END: handler

// ANCHOR: serve
/// Answers requests until it is told to end, and returns when everything must be over.
async fn serve(
    listener: TcpListener,
    pool: Pool,
    told_to_end: CancellationToken,
    options: &Options,
) -> io::Result<Instant> {
    let give_up = CancellationToken::new();
    let service = Arc::new(Service {
        pool,
        give_up: give_up.clone(),
        limit: options.request,
    });
    let app = Router::new()
        .route("/visits/{page}", post(visit))
        .with_state(Arc::clone(&service));
    // From the signal on no new client is let in.
    let stop = told_to_end.clone().cancelled_owned();
    let mut serving = tokio::spawn(
        axum::serve(listener, app)
            .with_graceful_shutdown(stop)
            .into_future(),
    );

    told_to_end.cancelled().await;
    let asked = Instant::now();
    let mut served = timeout_at(asked + options.deadline.mul_f32(ANSWERING), &mut serving).await;
    if served.is_err() {
        // Each request that still waits is answered now, with 503.
        give_up.cancel();
        let told = asked + options.deadline.mul_f32(TELLING);
        served = timeout_at(told, &mut serving).await;
    }
    service.pool.close();
    match served {
        Ok(served) => served??,
        Err(_elapsed) => tracing::warn!("a client neither finished its request nor hung up"),
    }
    Ok(asked + options.deadline)
}
// ANCHOR_END: serve

struct Options {
    addr: String,
    /// Without it the program starts a counter of its own.
    counter: Option<String>,
    connections: usize,
    answer: Duration,
    request: Duration,
    deadline: Duration,
}

impl Options {
    fn from_args() -> anyhow::Result<Self> {
        use lexopt::prelude::*;

        let mut addr = "127.0.0.1:0".to_owned();
        let mut counter = None;
        let mut connections = MAX_CONNECTIONS;
        let mut answer = ANSWER_LIMIT;
        let mut request = REQUEST_LIMIT;
        let mut deadline = DEADLINE;
        let mut args = lexopt::Parser::from_env();
        while let Some(arg) = args.next()? {
            match arg {
                Long("addr") => addr = args.value()?.string()?,
                Long("counter") => counter = Some(args.value()?.string()?),
                Long("connections") => {
                    connections = args.value()?.parse::<NonZeroUsize>()?.get();
                }
                Long("answer-ms") => answer = Duration::from_millis(args.value()?.parse()?),
                Long("request-ms") => request = Duration::from_millis(args.value()?.parse()?),
                Long("deadline-ms") => deadline = Duration::from_millis(args.value()?.parse()?),
                _ => return Err(arg.unexpected().into()),
            }
        }
        Ok(Self {
            addr,
            counter,
            connections,
            answer,
            request,
            deadline,
        })
    }
}
