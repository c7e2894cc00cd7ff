//! Tables for the terminal, and the budgets that they are held against.

use crate::Workload;

/// Time above a bare handler, as a share of tower-sessions': at most this, for W0 to W6.
pub const TIME_BUDGET: [f64; 7] = [0.50, 0.38, 0.50, 0.42, 0.52, 0.30, 0.26];

/// Allocations above a bare handler: at most this, for W0 to W6.
pub const ALLOCATION_BUDGET: [f64; 7] = [8.0, 8.0, 10.0, 15.0, 16.0, 10.0, 15.0];

/// W5 costs at most this much of our own W2, W6 of our own W3.
pub const LARGE_BUDGET: [(Workload, Workload, f64); 2] = [
    (Workload::ReadLarge, Workload::Read, 1.1),
    (Workload::ChangeLarge, Workload::Change, 1.4),
];

/// Two workers do at least this much of the work of one.
pub const SCALING_BUDGET: f64 = 1.7;

/// Prints one row: a name and a column per cell.
pub fn row<C: AsRef<str>>(name: &str, cells: impl IntoIterator<Item = C>) {
    let cells: String = cells
        .into_iter()
        .map(|cell| format!("{:>9}", cell.as_ref()))
        .collect();
    println!("{name:<24}{cells}");
}

/// Prints a title and the names of the workloads.
pub fn header(title: &str) {
    println!("\n{title}");
    row("", Workload::ALL.map(Workload::name));
}

/// What is measured, what it may be at most, and whether it is.
pub fn at_most(measured: f64, limit: f64) -> &'static str {
    if measured <= limit { "ok" } else { "OVER" }
}

/// What is measured, what it must be at least, and whether it is.
pub fn at_least(measured: f64, limit: f64) -> &'static str {
    if measured >= limit { "ok" } else { "UNDER" }
}

/// The value in the middle.
///
/// # Panics
///
/// If there is none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
