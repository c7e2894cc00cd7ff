#![no_main]

use cloakroom_core::fuzzing::unseal;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| unseal(bytes));
