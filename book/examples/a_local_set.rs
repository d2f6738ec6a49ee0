use asyncdrop::{AsyncDropReaper, AsyncDropWith, ReaperHandle};
use send_wrapper::SendWrapper;
use std::cell::RefCell;
use std::{future, io, rc::Rc, thread, time::Duration};
use tokio::task::{self, LocalSet, spawn_local};

/// An interpreter that may be used on one thread only.
type Engine = Rc<RefCell<Vec<&'static str>>>;

struct Script {
    name: &'static str,
    engine: Engine,
}

// ANCHOR: script
async fn unload(script: Script) -> io::Result<()> {
    task::yield_now().await;
    script
        .engine
        .borrow_mut()
        .retain(|name| *name != script.name);
    let thread = thread::current();
    println!("unloaded {} on {:?}", script.name, thread.name());
    Ok(())
}

async fn run(engine: Engine, reaper: ReaperHandle, name: &'static str) {
    engine.borrow_mut().push(name);
    let script = SendWrapper::new(Script { name, engine });
    let script = AsyncDropWith::new(script, |script| SendWrapper::new(unload(script.take())));
    let mut script = reaper.adopt_as(name, script);
    if name == "endless" {
        future::pending::<()>().await;
    }
    if let Err(error) = script.async_drop().await {
        eprintln!("{name}: {error}");
    }
}
// ANCHOR_END: script

// ANCHOR: set
#[tokio::main(flavor = "multi_thread")]
async fn main() -> anyhow::Result<()> {
    let on_one_thread = async {
        let reaper = AsyncDropReaper::builder()
            .spawner(|cleanup| drop(spawn_local(cleanup)))
            .build();
        let engine = Engine::default();
        let hello = spawn_local(run(engine.clone(), reaper.handle(), "hello"));
        if let Err(error) = hello.await {
            eprintln!("hello: {error}");
        }
        let endless = spawn_local(run(engine.clone(), reaper.handle(), "endless"));
        task::yield_now().await;
        println!("loaded: {:?}", engine.borrow());
        endless.abort();
        AsyncDropReaper::shutdown(reaper, Duration::from_secs(5)).await?;
        println!("loaded: {:?}", engine.borrow());
        anyhow::Ok(())
    };
    LocalSet::new().run_until(on_one_thread).await
}
// ANCHOR_END: set
