use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use cloakroom_store::{
    Cursor, Freshness, Key, Loaded, NamespaceId, Page, Record, Store, StoreError, StoreErrorKind,
    Subject, Summary,
};

use super::{
    case::{Case, CaseResult, Need, check},
    fixture::Fixture,
    parallel::won,
};

pub(super) fn cases<S: Store>() -> Vec<Case<S>> {
    vec![
        Case {
            name: "by_subject/pages",
            rule: "each session of a subject is on exactly one page, whatever the limit",
            needs: &[Need::BySubject],
            run: |fixture| Box::pin(pages(fixture, true)),
        },
        Case {
            name: "by_subject/pages_amid_changes",
            rule: "a session that lives through all pages is on one of them, and none is on two",
            needs: &[Need::BySubject],
            run: |fixture| Box::pin(pages_amid_changes(fixture, true)),
        },
        Case {
            name: "by_subject/pages_amid_uses",
            rule: "a session that is used or rotated between two pages is on one of all pages",
            needs: &[Need::BySubject],
            run: |fixture| Box::pin(pages_amid_uses(fixture)),
        },
        Case {
            name: "by_subject/checks_cursors",
            rule: "a cursor that by_subject has not made is an error, never a panic",
            needs: &[Need::BySubject],
            run: |fixture| Box::pin(checks_cursors(fixture, true)),
        },
        Case {
            name: "scan/pages",
            rule: "each record is on exactly one page, whatever the limit",
            needs: &[Need::Scan],
            run: |fixture| Box::pin(pages(fixture, false)),
        },
        Case {
            name: "scan/pages_amid_changes",
            rule: "a record that lives through all pages is on one of them, and none is on two",
            needs: &[Need::Scan],
            run: |fixture| Box::pin(pages_amid_changes(fixture, false)),
        },
        Case {
            name: "scan/checks_cursors",
            rule: "a cursor that scan has not made is an error, never a panic",
            needs: &[Need::Scan],
            run: |fixture| Box::pin(checks_cursors(fixture, false)),
        },
    ]
}

/// One of the two listings of the contract.
pub(super) enum Listing {
    BySubject(NamespaceId, Subject),
    Scan,
}

impl Listing {
    pub(super) fn of_subject(namespace: NamespaceId, subject: &Subject) -> Self {
        Self::BySubject(namespace, subject.clone())
    }

    pub(super) async fn page<S: Store>(
        &self,
        store: &S,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        match self {
            Self::BySubject(namespace, subject) => {
                let namespace = namespace.as_str();
                store.by_subject(namespace, subject, after, limit).await
            }
            Self::Scan => store.scan(after, limit).await,
        }
    }

    /// All pages, each no longer than `limit` and none with a session of another.
    pub(super) async fn all<S: Store>(
        &self,
        store: &S,
        limit: usize,
    ) -> CaseResult<BTreeMap<Key, Summary>> {
        let mut found = BTreeMap::new();
        let mut after = None;
        for _ in 0..MOST_PAGES {
            let page = self.page(store, after.as_ref(), limit).await?;
            gather(&mut found, &page, limit)?;
            if page.next.is_none() {
                return Ok(found);
            }
            after = page.next;
        }
        Err(format!("after {MOST_PAGES} pages there is still a next one").into())
    }
}

// An empty page may be followed by others, so only their number can show an endless listing.
const MOST_PAGES: usize = 1_000_000;

fn gather(found: &mut BTreeMap<Key, Summary>, page: &Page, limit: usize) -> CaseResult {
    let length = page.sessions.len();
    check(length <= limit, || {
        format!("a page of up to {limit} sessions has {length}")
    })?;
    for summary in &page.sessions {
        let before = found.insert(summary.key, summary.clone());
        check(before.is_none(), || format!("{} came twice", summary.key))?;
    }
    Ok(())
}

/// The listing to test and a number of sessions in it.
async fn sessions<S: Store>(
    fixture: &Fixture<S>,
    by_subject: bool,
    count: usize,
) -> CaseResult<(Listing, Subject, BTreeSet<Key>)> {
    let subject = fixture.subject("ann")?;
    let mut keys = BTreeSet::new();
    for _ in 0..count {
        let (key, _) = fixture.create_new(&fixture.record_of(&subject)).await?;
        keys.insert(key);
    }
    let listing = match by_subject {
        true => Listing::of_subject(fixture.namespace(), &subject),
        false => Listing::Scan,
    };
    Ok((listing, subject, keys))
}

pub(super) fn check_all_found(found: &BTreeMap<Key, Summary>, keys: &BTreeSet<Key>) -> CaseResult {
    let missing = keys.iter().find(|key| !found.contains_key(key));
    check(missing.is_none(), || format!("{missing:?} was on no page"))
}

async fn pages<S: Store>(fixture: Fixture<S>, by_subject: bool) -> CaseResult {
    let (listing, _, keys) = sessions(&fixture, by_subject, 14).await?;
    for limit in [1, 2, 7, 13, 14, 15, 100_000] {
        let found = listing.all(fixture.store(), limit).await?;
        check_all_found(&found, &keys)?;
        if by_subject {
            let count = found.len();
            check(count == keys.len(), || format!("there were {count} of 14"))?;
        }
    }
    Ok(())
}

