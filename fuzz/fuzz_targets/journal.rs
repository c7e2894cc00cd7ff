#![no_main]

use cloakroom_core::fuzzing::journal;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| journal(bytes));
