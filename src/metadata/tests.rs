//! (The metadata engineer writes these.)
