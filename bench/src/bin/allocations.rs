//! Prints what each contender allocates for one operation: group, contender, allocations and bytes, one line each.

use std::alloc::System;

use asyncdrop_bench::contender::{Group, Run, Stopwatch, runtime};
use asyncdrop_bench::groups;
use stats_alloc::{INSTRUMENTED_SYSTEM, Stats, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    let runtime = runtime();
    for group in groups::all() {
        for contender in &group.contenders {
            let Run::Measured(run) = &contender.run else {
                continue;
            };
            // The first time pays for what is allocated once in a thread or a process.
            run(&runtime, 1, &mut Counter::default());
            let times = times(&group);
            let mut counter = Counter::default();
            run(&runtime, times, &mut counter);
            println!(
                "{}\t{}\t{}\t{}",
                group.id,
                contender.name,
                counter.allocations as f64 / times as f64,
                counter.bytes as f64 / times as f64,
            );
        }
    }
}

/// Enough to see a fraction of an allocation for each operation where a container grows once in a while.
fn times(group: &Group) -> u64 {
    match group.id.as_str() {
        "waiting" => 1,
        _ => (1_000 / group.values.unwrap_or(1)).max(1) as u64,
    }
}

#[derive(Default)]
struct Counter {
    before: Stats,
    allocations: usize,
    bytes: usize,
}

impl Stopwatch for Counter {
    fn start(&mut self) {
        self.before = ALLOCATOR.stats();
    }

    fn stop(&mut self) {
        let used = ALLOCATOR.stats() - self.before;
        self.allocations += used.allocations + used.reallocations;
        self.bytes += used.bytes_allocated;
    }
}
