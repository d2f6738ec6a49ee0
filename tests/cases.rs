//! Programs that people asked for in public, each as short as a user of the library would write it.

#![cfg(feature = "tokio")]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::pending;
use std::io;
use std::num::ParseIntError;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use asyncdrop::{
    AsyncDrop, AsyncDropGuard, AsyncDropReaper, AsyncDropStack, AsyncDropWith, async_drop_all,
    async_drop_on_err, async_trait, with_async_drop_2,
};
use send_wrapper::SendWrapper;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::{sleep, timeout};

use crate::support::record;

/// What happened, in order.
type Log<T = &'static str> = Arc<Mutex<Vec<T>>>;

fn entries<T: Clone>(log: &Log<T>) -> Vec<T> {
    log.lock().unwrap().clone()
}

/// A transaction borrows its client, a savepoint borrows the transaction, and a spawned task runs all of it.
mod c02 {
    use super::*;

    #[derive(Debug)]
    struct Client(Log);

    impl Client {
        async fn execute(&mut self, sql: &'static str) -> io::Result<()> {
            yield_now().await;
            self.0.lock().unwrap().push(sql);
            Ok(())
        }

        async fn transaction(&mut self) -> io::Result<AsyncDropGuard<Transaction<'_>>> {
            let (client, open) = (self, true);
            let transaction = AsyncDropGuard::new(Transaction { client, open });
            let (transaction, ()) =
                async_drop_on_err!(transaction, { transaction.client.execute("BEGIN").await })?;
            Ok(transaction)
        }
    }

    #[derive(Debug)]
    struct Transaction<'c> {
        client: &'c mut Client,
        open: bool,
    }

    #[async_trait]
    impl AsyncDrop for Transaction<'_> {
        type Error = io::Error;

        async fn async_drop_impl(&mut self) -> io::Result<()> {
            if self.open {
                self.client.execute("ROLLBACK").await?;
                self.open = false;
            }
            Ok(())
        }
    }

    impl<'c> Transaction<'c> {
        async fn commit(&mut self) -> io::Result<()> {
            self.client.execute("COMMIT").await?;
            self.open = false;
            Ok(())
        }

        fn savepoint(&mut self) -> AsyncDropGuard<Savepoint<'_, 'c>> {
            AsyncDropGuard::new(Savepoint(self))
        }
    }

    #[derive(Debug)]
    struct Savepoint<'t, 'c>(&'t mut Transaction<'c>);

    #[async_trait]
    impl AsyncDrop for Savepoint<'_, '_> {
        type Error = io::Error;

        async fn async_drop_impl(&mut self) -> io::Result<()> {
            self.0.client.execute("ROLLBACK TO s").await
        }
    }

    async fn work(client: &mut Client) -> io::Result<()> {
        with_async_drop_2!(tx = client.transaction().await?, {
            tx.client.execute("INSERT 1").await?;
            let refused: io::Result<()> = with_async_drop_2!(savepoint = tx.savepoint(), {
                savepoint.0.client.execute("INSERT 2").await?;
                Err(io::Error::other("refused"))
            });
            assert_eq!(refused.unwrap_err().to_string(), "refused");
            tx.commit().await
        })
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn c02_a_value_that_borrows_is_cleaned_up_in_a_spawned_task() {
        let log = Log::default();
        let mut client = Client(Arc::clone(&log));
        let task = tokio::spawn(async move { work(&mut client).await });
        task.await.unwrap().unwrap();
        assert_eq!(
            entries(&log),
            ["BEGIN", "INSERT 1", "INSERT 2", "ROLLBACK TO s", "COMMIT"]
        );
    }
}

/// Everything lives on one thread and holds an `Rc`.
mod c03 {
    use super::*;

    type Bus = Rc<RefCell<BTreeSet<u32>>>;

    async fn remove(bus: Bus, rule: u32) -> io::Result<()> {
        yield_now().await;
        bus.borrow_mut().remove(&rule);
        Ok(())
    }

    #[derive(Debug)]
    struct Subscription(SendWrapper<Bus>, u32);

    impl Subscription {
        #[track_caller]
        fn new(bus: &Bus, rule: u32) -> AsyncDropGuard<Self> {
            bus.borrow_mut().insert(rule);
            AsyncDropGuard::new(Self(SendWrapper::new(Rc::clone(bus)), rule))
        }
    }

    #[async_trait]
    impl AsyncDrop for Subscription {
        type Error = io::Error;

        async fn async_drop_impl(&mut self) -> io::Result<()> {
            SendWrapper::new(remove(Rc::clone(&self.0), self.1)).await
        }
    }

    fn rules(bus: &Bus) -> Vec<u32> {
        bus.borrow().iter().copied().collect()
    }

