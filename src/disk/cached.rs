//! Files and maps that are opened for use and closed when there are too many: a broker can have
//! more logs than descriptors, and more indexes than `vm.max_map_count`.
//!
//! Users hold a file or map for as long as they need it. The CLOCK algorithm closes those that were
//! not used since its hand last passed, so that using one takes no shared lock.

use super::descriptors::max_files;
use super::{File, Map};
use crate::error::Result;
use crate::sync::lock;
use rustix::io::Errno;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

/// The number of maps that are kept open. The usual limit of a process is 65,530.
const MAX_MAPS: usize = 2048;
/// How long opening a file waits for a free descriptor.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it pauses between two attempts.
const PAUSE: Duration = Duration::from_millis(5);

static FILES: LazyLock<Cache<File>> = LazyLock::new(|| Cache::new(max_files()));
static MAPS: LazyLock<Cache<Map>> = LazyLock::new(|| Cache::new(MAX_MAPS));

/// Opens a file. A lack of descriptors is not the disk's fault: unused files are closed, and if
/// there are none it waits for a descriptor.
pub(super) fn opened<T>(mut open: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut since = None;
    loop {
        match open() {
            Err(error) if is_out_of_descriptors(&error) => {
                let since = *since.get_or_insert_with(Instant::now);
                if FILES.close_unused() {
                    continue;
                }
                if since.elapsed() >= PATIENCE {
                    return Err(error);
                }
                std::thread::sleep(PAUSE);
            }
            opened => return opened,
        }
    }
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    let out = [Errno::MFILE, Errno::NFILE].map(Errno::raw_os_error);
    error.raw_os_error().is_some_and(|code| out.contains(&code))
}

/// A file or map that may be closed between two uses.
#[derive(Debug)]
pub struct Cached<T> {
    open: Mutex<Option<Arc<T>>>,
    is_used: AtomicBool,
}

impl<T> Default for Cached<T> {
    fn default() -> Cached<T> {
        Cached { open: Mutex::new(None), is_used: AtomicBool::new(false) }
    }
}

impl<T> Cached<T> {
    /// Closes it if it is open.
    pub fn close(&self) {
        *self.lock() = None;
    }

    /// Returns it if it is open.
    pub fn peek(&self) -> Option<Arc<T>> {
        self.lock().clone()
    }

    /// Locks it if it is open and nobody holds it.
    fn unused(&self) -> Option<MutexGuard<'_, Option<Arc<T>>>> {
        let slot = self.open.try_lock().ok()?;
        let is_unused = slot.as_ref().is_some_and(|open| Arc::strong_count(open) == 1);
        is_unused.then_some(slot)
    }

    /// Returns false only if it is certainly closed.
    fn is_open_or_busy(&self) -> bool {
        self.open.try_lock().map_or(true, |slot| slot.is_some())
    }

    // Each change is a single assignment, so a panic cannot leave it half done.
    fn lock(&self) -> MutexGuard<'_, Option<Arc<T>>> {
        lock(&self.open)
    }
}

impl Cached<File> {
    /// Returns the file, opening it with `open` if necessary.
    pub fn get(self: &Arc<Self>, open: impl FnOnce() -> Result<File>) -> Result<Arc<File>> {
        FILES.get(self, open)
    }
}

impl Cached<Map> {
    /// Returns the map, making it with `map` if necessary.
    pub fn get(self: &Arc<Self>, map: impl FnOnce() -> Result<Map>) -> Result<Arc<Map>> {
        MAPS.get(self, map)
    }
}

/// The open files or maps.
#[derive(Debug)]
struct Cache<T> {
    max: usize,
    clock: Mutex<VecDeque<Weak<Cached<T>>>>,
}

impl<T> Cache<T> {
    fn new(max: usize) -> Cache<T> {
        Cache { max, clock: Mutex::default() }
    }

    fn get(&self, cached: &Arc<Cached<T>>, open: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
        let mut slot = cached.lock();
        if let Some(opened) = &*slot {
            if !cached.is_used.load(Ordering::Relaxed) {
                cached.is_used.store(true, Ordering::Relaxed);
            }
            return Ok(Arc::clone(opened));
        }
        let opened = Arc::new(open()?);
        *slot = Some(Arc::clone(&opened));
        // Whoever holds the clock tries to lock slots, so this one is released first.
        drop(slot);
        self.note(cached);
        Ok(opened)
    }

