//! What the threads counted, for whoever asks.

use std::sync::{Arc, Mutex, PoisonError};

use crate::turn::Counters;

/// Reads the counters of a running server, from any thread and for as long as it likes: cloned
/// handles read the same, and the last numbers stay when the server has stopped.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    threads: Vec<Arc<Mutex<Counters>>>,
}

impl Meter {
    /// A snapshot, the sum of all threads, not older than a second.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let mut sum = Counters::default();
        for thread in &self.threads {
            sum += *thread.lock().unwrap_or_else(PoisonError::into_inner);
        }
        sum
    }

    /// One more thread, and where it leaves its numbers.
    pub(super) fn add(&mut self) -> Arc<Mutex<Counters>> {
        let counters = Arc::default();
        self.threads.push(Arc::clone(&counters));
        counters
    }
}
