//! A fast store in front of another, for cloakroom's sessions.
