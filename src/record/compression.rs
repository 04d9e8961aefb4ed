//! gzip, snappy (xerial framing), lz4 (frame) and zstd, with a bound on what comes out.
