// Two guards that are forgotten, and where each says that it was created.
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, incident};
use std::io;
use tokio::fs;

#[derive(Debug)]
struct Lease {
    path: &'static str,
}

#[async_trait]
impl AsyncDrop for Lease {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        fs::remove_file(self.path).await
    }
}

// ANCHOR: shown
fn lease(path: Option<&'static str>) -> Option<AsyncDropGuard<Lease>> {
    path.map(|path| Lease { path }).map(AsyncDropGuard::new)
}

fn lease_with_its_line(path: Option<&'static str>) -> Option<AsyncDropGuard<Lease>> {
    path.map(|path| AsyncDropGuard::new(Lease { path }))
}
// ANCHOR_END: shown

fn main() {
    incident::set_hook(Box::new(|incident| {
        let place = incident.location();
        match place.file() == file!() {
            true => println!("forgotten, created at {place}"),
            false => println!("forgotten, created in the standard library"),
        }
    }));
    // ANCHOR: shown

    // In `main`:
    drop(lease(Some("invoices.lock")));
    drop(lease_with_its_line(Some("invoices.lock")));
    // ANCHOR_END: shown
}
