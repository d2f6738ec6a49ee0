//! Takes times in such a way that a busy machine disturbs all contenders alike.

use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::contender::{Group, Operation, Run, Stopwatch};

/// How thorough a run is.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How many samples each contender gets.
    pub rounds: usize,
    /// About how long a sample takes.
    pub sample: Duration,
    /// How long all samples of a contender may take. A slow one gets fewer of them.
    pub budget: Duration,
}

impl Plan {
    pub const FULL: Self = Self {
        rounds: 101,
        sample: Duration::from_millis(2),
        budget: Duration::from_secs(4),
    };
    /// To see whether everything runs. Its figures are rough.
    pub const QUICK: Self = Self {
        rounds: 11,
        sample: Duration::from_micros(200),
        budget: Duration::from_millis(400),
    };
    const FEWEST_ROUNDS: usize = 3;

    fn with_long_samples(self) -> Self {
        Self {
            sample: self.sample * 10,
            ..self
        }
    }
}

/// The nanoseconds of one operation, in each round.
#[derive(Debug, Clone, PartialEq)]
pub struct Timing(pub Vec<f64>);

/// How one contender compares with another: the median over the rounds, and between what it was in eight of ten rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

impl Timing {
    pub fn median(&self) -> f64 {
        quantile(&self.0, 0.5)
    }

    /// Divides within each round, so that what slowed down a whole round cancels out.
    pub fn ratio_to(&self, baseline: &Self) -> Ratio {
        let ratios: Vec<f64> = self
            .0
            .iter()
            .zip(&baseline.0)
            .map(|(time, baseline)| time / baseline)
            .collect();
        Ratio {
            low: quantile(&ratios, 0.1),
            median: quantile(&ratios, 0.5),
            high: quantile(&ratios, 0.9),
        }
    }
}

/// One timing for each contender of the group, or `None` for one that cannot take part.
///
/// In each round every contender has its turn, and each round begins with another one.
pub fn take_times(group: &Group, runtime: &Runtime, plan: Plan) -> Vec<Option<Timing>> {
    let plan = if group.long {
        plan.with_long_samples()
    } else {
        plan
    };
    let mut racers: Vec<_> = group
        .contenders
        .iter()
        .map(|contender| match &contender.run {
            Run::Measured(run) => Some(Racer::calibrated(run, runtime, plan)),
            Run::Impossible(_) => None,
        })
        .collect();
    for round in 0..plan.rounds {
        for turn in 0..racers.len() {
            let place = (round + turn) % racers.len();
            if let Some(racer) = &mut racers[place]
                && round < racer.rounds
            {
                racer.take_sample(runtime);
            }
        }
    }
    racers
        .into_iter()
        .map(|racer| racer.map(|racer| Timing(racer.samples)))
        .collect()
}

struct Racer<'a> {
    operation: &'a Operation,
    times: u64,
    rounds: usize,
    samples: Vec<f64>,
}

impl<'a> Racer<'a> {
    /// Finds how many operations fill a sample, and warms up on the way.
    fn calibrated(operation: &'a Operation, runtime: &Runtime, plan: Plan) -> Self {
        // What a contender prepares once, it prepares here. It takes long, and would end the search below at a single operation.
        time(operation, runtime, 1);
        let mut times = 1;
        // Two bounds: preparing the values takes time that the stopwatch does not see.
        let (measured, whole) = loop {
            let started = Instant::now();
            let measured = time(operation, runtime, times);
            let whole = started.elapsed();
            if measured >= plan.sample || whole >= plan.sample * 10 {
                break (measured, whole);
            }
            times *= 2;
        };
        let surplus = measured.as_secs_f64() / plan.sample.as_secs_f64();
        times = ((times as f64 / surplus.max(1.0)) as u64).max(1);
        let affordable = plan.budget.as_secs_f64() / (whole.as_secs_f64() / surplus.max(1.0));
        let affordable = if times == 1 {
            plan.budget.as_secs_f64() / whole.as_secs_f64()
        } else {
            affordable
        };
        Self {
            operation,
            times,
            rounds: (affordable as usize).clamp(Plan::FEWEST_ROUNDS, plan.rounds),
            samples: Vec::with_capacity(plan.rounds),
        }
    }

    fn take_sample(&mut self, runtime: &Runtime) {
        let elapsed = time(self.operation, runtime, self.times);
        self.samples
            .push(elapsed.as_secs_f64() * 1e9 / self.times as f64);
    }
}

fn time(operation: &Operation, runtime: &Runtime, times: u64) -> Duration {
    let mut clock = Clock {
        started: None,
        elapsed: Duration::ZERO,
    };
    operation(runtime, times, &mut clock);
    clock.elapsed
}

struct Clock {
    started: Option<Instant>,
    elapsed: Duration,
}

impl Stopwatch for Clock {
    fn start(&mut self) {
        self.started = Some(Instant::now());
    }

    fn stop(&mut self) {
        let started = self.started.take().expect("stopped once for each start");
        self.elapsed += started.elapsed();
    }
}

fn quantile(values: &[f64], at: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * at).round() as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_in_which_the_machine_was_busy_does_not_move_the_ratio() {
        let baseline = Timing(vec![10.0, 10.0, 90.0, 10.0, 10.0]);
        let contender = Timing(vec![12.0, 12.0, 108.0, 12.0, 12.0]);
        let ratio = contender.ratio_to(&baseline);
        assert!((ratio.low - 1.2).abs() < 1e-9);
        assert!((ratio.median - 1.2).abs() < 1e-9);
        assert!((ratio.high - 1.2).abs() < 1e-9);
    }

    #[test]
    fn a_contender_that_got_fewer_samples_is_compared_with_the_same_rounds() {
        let baseline = Timing(vec![10.0, 20.0, 1.0, 1.0, 1.0]);
        let slow = Timing(vec![100.0, 200.0]);
        assert_eq!(slow.ratio_to(&baseline).median, 10.0);
    }

    #[test]
    fn the_median_is_the_one_in_the_middle() {
        assert_eq!(Timing(vec![9.0, 1.0, 5.0]).median(), 5.0);
    }
}
