use std::{
    fmt::Write,
    sync::{Arc, Mutex},
};

use cloakroom_core::{Data, Decision, RequestSessions, SessionManager, Step, StepKind, Tracer};

use super::{Browser, Flight, Request, World};

/// Writes down what it hears, a line for each step.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    lines: Mutex<Vec<String>>,
    decisions: Mutex<Vec<Decision>>,
}

impl Heard {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// The lines that begin with a word.
    pub(crate) fn of(&self, word: &str) -> Vec<String> {
        let lines = self.lines();
        let begins = |line: &String| line.split(' ').next() == Some(word);
        lines.into_iter().filter(begins).collect()
    }

    pub(crate) fn decisions(&self) -> Vec<Decision> {
        self.decisions.lock().unwrap().clone()
    }

    fn note(&self, line: String) {
        self.lines.lock().unwrap().push(line);
    }
}

impl Tracer for Heard {
    fn on_begin(&self, manager: &SessionManager) {
        let names: Vec<_> = manager.namespaces().map(|info| info.name()).collect();
        self.note(format!("begin {}", names.join(" ")));
    }

    fn on_step(&self, step: &Step<'_>) {
        if let StepKind::Decided(decision) = step.kind {
            self.decisions.lock().unwrap().push(decision);
        }
        self.note(match step.kind {
            StepKind::Judged {
                is_open,
                has_condition,
            } => format!("judged {is_open} {has_condition}"),
            StepKind::TokenSeen {
                transport,
                id,
                is_malformed,
            } => format!("seen {transport:?} {} {is_malformed}", id.is_some()),
            StepKind::TokenJudged { verdict, .. } => format!("verdict {verdict:?}"),
            StepKind::CallBegun {
                operation,
                freshness,
                ..
            } => format!("begun {operation} {freshness:?}"),
            StepKind::CallEnded {
                operation, outcome, ..
            } => format!("ended {operation} {outcome:?}"),
            StepKind::Event { event, key, .. } => format!("event {event:?} {key:?}"),
            StepKind::Opened(data) => format!("opened {}", shown(data)),
            StepKind::Left(data) => format!("left {}", shown(data)),
            StepKind::Stored(data) => format!("stored {}", shown(data)),
            StepKind::Decided(decision) => format!("decided {decision:?}"),
            StepKind::HeaderAdded {
                name,
                value,
                cookie,
            } => format!("header {name} {value:?} {cookie:?}"),
            _ => "unknown".to_owned(),
        });
    }
}

/// The values, by the order of their keys.
pub(crate) fn shown(data: Data<'_>) -> String {
    let mut pairs = Vec::new();
    data.each(&mut |key, value| pairs.push((key.to_owned(), value.show(1000).json)));
    pairs.sort();
    let mut text = String::new();
    for (key, json) in pairs {
        write!(text, "{key}={json} ").unwrap();
    }
    text.trim_end().to_owned()
}

impl World {
    /// A request that somebody listens to.
    pub(crate) fn begin_heard(&self, browser: &Browser) -> (Flight, Arc<Heard>) {
        self.begin_heard_with(browser.request())
    }

    pub(crate) fn begin_heard_with(&self, head: Request) -> (Flight, Arc<Heard>) {
        let heard = Arc::new(Heard::default());
        let sessions = RequestSessions::begin_traced(&self.manager, heard.clone());
        (Flight { head, sessions }, heard)
    }
}
