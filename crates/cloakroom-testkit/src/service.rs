use std::{
    collections::BTreeSet,
    env,
    io::{Write as _, stderr},
    sync::{Mutex, PoisonError},
};

/// The address of a server that a test needs, from an environment variable such as
/// `CLOAKROOM_TEST_REDIS_URL`. `None` when it is not set or empty: the test returns, and standard
/// error says what was missing, once per variable and process, whether the harness captures the
/// test's output or not.
///
/// With `CLOAKROOM_TEST_SERVERS=no` it is `None` whatever is set, and nothing is said.
///
/// # Panics
/// Where `CI` is `true`, a missing server is a failed test: a gate that skips proves nothing.
///
/// # Examples
/// ```no_run
/// # async fn run(_url: &str) {}
/// // #[tokio::test]
/// async fn keeps_the_contract() {
///     let Some(url) = cloakroom_testkit::service("CLOAKROOM_TEST_REDIS_URL") else {
///         return;
///     };
///     run(&url).await;
/// }
/// ```
#[must_use]
#[track_caller]
pub fn service(variable: &str) -> Option<String> {
    if !servers_are_wanted() {
        return None;
    }
    let set = env::var(variable).ok();
    let url = set.filter(|url| !url.is_empty());
    if url.is_none() {
        let name = name(variable);
        absent(&format!(
            "{variable} is not set, so there is no {name} to test with; to bring one: scripts/services run \
             scripts/test, or run your own and set the variable to its URL"
        ));
    }
    url
}

/// Whether tests with servers are to be run at all.
pub(crate) fn servers_are_wanted() -> bool {
    env::var_os("CLOAKROOM_TEST_SERVERS").is_none_or(|value| value != "no")
}

/// Says that something a test needs is not here: by a panic in CI, else on standard error.
#[track_caller]
pub(crate) fn absent(what: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let in_ci = env::var_os("CI").is_some_and(|value| value == "true");
    #[expect(clippy::panic, reason = "what a test wants to hear")]
    if in_ci {
        panic!("{what} (CI=true: nothing is skipped)");
    }
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if said.insert(what.to_owned()) {
        // Not by a macro: the harness would keep it to itself, since the test passes.
        let _ = writeln!(stderr(), "skipped: {what}");
    }
}

/// `CLOAKROOM_TEST_REDIS_CLUSTER_URL` is about a `redis cluster`.
fn name(variable: &str) -> String {
    let name = variable.strip_prefix("CLOAKROOM_TEST_").unwrap_or(variable);
    let name = name.strip_suffix("_URL").unwrap_or(name);
    name.to_lowercase().replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_names_its_server() {
        assert_eq!(name("CLOAKROOM_TEST_REDIS_CLUSTER_URL"), "redis cluster");
        assert_eq!(name("MY_DATABASE"), "my database");
    }

    #[test]
    fn what_is_set_is_returned() {
        let path = env::var("PATH").ok();
        assert_eq!(service("PATH"), path.filter(|_| servers_are_wanted()));
    }

    #[test]
    fn what_is_missing_is_skipped_out_loud_and_a_failure_in_ci() {
        const MISSING: &str = "CLOAKROOM_TEST_NO_SUCH_URL";
        const IS_CHILD: &str = "CLOAKROOM_TEST_IS_CHILD";
        if env::var_os(IS_CHILD).is_some() {
            assert_eq!(service(MISSING), None);
            return;
        }
        let this = "service::tests::what_is_missing_is_skipped_out_loud_and_a_failure_in_ci";
        for (ci, passes) in [("true", false), ("", true)] {
            let child = std::process::Command::new(env::current_exe().unwrap())
                .args(["--exact", "--nocapture", this])
                .env_remove("CLOAKROOM_TEST_SERVERS")
                .env(IS_CHILD, "1")
                .env("CI", ci)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&child.stderr);
            assert_eq!(child.status.success(), passes, "{said}");
            assert!(
                said.contains(MISSING) && said.contains("scripts/services run"),
                "{said}"
            );
        }
    }
}
