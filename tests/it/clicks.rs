//! Clicks on short links: kept and counted once, programs apart, and nothing of who clicked.

use std::time::Duration;

use entity::campaign::Model as Campaign;
use entity::enums::MessageStatus;
use heliograph::campaigns;
use heliograph::links::{self, CLICKS_MAX, Links, Shortener, WAITING_MAX};
use heliograph::rollups::Folder;
use http::header::{HeaderMap, HeaderValue, USER_AGENT};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::campaigns::{World, work};
use crate::graphql_api::{Api, account, key};
use crate::links::{HELP, SALE, Visitor, campaign, texts, tokens};
use crate::support::{PATIENCE, TestHouse, both_stores, within};

const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 \
    (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";
const PIXEL: &str = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/137.0.0.0 Mobile Safari/537.36";
/// What no browser's agent looks like, and no known program's.
const UNKNOWN: &str = "NokiaC1-01/2.0 (05.40) Profile/MIDP-2.1 Configuration/CLDC-1.1";
const WHATSAPP: &str = "WhatsApp/2.23.20.0 A";

const READ: &str = "query($m: MetricsInput!, $b: BreakdownInput!, $id: ID!) { \
    metrics(input: $m) { current { totals { clicks uniqueClicks } } } \
    breakdown(input: $b) { groups { campaign { id } totals { clicks uniqueClicks } } } \
    campaign(id: $id) { engagement { clicks uniqueClicks botClicks \
      byLink { url clicks uniqueClicks botClicks } } } }";

/// A campaign with two links to so many contacts, and the links of each.
async fn sent(house: &TestHouse, contacts: usize) -> (World, Campaign, Vec<Vec<String>>) {
    let world = World::new(house, contacts).await;
    let made = campaigns::create(&world.payer.ctx, campaign(&world)).await.unwrap();
    campaigns::start(&world.payer.ctx, made.id).await.unwrap();
    work(house).await;
    let links = texts(house).await.iter().map(|text| tokens(house, text)).collect();
    (world, made, links)
}

fn agent(text: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(USER_AGENT, HeaderValue::from_static(text))])
}

async fn clicks_of_kind(house: &TestHouse, condition: &str) -> i64 {
    house.value(&format!("SELECT count(*) FROM link_click WHERE {condition}"), []).await
}

async fn sum_of_links(house: &TestHouse, column: &str) -> i64 {
    let sql = format!("SELECT CAST(SUM({column}) AS BIGINT) FROM short_link");
    house.value(&sql, []).await
}

/// Follows a link so often, by one node.
async fn follow(links: &Links, token: &str, agent_text: &'static str, times: usize) {
    for _ in 0..times {
        assert!(links.follow(token, None, Some(&agent(agent_text))).await.unwrap().is_some());
    }
}

/// A token that was told to stop: a writer given it writes what waits, and ends.
fn stopped() -> CancellationToken {
    let stop = CancellationToken::new();
    stop.cancel();
    stop
}

