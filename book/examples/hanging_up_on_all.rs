use asyncdrop::{AsyncDrop, AsyncDropGuard, DropErrors, async_drop_all, async_trait};
use std::error::Error;
use std::io;
use tokio::io::{AsyncWriteExt, DuplexStream};

#[derive(Debug)]
struct Replica(DuplexStream);

#[async_trait]
impl AsyncDrop for Replica {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.0.write_all(b"goodbye").await
    }
}

type City = &'static str;

/// Opens three replicas, of which only the first is still there.
fn connect() -> ([(City, AsyncDropGuard<Replica>); 3], DuplexStream) {
    let (paris, listening) = tokio::io::duplex(8);
    let (lima, _) = tokio::io::duplex(8);
    let (oslo, _) = tokio::io::duplex(8);
    let guard = |stream| AsyncDropGuard::new(Replica(stream));
    let replicas = [("Paris", paris), ("Lima", lima), ("Oslo", oslo)];
    (
        replicas.map(|(city, stream)| (city, guard(stream))),
        listening,
    )
}

async fn hang_up() -> anyhow::Result<()> {
    let (replicas, _paris) = connect();
    async_drop_all(replicas).await?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (replicas, _paris) = connect();
    let errors: DropErrors<City, io::Error> = async_drop_all(replicas).await.unwrap_err();
    println!("{errors}");
    println!("{} of {}", errors.len(), errors.total());
    println!("source: {:?}", errors.source().map(ToString::to_string));
    for (city, error) in errors.iter() {
        println!("{city}: {:?}", error.kind());
    }
    let cities: Vec<_> = errors.into_iter().map(|(city, _)| city).collect();
    println!("to be checked: {cities:?}");

    let error = hang_up().await.unwrap_err();
    let inside = error.downcast_ref::<DropErrors<City, io::Error>>();
    println!("through anyhow: {:?}", inside.map(DropErrors::len));
}
