use std::borrow::Borrow;
use std::collections::HashMap;
use std::error::Error;
use std::fmt::{self, Debug, Display};
use std::hash::Hash;

use async_trait::async_trait;

use crate::all::Cleanups;
use crate::async_drop::AsyncDrop;
use crate::errors::DropErrors;
use crate::guard::AsyncDropGuard;

/// A hash map of guarded values, which cleans all of them up at once when you call `async_drop`.
///
/// `async_drop` runs the cleanups concurrently in the task that calls it.
/// If one fails or panics, the others still run, and you get every error with its key.
///
/// What leaves the map is a guard again: [`insert`](Self::insert) returns the value that it replaced,
/// and [`remove`](Self::remove) and [`drain`](Self::drain) return those they took, so cleaning these up is your job.
///
/// # When not to use it
///
/// - If your values must be cleaned up in a certain order, keep a `Vec` of guards and clean up one after the other.
/// - If you have a few values already at hand, [`async_drop_all`](crate::async_drop_all) needs no map.
///
/// # Errors
///
/// If any cleanup failed, `async_drop` returns [`DropErrors`] with every error.
///
/// # Panics
///
/// If a cleanup or a value's own [`Drop`] panics, you get that panic once all others are done.
///
/// You can put a guard into the map that was already cleaned up, and its cleanup is passed over.
/// But it has no value to lend you, so [`try_insert`](Self::try_insert), [`get`](Self::get), [`get_mut`](Self::get_mut)
/// and the iterators of [`iter`](Self::iter), [`iter_mut`](Self::iter_mut) and [`values`](Self::values) panic
/// when they come to it.
///
/// # Cancel safety
///
/// If `async_drop` is interrupted and you call it again, it continues with what is left.
/// The errors that it had already gathered are still returned, and so is a panic: you get it once all values are done.
/// A value whose cleanup had panicked is cleaned up again.
/// As soon as `async_drop` has begun, the map is empty to all other methods.
///
/// # Examples
///
/// ```
/// use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropHashMap, async_trait};
/// use std::io;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
///
/// /// A stream, and what is still to be said on it.
/// #[derive(Debug)]
/// struct Connection(DuplexStream, &'static [u8]);
///
/// #[async_trait]
/// impl AsyncDrop for Connection {
///     type Error = io::Error;
///
///     async fn async_drop_impl(&mut self) -> io::Result<()> {
///         self.0.write_all_buf(&mut self.1).await
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (ours, mut theirs) = tokio::io::duplex(64);
/// let mut connections = AsyncDropHashMap::new();
/// assert!(connections.insert("ada", AsyncDropGuard::new(Connection(ours, b"goodbye"))).is_none());
///
/// let sent = match connections.get_mut("ada") {
///     Some(connection) => connection.0.write_all(b"hello, ").await,
///     None => Ok(()),
/// };
/// connections.async_drop().await?;
/// sent?;
///
/// let mut heard = String::new();
/// theirs.read_to_string(&mut heard).await?;
/// assert_eq!(heard, "hello, goodbye");
/// # Ok(())
/// # }
/// ```
pub struct AsyncDropHashMap<K, V: AsyncDrop + Debug> {
    /// Boxed, so that no value moves when the map grows, and when it is cleaned up.
    values: HashMap<K, Box<AsyncDropGuard<V>>>,
    /// Empty until the first cleanup, and then only filled while one is interrupted.
    cleanups: Cleanups<K, V>,
}

impl<K, V> AsyncDropHashMap<K, V>
where
    K: Debug + Send,
    V: AsyncDrop<Error: Send> + Debug + Send,
{
    /// Makes an empty map. Call `async_drop` on it when you are done.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropHashMap, BoxedAsyncDropWith};
    /// # use std::io;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut sessions = AsyncDropHashMap::<&str, BoxedAsyncDropWith<u32, io::Error>>::new();
    /// assert!(sessions.is_empty());
    /// // An empty map is a guard too.
    /// sessions.async_drop().await.unwrap();
    /// # }
    /// ```
    #[track_caller]
    pub fn new() -> AsyncDropGuard<Self> {
        AsyncDropGuard::new(Self {
            values: HashMap::new(),
            cleanups: Cleanups::default(),
        })
    }
}

