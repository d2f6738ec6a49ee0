//! The incidents of your test, collected instead of reported.

use std::fmt::{self, Display};
use std::mem;
use std::panic::Location;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::incident::{self, Hook, Incident, IncidentKind};
use crate::whereabouts::Whereabouts;

/// Collects the [incidents](mod@crate::incident) of your test, which neither panic nor print anything meanwhile.
///
/// It replaces the incident hook until you drop it, and then puts the one before it back.
///
/// # Whose incidents
///
/// There is one hook for the whole process, but the tests of a file run beside each other.
/// So tests that collect take turns: when you call [`collect`](Self::collect), it waits until the one before has dropped its collector.
/// Your tests that don't collect are not disturbed, because only the incidents of this test are collected:
/// those in the runtime in which you called `collect`, and those on the same thread.
/// All others go to the hook that was there before, which panics by default.
///
/// If you collect again in the same test before you have dropped the first collector, the later one gets the incidents until you drop it.
///
/// # Examples
///
/// ```
/// use asyncdrop::incident::IncidentKind;
/// use asyncdrop::testing::Incidents;
/// use asyncdrop::AsyncDropWith;
///
/// let incidents = Incidents::collect();
/// drop(AsyncDropWith::new((), async |()| Ok::<_, std::io::Error>(())));
///
/// assert_eq!(incidents.len(), 1);
/// for incident in incidents.iter() {
///     assert_eq!(incident.kind(), IncidentKind::Forgotten);
///     assert!(incident.to_string().starts_with("Forgot to call async_drop on "));
/// }
/// ```
#[derive(Debug)]
#[must_use = "incidents are collected until this is dropped, which `let _ = ..` does at once"]
pub struct Incidents {
    seen: Seen,
}

type Seen = Arc<Mutex<Vec<CollectedIncident>>>;

/// The test that collects.
struct Turn {
    whereabouts: Whereabouts,
    called_at: &'static Location<'static>,
    /// What they have collected. The last one gets the next incident.
    collectors: Vec<Seen>,
    hook_before: Option<Arc<Hook>>,
}

static TURN: Mutex<Option<Turn>> = Mutex::new(None);
static TURN_ENDED: Condvar = Condvar::new();

/// After that a test that waits for its turn says so: the one before may never end.
const PATIENCE: Duration = Duration::from_secs(60);

impl Incidents {
    /// Begins to collect, as soon as none of your other tests does.
    ///
    /// It blocks its thread until then, which is harmless for the tests of a file, because each has a runtime of its own.
    /// But if you collect, don't wait for a second runtime in which you collect, too, because both would wait for each other.
    /// After a minute it prints whose turn it is.
    ///
    /// # Examples
    ///
    /// ```
    /// use asyncdrop::testing::Incidents;
    ///
    /// let incidents = Incidents::collect();
    /// // .. the code under test ..
    /// assert!(incidents.is_empty(), "{incidents:?}");
    /// ```
    #[track_caller]
    pub fn collect() -> Self {
        let called_at = Location::caller();
        let here = Whereabouts::here();
        let seen = Seen::default();
        let mut turn = lock(&TURN);
        while let Some(other) = turn
            .as_ref()
            .filter(|turn| !turn.whereabouts.is_same(&here))
        {
            let their_call = other.called_at;
            let (back, waited) = TURN_ENDED
                .wait_timeout(turn, PATIENCE)
                .unwrap_or_else(PoisonError::into_inner);
            turn = back;
            if waited.timed_out() {
                eprintln!(
                    "Incidents::collect at {called_at} waits for its turn: the test at {their_call} collects, or did {PATIENCE:?} ago"
                );
            }
        }
        let turn = turn.get_or_insert_with(|| Turn {
            whereabouts: here,
            called_at,
            collectors: Vec::new(),
            hook_before: incident::replace_hook(Some(Arc::new(collect_or_hand_on))),
        });
        turn.collectors.push(Arc::clone(&seen));
        Self { seen }
    }

