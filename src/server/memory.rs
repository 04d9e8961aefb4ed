//! Gives memory that was needed only once back to the system. glibc keeps freed memory for later
//! requests; after a few hundred large answers this is most of the process.
#![allow(unsafe_code)]

use std::time::Duration;

/// The process must have grown by this many bytes before a search for free memory is worthwhile.
const WORTH: usize = 16 << 20;
/// How long to wait between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// The longest pause, after looks that found most of the memory in use.
const PAUSE_MAX: Duration = Duration::from_secs(600);
/// The bytes per page of statm. Some ARM machines have larger pages; there the process grows more
/// before memory is given back.
const PAGE: usize = 4096;

/// Checks now and then whether there is memory to give back. Runs forever.
pub async fn give_back() {
    let start = resident();
    let mut pause = PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        let before = resident();
        if before < start + WORTH {
            pause = PAUSE;
            continue;
        }
        drop(tokio::task::spawn_blocking(trim).await);
        let given = before.saturating_sub(resident());
        pause = if given >= WORTH / 2 { PAUSE } else { (pause * 2).min(PAUSE_MAX) };
    }
}

/// The resident bytes of this process; 0 if the system does not tell.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.unwrap_or(0) * PAGE
}

#[cfg(target_env = "gnu")]
fn trim() {
    // SAFETY: malloc_trim takes a number, exists in every glibc and may be called by any thread.
    unsafe extern "C" {
        safe fn malloc_trim(pad: usize) -> std::ffi::c_int;
    }
    malloc_trim(0);
}

#[cfg(not(target_env = "gnu"))]
fn trim() {}