impl<K, V> AsyncDropHashMap<K, V>
where
    K: Eq + Hash,
    V: AsyncDrop + Debug,
{
    /// Puts your value into the map, which owns it from now on, and returns the one that had the key before.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropHashMap, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # struct Session { id: u32 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let open_session = |id| AsyncDropWith::new(Session { id }, async |_| Ok::<(), Infallible>(()));
    /// let mut sessions = AsyncDropHashMap::new();
    /// assert!(sessions.insert("ada", open_session(1)).is_none());
    ///
    /// if let Some(mut old) = sessions.insert("ada", open_session(2)) {
    ///     assert_eq!(old.id, 1);
    ///     old.async_drop().await?;
    /// }
    /// sessions.async_drop().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use = "the value that had this key before is a guard: bind it and end it with `.async_drop().await`; `let _ = ..` drops it, and that panics"]
    pub fn insert(&mut self, key: K, value: AsyncDropGuard<V>) -> Option<AsyncDropGuard<V>> {
        self.values.insert(key, Box::new(value)).map(|old| *old)
    }

    /// Puts your value into the map unless the key is taken, and lends it back to you.
    ///
    /// # Errors
    ///
    /// If the key is taken. The error gives the key and the guarded value back to you, and the map is as it was.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropHashMap, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # struct Session { id: u32 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let open_session = |id| AsyncDropWith::new(Session { id }, async |_| Ok::<(), Infallible>(()));
    /// let mut sessions = AsyncDropHashMap::new();
    /// assert!(sessions.try_insert("ada", open_session(1)).is_ok());
    ///
    /// if let Err(mut taken) = sessions.try_insert("ada", open_session(2)) {
    ///     assert_eq!(taken.key, "ada");
    ///     taken.value.async_drop().await?;
    /// }
    /// sessions.async_drop().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use = "where the key is taken, the error holds the guard: end its `value` with `.async_drop().await`; `let _ = ..` drops it, and that panics"]
    pub fn try_insert(
        &mut self,
        key: K,
        value: AsyncDropGuard<V>,
    ) -> Result<&mut V, TryInsertError<K, V>> {
        // Two look-ups: an occupied entry does not give back the key that it was looked up with.
        if self.values.contains_key(&key) {
            return Err(TryInsertError { key, value });
        }
        Ok(self.values.entry(key).or_insert(Box::new(value)))
    }

    /// Lets you look at the value with this key.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropHashMap, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # struct Session { id: u32 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let open_session = |id| AsyncDropWith::new(Session { id }, async |_| Ok::<(), Infallible>(()));
    /// # let mut sessions = AsyncDropHashMap::new();
    /// # assert!(sessions.insert("ada", open_session(1)).is_none());
    /// # assert!(sessions.insert("bob", open_session(2)).is_none());
    /// assert_eq!(sessions.get("ada").map(|session| session.id), Some(1));
    /// assert!(sessions.get("eve").is_none());
    /// # sessions.async_drop().await.unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.values.get(key).map(|guard| &***guard)
    }

    /// Lets you change the value with this key.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropHashMap, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # struct Session { id: u32 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let open_session = |id| AsyncDropWith::new(Session { id }, async |_| Ok::<(), Infallible>(()));
    /// # let mut sessions = AsyncDropHashMap::new();
    /// # assert!(sessions.insert("ada", open_session(1)).is_none());
    /// # assert!(sessions.insert("bob", open_session(2)).is_none());
    /// if let Some(session) = sessions.get_mut("ada") {
    ///     session.id = 7;
    /// }
    /// assert_eq!(sessions.get("ada").map(|session| session.id), Some(7));
    /// # sessions.async_drop().await.unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn get_mut<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.values.get_mut(key).map(|guard| &mut ***guard)
    }

    /// Takes the value with this key out of the map. You own it now, and cleaning it up is your job.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropHashMap, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # struct Session { id: u32 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let open_session = |id| AsyncDropWith::new(Session { id }, async |_| Ok::<(), Infallible>(()));
    /// # let mut sessions = AsyncDropHashMap::new();
    /// # assert!(sessions.insert("ada", open_session(1)).is_none());
    /// # assert!(sessions.insert("bob", open_session(2)).is_none());
    /// if let Some(mut session) = sessions.remove("ada") {
    ///     session.async_drop().await.unwrap();
    /// }
    /// assert!(!sessions.contains_key("ada"));
    /// # sessions.async_drop().await.unwrap();
    /// # }
    /// ```
    #[must_use = "the value that was taken out is a guard: bind it and end it with `.async_drop().await`; `let _ = ..` drops it, and that panics"]
    pub fn remove<Q>(&mut self, key: &Q) -> Option<AsyncDropGuard<V>>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.values.remove(key).map(|guard| *guard)
    }

    /// Tells you whether the map has a value with this key.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropHashMap, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # struct Session { id: u32 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let open_session = |id| AsyncDropWith::new(Session { id }, async |_| Ok::<(), Infallible>(()));
    /// # let mut sessions = AsyncDropHashMap::new();
    /// # assert!(sessions.insert("ada", open_session(1)).is_none());
    /// # assert!(sessions.insert("bob", open_session(2)).is_none());
    /// assert!(sessions.contains_key("ada"));
    /// assert!(!sessions.contains_key("eve"));
    /// # sessions.async_drop().await.unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn contains_key<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.values.contains_key(key)
    }
}