both_stores! {
    async fn charts_campaigns_and_links_tell_what_persons_clicked(house: TestHouse) {
        let (world, made, of) = sent(&house, 3).await;
        let ctx = &world.payer.ctx;
        let visitor = Visitor::new(&house).await;
        let get = |token: &str, agent: &'static str| {
            visitor.http.get(visitor.url(token)).header("user-agent", agent)
        };
        let system = house.system();
        let own = Shortener::of_campaign(&system, made.account_id, made.id, &[SALE]).await.unwrap();
        let test_link = tokens(&house, &own.links(0)[0]).remove(0);
        for (request, status) in [
            (get(&of[0][0], IPHONE), 302),
            (get(&of[0][0], IPHONE), 302),
            (get(&of[0][1], IPHONE), 302),
            (get(&of[1][0], PIXEL).header("x-forwarded-for", "198.51.100.7"), 302),
            // Programs.
            (get(&of[1][1], WHATSAPP), 302),
            (get(&of[2][0], PIXEL).header("sec-purpose", "prefetch"), 302),
            (get(&of[2][0], ""), 302),
            (get(&of[2][1], UNKNOWN), 302),
            // No clicks at all: a look at it, nobody's link, and what is none.
            (visitor.http.head(visitor.url(&of[2][0])).header("user-agent", IPHONE), 302),
            (get(&test_link, IPHONE), 302),
            (get("000000000000", IPHONE), 404),
        ] {
            assert_eq!(request.send().await.unwrap().status(), status);
        }
        visitor.node.stop().await;

        assert_eq!(clicks_of_kind(&house, "kind = 0").await, 4);
        let kinds = house.rows("SELECT kind FROM link_click WHERE kind <> 0 ORDER BY kind", []).await;
        let kinds: Vec<i16> = kinds.iter().map(|row| row.try_get("", "kind").unwrap()).collect();
        assert_eq!(kinds, [1, 2, 3, 5]);
        let folders = [Folder::default(), Folder::default()];
        let (one, other) = futures::join!(folders[0].fold(&system), folders[1].fold(&system));
        assert!(one.unwrap() + other.unwrap() > 0);
        folders[1].fold(&system).await.unwrap();

        let api = Api::new(&house).await;
        let id = made.id.to_string();
        let range = json!({ "from": "2026-01-05T00:00:00Z", "to": "2026-02-05T00:00:00Z" });
        let mut by = range.clone();
        by["by"] = json!("CAMPAIGN");
        by["measure"] = json!("UNIQUE_CLICKS");
        let variables = json!({ "m": range, "b": by, "id": id });
        let read = api.data(ctx, READ, variables.clone()).await;
        let totals = json!({ "clicks": 4, "uniqueClicks": 2 });
        assert_eq!(read["metrics"]["current"]["totals"], totals);
        let group = json!({ "campaign": { "id": id }, "totals": totals });
        assert_eq!(read["breakdown"]["groups"], json!([group]));
        let link = |url: &str, counts: [i64; 3]| {
            let [clicks, unique, bots] = counts;
            json!({ "url": url, "clicks": clicks, "uniqueClicks": unique, "botClicks": bots })
        };
        let by_link = [link(HELP, [1, 1, 2]), link(SALE, [3, 2, 2])];
        assert_eq!(read["campaign"]["engagement"], json!({
            "clicks": 4, "uniqueClicks": 2, "botClicks": 4, "byLink": by_link,
        }));
        let stranger = key(&house, account(&house, "Other").await, entity::enums::KeyMode::Live);
        let read = api.data(&stranger, READ, variables).await;
        assert_eq!(read["metrics"]["current"]["totals"], json!({ "clicks": 0, "uniqueClicks": 0 }));
        assert_eq!(read["campaign"], Value::Null);
    }

    async fn two_nodes_count_a_recipient_once(house: TestHouse) {
        let (_world, _made, of) = sent(&house, 2).await;
        let other = house.platform_with(|_| {});
        let (one, one_writer) = Links::new(house.platform.clone());
        let (two, two_writer) = Links::new(other);
        for links in [&one, &two] {
            follow(links, &of[0][0], IPHONE, 30).await;
            follow(links, &of[0][1], PIXEL, 10).await;
            follow(links, &of[1][0], WHATSAPP, 5).await;
        }
        let stop = stopped();
        futures::join!(one_writer.run(stop.clone()), two_writer.run(stop));
        assert_eq!(clicks_of_kind(&house, "kind = 0").await, 80);
        assert_eq!(clicks_of_kind(&house, "is_first").await, 1);
        assert_eq!(sum_of_links(&house, "clicks").await, 80);
        assert_eq!(sum_of_links(&house, "unique_clicks").await, 2, "one recipient, two links");
        assert_eq!(sum_of_links(&house, "bot_clicks").await, 10);
        let told = "SELECT count(*) FROM event WHERE kind = ";
        assert_eq!(house.value::<i64>(&format!("{told} 47"), []).await, 79);
        assert_eq!(house.value::<i64>(&format!("{told} 48"), []).await, 1);
        let gaps: i64 = house.value(
            "SELECT max(seq) - count(*) FROM event WHERE account_id = \
             (SELECT account_id FROM link_click LIMIT 1)", []).await;
        assert_eq!(gaps, 0, "the log has no gap");
    }

    async fn a_storm_on_a_link_is_bounded(house: TestHouse) {
        let (_world, _made, of) = sent(&house, 2).await;
        let (links, writer) = Links::new(house.platform.clone());
        let storm = CLICKS_MAX as usize + 100;
        follow(&links, &of[0][0], WHATSAPP, storm).await;
        follow(&links, &of[0][0], IPHONE, storm).await;
        follow(&links, &of[1][0], IPHONE, 1).await;
        writer.run(stopped()).await;
        assert_eq!(sum_of_links(&house, "clicks").await, CLICKS_MAX + 1);
        assert_eq!(sum_of_links(&house, "bot_clicks").await, CLICKS_MAX);
        assert_eq!(sum_of_links(&house, "unique_clicks").await, 2);
        // Later ones do not count either.
        let (links, writer) = Links::new(house.platform.clone());
        follow(&links, &of[0][0], IPHONE, 3).await;
        writer.run(stopped()).await;
        assert_eq!(clicks_of_kind(&house, "kind = 0").await, CLICKS_MAX + 1);
    }

    async fn old_clicks_go_and_what_was_counted_stays(house: TestHouse) {
        let (_world, _made, of) = sent(&house, 2).await;
        let (links, writer) = Links::new(house.platform.clone());
        follow(&links, &of[0][0], IPHONE, 2).await;
        writer.run(stopped()).await;
        let retention = house.platform.settings.links.click_retention_s as u64;
        house.hand.advance(Duration::from_secs(retention - 10));
        let (links, writer) = Links::new(house.platform.clone());
        follow(&links, &of[1][0], IPHONE, 1).await;
        writer.run(stopped()).await;
        assert_eq!(links::purge(&house.system()).await.unwrap(), 0);
        house.hand.advance(Duration::from_secs(11));
        // It leads on, and does not count any more.
        let (links, writer) = Links::new(house.platform.clone());
        follow(&links, &of[0][0], IPHONE, 1).await;
        writer.run(stopped()).await;
        assert_eq!(links::purge(&house.system()).await.unwrap(), 2);
        assert_eq!(links::purge(&house.system()).await.unwrap(), 0);
        assert_eq!(clicks_of_kind(&house, "kind = 0").await, 1);
        assert_eq!(sum_of_links(&house, "clicks").await, 3);
        assert_eq!(sum_of_links(&house, "unique_clicks").await, 2);
    }

    async fn what_fails_half_way_is_not_kept_at_all_and_comes_again(house: TestHouse) {
        let (_world, _made, of) = sent(&house, 2).await;
        // Clicks can be written, and what tells of them cannot.
        house.execute("ALTER TABLE event RENAME TO event_away", []).await;
        let (links, writer) = Links::new(house.platform.clone());
        follow(&links, &of[0][0], IPHONE, 1).await;
        // A node that stops tries once.
        writer.run(stopped()).await;
        assert_eq!(clicks_of_kind(&house, "1 = 1").await, 0);
        assert_eq!(sum_of_links(&house, "clicks").await, 0);

        let (links, writer) = Links::new(house.platform.clone());
        follow(&links, &of[0][0], IPHONE, 2).await;
        follow(&links, &of[1][0], PIXEL, 1).await;
        let stop = CancellationToken::new();
        let writing = tokio::spawn(writer.run(stop.clone()));
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            house.hand.advance(Duration::from_secs(1));
        }
        assert_eq!(clicks_of_kind(&house, "1 = 1").await, 0);
        house.execute("ALTER TABLE event_away RENAME TO event", []).await;
        let all_kept = async {
            while clicks_of_kind(&house, "kind = 0").await < 3 {
                house.hand.advance(Duration::from_secs(1));
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        within(PATIENCE, all_kept).await;
        stop.cancel();
        writing.await.unwrap();
        assert_eq!(clicks_of_kind(&house, "kind = 0").await, 3);
        assert_eq!(sum_of_links(&house, "clicks").await, 3);
        assert_eq!(sum_of_links(&house, "unique_clicks").await, 2);
        let told = "SELECT count(*) FROM event WHERE kind IN (47, 48)";
        assert_eq!(house.value::<i64>(told, []).await, 3);
    }

    async fn more_than_can_wait_is_dropped_and_the_links_lead_on(house: TestHouse) {
        let (_world, _made, of) = sent(&house, 9).await;
        let (links, writer) = Links::new(house.platform.clone());
        let tokens: Vec<&String> = of.iter().flatten().collect();
        let each = WAITING_MAX / tokens.len() + 1;
        assert!(each < CLICKS_MAX as usize);
        for token in &tokens {
            follow(&links, token, PIXEL, each).await;
        }
        writer.run(stopped()).await;
        assert_eq!(sum_of_links(&house, "clicks").await, WAITING_MAX as i64);
        assert_eq!(clicks_of_kind(&house, "is_first").await, 9);
    }

    async fn segments_know_who_got_a_campaign_and_clicked(house: TestHouse) {
        let (world, made, of) = sent(&house, 4).await;
        let ctx = &world.payer.ctx;
        // Arrived at the first three; the first clicked, the second one's phone looked ahead.
        let status = MessageStatus::Delivered.code();
        let arrived = format!("UPDATE message SET status = {status} WHERE place <= 3");
        assert_eq!(house.execute(&arrived, []).await, 3);
        let (links, writer) = Links::new(house.platform.clone());
        follow(&links, &of[0][0], IPHONE, 2).await;
        follow(&links, &of[1][0], WHATSAPP, 1).await;
        writer.run(stopped()).await;
        let numbers: Vec<String> = {
            let rows = house.rows("SELECT recipient FROM message ORDER BY place", []).await;
            rows.iter().map(|row| row.try_get("", "recipient").unwrap()).collect()
        };
        let api = Api::new(&house).await;
        let id = made.id.to_string();
        let now = house.now().0 / 1_000;
        let at = |s: i64| jiff::Timestamp::from_second(s).unwrap().to_string();
        let create = "mutation($c: ContactConditionInput!, $name: String!) { createSegment(input: \
            { name: $name, condition: $c }) { segment { size condition { clickedFrom \
            deliveredInCampaign { id } clickedInCampaign { id } } } userErrors { code message } } }";
        let list = "query($c: ContactConditionInput!) { contacts(first: 9, filter: {condition: $c}) { \
            nodes { number } } }";
        for (name, condition, shown, expected) in [
            ("a", json!({ "clickedFrom": at(now) }), json!([at(now), null, null]), vec![0]),
            ("b", json!({ "clickedFrom": at(now + 1) }), json!([at(now + 1), null, null]), vec![]),
            ("c", json!({ "deliveredInCampaignId": id }), json!([null, { "id": id }, null]), vec![0, 1, 2]),
            ("d", json!({ "clickedInCampaignId": id }), json!([null, null, { "id": id }]), vec![0]),
            ("e", json!({ "all": [{ "deliveredInCampaignId": id },
                { "not": { "clickedInCampaignId": id } }] }), json!([null, null, null]), vec![1, 2]),
        ] {
            let variables = json!({ "c": condition, "name": name });
            let made = api.data(ctx, create, variables).await["createSegment"].clone();
            assert_eq!(made["userErrors"], json!([]), "{condition}");
            assert_eq!(made["segment"]["size"], expected.len(), "{condition}");
            let kept = &made["segment"]["condition"];
            let kept = json!([kept["clickedFrom"], kept["deliveredInCampaign"], kept["clickedInCampaign"]]);
            assert_eq!(kept.to_string().replace(".000Z", "Z"), shown.to_string(), "{condition}");
            let found = api.data(ctx, list, json!({ "c": condition })).await["contacts"]["nodes"].clone();
            let mut found: Vec<_> =
                found.as_array().unwrap().iter().map(|it| it["number"].as_str().unwrap().to_owned()).collect();
            found.sort();
            let mut wanted: Vec<_> = expected.iter().map(|place| numbers[*place].clone()).collect();
            wanted.sort();
            assert_eq!(found, wanted, "{condition}");
        }
        // Another account's campaign is none.
        let stranger = key(&house, account(&house, "Other").await, entity::enums::KeyMode::Live);
        let variables = json!({ "c": { "clickedInCampaignId": id }, "name": "a" });
        let refused = api.data(&stranger, create, variables).await["createSegment"].clone();
        assert_eq!(refused["userErrors"][0]["code"], "INVALID_CONDITION");
    }

    async fn clicks_that_cannot_be_kept_keep_nobody_waiting(house: TestHouse) {
        let (_world, _made, of) = sent(&house, 1).await;
        let visitor = Visitor::new(&house).await;
        let get = || visitor.http.get(visitor.url(&of[0][0])).header("user-agent", IPHONE).send();
        assert_eq!(get().await.unwrap().status(), 302);
        visitor.node.platform().db.clone().close().await.unwrap();
        for _ in 0..50 {
            assert_eq!(get().await.unwrap().status(), 302);
        }
        visitor.node.stop().await;
        let kept = clicks_of_kind(&house, "kind = 0").await;
        assert!(kept <= 1, "{kept}");
        assert_eq!(sum_of_links(&house, "clicks").await, kept);
    }
}
