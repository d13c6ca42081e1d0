//! The events of one campaign's messages, out of its account's log.

use std::sync::{Arc, Mutex};

use entity::enums::KeyMode;
use futures::StreamExt;
use futures::stream::BoxStream;
use heliograph::campaigns;
use heliograph::ctx::{Ctx, Platform};
use serde_json::{Value, json};

use super::{World, work};
use crate::billing::{PART, Payer, accepted, real_numbers};
use crate::graphql_api::{Api, account, key, text};
use crate::support::{PATIENCE, TestHouse, both_stores, within};

const FOLLOW: &str = "subscription($filter: MessageEventFilter, $after: Cursor) { \
    messageEvents(filter: $filter, after: $after) { __typename seq cursor \
    ... on MessageStatusChanged { status } } }";
const WITH_CAMPAIGN: &str = "subscription($filter: MessageEventFilter, $after: Cursor) { \
    messageEvents(filter: $filter, after: $after) { seq \
    ... on MessageStatusChanged { status message { campaign { id } } } } }";

type Events = BoxStream<'static, async_graphql::Response>;

async fn next(stream: &mut Events) -> Value {
    let answer = within(PATIENCE, stream.next()).await.expect("the stream goes on");
    assert!(answer.errors.is_empty(), "{:?}", answer.errors);
    answer.data.into_json().unwrap()["messageEvents"].clone()
}

/// The next events' numbers and statuses.
async fn told(stream: &mut Events, count: usize) -> Vec<(i64, String)> {
    let mut told = Vec::new();
    for _ in 0..count {
        let event = next(stream).await;
        told.push((event["seq"].as_i64().unwrap(), text(&event["status"])));
    }
    told
}

/// The cursor of a message's first event.
async fn cursor(api: &Api, ctx: &Ctx, id: String) -> Value {
    let document = "query($id: ID!) { message(id: $id) { events { cursor } } }";
    api.data(ctx, document, json!({ "id": id })).await["message"]["events"][0]["cursor"].clone()
}

/// The same caller, whose statements are written down.
fn observed(house: &TestHouse, ctx: &Ctx) -> (Ctx, Arc<Mutex<Vec<String>>>) {
    let statements = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&statements);
    let db =
        house.platform.db.clone().observed(move |sql| log.lock().unwrap().push(sql.to_owned()));
    let platform = Platform { db, ..Platform::clone(&house.platform) };
    (Ctx::new(Arc::new(platform), ctx.actor.clone(), Arc::from("test")), statements)
}

