//! The command line.

use std::time::Duration;

const HELP: &str = "\
Measures each store beside tower-sessions' store for the same server, and prints tables.

  --only NAME,..        of redis, postgres, mysql, sqlite, memcached, tiered (all)
  --rows WORD           only rows with this word in their names, cloakroom for instance
  --concurrency N,..    so many requests at the same time (1,64)
  --rounds N            rounds that count, one more warms up (7)
  --milliseconds N      how long a round takes (300)
  --shared              all clients have one session, instead of one each

The servers' addresses are taken from the environment: scripts/services run cargo run ..";

/// All stores, in the order in which they are measured.
pub(crate) const STORES: [&str; 6] = [
    "redis",
    "postgres",
    "mysql",
    "sqlite",
    "memcached",
    "tiered",
];

pub(crate) struct Options {
    pub(crate) stores: Vec<&'static str>,
    /// What is in the names of the rows that are wanted.
    pub(crate) rows: String,
    pub(crate) widths: Vec<usize>,
    pub(crate) rounds: usize,
    pub(crate) time: Duration,
    pub(crate) is_shared: bool,
}

impl Options {
    /// The error is what to print.
    pub(crate) fn from_args(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            stores: STORES.to_vec(),
            rows: String::new(),
            widths: vec![1, 64],
            rounds: 7,
            time: Duration::from_millis(300),
            is_shared: false,
        };
        while let Some(name) = args.next() {
            let mut value = || args.next().ok_or(format!("{name} needs a value"));
            match name.as_str() {
                "--only" => {
                    options.stores = value()?.split(',').map(store).collect::<Result<_, _>>()?
                }
                "--rows" => options.rows = value()?,
                "--concurrency" => {
                    options.widths = value()?.split(',').map(number).collect::<Result<_, _>>()?;
                }
                "--rounds" => options.rounds = number(&value()?)?,
                "--milliseconds" => {
                    options.time = Duration::from_millis(number(&value()?)? as u64);
                }
                "--shared" => options.is_shared = true,
                _ => return Err(HELP.into()),
            }
        }
        Ok(options)
    }

    /// The most requests at the same time.
    pub(crate) fn widest(&self) -> usize {
        self.widths.iter().copied().max().unwrap_or(1)
    }
}

fn store(name: &str) -> Result<&'static str, String> {
    let store = STORES.into_iter().find(|store| *store == name);
    store.ok_or(format!(
        "there is no store {name}; there are {}",
        STORES.join(", ")
    ))
}

fn number(value: &str) -> Result<usize, String> {
    match value.parse::<u32>() {
        Ok(number) if number > 0 => Ok(number as usize),
        _ => Err(format!("{value} is no number above 0")),
    }
}
