//! The managers that a panel has seen.

use std::sync::Arc;

use cloakroom_core::{Codec, NamespaceInfo, SaveMode, SessionManager, TransportInfo};

use crate::record::ConfigurationRow;

/// A manager, and what its namespaces are.
#[derive(Debug)]
pub(crate) struct KnownManager {
    pub(crate) manager: SessionManager,
    pub(crate) namespaces: Vec<KnownNamespace>,
}

#[derive(Debug)]
pub(crate) struct KnownNamespace {
    pub(crate) row: Arc<ConfigurationRow>,
    pub(crate) codec: Codec,
    /// The parameters of addresses that carry its tokens.
    pub(crate) parameters: Vec<String>,
    /// What its transports are called, in the order of `row.transports`.
    names: Vec<String>,
}

impl KnownManager {
    pub(crate) fn new(manager: SessionManager) -> Self {
        let known = |info: NamespaceInfo<'_>| KnownNamespace {
            row: Arc::new(row(&manager, info)),
            codec: info.codec(),
            parameters: parameters(info),
            names: info.transports().map(|one| name(one).to_owned()).collect(),
        };
        let namespaces = manager.namespaces().map(known).collect();
        Self {
            manager,
            namespaces,
        }
    }
}

fn row(manager: &SessionManager, info: NamespaceInfo<'_>) -> ConfigurationRow {
    let limits = info.limits();
    ConfigurationRow {
        namespace: info.name().to_owned(),
        transports: info.transports().map(transport).collect(),
        cookie_name: info.cookie_name().map(str::to_owned),
        cookie_attributes: info.cookie_attributes().map(str::to_owned),
        store: info.store().unwrap_or_else(|| "its cookie".to_owned()),
        is_client_side: info.is_client_side(),
        key_ids: info.key_ids(),
        has_condition: info.has_condition(),
        idle: limits.idle_limit(),
        absolute: limits.absolute_limit(),
        is_persistent: info.is_persistent(),
        rotate_every: info.rotate_every(),
        max_size: info.max_size(),
        save_mode: match info.save_mode() {
            SaveMode::OnChange => "on change",
            SaveMode::Explicit => "explicit",
            SaveMode::Always => "always",
        },
        codec: match info.codec() {
            Codec::MessagePack => "MessagePack",
            _ => "JSON",
        },
        notes: notes(info),
        call_deadline: manager.call_deadline(),
        open_deadline: manager.open_deadline(),
        commit_deadline: manager.commit_deadline(),
    }
}

fn notes(info: NamespaceInfo<'_>) -> Vec<String> {
    let notes = [
        (info.is_readable_by_clients(), "signed: clients can read it"),
        (info.refuses_changes_on_get(), "no changes on GET"),
        (info.saves_on_server_error(), "saved on server errors too"),
        (info.is_strict(), "strict: 409 on conflicting inserts"),
    ];
    let set = notes.into_iter().filter(|(is_set, _)| *is_set);
    set.map(|(_, note)| note.to_owned()).collect()
}

impl KnownNamespace {
    /// Which of its transports it is.
    pub(crate) fn transport_index(&self, info: TransportInfo<'_>) -> usize {
        let mut names = self.names.iter();
        names.position(|own| own == name(info)).unwrap_or(0)
    }
}

/// What tells a transport apart from the others of its namespace.
fn name<'a>(info: TransportInfo<'a>) -> &'a str {
    match info {
        TransportInfo::Cookie { name } => name,
        TransportInfo::Bearer { .. } => "authorization",
        TransportInfo::Header { name, .. } => name,
        TransportInfo::Query { parameter } => parameter,
        _ => "",
    }
}

/// A transport in words.
fn transport(info: TransportInfo<'_>) -> String {
    match info {
        TransportInfo::Cookie { name } => format!("cookie {name}"),
        TransportInfo::Bearer { answer } => {
            format!("Authorization: Bearer, answered in {answer}")
        }
        TransportInfo::Header { name, answer } => format!("header {name}, answered in {answer}"),
        TransportInfo::Query { parameter } => format!("query parameter {parameter}"),
        _ => "the application's own".to_owned(),
    }
}

fn parameters(info: NamespaceInfo<'_>) -> Vec<String> {
    let parameter = |transport| match transport {
        TransportInfo::Query { parameter } => Some(parameter.to_owned()),
        _ => None,
    };
    info.transports().filter_map(parameter).collect()
}
