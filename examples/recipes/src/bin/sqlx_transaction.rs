//! A transaction of sqlx that is rolled back unless it was committed, and a pool that is closed at the end.
//!
//! ```text
//! DATABASE_URL=postgres://localhost/postgres cargo run -p asyncdrop-example-recipes --bin sqlx_transaction
//! ```

use std::env;
use std::future::pending;
use std::time::Duration;

use anyhow::Context;
use asyncdrop::{AsyncDropReaper, AsyncDropWith, Reaped, ReaperHandle, with_async_drop_2};
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgConnection, PgPool, Transaction, query, query_scalar};
use tokio::time::timeout;

// ANCHOR: shown
async fn order(pool: &PgPool, reaper: &ReaperHandle, pieces: i32) -> sqlx::Result<i32> {
    let tx = AsyncDropWith::new(pool.begin().await?, Transaction::rollback);
    let mut tx = reaper.adopt(tx);
    match take(&mut tx, pieces).await {
        Ok(left) => {
            let tx = AsyncDropWith::into_inner(Reaped::into_guard(tx));
            tx.commit().await?;
            Ok(left)
        }
        Err(error) => {
            // Before we return, so that no row is locked any more.
            if let Err(error) = tx.async_drop().await {
                eprintln!("rollback: {error}");
            }
            Err(error)
        }
    }
}

async fn take(db: &mut PgConnection, pieces: i32) -> sqlx::Result<i32> {
    let sql = "UPDATE stock SET pieces = pieces - $1 RETURNING pieces";
    let left = query_scalar(sql).bind(pieces).fetch_one(db).await?;
    pay(pieces).await;
    Ok(left)
}
// ANCHOR_END: shown

/// A service that never answers if a customer wants just one piece.
async fn pay(pieces: i32) {
    if pieces == 1 {
        pending::<()>().await;
    }
}

async fn orders(pool: &PgPool, reaper: &ReaperHandle) {
    for pieces in [3, 9, 1] {
        match timeout(Duration::from_secs(1), order(pool, reaper, pieces)).await {
            Ok(Ok(left)) => println!("{pieces} ordered, {left} left"),
            Ok(Err(error)) => println!("{pieces} not ordered: {}", reason(&error)),
            Err(_) => println!("{pieces} not ordered: the payment takes too long"),
        }
    }
}

/// The name of the constraint, because the text of the error names a line of PostgreSQL, too.
fn reason(error: &sqlx::Error) -> String {
    let constraint = error
        .as_database_error()
        .and_then(|error| error.constraint());
    constraint.map_or_else(|| error.to_string(), ToOwned::to_owned)
}

// ANCHOR: main
#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = env::var("DATABASE_URL").context("set DATABASE_URL")?;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect(&url)
        .await?;
    let limit = Duration::from_secs(5);
    let pool = AsyncDropWith::new(pool, async move |pool| timeout(limit, pool.close()).await);
    with_async_drop_2!(pool, {
        create_stock(&pool).await?;
        let reaper = AsyncDropReaper::new();
        orders(&pool, &reaper).await;
        AsyncDropReaper::shutdown(reaper, limit).await?;
        let left: i32 = query_scalar("SELECT pieces FROM stock")
            .fetch_one(&**pool)
            .await?;
        println!("at the end: {left} left");
        anyhow::Ok(())
    })
}
// ANCHOR_END: main

/// A table that nobody but the one connection of the pool sees, and that is gone with it.
async fn create_stock(pool: &PgPool) -> sqlx::Result<()> {
    let create = "CREATE TEMPORARY TABLE stock (pieces integer CHECK (pieces >= 0))";
    query(create).execute(pool).await?;
    query("INSERT INTO stock VALUES (10)").execute(pool).await?;
    Ok(())
}