/// Between any two pages a session comes and another goes, so that positions shift both ways.
async fn pages_amid_changes<S: Store>(fixture: Fixture<S>, by_subject: bool) -> CaseResult {
    let (listing, subject, keys) = sessions(&fixture, by_subject, 14).await?;
    let (_, _, passing) = sessions(&fixture, by_subject, 6).await?;
    let mut passing: Vec<Key> = passing.into_iter().collect();
    for limit in [1, 2, 7] {
        let mut found = BTreeMap::new();
        let mut after = None;
        for page_number in 0..MOST_PAGES {
            let page = listing.page(fixture.store(), after.as_ref(), limit).await?;
            gather(&mut found, &page, limit)?;
            if page.next.is_none() {
                break;
            }
            after = page.next;
            // Few changes suffice; a shared server may have very many pages.
            if page_number < 40 {
                let (key, _) = fixture.create_new(&fixture.record_of(&subject)).await?;
                passing.push(key);
                let gone = usize::try_from(fixture.below(5)).unwrap_or(0) % passing.len();
                fixture.store().delete(&passing.swap_remove(gone)).await?;
            }
        }
        check_all_found(&found, &keys)?;
    }
    Ok(())
}

/// Between any two pages some sessions are used and some rotated, those shown already too.
async fn pages_amid_uses<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let (listing, _, keys) = sessions(&fixture, true, 14).await?;
    for limit in [1, 2, 7] {
        let mut found = BTreeMap::new();
        let mut after = None;
        for _ in 0..MOST_PAGES {
            let page = listing.page(fixture.store(), after.as_ref(), limit).await?;
            gather(&mut found, &page, limit)?;
            if page.next.is_none() {
                break;
            }
            after = page.next;
            for key in &keys {
                match fixture.below(4) {
                    0 => rotate(&fixture, fixture.store(), key).await?,
                    1 => touch(&fixture, key).await?,
                    _ => {}
                }
            }
        }
        check_all_found(&found, &keys)?;
    }
    Ok(())
}

/// Writes what is there again, used later and with another version, unless somebody else does.
pub(super) async fn rotate<S: Store>(fixture: &Fixture<S>, store: &S, key: &Key) -> CaseResult {
    let Some(loaded) = store.load(key, Freshness::Latest).await? else {
        return Err(format!("{key} is gone").into());
    };
    let mut record = used(fixture, &loaded);
    record.version = fixture.version();
    let replaced = store.replace(key, &record, &loaded).await;
    won(replaced, StoreErrorKind::Conflict).map(drop)
}

async fn touch<S: Store>(fixture: &Fixture<S>, key: &Key) -> CaseResult {
    let loaded = fixture.load(key).await?.ok_or("the session is gone")?;
    let record = used(fixture, &loaded);
    fixture.store().touch(key, &record, &loaded).await?;
    Ok(())
}

/// The record after another use.
fn used<S: Store>(fixture: &Fixture<S>, loaded: &Loaded) -> Record {
    let mut record = loaded.record.clone();
    let time = Duration::from_millis(1 + fixture.below(5_000));
    record.last_seen = record.last_seen.saturating_add(time);
    record.expires = record.expires.saturating_add(time);
    record
}

async fn checks_cursors<S: Store>(fixture: Fixture<S>, by_subject: bool) -> CaseResult {
    let store = fixture.store();
    let (listing, _, keys) = sessions(&fixture, by_subject, 5).await?;
    let forged: [&[u8]; 9] = [
        b"",
        b"\0",
        b"\xff",
        b"-1",
        b"' or 1=1; --",
        b"../../etc/passwd",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"99999999999999999999999999999999",
        &[b'{'; 70_000],
    ];
    for bytes in forged {
        let cursor = Cursor::new(Bytes::copy_from_slice(bytes));
        let result = listing.page(store, Some(&cursor), 10).await;
        check(result.is_err(), || {
            let shown = bytes.get(..40).unwrap_or(bytes).escape_ascii();
            format!("the cursor {shown} was taken")
        })?;
    }

    // What is made from a good one may happen to be good, so any answer will do.
    let page = listing.page(store, None, 1).await?;
    let Some(cursor) = page.next else {
        return Err(format!("of {} sessions one is the last page", keys.len()).into());
    };
    let good = cursor.as_bytes();
    for length in 0..good.len().min(100) {
        let cut = good.get(..length).unwrap_or_default();
        let cursor = Cursor::new(Bytes::copy_from_slice(cut));
        let _ = listing.page(store, Some(&cursor), 10).await;
    }
    for _ in 0..200 {
        let mut bytes = good.to_vec();
        let at = usize::try_from(fixture.below(200)).unwrap_or(0) % bytes.len().max(1);
        if let Some(byte) = bytes.get_mut(at) {
            *byte = u8::try_from(fixture.below(256)).unwrap_or(0);
        }
        if fixture.below(4) == 0 {
            bytes.extend_from_slice(&fixture.bytes(at));
        }
        let cursor = Cursor::new(Bytes::from(bytes));
        let _ = listing.page(store, Some(&cursor), 10).await;
    }
    check_all_found(&listing.all(store, 2).await?, &keys)
}
