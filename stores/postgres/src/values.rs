//! What statements are given and what they answer, whichever driver carries it.

use std::error::Error;

use cloakroom_store::StoreErrorKind;
#[cfg(feature = "sqlx-0_9")]
use sqlx_core::{decode::Decode, row::Row as _, types::Type};
#[cfg(feature = "sqlx-0_9")]
use sqlx_postgres::{PgArguments, PgRow, Postgres};
use tokio_postgres::types::{FromSql, ToSql};

use crate::error::Failure;

/// The parameters of a statement.
pub(crate) type Parameters<'a> = &'a [&'a (dyn Parameter + Sync)];

/// A value that each driver can send.
pub(crate) trait Parameter: ToSql {
    #[cfg(feature = "sqlx-0_9")]
    fn add_to(&self, arguments: &mut PgArguments) -> Result<(), Failure>;
}

#[cfg(not(feature = "sqlx-0_9"))]
impl<T: ToSql> Parameter for T {}

/// A value that each driver can read.
#[cfg(not(feature = "sqlx-0_9"))]
pub(crate) trait Column<'a>: FromSql<'a> {}

#[cfg(not(feature = "sqlx-0_9"))]
impl<'a, T: FromSql<'a>> Column<'a> for T {}

/// A value that each driver can read.
#[cfg(feature = "sqlx-0_9")]
pub(crate) trait Column<'a>: FromSql<'a> + Decode<'a, Postgres> + Type<Postgres> {}

#[cfg(feature = "sqlx-0_9")]
impl<'a, T: FromSql<'a> + Decode<'a, Postgres> + Type<Postgres>> Column<'a> for T {}

/// A row of an answer.
pub(crate) enum Row {
    Driver(tokio_postgres::Row),
    #[cfg(feature = "sqlx-0_9")]
    Sqlx(PgRow),
}

impl Row {
    /// A column that holds NULL or has another type is corrupt.
    pub(crate) fn column<'a, T: Column<'a>>(&'a self, index: usize) -> Result<T, Failure> {
        match self {
            Self::Driver(row) => row.try_get(index).map_err(corrupt),
            #[cfg(feature = "sqlx-0_9")]
            Self::Sqlx(row) => row.try_get(index).map_err(corrupt),
        }
    }
}

fn corrupt(error: impl Error + Send + Sync + 'static) -> Failure {
    Failure::new(StoreErrorKind::Corrupt, error)
}
