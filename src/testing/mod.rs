//! For your tests: cleanup that is certain, and interruptions in every place.
//!
//! This module is there with the feature `testing`, which belongs among your dev-dependencies:
//!
//! ```toml
//! [dev-dependencies]
//! asyncdrop = { version = "0.1", features = ["testing"] }
//! ```
//!
//! | to | use |
//! |---|---|
//! | clean up at the end of a test, even after a failed assertion | [`run`](run()) |
//! | cancel your code at each operation, one run after the other | [`Sweep`] |
//! | interrupt every cleanup of a test, or of a whole test suite | [`interrupt_cleanups`] |
//! | make a stream slow, so that a torn write shows | [`Trickle`] |
//! | look at the incidents of a test instead of failing at the first one | [`Incidents`] |

mod incidents;
mod interruptions;
mod run;
mod sweep;
mod trickle;

pub use incidents::{CollectedIncident, Incidents};
pub use interruptions::{Interruptions, interrupt_cleanups};
pub use run::run;
pub use sweep::{Cut, Sweep};
pub use trickle::Trickle;
