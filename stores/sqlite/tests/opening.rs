//! Opening: names, addresses, schemas, migrations, and who may read the file.
#![allow(clippy::unwrap_used)] // helpers are no #[test]

mod common;

use std::{error::Error, fs, sync::Barrier, thread};

use cloakroom_sqlite::{SqliteStore, SqliteStoreBuilder};
use cloakroom_store::Store;
use common::{TABLE, connection, key, load, path, record};
use tempfile::TempDir;

/// Why a store can't be opened.
fn refusal(builder: SqliteStoreBuilder) -> String {
    common::chain(&builder.open().unwrap_err())
}

fn schema(dir: &TempDir) -> Vec<String> {
    let connection = connection(dir);
    let names = "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name";
    let mut names = connection.prepare(names).unwrap();
    let names = names.query_map([], |row| row.get(0)).unwrap();
    names.map(Result::unwrap).collect()
}

#[test]
fn names_of_tables_are_checked() {
    let dir = tempfile::tempdir().unwrap();
    for bad in ["", "Sessions", "a b", "a\";--", "1a", "sqlite_a", "main.a"] {
        let refusal = refusal(SqliteStore::builder(path(&dir)).table(bad));
        assert!(refusal.contains("can't be the table"), "{refusal}");
        let error = SqliteStore::migrations(bad).unwrap_err();
        assert!(error.to_string().contains("can't be the table"), "{error}");
    }
    // Nothing is made before the name is known to be good.
    assert!(!path(&dir).exists());
    // A word of SQL is a name like others.
    for good in ["select", "_", &"x".repeat(63)] {
        SqliteStore::builder(path(&dir)).table(good).open().unwrap();
    }
}

#[tokio::test]
async fn tables_of_one_file_are_apart() {
    let dir = tempfile::tempdir().unwrap();
    let first = SqliteStore::builder(path(&dir)).table("a").open().unwrap();
    let second = SqliteStore::builder(path(&dir)).table("b").open().unwrap();
    first.create(&key(1), &record(1)).await.unwrap();
    assert_eq!(load(&second, &key(1)).await.unwrap(), None);
    let made = [
        "a",
        "a_expires",
        "a_schema",
        "a_subject",
        "b",
        "b_expires",
        "b_schema",
        "b_subject",
    ];
    assert_eq!(schema(&dir), made);
}

#[tokio::test]
async fn addresses_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let file = path(&dir);
    let file = file.to_str().unwrap();
    let full = format!("sqlite://{file}?table=logins&synchronous=normal&migrate=true");
    let store = SqliteStore::connect(&full).unwrap();
    store.create(&key(1), &record(1)).await.unwrap();
    assert_eq!(store.path(), path(&dir).canonicalize().unwrap());
    let shown = format!("{store:?}");
    assert!(
        shown.contains("logins") && shown.contains("Normal"),
        "{shown}"
    );
    let escaped = format!("sqlite:{}?table=logins", file.replace('.', "%2e"));
    let same = SqliteStore::connect(&escaped).unwrap();
    assert!(load(&same, &key(1)).await.unwrap().is_some());

    for (bad, reason) in [
        ("", "begin with sqlite:"),
        ("postgres://localhost/a", "begin with sqlite:"),
        ("sqlite:", "names no file"),
        ("sqlite:?table=a", "names no file"),
        ("sqlite::memory:", "cloakroom-memory"),
        ("sqlite://:memory:", "cloakroom-memory"),
        ("sqlite:file::memory:", "cloakroom-memory"),
        ("sqlite:file:a.db", "names no file"),
        ("sqlite:a%zz", "two hex digits"),
        ("sqlite:a.db?mode=rwc", "settings after ?"),
        ("sqlite:a.db?table", "settings after ?"),
        ("sqlite:a.db?synchronous=maybe", "full, normal or off"),
        ("sqlite:a.db?migrate=1", "true or false"),
    ] {
        let error = SqliteStore::connect(bad).unwrap_err();
        assert!(error.to_string().contains(reason), "{bad}: {error}");
    }
}

#[test]
fn what_can_be_no_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let error = SqliteStore::open(dir.path().join("no folder/a.db")).unwrap_err();
    assert!(error.source().unwrap().is::<std::io::Error>());
    assert!(SqliteStore::open(dir.path()).is_err());
    assert!(SqliteStore::open("").is_err());
    fs::write(
        path(&dir),
        "these are no sessions, and this is no database".repeat(99),
    )
    .unwrap();
    let error = SqliteStore::open(path(&dir)).unwrap_err();
    let source = error.source().unwrap().to_string();
    assert!(source.contains("not a database"), "{source}");
}

#[test]
fn migrations_happen_once() {
    let dir = tempfile::tempdir().unwrap();
    let first = SqliteStore::open(path(&dir)).unwrap();
    let made = schema(&dir);
    let second = SqliteStore::open(path(&dir)).unwrap();
    drop((first, second));
    SqliteStore::builder(path(&dir))
        .migrate(false)
        .open()
        .unwrap();
    assert_eq!(schema(&dir), made);
}

#[test]
fn many_may_migrate_at_the_same_time() {
    for _ in 0..5 {
        let dir = tempfile::tempdir().unwrap();
        let barrier = Barrier::new(8);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    barrier.wait();
                    SqliteStore::open(path(&dir)).unwrap();
                });
            }
        });
        assert_eq!(schema(&dir).len(), 4);
    }
}

