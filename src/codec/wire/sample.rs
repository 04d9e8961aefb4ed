//! Sample values of every type, for tests.
use super::*;

/// What the fields of a sample contain.
#[derive(Clone, Copy, Debug)]
pub enum Fill {
    /// A value other than the default in every field.
    Full,
    /// Null where it is allowed.
    Null,
}

/// A message with all fields set, except those that the version does not have.
pub trait Sample: Sized {
    /// Makes a sample.
    fn sample(fill: Fill, version: i16) -> Self;
}

/// See `Sample`.
pub fn sample<T: Sample>(fill: Fill, version: i16) -> T {
    T::sample(fill, version)
}

/// See `Sample`.
pub fn sample_optional<T: Sample>(fill: Fill, version: i16, nullable: bool) -> Option<T> {
    match fill {
        Fill::Null if nullable => None,
        _ => Some(T::sample(fill, version)),
    }
}

macro_rules! samples {
    ($($type:ty, $value:expr;)*) => { $(
        impl Sample for $type {
            fn sample(_: Fill, _: i16) -> Self {
                $value
            }
        }
    )* };
}

samples! {
    bool, true;
    i8, 7;
    i16, 300;
    u16, 65_000;
    i32, 70_000;
    u32, 3_000_000_000;
    i64, 5_000_000_000;
    f64, 1.5;
    Uuid, Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
    StrBytes, StrBytes::from("gorge \u{e9}".repeat(20));
    BrokerId, BrokerId(70_000);
    GroupId, GroupId(sample(Fill::Full, 0));
    ProducerId, ProducerId(5_000_000_000);
    TopicName, TopicName(sample(Fill::Full, 0));
    TransactionalId, TransactionalId(sample(Fill::Full, 0));
    String, "gorge \u{e9}".repeat(20);
    Bytes, Bytes::from_static(b"\x00\xff stream");
}

impl<T: Sample> Sample for Vec<T> {
    fn sample(fill: Fill, version: i16) -> Self {
        vec![T::sample(fill, version), T::sample(fill, version)]
    }
}
