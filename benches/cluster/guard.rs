//! No process outlives the bench, also when it is told to end or takes too long.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// The processes that run, none of which has been waited for, so that their ids are theirs.
static RUNNING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());
/// How long a server may take to stop.
const STOP_LIMIT: Duration = Duration::from_secs(180);

fn running() -> MutexGuard<'static, BTreeSet<u32>> {
    RUNNING.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Ends everything when a signal comes or after `limit`. `dir` has all that was written.
pub fn watch(limit: Duration, dir: PathBuf) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let why = runtime.block_on(async {
            let mut interrupt = signal(SignalKind::interrupt()).unwrap();
            let mut terminate = signal(SignalKind::terminate()).unwrap();
            tokio::select! {
                () = tokio::time::sleep(limit) => "the time is over (--limit)",
                _ = interrupt.recv() => "interrupted",
                _ = terminate.recv() => "terminated",
            }
        });
        eprintln!("{why}");
        // Held to the end, so that nothing starts any more.
        let running = running();
        for pid in running.iter() {
            let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        remove(&dir);
        std::process::exit(1);
    });
}

/// Processes that have just been killed may still create a file.
fn remove(dir: &Path) {
    for _ in 0..10 {
        if std::fs::remove_dir_all(dir).is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

pub fn spawn(command: &mut Command) -> Child {
    let mut running = running();
    let child = command.spawn().unwrap();
    running.insert(child.id());
    child
}

/// Waits until the process has ended.
pub fn wait(child: &mut Child) -> ExitStatus {
    let end = Instant::now() + STOP_LIMIT;
    loop {
        let mut running = running();
        if let Some(status) = child.try_wait().unwrap() {
            running.remove(&child.id());
            return status;
        }
        drop(running);
        assert!(Instant::now() < end, "a server does not stop");
        std::thread::sleep(Duration::from_millis(2));
    }
}
