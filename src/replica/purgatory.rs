//! (Stub: the replica engineer.)
