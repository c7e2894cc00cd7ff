//! Keeps cloakroom's sessions in Redis or Valkey.
