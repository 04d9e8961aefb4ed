//! What surrounds the broker: the log it writes, the entry point of its image.

mod image;
mod log;
