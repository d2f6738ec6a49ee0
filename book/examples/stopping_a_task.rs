use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinHandle};

/// Sends mails in the background, and sends all that are queued before it ends.
#[derive(Debug)]
pub struct Mailer {
    queue: mpsc::UnboundedSender<String>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Mailer {
    pub fn start() -> AsyncDropGuard<Self> {
        let (queue, mut mails) = mpsc::unbounded_channel();
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    biased;
                    Some(mail) = mails.recv() => send(mail).await,
                    _ = &mut stopped => break,
                }
            }
            println!("the mailer has stopped");
        });
        AsyncDropGuard::new(Self {
            queue,
            stop: Some(stop),
            task,
        })
    }

    pub fn enqueue(&self, mail: &str) {
        // It fails only when the task has panicked, and then the cleanup says so.
        let _ = self.queue.send(mail.to_string());
    }
}

async fn send(mail: String) {
    tokio::task::yield_now().await;
    println!("sent: {mail}");
}

#[async_trait]
impl AsyncDrop for Mailer {
    type Error = JoinError;

    async fn async_drop_impl(&mut self) -> Result<(), JoinError> {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        (&mut self.task).await
    }
}

#[tokio::main]
async fn main() -> Result<(), JoinError> {
    let mut mailer = Mailer::start();
    mailer.enqueue("your order has been shipped");
    mailer.enqueue("how was it?");
    mailer.async_drop().await
}
