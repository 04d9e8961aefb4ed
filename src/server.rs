//! Listeners and connections. (Stub: the server engineer.)
