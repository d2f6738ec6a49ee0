// fails with: a cleanup that says something twice was not found
// ANCHOR: problem
use asyncdrop::{AsyncDrop, AsyncDropGuard};
use std::{fmt::Debug, time::Duration};
use tokio::time::timeout;

/// Whether a cleanup can be interrupted and called again.
/// `make` makes a value, and `is_right` looks at what its cleanup did.
pub async fn survives<T: AsyncDrop + Debug>(
    make: impl Fn() -> AsyncDropGuard<T>,
    is_right: impl Fn() -> bool,
) -> bool {
    let mut guard = make();
    let limit = Duration::from_millis(1);
    let ended = match timeout(limit, guard.async_drop()).await {
        Ok(ended) => ended,
        Err(_) => guard.async_drop().await,
    };
    ended.is_ok() && is_right()
}
// ANCHOR_END: problem

// ANCHOR: solution
use asyncdrop::{AsyncDrop, AsyncDropGuard};
use std::{fmt::Debug, time::Duration};
use tokio::time::timeout;

/// Whether a cleanup can be interrupted and called again.
/// `make` makes a value, and `is_right` looks at what its cleanup did.
pub async fn survives<T: AsyncDrop + Debug>(
    make: impl Fn() -> AsyncDropGuard<T>,
    is_right: impl Fn() -> bool,
) -> bool {
    for limit in 1.. {
        let mut guard = make();
        let limit = Duration::from_millis(limit);
        let (ended, interrupted) = match timeout(limit, guard.async_drop()).await {
            Ok(ended) => (ended, false),
            Err(_) => (guard.async_drop().await, true),
        };
        if ended.is_err() || !is_right() {
            return false;
        }
        if !interrupted {
            break;
        }
    }
    true
}
// ANCHOR_END: solution

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;
    use asyncdrop::async_trait;
    use std::convert::Infallible;
    use std::sync::{Arc, Mutex};
    use tokio::time::sleep;

    type Heard = Arc<Mutex<Vec<u8>>>;

    /// Says three words, 2 ms for each.
    #[derive(Debug)]
    struct Goodbye {
        heard: Heard,
        /// How many words it has said, if it remembers that.
        said: Option<u8>,
    }

    #[async_trait]
    impl AsyncDrop for Goodbye {
        type Error = Infallible;

        async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
            for word in self.said.unwrap_or(0)..3 {
                sleep(Duration::from_millis(2)).await;
                self.heard.lock().unwrap().push(word);
                self.said = self.said.map(|said| said + 1);
            }
            Ok(())
        }
    }

    async fn survives_if_it_begins_with(said: Option<u8>) -> bool {
        let heard = Heard::default();
        let make = || {
            heard.lock().unwrap().clear();
            let heard = Arc::clone(&heard);
            AsyncDropGuard::new(Goodbye { heard, said })
        };
        survives(make, || *heard.lock().unwrap() == [0, 1, 2]).await
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_says_something_twice_is_found() {
        let found = !survives_if_it_begins_with(None).await;
        assert!(found, "a cleanup that says something twice was not found");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_remembers_what_it_said_survives() {
        assert!(survives_if_it_begins_with(Some(0)).await);
    }
}
// ANCHOR_END: tests
