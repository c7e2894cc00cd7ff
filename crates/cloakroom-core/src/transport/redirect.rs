//! Pesto's way: a request without a session is sent to an address that has one.

use std::{fmt, time::Duration};

use cloakroom_store::{Key, Operation};
use tokio::time::Instant;

use super::query::add_token;
use crate::{
    call::{Budget, call},
    commit::{Changes, Creating, Step, create},
    error::SessionError,
    session::{Base, Outgoing, SessionState},
};

/// Where a `GET` without a session is sent, so that its address has the new session's token.
///
/// `Debug` does not show it, since who has the address has the session.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionRedirect(String);

impl SessionRedirect {
    /// The value of `Location`: a path of this origin, and the query string. For integrations,
    /// which answer 302 with it, `Referrer-Policy: no-referrer` and `Cache-Control: no-store`.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionRedirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionRedirect(..)")
    }
}

impl SessionState {
    /// Opens the session. A new one is stored at once, and is to be had at another address alone.
    /// Decided once per request: a session that begins later in it is as any other.
    pub(crate) async fn open_or_redirect(&self) -> Result<(), SessionError> {
        let deadlines = self.engine().deadlines;
        let began = Instant::now();
        let budget = Budget::new(deadlines.open, deadlines.call);
        self.open_within(budget).await?;
        let Some(query) = self.ticket.query() else {
            return Ok(());
        };
        let rest = deadlines.open.saturating_sub(began.elapsed());
        let decide = || self.redirect_if_new(query.base.as_deref(), &query.parameter, rest);
        match query.redirect.get_or_try_init(decide).await? {
            None => Ok(()),
            Some(to) => Err(SessionError::Redirect {
                namespace: self.name().to_owned(),
                to: to.clone(),
            }),
        }
    }

    /// The same, without a redirect whatever comes of it: for who does not mean to use it.
    pub(crate) async fn open_where_it_is(&self) -> Result<(), SessionError> {
        if let Some(query) = self.ticket.query() {
            let _ = query.redirect.get_or_init(async || None).await;
        }
        self.open().await
    }

    async fn redirect_if_new(
        &self,
        base: Option<&str>,
        parameter: &str,
        time: Duration,
    ) -> Result<Option<SessionRedirect>, SessionError> {
        let Some(base) = base.filter(|_| matches!(self.live().base, Base::New)) else {
            return Ok(None);
        };
        self.store_new(Budget::new(time, self.engine().deadlines.call))
            .await?;
        let live = self.live();
        let Some(Outgoing::Token { token, .. }) = &live.outgoing else {
            return Ok(None);
        };
        let mut location = base.to_owned();
        add_token(&mut location, parameter, &token.reveal());
        Ok(Some(SessionRedirect(location)))
    }

    /// Stores an empty session.
    async fn store_new(&self, mut budget: Budget) -> Result<(), SessionError> {
        let namespace = self.namespace()?;
        let Some(store) = namespace.store() else {
            return Ok(());
        };
        loop {
            let changes = Changes::default();
            let scope = self.scope(namespace, self.engine().now());
            let fresh = create(&changes, false, scope)
                .map_err(|refusal| self.refuse(&mut self.live(), refusal))?;
            let key = Key::new(namespace.id, fresh.id);
            let under_way = store.create(key, fresh.stored.record());
            let step = Step::Create(Box::new(Creating { fresh, changes }));
            match call(under_way, Operation::Create, &mut budget).await {
                Ok(tag) => {
                    self.settle(&mut self.live(), step, tag);
                    return Ok(());
                }
                Err(error) => {
                    let is_taken = self.recover(step, error, &mut budget).await;
                    if !is_taken.map_err(|failure| failure.error)? {
                        return Ok(());
                    }
                }
            }
        }
    }
}
