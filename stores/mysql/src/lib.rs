//! Keeps cloakroom's sessions in MySQL or MariaDB.
