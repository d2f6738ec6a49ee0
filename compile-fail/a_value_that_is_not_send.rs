// The rule should leave the bus, which lives on one thread.
use std::{cell::RefCell, collections::BTreeSet, convert::Infallible, rc::Rc};

use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};

#[derive(Debug)]
struct Rule {
    name: &'static str,
    bus: Rc<RefCell<BTreeSet<&'static str>>>,
}

#[async_trait]
impl AsyncDrop for Rule {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        tokio::task::yield_now().await;
        self.bus.borrow_mut().remove(self.name);
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Infallible> {
    let bus = Rc::default();
    AsyncDropGuard::new(Rule { name: "volume", bus }).async_drop().await
}
