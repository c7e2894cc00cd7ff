//! What a session tells its request's tracer.

use cloakroom_store::SessionId;

use super::{Data, Decision, Reasons, StepKind, TokenVerdict, Trace};
use crate::{
    commit::{Changes, Rotation},
    event::EventKind,
    namespace::{CompiledNamespace, SaveMode},
    open::Judgement,
    session::{Base, Live, SessionState},
    ticket::Ticket,
};

impl Trace {
    /// A namespace was judged. `ticket` is `None` when it is closed.
    #[cold]
    #[inline(never)]
    pub(crate) fn judged(&self, namespace: &CompiledNamespace, ticket: Option<&Ticket>) {
        let name = namespace.name();
        self.tell(name, || StepKind::Judged {
            is_open: ticket.is_some(),
            has_condition: namespace.condition.is_some(),
        });
        if let Some(ticket) = ticket {
            self.tell_ticket(namespace, ticket);
        }
    }

    fn tell_ticket(&self, namespace: &CompiledNamespace, ticket: &Ticket) {
        let name = namespace.name();
        let transports = namespace.transports.infos();
        let tell = |transport, id, is_malformed| {
            self.tell(name, || StepKind::TokenSeen {
                transport,
                id,
                is_malformed,
            });
        };
        for (candidate, token) in ticket.tokens.iter().enumerate() {
            let brought = ticket.route.as_ref().map(|route| route.brought(candidate));
            let by = |index| brought.is_none_or(|brought| brought.contains(index));
            for (index, transport) in transports.iter().enumerate() {
                if by(index) {
                    tell(*transport, Some(token.id()), false);
                }
            }
        }
        let Some(first) = transports.first() else {
            return;
        };
        for _ in &ticket.sealed {
            tell(*first, None, false);
        }
        if ticket.is_malformed {
            tell(*first, None, true);
        }
    }
}

impl SessionState {
    #[inline]
    fn tell<'a>(&'a self, kind: impl FnOnce() -> StepKind<'a>) {
        if self.trace.is_on() {
            self.trace.tell(self.name(), kind);
        }
    }

    pub(crate) fn tell_token(&self, id: Option<SessionId>, verdict: impl Into<TokenVerdict>) {
        self.tell(|| StepKind::TokenJudged {
            id,
            verdict: verdict.into(),
        });
    }

    pub(crate) fn tell_discarded(&self, id: Option<SessionId>, key: &str) {
        self.trace.tell(self.name(), || StepKind::Event {
            id,
            key: Some(key),
            event: EventKind::Discarded,
        });
    }

    #[inline]
    pub(crate) fn tell_opened(&self, live: &Live) {
        if self.trace.is_on() {
            self.tell_data(live, StepKind::Opened);
        }
    }

    /// What the application leaves in a session that it has opened.
    #[inline]
    pub(crate) fn tell_left(&self) {
        if self.trace.is_on() && self.is_opened() {
            let live = self.live();
            self.tell_data(&live, StepKind::Left);
        }
    }

    #[inline]
    pub(crate) fn tell_stored(&self, live: &Live) {
        if self.trace.is_on() {
            self.tell_stored_data(live);
        }
    }

    #[cold]
    fn tell_stored_data(&self, live: &Live) {
        if let (Base::Opened { id, stored, .. }, Some(namespace)) = (&live.base, self.config()) {
            let codec = namespace.settings.codec;
            self.tell(|| StepKind::Stored(Data::of_stored(*id, stored, codec)));
        }
    }

    #[cold]
    fn tell_data<'a>(&'a self, live: &'a Live, kind: fn(Data<'a>) -> StepKind<'a>) {
        if let Some(namespace) = self.config() {
            let data = Data::of(live, namespace.settings.codec);
            self.trace.tell(namespace.name(), || kind(data));
        }
    }

    pub(crate) fn tell_decision(&self, decision: Decision) {
        self.tell(|| StepKind::Decided(decision));
    }

    /// Why a session is written.
    pub(crate) fn tell_written(&self, changes: &Changes, decision: fn(Reasons) -> Decision) {
        self.tell(|| {
            let settings = self.config().map(|namespace| &namespace.settings);
            let saves_always = settings.is_some_and(|all| all.save_mode == SaveMode::Always);
            StepKind::Decided(decision(Reasons::of(changes, saves_always)))
        });
    }

    /// The session was not changed, or is new and has nothing in it.
    pub(crate) fn tell_unchanged(&self, live: &Live) {
        if !self.trace.is_on() || !self.is_opened() {
            return;
        }
        match live.base {
            // It has been told that the session before it was ended.
            Base::New if live.outgoing.is_some() => {}
            Base::New => self.tell_decision(Decision::Empty),
            _ => self.tell_decision(Decision::NothingChanged),
        }
    }

    /// The response is an error. What was ended is told of already.
    pub(crate) fn tell_not_saved(&self, live: &Live) {
        if self.trace.is_on() && (!live.changes.is_empty() || live.outgoing.is_none()) {
            self.tell_decision(Decision::NotSavedOnError);
        }
    }

    /// A cookie that would be sent is not, since it could overwrite that of a login.
    pub(crate) fn tell_withheld(&self, live: &Live) {
        if self.trace.is_on() && live.outgoing.is_some() && matches!(live.base, Base::Void(_)) {
            self.tell_decision(Decision::CookieWithheld);
        }
    }
}

impl Reasons {
    fn of(changes: &Changes, saves_always: bool) -> Self {
        let mut reasons = Self {
            values: !changes.journal.is_empty(),
            login: changes.login.is_some(),
            rotation: matches!(changes.rotation, Some(Rotation::Due | Rotation::Derived)),
            revocation: changes.rotation == Some(Rotation::Revoking),
            persist: changes.persist.is_some(),
            csrf: changes.csrf_seed.is_some(),
            always: saves_always,
            ..Self::default()
        };
        // A token is drawn for each login.
        reasons.csrf &= !reasons.login;
        reasons.grace = reasons == Self::default();
        reasons
    }
}

impl From<Judgement> for TokenVerdict {
    fn from(judgement: Judgement) -> Self {
        match judgement {
            Judgement::Current => Self::Current,
            Judgement::Previous => Self::Previous,
            Judgement::Late => Self::Late,
            Judgement::Replaced => Self::Replaced,
            Judgement::Wrong => Self::Wrong,
            Judgement::Expired => Self::Expired,
        }
    }
}
