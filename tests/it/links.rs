//! Short links of campaigns: each recipient's own, as long as was reckoned, and nobody else's to make.

use std::collections::BTreeSet;

use heliograph::campaigns::{self, Examples, NewCampaign, WriteCampaignRejection};
use heliograph::config::{NodeRole, Settings};
use heliograph::error::Error;
use heliograph::links::{Shortener, TOKEN_CHARS};

use crate::billing::Payer;
use crate::campaigns::{World, work};
use crate::support::{Served, TestHouse, both_stores};

pub const SALE: &str = "https://shop.example/sale?from=sms&x=%20#top";
pub const HELP: &str = "http://help.example/";

/// A campaign with a link to either.
pub fn campaign(world: &World) -> NewCampaign {
    let text = format!("{{{{name|you}}}}: {{{{link {SALE}}}}} or {{{{link {HELP}}}}}");
    NewCampaign { text: Some(text), ..world.new_campaign() }
}

/// The texts of all messages, by contact; those of tests first.
pub async fn texts(house: &TestHouse) -> Vec<String> {
    let sql = "SELECT t.body FROM message m JOIN message_text t ON t.account_id = m.account_id \
        AND t.id = m.text_id ORDER BY CASE WHEN m.contact_id IS NULL THEN 0 ELSE 1 END, m.contact_id";
    let rows = house.rows(sql, []).await;
    rows.iter().map(|row| String::from_utf8(row.try_get("", "body").unwrap()).unwrap()).collect()
}

/// What stands in the links of a text.
pub fn tokens(house: &TestHouse, text: &str) -> Vec<String> {
    let base = format!("{}/", house.platform.settings.short_link_base());
    let behind = text.split(base.as_str()).skip(1);
    behind.map(|rest| rest.chars().take(TOKEN_CHARS).collect()).collect()
}

/// A browser that stays where it is, and the node that it asks.
pub struct Visitor {
    pub node: Served,
    pub http: reqwest::Client,
}

impl Visitor {
    pub async fn new(house: &TestHouse) -> Self {
        let api_only = |settings: &mut Settings| settings.server.roles = vec![NodeRole::Api];
        let node = house.serve_with(api_only).await.unwrap();
        let stays = reqwest::redirect::Policy::none();
        Self { node, http: reqwest::Client::builder().redirect(stays).build().unwrap() }
    }

    pub fn url(&self, token: &str) -> String {
        format!("{}/l/{token}", self.node.url)
    }

    /// With what status a link is answered, and where it leads.
    async fn follow(&self, token: &str) -> (u16, Option<String>) {
        let answer = self.http.get(self.url(token)).send().await.unwrap();
        let location = answer.headers().get("location").map(|it| it.to_str().unwrap().to_owned());
        (answer.status().as_u16(), location)
    }
}

async fn link_rows(house: &TestHouse) -> i64 {
    house.value("SELECT count(*) FROM short_link", []).await
}

