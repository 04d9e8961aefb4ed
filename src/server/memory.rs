//! Memory that was needed once goes back to the system. glibc keeps what is freed for the next who
//! asks: after a few hundred large answers that is most of the process.
#![allow(unsafe_code)]

use std::time::Duration;

/// So many bytes more than at the start are worth the search for what is free.
const WORTH: usize = 32 << 20;
/// How often that is looked at, ...
const PAUSE: Duration = Duration::from_secs(2);
/// ... and how often at least where it was in use.
const PAUSE_MAX: Duration = Duration::from_secs(600);
/// Bytes of a page, as statm counts them. Where pages are larger (some of ARM's), it takes more until
/// something is given back.
const PAGE: usize = 4096;

/// Looks from time to time whether there is something to give back.
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
        pause = if given >= WORTH / 4 { PAUSE } else { (pause * 2).min(PAUSE_MAX) };
    }
}

/// Bytes of this process in memory; 0 where the system does not tell.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.unwrap_or(0) * PAGE
}

#[cfg(target_env = "gnu")]
fn trim() {
    // SAFETY: malloc_trim takes a number, is there in every glibc, and may be called by any thread.
    unsafe extern "C" {
        safe fn malloc_trim(pad: usize) -> std::ffi::c_int;
    }
    malloc_trim(0);
}

#[cfg(not(target_env = "gnu"))]
fn trim() {}
