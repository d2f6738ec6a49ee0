//! `clone` for the types that must not be cloned, so that the compiler says why.

/// Gives a type a `clone` and a `to_owned` that cannot be called, because no type implements the trait that they want.
///
/// If a type derefs to its value, it would pass both calls on to a `Clone` value,
/// so the copy would be a value without a guard.
/// The message of the compiler is that of the trait.
/// It shows the bound and the names where the caller has written them, which is why they are passed in.
macro_rules! no_clone {
    (
        $(#[$diagnostic:meta])*
        pub trait $marker:ident;
        impl[$($generics:tt)*] $type:ty where [$($bound:tt)*]: $clone:ident, $to_owned:ident;
    ) => {
        /// Implemented by nothing. It exists for the error message of a `clone` that must not be.
        #[doc(hidden)]
        $(#[$diagnostic])*
        pub trait $marker {}

        impl<$($generics)*> $type {
            #[doc(hidden)]
            #[expect(
                clippy::should_implement_trait,
                reason = "the type must not be `Clone`; this makes the compiler say why"
            )]
            pub fn $clone(&self) -> Self
            where
                $($bound)*
            {
                unreachable!("no type implements the trait")
            }

            #[doc(hidden)]
            pub fn $to_owned(&self) -> Self
            where
                $($bound)*
            {
                unreachable!("no type implements the trait")
            }
        }
    };
}

pub(crate) use no_clone;
