//! Guards in the variants of an enum of our own, and guards that are taken out of a field to be cleaned up.

use super::*;
use std::mem;
use std::sync::{Mutex, RwLock};

enum Mount {
    Unmounted { device: AsyncDropGuard<Session> },
    Mounted { id: u8 },
    Gone,
}

struct Driver {
    mount: Mutex<Mount>,
}

async fn spawn(mut device: AsyncDropGuard<Session>) -> Result<u8, Failed> {
    device.async_drop().await?;
    Ok(1)
}

impl Driver {
    // finds: nothing
    pub async fn start(&self) -> Result<(), Failed> {
        let Mount::Unmounted { device } =
            mem::replace(&mut *self.mount.lock().unwrap(), Mount::Gone)
        else {
            panic!("it was mounted before");
        };
        let id = spawn(device).await?;
        *self.mount.lock().unwrap() = Mount::Mounted { id };
        Ok(())
    }

    // finds: nothing
    pub fn stop(&self) -> u8 {
        let Mount::Mounted { id } = mem::replace(&mut *self.mount.lock().unwrap(), Mount::Gone)
        else {
            panic!("it is not mounted");
        };
        id
    }
}

#[derive(Debug)]
struct Files {
    open: Mutex<Option<AsyncDropGuard<Session>>>,
    device: RwLock<Option<AsyncDropGuard<Session>>>,
}

#[async_trait]
impl AsyncDrop for Files {
    type Error = Failed;

    // finds: nothing
    async fn async_drop_impl(&mut self) -> Result<(), Failed> {
        let open = mem::replace(&mut self.open, Mutex::new(None));
        let device = mem::replace(&mut *self.device.write().unwrap(), None);
        let mut open = open.into_inner().unwrap();
        let open = match &mut open {
            Some(open) => open.async_drop().await,
            None => Ok(()),
        };
        let device = match device {
            Some(mut device) => device.async_drop().await,
            None => Ok(()),
        };
        open.and(device)
    }
}
