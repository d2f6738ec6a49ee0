use asyncdrop::{
    AsyncDrop, AsyncDropGuard, AsyncDropHashMap, TryInsertError, async_drop_all, async_trait,
};
use std::io;
use std::net::SocketAddr;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

#[derive(Debug)]
struct Session {
    stream: TcpStream,
    requests: u32,
}

impl Session {
    async fn open(server: SocketAddr) -> io::Result<AsyncDropGuard<Self>> {
        let stream = TcpStream::connect(server).await?;
        let requests = 0;
        Ok(AsyncDropGuard::new(Self { stream, requests }))
    }
}

#[async_trait]
impl AsyncDrop for Session {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addr()?;
    let mut sessions = AsyncDropHashMap::new();
    for user in ["ada", "bob", "eve"] {
        let before = sessions.insert(user, Session::open(server).await?);
        assert!(before.is_none());
    }
    // An equal key pushes the old value out, and you have to end it.
    if let Some(mut old) = sessions.insert("bob", Session::open(server).await?) {
        old.async_drop().await?;
    }
    // `try_insert` pushes nothing out. The new value comes back instead.
    let inserted = sessions.try_insert("ada", Session::open(server).await?);
    if let Err(TryInsertError { key, mut value, .. }) = inserted {
        println!("{key} keeps her session");
        value.async_drop().await?;
    }

    if let Some(session) = sessions.get_mut("ada") {
        session.requests += 2;
    }
    for (_, session) in sessions.iter_mut() {
        session.requests += 1;
    }
    println!("ada: {:?}", sessions.get("ada").map(|it| it.requests));
    let total: u32 = sessions.values().map(|it| it.requests).sum();
    println!("{total} requests in {} sessions", sessions.len());
    let mut idle: Vec<_> = sessions.iter().filter(|(_, it)| it.requests < 2).collect();
    idle.sort_by_key(|(user, _)| **user);
    println!("idle: {:?}", idle.iter().map(|it| it.0).collect::<Vec<_>>());

    if let Some(mut session) = sessions.remove("eve") {
        session.async_drop().await?;
    }
    println!("eve is in: {}", sessions.contains_key("eve"));
    let mut users: Vec<_> = sessions.keys().collect();
    users.sort();
    println!("left: {users:?}");

    // What was drained is no longer the map's to end.
    async_drop_all(sessions.drain()).await?;
    println!("empty: {}", sessions.is_empty());
    // An empty map is a guard, too.
    sessions.async_drop().await?;
    Ok(())
}
