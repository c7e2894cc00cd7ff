//! Tables, in Markdown.

use cloakroom_load::Round;

use crate::measure::{Counted, Measured, spread};
use crate::options::Options;

/// Prints what was measured of a store.
pub(crate) fn print(store: &str, measured: &Measured, options: &Options) {
    println!("\n### {store}\n");
    for &width in &options.widths {
        println!(
            "| {width} at a time | read: requests/s | median | p99 | CPU \
             | change: requests/s | median | p99 | CPU |"
        );
        println!("|---|---|---|---|---|---|---|---|---|");
        for row in measured.rows.iter().filter(|row| row.width == width) {
            let [read, change] = row.rounds.each_ref().map(|rounds| cells(rounds));
            println!("| {} | {read} | {change} |", row.name);
        }
        println!();
    }
    println!(
        "| counted for each request | read | change |{}",
        kept_column(options.is_shared)
    );
    println!(
        "|---|---|---|{}",
        if options.is_shared { "---|" } else { "" }
    );
    for Counted { name, each, kept } in &measured.counts {
        let [read, change] = each;
        print!("| {name} | {read} | {change} |");
        match kept.filter(|_| options.is_shared) {
            Some(kept) => println!(" {} of {} |", kept.kept, kept.changes),
            None if options.is_shared => println!(" |"),
            None => println!(),
        }
    }
    println!();
}

fn kept_column(is_shared: bool) -> &'static str {
    if is_shared { " changes kept |" } else { "" }
}

/// Medians over the rounds; times in microseconds.
fn cells(rounds: &[Round]) -> String {
    let middle = |figure: fn(&Round) -> f64| spread(rounds.iter().map(figure))[0];
    let [rate, median, p99, cpu] = [
        middle(|round| round.rate),
        middle(|round| round.median),
        middle(|round| round.p99),
        middle(|round| round.cpu),
    ];
    let time = |micros: f64| match micros {
        ..10.0 => format!("{micros:.1}"),
        _ => format!("{micros:.0}"),
    };
    format!(
        "{rate:.0} | {} | {} | {}",
        time(median),
        time(p99),
        time(cpu)
    )
}
