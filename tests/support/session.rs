//! A value that tells what happens to it.

use std::fmt::{self, Debug};
use std::sync::{Arc, Mutex};

use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};

/// What happened, in order. Clones write into the same diary.
#[derive(Debug, Clone, Default)]
pub struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    pub fn write(&self, entry: impl Into<String>) {
        self.0.lock().unwrap().push(entry.into());
    }

    pub fn entries(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    #[track_caller]
    pub fn assert_reads(&self, expected: &[&str]) {
        assert_eq!(*self.0.lock().unwrap(), expected);
    }
}

/// How the cleanup of a [`Session`] ends.
#[derive(Clone, Copy)]
pub enum Ending {
    Well,
    Fails(&'static str),
    Panics(&'static str),
    /// The second time it ends well.
    PanicsOnce(&'static str),
}

/// A value that writes its cleanup and its own `Drop` into a diary.
pub struct Session {
    pub user: &'static str,
    pub diary: Diary,
    pub ending: Ending,
    /// How many polls of the cleanup return `Pending`.
    pub waits: usize,
    /// What its own `Drop` panics with, if it does.
    pub drop_panics: Option<&'static str>,
}

impl Session {
    pub fn of(user: &'static str, diary: &Diary) -> Self {
        Self {
            user,
            diary: diary.clone(),
            ending: Ending::Well,
            waits: 0,
            drop_panics: None,
        }
    }

    pub fn ending(mut self, ending: Ending) -> Self {
        self.ending = ending;
        self
    }

    pub fn waiting(mut self, polls: usize) -> Self {
        self.waits = polls;
        self
    }

    pub fn panicking_in_drop(mut self, message: &'static str) -> Self {
        self.drop_panics = Some(message);
        self
    }
}

impl Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Session").field(&self.user).finish()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.diary.write(format!("{} dropped", self.user));
        if let Some(message) = self.drop_panics {
            panic!("{message}");
        }
    }
}

#[async_trait]
impl AsyncDrop for Session {
    type Error = String;

    async fn async_drop_impl(&mut self) -> Result<(), String> {
        self.diary.write(format!("{} cleanup begins", self.user));
        for _ in 0..self.waits {
            tokio::task::yield_now().await;
        }
        match self.ending {
            Ending::Well => {
                self.diary.write(format!("{} cleanup ends", self.user));
                Ok(())
            }
            Ending::Fails(error) => {
                self.diary.write(format!("{} cleanup fails", self.user));
                Err(error.to_owned())
            }
            Ending::Panics(message) | Ending::PanicsOnce(message) => {
                if matches!(self.ending, Ending::PanicsOnce(_)) {
                    self.ending = Ending::Well;
                }
                self.diary.write(format!("{} cleanup panics", self.user));
                panic!("{message}");
            }
        }
    }
}

/// What is in the diary once [`ada`] was cleaned up.
pub const CLEANED_UP: [&str; 3] = ["ada cleanup begins", "ada cleanup ends", "ada dropped"];

/// A session whose cleanup ends well.
#[track_caller]
pub fn ada(diary: &Diary) -> AsyncDropGuard<Session> {
    AsyncDropGuard::new(Session::of("ada", diary))
}

/// A session whose cleanup fails, and whose diary does not matter.
#[track_caller]
pub fn failing(error: &'static str) -> AsyncDropGuard<Session> {
    AsyncDropGuard::new(Session::of("ada", &Diary::default()).ending(Ending::Fails(error)))
}

/// Gives a type a cleanup that has nothing to do and cannot fail.
#[macro_export]
macro_rules! cleaned_up_at_once {
    ($type:ty) => {
        #[asyncdrop::async_trait]
        impl asyncdrop::AsyncDrop for $type {
            type Error = std::convert::Infallible;

            async fn async_drop_impl(&mut self) -> Result<(), Self::Error> {
                Ok(())
            }
        }
    };
}
