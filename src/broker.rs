//! Assembly and controlled shutdown: the only file that knows every part. (Stub: the server engineer.)
