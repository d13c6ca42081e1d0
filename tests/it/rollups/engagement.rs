//! What people did: counted once, at their account and at the campaign that they answer.

use std::time::Duration;

use entity::enums::ConsentSource;
use heliograph::contacts::ScopeRef;
use heliograph::messages::opt_out::{self, RecordedConsent};
use heliograph::rollups::Folder;
use heliograph::{campaigns, senders};
use serde_json::{Value, json};

use crate::billing::scripted_carrier::{self, takes_all};
use crate::campaigns::{World, number, work};
use crate::graphql_api::{Api, account, key};
use crate::messages::{subscribe, until_all};
use crate::support::both_stores;

/// The account's number.
const OURS: &str = "12345";

const READ: &str = "query($m: MetricsInput!, $b: BreakdownInput!, $id: ID!) { \
    metrics(input: $m) { current { totals { accepted optOuts replies } } } \
    breakdown(input: $b) { groups { campaign { id } totals { accepted optOuts replies } } \
      totals { accepted optOuts replies } } \
    campaign(id: $id) { engagement { optOuts replies } } }";

fn figures(accepted: i64, opt_outs: i64, replies: i64) -> Value {
    json!({ "accepted": accepted, "optOuts": opt_outs, "replies": replies })
}

both_stores! {
    async fn opt_outs_and_replies_count_at_the_campaign_that_they_answer(house: TestHouse) {
        let world = World::new(&house, 4).await;
        let ctx = &world.payer.ctx;
        senders::approve_value(&house.system(), world.payer.account_id, OURS).await.unwrap();
        let new = campaigns::NewCampaign { sender: OURS.to_owned(), ..world.new_campaign() };
        let campaign = campaigns::create(ctx, new).await.unwrap();
        campaigns::start(ctx, campaign.id).await.unwrap();
        work(&house).await;
        let mut events = subscribe(&house, ctx).await;
        let mut carrier = scripted_carrier::start(&house, takes_all);
        let mut left = Vec::new();
        for _ in 0..4 {
            left.push(carrier.submission().await.message_id);
        }
        until_all(&mut events, &left, &[entity::enums::MessageStatus::Sent]).await;
        // One answers twice and one objects twice; a stranger writes, and objects.
        carrier.wrote(&number(0), OURS, "is it open?").await;
        carrier.wrote(&number(0), OURS, "thanks").await;
        carrier.wrote(&number(1), OURS, "STOP").await;
        carrier.wrote(&number(1), OURS, "STOP").await;
        carrier.wrote("+447400123456", OURS, "who is this?").await;
        carrier.wrote("+447400123456", OURS, "STOP").await;
        carrier.stop().await;
        let objects = |n: usize| RecordedConsent {
            whose: opt_out::Whose::Number(number(n)),
            granted: false,
            scope: Some(ScopeRef::Account),
            source: ConsentSource::WebForm,
            wording: "no more".to_owned(),
            ip: None,
            occurred_at: None,
        };
        opt_out::record_consent(ctx, objects(2)).await.unwrap();
        opt_out::record_consent(ctx, objects(2)).await.unwrap();
        // What the account itself decides is no opt-out.
        let decided = opt_out::Numbers {
            numbers: vec![number(3)],
            scope: Some(ScopeRef::Account),
            note: None,
        };
        let manual = entity::enums::SuppressionReason::Manual;
        opt_out::suppress(ctx, decided, manual).await.unwrap();

        let folders = [Folder::default(), Folder::default()];
        let system = house.system();
        let (one, other) = futures::join!(folders[0].fold(&system), folders[1].fold(&system));
        assert!(one.unwrap() + other.unwrap() > 0);
        folders[1].fold(&system).await.unwrap();

        let api = Api::new(&house).await;
        let range = json!({ "from": "2026-01-05T00:00:00Z", "to": "2026-02-05T00:00:00Z" });
        let with = |more: Value| {
            let mut input = range.clone();
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            input
        };
        let id = campaign.id.to_string();
        let variables = |filter: Value| json!({
            "m": with(filter), "b": with(json!({ "by": "CAMPAIGN", "measure": "OPT_OUTS" })), "id": id,
        });
        let read = api.data(ctx, READ, variables(json!({}))).await;
        let total = &read["metrics"]["current"]["totals"];
        assert_eq!(total, &figures(4, 3, 6));
        let suppressed: i64 =
            house.value("SELECT count(*) FROM suppression WHERE reason = 0", []).await;
        assert_eq!(total["optOuts"], suppressed, "a chart's total is the list's");
        let inbound: i64 = house.value("SELECT count(*) FROM inbound_message", []).await;
        assert_eq!(total["replies"], inbound);
        let own = figures(4, 2, 4);
        assert_eq!(read["breakdown"]["groups"], json!([{ "campaign": { "id": id }, "totals": own }]));
        assert_eq!(read["breakdown"]["totals"], own, "what belongs to no campaign is left out");
        assert_eq!(read["campaign"]["engagement"], json!({ "optOuts": 2, "replies": 4 }));
        let filtered = json!({ "filter": { "campaignIds": [id] } });
        let read = api.data(ctx, READ, variables(filtered)).await;
        assert_eq!(read["metrics"]["current"]["totals"], own);
        let none = json!({ "filter": { "campaignIds": [] } });
        let read = api.data(ctx, READ, variables(none)).await;
        assert_eq!(read["metrics"]["current"]["totals"], figures(0, 0, 0));
        let stranger = key(&house, account(&house, "Other").await, entity::enums::KeyMode::Live);
        let read = api.data(&stranger, READ, variables(json!({}))).await;
        assert_eq!(read["metrics"]["current"]["totals"], figures(0, 0, 0));
        assert_eq!(read["campaign"], Value::Null);

        // Eight days later nobody knows any more what is answered.
        house.hand.advance(Duration::from_secs(8 * 86_400));
        opt_out::record_consent(ctx, objects(0)).await.unwrap();
        folders[0].fold(&system).await.unwrap();
        let read = api.data(ctx, READ, variables(json!({}))).await;
        assert_eq!(read["metrics"]["current"]["totals"], figures(4, 4, 6));
        assert_eq!(read["campaign"]["engagement"], json!({ "optOuts": 2, "replies": 4 }));
    }
}
