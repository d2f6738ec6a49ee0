// fails with: Forgot to call async_drop on ImportLock
// ANCHOR: problem
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::Mutex;

/// What imports write to, and what keeps two from writing at the same time.
#[derive(Debug, Default)]
pub struct Shop {
    locked: Mutex<bool>,
    prices: Mutex<Vec<u32>>,
}

#[derive(Debug)]
pub struct ImportLock(Arc<Shop>);

impl ImportLock {
    pub async fn take(shop: &Arc<Shop>) -> anyhow::Result<AsyncDropGuard<Self>> {
        let mut locked = shop.locked.lock().await;
        anyhow::ensure!(!*locked, "another import is running");
        *locked = true;
        Ok(AsyncDropGuard::new(Self(Arc::clone(shop))))
    }
}

#[async_trait]
impl AsyncDrop for ImportLock {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        *self.0.locked.lock().await = false;
        Ok(())
    }
}

pub async fn import(shop: &Arc<Shop>, prices: &[&str]) -> anyhow::Result<()> {
    let mut lock = ImportLock::take(shop).await?;
    for price in prices {
        let cents = price.parse()?;
        shop.prices.lock().await.push(cents);
    }
    lock.async_drop().await?;
    Ok(())
}
// ANCHOR_END: problem

// ANCHOR: solution
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::Mutex;

/// What imports write to, and what keeps two from writing at the same time.
#[derive(Debug, Default)]
pub struct Shop {
    locked: Mutex<bool>,
    prices: Mutex<Vec<u32>>,
}

#[derive(Debug)]
pub struct ImportLock(Arc<Shop>);

impl ImportLock {
    pub async fn take(shop: &Arc<Shop>) -> anyhow::Result<AsyncDropGuard<Self>> {
        let mut locked = shop.locked.lock().await;
        anyhow::ensure!(!*locked, "another import is running");
        *locked = true;
        Ok(AsyncDropGuard::new(Self(Arc::clone(shop))))
    }
}

#[async_trait]
impl AsyncDrop for ImportLock {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        *self.0.locked.lock().await = false;
        Ok(())
    }
}

pub async fn import(shop: &Arc<Shop>, prices: &[&str]) -> anyhow::Result<()> {
    let lock = ImportLock::take(shop).await?;
    with_async_drop_2!(lock, {
        for price in prices {
            let cents = price.parse()?;
            shop.prices.lock().await.push(cents);
        }
        Ok(())
    })
}
// ANCHOR_END: solution

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_import_that_failed_does_not_lock_out_the_next_one() {
        let shop = Arc::default();
        let error = import(&shop, &["199", "3 euros"]).await.unwrap_err();
        assert!(error.is::<std::num::ParseIntError>(), "{error}");
        import(&shop, &["250"]).await.unwrap();
        assert_eq!(*shop.prices.lock().await, [199, 250]);
    }
}
// ANCHOR_END: tests
