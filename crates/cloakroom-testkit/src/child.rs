use std::{env, io, process::Command};

const TASK: &str = "CLOAKROOM_TEST_TASK";

/// This test program again, to run one of its tests in a process of its own: what several processes
/// do to one store, or what is left of one that is killed. That test asks for its `task` with
/// [`child_task`]. It may be `#[ignore]`d.
///
/// # Errors
/// When the operating system does not say which program this is.
///
/// # Examples
/// ```no_run
/// use cloakroom_testkit::{child, child_task};
///
/// // #[test]
/// fn two_processes_lose_nothing() {
///     let start = |name| child("a_process", name).unwrap().spawn().unwrap();
///     for mut child in ["a", "b"].map(start) {
///         assert!(child.wait().unwrap().success());
///     }
/// }
///
/// // #[test]
/// // #[ignore = "a child of two_processes_lose_nothing"]
/// fn a_process() {
///     let Some(name) = child_task() else { return };
///     println!("{name} at work");
/// }
/// ```
pub fn child(test: &str, task: &str) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command
        .args([test, "--exact", "--include-ignored", "--nocapture"])
        .env(TASK, task);
    Ok(command)
}

/// What a test that another has started with [`child`] is to do; `None` when nobody has.
#[must_use]
pub fn child_task() -> Option<String> {
    env::var(TASK).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_knows_its_task() {
        if let Some(task) = child_task() {
            println!("to do: {task}");
            return;
        }
        let this = "child::tests::a_child_knows_its_task";
        let output = child(this, "two words").unwrap().output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("to do: two words"), "{said}");
        assert!(said.contains("1 passed"), "{said}");
    }
}
