//! Requests at the same time, held against a model.

mod case;
mod check;
mod choice;
mod elsewhere;
mod gate;
mod history;
mod intent;
mod lockout;
mod messages;
mod note;
mod once;
mod operation;
mod plan;
mod promise;
mod report;
mod run;
mod serial;
mod serve;
mod storm;
mod triple;
mod world;

pub use self::{
    elsewhere::Elsewhere,
    lockout::Inherent,
    promise::{BrokenPromise, Promise},
    report::RaceReport,
    run::Races,
};
