use cloakroom_core::Namespace;

use crate::{error::Problems, plan::Plan, source::Environment};

/// No keys, and no namespace that needs any: the plan has refused those.
pub(crate) struct Rings;

impl Rings {
    pub(crate) fn load(plan: &Plan, _: &Environment, _: bool, _: &mut Problems) -> Self {
        let _ = &plan.keys;
        Self
    }

    pub(crate) fn namespace(&self, _: &str, _: &str, _: bool, _: bool) -> Option<Namespace> {
        None
    }
}
