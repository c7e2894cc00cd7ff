use std::time::Duration;

use bytes::Bytes;
use cloakroom_store::{NamespaceId, SessionId, Store, StoreErrorKind, Subject, Timestamp};

use super::{
    case::{Case, CaseResult, Need, check_error},
    fixture::{Fixture, namespace},
};

pub(super) fn cases<S: Store>() -> Vec<Case<S>> {
    vec![
        Case {
            name: "format/data_is_kept_byte_by_byte",
            rule: "data of any bytes and of any length up to the store's limit comes back as is",
            needs: &[],
            run: |fixture| Box::pin(data_is_kept_byte_by_byte(fixture)),
        },
        Case {
            name: "format/too_large_is_refused",
            rule: "data beyond the store's limit is TooLarge, and nothing changes",
            needs: &[Need::MaxData],
            run: |fixture| Box::pin(too_large_is_refused(fixture)),
        },
        Case {
            name: "format/subjects_are_kept",
            rule: "subjects of 1 to 255 bytes and of any characters come back as they are",
            needs: &[],
            run: |fixture| Box::pin(subjects_are_kept(fixture)),
        },
        Case {
            name: "format/times_are_kept",
            rule: "times come back to the millisecond, from the first to the last possible one",
            needs: &[],
            run: |fixture| Box::pin(times_are_kept(fixture)),
        },
        Case {
            name: "format/past_times_are_kept",
            rule: "an expiry in the far past comes back to the millisecond",
            needs: &[Need::KeepsExpired],
            run: |fixture| Box::pin(past_times_are_kept(fixture)),
        },
        Case {
            name: "format/any_key_is_good",
            rule: "any id and any valid name of a namespace names a record",
            needs: &[],
            run: |fixture| Box::pin(any_key_is_good(fixture)),
        },
    ]
}

/// Texts that some store somewhere has taken for something else.
pub(super) fn odd_texts() -> Vec<String> {
    let texts = [
        "x",
        "X",
        "ann",
        "Ann",
        "anne",
        "ann ",
        " ann",
        "ann\0",
        "ann\0bob",
        "ann\n",
        "\r\n",
        "\t",
        "'; drop table sessions; --",
        "\"",
        "\\",
        "\\0",
        "%",
        "a%",
        "a_n",
        "*",
        "?",
        "[a-z]",
        "../../etc/passwd",
        "/",
        ".",
        "{ann}",
        "a:b",
        "a|b",
        "$1",
        "null",
        "0",
        "00",
        "1e3",
        "\u{e9}",
        "e\u{301}",
        "\u{df}",
        "ss",
        "\u{feff}",
        "\u{202e}",
        "\u{1f600}",
        "\u{10ffff}",
        "\u{7f}",
        "\u{1}",
        "%00",
        "ann\u{a0}",
    ];
    let mut texts: Vec<String> = texts.into_iter().map(str::to_owned).collect();
    texts.push("s".repeat(Subject::MAX_LENGTH));
    texts.push(format!("{}t", "s".repeat(Subject::MAX_LENGTH - 1)));
    texts.push("\u{1f600}".repeat(63));
    texts
}

async fn data_is_kept_byte_by_byte<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let all_bytes: Vec<u8> = (0..=u8::MAX).collect();
    let mut samples = vec![Bytes::new(), Bytes::from(all_bytes)];
    for one in [0, b'\n', b'"', 0x7f, 0x80, 0xff] {
        samples.push(Bytes::from(vec![one]));
    }
    let most = fixture.max_data().unwrap_or(1024 * 1024);
    for length in [1_000, 4_095, 4_096, 64 * 1024, 1024 * 1024, most] {
        if length <= most {
            samples.push(fixture.bytes(length));
            samples.push(Bytes::from(vec![0; length]));
        }
    }
    for data in samples {
        let length = data.len();
        let record = fixture.record_with(data.clone());
        let (key, loaded) = fixture.create_new(&record).await?;
        let longer = fixture.record_with(fixture.bytes(length.max(1)));
        fixture.store().replace(&key, &longer, &loaded).await?;
        let loaded = fixture.holds(&key, &longer).await?;
        let again = fixture.record_with(data);
        fixture.store().replace(&key, &again, &loaded).await?;
        fixture.holds(&key, &again).await?;
        fixture.store().delete(&key).await?;
    }
    Ok(())
}

