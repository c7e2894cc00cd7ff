//! What the command line says.

use std::{error::Error, net::SocketAddr, path::PathBuf};

use crate::stores;

pub(crate) struct Options {
    pub(crate) http: SocketAddr,
    pub(crate) https: SocketAddr,
    pub(crate) data: PathBuf,
    store: Option<String>,
}

impl Options {
    /// What the program says when it is open.
    pub(crate) fn greeting(&self, http: SocketAddr, https: SocketAddr) -> String {
        let kept = match self.store {
            None => format!("What it keeps lies in {:?}.", self.data),
            Some(_) => "Its sessions are in the store that you named.".to_owned(),
        };
        format!(
            "listening on http://{http} and https://{https}\n\
             The shop is open. {kept}\n\
             Your browser will warn of its certificate, which it has just made itself.\n\
             Ctrl-C closes it."
        )
    }

    fn usage() -> String {
        format!(
            "options: --http ADDRESS:PORT --https ADDRESS:PORT --data FOLDER --store STORE, which is \
             {}",
            stores::ADDRESSES
        )
    }

    /// Where sessions are kept: in files, unless something else was asked for.
    pub(crate) fn store(&self) -> String {
        let files = || format!("file:{}", self.data.join("sessions").display());
        self.store.clone().unwrap_or_else(files)
    }

    pub(crate) fn read(
        mut arguments: impl Iterator<Item = String>,
    ) -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            http: SocketAddr::from(([127, 0, 0, 1], 8080)),
            https: SocketAddr::from(([127, 0, 0, 1], 8443)),
            data: PathBuf::from("data/shop"),
            store: None,
        };
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(Self::usage)?;
            let address = || value.parse().map_err(|_| Self::usage());
            match name.as_str() {
                "--http" => options.http = address()?,
                "--https" => options.https = address()?,
                "--data" => options.data = value.into(),
                "--store" => options.store = Some(value),
                _ => return Err(Self::usage().into()),
            }
        }
        Ok(options)
    }
}
