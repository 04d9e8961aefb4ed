//! The broker's surroundings: its log, and the entry point of its image.

mod image;
mod log;