    /// Tells you how many incidents there were.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::AsyncDropWith;
    /// use asyncdrop::testing::Incidents;
    ///
    /// let incidents = Incidents::collect();
    /// drop(AsyncDropWith::new((), async |()| Ok::<_, std::io::Error>(())));
    /// assert_eq!(incidents.len(), 1);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.seen).len()
    }

    /// Tells you whether there were none.
    ///
    /// # Examples
    ///
    /// ```
    /// use asyncdrop::testing::Incidents;
    ///
    /// assert!(Incidents::collect().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lends you what was collected so far, in the order in which it happened.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::AsyncDropWith;
    /// use asyncdrop::incident::IncidentKind;
    /// use asyncdrop::testing::Incidents;
    ///
    /// let incidents = Incidents::collect();
    /// drop(AsyncDropWith::new((), async |()| Ok::<_, std::io::Error>(())));
    /// assert!(incidents.iter().all(|incident| incident.kind() == IncidentKind::Forgotten));
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = CollectedIncident> + use<> {
        lock(&self.seen).clone().into_iter()
    }

    /// Gives you what was collected so far, so that your next check begins with nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::AsyncDropWith;
    /// use asyncdrop::testing::Incidents;
    ///
    /// let incidents = Incidents::collect();
    /// drop(AsyncDropWith::new((), async |()| Ok::<_, std::io::Error>(())));
    /// assert_eq!(incidents.take().len(), 1);
    /// assert!(incidents.is_empty());
    /// ```
    #[must_use]
    pub fn take(&self) -> Vec<CollectedIncident> {
        mem::take(&mut *lock(&self.seen))
    }
}

impl Drop for Incidents {
    fn drop(&mut self) {
        let mut turn = lock(&TURN);
        if let Some(turn) = &mut *turn {
            turn.collectors
                .retain(|seen| !Arc::ptr_eq(seen, &self.seen));
        }
        if let Some(ended) = turn.take_if(|turn| turn.collectors.is_empty()) {
            let ours = incident::replace_hook(ended.hook_before);
            TURN_ENDED.notify_one();
            drop(turn);
            // It may be one that the test has set meanwhile, and what that owns may report an incident.
            drop(ours);
        }
    }
}

/// The hook while a test collects.
fn collect_or_hand_on(incident: &Incident<'_>) {
    let turn = lock(&TURN);
    let Some(of) = &*turn else {
        drop(turn);
        // The turn ended after this hook was called. The one that is back in place decides.
        return incident::report(incident);
    };
    match of.collectors.last() {
        Some(seen) if of.whereabouts.reach_here() => lock(seen).push(incident.into()),
        _ => {
            let hook = of.hook_before.clone();
            // It may panic, or report an incident of its own.
            drop(turn);
            incident::call_hook(hook.as_deref(), incident);
        }
    }
}

/// One incident, as you get it from [`Incidents`]. It displays as the [`Incident`] did.
///
/// # Examples
///
/// ```
/// # use asyncdrop::AsyncDropWith;
/// use asyncdrop::testing::Incidents;
///
/// let incidents = Incidents::collect();
/// drop(AsyncDropWith::new((), async |()| Ok::<_, std::io::Error>(())));
/// for incident in incidents.take() {
///     println!("{incident}");
/// }
/// ```
#[derive(Debug, Clone)]
pub struct CollectedIncident {
    kind: IncidentKind,
    type_name: &'static str,
    location: &'static Location<'static>,
    message: String,
}

impl CollectedIncident {
    /// Tells you what kind of thing went wrong.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::AsyncDropWith;
    /// use asyncdrop::incident::IncidentKind;
    /// use asyncdrop::testing::Incidents;
    ///
    /// let incidents = Incidents::collect();
    /// drop(AsyncDropWith::new((), async |()| Ok::<_, std::io::Error>(())));
    /// assert_eq!(incidents.take()[0].kind(), IncidentKind::Forgotten);
    /// ```
    #[must_use]
    pub fn kind(&self) -> IncidentKind {
        self.kind
    }

    /// The type of the value whose cleanup was missed or failed.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::AsyncDropWith;
    /// use asyncdrop::testing::Incidents;
    ///
    /// let incidents = Incidents::collect();
    /// drop(AsyncDropWith::new((), async |()| Ok::<_, std::io::Error>(())));
    /// assert!(incidents.take()[0].type_name().contains("AsyncDropWith"));
    /// ```
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        self.type_name
    }

    /// The place at which you created the guard of the value.
    ///
    /// # Examples
    ///
    /// ```
    /// # use asyncdrop::AsyncDropWith;
    /// use asyncdrop::testing::Incidents;
    ///
    /// let incidents = Incidents::collect();
    /// drop(AsyncDropWith::new((), async |()| Ok::<_, std::io::Error>(())));
    /// assert_eq!(incidents.take()[0].location().file(), file!());
    /// ```
    #[must_use]
    pub fn location(&self) -> &'static Location<'static> {
        self.location
    }
}

impl From<&Incident<'_>> for CollectedIncident {
    fn from(incident: &Incident<'_>) -> Self {
        Self {
            kind: incident.kind(),
            type_name: incident.type_name(),
            location: incident.location(),
            message: incident.to_string(),
        }
    }
}

impl Display for CollectedIncident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// What is in there is whole after any panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
