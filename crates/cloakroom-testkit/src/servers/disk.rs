use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Command, Output},
};

use tempfile::TempDir;

use crate::child;

/// Says to a child where its disk is.
const DISK: &str = "CLOAKROOM_TEST_DISK";

/// Runs a test of this program again, in a process that has a small disk of its own, which it alone
/// sees: a test that fills a disk disturbs nobody, and leaves nothing.
///
/// `options` are those of a `tmpfs`, `size=1m` for instance. In the child
/// [`child_task`](crate::child_task()) is the folder where the disk is, and a
/// [`Server`](super::Server) keeps its data there, as does whatever goes by `TMPDIR`.
///
/// # Errors
/// What the system says, when it lets nobody have a disk here. It does so on Linux alone, and lets
/// root; others where a user may be root among their own processes, and a server is not to be had.
///
/// # Examples
/// ```no_run
/// use cloakroom_testkit::{child_task, servers::on_a_small_disk};
///
/// // #[test]
/// fn a_full_disk_loses_nothing() {
///     match on_a_small_disk("child_on_a_small_disk", "size=1m") {
///         Ok(output) => assert!(output.status.success(), "{output:?}"),
///         Err(why) => println!("skipped: nobody may have a disk of its own here: {why}"),
///     }
/// }
///
/// // #[test]
/// // #[ignore = "a child of a_full_disk_loses_nothing"]
/// fn child_on_a_small_disk() {
///     let Some(folder) = child_task() else { return };
///     println!("{folder} has room for a megabyte");
/// }
/// ```
pub fn on_a_small_disk(test: &str, options: &str) -> Result<Output, String> {
    const MOUNT: &str = "mount -t tmpfs -o \"$0\" none \"$TMPDIR\" || exit 77; exec \"$@\"";
    let said = |error: std::io::Error| error.to_string();
    let folder = TempDir::with_prefix_in("cloakroom-disk-", "/tmp").map_err(said)?;
    // Servers may be another user's.
    let all_may_enter = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.path(), all_may_enter).map_err(said)?;
    let inner = child(test, &folder.path().display().to_string()).map_err(said)?;
    let mut refusals = String::new();
    for namespaces in [&["--mount"][..], &["--user", "--map-root-user", "--mount"]] {
        let set = |(name, value)| -> Option<(&OsStr, &OsStr)> { Some((name, value?)) };
        let output = Command::new("unshare")
            .args(namespaces)
            .args(["sh", "-c", MOUNT])
            .arg(format!("mode=0755,{options}"))
            .arg(inner.get_program())
            .args(inner.get_args())
            .envs(inner.get_envs().filter_map(set))
            .env("TMPDIR", folder.path())
            .env(DISK, folder.path())
            .output();
        match output {
            // A test says at least that it runs.
            Ok(output) if output.stdout.is_empty() => {
                refusals += &String::from_utf8_lossy(&output.stderr);
            }
            Ok(output) => return Ok(output),
            Err(error) => refusals += &error.to_string(),
        }
    }
    Err(refusals)
}

/// Where the disk is, in a child that has one.
pub(super) fn disk() -> Option<PathBuf> {
    std::env::var_os(DISK).map(PathBuf::from)
}
