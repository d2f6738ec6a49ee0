//! Two modules with the same names, which mean a guard in one and none in the other.

use super::*;

pub mod left {
    use super::*;

    /// It holds a guard.
    #[derive(Debug)]
    pub struct Holder {
        pub number: u8,
        pub session: AsyncDropGuard<Session>,
    }

    #[derive(Debug)]
    pub struct Twin {
        pub first: AsyncDropGuard<Session>,
        pub second: AsyncDropGuard<Session>,
    }

    #[async_trait]
    impl AsyncDrop for Twin {
        type Error = Failed;

        // finds: dropped-inside end
        async fn async_drop_impl(&mut self) -> Result<(), Failed> {
            self.first.async_drop().await
        }
    }

    impl Holder {
        // finds: nothing
        pub async fn close(&mut self) -> Result<(), Failed> {
            self.session.async_drop().await
        }
    }

    // finds: nothing
    pub async fn settle(session: &mut AsyncDropGuard<Session>) {
        session.async_drop().await.unwrap();
    }

    // finds: nothing
    pub fn settling(
        session: &mut AsyncDropGuard<Session>,
    ) -> impl Future<Output = Result<(), Failed>> {
        session.async_drop()
    }
}

pub mod right {
    use super::*;

    /// It holds none.
    #[derive(Debug)]
    pub struct Holder {
        pub number: u8,
        pub session: Session,
    }

    #[derive(Debug)]
    pub struct Twin {
        pub first: AsyncDropGuard<Session>,
        pub second: Session,
    }

    #[async_trait]
    impl AsyncDrop for Twin {
        type Error = Failed;

        // finds: nothing
        async fn async_drop_impl(&mut self) -> Result<(), Failed> {
            self.first.async_drop().await
        }
    }

    impl Holder {
        // finds: nothing
        pub async fn close(&mut self) -> Result<(), Failed> {
            step().await.map(|_| ())
        }
    }

    // finds: nothing
    pub async fn settle(session: &mut AsyncDropGuard<Session>) {
        step().await.ok();
        session.0 += 1;
    }

    // finds: nothing
    pub fn settling(
        session: &mut AsyncDropGuard<Session>,
    ) -> impl Future<Output = Result<(), Failed>> {
        session.0 += 1;
        async { step().await.map(|_| ()) }
    }
}

// finds: dropped-inside end
pub fn a_holder_of_a_guard() {
    let holder = left::Holder {
        number: 0,
        session: open(),
    };
}

// finds: nothing
pub fn a_holder_of_none() {
    let holder = right::Holder {
        number: 0,
        session: Session(1),
    };
}

// finds: nothing
pub async fn closed_by_the_right_method() -> Result<(), Failed> {
    let mut holder = left::Holder {
        number: 0,
        session: open(),
    };
    holder.close().await
}

// finds: nothing
pub async fn settled() {
    let mut session = open();
    left::settle(&mut session).await;
}

// finds: dropped-armed end
pub async fn settled_by_the_other_one() {
    let mut session = open();
    right::settle(&mut session).await;
}

// finds: nothing
pub async fn settled_by_a_function() -> Result<(), Failed> {
    let mut session = open();
    left::settling(&mut session).await
}

// finds: dropped-armed end
pub async fn settled_by_the_other_function() -> Result<(), Failed> {
    let mut session = open();
    right::settling(&mut session).await
}

pub mod wrapped {
    use super::left::Holder;
    use super::right::Holder as Other;

    /// By an import.
    pub struct Outer {
        pub inner: Option<Holder>,
    }

    pub struct OuterOfTheOther {
        pub inner: Option<Other>,
    }
}

// finds: dropped-inside end
pub fn a_holder_in_a_struct() {
    let outer = wrapped::Outer {
        inner: Some(left::Holder {
            number: 0,
            session: open(),
        }),
    };
}

// finds: nothing
pub fn the_other_holder_in_a_struct() {
    let outer = wrapped::OuterOfTheOther {
        inner: Some(right::Holder {
            number: 0,
            session: Session(1),
        }),
    };
}

/// Its name is one of the standard library, and it holds no guard.
pub mod of_the_library {
    use super::*;

    pub struct Mutex<T>(pub u8, pub std::marker::PhantomData<fn() -> T>);

    // finds: nothing
    pub fn a_lock_without_a_guard() {
        let lock = Mutex::<AsyncDropGuard<Session>>(0, std::marker::PhantomData);
    }
}

/// The struct of each function is another one.
pub mod in_functions {
    use super::*;

    // finds: dropped-inside end
    pub fn with_a_guard() {
        struct Local {
            session: AsyncDropGuard<Session>,
        }
        let local = Local { session: open() };
    }

    // finds: nothing
    pub fn without_one() {
        struct Local {
            session: Session,
        }
        let local = Local {
            session: Session(0),
        };
    }

    // finds: dropped-inside end
    pub async fn with_a_guard_in_an_async_function() {
        struct Local {
            session: AsyncDropGuard<Session>,
        }
        let local = Local { session: open() };
    }

    pub struct Methods;

    impl Methods {
        // finds: dropped-inside end
        pub fn with_a_guard() {
            struct OfMethod {
                session: AsyncDropGuard<Session>,
            }
            let local = OfMethod { session: open() };
        }
    }
}

/// What a struct holds is its parameter.
pub mod generic {
    use super::*;

    pub struct Wrapper<T> {
        pub number: u8,
        pub inner: T,
    }

    pub struct Outside<'a, T, const N: usize> {
        pub inner: &'a T,
        pub other: [u8; N],
    }

    // finds: dropped-inside end
    pub fn of_a_guard() {
        let wrapper = Wrapper {
            number: 0,
            inner: open(),
        };
    }

    // finds: nothing
    pub async fn of_a_guard_cleaned_up() -> Result<(), Failed> {
        let mut wrapper = Wrapper {
            number: 0,
            inner: open(),
        };
        wrapper.inner.async_drop().await
    }

    // finds: nothing
    pub fn of_no_guard() {
        let wrapper = Wrapper {
            number: 0,
            inner: Session(0),
        };
    }

    // finds: nothing
    pub async fn of_a_reference() -> Result<(), Failed> {
        let mut session = open();
        let outside = Outside {
            inner: &session,
            other: [0; 3],
        };
        session.async_drop().await
    }
}

pub mod aliases {
    use super::*;
    use asyncdrop::AsyncDropGuard as Guarded;

    pub type Sessions = Vec<AsyncDropGuard<Session>>;
    pub type Plain<T> = Vec<T>;

    pub struct ByAlias {
        pub sessions: Sessions,
    }

    pub struct ByImport {
        pub session: Guarded<Session>,
    }

    pub struct OfNone {
        pub sessions: Plain<Session>,
    }

    // finds: dropped-inside end
    pub fn by_alias() {
        let holder = ByAlias {
            sessions: vec![open()],
        };
    }

    // finds: dropped-inside end
    pub fn by_import() {
        let holder = ByImport { session: open() };
    }

    // finds: nothing
    pub fn of_none() {
        let holder = OfNone {
            sessions: vec![Session(0)],
        };
    }
}

/// With a second `Pin` in the crate, the compiler writes the modules of the first.
pub struct Pin;
