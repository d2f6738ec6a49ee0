/// Implements the [trait of the same name](trait@crate::AsyncDrop) by cleaning up every guard in the fields of a type.
///
/// You need it because the same code often goes wrong by hand: a `?` between two fields skips the second,
/// and an interruption loses the errors of those that were done.
/// It comes with the feature `derive`.
///
/// ```
/// use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
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
/// #[derive(Debug, AsyncDrop)]
/// struct Proxy {
///     client: AsyncDropGuard<Connection>,
///     server: Option<AsyncDropGuard<Connection>>,
///     bytes: u64,
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> io::Result<()> {
/// let (client, gone) = tokio::io::duplex(64);
/// drop(gone);
/// let (server, mut listening) = tokio::io::duplex(64);
/// let mut proxy = AsyncDropGuard::new(Proxy {
///     client: AsyncDropGuard::new(Connection(client, b"goodbye")),
///     server: Some(AsyncDropGuard::new(Connection(server, b"goodbye"))),
///     bytes: 0,
/// });
///
/// let errors = proxy.async_drop().await.unwrap_err();
/// // `1 of 2 cleanups failed: "client" (app::Connection), created at src/main.rs:34:13: broken pipe`
/// eprintln!("{errors}");
/// for (field, error) in &errors {
///     assert_eq!(field.name(), Some("client"));
///     assert_eq!(error.to_string(), "broken pipe");
/// }
/// // The server has still heard its goodbye.
/// let mut heard = String::new();
/// listening.read_to_string(&mut heard).await?;
/// assert_eq!(heard, "goodbye");
/// # Ok(())
/// # }
/// ```
///
/// # Options
///
/// | on the type | |
/// |---|---|
/// | (nothing) | one field after the other, in the order of their declaration |
/// | `#[async_drop(reverse)]` | one after the other, the last one first |
/// | `#[async_drop(concurrent)]` | all at the same time, in the task of the caller |
/// | `#[async_drop(error = "io::Error")]` | the error type, instead of [`CleanupErrors`](crate::CleanupErrors) |
/// | `#[async_drop(crate = "my_crate::asyncdrop")]` | where this crate is found, if not at `::asyncdrop` |
///
/// | on a field | |
/// |---|---|
/// | `#[async_drop(skip)]` | leaves the field alone, so if it holds a guard, you clean that up elsewhere |
/// | `#[async_drop(guard)]` | cleans the field up, although its type is not written as a guard |
///
/// # Which fields are cleaned up
///
/// The macro sees how you write a type, but not what the type is.
/// So it cleans a field up if its type is written `AsyncDropGuard<..>`, with any path before it,
/// or as an `Option`, `Vec` or `Box` of that.
/// If the type is hidden by an alias or a type parameter, mark the field with `#[async_drop(guard)]`,
/// because otherwise its guard isn't cleaned up, and says so when it is dropped.
/// If `AsyncDropGuard` stands anywhere else, as in `HashMap<u32, AsyncDropGuard<Worker>>`, the macro refuses the type.
/// All other fields are left as they are, so they need not be [`Send`].
///
/// You can use it on tuple structs, generic types and enums; of an enum, the fields of the current variant are cleaned up.
/// If a generic type holds itself, you must say that its parameters are `Send`.
/// If two generic types hold each other, they would need bounds without end, so the compiler reports an overflow when you use them.
/// Let one of them hold a trait object instead, `AsyncDropGuard<Box<dyn AsyncDrop<Error = ..> + Send>>`, which names no parameter.
///
/// # Errors
///
/// If one field fails, the others are still cleaned up.
/// You get [`CleanupErrors`](crate::CleanupErrors): every error, with the value that it came from,
/// which has the name of its field.
/// In a struct that is `stream`, in a tuple struct `0`, in an enum `Connected.stream`.
/// Each error must be an [`Error`](std::error::Error) that is `Send` and `Sync`, or what else goes into a
/// `Box<dyn Error + Send + Sync>`, and own all that it holds (`'static`).
///
/// If you write `#[async_drop(error = "..")]`, you get the first error, turned into that type by [`From`]:
/// the first in the order of the cleanups, with `concurrent` in that of the declaration.
/// Each of the others is a [`Suppressed`](crate::incident::IncidentKind::Suppressed) incident.
/// If a field cannot fail, you need a `From<Infallible>` as well, which [`io::Error`](std::io::Error), for one, does not have.
///
/// # Panics
///
/// If the cleanup of a field panics, you get that panic once all others are done,
/// and if several panicked, you get the first of them. Their guards report all of them as interrupted, unless you call the cleanup again.
///
/// # Cancel safety
///
/// If the cleanup is interrupted and you call it again, it continues with what is left.
/// The errors that it had already gathered are still returned, because they wait in the guards of their fields.
/// A field whose cleanup had panicked is cleaned up again, but a panic of a value's own `Drop` is not kept.
/// If you don't call it again, each of them is a [`Suppressed`](crate::incident::IncidentKind::Suppressed) incident.
///
/// # Examples
///
/// Here is an enum with an error type of its own, whose cleanup is interrupted by a timeout and then resumed:
///
/// ```
/// # use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
/// # use std::io;
/// # use std::time::Duration;
/// # use tokio::io::{AsyncWriteExt, DuplexStream};
/// # use tokio::task::{JoinError, JoinHandle};
/// #
/// # #[derive(Debug)]
/// # struct Connection(DuplexStream, &'static [u8]);
/// # #[async_trait]
/// # impl AsyncDrop for Connection {
/// #     type Error = io::Error;
/// #     async fn async_drop_impl(&mut self) -> io::Result<()> {
/// #         self.0.write_all_buf(&mut self.1).await
/// #     }
/// # }
/// # #[derive(Debug)]
/// # struct Worker(JoinHandle<()>);
/// # #[async_trait]
/// # impl AsyncDrop for Worker {
/// #     type Error = JoinError;
/// #     async fn async_drop_impl(&mut self) -> Result<(), JoinError> {
/// #         (&mut self.0).await
/// #     }
/// # }
/// #[derive(Debug, AsyncDrop)]
/// #[async_drop(reverse, error = "io::Error")]
/// enum Link {
///     Down,
///     Up {
///         worker: AsyncDropGuard<Worker>,
///         connection: AsyncDropGuard<Connection>,
///     },
/// }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> io::Result<()> {
/// # let worker = Worker(tokio::spawn(tokio::time::sleep(Duration::from_millis(20))));
/// # let (stream, gone) = tokio::io::duplex(64);
/// # drop(gone);
/// let mut link = AsyncDropGuard::new(Link::Up {
///     worker: AsyncDropGuard::new(worker),
///     connection: AsyncDropGuard::new(Connection(stream, b"goodbye")),
/// });
///
/// // The connection fails at once, and the worker needs more time than there is.
/// let limit = Duration::from_millis(5);
/// assert!(tokio::time::timeout(limit, link.async_drop()).await.is_err());
/// // Called again, it waits for the worker alone. The error of the connection is still there.
/// let error = link.async_drop().await.unwrap_err();
/// assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
///
/// AsyncDropGuard::new(Link::Down).async_drop().await
/// # }
/// ```
pub use asyncdrop_derive::AsyncDrop;

/// What the derive macro expands to. It is not part of the public interface.
#[doc(hidden)]
pub mod __derive {
    use std::convert::{Infallible, identity};
    use std::error::Error;
    use std::fmt::Debug;
    use std::marker::PhantomData;
    use std::pin::Pin;

    use crate::async_drop::AsyncDrop;
    use crate::cleanup_error::{CleanupError, CleanupErrors};
    use crate::guard::AsyncDropGuard;
    use crate::held_error::HeldError;
    use crate::many::{self, Run};
    use crate::origin::ValueOrigin;
    use crate::panics::FirstPanic;

    /// What `async_drop_impl` returns.
    pub type Cleanup<'a, E> = Pin<Box<dyn Future<Output = Result<(), E>> + Send + 'a>>;

    /// In which order guards are cleaned up.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Order {
        Declared,
        Reverse,
        Concurrent,
    }

    /// What becomes of the errors of several fields.
    pub trait Collected {
        /// What the error of a field becomes.
        type Item: Debug;
        /// What the cleanup returns.
        type Error: Debug;
        /// Whether no second error is wanted.
        const FIRST_ONLY: bool;

        /// The result of `total` cleanups, of which these failed.
        fn result(errors: Vec<(ValueOrigin, Self::Item)>, total: usize) -> Result<(), Self::Error>;
    }

    /// How the error of a field, which is an `X`, becomes an item.
    pub trait Collect<X>: Collected {
        fn item(error: X) -> Self::Item;
    }

    /// Every error, with the name of its field.
    #[derive(Debug)]
    pub struct Every(Infallible);

    impl Collected for Every {
        type Item = CleanupError;
        type Error = CleanupErrors;
        const FIRST_ONLY: bool = false;

        fn result(
            errors: Vec<(ValueOrigin, CleanupError)>,
            total: usize,
        ) -> Result<(), Self::Error> {
            CleanupErrors::check(errors, total)
        }
    }

    impl<X: IntoCleanupError> Collect<X> for Every {
        fn item(error: X) -> CleanupError {
            error.into_cleanup_error()
        }
    }

    /// The first error, as an `E`.
    #[derive(Debug)]
    pub struct First<E>(Infallible, PhantomData<E>);

    impl<E: Debug> Collected for First<E> {
        type Item = E;
        type Error = E;
        const FIRST_ONLY: bool = true;

        fn result(errors: Vec<(ValueOrigin, E)>, _total: usize) -> Result<(), E> {
            errors
                .into_iter()
                .next()
                .map_or(Ok(()), |(_, error)| Err(error))
        }
    }

    impl<X, E: Debug + From<X>> Collect<X> for First<E> {
        fn item(error: X) -> E {
            error.into()
        }
    }

    /// An error that a [`CleanupError`] can keep.
    #[diagnostic::on_unimplemented(
        message = "`derive(AsyncDrop)` cannot keep a `{Self}`: it is no `std::error::Error + Send + Sync`",
        label = "the cleanup of this field fails with `{Self}`",
        note = "implement `std::error::Error` for it, or choose an error type that it can be turned into: `#[async_drop(error = \"..\")]`"
    )]
    pub trait IntoCleanupError {
        fn into_cleanup_error(self) -> CleanupError;
    }

    #[diagnostic::do_not_recommend]
    impl<X: Into<Box<dyn Error + Send + Sync>>> IntoCleanupError for X {
        fn into_cleanup_error(self) -> CleanupError {
            CleanupError::failed(self)
        }
    }

    /// A field with guards in it.
    #[diagnostic::on_unimplemented(
        message = "`{Self}` holds no guard that `derive(AsyncDrop)` can clean up",
        label = "neither an `AsyncDropGuard<..>` nor an `Option`, `Vec` or `Box` of one"
    )]
    pub trait Field<C: Collected> {
        fn add_to<'a>(&'a mut self, guards: &mut Guards<'a, C>, name: &'static str);
    }

    impl<C, T> Field<C> for AsyncDropGuard<T>
    where
        C: Collect<T::Error>,
        T: AsyncDrop<Error: Send + 'static> + Debug + Send,
    {
        fn add_to<'a>(&'a mut self, guards: &mut Guards<'a, C>, name: &'static str) {
            guards.0.push((name, self));
        }
    }

    impl<C: Collected, F: Field<C>> Field<C> for Option<F> {
        fn add_to<'a>(&'a mut self, guards: &mut Guards<'a, C>, name: &'static str) {
            if let Some(field) = self {
                field.add_to(guards, name);
            }
        }
    }

    impl<C: Collected, F: Field<C>> Field<C> for Vec<F> {
        fn add_to<'a>(&'a mut self, guards: &mut Guards<'a, C>, name: &'static str) {
            for field in self {
                field.add_to(guards, name);
            }
        }
    }

    impl<C: Collected, F: Field<C>> Field<C> for Box<F> {
        fn add_to<'a>(&'a mut self, guards: &mut Guards<'a, C>, name: &'static str) {
            (**self).add_to(guards, name);
        }
    }

    /// A guard of any type.
    trait Guard<C: Collected>: Send {
        /// Cleans it up. An error stays in it.
        fn clean_up(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

        fn hand_error_over(&mut self, name: &'static str, errors: &mut HeldErrors<C::Item>);
    }

    type HeldErrors<E> = Vec<HeldError<E>>;

    impl<C, T> Guard<C> for AsyncDropGuard<T>
    where
        C: Collect<T::Error>,
        T: AsyncDrop<Error: Send + 'static> + Debug + Send,
    {
        fn clean_up(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
            Box::pin(self.async_drop_and_keep_error(identity))
        }

        fn hand_error_over(&mut self, name: &'static str, errors: &mut HeldErrors<C::Item>) {
            let Some(error) = self.take_kept_error::<T::Error>() else {
                return;
            };
            if C::FIRST_ONLY && !errors.is_empty() {
                // It is reported by this.
                drop(error);
            } else {
                // The one error of `First` is returned without its value, and reported under its type.
                let error = if C::FIRST_ONLY {
                    error
                } else {
                    error.named(name)
                };
                errors.push(error.map(C::item));
            }
        }
    }

    /// The guards of one value, with the names of their fields.
    pub struct Guards<'a, C: Collected>(Vec<(&'static str, &'a mut dyn Guard<C>)>);

    impl<'a, C: Collected> Guards<'a, C> {
        #[expect(clippy::new_without_default, reason = "only the macro calls it")]
        pub fn new() -> Self {
            Self(Vec::new())
        }

        #[must_use]
        pub fn and(mut self, name: &'static str, field: &'a mut impl Field<C>) -> Self {
            field.add_to(&mut self, name);
            self
        }

        pub fn clean_up(self, order: Order) -> Cleanup<'a, C::Error>
        where
            C: 'a,
        {
            Box::pin(self.run(order))
        }

        async fn run(mut self, order: Order) -> Result<(), C::Error> {
            if order == Order::Reverse {
                self.0.reverse();
            }
            let order = match order {
                Order::Declared | Order::Reverse => many::Order::OneByOne,
                Order::Concurrent => many::Order::Concurrent,
            };
            let mut first_panic = FirstPanic::default();
            let mut run = Run::new(order, &mut first_panic);
            for (_, guard) in &mut self.0 {
                run.add(guard.clean_up()).await;
            }
            run.finish().await;
            // After a panic the errors stay in their guards, for a caller who catches it and calls again.
            first_panic.resume();
            let total = self.0.len();
            let mut errors = Vec::new();
            for (name, guard) in self.0 {
                guard.hand_error_over(name, &mut errors);
            }
            // Only now they are as good as returned: until here, a panic would have made incidents of them.
            let errors = errors.into_iter().map(HeldError::into_parts);
            C::result(errors.collect(), total)
        }
    }

    impl<C: Collected> Debug for Guards<'_, C> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_list()
                .entries(self.0.iter().map(|(name, _)| name))
                .finish()
        }
    }

    /// The body of an implementation that stands in where the macro has refused the type. The program does not compile.
    pub fn refused<R>() -> R {
        unreachable!("a type that the macro has refused does not compile")
    }
}
