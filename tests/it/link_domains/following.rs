//! Following links on accounts' own hosts.

use entity::campaign::Model as Campaign;
use entity::enums::{LinkDomainStatus, Role};
use heliograph::campaigns;
use heliograph::config::{NodeRole, Settings};
use heliograph::links::Shortener;
use heliograph::links::domains;

use super::{HOST, campaign, set_status, verified};
use crate::campaigns::{World, work};
use crate::graphql_api::{account, person};
use crate::links::{HELP, SALE};
use crate::support::{Served, TestHouse, both_stores};

/// How long what a node knows of a host may be old, and a little more.
const STALE: std::time::Duration = std::time::Duration::from_millis(5_001);

/// A browser that stays where it is, and the node that it asks.
struct Visitor {
    node: Served,
    http: reqwest::Client,
}

impl Visitor {
    async fn new(house: &TestHouse, change: impl FnOnce(&mut Settings)) -> Self {
        let change = |settings: &mut Settings| {
            settings.server.roles = vec![NodeRole::Api];
            change(settings);
        };
        let node = house.serve_with(change).await.unwrap();
        let stays = reqwest::redirect::Policy::none();
        Self { node, http: reqwest::Client::builder().redirect(stays).build().unwrap() }
    }

    fn get(&self, path: &str, host: &str) -> reqwest::RequestBuilder {
        self.http.get(format!("{}{path}", self.node.url)).header("host", host)
    }

    /// With what status a path is answered on a host, and where it leads.
    async fn follow(&self, path: &str, host: &str) -> (u16, Option<String>) {
        answer(self.get(path, host)).await
    }
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, Option<String>) {
    let answer = request.send().await.unwrap();
    let location = answer.headers().get("location").map(|it| it.to_str().unwrap().to_owned());
    (answer.status().as_u16(), location)
}

fn to(url: &str) -> (u16, Option<String>) {
    (302, Some(url.to_owned()))
}

const NOWHERE: (u16, Option<String>) = (404, None);

/// What stands in the links of a campaign's recipient, behind the last slash.
async fn tokens(house: &TestHouse, campaign: &Campaign) -> Vec<String> {
    let (system, urls) = (house.system(), [SALE, HELP]);
    let made = Shortener::of_campaign(&system, campaign.account_id, campaign.id, &urls);
    let links = made.await.unwrap().links(1);
    links.iter().map(|link| link.rsplit('/').next().unwrap().to_owned()).collect()
}

/// A campaign of the world's account on a domain of its own, which was sent.
async fn sent(house: &TestHouse, world: &World) -> (Campaign, Vec<String>) {
    let ctx = &world.payer.ctx;
    let domain = verified(house, ctx, HOST).await;
    let made = campaigns::create(ctx, campaign(world, domain.id)).await.unwrap();
    campaigns::start(ctx, made.id).await.unwrap();
    work(house).await;
    let tokens = tokens(house, &made).await;
    (made, tokens)
}