both_stores! {
    async fn a_campaigns_events_are_told_alone_and_resumed_without_a_gap(house: TestHouse) {
        let world = World::new(&house, 4).await;
        let api = Api::new(&house).await;
        let ctx = &world.payer.ctx;
        // What is of no campaign, before and between.
        let sent = accepted(&world.payer.send(&house, "before", real_numbers(1)).await);
        let after = cursor(&api, ctx, sent[0].to_string()).await;
        let (other, campaign) = (world.started().await, world.started().await);
        work(&house).await;
        let id = json!(campaign.id.to_string());
        let filter = json!({ "filter": { "campaignId": id }, "after": after });
        let mut stream = api.stream(ctx, FOLLOW, filter.clone());
        let queued = told(&mut stream, 4).await;
        assert!(queued.iter().all(|(_, status)| status == "QUEUED"), "{queued:?}");
        assert!(queued.is_sorted_by(|one, next| one.0 < next.0), "{queued:?}");

        world.payer.send(&house, "between", real_numbers(2)).await;
        campaigns::cancel(ctx, other.id).await.unwrap();
        campaigns::cancel(ctx, campaign.id).await.unwrap();
        work(&house).await;
        let canceled = told(&mut stream, 4).await;
        assert!(canceled.iter().all(|(_, status)| status == "CANCELED"), "{canceled:?}");

        let mut whole = api.stream(ctx, WITH_CAMPAIGN, filter);
        for (seq, status) in queued.iter().chain(&canceled) {
            let event = next(&mut whole).await;
            assert_eq!((&event["seq"], &event["status"]), (&json!(seq), &json!(status)));
            assert_eq!(event["message"]["campaign"]["id"], id);
        }
        let mut first = api.stream(ctx, FOLLOW, json!({ "filter": { "campaignId": id }, "after": after }));
        let second = { next(&mut first).await; next(&mut first).await };
        let again = json!({ "filter": { "campaignId": id }, "after": second["cursor"] });
        let mut resumed = api.stream(ctx, FOLLOW, again);
        let rest: Vec<_> = queued[2..].iter().chain(&canceled).cloned().collect();
        assert_eq!(told(&mut resumed, 6).await, rest);
        let both = json!({ "campaignId": id, "statuses": ["CANCELED"] });
        let mut both = api.stream(ctx, FOLLOW, json!({ "filter": both, "after": after }));
        assert_eq!(told(&mut both, 4).await, canceled);
        assert_eq!(world.payer.has().await.1, 3 * PART, "of the messages of no campaign");
    }

    async fn only_who_follows_a_campaign_pays_for_it_and_by_the_batch(house: TestHouse) {
        let world = World::new(&house, 12).await;
        let api = Api::new(&house).await;
        let sent = accepted(&world.payer.send(&house, "before", real_numbers(1)).await);
        let after = cursor(&api, &world.payer.ctx, sent[0].to_string()).await;
        let campaign = world.started().await;
        work(&house).await;
        let (ctx, statements) = observed(&house, &world.payer.ctx);
        let mut all = api.stream(&ctx, FOLLOW, json!({ "after": after }));
        told(&mut all, 12).await;
        assert_eq!(*statements.lock().unwrap(), Vec::<String>::new());
        let filter = json!({ "campaignId": campaign.id.to_string() });
        let filter = json!({ "filter": filter, "after": after });
        told(&mut api.stream(&ctx, FOLLOW, filter), 12).await;
        let count = statements.lock().unwrap().len();
        assert_eq!(count, 1, "{:#?}", statements.lock().unwrap());
        // What the other conditions leave out is not looked up.
        let filter = json!({ "campaignId": campaign.id.to_string(), "statuses": ["SENT"] });
        let mut none = api.stream(&ctx, FOLLOW, json!({ "filter": filter, "after": after }));
        let mut seen = api.stream(&ctx, FOLLOW, json!({ "after": after }));
        tokio::select! {
            event = none.next() => panic!("{event:?}"),
            _ = told(&mut seen, 12) => {}
        }
        assert_eq!(statements.lock().unwrap().len(), 1);
    }

    async fn a_stranger_hears_nothing_of_a_campaign(house: TestHouse) {
        let world = World::new(&house, 2).await;
        let api = Api::new(&house).await;
        let campaign = world.started().await;
        work(&house).await;
        let stranger = Payer::with(&house, 10 * PART).await;
        let sent = accepted(&stranger.send(&house, "one", real_numbers(3)).await);
        let after = cursor(&api, &stranger.ctx, sent[0].to_string()).await;
        let filter = json!({ "campaignId": campaign.id.to_string() });
        let filter = json!({ "filter": filter, "after": after });
        let (ctx, statements) = observed(&house, &stranger.ctx);
        let mut stream = api.stream(&ctx, FOLLOW, filter);
        let looked_up = async {
            while statements.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
            // Whatever the statement found would be told by now, or with this.
            told(&mut api.stream(&stranger.ctx, FOLLOW, json!({ "after": after })), 2).await;
        };
        tokio::select! {
            event = stream.next() => panic!("{event:?}"),
            () = looked_up => {}
        }
        let nobody = key(&house, account(&house, "None").await, KeyMode::Test);
        let wrong = json!({ "filter": { "campaignId": "msg_01h455vb4pex5vsknk084sn02q" } });
        let mut wrong = api.stream(&nobody, FOLLOW, wrong);
        let answer = within(PATIENCE, wrong.next()).await.unwrap();
        assert_eq!(crate::graphql_api::code_of(&answer.errors[0]), "INVALID_ID");
    }

    async fn a_store_that_does_not_answer_costs_the_stream_time_alone(house: TestHouse) {
        let world = World::new(&house, 3).await;
        let api = Api::new(&house).await;
        let sent = accepted(&world.payer.send(&house, "before", real_numbers(1)).await);
        let after = cursor(&api, &world.payer.ctx, sent[0].to_string()).await;
        let campaign = world.started().await;
        work(&house).await;
        let (ctx, statements) = observed(&house, &world.payer.ctx);
        house.execute("ALTER TABLE message RENAME TO message_away", []).await;
        let filter = json!({ "campaignId": campaign.id.to_string() });
        let mut stream = api.stream(&ctx, FOLLOW, json!({ "filter": filter, "after": after }));
        let tried_twice = async {
            while statements.lock().unwrap().len() < 2 {
                house.hand.advance(std::time::Duration::from_secs(1));
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            event = stream.next() => panic!("{event:?}"),
            () = within(PATIENCE, tried_twice) => {}
        }
        house.execute("ALTER TABLE message_away RENAME TO message", []).await;
        let again = async {
            loop {
                house.hand.advance(std::time::Duration::from_secs(1));
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            told = told(&mut stream, 3) => assert!(told.iter().all(|(_, status)| status == "QUEUED")),
            () = again => {}
        }
    }
}
