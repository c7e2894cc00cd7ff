//! Keeps cloakroom's sessions in an SQLite database.
