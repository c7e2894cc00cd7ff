//! [cloakroom]'s sessions from a settings file (TOML, INI, JSON) or the environment.
//!
//! One schema for all sources: namespaces, stores, cookies, limits, keys. A name that there is not, a
//! value of the wrong type or one that may mean two things is an error, which says the file and line,
//! or the variable, and the nearest name that there is. It comes with all others, before a store
//! is opened.
//!
//! ```
//! use cloakroom_settings::{Settings, SettingsFormat};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let text = r#"
//!     application = "shop"
//!
//!     [stores.main]
//!     url = "memory:"             # file:FOLDER, sqlite:FILE, postgres://.., redis://.., ..
//!
//!     [keys.main]
//!     current = "env:SESSION_KEY" # or file:PATH; never the key itself
//!
//!     [namespaces.account]
//!     limits = { idle = "30m", absolute = "12h" }
//!     rotate_every = "1h"
//!
//!     [namespaces.cart]
//!     cookie = { name = "basket", same_site = "strict" }
//!     persistent = "30d"
//!     max_size = "16KiB"
//!
//!     [namespaces.prefs]
//!     in_cookie = "signed"
//! "#;
//! # let key = "ohP61PE8wkIhKbTggyqy/YzK6lr6xq2l/Ot8918UmD0=";
//! let sessions = Settings::new()
//!     .text(SettingsFormat::Toml, text) // .file("sessions.toml")
//!     .env("SHOP")                      // SHOP__NAMESPACES__CART__PERSISTENT=7d
//! #   .variables([("SESSION_KEY", key)])
//!     .namespace("account", |account| account.only_if(|request| request.is_https()))
//!     .build()
//!     .await?;
//! let names = sessions.manager().namespaces().map(|namespace| namespace.name());
//! assert!(names.eq(["account", "cart", "prefs"]));
//! # Ok::<(), cloakroom_settings::SettingsError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What can be set, how variables are named, and what becomes of Beaker's settings stands in the
//! guide, in `docs/settings.md`.
//!
//! # What it does
//! - **Sources** are read in the order of code; a later one takes the place of an earlier one, setting
//!   by setting. Files are read when the settings are checked or built, once each, up to 1 MiB.
//! - **Durations and sizes have a unit** (`30m`, `64KiB`), bools are `true` and `false`. A bare number is
//!   ambiguous, and so an error.
//! - **Relative paths** are relative to the file that has them.
//! - **Secrets**: keys come from files, which others may not read, or from variables. No error and
//!   no `Debug` shows a key or a URL.
//! - **Stores** are opened once and shared by the namespaces that name them. What nobody uses is not
//!   opened.
//!
//! # What it can't do
//! - Say what is code: conditions, observers, transports of the application's own.
//!   [`Settings::namespace`] and [`Settings::manager`] add them.
//! - Change while the program runs.
//!
//! # Features
//! None is on by default. `memory`, `file`, `sqlite`, `postgres`, `mysql`, `redis`, `memcached` and
//! `tiered` are stores; `postgres-tls`, `mysql-tls` and `redis-tls` encrypt connections; `client-side`
//! has sessions in cookies, and keys; `json` has `codec = "json"`. What needs a feature that is off is
//! an error that names it.
//!
//! [cloakroom]: https://docs.rs/cloakroom

mod build;
mod configured;
mod error;
mod file_mode;
mod no_store;
mod open;
mod origin;
mod plan;
mod rings;
mod schema;
mod settings;
mod source;
mod tls;
mod tree;

pub use configured::ConfiguredSessions;
pub use error::{SettingsError, SettingsProblem};
pub use settings::Settings;
pub use source::SettingsFormat;