    #[tokio::test]
    async fn c03_a_value_that_is_not_send_is_cleaned_up_on_its_thread() {
        let test = async {
            let bus = Bus::default();
            with_async_drop_2!(subscription = Subscription::new(&bus, 1), {
                assert_eq!((subscription.1, rules(&bus)), (1, vec![1]));
                io::Result::Ok(())
            })
            .unwrap();
            assert!(rules(&bus).is_empty());

            // The same without a type.
            bus.borrow_mut().insert(2);
            let mut subscription = AsyncDropWith::new((), {
                let bus = SendWrapper::new(Rc::clone(&bus));
                |()| SendWrapper::new(remove(bus.take(), 2))
            });
            subscription.async_drop().await.unwrap();
            assert!(rules(&bus).is_empty());

            // After a cancellation.
            let mut reaper = AsyncDropReaper::new();
            let subscription = reaper.adopt(Subscription::new(&bus, 3));
            let task = spawn_local(async move {
                let _subscription = subscription;
                pending::<()>().await;
            });
            yield_now().await;
            assert_eq!(rules(&bus), [3]);
            task.abort();
            reaper.async_drop().await.unwrap();
            assert!(rules(&bus).is_empty());
        };
        LocalSet::new().run_until(test).await;
    }
}

/// An encoder whose trailer is written by its shutdown is handed to a library that wants an `AsyncWrite`.
mod c06 {
    use super::*;

    #[derive(Debug, Default)]
    struct Encoder {
        out: Log<u8>,
        waited: bool,
        finished: bool,
    }

    impl AsyncWrite for Encoder {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.out.lock().unwrap().extend(bytes);
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<io::Result<()>> {
            if !self.waited {
                self.waited = true;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            if !self.finished {
                self.finished = true;
                ready!(self.poll_write(context, b"<end>"))?;
            }
            Poll::Ready(Ok(()))
        }
    }

    #[async_trait]
    impl AsyncDrop for Encoder {
        type Error = io::Error;

        async fn async_drop_impl(&mut self) -> io::Result<()> {
            self.shutdown().await
        }
    }

    /// As the writers of archives do, it owns its output. Its user may forget to close it.
    struct Archive<W>(W);

    impl<W: AsyncWrite + Unpin> Archive<W> {
        async fn add(&mut self, entry: &str) -> io::Result<()> {
            self.0.write_all(entry.as_bytes()).await
        }

        async fn close(mut self) -> io::Result<()> {
            self.0.shutdown().await
        }
    }

    #[tokio::test]
    async fn c06_an_adopted_value_is_an_async_write_for_a_library() {
        for closed in [true, false] {
            let log = Log::default();
            let out = Arc::clone(&log);
            let encoder = AsyncDropGuard::new(Encoder {
                out,
                ..Encoder::default()
            });
            let mut reaper = AsyncDropReaper::new();

            // The library borrows it.
            let mut value = reaper.adopt(encoder);
            let mut archive = Archive(Pin::new(&mut *value));
            archive.add("a").await.unwrap();

            // The library owns it.
            let mut archive = Archive(Pin::new(value));
            archive.add("b").await.unwrap();
            if closed {
                archive.close().await.unwrap();
            } else {
                drop(archive);
            }

            reaper.async_drop().await.unwrap();
            let written = String::from_utf8(entries(&log)).unwrap();
            assert_eq!(written, "ab<end>", "closed: {closed}");
        }
    }
}

/// Three uploads are cancelled, and one of them cannot be aborted. Which one stays open, and is paid for?
mod c11 {
    use super::*;

