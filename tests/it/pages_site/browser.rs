//! The site in a real browser: no element is wider than the screen, in light and dark, and the keyboard reaches everything.
//!
//! Chromium is driven over a pair of pipes by its `DevTools` protocol: NUL-terminated JSON, simpler than any crate for it.
//! `FEEDMILL_TEST_SCREENSHOTS=1` regenerates the pictures in docs/.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Bench, Mill};
use crate::support::daemon::TestDaemon;
use crate::support::database::{Backend, FreshDatabase};
use crate::support::running::Running;
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, page, rss};

const NARROW: u32 = 360;
const WIDE: u32 = 1100;
const HEIGHT: u32 = 800;

#[tokio::test(flavor = "multi_thread")]
async fn pages_fit_the_screen_and_the_keyboard() {
    if !is_installed() {
        return;
    }
    let database = FreshDatabase::create(Backend::Sqlite).await.unwrap();
    let bench = Bench { database, server: Server::start().await };
    let mill = mill(&bench).await;
    let records = mill.daemon.records().await;
    let revised = records.iter().find(|record| record.revision == 2).unwrap().id;
    let copy = records.iter().find(|record| record.duplicate_of.is_some()).unwrap().id;
    let paths = [
        "/".to_owned(),
        "/feeds".to_owned(),
        "/feeds/1".to_owned(),
        format!("/articles/{revised}"),
        format!("/articles/{copy}"),
        format!("/articles/{revised}/diff?to=2"),
        "/sites".to_owned(),
        "/sites/127.0.0.1".to_owned(),
        "/search?q=harbour+bells".to_owned(),
        "/login".to_owned(),
        "/articles/none".to_owned(),
    ];
    tokio::task::block_in_place(|| {
        let mut browser = Browser::start();
        for (width, scheme) in [(NARROW, "light"), (NARROW, "dark"), (WIDE, "light"), (WIDE, "dark")] {
            browser.be(width, scheme);
            for path in &paths {
                browser.go(mill.address, path);
                browser.check(width, scheme, path);
            }
        }
        browser.check_keyboard(&mill);
        if std::env::var_os("FEEDMILL_TEST_SCREENSHOTS").is_some() {
            browser.be(WIDE, "light");
            browser.go(mill.address, "/");
            browser.photograph(WIDE, HEIGHT, "page-overview.png");
            browser.go(mill.address, &format!("/articles/{revised}"));
            browser.photograph(WIDE, HEIGHT, "page-article.png");
            browser.be(NARROW, "dark");
            browser.go(mill.address, &format!("/articles/{revised}/diff?to=2"));
            browser.photograph(NARROW, 640, "page-narrow.png");
        }
        browser.close();
    });
    mill.stop().await;
    bench.database.drop().await;
}

/// A daemon with every kind of content: articles, a copy, a revision, a failing feed, very long words.
async fn mill(bench: &Bench) -> Mill {
    let server = &bench.server;
    let topics = [
        "mooring",
        "dredging",
        "salvage",
        "towing",
        "night-ferry",
        "lighthouse",
        "piloting",
        "ballast",
        "cargo",
        "tides",
        "buoys",
        "ropes",
    ];
    let items: Vec<Item> =
        topics.iter().map(|topic| Item::new(topic, &server.url(&format!("/{topic}")))).collect();
    for announced in [2, 6, 7, 9, 10, 12] {
        server.respond("/feed", Reply::ok("application/rss+xml", rss(&items[..announced])));
    }
    let endless = "Donaudampfschifffahrtsgesellschaft".repeat(6);
    let words = page("towing").replace("The towing affair", &endless);
    let copy = page("salvage").replacen("before the bells rang", "after the bells rang", 1);
    let revised = page("mooring").replace("before the bells rang", "before the horns blew");
    server.respond("/mooring", Reply::ok("text/html", page("mooring")));
    server.respond("/mooring", Reply::ok("text/html", revised));
    server.handle(move |request| match request.path() {
        "/towing" => Reply::ok("text/html", words.clone()),
        "/lighthouse" => Reply::ok("text/html", copy.clone()),
        path if path.starts_with("/missing") => Reply::status(404),
        path => Reply::ok("text/html", page(&path[1..])),
    });
    let long = format!("/missing/{}", "a-very-long-part-of-an-address-".repeat(5));
    let daemon = bench
        .daemon()
        .feed_with(&server.url("/feed"), "recheck = [\"1h\"]\ntags = [\"coast\"]\ninterval_secs = 3600")
        .feed(&server.url(&long))
        .open()
        .await;
    for _ in 0..6 {
        daemon.once().await;
        daemon.advance(SignedDuration::from_hours(4));
    }
    daemon.once().await;
    Mill::open(daemon).await
}

