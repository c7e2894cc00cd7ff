use std::{cell::RefCell, fmt, sync::Once};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

thread_local! {
    static TEXT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Everything that this thread sends to `tracing`, at any level, as text.
pub(crate) struct Captured(());

impl Captured {
    /// From here on, until it is dropped.
    pub(crate) fn begin() -> Self {
        // One subscriber for all tests: what one thread alone listens to, `tracing` switches off
        // when another thread is the first to come by.
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(|| tracing::subscriber::set_global_default(Everything).unwrap());
        tracing::callsite::rebuild_interest_cache();
        TEXT.with_borrow_mut(|text| *text = Some(String::new()));
        Self(())
    }

    pub(crate) fn text(&self) -> String {
        TEXT.with_borrow(Clone::clone).unwrap()
    }

    /// The lines that somebody who watches for trouble sees, and forgets them.
    pub(crate) fn take_trouble(&self) -> Vec<String> {
        let text = TEXT.with_borrow_mut(|text| text.replace(String::new()));
        let is_trouble = |line: &&str| line.starts_with("ERROR") || line.starts_with("WARN");
        let text = text.unwrap();
        text.lines().filter(is_trouble).map(str::to_owned).collect()
    }
}

impl Drop for Captured {
    fn drop(&mut self) {
        TEXT.with_borrow_mut(|text| *text = None);
    }
}

struct Everything;

impl Subscriber for Everything {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        attributes.record(&mut Writer);
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut Writer);
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        write(&format!("\n{}", event.metadata().level()));
        event.record(&mut Writer);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Writer;

impl Visit for Writer {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write(&format!(" {}={value:?}", field.name()));
    }
}

fn write(text: &str) {
    TEXT.with_borrow_mut(|all| {
        if let Some(all) = all {
            all.push_str(text);
        }
    });
}