    /// Closes half of the unused ones, in the order of the clock; false if all are in use.
    fn close_unused(&self) -> bool {
        let mut clock = lock(&self.clock);
        let all: Vec<Arc<Cached<T>>> = clock.iter().filter_map(Weak::upgrade).collect();
        let unused: Vec<_> = all.iter().filter(|cached| cached.unused().is_some()).collect();
        let mut closed = 0;
        for cached in &unused[..unused.len().div_ceil(2)] {
            if let Some(mut slot) = cached.unused() {
                *slot = None;
                closed += 1;
            }
        }
        clock.retain(|cached| cached.upgrade().is_some_and(|cached| cached.is_open_or_busy()));
        closed > 0
    }

    /// Adds a newly opened one, and closes others if there are too many.
    fn note(&self, cached: &Arc<Cached<T>>) {
        let mut clock = lock(&self.clock);
        clock.push_back(Arc::downgrade(cached));
        let mut steps = 2 * clock.len();
        while clock.len() > self.max && steps > 0 {
            steps -= 1;
            let Some(next) = clock.pop_front() else { break };
            let Some(oldest) = next.upgrade() else { continue };
            let was_used = oldest.is_used.swap(false, Ordering::Relaxed);
            match oldest.open.try_lock() {
                Ok(mut slot) if !was_used => *slot = None,
                _ => clock.push_back(next),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn use_it(cache: &Cache<u8>, cached: &Arc<Cached<u8>>) -> bool {
        let mut opened = false;
        cache.get(cached, || Ok(u8::from(std::mem::replace(&mut opened, true)))).unwrap();
        opened
    }

    #[test]
    fn what_is_used_stays_open_and_the_rest_is_closed() {
        let cache = Cache::new(3);
        let some: Vec<Arc<Cached<u8>>> = (0..6).map(|_| Arc::default()).collect();
        for cached in &some {
            assert!(use_it(&cache, cached));
            assert!(!use_it(&cache, &some[0]), "the first one is in use");
        }
        let open: Vec<bool> = some.iter().map(|cached| cached.peek().is_some()).collect();
        assert_eq!(open, [true, false, false, false, true, true]);
        assert!(use_it(&cache, &some[1]), "what was closed is opened again");
        assert_eq!(some.iter().filter(|cached| cached.peek().is_some()).count(), 3);
    }

    #[test]
    fn what_somebody_holds_lives_on() {
        let cache = Cache::new(1);
        let (first, second) = (Arc::default(), Arc::default());
        let held = cache.get(&first, || Ok(7)).unwrap();
        cache.get(&second, || Ok(8)).unwrap();
        assert_eq!((*held, first.peek()), (7, None));
    }

    #[test]
    fn half_of_what_nobody_holds_is_closed_where_descriptors_are_missing() {
        let cache = Cache::new(10);
        let some: Vec<Arc<Cached<u8>>> = (0..5).map(|_| Arc::default()).collect();
        let held: Vec<Arc<u8>> = some.iter().map(|it| cache.get(it, || Ok(1)).unwrap()).collect();
        assert!(!cache.close_unused(), "all are held");
        drop(held);
        let _held = some[0].peek().unwrap();
        let open = || some.iter().filter(|cached| cached.peek().is_some()).count();
        assert!(cache.close_unused());
        assert_eq!((open(), cache.clock.lock().unwrap().len()), (3, 3));
        assert!(cache.close_unused() && cache.close_unused() && !cache.close_unused());
        assert!(open() == 1 && some[0].peek().is_some(), "what is held stays");
        assert!(use_it(&cache, &some[4]), "what was closed is opened again");
    }

    #[test]
    fn what_is_gone_leaves_the_clock() {
        let cache = Cache::new(2);
        for _ in 0..100 {
            cache.get(&Arc::default(), || Ok(1)).unwrap();
        }
        assert!(cache.clock.lock().unwrap().len() <= 2);
    }
    #[test]
    fn a_missing_descriptor_is_waited_for_and_nothing_else() {
        for error in [Errno::MFILE, Errno::NFILE] {
            let mut tries = 0;
            let opened = opened(|| {
                tries += 1;
                if tries < 5 { Err(error.into()) } else { Ok(tries) }
            });
            assert_eq!(opened.unwrap(), 5);
        }
        let mut tries = 0;
        let failed: io::Result<()> = opened(|| {
            tries += 1;
            Err(Errno::IO.into())
        });
        assert!(failed.is_err() && tries == 1);
    }
}
