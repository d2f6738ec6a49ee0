// Each error should come back with the name of its field.
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::error::Error;
use std::fmt;
use tokio::sync::mpsc;

#[derive(Debug)]
struct Unsent(&'static str);

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` was not sent", self.0)
    }
}

impl Error for Unsent {}

#[derive(Debug)]
struct Mailbox(mpsc::Sender<&'static str>);

#[async_trait]
impl AsyncDrop for Mailbox {
    type Error = Unsent;

    async fn async_drop_impl(&mut self) -> Result<(), Unsent> {
        let sent = self.0.send("goodbye").await;
        sent.map_err(|unsent| Unsent(unsent.0))
    }
}

#[derive(Debug, AsyncDrop)]
struct Session {
    mailbox: AsyncDropGuard<Mailbox>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (sender, _receiver) = mpsc::channel(1);
    let mailbox = AsyncDropGuard::new(Mailbox(sender));
    let mut session = AsyncDropGuard::new(Session { mailbox });
    if let Err(error) = session.async_drop().await {
        println!("{error:?}");
    }
}
