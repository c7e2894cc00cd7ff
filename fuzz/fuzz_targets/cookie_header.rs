#![no_main]

use cloakroom_core::fuzzing::cookie_header;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| cookie_header(bytes));
