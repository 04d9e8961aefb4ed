//! The controller as a broker half meets it: opened, asked, closed, opened again.
#![allow(clippy::unwrap_used)]

mod lifecycle;
mod support;
