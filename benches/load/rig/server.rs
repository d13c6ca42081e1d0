//! `heliograph serve` as a child process that can be killed and started again.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{StorePlace, free_address, process, program};

/// A start with migrations takes a second; only a server that never comes up takes this long.
const READY_TIME_MAX: Duration = Duration::from_secs(60);
/// The server gives itself 20 s to drain.
const STOP_TIME_MAX: Duration = Duration::from_secs(30);

/// How to start a server.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    /// Settings, as `SECTION__KEY` and value.
    pub settings: Vec<(String, String)>,
}

/// A server process, and where it is.
pub struct Server {
    child: Child,
    address: SocketAddr,
    arguments: Vec<String>,
    options: ServerOptions,
}

impl Server {
    /// Starts one on `place` and waits until it is ready.
    pub async fn start(place: &StorePlace, options: ServerOptions) -> Self {
        let address = free_address();
        let mut arguments = vec!["serve".to_owned(), "--listen".to_owned(), address.to_string()];
        arguments.extend(place.arguments());
        let child = spawn(&arguments, &options);
        let mut server = Self { child, address, arguments, options };
        server.until_ready().await;
        server
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The same for a socket.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it in the middle of whatever it does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again at the same address, and waits until it is ready.
    pub async fn restart(&mut self) {
        self.child = spawn(&self.arguments, &self.options);
        self.until_ready().await;
    }

    /// Asks it to stop and waits until it has.
    pub async fn stop(mut self) {
        process::signal(self.pid(), "TERM");
        let deadline = Instant::now() + STOP_TIME_MAX;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the server does not stop");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn until_ready(&mut self) {
        let client = crate::kit::drive::http_client();
        let url = format!("{}/readyz", self.url());
        let deadline = Instant::now() + READY_TIME_MAX;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the server ended at its start: {status}");
            }
            if let Ok(answer) = client.get(&url).send().await
                && answer.status().is_success()
            {
                return;
            }
            assert!(Instant::now() < deadline, "the server is not ready in {READY_TIME_MAX:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(arguments: &[String], options: &ServerOptions) -> Child {
    let mut command = Command::new(program());
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    // Faults are seen, the rest would only cost time.
    command.env("HELIOGRAPH__TELEMETRY__LOG", "error");
    for (name, value) in &options.settings {
        command.env(format!("HELIOGRAPH__{name}"), value);
    }
    command.spawn().unwrap_or_else(|error| panic!("cannot start {}: {error}", program()))
}
