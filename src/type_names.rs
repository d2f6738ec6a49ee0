//! How messages call a type.

use std::any::type_name;
use std::fmt::{self, Display};

use crate::with::BEGIN_OF_NAME;

/// The name of a `T` as messages show it.
pub(crate) fn shown<T: ?Sized>() -> Shown {
    Shown(type_name::<T>())
}

/// The name of a type, without what an [`AsyncDropWith`](crate::AsyncDropWith) in it knows beside its value:
/// the types of the close and of its future name the same closure twice, and are longer than the rest of the message.
///
/// If the compiler ever writes names in another way, they are shown as they are.
pub(crate) struct Shown(pub(crate) &'static str);

impl Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some((before, arguments)) = rest.split_once(BEGIN_OF_NAME) {
            let Some((value, after)) = first_argument(arguments) else {
                break;
            };
            write!(f, "{before}AsyncDropWith<{}>", Self(value))?;
            rest = after;
        }
        f.write_str(rest)
    }
}

/// The first of the generic arguments that `text` begins with, and what follows after the last of them.
fn first_argument(text: &str) -> Option<(&str, &str)> {
    let mut first_end = None;
    let mut depth = 0_usize;
    let mut previous = ' ';
    for (index, character) in text.char_indices() {
        match character {
            // The arrow of a function closes nothing.
            '>' if previous == '-' => {}
            '>' if depth == 0 => {
                let first_end = first_end.unwrap_or(index);
                return Some((&text[..first_end], &text[index + 1..]));
            }
            '<' | '(' | '[' | '{' => depth += 1,
            '>' | ')' | ']' | '}' => depth = depth.checked_sub(1)?,
            ',' if depth == 0 => first_end = first_end.or(Some(index)),
            _ => {}
        }
        previous = character;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::with::{AsyncDropWith, BoxedAsyncDropWith};

    type Close = fn((u8, u16)) -> fn(u8) -> u16;

    #[track_caller]
    fn assert_shown<T: ?Sized>(expected: &str) {
        assert_eq!(shown::<T>().to_string(), expected);
    }

    #[test]
    fn of_an_async_drop_with_only_the_value_is_shown() {
        assert_shown::<AsyncDropWith<u8, Close, Close>>("AsyncDropWith<u8>");
        assert_shown::<AsyncDropWith<(u8, [u16; 2]), Close, Close>>(
            "AsyncDropWith<(u8, [u16; 2])>",
        );
        assert_shown::<AsyncDropWith<Close, Close, Close>>(
            "AsyncDropWith<fn((u8, u16)) -> fn(u8) -> u16>",
        );
        assert_shown::<BoxedAsyncDropWith<u8, u16>>("AsyncDropWith<u8>");
    }

    #[test]
    fn it_is_shown_so_wherever_it_is_in_the_name() {
        type With<T> = AsyncDropWith<T, Close, Close>;
        assert_shown::<Option<With<u8>>>("core::option::Option<AsyncDropWith<u8>>");
        assert_shown::<(With<u8>, With<u16>)>("(AsyncDropWith<u8>, AsyncDropWith<u16>)");
        assert_shown::<With<With<u8>>>("AsyncDropWith<AsyncDropWith<u8>>");
    }

    #[test]
    fn every_other_name_is_shown_as_it_is() {
        assert_shown::<Close>("fn((u8, u16)) -> fn(u8) -> u16");
        assert_shown::<str>("str");
        for strange in [
            "asyncdrop::with::AsyncDropWith<",
            "asyncdrop::with::AsyncDropWith<)>",
        ] {
            assert_eq!(Shown(strange).to_string(), strange);
        }
    }
}
