// The wrapper is `Send`, and panics if another thread touches what is in it.
use std::{cell::RefCell, collections::BTreeSet, convert::Infallible, rc::Rc};

use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use send_wrapper::SendWrapper;

#[derive(Debug)]
struct Rule {
    name: &'static str,
    bus: SendWrapper<Rc<RefCell<BTreeSet<&'static str>>>>,
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
    let bus = SendWrapper::new(Rc::default());
    AsyncDropGuard::new(Rule { name: "volume", bus }).async_drop().await
}
