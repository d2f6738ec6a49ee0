use std::fmt::Debug;
use std::panic::Location;

use crate::async_drop::AsyncDrop;
use crate::guard::AsyncDropGuard;
use crate::held_error::HeldError;
use crate::scope::clean_up_after_error;

/// Turns two results into one, and if only one of them failed, cleans up the other guard for you.
///
/// Say you open two connections, need both, and get only one: then that one must still be closed.
/// If both succeeded, you own both guards.
///
/// # Errors
///
/// The first error there was: that of `first` before that of `second`, and both before that of a cleanup.
/// The ones that you don't get are [`Suppressed`](crate::incident::IncidentKind::Suppressed) incidents.
/// If such an error came instead of a guard, it names the type of the value that there would have been,
/// and the place where you called this function.
///
/// # Panics
///
/// If the cleanup panics, you get that panic instead of the error.
/// The guard reports that it was interrupted, and the error is a `Suppressed` incident.
///
/// # Cancel safety
///
/// If you drop the future, it drops the guards it holds, armed or interrupted, and each is an incident.
/// If it holds an error, that is an incident, too.
///
/// # Examples
///
/// ```
/// use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, flatten_async_drop};
/// use std::io;
/// use tokio::net::{TcpListener, TcpStream};
/// use tokio::io::AsyncWriteExt;
///
/// #[derive(Debug)]
/// struct Connection(TcpStream);
///
/// impl Connection {
///     async fn open(address: impl tokio::net::ToSocketAddrs) -> io::Result<AsyncDropGuard<Self>> {
///         Ok(AsyncDropGuard::new(Self(TcpStream::connect(address).await?)))
///     }
/// }
///
/// #[async_trait]
/// impl AsyncDrop for Connection {
///     type Error = io::Error;
///
///     async fn async_drop_impl(&mut self) -> io::Result<()> {
///         self.0.shutdown().await
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let here = listener.local_addr()?;
/// let nobody = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
///
/// let (primary, replica) = tokio::join!(Connection::open(here), Connection::open(nobody));
/// // The replica refused, so the connection to the primary is closed in order.
/// let error = flatten_async_drop::<io::Error, _, _, _, _>(primary, replica).await.unwrap_err();
/// assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
/// # Ok(())
/// # }
/// ```
// Not an `async fn`, because those cannot learn where they were called from, but that is all there is to say
// about an error that came without a guard.
#[track_caller]
pub fn flatten_async_drop<E, T, E1, U, E2>(
    first: Result<AsyncDropGuard<T>, E1>,
    second: Result<AsyncDropGuard<U>, E2>,
) -> impl Future<Output = Result<(AsyncDropGuard<T>, AsyncDropGuard<U>), E>>
where
    T: AsyncDrop + Debug,
    U: AsyncDrop + Debug,
    E1: Debug,
    E2: Debug,
    E: From<E1> + From<E2>,
{
    let called_from = Location::caller();
    // Held, because the cleanup of the other value can be cancelled, and a hook can panic.
    let mut first = first.map_err(|error| HeldError::from_cleanup_of::<T>(error, called_from));
    let mut second = second.map_err(|error| HeldError::from_cleanup_of::<U>(error, called_from));
    async move {
        // Borrowed while they are cleaned up: the future would have room for each guard that is moved.
        match (&mut first, &mut second) {
            (Err(_), Ok(second)) => clean_up_after_error(second).await,
            (Ok(first), Err(_)) => clean_up_after_error(first).await,
            (Ok(_), Ok(_)) | (Err(_), Err(_)) => {}
        }
        match (first, second) {
            (Ok(first), Ok(second)) => Ok((first, second)),
            (Err(error), Ok(_)) => Err(error.into_inner().into()),
            (Ok(_), Err(error)) => Err(error.into_inner().into()),
            (Err(first), Err(second)) => {
                drop(second);
                Err(first.into_inner().into())
            }
        }
    }
}
