//! A running node for one test: the whole program but its command line, over HTTP.

use std::sync::Arc;
use std::time::Duration;

use heliograph::app::{App, AppParts, StartError, Stopped};
use heliograph::authz::Actor;
use heliograph::config::Settings;
use heliograph::ctx::{Ctx, Platform};
use serde_json::{Value, json};

use super::{PATIENCE, TestHouse, within};

/// How long a request may take: a test that waits for more waits in vain.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(20);

/// A running node.
pub struct Served {
    /// The node.
    pub app: App,
    /// Where it serves HTTP, without a slash at the end.
    pub url: String,
    /// Sends requests.
    pub http: reqwest::Client,
}

impl TestHouse {
    /// Starts a node on the house's store and clock, on a free port. It has a doorbell of its own:
    /// use [`Served::ctx_as`] rather than the house's for what a request should hear of.
    pub async fn serve(&self) -> Served {
        self.serve_with(|_| {}).await.unwrap()
    }

    /// The same with other settings.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn serve_with(
        &self,
        change: impl FnOnce(&mut Settings),
    ) -> Result<Served, StartError> {
        let mut settings = Settings::clone(&self.platform.settings);
        change(&mut settings);
        let app = within(PATIENCE, App::start(settings, self.parts())).await?;
        let url = app.platform().settings.public_url();
        let http = reqwest::Client::builder().timeout(REQUEST_TIME_MAX).build().unwrap();
        Ok(Served { app, url, http })
    }

    /// The house's clock and chance, for a node.
    pub fn parts(&self) -> AppParts {
        AppParts { clock: self.hand.clock(), randomness: self.platform.randomness.clone() }
    }
}

impl Served {
    /// The parts that commands use on this node.
    pub fn platform(&self) -> &Arc<Platform> {
        self.app.platform()
    }

    /// A context on this node for a caller.
    pub fn ctx_as(&self, actor: Actor) -> Ctx {
        Ctx::new(Arc::clone(self.platform()), actor, Arc::from("test"))
    }

    /// The answer to a GraphQL operation, whatever its status; `credential` goes in
    /// `Authorization: Bearer`.
    pub async fn graphql(&self, credential: Option<&str>, query: &str, variables: Value) -> Value {
        let mut request = self
            .http
            .post(format!("{}/graphql", self.url))
            .json(&json!({ "query": query, "variables": variables }));
        if let Some(credential) = credential {
            request = request.bearer_auth(credential);
        }
        request.send().await.unwrap().json().await.unwrap()
    }

    /// Status and body of a path.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Stops the node.
    pub async fn stop(self) -> Stopped {
        within(PATIENCE, self.app.stop()).await
    }
}
