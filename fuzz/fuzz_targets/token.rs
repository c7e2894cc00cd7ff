#![no_main]

use cloakroom_core::fuzzing::token;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| token(bytes));
