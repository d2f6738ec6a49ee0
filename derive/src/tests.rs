//! The promise DV13: what cannot work is refused, and says why.
//!
//! The mistakes that readers of the book see are in `compile-fail/`, with the place that the compiler points to.

use proc_macro2::TokenStream;
use quote::quote;

use crate::expand::read;
use crate::guards::names;

/// The first lines of all messages.
fn messages(input: TokenStream) -> Vec<String> {
    let input = syn::parse2(input).unwrap();
    let (_, _, errors) = read(&input);
    let messages = errors
        .into_error()
        .into_iter()
        .flatten()
        .map(|it| it.to_string());
    messages
        .map(|it| it.lines().next().unwrap().to_owned())
        .collect()
}

fn with_type_option(option: TokenStream) -> Vec<String> {
    messages(quote! {
        #[async_drop #option]
        struct Session { stream: AsyncDropGuard<Stream> }
    })
}

fn with_field_option(option: TokenStream) -> Vec<String> {
    messages(quote! {
        struct Session { #[async_drop #option] stream: AsyncDropGuard<Stream>, log: AsyncDropGuard<Log> }
    })
}

const OF_A_TYPE: &str = "a type has `reverse`, `concurrent`, `error` and `crate`";
const OF_A_FIELD: &str = "a field has `skip` and `guard`";

#[test]
fn dv13_options_that_are_right_are_taken() {
    for option in [
        quote!((reverse)),
        quote!((concurrent,)),
        quote!((error = "Box<dyn Error>", reverse)),
        quote!((crate = "crate::vendored::asyncdrop")),
    ] {
        assert_eq!(with_type_option(option), [""; 0]);
    }
    for option in [quote!((skip)), quote!((guard))] {
        assert_eq!(with_field_option(option), [""; 0]);
    }
}

#[test]
fn dv13_options_of_a_type_that_are_wrong_are_refused() {
    for (option, message) in [
        (
            quote!((reversed)),
            format!("there is no option `reversed`; {OF_A_TYPE}"),
        ),
        (
            quote!((skip)),
            format!("`skip` belongs on a field; {OF_A_TYPE}"),
        ),
        (
            quote!((reverse, concurrent)),
            "`concurrent` and `reverse` exclude each other".into(),
        ),
        (
            quote!((reverse, reverse)),
            "`reverse` is given twice".into(),
        ),
        (quote!((reverse = "yes")), "`reverse` takes no value".into()),
        (
            quote!((error)),
            "`error` needs a value: `error = \"std::io::Error\"`".into(),
        ),
        (
            quote!(()),
            format!("this says nothing; {OF_A_TYPE}, as in `#[async_drop(reverse)]`"),
        ),
        (
            quote!(),
            format!("this says nothing; {OF_A_TYPE}, as in `#[async_drop(reverse)]`"),
        ),
        (
            quote!(= "reverse"),
            format!("this says nothing; {OF_A_TYPE}, as in `#[async_drop(reverse)]`"),
        ),
    ] {
        assert_eq!(with_type_option(option), [message]);
    }
}

/// Here the words are those of `syn`.
#[test]
fn dv13_options_that_cannot_be_read_are_refused() {
    for option in [
        quote!((error = io::Error)),
        quote!((error = "io::")),
        quote!((crate = "1")),
        quote!((7)),
    ] {
        assert_eq!(with_type_option(option).len(), 1);
    }
}

#[test]
fn dv13_options_of_a_field_that_are_wrong_are_refused() {
    for (option, message) in [
        (
            quote!((ignore)),
            format!("there is no option `ignore`; {OF_A_FIELD}"),
        ),
        (
            quote!((concurrent)),
            format!("`concurrent` belongs on the type; {OF_A_FIELD}"),
        ),
        (
            quote!((skip, guard)),
            "`guard` and `skip` exclude each other".into(),
        ),
        (quote!((skip = "yes")), "`skip` takes no value".into()),
        (quote!((skip, skip)), "`skip` is given twice".into()),
        (
            quote!(),
            format!("this says nothing; {OF_A_FIELD}, as in `#[async_drop(skip)]`"),
        ),
    ] {
        assert_eq!(with_field_option(option), [message]);
    }
}

#[test]
fn dv13_options_of_a_variant_are_refused() {
    assert_eq!(
        messages(quote! {
            enum Phase { #[async_drop(skip)] Idle, Connected(AsyncDropGuard<Stream>) }
        }),
        [
            "`async_drop` has no options for a variant; put them on the type, or on a field of the variant"
        ]
    );
}

#[test]
fn dv13_everything_that_is_wrong_is_said_at_once() {
    let messages = messages(quote! {
        #[async_drop(reversed)]
        #[async_drop(concurrent, reverse)]
        enum Phase {
            Connecting(#[async_drop(skipped)] AsyncDropGuard<Stream>),
            Connected { streams: HashMap<u8, AsyncDropGuard<Stream>> },
        }
    });
    let messages: Vec<_> = messages
        .iter()
        .map(|it| it.split(';').next().unwrap())
        .collect();
    assert_eq!(
        messages,
        [
            "there is no option `reversed`",
            "`reverse` and `concurrent` exclude each other",
            "there is no option `skipped`",
            "`derive(AsyncDrop)` does not reach this guard: it cleans up `AsyncDropGuard<..>`, and looks into `Option`, `Vec` and `Box`",
        ]
    );
}

#[test]
fn dv13_types_without_a_guard_are_refused() {
    for input in [
        quote!(
            struct Phase;
        ),
        quote!(
            struct Phase {}
        ),
        quote!(
            struct Phase(u8);
        ),
        quote!(
            struct Phase(Guard<Stream>);
        ),
        quote!(
            struct Phase(#[async_drop(skip)] AsyncDropGuard<Stream>);
        ),
        quote!(
            enum Phase {}
        ),
        quote!(
            enum Phase {
                Idle,
                Closed { code: u8 },
            }
        ),
    ] {
        let messages = messages(input);
        assert_eq!(messages.len(), 1);
        assert!(
            messages[0].starts_with("`Phase` has no guard that could be cleaned up: "),
            "{messages:?}"
        );
    }
}

#[test]
fn dv13_a_guard_that_the_macro_does_not_reach_is_refused() {
    for ty in [
        quote!(HashMap<String, AsyncDropGuard<Stream>>),
        quote!(Arc<AsyncDropGuard<Stream>>),
        quote!(Option<Mutex<AsyncDropGuard<Stream>>>),
        quote!(Vec<(u8, AsyncDropGuard<Stream>)>),
        quote!(Vec<AsyncDropGuard<Stream>, Arena>),
        quote!([AsyncDropGuard<Stream>; 2]),
        quote!((AsyncDropGuard<Stream>, AsyncDropGuard<Stream>)),
        quote!(&'a mut AsyncDropGuard<Stream>),
        quote!(Box<dyn Fn() -> AsyncDropGuard<Stream> + Send>),
        quote!(PhantomData<asyncdrop::AsyncDropGuard<Stream>>),
    ] {
        let messages = messages(quote!(struct Session { stream: #ty, log: AsyncDropGuard<Log> }));
        assert_eq!(messages.len(), 1, "{ty}");
        assert!(
            messages[0].starts_with("`derive(AsyncDrop)` does not reach this guard: "),
            "{messages:?}"
        );
    }
}

#[test]
fn dv13_a_union_is_refused() {
    assert_eq!(
        messages(quote!(union Either { one: u8, other: i8 })),
        [
            "`derive(AsyncDrop)` cannot know which field of a union is alive; implement `AsyncDrop` by hand",
        ]
    );
}

#[test]
fn a_path_names_what_it_begins_with() {
    let pool = quote::format_ident!("Pool");
    for ty in [
        quote!(Pool),
        quote!(Vec<AsyncDropGuard<Pool<T>>>),
        quote!(AsyncDropGuard<Pool::<T>>),
        quote!(<Pool<T> as Iterator>::Item),
        quote!([Pool<T>; 2]),
    ] {
        assert!(names(&ty, &pool), "{ty}");
    }
    for ty in [
        quote!(inner::Pool),
        quote!(AsyncDropGuard<::inner::Pool<T>>),
        quote!(<T as Iterator>::Pool),
        quote!(Pools),
    ] {
        assert!(!names(&ty, &pool), "{ty}");
    }
}
