//! Finding the primary that the sentinels have agreed on.

use std::{io, sync::Arc};

use futures_util::future::select_ok;
use redis::{RedisConnectionInfo, Value};

use crate::{
    address::Address,
    dial::{DialError, Live, Settings, dial, dial_as},
};

/// Where to ask for a primary.
#[derive(Debug)]
pub(crate) struct Sentinels {
    pub(crate) addresses: Vec<Address>,
    pub(crate) master: String,
    pub(crate) login: RedisConnectionInfo,
}

impl Sentinels {
    /// Connects to the primary: the first that a sentinel names and that says so itself. A sentinel
    /// that does not answer keeps nobody waiting, and one that is behind names no primary.
    pub(crate) async fn dial(&self, settings: &Settings) -> Result<Live, DialError> {
        let (live, _) = self.find(settings).await?;
        Ok(live)
    }

    /// As [`Self::dial`], and where the primary is.
    pub(crate) async fn find(&self, settings: &Settings) -> Result<(Live, Address), DialError> {
        let asked = self.addresses.iter();
        let asked = asked.map(|sentinel| Box::pin(self.find_by(sentinel, settings)));
        let (found, _) = select_ok(asked).await?;
        Ok(found)
    }

    async fn find_by(
        &self,
        sentinel: &Address,
        settings: &Settings,
    ) -> Result<(Live, Address), DialError> {
        let asked = dial_as(sentinel, settings, &self.login).await?;
        let mut question = redis::cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.master);
        let answer = asked.send(&question).await.map_err(arc)?;
        let address = read_address(answer)?;
        let primary = dial(&address, settings).await?;
        let role = primary.send(&redis::cmd("ROLE")).await.map_err(arc)?;
        match is_primary(role.extract_error().map_err(arc)?) {
            true => Ok((primary, address)),
            false => Err(other(format!("{address} is not the primary any more"))),
        }
    }
}

fn read_address(answer: Value) -> Result<Address, DialError> {
    let answer = answer.extract_error().map_err(arc)?;
    let named: Option<(String, u16)> = redis::from_redis_value(answer).map_err(arc)?;
    let unknown = || other("the sentinel knows no master of this name".to_owned());
    let (host, port) = named.ok_or_else(unknown)?;
    Ok(Address::Tcp(host, port))
}

/// Whether that is what a primary answers to `ROLE`.
pub(crate) fn is_primary(role: Value) -> bool {
    let first = match role {
        Value::Array(parts) => parts.into_iter().next(),
        _ => None,
    };
    matches!(first, Some(Value::BulkString(role)) if role == b"master")
}

fn arc(error: impl std::error::Error + Send + Sync + 'static) -> DialError {
    Arc::new(error)
}

fn other(what: String) -> DialError {
    Arc::new(io::Error::other(what))
}
