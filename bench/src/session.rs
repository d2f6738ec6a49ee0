//! The values that all contenders clean up, each with one body of the cleanup for every contender's trait.

use std::fmt::Debug;
use std::hint::black_box;
use std::io;
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::yield_now;

/// How long a [`Lingering`] takes to be cleaned up.
pub const GOODBYE: Duration = Duration::from_millis(10);

/// A value whose cleanup has next to nothing to do, so that what is left is the cost of having one.
#[derive(Debug, Default)]
pub struct Session {
    pub id: u64,
}

impl Session {
    async fn say_goodbye(&mut self) -> io::Result<()> {
        black_box(self.id);
        Ok(())
    }
}

impl Value for Session {
    fn new(id: u64) -> Self {
        // The compiler must not know the value, or it could work ahead.
        black_box(Self { id })
    }
}

/// A value whose cleanup waits for one turn of the runtime: the least that makes it worth being async.
#[derive(Debug, Default)]
pub struct Connection {
    pub id: u64,
}

impl Connection {
    async fn say_goodbye(&mut self) -> io::Result<()> {
        yield_now().await;
        black_box(self.id);
        Ok(())
    }
}

impl Value for Connection {
    fn new(id: u64) -> Self {
        black_box(Self { id })
    }
}

/// A value whose cleanup waits.
#[derive(Debug, Default)]
pub struct Lingering;

impl Lingering {
    async fn say_goodbye(&mut self) -> io::Result<()> {
        tokio::time::sleep(GOODBYE).await;
        Ok(())
    }
}

/// The cleanup without any guard: a trait made async by `async_trait`, and a caller who does not forget to call it.
#[async_trait]
pub trait CloseByHand {
    async fn close(&mut self) -> io::Result<()>;
}

/// What every contender can clean up.
pub trait Value:
    Default
    + Debug
    + Send
    + 'static
    + CloseByHand
    + asyncdrop::AsyncDrop<Error = io::Error>
    + async_drop_guard::AsyncDrop<Error = io::Error>
    + async_dropper_simple::AsyncDrop
{
    fn new(id: u64) -> Self;
}

macro_rules! cleaned_up_by_every_contender {
    ($value:ty) => {
        #[async_trait]
        impl CloseByHand for $value {
            async fn close(&mut self) -> io::Result<()> {
                self.say_goodbye().await
            }
        }

        #[async_trait]
        impl asyncdrop::AsyncDrop for $value {
            type Error = io::Error;

            async fn async_drop_impl(&mut self) -> io::Result<()> {
                self.say_goodbye().await
            }
        }

        #[async_trait]
        impl async_drop_guard::AsyncDrop for $value {
            type Error = io::Error;

            async fn async_drop_impl(&mut self) -> io::Result<()> {
                self.say_goodbye().await
            }
        }

        // This trait knows no errors.
        #[async_trait]
        impl async_dropper_simple::AsyncDrop for $value {
            async fn async_drop(&mut self) {
                let _ = self.say_goodbye().await;
            }
        }
    };
}

cleaned_up_by_every_contender!(Session);
cleaned_up_by_every_contender!(Connection);
cleaned_up_by_every_contender!(Lingering);
