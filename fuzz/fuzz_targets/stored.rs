#![no_main]

use cloakroom_core::fuzzing::stored;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| stored(bytes));
