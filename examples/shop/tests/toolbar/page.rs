//! A headless Chromium, and what the tests look at in it.

use std::{
    env, fs,
    io::{Write as _, stderr},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use thirtyfour::{
    By, CapabilitiesHelper, ChromiumLikeCapabilities, DesiredCapabilities, LoggingPrefsLogLevel,
    WebDriver, WebElement,
};
use tokio::sync::{Mutex, MutexGuard};

/// One browser at a time: each is several processes.
static TURN: Mutex<()> = Mutex::const_new(());

const FLAGS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--window-size=1280,900",
];

/// How long something may take to appear on a page.
const PATIENCE: Duration = Duration::from_secs(20);

/// A browser with a new profile.
pub(crate) struct Page {
    driver: WebDriver,
    axe: String,
    _turn: MutexGuard<'static, ()>,
}

impl Page {
    /// Starts a browser. `None` where there is none: in CI that is a failure, elsewhere it is said,
    /// and with `CLOAKROOM_TEST_BROWSER=no` nothing is.
    pub(crate) async fn open() -> Option<Self> {
        if env::var_os("CLOAKROOM_TEST_BROWSER").is_some_and(|browser| browser == "no") {
            return None;
        }
        let set = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let (Some(url), Some(axe)) = (
            set("CLOAKROOM_TEST_WEBDRIVER_URL"),
            set("CLOAKROOM_TEST_AXE"),
        ) else {
            let what = "there is no browser to test with; to bring one: scripts/browser run cargo test \
                        -p shop --test toolbar";
            assert!(set("CI").is_none_or(|ci| ci != "true"), "{what}");
            // Past the harness, which keeps what tests print to itself.
            let _ = writeln!(stderr(), "skipped: {what}");
            return None;
        };
        let turn = TURN.lock().await;
        let mut wanted = DesiredCapabilities::chrome();
        for flag in FLAGS {
            wanted.add_arg(flag).unwrap();
        }
        if let Some(chromium) = set("CLOAKROOM_TEST_CHROMIUM") {
            wanted.set_binary(&chromium).unwrap();
        }
        wanted.accept_insecure_certs(true).unwrap();
        wanted
            .set_browser_log_level(LoggingPrefsLogLevel::All)
            .unwrap();
        Some(Self {
            driver: WebDriver::new(url, wanted).await.unwrap(),
            axe: fs::read_to_string(axe).unwrap(),
            _turn: turn,
        })
    }

    pub(crate) async fn close(self) {
        self.driver.quit().await.unwrap();
    }

    pub(crate) async fn goto(&self, address: &str) {
        self.driver.goto(address).await.unwrap();
    }

    pub(crate) async fn find(&self, css: &str) -> WebElement {
        let found = self.driver.find(By::Css(css)).await;
        found.unwrap_or_else(|error| panic!("{css}: {error}"))
    }

    pub(crate) async fn click(&self, css: &str) {
        self.find(css).await.click().await.unwrap();
    }

    /// What a reader sees of an element.
    pub(crate) async fn text(&self, css: &str) -> String {
        self.find(css).await.text().await.unwrap()
    }

    /// Types where the focus is.
    pub(crate) async fn press(&self, keys: &str) {
        let focused = self.driver.active_element().await.unwrap();
        focused.send_keys(keys).await.unwrap();
    }

    /// What a JavaScript expression gives.
    pub(crate) async fn eval(&self, expression: &str) -> Value {
        let script = format!("return {expression};");
        let returned = self.driver.execute(script, Vec::new()).await.unwrap();
        returned.json().clone()
    }

    /// Waits until a JavaScript expression is true.
    pub(crate) async fn until(&self, expression: &str) {
        let given_up = Instant::now() + PATIENCE;
        while self.eval(&format!("Boolean({expression})")).await != json!(true) {
            if Instant::now() > given_up {
                let text = self.eval("document.body.innerText").await;
                panic!("never true: {expression}\n{text}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Goes on in the window that a link has opened.
    pub(crate) async fn to_newest_window(&self) {
        let windows = self.driver.windows().await.unwrap();
        let newest = windows.last().unwrap().clone();
        self.driver.switch_to_window(newest).await.unwrap();
    }

    /// Makes the window as wide and as high as this, below what a real window can be.
    pub(crate) async fn resize(&self, width: u32, height: u32) {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", size)
            .await;
    }

    /// Prefers `dark` or `light`.
    pub(crate) async fn prefer(&self, scheme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.devtools(
            "Emulation.setEmulatedMedia",
            json!({ "features": [feature] }),
        )
        .await;
    }

    /// Pages have no scripts from now on. Those of the test run all the same.
    pub(crate) async fn without_scripts(&self) {
        self.devtools(
            "Emulation.setScriptExecutionDisabled",
            json!({ "value": true }),
        )
        .await;
    }

    async fn devtools(&self, command: &str, parameters: Value) {
        let sent = self.driver.cdp().send_raw(command, parameters).await;
        sent.unwrap();
    }

    /// What the browser has complained of since the last time, refused policies among it.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let entries = self.driver.get_log("browser").await.unwrap();
        let severe = entries.into_iter().filter(|entry| entry.level == "SEVERE");
        severe.map(|entry| entry.message).collect()
    }

    /// Everybody can use the page, as far as axe-core tells, and it is not wider than the window.
    pub(crate) async fn assert_good(&self, what: &str) {
        let script = format!("{}; window.axe = window.axe || axe;", self.axe);
        self.driver.execute(script, Vec::new()).await.unwrap();
        let run = "const done = arguments[arguments.length - 1]; \
                   axe.run(document).then(r => done(r.violations), e => done(String(e)));";
        let found = self.driver.execute_async(run, Vec::new()).await.unwrap();
        let found = found.json();
        let nodes = |violation: &Value| {
            let nodes = violation["nodes"].as_array().into_iter().flatten();
            let html =
                nodes.map(|node| format!("\n    {} {}", node["html"], node["failureSummary"]));
            format!(
                "\n  {}: {}{}",
                violation["id"],
                violation["help"],
                html.collect::<String>()
            )
        };
        let text: String = found
            .as_array()
            .expect("axe has run")
            .iter()
            .map(nodes)
            .collect();
        assert_eq!(text, "", "{what}");
        let over = self
            .eval("document.documentElement.scrollWidth - innerWidth")
            .await;
        assert!(over.as_i64().unwrap() <= 0, "{what} is {over} px too wide");
    }

    /// Keeps a picture in `target/panel-screenshots/` and the shop's name.
    pub(crate) async fn picture(&self, name: &str) {
        let folder = folder();
        fs::create_dir_all(&folder).unwrap();
        let picture = self.driver.screenshot_as_png().await.unwrap();
        fs::write(folder.join(format!("{name}.png")), picture).unwrap();
    }
}

fn folder() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.join("target/panel-screenshots")
        .join(env!("CARGO_PKG_NAME"))
}
