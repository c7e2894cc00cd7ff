//! What the sessions hold, the same for everybody.

/// The key that the workloads read and change.
pub const COUNTER: &str = "counter";

/// A counter that has just been created.
pub const FIRST: u64 = 1;

/// The two keys that stand beside the counter: who is logged in, and a token of 52 characters.
pub const SMALL: [(&str, &str); 2] = [
    ("user", "3f2b8c1e-7a54-4d0b-9c3e-5b1f0a6d2e87"),
    (
        "csrf",
        "q7Zk2mVb9xTn4LrW8cYd1HsJ6gPf3AeU5oKi0BtQzXvNMwRlSyEh",
    ),
];

/// The sixteen further keys of a 4 KiB session.
pub const LARGE: [&str; 16] = [
    "k00", "k01", "k02", "k03", "k04", "k05", "k06", "k07", "k08", "k09", "k10", "k11", "k12",
    "k13", "k14", "k15",
];

/// What each of [`LARGE`] holds: 240 characters.
pub const LARGE_VALUE: &str = "\
    Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut \
    labore et dolore magna aliqua. Ut enim ad minim veniam, quis nostrud exercitation ullamco \
    laboris nisi ut aliquip ex ea commodo consequat. Duis aut";
const _: () = assert!(LARGE_VALUE.len() == 240);

/// How many characters all values but the counter have together.
pub fn characters(large: bool) -> usize {
    let small: usize = SMALL.iter().map(|(_, value)| value.len()).sum();
    if large {
        small + LARGE.len() * LARGE_VALUE.len()
    } else {
        small
    }
}
