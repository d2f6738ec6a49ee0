//! What asyncdrop wants to reach, and whether it did.

use crate::groups;
use crate::report::{Allocations, Measured, anchored};

/// One target, and what was measured for it.
#[derive(Debug, PartialEq)]
pub struct Verdict {
    pub target: String,
    pub measured: f64,
    pub limit: f64,
}

impl Verdict {
    pub fn is_met(&self) -> bool {
        // A figure that is not a number is no success.
        self.measured <= self.limit
    }
}

pub fn check(all: &[Measured], allocations: &Allocations) -> Vec<Verdict> {
    let ours = |group: &str| ratio(all, group, groups::ASYNCDROP);
    let mut verdicts = vec![
        Verdict {
            target: "create and clean up, at once: time beside the cleanup by hand".into(),
            measured: ours("create"),
            limit: 1.1,
        },
        Verdict {
            target: "create and clean up, waiting one turn: the same".into(),
            measured: ours("turn-create"),
            limit: 1.1,
        },
        Verdict {
            target: "create and clean up: allocations beside those by hand".into(),
            measured: count(allocations, "create", groups::ASYNCDROP),
            limit: count(allocations, "create", groups::BY_HAND),
        },
        Verdict {
            target: "deref: time beside a plain `Option`, at most what the noise alone makes of a second plain `Option`"
                .into(),
            measured: ours("deref"),
            limit: noise(all, "deref"),
        },
        Verdict {
            target: "clone an `Arc` and let go: time beside `std::sync::Arc` in one guard".into(),
            measured: ours("arc"),
            limit: 1.5,
        },
    ];
    for map in all
        .iter()
        .filter(|measured| measured.group.id.contains("map-"))
    {
        verdicts.push(Verdict {
            target: format!(
                "{}: time beside `HashMap` and `join_all`",
                map.group.title.to_lowercase()
            ),
            measured: ours(&map.group.id),
            limit: 1.2,
        });
    }
    verdicts.push(Verdict {
        target: "map of 10,000 values that wait 10 ms each: time beside one that waits".into(),
        measured: ratio(all, "waiting", groups::WAITING_MANY),
        limit: 1.5,
    });
    for share in all
        .iter()
        .filter(|measured| measured.group.id.starts_with("share-"))
    {
        verdicts.push(Verdict {
            target: format!(
                "{}: time beside a `TaskTracker` token",
                share.group.title.to_lowercase()
            ),
            measured: ratio(all, &share.group.id, groups::REAPER),
            limit: 1.5,
        });
    }
    verdicts.push(Verdict {
        target: "hand over 100,000 values: time beside `TaskTracker::spawn`".into(),
        measured: ratio(all, "hand-over-100000", groups::REAPER),
        limit: 1.2,
    });
    for (values, contender) in [
        ("100,000", groups::BESIDE_100_000),
        ("1,000,000", groups::BESIDE_1_000_000),
    ] {
        verdicts.push(Verdict {
            target: format!("adopt one more beside {values}: time beside one more beside 1,000"),
            measured: ratio(all, "adopt-beside", contender),
            limit: 1.2,
        });
    }
    verdicts
}

pub fn section(verdicts: &[Verdict]) -> String {
    let mut text = String::from("| target | at most | measured | |\n|---|---:|---:|---|\n");
    for verdict in verdicts {
        let word = if verdict.is_met() {
            "met"
        } else {
            "**missed**"
        };
        text += &format!(
            "| {} | {:.2} | {:.2} | {word} |\n",
            verdict.target, verdict.limit, verdict.measured
        );
    }
    format!(
        "### Targets\n\n{}\n{}",
        anchored("verdict", &in_words(verdicts)),
        anchored("targets", &text)
    )
}

/// What was missed, as a sentence: a page that includes it cannot pass over it.
fn in_words(verdicts: &[Verdict]) -> String {
    let missed: Vec<_> = verdicts
        .iter()
        .filter(|verdict| !verdict.is_met())
        .map(|verdict| {
            format!(
                "- {}: {:.2}, and the target is {:.2}",
                verdict.target, verdict.measured, verdict.limit
            )
        })
        .collect();
    if missed.is_empty() {
        return format!("Missed: none of {} targets.", verdicts.len());
    }
    format!(
        "Missed: {} of {} targets.\n\n{}",
        missed.len(),
        verdicts.len(),
        missed.join("\n")
    )
}

fn ratio(all: &[Measured], group: &str, contender: &str) -> f64 {
    find(all, group)
        .and_then(|measured| measured.ratio(contender))
        .map_or(f64::NAN, |ratio| ratio.median)
}

/// How much slower than itself the baseline was in one round of ten, but neither stricter than 2 % nor laxer than 10 %.
fn noise(all: &[Measured], group: &str) -> f64 {
    find(all, group)
        .and_then(|measured| measured.ratio(groups::PLAIN_OPTION_AGAIN))
        .map_or(f64::NAN, |ratio| ratio.high.clamp(1.02, 1.1))
}

fn count(allocations: &Allocations, group: &str, contender: &str) -> f64 {
    allocations
        .of(group, contender)
        .map_or(f64::NAN, |(count, _)| count)
}

fn find<'a>(all: &'a [Measured], group: &str) -> Option<&'a Measured> {
    all.iter().find(|measured| measured.group.id == group)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Timing;

    /// Every contender takes the same time, but asyncdrop.
    fn measured(asyncdrop: f64) -> Vec<Measured> {
        groups::all()
            .into_iter()
            .map(|group| {
                let timings = group.contenders.iter().map(|contender| {
                    let ours = [
                        groups::ASYNCDROP,
                        groups::WAITING_MANY,
                        groups::REAPER,
                        groups::BESIDE_100_000,
                        groups::BESIDE_1_000_000,
                    ]
                    .contains(&contender.name);
                    Some(Timing(vec![if ours { asyncdrop } else { 100.0 }; 3]))
                });
                Measured {
                    timings: timings.collect(),
                    group,
                }
            })
            .collect()
    }

    fn counts(asyncdrop: u32) -> Allocations {
        let by_hand = groups::BY_HAND;
        Allocations::parse(&format!(
            "create\t{by_hand}\t1\t16\ncreate\tasyncdrop\t{asyncdrop}\t32\n"
        ))
        .expect("two whole lines")
    }

    #[test]
    fn every_target_is_met_by_a_library_that_costs_nothing() {
        let verdicts = check(&measured(100.0), &counts(1));
        assert_eq!(verdicts.len(), 18);
        assert!(verdicts.iter().all(Verdict::is_met), "{verdicts:?}");
    }

    #[test]
    fn every_target_is_missed_by_one_that_takes_twice_as_long_and_allocates_more() {
        let verdicts = check(&measured(200.0), &counts(2));
        assert!(!verdicts.iter().any(Verdict::is_met), "{verdicts:?}");
    }

    #[test]
    fn the_words_name_what_was_missed_and_nothing_else() {
        let verdict = |target: &str, measured| Verdict {
            target: target.into(),
            measured,
            limit: 1.1,
        };
        let all = [verdict("create", 1.2), verdict("deref", 1.0)];
        assert_eq!(
            in_words(&all),
            "Missed: 1 of 2 targets.\n\n- create: 1.20, and the target is 1.10"
        );
        assert_eq!(in_words(&all[1..]), "Missed: none of 1 targets.");
    }

    #[test]
    fn a_target_that_was_not_measured_is_missed() {
        let verdicts = check(&[], &Allocations::default());
        assert!(!verdicts.iter().any(Verdict::is_met), "{verdicts:?}");
    }
}
