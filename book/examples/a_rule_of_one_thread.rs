// The bus and its rules live on one thread: values and cleanups hold an `Rc`.
use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropReaper, async_trait, with_async_drop_2};
use send_wrapper::SendWrapper;
use std::{cell::RefCell, collections::BTreeSet, future::pending, io, rc::Rc};
use tokio::task::{self, LocalSet};

type Bus = Rc<RefCell<BTreeSet<&'static str>>>;

// ANCHOR: cleanup
/// A round trip to the server of the bus.
async fn remove(bus: Bus, name: &str) -> io::Result<()> {
    task::yield_now().await;
    bus.borrow_mut().remove(name);
    Ok(())
}

// ANCHOR: wrapped
#[derive(Debug)]
struct Rule {
    name: &'static str,
    bus: SendWrapper<Bus>,
}

#[async_trait]
impl AsyncDrop for Rule {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        let bus = Bus::clone(&self.bus);
        SendWrapper::new(remove(bus, self.name)).await
    }
}
// ANCHOR_END: cleanup
// ANCHOR_END: wrapped

impl Rule {
    #[track_caller]
    fn add(name: &'static str, bus: &Bus) -> AsyncDropGuard<Self> {
        bus.borrow_mut().insert(name);
        let bus = SendWrapper::new(Bus::clone(bus));
        AsyncDropGuard::new(Self { name, bus })
    }
}

// ANCHOR: used
async fn listen() -> anyhow::Result<()> {
    let bus = Bus::default();
    with_async_drop_2!(rule = Rule::add("volume", &bus), {
        println!("in the scope: {:?}", bus.borrow());
        io::Result::Ok(())
    })?;
    println!("after the scope: {:?}", bus.borrow());

    let mut reaper = AsyncDropReaper::new();
    let task = task::spawn_local({
        let (handle, bus) = (reaper.handle(), Bus::clone(&bus));
        async move {
            let _rule = handle.adopt(Rule::add("brightness", &bus));
            pending::<()>().await;
        }
    });
    task::yield_now().await;
    println!("in the task: {:?}", bus.borrow());
    task.abort();
    reaper.async_drop().await?;
    println!("after the cancellation: {:?}", bus.borrow());
    Ok(())
}
// ANCHOR_END: used

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    LocalSet::new().run_until(listen()).await
}