both_stores! {
    async fn each_recipient_has_links_of_its_own_that_lead_on(house: TestHouse) {
        let world = World::new(&house, 3).await;
        let made = campaigns::create(&world.payer.ctx, campaign(&world)).await.unwrap();
        campaigns::start(&world.payer.ctx, made.id).await.unwrap();
        work(&house).await;
        let texts = texts(&house).await;
        assert_eq!(texts.len(), 3);
        let all: Vec<String> = texts.iter().flat_map(|text| tokens(&house, text)).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 6, "{texts:?}");
        assert_eq!(link_rows(&house).await, 2, "a row for each address, none for a recipient");
        let base = house.platform.settings.short_link_base();
        assert_eq!(texts[0], format!("N0: {base}/{} or {base}/{}", all[0], all[1]));

        let visitor = Visitor::new(&house).await;
        for pair in all.chunks(2) {
            assert_eq!(visitor.follow(&pair[0]).await, (302, Some(SALE.to_owned())));
            assert_eq!(visitor.follow(&pair[1]).await, (302, Some(HELP.to_owned())));
        }
        // Whatever is sent along, and after the campaign is over.
        campaigns::cancel(&world.payer.ctx, made.id).await.unwrap();
        let url = format!("{}?url=https://evil.example&to=//evil.example", visitor.url(&all[0]));
        for request in [visitor.http.get(&url), visitor.http.head(&url)] {
            let answer = request.header("host", "evil.example").send().await.unwrap();
            assert_eq!(answer.status(), 302);
            let headers = answer.headers();
            assert_eq!(headers["location"], SALE);
            assert_eq!(headers["cache-control"], "no-store");
            assert_eq!(headers["referrer-policy"], "no-referrer");
            assert_eq!(headers["x-robots-tag"], "noindex, nofollow");
            assert!(headers.get("set-cookie").is_none());
        }
        assert_eq!(visitor.http.post(&url).send().await.unwrap().status(), 405);
        visitor.node.stop().await;
    }

    async fn what_is_no_link_leads_nowhere(house: TestHouse) {
        let world = World::new(&house, 2).await;
        let made = campaigns::create(&world.payer.ctx, campaign(&world)).await.unwrap();
        campaigns::start(&world.payer.ctx, made.id).await.unwrap();
        work(&house).await;
        let visitor = Visitor::new(&house).await;
        let token = &tokens(&house, &texts(&house).await[0])[0];
        for place in 0..TOKEN_CHARS {
            for other in ["0", "z"] {
                let mut changed = token.clone();
                changed.replace_range(place..=place, other);
                if changed != *token {
                    assert_eq!(visitor.follow(&changed).await, (404, None), "{changed}");
                }
            }
        }
        let swapped: String = token.chars().rev().collect();
        let long = "A".repeat(3_000);
        for text in [&swapped, "A", "%2e%2e%2f", "000000000000", "%00", "%C3%A9", long.as_str()] {
            assert_eq!(visitor.follow(text).await, (404, None), "{text}");
        }
        // Well made, but for a recipient whom the campaign has not: nobody was given it.
        let ctx = house.system();
        let own = Shortener::of_campaign(&ctx, made.account_id, made.id, &[SALE]).await.unwrap();
        let token_of = |place: u32| tokens(&house, &own.links(place)[0]).remove(0);
        assert_eq!(token_of(1), *token);
        assert_eq!(visitor.follow(&token_of(2)).await.0, 302);
        assert_eq!(visitor.follow(&token_of(0)).await.0, 302, "that of a test");
        for place in [3, 1_000, u32::MAX] {
            assert_eq!(visitor.follow(&token_of(place)).await, (404, None), "{place}");
        }
        // Who guesses in numbers is told to wait.
        let mut refused = 0;
        for n in 0..500 {
            refused += usize::from(visitor.follow(&format!("{n:012}")).await.0 == 429);
        }
        assert!(refused > 0, "500 guesses cost more than an address may spend");
        visitor.node.stop().await;
    }

    async fn a_preview_reckons_with_links_as_long_as_they_will_be(house: TestHouse) {
        let world = World::new(&house, 3).await;
        let ctx = &world.payer.ctx;
        let base = house.platform.settings.short_link_base();
        let link = base.len() + 1 + TOKEN_CHARS;
        for (length, parts) in [(160, 1), (161, 2)] {
            let text = format!("{}{{{{link {SALE}}}}}", "x".repeat(length - link));
            let new = NewCampaign { text: Some(text), ..world.new_campaign() };
            let made = campaigns::create(ctx, new).await.unwrap();
            let before = link_rows(&house).await;
            let tables = Payer::tables(&house).await;
            let one = Examples { count: 1, variant: None };
            let told = campaigns::preview(ctx, &tables, made.id, &one).await.unwrap();
            assert_eq!((told.refused, told.parts), (0, 3 * parts));
            assert_eq!(told.examples[0].text.len(), length);
            assert_eq!(link_rows(&house).await, before, "a preview makes nothing");
            campaigns::start(ctx, made.id).await.unwrap();
            work(&house).await;
            let sql = "SELECT CAST(SUM(parts) AS BIGINT) FROM message WHERE campaign_id = $1";
            let sent: i64 = house.value(sql, [made.id.0.into()]).await;
            assert_eq!(u64::try_from(sent).unwrap(), 3 * parts);
        }
    }

    async fn links_are_made_once_whoever_makes_them_at_once(house: TestHouse) {
        let world = World::new(&house, 5).await;
        let ctx = &world.payer.ctx;
        let made = campaigns::create(ctx, campaign(&world)).await.unwrap();
        campaigns::start(ctx, made.id).await.unwrap();
        let system = house.system();
        let urls = [SALE, HELP, SALE];
        let own = || Shortener::of_campaign(&system, made.account_id, made.id, &urls);
        let (one, other, (), ()) = futures::join!(own(), own(), work(&house), work(&house));
        let (one, other) = (one.unwrap().links(1), other.unwrap().links(1));
        assert_eq!(one, other);
        assert_eq!(one[0], one[2], "an address that stands twice has one link");
        assert_eq!(link_rows(&house).await, 2);
        let texts = texts(&house).await;
        assert_eq!(texts.len(), 5);
        assert_eq!(tokens(&house, &texts[0]), one[..2].iter()
            .flat_map(|link| tokens(&house, link)).collect::<Vec<_>>());
    }

    async fn only_addresses_of_the_web_can_be_linked_to(house: TestHouse) {
        let world = World::new(&house, 1).await;
        for url in ["javascript:alert(1)", "https://user@shop.example", "shop.example", ""] {
            let text = Some(format!("{{{{link {url}}}}}"));
            let new = NewCampaign { text, ..world.new_campaign() };
            let refused = campaigns::create(&world.payer.ctx, new).await.unwrap_err();
            let is_fault = matches!(refused, Error::Rejected(WriteCampaignRejection::Text(_)));
            assert!(is_fault, "{url}: {refused:?}");
        }
        assert_eq!(link_rows(&house).await, 0);
    }

    async fn what_was_followed_leads_on_while_the_store_is_gone(house: TestHouse) {
        let world = World::new(&house, 1).await;
        let made = campaigns::create(&world.payer.ctx, campaign(&world)).await.unwrap();
        campaigns::start(&world.payer.ctx, made.id).await.unwrap();
        work(&house).await;
        let tokens = tokens(&house, &texts(&house).await[0]);
        let visitor = Visitor::new(&house).await;
        assert_eq!(visitor.follow(&tokens[0]).await.0, 302);
        visitor.node.platform().db.clone().close().await.unwrap();
        assert_eq!(visitor.follow(&tokens[0]).await, (302, Some(SALE.to_owned())));
        let answer = visitor.http.get(visitor.url(&tokens[1])).send().await.unwrap();
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["retry-after"], "30");
        visitor.node.stop().await;
    }
}
