//! The preference page of a number's owner: what it shows, what its forms do, and who may come; in a
//! real browser as well, without JavaScript.

mod browser;

use entity::enums::Role;
use entity::ids::AccountId;
use heliograph::config::NodeRole;
use heliograph::contacts::preference_links;
use heliograph::ctx::Ctx;
use heliograph::types::phone::PhoneNumber;
use serde_json::{Value, json};

use crate::graphql_api::{Api, account, furnish, person, text};
use crate::support::{Served, TestHouse, both_stores};

const NUMBER: &str = "+4915112345678";

/// A node, an account with a nasty name, a contact that was written to about two topics.
pub struct World {
    pub house: TestHouse,
    pub node: Served,
    api: Api,
    account_id: AccountId,
    ctx: Ctx,
    /// Of the contact.
    pub url: String,
}

impl World {
    pub async fn new(house: TestHouse) -> Self {
        let api_only = |settings: &mut heliograph::config::Settings| {
            settings.server.roles = vec![NodeRole::Api];
        };
        let node = house.serve_with(api_only).await.unwrap();
        let api = Api::new(&house).await;
        let account_id = account(&house, "Bells & <Sons>").await;
        furnish(&house, &api, account_id).await;
        let ctx = node.ctx_as(person(&house, account_id, Role::Owner).actor);
        let mut world = Self { house, node, api, account_id, ctx, url: String::new() };
        let document = "mutation($number: String!) { createContact(input: {number: $number}) { \
            contact { preferencesUrl } } }";
        let made = world.ask(document, json!({ "number": NUMBER })).await;
        world.url = text(&made["createContact"]["contact"]["preferencesUrl"]);
        world
    }

    async fn ask(&self, document: &str, variables: Value) -> Value {
        self.api.data(&self.ctx, document, variables).await
    }

    /// Messages to the number, one about each topic, that wait for tomorrow.
    async fn write_about(&self, topics: &[&str]) {
        let document = "mutation($input: SendMessagesInput!) { sendMessages(input: $input) { \
            results { message { id } error { code message } } userErrors { message } } }";
        for topic in topics {
            let message = json!({ "from": "Acme", "to": NUMBER, "text": "hello", "topic": topic,
                "sendAt": "2026-01-06T00:00:00Z" });
            let input = json!({ "idempotencyKey": topic, "messages": [message] });
            let sent = self.ask(document, json!({ "input": input })).await;
            assert!(sent["sendMessages"]["results"][0]["message"].is_object(), "{sent}");
        }
    }

    /// Statuses of the messages about topics, by topic.
    pub async fn statuses(&self) -> Vec<String> {
        let page = self.ask("{ messages { nodes { topic status } } }", json!({})).await;
        let nodes = page["messages"]["nodes"].as_array().unwrap().iter();
        let mut shown: Vec<String> =
            nodes.map(|it| format!("{} {}", text(&it["topic"]), text(&it["status"]))).collect();
        shown.sort();
        shown
    }

    /// The scopes in which the number is suppressed.
    pub async fn suppressed(&self) -> Vec<String> {
        let document = "{ suppressions { nodes { scope scopeValue reason } } }";
        let page = self.ask(document, json!({})).await;
        let nodes = page["suppressions"]["nodes"].as_array().unwrap().iter();
        let show = |it: &Value| {
            let value = it["scopeValue"].as_str().unwrap_or_default();
            format!("{} {value} {}", text(&it["scope"]), text(&it["reason"]))
        };
        let mut shown: Vec<String> = nodes.map(show).collect();
        shown.sort();
        shown
    }

    async fn statements(&self) -> Vec<Value> {
        let document = "{ consentEvents { nodes { kind scope source wording ip } } }";
        let page = self.ask(document, json!({})).await;
        page["consentEvents"]["nodes"].as_array().unwrap().clone()
    }

    async fn page(&self) -> String {
        self.node.http.get(&self.url).send().await.unwrap().text().await.unwrap()
    }

