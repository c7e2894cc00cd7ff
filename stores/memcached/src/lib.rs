//! Keeps cloakroom's sessions in memcached.
