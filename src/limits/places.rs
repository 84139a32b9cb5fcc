//! How many requests of each caller are under way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Limited;

/// When a caller with too many requests under way may try again, in seconds.
const SOON: u64 = 1;

/// The number of requests under way for each caller.
#[derive(Debug, Default)]
pub struct Places(Mutex<HashMap<String, usize>>);

/// A slot for one request; it is released when dropped.
#[derive(Debug)]
pub struct RequestPlace {
    places: Arc<Places>,
    whose: String,
}

impl Places {
    /// Takes a slot for a request of a caller, who may have so many at once.
    pub fn take(self: &Arc<Self>, whose: &str, most: usize) -> Result<RequestPlace, Limited> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(whose.to_owned()).or_default();
        if *count >= most {
            return Err(Limited { retry_after: SOON });
        }
        *count += 1;
        Ok(RequestPlace { places: Arc::clone(self), whose: whose.to_owned() })
    }

    /// How many requests of all callers are under way.
    pub fn taken(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }
}

impl Drop for RequestPlace {
    fn drop(&mut self) {
        let mut counts = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.whose) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.whose);
            }
        }
    }
}
