//! BREACH: a page that is compressed, and repeats what its visitor has searched for, is shorter
//! where that is a piece of it. Who makes a browser search for guesses, and sees how long the
//! answers are, reads what is the same on all pages, piece by piece. A token is another one on each.

use std::io::Write;

use axum::{Router, extract::RawQuery, response::Html, routing::get};
use cloakroom_core::{Namespace, NamespaceName, SessionManager};
use cloakroom_memory::MemoryStore;
use cloakroom_testkit::{SplitMix64, TestRandom};
use cloakroom_tower::{Session, SessionLayer, SessionRejection};
use flate2::{Compression, write::DeflateEncoder};

use crate::browser::{Account, Browser};

/// How much of a token is guessed at once, and how often.
const PIECE: usize = 12;
const PAGES: u32 = 50;

/// With this seed the searches are the same in each run, and so are the lengths.
const SEED: u64 = 7;

async fn search(
    account: Session<Account>,
    RawQuery(words): RawQuery,
) -> Result<Html<String>, SessionRejection> {
    let form = account.csrf().open_form("/buy")?;
    let words = words.unwrap_or_default();
    Ok(Html(format!(
        "<!doctype html><title>Search</title><p>There is nothing like {words}.</p>\
         {form}<button>Buy</button></form>"
    )))
}

async fn visitor() -> Browser {
    let manager = SessionManager::builder()
        .namespace(Namespace::new(Account::NAME, MemoryStore::new()))
        .random(TestRandom::new(SEED))
        .build()
        .unwrap();
    let app = Router::new()
        .route("/search", get(search))
        .layer(SessionLayer::new(manager));
    let mut browser = Browser::new(app);
    browser.get("/search").await;
    browser
}

fn compressed(page: &str) -> i64 {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(page.as_bytes()).unwrap();
    i64::try_from(encoder.finish().unwrap().len()).unwrap()
}

/// Letters that could as well be a piece of a token.
fn nonsense(random: &mut SplitMix64) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut digit = || char::from(DIGITS[usize::try_from(random.below(64)).unwrap()]);
    (0..PIECE).map(|_| digit()).collect()
}

/// By how many bytes a page is shorter, on average, that repeats this piece instead of nonsense.
/// `mend` may change the pages first.
async fn gain(
    browser: &mut Browser,
    piece: &str,
    random: &mut SplitMix64,
    mend: impl Fn(String) -> String,
) -> f64 {
    let mut gained = 0;
    for _ in 0..PAGES {
        let wrong = browser.get(&format!("/search?{}", nonsense(random))).await;
        let right = browser.get(&format!("/search?{piece}")).await;
        gained += compressed(&mend(wrong.text)) - compressed(&mend(right.text));
    }
    f64::from(i32::try_from(gained).unwrap()) / f64::from(PAGES)
}

#[tokio::test]
async fn the_length_of_a_compressed_page_does_not_tell_a_token() {
    let mut browser = visitor().await;
    let mut random = SplitMix64::new(SEED);
    let token = browser.get("/search").await.token().to_owned();
    // A page as it would be with a token that is not masked: always the same.
    let unmasked = |page: String| {
        let (before, after) = page.split_once(r#"name="csrf_token" value=""#).unwrap();
        let (_, after) = after.split_once('"').unwrap();
        format!(r#"{before}name="csrf_token" value="{token}"{after}"#)
    };
    for start in (0..=token.len() - PIECE).step_by(PIECE / 2) {
        let piece = &token[start..start + PIECE];
        let masked = gain(&mut browser, piece, &mut random, |page| page).await;
        assert!(masked.abs() < 1.5, "{start}: {masked} bytes");
        // So it would be read: what is measured here is not blind.
        let constant = gain(&mut browser, piece, &mut random, unmasked).await;
        assert!(constant > 4.0, "{start}: {constant} bytes");
    }
}