async fn too_large_is_refused<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let too_much = fixture
        .max_data()
        .unwrap_or_default()
        .saturating_mul(2)
        .max(1);
    let too_large = fixture.record_with(fixture.bytes(too_much));
    let key = fixture.key();
    let result = fixture.store().create(&key, &too_large).await;
    check_error(result, StoreErrorKind::TooLarge, "a create")?;
    fixture.holds_nothing(&key).await?;

    let record = fixture.record_with("small");
    let loaded = fixture.create(&key, &record).await?;
    let result = fixture.store().replace(&key, &too_large, &loaded).await;
    check_error(result, StoreErrorKind::TooLarge, "a replace")?;
    fixture.holds(&key, &record).await?;
    Ok(())
}

async fn subjects_are_kept<S: Store>(fixture: Fixture<S>) -> CaseResult {
    for text in odd_texts() {
        let subject = Subject::new(&text).map_err(|error| error.to_string())?;
        let (key, loaded) = fixture.create_new(&fixture.record_of(&subject)).await?;
        let replaced = fixture.record_of(&subject);
        fixture.store().replace(&key, &replaced, &loaded).await?;
        fixture.holds(&key, &replaced).await?;
        fixture.store().delete(&key).await?;
    }
    Ok(())
}

async fn times_are_kept<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let time = Timestamp::from_millis;
    let soon = fixture.now().saturating_add(Duration::from_secs(3_600));
    let signed = u64::MAX / 2;
    for (created, last_seen, expires) in [
        (time(0), time(0), soon),
        (time(0), time(1), Timestamp::MAX),
        (Timestamp::MAX, Timestamp::MAX, Timestamp::MAX),
        (time(signed), time(signed + 1), time(signed)),
        (time(signed + 1), time(signed), time(signed + 1)),
        (time(1 << 53), time((1 << 53) + 1), time(u64::MAX - 1)),
        // The last second of the year 9999, after which dates have five digits.
        (time(253_402_300_799_999), soon, time(253_402_300_800_000)),
        // Last seen after its end and before its beginning.
        (
            soon,
            time(7),
            fixture.now().saturating_add(Duration::from_millis(60_001)),
        ),
    ] {
        let mut record = fixture.record();
        (record.created, record.last_seen, record.expires) = (created, last_seen, expires);
        let (key, loaded) = fixture.create_new(&record).await?;
        record.version = fixture.version();
        fixture.store().replace(&key, &record, &loaded).await?;
        fixture.holds(&key, &record).await?;
    }
    Ok(())
}

async fn past_times_are_kept<S: Store>(fixture: Fixture<S>) -> CaseResult {
    for (created, last_seen, expires) in [(0, 0, 0), (1, 2, 3), (999, 1_000, 1_001)] {
        let mut record = fixture.record();
        record.created = Timestamp::from_millis(created);
        record.last_seen = Timestamp::from_millis(last_seen);
        record.expires = Timestamp::from_millis(expires);
        // No other case may sweep it meanwhile.
        let _turn = super::sweep::SWEEPING.lock().await;
        fixture.create_new(&record).await?;
    }
    Ok(())
}

async fn any_key_is_good<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let own = fixture.namespace();
    let longest = format!("{:z<32}", own.as_str());
    let fixed = [
        [0; 16],
        [0xff; 16],
        *b"../../../etc/pwd",
        *b"\r\n' or \"1\"=1; --",
    ];
    for name in [own.as_str(), &longest, &format!("{own}-_9")] {
        for id in fixed {
            let key = fixture.key_of(namespace(name), SessionId::from_bytes(id));
            fixture.create(&key, &fixture.record()).await?;
        }
    }
    let shortest: NamespaceId = namespace("z");
    let key = fixture.key_of(shortest, fixture.key().id);
    fixture.create(&key, &fixture.record()).await?;
    Ok(())
}
