//! What sqlx says, as the store understands it.

use cloakroom_store::StoreErrorKind;
use sqlx_core::error::Error;
use sqlx_postgres::{PgDatabaseError, PgSeverity};

use crate::error::{Failure, Notice};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        use StoreErrorKind::{Other, Unavailable};
        if let Some(said) = said(&error) {
            return Self::refused(&Notice {
                is_fatal: is_fatal(said),
                code: said.code(),
                message: said.message(),
                hint: said.hint(),
                context: said.r#where(),
                routine: said.routine(),
            });
        }
        let kind = match &error {
            Error::Io(_) | Error::Tls(_) | Error::PoolTimedOut | Error::PoolClosed => Unavailable,
            _ => Other,
        };
        // Whatever it is, what comes next on the connection is not known.
        let mut failure = Self::new(kind, error);
        failure.reconnect = true;
        failure
    }
}

/// Whether the connection has ended, and perhaps others with it.
pub(super) fn is_end(error: &Error) -> bool {
    said(error).is_none_or(is_fatal)
}

fn said(error: &Error) -> Option<&PgDatabaseError> {
    match error {
        Error::Database(said) => said.try_downcast_ref(),
        _ => None,
    }
}

fn is_fatal(said: &PgDatabaseError) -> bool {
    matches!(said.severity(), PgSeverity::Fatal | PgSeverity::Panic)
}

/// Whatever keeps the pool from giving a connection, the server is of no use now.
pub(super) fn not_given(error: Error) -> Failure {
    let mut failure = Failure::from(error);
    failure.kind = StoreErrorKind::Unavailable;
    failure
}
