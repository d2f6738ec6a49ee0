//! Nothing: what counts are its dependencies.
