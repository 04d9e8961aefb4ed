//! What threads share: locks, work on a list of items, a rate.

pub mod parallel;
pub mod throttle;

use std::cell::Cell;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

thread_local! {
    static IS_ALONE: Cell<bool> = const { Cell::new(false) };
}

/// This thread has the turn.
struct Alone;

impl Drop for Alone {
    fn drop(&mut self) {
        IS_ALONE.set(false);
    }
}

/// Runs work that may take long, as a peer decided. It runs one at a time, so that costs do not add
/// up and all processors but one are left to the others, and on a thread that may block: the
/// runtime's other tasks continue on other threads.
pub fn alone<T>(work: impl FnOnce() -> T) -> T {
    static TURN: Mutex<()> = Mutex::new(());
    if IS_ALONE.get() {
        return work();
    }
    let alone = || {
        let _turn = lock(&TURN);
        IS_ALONE.set(true);
        let _end = Alone;
        work()
    };
    let flavor = Handle::try_current().map(|runtime| runtime.runtime_flavor());
    match flavor {
        Ok(RuntimeFlavor::MultiThread) => block_in_place(alone),
        _ => alone(),
    }
}

/// Locks a mutex, also after a thread has panicked while it held it: for values that are consistent
/// between any two statements.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As `lock`, for reading.
pub fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// As `lock`, for writing.
pub fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