both_stores! {
    async fn a_host_leads_on_links_of_its_account_alone(house: TestHouse) {
        let world = World::new(&house, 1).await;
        let (_, tokens) = sent(&house, &world).await;
        let stranger = person(&house, account(&house, "Other").await, Role::Owner);
        verified(&house, &stranger, "go.other.example").await;
        domains::create(&stranger, "new.other.example").await.unwrap();
        let visitor = Visitor::new(&house, |_| {}).await;
        let (root, prefixed) = (format!("/{}", tokens[0]), format!("/l/{}", tokens[1]));
        for host in [HOST, "GO.Shop.Example", "go.shop.example:8443"] {
            assert_eq!(visitor.follow(&root, host).await, to(SALE), "{host}");
            assert_eq!(visitor.follow(&prefixed, host).await, to(HELP), "{host}");
        }
        // On another account's host neither, on the service's and on nobody's as ever.
        assert_eq!(visitor.follow(&root, "go.other.example").await, NOWHERE);
        assert_eq!(visitor.follow(&prefixed, "go.other.example").await, NOWHERE);
        for host in ["new.other.example", "evil.example", "127.0.0.1", "shop.example"] {
            assert_eq!(visitor.follow(&root, host).await, NOWHERE, "{host}");
            assert_eq!(visitor.follow(&prefixed, host).await, to(HELP), "{host}");
        }
        // What else stands at the root is nothing.
        let longer = format!("{root}x");
        let below = format!("{root}/");
        for path in ["/x", "/000000000000", "/00000000000-", longer.as_str(), &below] {
            assert_eq!(visitor.follow(path, HOST).await, NOWHERE, "{path}");
        }
        let url = format!("{}{root}", visitor.node.url);
        let posted = visitor.http.post(&url).header("host", HOST).send().await.unwrap();
        assert_eq!(posted.status(), 404);
        let head = visitor.http.head(&url).header("host", HOST).send().await.unwrap();
        assert_eq!(head.status(), 302);
        assert_eq!(head.headers()["x-robots-tag"], "noindex, nofollow");
        assert_eq!(head.headers()["cache-control"], "no-store");
        assert_eq!(visitor.get("/healthz", HOST).send().await.unwrap().status(), 200);
        visitor.node.stop().await;
    }

    async fn the_host_is_what_a_trusted_proxy_says(house: TestHouse) {
        let world = World::new(&house, 1).await;
        let (_, tokens) = sent(&house, &world).await;
        let root = format!("/{}", tokens[0]);
        let trusting = |settings: &mut Settings| {
            settings.server.trusted_proxies = vec!["127.0.0.1".to_owned()];
        };
        for (is_trusted, expected) in [(true, to(SALE)), (false, NOWHERE)] {
            let visitor =
                Visitor::new(&house, |it| if is_trusted { trusting(it) }).await;
            let request = visitor.get(&root, "node.internal").header("x-forwarded-host", HOST);
            assert_eq!(answer(request).await, expected);
            // A proxy that knows better than the client's own header.
            let request = visitor.get(&root, HOST).header("x-forwarded-host", "evil.example");
            assert_eq!(answer(request).await.0, if is_trusted { 404 } else { 302 });
            visitor.node.stop().await;
        }
    }

    async fn what_becomes_of_a_domain_is_known_soon(house: TestHouse) {
        let world = World::new(&house, 1).await;
        let ctx = &world.payer.ctx;
        let (made, tokens) = sent(&house, &world).await;
        let root = format!("/{}", tokens[0]);
        let domain = made.link_domain_id.unwrap();
        set_status(&house, domain, LinkDomainStatus::Pending).await;
        let visitor = Visitor::new(&house, |_| {}).await;
        assert_eq!(visitor.follow(&root, HOST).await, NOWHERE);
        set_status(&house, domain, LinkDomainStatus::Verified).await;
        house.hand.advance(STALE);
        assert_eq!(visitor.follow(&root, HOST).await, to(SALE));
        campaigns::cancel(ctx, made.id).await.unwrap();
        domains::delete(ctx, domain).await.unwrap();
        house.hand.advance(STALE);
        assert_eq!(visitor.follow(&root, HOST).await, NOWHERE);
        // Another account's from now on.
        let stranger = person(&house, account(&house, "Other").await, Role::Owner);
        verified(&house, &stranger, HOST).await;
        house.hand.advance(STALE);
        assert_eq!(visitor.follow(&root, HOST).await, NOWHERE);
        assert_eq!(visitor.follow(&format!("/l/{}", tokens[0]), HOST).await, NOWHERE);
        visitor.node.stop().await;
    }

    async fn what_was_followed_leads_on_while_the_store_is_gone(house: TestHouse) {
        let world = World::new(&house, 1).await;
        let (_, tokens) = sent(&house, &world).await;
        let visitor = Visitor::new(&house, |_| {}).await;
        let (root, other) = (format!("/{}", tokens[0]), format!("/{}", tokens[1]));
        let prefixed = format!("/l/{}", tokens[0]);
        assert_eq!(visitor.follow(&root, HOST).await, to(SALE));
        visitor.node.platform().db.clone().close().await.unwrap();
        house.hand.advance(STALE);
        assert_eq!(visitor.follow(&root, HOST).await, to(SALE));
        assert_eq!(visitor.follow(&prefixed, "unknown.example").await, to(SALE));
        for (path, host) in [(&other, HOST), (&root, "unknown.example")] {
            let answer = visitor.get(path, host).send().await.unwrap();
            assert_eq!(answer.status(), 503);
            assert_eq!(answer.headers()["retry-after"], "30");
        }
        visitor.node.stop().await;
    }

    async fn a_proxy_asks_for_whom_certificates_are_made(house: TestHouse) {
        let world = World::new(&house, 1).await;
        let ctx = &world.payer.ctx;
        verified(&house, ctx, HOST).await;
        domains::create(ctx, "new.shop.example").await.unwrap();
        let visitor = Visitor::new(&house, |_| {}).await;
        for (query, status) in [
            ("?domain=go.shop.example", 200),
            ("?domain=GO.Shop.Example", 200),
            ("?domain=new.shop.example", 404),
            ("?domain=evil.example", 404),
            ("?domain=127.0.0.1", 404),
            ("?domain=", 404),
            ("?host=go.shop.example", 404),
            ("", 404),
        ] {
            let (found, _) = visitor.node.get(&format!("/link-domains/ask{query}")).await;
            assert_eq!(found, status, "{query}");
        }
        visitor.node.platform().db.clone().close().await.unwrap();
        let (found, _) = visitor.node.get("/link-domains/ask?domain=late.example").await;
        assert_eq!(found, 503);
        visitor.node.stop().await;
    }
}