#[tokio::test]
async fn somebody_else_may_run_the_migrations() {
    let dir = tempfile::tempdir().unwrap();
    let builder = SqliteStore::builder(path(&dir)).migrate(false);
    let refused = refusal(builder.clone());
    assert!(
        refused.contains("migrations") && refused.contains("schema 0"),
        "{refused}"
    );
    assert!(schema(&dir).is_empty());
    let script = SqliteStore::migrations(TABLE).unwrap();
    // It may run again, after the program has run too.
    for _ in 0..3 {
        let other = connection(&dir);
        other.execute_batch(&script).unwrap();
        other
            .execute_batch(&format!("BEGIN; {script} COMMIT;"))
            .unwrap();
        let store = builder.clone().open().unwrap();
        let _ = store.create(&key(1), &record(1)).await;
        assert!(load(&store, &key(1)).await.unwrap().is_some());
    }
    let by_hand = schema(&dir);
    let dir = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(path(&dir)).unwrap());
    assert_eq!(by_hand, schema(&dir));
}

#[test]
fn half_a_schema_is_completed_or_refused() {
    let whole = SqliteStore::migrations(TABLE).unwrap();
    let statements: Vec<_> = whole.split_inclusive(";\n").collect();
    for done in 0..statements.len() {
        let dir = tempfile::tempdir().unwrap();
        let other = connection(&dir);
        other.execute_batch(&statements[..done].concat()).unwrap();
        SqliteStore::open(path(&dir)).unwrap();
        assert_eq!(schema(&dir).len(), 4, "{done}");
    }
    // The versions say that all is there, and it is not.
    for missing in [
        format!("DROP INDEX {TABLE}_subject"),
        format!("DROP TABLE {TABLE}"),
        format!("ALTER TABLE {TABLE} DROP COLUMN last_seen"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let other = connection(&dir);
        other.execute_batch(&whole).unwrap();
        other.execute_batch(&missing).unwrap();
        let refused = refusal(SqliteStore::builder(path(&dir)));
        assert!(refused.contains("no such"), "{refused}");
    }
}

#[test]
fn a_newer_schema_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(path(&dir)).unwrap());
    let newer = format!("INSERT INTO {TABLE}_schema (version) VALUES (2)");
    connection(&dir).execute_batch(&newer).unwrap();
    let refused = refusal(SqliteStore::builder(path(&dir)));
    assert!(
        refused.contains("has schema 2") && refused.contains("update"),
        "{refused}"
    );
}

#[test]
fn a_foreign_table_of_that_name_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    connection(&dir)
        .execute_batch(&format!("CREATE TABLE {TABLE} (a)"))
        .unwrap();
    let refused = refusal(SqliteStore::builder(path(&dir)));
    for part in [TABLE, "choose another name", "no such column: expires"] {
        assert!(refused.contains(part), "{refused}");
    }
    assert_eq!(schema(&dir), [TABLE]);
    // And so is an index.
    let dir = tempfile::tempdir().unwrap();
    let index = format!("CREATE TABLE a (b); CREATE INDEX {TABLE}_subject ON a (b)");
    connection(&dir).execute_batch(&index).unwrap();
    let refused = refusal(SqliteStore::builder(path(&dir)));
    assert!(refused.contains("no such index"), "{refused}");
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(path(&dir)).unwrap();
    store.create(&key(1), &record(1)).await.unwrap();
    let mut files: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(Result::unwrap)
        .collect();
    files.sort_by_key(std::fs::DirEntry::file_name);
    let names: Vec<_> = files.iter().map(std::fs::DirEntry::file_name).collect();
    assert_eq!(names, ["sessions.db", "sessions.db-shm", "sessions.db-wal"]);
    for file in files {
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", file.file_name());
    }
}

#[test]
fn the_planner_goes_by_the_indexes() {
    let dir = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(path(&dir)).unwrap());
    let connection = connection(&dir);
    let plan = |sql: &str| -> String {
        let mut plan = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap();
        let lines = plan.query_map([], |row| row.get::<_, String>(3)).unwrap();
        lines.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    };
    let by_subject = plan(&format!(
        "SELECT id FROM {TABLE} INDEXED BY {TABLE}_subject \
         WHERE namespace = 'a' AND subject = 'b' AND id > x'' ORDER BY id LIMIT 9"
    ));
    assert!(
        by_subject.contains("(namespace=? AND subject=? AND id>?)"),
        "{by_subject}"
    );
    let scan = plan(&format!(
        "SELECT data FROM {TABLE} WHERE (namespace, id) > ('a', x'') ORDER BY namespace, id LIMIT 9"
    ));
    assert!(scan.contains("(namespace,id)>(?,?)"), "{scan}");
    let sweep = plan(&format!(
        "DELETE FROM {TABLE} WHERE rowid IN \
         (SELECT rowid FROM {TABLE} WHERE expires BETWEEN 1 AND 2 LIMIT 9)"
    ));
    assert!(
        sweep.contains("COVERING INDEX cloakroom_sessions_expires"),
        "{sweep}"
    );
    for plan in [by_subject, scan, sweep] {
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }
}