impl<K, V: AsyncDrop + Debug> AsyncDropHashMap<K, V> {
    /// Tells you how many values the map has.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropHashMap, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # struct Session { id: u32 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let open_session = |id| AsyncDropWith::new(Session { id }, async |_| Ok::<(), Infallible>(()));
    /// # let mut sessions = AsyncDropHashMap::new();
    /// # assert!(sessions.insert("ada", open_session(1)).is_none());
    /// # assert!(sessions.insert("bob", open_session(2)).is_none());
    /// assert_eq!(sessions.len(), 2);
    /// # sessions.async_drop().await.unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Tells you whether the map is empty.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropHashMap, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # struct Session { id: u32 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let open_session = |id| AsyncDropWith::new(Session { id }, async |_| Ok::<(), Infallible>(()));
    /// # let mut sessions = AsyncDropHashMap::new();
    /// # assert!(sessions.insert("ada", open_session(1)).is_none());
    /// # assert!(sessions.insert("bob", open_session(2)).is_none());
    /// assert!(!sessions.is_empty());
    /// # sessions.async_drop().await.unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// All keys and values, in no certain order.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropHashMap, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # struct Session { id: u32 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let open_session = |id| AsyncDropWith::new(Session { id }, async |_| Ok::<(), Infallible>(()));
    /// # let mut sessions = AsyncDropHashMap::new();
    /// # assert!(sessions.insert("ada", open_session(1)).is_none());
    /// # assert!(sessions.insert("bob", open_session(2)).is_none());
    /// for (user, session) in sessions.iter() {
    ///     println!("{user} has session {}", session.id);
    /// }
    /// # assert_eq!(sessions.iter().map(|(_, session)| session.id).sum::<u32>(), 3);
    /// # sessions.async_drop().await.unwrap();
    /// # }
    /// ```
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&K, &V)> {
        self.values.iter().map(|(key, guard)| (key, &***guard))
    }

    /// All keys and values, which you may change, in no certain order.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropHashMap, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # struct Session { id: u32 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let open_session = |id| AsyncDropWith::new(Session { id }, async |_| Ok::<(), Infallible>(()));
    /// # let mut sessions = AsyncDropHashMap::new();
    /// # assert!(sessions.insert("ada", open_session(1)).is_none());
    /// # assert!(sessions.insert("bob", open_session(2)).is_none());
    /// for (_, session) in sessions.iter_mut() {
    ///     session.id += 100;
    /// }
    /// assert_eq!(sessions.get("bob").map(|session| session.id), Some(102));
    /// # sessions.async_drop().await.unwrap();
    /// # }
    /// ```
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&K, &mut V)> {
        self.values
            .iter_mut()
            .map(|(key, guard)| (key, &mut ***guard))
    }

    /// All keys, in no certain order.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropHashMap, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # struct Session { id: u32 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let open_session = |id| AsyncDropWith::new(Session { id }, async |_| Ok::<(), Infallible>(()));
    /// # let mut sessions = AsyncDropHashMap::new();
    /// # assert!(sessions.insert("ada", open_session(1)).is_none());
    /// # assert!(sessions.insert("bob", open_session(2)).is_none());
    /// let mut users: Vec<_> = sessions.keys().collect();
    /// users.sort();
    /// assert_eq!(users, [&"ada", &"bob"]);
    /// # sessions.async_drop().await.unwrap();
    /// # }
    /// ```
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &K> {
        self.values.keys()
    }

    /// All values, in no certain order.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropHashMap, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # struct Session { id: u32 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let open_session = |id| AsyncDropWith::new(Session { id }, async |_| Ok::<(), Infallible>(()));
    /// # let mut sessions = AsyncDropHashMap::new();
    /// # assert!(sessions.insert("ada", open_session(1)).is_none());
    /// # assert!(sessions.insert("bob", open_session(2)).is_none());
    /// assert_eq!(sessions.values().map(|session| session.id).max(), Some(2));
    /// # sessions.async_drop().await.unwrap();
    /// # }
    /// ```
    pub fn values(&self) -> impl ExactSizeIterator<Item = &V> {
        self.values.values().map(|guard| &***guard)
    }

    /// Takes all values out of the map. You own them now, and cleaning up each of them is your job.
    /// The map is empty as soon as you call this, whatever you do with the iterator.
    ///
    /// # Panics
    ///
    /// If you drop the iterator before its end, it drops the guards that are left in it, and so panics.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::{AsyncDropHashMap, AsyncDropWith};
    /// # use std::convert::Infallible;
    /// # struct Session { id: u32 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let open_session = |id| AsyncDropWith::new(Session { id }, async |_| Ok::<(), Infallible>(()));
    /// # let mut sessions = AsyncDropHashMap::new();
    /// # assert!(sessions.insert("ada", open_session(1)).is_none());
    /// # assert!(sessions.insert("bob", open_session(2)).is_none());
    /// for (user, mut session) in sessions.drain() {
    ///     println!("goodbye {user}");
    ///     session.async_drop().await.unwrap();
    /// }
    /// assert!(sessions.is_empty());
    /// # sessions.async_drop().await.unwrap();
    /// # }
    /// ```
    #[must_use = "the values are out of the map already, and each is a guard: end all of them, as `async_drop_all(map.drain()).await` does; `let _ = ..` drops them, and that panics"]
    pub fn drain(&mut self) -> impl ExactSizeIterator<Item = (K, AsyncDropGuard<V>)> {
        // If the `Drop` of a value panics, a drain of the standard map leaks the values after it, but a vector does not.
        let values = self.values.drain().collect::<Vec<_>>().into_iter();
        values.map(|(key, guard)| (key, *guard))
    }
}

