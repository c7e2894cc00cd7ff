use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Duration,
};

/// How often a statement is sent that the server rolls back. The caller's patience ends it too.
pub(crate) const MOST_TRIES: u32 = 12;

/// How long to wait before a statement is sent again: longer each time, up to 48 ms, and different
/// for programs that are in each other's way.
pub(crate) fn pause(tries: u32) -> Duration {
    let longest = 1_000_u64 << tries.min(5);
    let random = RandomState::new().build_hasher().finish();
    Duration::from_micros(longest / 2 + random % longest)
}
