use std::{error::Error, net::SocketAddr, path::PathBuf};

use cloakroom::{ConfigError, CsrfLayer, Namespace, OriginRules};

/// What both programs are told when they start.
#[derive(Debug)]
pub struct Options {
    /// Where this program listens.
    pub http: SocketAddr,
    /// The domain whose hosts share a session.
    pub domain: String,
    /// The folder with the sessions.
    pub data: PathBuf,
    /// Whether cookies go over plain http: for development.
    pub insecure_http: bool,
    /// Whose pages, besides its own, may post here: origins such as `https://www.shop.example`.
    pub trusted: Vec<String>,
}

const USAGE: &str = "options: --http ADDRESS:PORT --domain DOMAIN --data FOLDER --trust ORIGIN \
                     --insecure-http";

impl Options {
    /// Reads the arguments of a program.
    ///
    /// # Errors
    /// Says what options there are.
    pub fn read(
        port: u16,
        mut arguments: impl Iterator<Item = String>,
    ) -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            http: SocketAddr::from(([127, 0, 0, 1], port)),
            domain: "shop.localhost".to_owned(),
            data: PathBuf::from("data/composite"),
            insecure_http: false,
            trusted: Vec::new(),
        };
        while let Some(name) = arguments.next() {
            if name == "--insecure-http" {
                options.insecure_http = true;
                continue;
            }
            let value = arguments.next().ok_or(USAGE)?;
            match name.as_str() {
                "--http" => options.http = value.parse()?,
                "--domain" => options.domain = value,
                "--data" => options.data = value.into(),
                "--trust" => options.trusted.push(value),
                _ => return Err(USAGE.into()),
            }
        }
        Ok(options)
    }

    /// A namespace that is sent over plain http if that was asked for.
    pub fn over(&self, namespace: Namespace) -> Namespace {
        match self.insecure_http {
            true => namespace.insecure_http(),
            false => namespace,
        }
    }

    /// Whether cookies will come back, for whoever starts the program.
    #[must_use]
    pub const fn about_cookies(&self) -> &'static str {
        match self.insecure_http {
            true => "Cookies go over plain http: for development alone.",
            false => {
                "Cookies go over https alone: put a proxy that ends TLS before this, or say --insecure-http."
            }
        }
    }

    /// Refuses what pages of other origins post, those of the same domain too.
    ///
    /// # Errors
    /// When a trusted origin is none.
    pub fn csrf(&self) -> Result<CsrfLayer, ConfigError> {
        let mut rules = OriginRules::new();
        for origin in &self.trusted {
            rules = rules.trusted_origin(origin)?;
        }
        Ok(CsrfLayer::from(rules))
    }
}