    async fn abort(upload: u32) -> io::Result<()> {
        sleep(Duration::from_millis(1)).await;
        match upload {
            2 => Err(io::ErrorKind::HostUnreachable.into()),
            _ => Ok(()),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn c11_the_error_of_one_upload_of_three_has_its_key() {
        let uploads = [1, 2, 3].map(|id| (id, AsyncDropWith::new(id, abort)));
        let errors = async_drop_all(uploads).await.unwrap_err();
        assert_eq!(errors.total(), 3);
        let failed: Vec<_> = errors
            .iter()
            .map(|(id, error)| (*id, error.kind()))
            .collect();
        assert_eq!(failed, [(2, io::ErrorKind::HostUnreachable)]);
    }

    #[tokio::test(start_paused = true)]
    async fn c11_the_error_of_one_cancelled_upload_of_three_has_its_id() {
        let mut reaper = AsyncDropReaper::new();
        let uploads = [1, 2, 3].map(|id| {
            let upload = reaper.adopt_as(format!("upload {id}"), AsyncDropWith::new(id, abort));
            tokio::spawn(async move {
                let _upload = upload;
                pending::<()>().await;
            })
        });
        yield_now().await;
        for upload in uploads {
            upload.abort();
        }

        let errors = reaper.async_drop().await.unwrap_err();
        assert_eq!((errors.len(), errors.total()), (1, 3));
        let (origin, error) = errors.iter().next().unwrap();
        assert_eq!(origin.name(), Some("upload 2"));
        assert_eq!(error.to_string(), "host unreachable");
    }
}

/// The close of a library takes the connection. What happens if it is interrupted, and called again?
mod c13 {
    use super::*;

    struct Driver(Log);

    impl Driver {
        async fn close(self) -> io::Result<()> {
            sleep(Duration::from_millis(50)).await;
            self.0.lock().unwrap().push("goodbye");
            sleep(Duration::from_millis(50)).await;
            self.0.lock().unwrap().push("closed");
            Ok(())
        }
    }

    const TOO_SHORT: Duration = Duration::from_millis(60);

    #[tokio::test(start_paused = true)]
    async fn c13_a_close_that_takes_its_value_goes_on_after_an_interruption() {
        let log = Log::default();
        let mut driver = AsyncDropWith::new(Driver(Arc::clone(&log)), Driver::close);
        timeout(TOO_SHORT, driver.async_drop()).await.unwrap_err();
        driver.async_drop().await.unwrap();
        assert_eq!(entries(&log), ["goodbye", "closed"]);
    }

    #[tokio::test(start_paused = true)]
    async fn c13_a_close_that_takes_its_value_goes_on_in_a_reaper() {
        let log = Log::default();
        let mut reaper = AsyncDropReaper::new();
        let driver = AsyncDropWith::new(Driver(Arc::clone(&log)), Driver::close);
        let scope = reaper.scope(driver, async |_| io::Result::Ok(()));
        timeout(TOO_SHORT, scope).await.unwrap_err();
        reaper.async_drop().await.unwrap();
        assert_eq!(entries(&log), ["goodbye", "closed"]);
    }
}

/// A `main` owns clients of several libraries, each with an error of its own. They are closed in the reverse order.
mod c14 {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn c14_clients_of_all_kinds_are_closed_in_reverse_and_every_error_comes_back() {
        let log = Log::default();
        let close = |name, wait, result| {
            let log = Arc::clone(&log);
            AsyncDropWith::new(name, async move |name| {
                sleep(Duration::from_millis(wait)).await;
                log.lock().unwrap().push(name);
                result
            })
        };

        let mut clients = AsyncDropStack::new();
        clients.push(close(
            "mqtt",
            0,
            Err(io::Error::from(io::ErrorKind::BrokenPipe)),
        ));
        clients.push(AsyncDropWith::new((), async |()| {
            "five".parse::<u32>().map(drop)
        }));
        clients.push(close("sql", 5, Ok(())));
        clients.push(close("smtp", 0, Ok(())));

        // Interrupted once, after the first of them.
        let too_short = Duration::from_millis(1);
        timeout(too_short, clients.async_drop()).await.unwrap_err();
        let errors = clients.async_drop().await.unwrap_err();

        assert_eq!(entries(&log), ["smtp", "sql", "mqtt"]);
        let errors: Vec<_> = errors.into_iter().map(|(_, error)| error).collect();
        assert!(errors[0].downcast_ref::<ParseIntError>().is_some());
        assert!(errors[1].downcast_ref::<io::Error>().is_some());
    }
}

/// A value of a library that is neither `Debug` nor `AsyncDrop`, and one call at its end.
mod c17 {
    use super::*;

    #[derive(Clone)]
    struct Pool(Log);

    impl Pool {
        async fn query(&self, sql: &'static str) -> io::Result<()> {
            self.0.lock().unwrap().push(sql);
            Ok(())
        }

        async fn close(&self) {
            yield_now().await;
            self.0.lock().unwrap().push("closed");
        }
    }

    #[tokio::test]
    async fn c17_a_type_of_a_library_is_cleaned_up_by_one_closure() {
        let pool = Pool(Log::default());
        let log = Arc::clone(&pool.0);
        let pool = AsyncDropWith::new(pool, async |pool| {
            pool.close().await;
            io::Result::Ok(())
        });
        with_async_drop_2!(pool, { pool.query("SELECT 1").await }).unwrap();
        assert_eq!(entries(&log), ["SELECT 1", "closed"]);
    }

    #[tokio::test]
    async fn c17_a_closure_remembers_its_line_and_a_path_does_not() {
        async fn close(pool: Pool) -> io::Result<()> {
            pool.close().await;
            Ok(())
        }

        let ((), incidents) = record(|| {
            let pool = || Some(Pool(Log::default()));
            drop(pool().map(|pool| AsyncDropWith::new(pool, close)));
            let unguarded = AsyncDropWith::new((), async |()| io::Result::Ok(()));
            let unguarded = Some(unguarded.unsafe_into_inner_dont_drop());
            drop(unguarded.map(AsyncDropGuard::new));
        });
        assert_eq!(incidents.len(), 2);
        assert!(incidents[0].location.starts_with(file!()));
        assert!(!incidents[1].location.starts_with(file!()));
    }
}
