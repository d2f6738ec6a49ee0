//! Generic functions, closures, async closures, methods of traits.

use super::*;
use std::fmt::Debug;

// finds: dropped-armed end
pub async fn generic<T: AsyncDrop + Debug>(value: T) {
    let guard = AsyncDropGuard::new(value);
    step().await.ok();
}

// finds: nothing
pub async fn generic_cleaned_up<T: AsyncDrop + Debug>(value: T) -> Result<(), T::Error> {
    let mut guard = AsyncDropGuard::new(value);
    step().await.ok();
    guard.async_drop().await
}

// finds: dropped-armed end
pub fn closure() {
    let forget = || {
        let session = open();
        session.0
    };
    forget();
}

// finds: dropped-armed ?
pub async fn async_closure() -> Result<(), Failed> {
    let visit = async || {
        let mut session = open();
        step().await?;
        session.async_drop().await
    };
    visit().await
}

// finds: nothing
pub async fn async_closure_cleaned_up() -> Result<(), Failed> {
    let visit = async || {
        let mut session = open();
        let step = step().await;
        session.async_drop().await?;
        step
    };
    visit().await.map(|_| ())
}

// finds: dropped-armed end
pub fn moved_into_a_task() {
    let session = open();
    tokio::spawn(async move {
        step().await.ok();
        println!("{}", session.0);
    });
}

// finds: nothing
pub fn moved_into_a_task_and_cleaned_up() {
    let mut session = open();
    tokio::spawn(async move {
        step().await.ok();
        session.async_drop().await
    });
}

// finds: nothing
pub async fn cleaned_up_in_a_block() -> Result<(), Failed> {
    let mut session = open();
    async { session.async_drop().await }.await
}

pub trait Visit {
    fn visit(&self) -> impl Future<Output = Result<(), Failed>>;
}

impl Visit for u8 {
    // finds: dropped-armed ?
    async fn visit(&self) -> Result<(), Failed> {
        let mut session = open();
        check(*self)?;
        session.async_drop().await
    }
}

impl Visit for u16 {
    // finds: nothing
    async fn visit(&self) -> Result<(), Failed> {
        let mut session = open();
        session.async_drop().await
    }
}

#[async_trait]
pub trait Task {
    async fn run(&self) -> Result<(), Failed>;
}

#[async_trait]
impl Task for u8 {
    // finds: dropped-armed ?
    async fn run(&self) -> Result<(), Failed> {
        let mut session = open();
        step().await?;
        session.async_drop().await
    }
}

macro_rules! with_a_session {
    ($session:ident, $block:block) => {{
        let mut $session = open();
        let result = async $block.await;
        $session.async_drop().await?;
        result
    }};
}

// finds: nothing
pub async fn in_a_macro() -> Result<u8, Failed> {
    with_a_session!(session, {
        let number = step().await?;
        check(number + session.0)
    })
}
