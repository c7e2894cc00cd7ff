//! What reaches the server: one statement a call, as the server counts them.
#![cfg(unix)]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)] // helpers are no #[test]

mod common;

use cloakroom_mysql::MysqlStore;
use cloakroom_store::{Store, StoreErrorKind, Subject, Timestamp};
use common::{Way, client, create, key, kind, load, numbered, own_server, record};
use mysql_async::{Conn, prelude::Queryable};

/// Statements, prepared ones among them, and pings and the like. Asking is a statement too.
async fn counted(client: &mut Conn) -> [u64; 3] {
    let sql = "SHOW GLOBAL STATUS WHERE Variable_name IN \
               ('Com_admin_commands', 'Com_stmt_execute', 'Questions')";
    let rows: Vec<(String, u64)> = client.query(sql).await.unwrap();
    let get = |name: &str| rows.iter().find(|(own, _)| own == name).unwrap().1;
    [
        get("Questions"),
        get("Com_stmt_execute"),
        get("Com_admin_commands"),
    ]
}

/// How many statements it takes.
async fn all_calls(store: &MysqlStore) -> u64 {
    let subject = Subject::new("ann").unwrap();
    let loaded = create(store, &key(1), &record("a")).await;
    assert!(load(store, &key(1)).await.unwrap().is_some());
    assert!(load(store, &key(2)).await.unwrap().is_none());
    let taken = store.create(&key(1), &record("b")).await;
    assert_eq!(kind(taken), Some(StoreErrorKind::AlreadyExists));
    assert!(store.touch(&key(1), &record("a"), &loaded).await.unwrap());
    store.replace(&key(1), &record("c"), &loaded).await.unwrap();
    let stale = store.replace(&key(1), &record("d"), &loaded).await;
    assert_eq!(kind(stale), Some(StoreErrorKind::Conflict));
    assert!(!store.touch(&key(1), &record("a"), &loaded).await.unwrap());
    store.by_subject("cart", &subject, None, 9).await.unwrap();
    store.scan(None, 9).await.unwrap();
    let swept = store.sweep(Timestamp::from_millis(5), 100).await.unwrap();
    assert_eq!(swept, 0);
    assert!(store.delete(&key(1)).await.unwrap());
    // To find nothing takes a look, too.
    assert!(!store.delete(&key(1)).await.unwrap());
    14
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_one_statement() {
    let Some(server) = own_server().await else {
        return;
    };
    let mut client = client(&server.url()).await;
    for way in Way::ALL {
        let store = way.builder(&server.url()).connect().await.unwrap();
        // Statements are prepared when they are first needed.
        all_calls(&store).await;
        let [questions, executed, others] = counted(&mut client).await;
        let calls = all_calls(&store).await;
        let now = counted(&mut client).await;
        println!("{way}, {calls} calls: {} executed", now[1] - executed);
        assert_eq!(now[1] - executed, calls, "prepared statements executed");
        assert_eq!(now[0] - questions, calls + 1, "statements of any kind");
        assert_eq!(now[2] - others, 0, "pings and the like");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_is_a_few_statements() {
    let Some(server) = own_server().await else {
        return;
    };
    let store = MysqlStore::connect(&server.url()).await.unwrap();
    let mut client = client(&server.url()).await;
    for number in 0..620 {
        let mut record = record("old");
        record.expires = Timestamp::from_millis(1_000 + number);
        create(&store, &numbered(number), &record).await;
    }
    // Keys are looked up by the index, however many there are in a statement.
    let hex = |number| numbered(number).id.to_string();
    let keys: Vec<String> = (0..50)
        .map(|number| format!("(id = x'{}' AND namespace = 'cart')", hex(number)))
        .collect();
    for condition in [
        format!("expires < 2000 AND ({})", keys.join(" OR ")),
        format!(
            "id >= x'{0}' AND (id > x'{0}' OR namespace > 'cart') LIMIT 5",
            hex(7)
        ),
    ] {
        let sql = format!("EXPLAIN SELECT * FROM cloakroom_sessions WHERE {condition}");
        let plan: mysql_async::Row = client.query_first(sql).await.unwrap().unwrap();
        let access: String = plan.get("type").unwrap();
        assert_eq!(access, "range", "{condition}");
    }

    let [_, executed, _] = counted(&mut client).await;
    let removed = store.sweep(Timestamp::from_millis(1_610), 1_000).await;
    assert_eq!(removed.unwrap(), 610);
    let [_, now, _] = counted(&mut client).await;
    // Twice rows are looked for, and 50 at a time are deleted: 10 times, then 3 times.
    assert_eq!(now - executed, 15);
    assert_eq!(store.scan(None, 100).await.unwrap().sessions.len(), 10);
}
