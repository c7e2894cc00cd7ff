#![no_main]

use cloakroom_core::fuzzing::addresses;
use libfuzzer_sys::fuzz_target;
use url::Url;

fuzz_target!(|bytes: &[u8]| addresses(bytes, leaves));

/// As browsers read addresses (WHATWG URL).
fn leaves(page: &str, url: &str) -> bool {
    let page = Url::parse(page).expect("the page is one of ours");
    page.join(url).is_ok_and(|to| to.origin() != page.origin())
}
