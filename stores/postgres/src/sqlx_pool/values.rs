//! The values of parameters, as sqlx sends them.

use cloakroom_store::StoreErrorKind;
use sqlx_core::{arguments::Arguments as _, encode::Encode, error::Error, types::Type};
use sqlx_postgres::{PgArguments, Postgres};

use crate::{error::Failure, values::Parameter};

impl Parameter for i64 {
    fn add_to(&self, arguments: &mut PgArguments) -> Result<(), Failure> {
        add(arguments, self)
    }
}

impl Parameter for &[u8] {
    fn add_to(&self, arguments: &mut PgArguments) -> Result<(), Failure> {
        add(arguments, self)
    }
}

impl Parameter for Option<&[u8]> {
    fn add_to(&self, arguments: &mut PgArguments) -> Result<(), Failure> {
        add(arguments, self)
    }
}

impl Parameter for Vec<i64> {
    fn add_to(&self, arguments: &mut PgArguments) -> Result<(), Failure> {
        add(arguments, self)
    }
}

impl Parameter for Vec<&[u8]> {
    fn add_to(&self, arguments: &mut PgArguments) -> Result<(), Failure> {
        add(arguments, self)
    }
}

impl Parameter for Vec<Option<&[u8]>> {
    fn add_to(&self, arguments: &mut PgArguments) -> Result<(), Failure> {
        add(arguments, self)
    }
}

fn add<'a, T>(arguments: &mut PgArguments, value: T) -> Result<(), Failure>
where
    T: Encode<'a, Postgres> + Type<Postgres>,
{
    let added = arguments.add(value);
    added.map_err(|error| Failure::new(StoreErrorKind::Other, Error::Encode(error)))
}
