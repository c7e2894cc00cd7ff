//! The command line.

const HELP: &str = "\
Times session layers and prints tables.

  --rounds N      rounds that count, one more warms up (15)
  --requests N    requests per round, variant and workload (10000)";

pub(crate) struct Options {
    pub(crate) rounds: usize,
    pub(crate) requests: u64,
}

impl Options {
    /// The error is what to print.
    pub(crate) fn from_args(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            rounds: 15,
            requests: 10_000,
        };
        while let Some(name) = args.next() {
            let mut number = || {
                let value = args.next().ok_or(format!("{name} needs a number"))?;
                match value.parse::<u32>() {
                    Ok(number) if number > 0 => Ok(number),
                    _ => Err(format!("{name} needs a number above 0, not {value}")),
                }
            };
            match name.as_str() {
                "--rounds" => options.rounds = number()? as usize,
                "--requests" => options.requests = number()?.into(),
                _ => return Err(HELP.into()),
            }
        }
        Ok(options)
    }
}
