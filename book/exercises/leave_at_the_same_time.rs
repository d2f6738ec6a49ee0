// fails with: ["web leaves", "web is gone", "mail leaves", "mail is gone"]
// ANCHOR: problem
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::sleep;

/// One service behind a load balancer, which needs 50 ms to take it off its list.
#[derive(Debug)]
struct Service {
    name: &'static str,
    balancer: UnboundedSender<String>,
    leaves: bool,
}

#[async_trait]
impl AsyncDrop for Service {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        // A balancer that is gone has no list any more, and one that is not is told once.
        if !self.leaves {
            self.leaves = true;
            let _ = self.balancer.send(format!("{} leaves", self.name));
        }
        sleep(Duration::from_millis(50)).await;
        let _ = self.balancer.send(format!("{} is gone", self.name));
        Ok(())
    }
}

#[derive(Debug)]
pub struct Server {
    web: AsyncDropGuard<Service>,
    mail: AsyncDropGuard<Service>,
}

impl Server {
    pub fn start(balancer: UnboundedSender<String>) -> AsyncDropGuard<Self> {
        let service = |name, balancer| {
            let leaves = false;
            AsyncDropGuard::new(Service { name, balancer, leaves })
        };
        AsyncDropGuard::new(Self {
            web: service("web", balancer.clone()),
            mail: service("mail", balancer),
        })
    }
}

#[async_trait]
impl AsyncDrop for Server {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        let Ok(()) = self.web.async_drop().await;
        self.mail.async_drop().await
    }
}
// ANCHOR_END: problem

// ANCHOR: solution
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::sleep;

/// One service behind a load balancer, which needs 50 ms to take it off its list.
#[derive(Debug)]
struct Service {
    name: &'static str,
    balancer: UnboundedSender<String>,
    leaves: bool,
}

#[async_trait]
impl AsyncDrop for Service {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        // A balancer that is gone has no list any more, and one that is not is told once.
        if !self.leaves {
            self.leaves = true;
            let _ = self.balancer.send(format!("{} leaves", self.name));
        }
        sleep(Duration::from_millis(50)).await;
        let _ = self.balancer.send(format!("{} is gone", self.name));
        Ok(())
    }
}

#[derive(Debug)]
pub struct Server {
    web: AsyncDropGuard<Service>,
    mail: AsyncDropGuard<Service>,
}

impl Server {
    pub fn start(balancer: UnboundedSender<String>) -> AsyncDropGuard<Self> {
        let service = |name, balancer| {
            let leaves = false;
            AsyncDropGuard::new(Service { name, balancer, leaves })
        };
        AsyncDropGuard::new(Self {
            web: service("web", balancer.clone()),
            mail: service("mail", balancer),
        })
    }
}

#[async_trait]
impl AsyncDrop for Server {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        let (Ok(()), Ok(())) = tokio::join!(self.web.async_drop(), self.mail.async_drop());
        Ok(())
    }
}
// ANCHOR_END: solution

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn both_services_leave_before_either_is_gone() {
        let (balancer, mut messages) = mpsc::unbounded_channel();
        let mut server = Server::start(balancer);
        let Ok(()) = server.async_drop().await;

        let mut said = Vec::new();
        while let Some(message) = messages.recv().await {
            said.push(message);
        }
        let first_two_leave = said[..2].iter().all(|message| message.ends_with("leaves"));
        assert!(first_two_leave, "{said:?}");
        assert_eq!(said.len(), 4);
    }
}
// ANCHOR_END: tests
