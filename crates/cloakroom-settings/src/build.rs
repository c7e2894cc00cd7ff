//! From a plan to the manager.

use std::collections::BTreeMap;

use cloakroom_core::{
    ConfigError, Namespace, SessionManager, SessionManagerBuilder,
    store::{AnyStore, Store},
};

use crate::{
    ConfiguredSessions, Settings, SettingsError,
    error::Problems,
    no_store::NoStore,
    open,
    plan::{Keeper, NamespacePlan, Plan, StorePlan, unknown_name},
    rings::Rings,
    tls::Tls,
};

/// What lies in files and variables of its own.
pub(crate) struct Loaded {
    rings: Rings,
    /// Of the stores that namespaces use, by their names.
    tls: BTreeMap<String, Tls>,
}

/// Finds what the engine would complain of, with stores that keep nothing. `may_generate` says
/// whether keys that are to be made are made.
pub(crate) fn check(
    settings: &Settings,
    plan: &Plan,
    may_generate: bool,
) -> Result<Loaded, SettingsError> {
    let mut problems = Problems::default();
    check_names(settings, plan, &mut problems);
    let environment = settings.environment();
    let rings = Rings::load(plan, environment, may_generate, &mut problems);
    let mut tls = BTreeMap::new();
    for store in plan.stores.iter().filter(|store| is_used(store, plan)) {
        let loaded = Tls::load(&store.tls, environment, &mut problems);
        tls.insert(store.name.clone(), loaded);
    }
    let store = NoStore.into_any();
    let mut builder = with_deadlines(plan);
    for namespace in &plan.namespaces {
        // Without its keys there is none, and it has been said why.
        if let Some(namespace) = make(settings, namespace, &rings, |_| Some(store.clone())) {
            builder = builder.namespace(namespace);
        }
    }
    if let Err(error) = builder.build() {
        let may_be_empty = !plan.namespaces.is_empty() || settings.manager.is_some();
        report(&error, plan, may_be_empty, &mut problems);
    }
    problems.into_result()?;
    Ok(Loaded { rings, tls })
}

fn is_used(store: &StorePlan, plan: &Plan) -> bool {
    let uses = |namespace: &NamespacePlan| matches!(&namespace.keeper, Keeper::Store(name) if *name == store.name);
    plan.namespaces.iter().any(uses)
}

/// Opens the stores.
pub(crate) async fn build(
    mut settings: Settings,
    plan: Plan,
    loaded: Loaded,
) -> Result<ConfiguredSessions, SettingsError> {
    let Loaded { rings, mut tls } = loaded;
    let mut problems = Problems::default();
    let mut stores: BTreeMap<String, AnyStore> = BTreeMap::new();
    for store in plan.stores.iter().filter(|store| is_used(store, &plan)) {
        let tls = tls.remove(&store.name).unwrap_or_default();
        match open::open(store, tls).await {
            Ok(opened) => drop(stores.insert(store.name.clone(), opened)),
            Err(message) => {
                problems.add(store.place.origin.clone(), &store.place.path, message);
            }
        }
    }
    problems.into_result()?;

    let mut builder = with_deadlines(&plan);
    for namespace in &plan.namespaces {
        let store = |name: &str| stores.get(name).cloned();
        if let Some(namespace) = make(&settings, namespace, &rings, store) {
            builder = builder.namespace(namespace);
        }
    }
    if let Some(adjust) = settings.manager.take() {
        builder = adjust(builder);
    }
    let manager = builder.build().map_err(|error| {
        let mut problems = Problems::default();
        report(&error, &plan, false, &mut problems);
        problems.into_error()
    })?;
    Ok(ConfiguredSessions::new(manager, stores, &plan))
}

fn with_deadlines(plan: &Plan) -> SessionManagerBuilder {
    let mut builder = SessionManager::builder();
    if let Some(name) = &plan.application {
        builder = builder.application(name);
    }
    if let Some(open) = plan.deadlines.open {
        builder = builder.open_deadline(open);
    }
    if let Some(commit) = plan.deadlines.commit {
        builder = builder.commit_deadline(commit);
    }
    if let Some(call) = plan.deadlines.call {
        builder = builder.call_deadline(call);
    }
    builder
}

/// A namespace as the settings and the code have it; `None` without its store or keys.
fn make(
    settings: &Settings,
    plan: &NamespacePlan,
    rings: &Rings,
    store: impl Fn(&str) -> Option<AnyStore>,
) -> Option<Namespace> {
    let namespace = match &plan.keeper {
        Keeper::Store(name) => Namespace::new(&plan.name, store(name)?),
        Keeper::Cookie {
            keys,
            signed,
            accept_replay,
        } => rings.namespace(&plan.name, keys, *signed, *accept_replay)?,
    };
    let namespace = plan.apply(namespace);
    let adjusting = settings
        .namespaces
        .iter()
        .filter(|(name, _)| *name == plan.name);
    Some(adjusting.fold(namespace, |namespace, (_, adjust)| adjust(namespace)))
}

/// Names that code adjusts, and the settings don't have.
fn check_names(settings: &Settings, plan: &Plan, problems: &mut Problems) {
    let known: Vec<&str> = plan
        .namespaces
        .iter()
        .map(|plan| plan.name.as_str())
        .collect();
    for (name, _) in &settings.namespaces {
        if !known.contains(&name.as_str()) {
            let message = format!(
                "code adjusts it, but {}",
                unknown_name("namespace", name, &known)
            );
            problems.add(None, &format!("namespaces.{name}"), message);
        }
    }
}

/// The engine's complaints, each with the place of its setting.
fn report(error: &ConfigError, plan: &Plan, may_be_empty: bool, problems: &mut Problems) {
    for problem in error.problems() {
        if may_be_empty && problem.namespace().is_none() && problem.setting() == "namespace" {
            continue;
        }
        let place = plan.place(problem.namespace(), problem.setting());
        problems.add(place.origin, &place.path, problem.message());
    }
}
