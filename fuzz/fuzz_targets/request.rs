#![no_main]

use cloakroom_core::fuzzing::request;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| request(bytes));
