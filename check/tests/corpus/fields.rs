//! Guards in the fields of types.

use super::*;

/// It has no cleanup of its own.
pub struct Plain {
    number: u8,
    session: AsyncDropGuard<Session>,
}

// finds: dropped-inside end
pub fn in_a_struct_without_a_cleanup() {
    let plain = Plain {
        number: 0,
        session: open(),
    };
}

// finds: nothing
pub async fn in_a_struct_cleaned_up_from_outside() -> Result<(), Failed> {
    let mut plain = Plain {
        number: 0,
        session: open(),
    };
    plain.session.async_drop().await
}

impl Plain {
    // finds: dropped-inside assignment
    pub fn replace(&mut self) {
        self.session = open();
    }

    // finds: nothing
    pub async fn replace_after_the_cleanup(&mut self) -> Result<(), Failed> {
        self.session.async_drop().await?;
        self.session = open();
        Ok(())
    }

    // finds: nothing
    pub async fn close(&mut self) -> Result<(), Failed> {
        self.session.async_drop().await
    }
}

// finds: nothing
pub async fn closed_by_its_method() -> Result<(), Failed> {
    let mut plain = Plain {
        number: 0,
        session: open(),
    };
    plain.close().await
}

pub struct Lazy {
    session: Option<AsyncDropGuard<Session>>,
}

impl Lazy {
    // finds: nothing
    pub async fn open(&mut self) -> Result<(), Failed> {
        if self.session.is_none() {
            self.session = Some(connect().await?);
        }
        Ok(())
    }

    // finds: dropped-inside assignment
    pub fn reset(&mut self) {
        self.session = None;
    }

    // finds: nothing
    pub async fn close(&mut self) -> Result<(), Failed> {
        if let Some(mut session) = self.session.take() {
            session.async_drop().await?;
        }
        self.session = None;
        Ok(())
    }
}

#[derive(Debug)]
pub struct Both {
    left: AsyncDropGuard<Session>,
    right: AsyncDropGuard<Session>,
}

#[async_trait]
impl AsyncDrop for Both {
    type Error = Failed;

    // finds: nothing
    async fn async_drop_impl(&mut self) -> Result<(), Failed> {
        let left = self.left.async_drop().await;
        let right = self.right.async_drop().await;
        left.and(right)
    }
}

#[derive(Debug)]
pub struct OneOfTwo {
    left: AsyncDropGuard<Session>,
    right: AsyncDropGuard<Session>,
}

#[async_trait]
impl AsyncDrop for OneOfTwo {
    type Error = Failed;

    // finds: dropped-inside end
    async fn async_drop_impl(&mut self) -> Result<(), Failed> {
        self.left.async_drop().await
    }
}

#[derive(Debug)]
pub struct OneAfterTheOther {
    left: AsyncDropGuard<Session>,
    right: AsyncDropGuard<Session>,
}

#[async_trait]
impl AsyncDrop for OneAfterTheOther {
    type Error = Failed;

    // finds: dropped-inside ?
    async fn async_drop_impl(&mut self) -> Result<(), Failed> {
        self.left.async_drop().await?;
        self.right.async_drop().await
    }
}

#[derive(Debug, AsyncDrop)]
pub struct Derived {
    left: AsyncDropGuard<Session>,
    right: AsyncDropGuard<Session>,
}

pub struct Pool {
    sessions: Vec<AsyncDropGuard<Session>>,
}

impl Pool {
    // finds: nothing
    pub async fn close_all(&mut self) {
        for session in &mut self.sessions {
            session.async_drop().await.unwrap();
        }
    }

    // finds: nothing
    pub async fn look_at_all(&mut self) {
        for session in &mut self.sessions {
            session.0 += 1;
            step().await.ok();
        }
    }
}

// finds: nothing
pub async fn a_pool_closed_by_its_method() {
    let mut pool = Pool {
        sessions: vec![open()],
    };
    pool.close_all().await;
}

// finds: dropped-inside end
pub async fn a_pool_only_looked_at() {
    let mut pool = Pool {
        sessions: vec![open()],
    };
    pool.look_at_all().await;
}