/// An operator logs in, adds a feed, pauses it and resumes it, using only the forms of the page.
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_adds_and_pauses_a_feed() {
    const TOKENS: &str =
        r#"tokens = [{ name = "ada", role = "operator", secret = "the secret of the operator" }]"#;
    if !is_installed() {
        return;
    }
    let server = Server::start().await;
    server.handle(|_| Reply::ok("text/xml", rss(&[])));
    let (own, new) = (server.url("/own"), server.url("/new"));
    let test = TestDaemon::new().feed(&own).http(TOKENS);
    let config = test.write_config();
    let seen = tokio::task::block_in_place(|| {
        let running = Running::start(&config);
        let mut browser = Browser::start();
        browser.be(NARROW, "light");
        browser.go(running.address, "/feeds");
        browser.send_form("/login", &[("token", "the secret of the operator")]);
        browser.check(NARROW, "light", "/feeds with its form");
        browser.send_form("/feeds", &[("url", new.as_str()), ("tags", "sea")]);
        let mut seen = vec![browser.main()];
        for change in ["pause", "resume", "remove"] {
            let action = format!("{}/{change}", browser.evaluate("location.pathname").as_str().unwrap());
            browser.send_form(&action, &[]);
            browser.check(NARROW, "light", change);
            seen.push(browser.main());
        }
        browser.close();
        running.stop();
        seen
    });
    server.arrived("/new", 1).await;
    for (seen, expected) in seen.iter().zip([
        "added.toml",
        "None: it is paused.",
        "Poll now",
        "None: it is no longer configured.",
    ]) {
        assert!(seen.contains(expected), "{expected}: {seen}");
    }
}

fn is_installed() -> bool {
    let version = Command::new("chromium").arg("--version").stdout(Stdio::null()).status();
    let is_installed = version.is_ok_and(|status| status.success());
    if !is_installed {
        assert!(std::env::var("CI").is_err(), "chromium is not installed, and this is CI");
        eprintln!("SKIPPED in the browser: chromium is not installed");
    }
    is_installed
}

struct Browser {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    calls: u64,
    /// The session id of the tab, once it is attached.
    session: Option<String>,
    /// Events received while waiting for answers.
    events: Vec<Value>,
    _profile: TempDir,
}

/// Chromium reads commands from descriptor 3 and answers on 4; it may connect only to our server.
const START: &str = r#"exec chromium --headless --no-sandbox --disable-gpu --no-first-run --no-proxy-server \
    --disable-background-networking --disable-component-update --disable-sync --disable-extensions \
    --host-resolver-rules='MAP * ~NOTFOUND, EXCLUDE 127.0.0.1' --hide-scrollbars \
    --remote-debugging-pipe --user-data-dir="$1" about:blank 3<&0 4>&1 </dev/null >/dev/null 2>&1"#;

impl Browser {
    fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new("sh")
            .args(["-c", START, "sh"])
            .arg(profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut browser =
            Self { child, input, output, calls: 0, session: None, events: Vec::new(), _profile: profile };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", &attach);
        browser.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser
    }

    fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.calls += 1;
        let mut message = json!({ "id": self.calls, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        self.input.write_all(format!("{message}\0").as_bytes()).unwrap();
        self.input.flush().unwrap();
        loop {
            let message = self.read();
            if message["id"] == self.calls {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
            self.events.push(message);
        }
    }

    fn read(&mut self) -> Value {
        let mut message = Vec::new();
        self.output.read_until(0, &mut message).unwrap();
        assert_eq!(message.pop(), Some(0), "the browser has ended");
        serde_json::from_slice(&message).unwrap()
    }

    fn wait_for(&mut self, event: &str) {
        while !self.events.iter().any(|seen| seen["method"] == event) {
            let message = self.read();
            self.events.push(message);
        }
    }

    fn be(&mut self, width: u32, scheme: &str) {
        let screen =
            json!({ "width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": width == NARROW });
        self.call("Emulation.setDeviceMetricsOverride", &screen);
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    fn go(&mut self, address: SocketAddr, path: &str) {
        self.events.clear();
        self.call("Page.navigate", &json!({ "url": format!("http://{address}{path}") }));
        self.wait_for("Page.loadEventFired");
    }

    fn evaluate(&mut self, script: &str) -> Value {
        let asked = json!({ "expression": script, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", &asked);
        assert!(answer["exceptionDetails"].is_null(), "{answer}");
        answer["result"]["value"].clone()
    }

    /// Fills in the form that posts to `action`, and presses its button.
    fn send_form(&mut self, action: &str, fields: &[(&str, &str)]) {
        self.events.clear();
        let fields: Vec<Value> = fields.iter().map(|(name, value)| json!([name, value])).collect();
        let script = format!(
            "(() => {{ const form = document.querySelector('main form[method=post][action=\"{action}\"]'); \
             for (const [name, value] of {}) form.elements[name].value = value; \
             form.querySelector('button').click(); }})()",
            Value::from(fields)
        );
        self.evaluate(&script);
        self.wait_for("Page.loadEventFired");
    }

    /// Returns the visible text of the page's content.
    fn main(&mut self) -> String {
        self.evaluate("document.querySelector('main').innerText").as_str().unwrap().to_owned()
    }

    fn check(&mut self, width: u32, scheme: &str, path: &str) {
        let page = format!("{path} at {width} in {scheme}");
        let wider = self.evaluate(WIDER_THAN_THE_SCREEN);
        assert_eq!(wider, json!([]), "{page}");
        assert_eq!(self.evaluate("document.documentElement.scrollWidth"), width, "{page}");
        let style = self.evaluate("[...document.styleSheets].map(sheet => sheet.cssRules.length > 20)");
        assert_eq!(style, json!([true]), "{page}: the style is there");
        let ink = self.evaluate(CONTRAST).as_f64().unwrap();
        assert!(ink >= 4.5, "{page}: a contrast of {ink}");
        let unnamed = self.evaluate(CONTROLS_WITHOUT_NAME);
        assert_eq!(unnamed, json!([]), "{page}");
        // Log entries for content refused by the policy or not loaded; the 404 page is an exception.
        let is_complaint = |event: &&Value| {
            let text = event["params"]["entry"]["text"].as_str().unwrap_or_default();
            let is_advice = event["params"]["entry"]["level"] == "verbose";
            event["method"] == "Log.entryAdded" && !is_advice && !text.contains("404")
        };
        let complaints: Vec<&Value> = self.events.iter().filter(is_complaint).collect();
        assert!(complaints.is_empty(), "{page}: {complaints:?}");
    }

    /// The first Tab focuses the link to the content, and each further one an element with a visible focus.
    fn check_keyboard(&mut self, mill: &Mill) {
        self.be(WIDE, "light");
        self.go(mill.address, "/feeds");
        for at in 0..8 {
            for kind in ["rawKeyDown", "keyUp"] {
                let key = json!({ "type": kind, "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9 });
                self.call("Input.dispatchKeyEvent", &key);
            }
            let focused = self.evaluate(FOCUSED);
            if at == 0 {
                assert_eq!(focused["text"], "Skip to the content");
            }
            assert_ne!(focused["outline"], "none", "{focused}");
            let left = focused["left"].as_f64().unwrap();
            assert!(left >= 0.0 && left < f64::from(WIDE), "{focused}");
        }
    }

    fn photograph(&mut self, width: u32, height: u32, name: &str) {
        let clip = json!({ "x": 0, "y": 0, "width": width, "height": height, "scale": 1 });
        let picture = self.call("Page.captureScreenshot", &json!({ "format": "png", "clip": clip }));
        let png = BASE64_STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name), png).unwrap();
    }

    fn close(mut self) {
        self.session = None;
        self.call("Browser.close", &json!({}));
        self.child.wait().unwrap();
    }
}

/// Elements that extend beyond the screen, except those inside a scrolling box.
const WIDER_THAN_THE_SCREEN: &str = "[...document.querySelectorAll('body *')]
    .filter(element => !element.closest('.scroll table, .skip, svg'))
    .filter(element => element.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
    .map(element => element.outerHTML.slice(0, 120))";

/// The contrast of text and background, as WCAG defines it.
const CONTRAST: &str = "(() => {
    const style = getComputedStyle(document.body);
    const light = color => {
        const [r, g, b] = color.match(/[\\d.]+/g).map(part => part / 255)
            .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const [dark, bright] = [light(style.color), light(style.backgroundColor)].sort((a, b) => a - b);
    return (bright + 0.05) / (dark + 0.05);
})()";

/// Fields without a label, columns without a scope, pictures and links without text.
const CONTROLS_WITHOUT_NAME: &str = "[...document.querySelectorAll('input, select, button, th, a, svg')]
    .filter(element => element.type !== 'hidden')
    .filter(element => {
        if (element.matches('input, select')) return !element.closest('label')?.textContent.trim();
        if (element.matches('th')) return !element.scope || !element.textContent.trim();
        if (element.matches('svg')) return !element.querySelector('title');
        return !(element.getAttribute('aria-label') ?? element.textContent).trim();
    })
    .map(element => element.outerHTML.slice(0, 120))";

const FOCUSED: &str = "(() => {
    const element = document.activeElement;
    const box = element.getBoundingClientRect();
    return { text: element.textContent.slice(0, 40), left: box.left, outline: getComputedStyle(element).outlineStyle };
})()";
