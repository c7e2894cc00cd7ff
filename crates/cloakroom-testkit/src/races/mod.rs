//! Requests at the same time, held against a model.

mod browser;
mod case;
mod check;
mod choice;
mod gate;
mod history;
mod intent;
mod lockout;
mod note;
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
    lockout::Inherent,
    promise::{BrokenPromise, Promise},
    report::RaceReport,
    run::Races,
};
