//! Keeps cloakroom's sessions in PostgreSQL.