    /// The page that a form leads to.
    async fn post(&self, form: &[(&str, &str)]) -> String {
        let answer = submit(&self.node.http, &self.url, form).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.url().as_str().ends_with("?done"), "{}", answer.url());
        answer.text().await.unwrap()
    }
}

/// Sends a form as a browser does.
async fn submit(
    http: &reqwest::Client,
    url: &str,
    fields: &[(&str, &str)],
) -> reqwest::Result<reqwest::Response> {
    let octet = |octet: u8| match octet {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(octet).to_string(),
        _ => format!("%{octet:02X}"),
    };
    let encoded = |text: &str| text.bytes().map(octet).collect::<String>();
    let fields = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
    let body = fields.collect::<Vec<_>>().join("&");
    let kind = "application/x-www-form-urlencoded";
    http.post(url).header("content-type", kind).body(body).send().await
}

both_stores! {
    async fn looking_changes_nothing_and_keeps_to_itself(house: TestHouse) {
        let world = World::new(house).await;
        world.write_about(&["news", "offers"]).await;
        for _ in 0..2 {
            let answer = world.node.http.get(&world.url).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            let headers = answer.headers().clone();
            let policy = headers["content-security-policy"].to_str().unwrap();
            assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
            assert!(policy.contains("form-action 'self'") && !policy.contains("unsafe"));
            assert_eq!(headers["x-robots-tag"], "noindex, nofollow");
            assert_eq!(headers["cache-control"], "private, no-store");
            assert_eq!(headers["referrer-policy"], "no-referrer");
            let html = answer.text().await.unwrap();
            assert!(html.contains("<html lang=\"en\">") && html.contains("Bells &amp; &lt;Sons&gt;"));
            assert!(html.contains("ends in 78") && !html.contains("15112345678"), "{html}");
            assert_eq!(html.matches("type=\"checkbox\"").count(), 2);
            assert_eq!(html.matches(" checked>").count(), 2);
            assert!(!html.contains("<script"));
        }
        let german = world.node.http.get(&world.url).header("accept-language", "de-AT").send();
        assert!(german.await.unwrap().text().await.unwrap().contains("<html lang=\"de\">"));
        assert_eq!(world.suppressed().await, [""; 0]);
        assert_eq!(world.statements().await.len(), 0);
        assert_eq!(world.statuses().await, ["news SCHEDULED", "offers SCHEDULED"]);
        world.node.stop().await;
    }

    async fn unsubscribing_stops_everything_and_can_be_taken_back(house: TestHouse) {
        let world = World::new(house).await;
        world.write_about(&["news"]).await;
        for _ in 0..2 {
            let html = world.post(&[("action", "unsubscribe")]).await;
            assert!(html.contains("You receive no messages") && html.contains("value=\"resume\""));
        }
        assert_eq!(world.suppressed().await, ["ACCOUNT  OPTED_OUT"]);
        assert_eq!(world.statuses().await, ["news CANCELED"]);
        assert_eq!(world.statements().await, [json!({ "kind": "WITHDRAWN", "scope": "ACCOUNT",
            "source": "PREFERENCE_PAGE", "wording": "Unsubscribe from all messages",
            "ip": "127.0.0.1" })]);
        let html = world.post(&[("action", "resume")]).await;
        assert!(html.contains("value=\"unsubscribe\""));
        assert_eq!(world.suppressed().await, [""; 0]);
        assert_eq!(world.statements().await.len(), 2);
        // What the account decided is not for the page to take back.
        let suppress = "mutation { suppress(input: { numbers: [\"+4915112345678\"], \
            scope: { account: true }, reason: MANUAL }) { suppressedCount } }";
        world.ask(suppress, json!({})).await;
        assert!(!world.page().await.contains("value=\"resume\""));
        world.post(&[("action", "resume")]).await;
        assert_eq!(world.suppressed().await, ["ACCOUNT  MANUAL"]);
        world.node.stop().await;
    }

    async fn topics_and_senders_are_chosen_one_by_one(house: TestHouse) {
        let world = World::new(house).await;
        world.write_about(&["news", "offers"]).await;
        let consent = "mutation($input: RecordConsentInput!) { recordConsent(input: $input) { \
            userErrors { message } } }";
        let said = json!({ "whose": { "number": NUMBER }, "granted": false,
            "scope": { "sender": "Acme" }, "source": "KEYWORD", "wording": "STOP" });
        world.ask(consent, json!({ "input": said })).await;
        let html = world.page().await;
        assert!(html.contains("value=\"sender:Acme\"><span>Messages from Acme"), "{html}");
        assert_eq!(world.statuses().await, ["news CANCELED", "offers CANCELED"]);
        let (news, offers, acme) = ("topic:news", "topic:offers", "sender:Acme");
        let save = ("action", "save");
        let html = world.post(&[
            ("shown", news), ("shown", offers), ("shown", acme), ("wanted", news), ("wanted", acme), save,
        ]).await;
        assert_eq!(html.matches(" checked>").count(), 1, "the sender is not asked about any more");
        assert_eq!(world.suppressed().await, ["TOPIC offers OPTED_OUT"]);
        let wording = "I want to receive messages about:\n[ ] offers";
        assert!(world.statements().await.iter().any(|it| it["wording"] == wording));
        // What was not shown stays, and what nobody wrote about is nobody's choice.
        world.post(&[("shown", offers), ("wanted", offers), ("shown", "topic:other"), save]).await;
        assert_eq!(world.suppressed().await, [""; 0]);
        let before = world.statements().await.len();
        world.post(&[("shown", news), ("wanted", news), save]).await;
        assert_eq!(world.statements().await.len(), before, "what is so already is no statement");
        world.node.stop().await;
    }

    async fn a_link_is_one_persons_and_lasts(house: TestHouse) {
        let world = World::new(house).await;
        assert_eq!(world.url.rsplit('/').next().unwrap().len(), 44);
        let http = &world.node.http;
        let changed = format!("{}A", &world.url[..world.url.len() - 1]);
        for wrong in [changed, format!("{}/p/x", world.node.url)] {
            let answer = http.get(&wrong).send().await.unwrap();
            assert_eq!(answer.status(), 404);
            assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
            let form = [("action", "unsubscribe")];
            assert_eq!(submit(http, &wrong, &form).await.unwrap().status(), 404);
        }
        for form in [&[][..], &[("action", "x")], &[("other", "x"), ("action", "save")]] {
            assert_eq!(submit(http, &world.url, form).await.unwrap().status(), 422);
        }
        let large = "x".repeat(33 * 1024);
        let answer = submit(http, &world.url, &[("shown", large.as_str())]).await.unwrap();
        assert_eq!(answer.status(), 413);
        assert_eq!(http.post(&world.url).body("action=save").send().await.unwrap().status(), 415);
        assert_eq!(world.statements().await.len(), 0);
        // Another number of the account has another page.
        let number = PhoneNumber::restore("+4915112345679").unwrap();
        let key = &world.house.platform.master_key;
        let other = preference_links::sign(key, world.account_id, &number);
        let other = format!("{}/p/{other}", world.node.url);
        assert!(http.get(other).send().await.unwrap().text().await.unwrap().contains("ends in 79"));
        world.house.execute("DELETE FROM contact", []).await;
        world.house.hand.advance(std::time::Duration::from_secs(86_400 * 365));
        world.post(&[("action", "unsubscribe")]).await;
        assert_eq!(world.suppressed().await, ["ACCOUNT  OPTED_OUT"], "long after the contact is gone");
        let viewer = world.node.ctx_as(person(&world.house, world.account_id, Role::Support).actor);
        let document = "mutation($number: String!) { createContact(input: {number: $number}) { \
            contact { id preferencesUrl } } }";
        world.ask(document, json!({ "number": NUMBER })).await;
        let seen = world.api.data(&viewer, "{ contacts { nodes { preferencesUrl } } }", json!({})).await;
        assert_eq!(seen["contacts"]["nodes"][0]["preferencesUrl"], json!(world.url));
        world.node.stop().await;
    }
}
