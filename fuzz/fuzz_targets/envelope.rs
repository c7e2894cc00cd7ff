#![no_main]

use cloakroom_core::fuzzing::envelope;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| envelope(bytes));
