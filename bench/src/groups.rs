//! Every operation that is measured, with its contenders.

mod arc;
mod guard;
mod map;
mod mutex;
mod reaper;
mod shared;
mod waiting;

use crate::contender::Group;

pub use self::guard::{BY_HAND, PLAIN_OPTION_AGAIN};
pub use self::reaper::{BESIDE_1_000_000, BESIDE_100_000, REAPER};
pub use self::waiting::MANY as WAITING_MANY;

/// The names of the crates, as they stand in the tables.
pub const ASYNCDROP: &str = "asyncdrop";
const DROPPER: &str = "async-dropper-simple";
const DROP_GUARD: &str = "async-drop-guard";

/// No cleanup of these benchmarks fails.
const CLOSES: &str = "the cleanup of a session never fails";

pub fn all() -> Vec<Group> {
    let mut groups = vec![
        guard::create_and_clean_up(),
        guard::create_and_clean_up_in_turn(),
        guard::deref(),
        mutex::lock(),
        arc::clone_and_let_go(),
    ];
    groups.extend([1, 100, 10_000, 100_000].map(map::clean_up));
    groups.push(map::clean_up_in_turn(10_000));
    groups.push(map::fill(10_000));
    groups.push(waiting::clean_up(10_000));
    groups.extend([1, 1_000].map(shared::create));
    groups.extend([reaper::adopt(), reaper::adopt_beside()]);
    groups.extend([1, 2, 4, 8].map(reaper::share));
    groups.extend([
        reaper::let_go(),
        reaper::hand_over(100_000),
        reaper::pending(10_000),
    ]);
    groups.extend([1, 2, 8].map(reaper::hand_over_in_tasks));
    groups
}
