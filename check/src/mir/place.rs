//! Places: a local, and the way from it.

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub local: u32,
    pub projections: Vec<Projection>,
    /// The type that the text gives to the place. It gives none to a local, and to what a reference leads to.
    pub written_type: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Projection {
    Deref,
    Field(u32),
    Variant(String),
    Index,
}

impl Place {
    /// Reads a place that is the whole of `text`.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (place, rest) = Self::read_start(text)?;
        rest.is_empty().then_some(place)
    }

    /// Reads the place with which `text` begins, and returns what comes after it.
    pub(super) fn read_start(text: &str) -> Option<(Self, &str)> {
        // Places nest as deep as the source does. A text made to be deep is no reason to overflow the stack.
        read_nested(text, 200)
    }
}

fn read_nested(text: &str, depth: u32) -> Option<(Place, &str)> {
    let depth = depth.checked_sub(1)?;
    let (mut place, mut rest) = if let Some(digits) = text.strip_prefix('_') {
        let (local, rest) = number(digits)?;
        let place = Place {
            local,
            projections: Vec::new(),
            written_type: None,
        };
        (place, rest)
    } else if let Some(inside) = text.strip_prefix("(*") {
        let (mut place, rest) = read_nested(inside, depth)?;
        place.projections.push(Projection::Deref);
        place.written_type = place
            .written_type
            .as_deref()
            .and_then(dereferenced)
            .map(str::to_owned);
        (place, rest.strip_prefix(')')?)
    } else {
        let (mut place, rest) = read_nested(text.strip_prefix('(')?, depth)?;
        let end = closing_parenthesis(rest)?;
        let (middle, after) = (&rest[..end], &rest[end + 1..]);
        if let Some(field) = middle.strip_prefix('.') {
            let (field, written_type) = number(field)?;
            place.projections.push(Projection::Field(field));
            place.written_type = Some(written_type.strip_prefix(": ")?.to_owned());
        } else if let Some(subtype) = middle.strip_prefix(" as subtype ") {
            place.written_type = Some(subtype.to_owned());
        } else {
            let variant = middle.strip_prefix(" as ")?;
            place
                .projections
                .push(Projection::Variant(variant.to_owned()));
            place.written_type = None;
        }
        (place, after)
    };
    while let Some(index) = rest.strip_prefix('[') {
        let end = index.find(']')?;
        place.projections.push(Projection::Index);
        place.written_type = None;
        rest = &index[end + 1..];
    }
    Some((place, rest))
}

/// The type to which a reference or a box leads.
pub fn dereferenced(written: &str) -> Option<&str> {
    if let Some(to) = written.strip_prefix('&') {
        // The name of a lifetime.
        let to = match to.strip_prefix('\'') {
            Some(named) => named.split_once(' ')?.1,
            None => to,
        };
        return Some(to.strip_prefix("mut ").unwrap_or(to));
    }
    for smart in ["std::boxed::Box<", "Box<", "std::pin::Pin<", "Pin<"] {
        if let Some(inside) = written.strip_prefix(smart) {
            let inside = inside.strip_suffix('>')?;
            return if smart.ends_with("Pin<") {
                dereferenced(inside)
            } else {
                Some(inside)
            };
        }
    }
    written
        .strip_prefix("*mut ")
        .or_else(|| written.strip_prefix("*const "))
}

fn number(text: &str) -> Option<(u32, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// The parenthesis that closes one which was opened before `text`.
fn closing_parenthesis(text: &str) -> Option<usize> {
    let mut open = 0_u32;
    for (at, byte, _) in super::cursor::outside(text) {
        match byte {
            b'(' => open += 1,
            b')' if open == 0 => return Some(at),
            b')' => open -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_field_of_a_coroutine() {
        let place = Place::read("(((*_44) as variant#4).0: a::Guard<(T, U)>)").unwrap();
        assert_eq!(place.local, 44);
        assert_eq!(
            place.projections,
            [
                Projection::Deref,
                Projection::Variant("variant#4".to_owned()),
                Projection::Field(0)
            ]
        );
        assert_eq!(place.written_type.as_deref(), Some("a::Guard<(T, U)>"));
    }

    #[test]
    fn refuses_what_is_no_place() {
        for text in [
            "",
            "(",
            "_",
            "_x",
            "(*_1",
            "(_1.0)",
            "_1 + _2",
            "(_1 is X)",
            "_1[",
        ] {
            assert_eq!(Place::read(text), None, "{text}");
        }
    }
}
