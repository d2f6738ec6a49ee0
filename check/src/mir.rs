//! Reads the text that `rustc --emit=mir` prints.
//!
//! The text is not a stable format.
//! So the reader says of each function whether it understood all of it, and never guesses what a line might mean.

mod cursor;
mod place;
mod read;
mod statement;

use std::collections::BTreeMap;

pub use cursor::split_commas;
pub(crate) use cursor::{find_outside, outside};
pub use place::{Place, Projection, dereferenced};
pub use read::{FunctionText, constants, functions, read_span};

/// Where a piece of MIR comes from, if the compiler was asked to print it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub file: String,
    pub line: u32,
    pub column: u32,
}

/// One function, closure or coroutine.
#[derive(Debug)]
pub struct Body {
    /// Its path, such as `server::<impl at src/server.rs:3:1: 3:12>::run::{closure#0}`.
    pub name: String,
    pub parameters: Vec<(u32, String)>,
    /// The types of the locals, with the parameters and the return value.
    pub types: BTreeMap<u32, String>,
    /// The names that the source gives to places, in the order of the scopes.
    pub names: Vec<(String, Place)>,
    pub blocks: BTreeMap<u32, Block>,
    /// The lines that were not understood.
    pub refused: Vec<String>,
}

impl Body {
    /// The type of a place, if the text says enough about it.
    pub fn type_of<'a>(&'a self, place: &'a Place) -> Option<&'a str> {
        if let Some(written) = &place.written_type {
            return Some(written);
        }
        let mut written = self.types.get(&place.local)?.as_str();
        for projection in &place.projections {
            match projection {
                Projection::Deref => written = dereferenced(written)?,
                _ => return None,
            }
        }
        Some(written)
    }
}

#[derive(Debug)]
pub struct Block {
    /// Whether only a panic leads here.
    pub cleanup: bool,
    pub statements: Vec<(Statement, Option<Span>)>,
    pub terminator: Terminator,
    pub span: Option<Span>,
}

#[derive(Debug, PartialEq)]
pub enum Statement {
    Assign(Place, Value),
    /// `discriminant(place) = n`, by which a coroutine notes where it goes on.
    SetDiscriminant(u128),
}

#[derive(Debug, PartialEq)]
pub enum Value {
    Use(Operand),
    Borrow(Place),
    Discriminant(Place),
    /// A tuple, a struct, a variant, a closure, or an operator: the text before the operands, and the operands.
    Build(String, Vec<Operand>),
}

#[derive(Debug, PartialEq)]
pub enum Operand {
    Move(Place),
    Copy(Place),
    Const(String),
}

impl Operand {
    /// The place that is read, if any.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Move(place) | Self::Copy(place) => Some(place),
            Self::Const(_) => None,
        }
    }
}

#[derive(Debug, PartialEq)]
pub enum Terminator {
    Goto(u32),
    /// The value, and where to go; `None` for the values that are not listed.
    Switch(Operand, Vec<(Option<u128>, u32)>),
    Call {
        into: Place,
        function: String,
        arguments: Vec<Operand>,
        then: Option<u32>,
    },
    Drop {
        place: Place,
        then: Option<u32>,
    },
    Return,
    /// A path ends here, by a panic, or because it cannot be taken.
    End,
}