#[diagnostic::do_not_recommend]
#[async_trait]
impl<K, V> AsyncDrop for AsyncDropHashMap<K, V>
where
    K: Debug + Send,
    V: AsyncDrop<Error: Send> + Debug + Send,
{
    type Error = DropErrors<K, V::Error>;

    async fn async_drop_impl(&mut self) -> Result<(), Self::Error> {
        self.cleanups.extend(self.values.drain());
        self.cleanups.run().await
    }
}

/// Lets every value report its missed cleanup.
///
/// If the `Drop` of a value panics, a map of the standard library leaks the values after it, but a vector does not.
impl<K, V: AsyncDrop + Debug> Drop for AsyncDropHashMap<K, V> {
    fn drop(&mut self) {
        // After a cleanup there is nothing left, and a table that is emptied once more is written all over.
        if !self.values.is_empty() {
            self.cleanups.extend(self.values.drain());
        }
    }
}

impl<K: Debug, V: AsyncDrop + Debug> Debug for AsyncDropHashMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(&self.values)
            .entries(self.cleanups.unfinished())
            .finish()
    }
}

/// [`AsyncDropHashMap::try_insert`] found the key taken, so you get both arguments back.
///
/// The value is still guarded, so when you handle this error, clean the value up.
///
/// # Examples
///
/// ```
/// # use asyncdrop::{AsyncDropHashMap, AsyncDropWith};
/// # use std::convert::Infallible;
/// # struct Session { id: u32 }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let open_session = |id| AsyncDropWith::new(Session { id }, async |_| Ok::<(), Infallible>(()));
/// # let mut sessions = AsyncDropHashMap::new();
/// # assert!(sessions.insert("ada", open_session(1)).is_none());
/// # assert!(sessions.insert("bob", open_session(2)).is_none());
/// if let Err(taken) = sessions.try_insert("ada", open_session(3)) {
///     eprintln!("{taken}");
///     let mut session = taken.value;
///     session.async_drop().await.unwrap();
/// }
/// # sessions.async_drop().await.unwrap();
/// # }
/// ```
#[must_use = "it holds the guard that found no place: end its `value` with `.async_drop().await`; `let _ = ..` drops it, and that panics"]
#[non_exhaustive]
pub struct TryInsertError<K, V: Debug> {
    /// The key that is taken.
    pub key: K,
    /// The value that was not put into the map.
    pub value: AsyncDropGuard<V>,
}

impl<K: Debug, V: Debug> Debug for TryInsertError<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryInsertError")
            .field("key", &self.key)
            .field("value", &self.value)
            .finish()
    }
}

impl<K: Debug, V: Debug> Display for TryInsertError<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the key {:?} is taken; the value comes back with this error and must be cleaned up",
            self.key
        )
    }
}

impl<K: Debug, V: Debug> Error for TryInsertError<K, V> {}
