//! Campaigns through the contract.

use entity::enums::{KeyMode, Role};
use futures::StreamExt;
use heliograph::campaigns;
use serde_json::{Value, json};

use super::{World, fold_and_work, work};
use crate::billing::PART;
use crate::graphql_api::{Api, account, key, person, text};
use crate::support::{PATIENCE, both_stores, within};

const CREATE: &str = "mutation($input: CreateCampaignInput!) { createCampaign(input: $input) { \
    campaign { id status version } userErrors { code path } } }";
const STATUS: &str = "mutation($id: ID!) { VERB(input: {campaignId: $id}) { \
    campaign { status reason } userErrors { code } } }";

both_stores! {
    async fn a_campaign_is_made_run_and_followed_by_its_contract(house: TestHouse) {
        let world = World::new(&house, 3).await;
        let api = Api::new(&house).await;
        let ctx = &world.payer.ctx;
        let input = json!({ "name": "Spring", "sender": "Acme", "topic": "News",
            "text": "Hi {{name|you}}", "audience": { "listIds": [world.list.to_string()] } });
        let made = api.data(ctx, CREATE, json!({ "input": input })).await["createCampaign"].clone();
        assert_eq!(made["userErrors"], json!([]));
        let id = text(&made["campaign"]["id"]);
        let verb = |verb: &str| STATUS.replace("VERB", verb);
        let variables = || json!({ "id": id });
        let document = "subscription($id: ID!, $after: Cursor) { \
            campaignProgress(campaignId: $id, after: $after) { cursor campaign { status } \
            totals { recipients accepted queued held } ratePerS estimatedEndAt } }";
        let mut stream = api.stream(ctx, document, json!({ "id": id }));
        let next = |answer: async_graphql::Response| {
            assert!(answer.errors.is_empty(), "{:?}", answer.errors);
            answer.data.into_json().unwrap()["campaignProgress"].clone()
        };
        let first = next(within(PATIENCE, stream.next()).await.unwrap());
        assert_eq!(first["campaign"]["status"], "DRAFT");
        let started = api.data(ctx, &verb("startCampaign"), variables()).await;
        assert_eq!(started["startCampaign"]["campaign"]["status"], "RUNNING");
        let again = api.data(ctx, &verb("startCampaign"), variables()).await;
        assert_eq!(again["startCampaign"]["userErrors"], json!([{ "code": "IS_RUNNING" }]));
        work(&house).await;
        fold_and_work(&house).await;
        house.hand.advance(std::time::Duration::from_secs(1));
        let progress = loop {
            let progress = next(within(PATIENCE, stream.next()).await.unwrap());
            if progress["totals"]["queued"] == 3 {
                break progress;
            }
            house.hand.advance(std::time::Duration::from_secs(1));
        };
        assert_eq!(progress["totals"],
            json!({ "recipients": 3, "accepted": 3, "queued": 3, "held": 0 }));
        // Who has this already hears of what comes.
        let after = json!({ "id": id, "after": progress["cursor"] });
        let mut resumed = api.stream(ctx, document, after);
        let pausing = async {
            let paused = api.data(ctx, &verb("pauseCampaign"), variables()).await;
            house.hand.advance(std::time::Duration::from_secs(1));
            paused
        };
        let (told, paused) = futures::join!(within(PATIENCE, resumed.next()), pausing);
        assert_eq!(paused["pauseCampaign"]["campaign"], json!({ "status": "PAUSED", "reason": "REQUESTED" }));
        assert_eq!(next(told.unwrap())["campaign"]["status"], "PAUSED");
        fold_and_work(&house).await;
        fold_and_work(&house).await;
        let seen = "query($id: ID!) { campaign(id: $id) { name sender class topic text isTest \
            audience { lists { name } segments { name } } totals { held queued accepted price { amount } \
            cost { amount } } messages(first: 2) { totalCount nodes { text campaign { id } \
            contact { number } } pageInfo { endCursor } } } \
            campaigns(statuses: [PAUSED, DRAFT]) { totalCount nodes { id } } \
            messages { nodes { campaign { name } } } }";
        let seen = api.data(ctx, seen, variables()).await;
        let campaign = &seen["campaign"];
        assert_eq!(campaign["totals"], json!({ "held": 3, "queued": 0, "accepted": 3,
            "price": { "amount": "0.03" }, "cost": { "amount": "0.00" } }));
        assert_eq!((&campaign["topic"], &campaign["class"]), (&json!("news"), &json!("MARKETING")));
        assert_eq!(campaign["audience"], json!({ "lists": [{ "name": "All" }], "segments": [] }));
        let messages = &campaign["messages"];
        assert_eq!(messages["totalCount"], 3);
        assert_eq!(messages["nodes"][0]["contact"]["number"], super::number(2));
        assert_eq!(messages["nodes"][0]["text"], "Hi you");
        assert_eq!(messages["nodes"][1]["campaign"]["id"], Value::from(id.clone()));
        assert_eq!(seen["campaigns"], json!({ "totalCount": 1, "nodes": [{ "id": id }] }));
        assert_eq!(seen["messages"]["nodes"][0]["campaign"]["name"], "Spring");
        let rest = "query($id: ID!, $after: Cursor) { campaign(id: $id) { \
            messages(after: $after, statuses: [HELD]) { nodes { text } } } }";
        let after = json!({ "id": id, "after": messages["pageInfo"]["endCursor"] });
        let rest = api.data(ctx, rest, after).await;
        assert_eq!(rest["campaign"]["messages"]["nodes"], json!([{ "text": "Hi N0" }]));
        let canceled = api.data(ctx, &verb("cancelCampaign"), variables()).await;
        assert_eq!(canceled["cancelCampaign"]["campaign"]["status"], "CANCELED");
    }

    async fn what_is_wrong_with_a_campaign_is_told_by_its_place(house: TestHouse) {
        let world = World::new(&house, 1).await;
        let api = Api::new(&house).await;
        let ctx = &world.payer.ctx;
        let gone = format!("list_{}", "0".repeat(26));
        let past = "2026-01-05T00:00:00Z";
        for (more, code, path) in [
            (json!({ "name": " " }), "INVALID_NAME", "name"),
            (json!({ "name": "x".repeat(101) }), "INVALID_NAME", "name"),
            (json!({ "sender": "much too long a name" }), "INVALID_SENDER", "sender"),
            (json!({ "class": "OTP" }), "INVALID_CLASS", "class"),
            (json!({ "topic": "a b" }), "INVALID_TOPIC", "topic"),
            (json!({ "text": "Hi {{name" }), "INVALID_TEXT", "text"),
            (json!({ "text": "x".repeat(3_001) }), "INVALID_TEXT", "text"),
            (json!({ "text": "Hi {{town}}" }), "UNKNOWN_ATTRIBUTE", "text"),
            (json!({ "audience": {} }), "INVALID_AUDIENCE", "audience"),
            (json!({ "audience": { "listIds": [gone] } }), "INVALID_AUDIENCE", "audience"),
            (json!({ "audience": { "listIds": vec![world.list.to_string(); 21] } }), "INVALID_AUDIENCE", "audience"),
            (json!({ "ratePerS": 0 }), "INVALID_RATE", "ratePerS"),
            (json!({ "ratePerS": 100_001 }), "INVALID_RATE", "ratePerS"),
            (json!({ "sendAt": past }), "SEND_AT_IN_PAST", "sendAt"),
            (json!({ "sendAt": "2028-01-05T00:00:00Z" }), "SEND_AT_TOO_FAR", "sendAt"),
        ] {
            let mut input = json!({ "name": "Spring", "sender": "Acme", "text": "Hi",
                "audience": { "listIds": [world.list.to_string()] } });
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let refused = api.data(ctx, CREATE, json!({ "input": input })).await;
            let errors = &refused["createCampaign"]["userErrors"];
            assert_eq!(*errors, json!([{ "code": code, "path": [path] }]), "{more}");
        }
        let campaign = world.create().await;
        let update = "mutation($input: UpdateCampaignInput!) { updateCampaign(input: $input) { \
            campaign { name topic ratePerS text version } userErrors { code } } }";
        let input = json!({ "campaignId": campaign.id.to_string(), "version": 1, "name": "Summer",
            "topic": "sales", "ratePerS": 5 });
        let changed = api.data(ctx, update, json!({ "input": input })).await["updateCampaign"].clone();
        assert_eq!(changed["campaign"], json!({ "name": "Summer", "topic": "sales", "ratePerS": 5,
            "text": "Hi {{name|you}}", "version": 2 }));
        let again = api.data(ctx, update, json!({ "input": input })).await;
        assert_eq!(again["updateCampaign"]["userErrors"], json!([{ "code": "VERSION_CONFLICT" }]));
        let input = json!({ "campaignId": campaign.id.to_string(), "version": 2, "topic": null, "ratePerS": null });
        let changed = api.data(ctx, update, json!({ "input": input })).await["updateCampaign"].clone();
        assert_eq!((&changed["campaign"]["topic"], &changed["campaign"]["ratePerS"]), (&Value::Null, &Value::Null));
    }

    async fn a_stranger_meets_no_campaign_and_a_viewer_only_reads(house: TestHouse) {
        let world = World::new(&house, 1).await;
        let api = Api::new(&house).await;
        let campaign = world.create().await;
        let other = key(&house, account(&house, "Other").await, KeyMode::Live);
        let variables = json!({ "id": campaign.id.to_string() });
        for verb in ["startCampaign", "pauseCampaign", "resumeCampaign", "cancelCampaign"] {
            let document = STATUS.replace("VERB", verb);
            let refused = api.data(&other, &document, variables.clone()).await;
            assert_eq!(refused[verb]["userErrors"], json!([{ "code": "CAMPAIGN_NOT_FOUND" }]));
            let viewer = person(&house, world.payer.account_id, Role::Viewer);
            assert_eq!(api.code(&viewer, &document, variables.clone()).await, "FORBIDDEN");
            let seen = api.data(&viewer, "query($id: ID!) { campaign(id: $id) { status } }", variables.clone()).await;
            assert_eq!(seen["campaign"]["status"], "DRAFT");
        }
        let document = "subscription($id: ID!) { campaignProgress(campaignId: $id) { campaign { id } } }";
        let mut stream = api.stream(&other, document, variables.clone());
        let told = within(PATIENCE, stream.next()).await.unwrap();
        assert_eq!(told.data.into_json().unwrap(), json!({ "campaignProgress": null }));
        assert!(within(PATIENCE, stream.next()).await.is_none());
        let seen = api.data(&other, "query($id: ID!) { campaign(id: $id) { id } node(id: $id) { id } \
            campaigns { nodes { id } } }", variables).await;
        assert_eq!(seen, json!({ "campaign": null, "node": null, "campaigns": { "nodes": [] } }));
    }

    async fn a_preview_says_what_it_takes_and_a_test_shows_it(house: TestHouse) {
        let world = World::new(&house, 5).await;
        let api = Api::new(&house).await;
        let ctx = &world.payer.ctx;
        let carrier: entity::ids::CarrierId = house.platform.ids.next();
        let sql = "INSERT INTO carrier VALUES ($1, 'North', 1, '{}', NULL, true, 1, 0, 0)";
        house.execute(sql, [carrier.0.into()]).await;
        let sql = "INSERT INTO route VALUES ($1, '', $1, 0, 1, 0)";
        house.execute(sql, [carrier.0.into()]).await;
        super::opt_out_of(&world, &super::number(4)).await;
        let campaign = world.create().await;
        let preview = "mutation($id: ID!) { previewCampaign(input: {campaignId: $id, examples: 10}) { \
            preview { recipients suppressed refused parts cost { amount } isExact sampleSize \
            examples { contact { number } text parts price { amount } error { code } } } \
            userErrors { code } } }";
        let variables = json!({ "id": campaign.id.to_string() });
        let told = api.data(ctx, preview, variables.clone()).await["previewCampaign"].clone();
        let told = &told["preview"];
        assert_eq!((&told["recipients"], &told["suppressed"], &told["refused"]), (&json!(5), &json!(1), &json!(0)));
        assert_eq!((&told["parts"], &told["cost"]["amount"]), (&json!(4.0), &json!("0.04")));
        assert_eq!((&told["isExact"], &told["sampleSize"]), (&json!(true), &json!(4)));
        let mut texts: Vec<_> = told["examples"].as_array().unwrap().iter()
            .map(|example| (text(&example["contact"]["number"]), text(&example["text"])))
            .collect();
        texts.sort();
        let example = |n: usize, text: &str| (super::number(n), text.to_owned());
        assert_eq!(texts, [example(0, "Hi N0"), example(1, "Hi N1"), example(2, "Hi you"), example(3, "Hi N3")]);
        assert_eq!(world.payer.has().await.1, 0, "nothing is held");
        // What it takes is what it then takes.
        let test = "mutation($input: SendCampaignTestInput!) { sendCampaignTest(input: $input) { \
            results { message { to text campaign { id } } error { code } } replayed userErrors { code } } }";
        let input = |more: Value| {
            let mut input = json!({ "campaignId": campaign.id.to_string(), "idempotencyKey": "k",
                "to": ["+4915112345671", "12"] });
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({ "input": input })
        };
        let contact = world.contacts[1].to_string();
        let tested = api.data(ctx, test, input(json!({ "contactId": contact }))).await["sendCampaignTest"].clone();
        assert_eq!(tested["results"], json!([
            { "message": { "to": "+4915112345671", "text": "Hi N1", "campaign": null }, "error": null },
            { "message": null, "error": { "code": "INVALID_RECIPIENT" } },
        ]));
        let again = api.data(ctx, test, input(json!({ "contactId": contact }))).await;
        assert_eq!(again["sendCampaignTest"]["replayed"], true);
        for (more, code) in [
            (json!({ "to": [] }), "NO_NUMBERS"),
            (json!({ "to": vec!["+4915112345671"; 11] }), "TOO_MANY_NUMBERS"),
            (json!({ "contactId": format!("cont_{}", "0".repeat(26)) }), "CONTACT_NOT_FOUND"),
            (json!({ "campaignId": format!("camp_{}", "0".repeat(26)) }), "CAMPAIGN_NOT_FOUND"),
            (json!({ "idempotencyKey": "" }), "INVALID_IDEMPOTENCY_KEY"),
            (json!({}), "IDEMPOTENCY_KEY_REUSED"),
        ] {
            let refused = api.data(ctx, test, input(more)).await;
            assert_eq!(refused["sendCampaignTest"]["userErrors"], json!([{ "code": code }]));
        }
        campaigns::cancel(ctx, campaign.id).await.unwrap();
        let over = api.data(ctx, test, input(json!({ "idempotencyKey": "l" }))).await;
        assert_eq!(over["sendCampaignTest"]["userErrors"], json!([{ "code": "CAMPAIGN_OVER" }]));
    }

    async fn a_test_key_s_campaign_is_played_and_costs_nothing(house: TestHouse) {
        let world = World::new(&house, 2).await;
        let tester = key(&house, world.payer.account_id, KeyMode::Test);
        let campaign = campaigns::create(&tester, world.new_campaign()).await.unwrap();
        assert!(campaign.is_test);
        campaigns::start(&tester, campaign.id).await.unwrap();
        work(&house).await;
        let sql = "SELECT COUNT(*) FROM message WHERE is_test AND charged_micros = 0";
        assert_eq!(house.value::<i64>(sql, []).await, 2);
        assert_eq!(world.payer.has().await, (10_000 * PART, 0));
    }
}
