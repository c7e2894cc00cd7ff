use std::{error::Error, fmt::Display, future::Future, pin::Pin};

use cloakroom_store::{StoreError, StoreErrorKind};
use tokio::task::JoinError;

use super::{Capabilities, fixture::Fixture};

/// A rule of the contract and what tells whether a store keeps it.
pub(super) struct Case<S> {
    pub(super) name: &'static str,
    pub(super) rule: &'static str,
    pub(super) needs: &'static [Need],
    pub(super) run: fn(Fixture<S>) -> CaseFuture,
}

pub(super) type CaseFuture = Pin<Box<dyn Future<Output = CaseResult> + Send>>;
pub(super) type CaseResult<T = ()> = Result<T, Finding>;

/// What a store has to be like for a case to apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    BySubject,
    Scan,
    NoBySubject,
    NoScan,
    KeepsExpired,
    ExpiresItself,
    NoCopies,
    MaxData,
}

impl Need {
    pub(super) fn is_met(self, capabilities: &Capabilities, copies: bool) -> bool {
        match self {
            Self::BySubject => capabilities.by_subject,
            Self::Scan => capabilities.scan,
            Self::NoBySubject => !capabilities.by_subject,
            Self::NoScan => !capabilities.scan,
            Self::KeepsExpired => !capabilities.expires_itself,
            Self::ExpiresItself => capabilities.expires_itself,
            Self::NoCopies => !copies,
            Self::MaxData => capabilities.max_data.is_some(),
        }
    }

    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::BySubject => "the store is declared without by_subject",
            Self::Scan => "the store is declared without scan",
            Self::NoBySubject => "the store is declared to have by_subject",
            Self::NoScan => "the store is declared to have scan",
            Self::KeepsExpired => "the store is declared to expire records itself",
            Self::ExpiresItself => "the store is declared to keep expired records",
            Self::NoCopies => "the store says that it answers from copies",
            Self::MaxData => "no largest data is declared",
        }
    }
}

/// What a store did wrong.
#[derive(Debug)]
pub(super) struct Finding(String);

impl Finding {
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

impl From<String> for Finding {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Finding {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<StoreError> for Finding {
    fn from(error: StoreError) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            text = format!("{text}: {error}");
            source = error.source();
        }
        Self(text)
    }
}

impl From<JoinError> for Finding {
    fn from(error: JoinError) -> Self {
        if !error.is_panic() {
            return Self("a task was cancelled".to_owned());
        }
        let payload = error.into_panic();
        let message = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned());
        let message = message.or_else(|| payload.downcast_ref::<String>().cloned());
        Self(format!("it panicked: {}", message.unwrap_or_default()))
    }
}

/// A finding with these words, unless `holds`.
pub(super) fn check(holds: bool, otherwise: impl FnOnce() -> String) -> CaseResult {
    if holds {
        Ok(())
    } else {
        Err(otherwise().into())
    }
}

/// A finding unless `result` is an error of this kind.
pub(super) fn check_error<T>(
    result: Result<T, StoreError>,
    kind: StoreErrorKind,
    call: impl Display,
) -> CaseResult {
    match result {
        Ok(_) => Err(format!("{call} succeeded").into()),
        Err(error) if error.kind() == kind => Ok(()),
        Err(error) => {
            let Finding(text) = error.into();
            Err(format!("{call} was answered {text}").into())
        }
    }
}
