//! The page in Chromium, with JavaScript switched off, over its DevTools protocol: what a reader sees
//! at 320 px, reaches by keyboard and sends.

use std::process::Stdio;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::World;
use crate::support::{PATIENCE, both_stores, within};

/// A browser with one page.
struct Browser {
    process: Child,
    _profile: tempfile::TempDir,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: String,
    last_id: u64,
}

impl Browser {
    /// Starts a browser without JavaScript, in a window of 320 × 640.
    async fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut process = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--remote-debugging-port=0", "--no-first-run", "--lang=en"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("chromium: scripts/install-missing");
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = async {
            loop {
                let line =
                    lines.next_line().await.unwrap().expect("chromium says where it listens");
                if let Some((_, address)) = line.split_once("DevTools listening on ") {
                    return address.trim().to_owned();
                }
            }
        };
        let address = within(PATIENCE, address).await;
        // What it goes on to say is to be read, or it would wait.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let (socket, _) = connect_async(address).await.unwrap();
        let mut browser =
            Self { process, _profile: profile, socket, session: String::new(), last_id: 0 };
        let made = browser.call("Target.createTarget", json!({ "url": "about:blank" })).await;
        let target = json!({ "targetId": made["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", target).await;
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for (method, parameters) in [
            ("Page.enable", json!({})),
            ("Accessibility.enable", json!({})),
            ("Emulation.setScriptExecutionDisabled", json!({ "value": true })),
            (
                "Emulation.setDeviceMetricsOverride",
                json!({ "width": 320, "height": 640,
                "deviceScaleFactor": 1, "mobile": true }),
            ),
        ] {
            browser.call(method, parameters).await;
        }
        browser
    }

    async fn send(&mut self, method: &str, parameters: Value) -> u64 {
        self.last_id += 1;
        let mut message = json!({ "id": self.last_id, "method": method, "params": parameters });
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.socket.send(Message::text(message.to_string())).await.unwrap();
        self.last_id
    }

    async fn next(&mut self) -> Value {
        let message = within(PATIENCE, self.socket.next()).await.unwrap().unwrap();
        serde_json::from_str(message.to_text().unwrap()).unwrap()
    }

    async fn call(&mut self, method: &str, parameters: Value) -> Value {
        let id = self.send(method, parameters).await;
        loop {
            let message = self.next().await;
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
        }
    }

    /// Does something, and waits until the page that follows is there.
    async fn load_by(&mut self, method: &str, parameters: Value) {
        let id = self.send(method, parameters).await;
        let (mut answered, mut loaded) = (false, false);
        while !(answered && loaded) {
            let message = self.next().await;
            answered |= message["id"] == id;
            loaded |= message["method"] == "Page.loadEventFired";
        }
    }

    async fn open(&mut self, url: &str) {
        self.load_by("Page.navigate", json!({ "url": url })).await;
    }

    /// Role, name and state of what a screen reader reads, a line each, the outer before the inner.
    async fn read_aloud(&mut self) -> Vec<String> {
        let tree = self.call("Accessibility.getFullAXTree", json!({})).await;
        let nodes = tree["nodes"].as_array().unwrap().iter();
        let of_interest = ["heading", "checkbox", "button", "group", "status"];
        nodes
            .filter_map(|node| {
                let role = node["role"]["value"].as_str()?;
                if !of_interest.contains(&role) || node["ignored"] == true {
                    return None;
                }
                let properties = node["properties"].as_array()?.iter();
                let checked = properties.filter(|it| it["name"] == "checked");
                let checked: String = checked
                    .map(|it| format!(" {}", it["value"]["value"].as_str().unwrap_or_default()))
                    .collect();
                Some(format!("{role} {}{checked}", node["name"]["value"].as_str()?))
            })
            .collect()
    }

    async fn press(&mut self, key: &str, code: u32, text: &str) {
        let kind = if text.is_empty() { "rawKeyDown" } else { "keyDown" };
        let down = json!({ "type": kind, "key": key, "code": if key == " " { "Space" } else { key },
            "windowsVirtualKeyCode": code, "text": text });
        self.call("Input.dispatchKeyEvent", down).await;
        let up = json!({ "type": "keyUp", "key": key, "windowsVirtualKeyCode": code });
        self.call("Input.dispatchKeyEvent", up).await;
    }

    async fn tab(&mut self) {
        self.press("Tab", 9, "").await;
    }

    /// Presses Enter on the button that has the focus, and waits for the next page.
    async fn enter(&mut self) {
        let down =
            json!({ "type": "keyDown", "key": "Enter", "windowsVirtualKeyCode": 13, "text": "\r" });
        self.load_by("Input.dispatchKeyEvent", down).await;
    }

    /// Width of what the page holds, and of what is seen, in CSS pixels.
    async fn widths(&mut self) -> (i64, i64) {
        let metrics = self.call("Page.getLayoutMetrics", json!({})).await;
        let width = |name: &str, field: &str| metrics[name][field].as_f64().unwrap() as i64;
        (width("cssContentSize", "width"), width("cssLayoutViewport", "clientWidth"))
    }

    async fn stop(mut self) {
        self.process.start_kill().unwrap();
        within(Duration::from_secs(10), self.process.wait()).await.unwrap();
    }
}

both_stores! {
    async fn a_reader_chooses_by_keyboard_without_javascript(house: TestHouse) {
        let world = World::new(house).await;
        world.write_about(&["news", "offers"]).await;
        let mut browser = Browser::start().await;
        browser.open(&world.url).await;
        assert_eq!(browser.read_aloud().await, [
            "heading Messages from Bells & <Sons>",
            "group I want to receive messages about:",
            "button Save my choice",
            "button Unsubscribe from all messages",
            "checkbox news true",
            "checkbox offers true",
        ]);
        let (content, seen) = browser.widths().await;
        assert_eq!(seen, 320);
        assert!(content <= 320, "nothing is to be scrolled sideways: {content}");
        browser.tab().await;
        browser.tab().await;
        browser.press(" ", 32, " ").await;
        browser.tab().await;
        browser.enter().await;
        let read = browser.read_aloud().await;
        assert!(read.iter().any(|it| it.starts_with("status")), "{read:?}");
        assert!(read.contains(&"checkbox news true".to_owned()), "{read:?}");
        assert!(read.contains(&"checkbox offers false".to_owned()), "{read:?}");
        assert_eq!(world.suppressed().await, ["TOPIC offers OPTED_OUT"]);
        assert_eq!(world.statuses().await, ["news SCHEDULED", "offers CANCELED"]);
        for _ in 0..4 {
            browser.tab().await;
        }
        browser.enter().await;
        let read = browser.read_aloud().await;
        assert!(read.contains(&"button Receive messages again".to_owned()), "{read:?}");
        assert_eq!(world.suppressed().await, ["ACCOUNT  OPTED_OUT", "TOPIC offers OPTED_OUT"]);
        assert_eq!(world.statuses().await, ["news CANCELED", "offers CANCELED"]);
        browser.stop().await;
        world.node.stop().await;
    }
}
