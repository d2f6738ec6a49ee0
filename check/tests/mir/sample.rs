use std::fmt::Debug;
#[derive(Debug)]
pub struct AsyncDropGuard<T: Debug>(Option<T>);
impl<T: Debug> Drop for AsyncDropGuard<T> {
    fn drop(&mut self) {}
}
impl<T: Debug> AsyncDropGuard<T> {
    pub fn new(value: T) -> Self {
        Self(Some(value))
    }
    pub fn async_drop(&mut self) -> impl Future<Output = Result<(), String>> {
        async move {
            self.0.take();
            Ok(())
        }
    }
}
pub async fn work() -> Result<u8, String> {
    Ok(1)
}
pub struct Server {
    session: Option<AsyncDropGuard<u8>>,
    lease: AsyncDropGuard<u8>,
}
impl Server {
    pub async fn replace(&mut self) -> Result<(), String> {
        work().await?;
        self.session = None;
        self.lease = AsyncDropGuard::new(3);
        Ok(())
    }
}
pub async fn close(guard: &mut AsyncDropGuard<u8>) -> Result<(), String> {
    work().await.ok();
    guard.async_drop().await
}
pub async fn paths(all: &mut Vec<AsyncDropGuard<u8>>, yes: bool) -> Result<(), String> {
    let mut guard = AsyncDropGuard::new(1u8);
    let mut other = Some(AsyncDropGuard::new(1u8));
    for one in all.iter_mut() {
        one.async_drop().await?;
    }
    if let Some(other) = &mut other {
        other.async_drop().await?;
    }
    if yes {
        let result = async { guard.async_drop().await }.await;
        result?;
        drop(guard);
        return Ok(());
    }
    let _ = close(&mut guard).await;
    Ok(())
}
pub async fn question_mark(text: &'static str) -> Result<char, String> {
    let mut guard = AsyncDropGuard::new(text);
    let first = text.chars().next().ok_or("it is \"empty\", {}")?;
    guard.async_drop().await?;
    Ok(if first == '(' { ')' } else { first })
}
pub fn closures() -> usize {
    let make = |value: u8| AsyncDropGuard::new(value);
    let all: Vec<_> = (0..3).map(make).collect();
    std::mem::forget(AsyncDropGuard::new([1u64; 4]));
    all.len()
}
pub fn matched(text: &str, number: i64) -> i64 {
    let guard = AsyncDropGuard::new(number);
    match (text, number) {
        ("a", -5) => 1,
        (_, 0..=9) => number.checked_add(3).unwrap_or(i64::MIN),
        (other, _) => other.len() as i64 + number,
    }
}
