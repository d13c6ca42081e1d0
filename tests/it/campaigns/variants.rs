//! Variants: who gets which, the same whatever happens, and what becomes of each.

use std::collections::{BTreeMap, HashSet};
use std::panic::AssertUnwindSafe;

use entity::campaign::Model as Campaign;
use entity::campaign_variant::Model as Variant;
use entity::enums::{CampaignStatus, MessageStatus};
use entity::ids::ContactId;
use futures::{FutureExt, StreamExt};
use heliograph::campaigns::{
    self, CampaignChange, Examples, NewCampaign, NewVariant, WriteCampaignRejection,
};
use heliograph::carriers::ReceiptState;
use heliograph::error::Error;
use heliograph::links::Links;
use heliograph::messages::retry::Retried;
use heliograph::{rollups, senders};
use http::header::{HeaderMap, HeaderValue, USER_AGENT};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{World, dying, fold_and_work, number, opt_out_of, work};
use crate::billing::{PART, Payer, scripted_carrier};
use crate::graphql_api::{Api, account, key};
use crate::links::{HELP, SALE, tokens};
use crate::messages::{subscribe, until_all};
use crate::support::{PATIENCE, TestHouse, both_stores, within};

type Who = BTreeMap<ContactId, String>;

fn variant(name: &str, text: &str, weight: i32) -> NewVariant {
    NewVariant { name: name.to_owned(), text: text.to_owned(), weight }
}

/// Two to one, with an address that both lead to.
fn two_to_one(world: &World) -> NewCampaign {
    let long = format!("long {{{{name|you}}}} {{{{link {SALE}}}}}");
    let brief = format!("brief {{{{link {HELP}}}}} {{{{link {SALE}}}}}");
    let variants = vec![variant("long", &long, 2), variant("brief", &brief, 1)];
    NewCampaign { text: None, variants: Some(variants), ..world.new_campaign() }
}

/// Who would get which variant.
async fn previewed(house: &TestHouse, world: &World, campaign: &Campaign) -> Who {
    let tables = Payer::tables(house).await;
    let wanted = Examples { count: 10, variant: None };
    let told = campaigns::preview(&world.payer.ctx, &tables, campaign.id, &wanted).await.unwrap();
    assert_eq!(told.examples.len() as u64, told.recipients, "all are shown");
    told.examples.into_iter().map(|it| (it.contact_id, it.variant.unwrap())).collect()
}

/// Who got which; each text is that of its variant.
async fn sent(house: &TestHouse, campaign: &Campaign) -> Who {
    let sql = "SELECT m.contact_id, v.name, t.body FROM message m \
        JOIN message_text t ON t.account_id = m.account_id AND t.id = m.text_id \
        JOIN campaign_variant v ON v.account_id = m.account_id AND v.campaign_id = m.campaign_id \
        AND v.ordinal = m.variant WHERE m.campaign_id = $1";
    let rows = house.rows(sql, [campaign.id.0.into()]).await;
    let who = rows.iter().map(|row| {
        let name: String = row.try_get("", "name").unwrap();
        let text = String::from_utf8(row.try_get("", "body").unwrap()).unwrap();
        assert!(text.starts_with(&name), "{name}: {text}");
        (row.try_get("", "contact_id").unwrap(), name)
    });
    let who: Who = who.collect();
    assert_eq!(who.len(), rows.len(), "one message a contact");
    who
}

/// What is added up by variant, as far as it is added up for the campaign too.
fn sums(row: &Variant) -> [i64; 18] {
    [
        row.scheduled,
        row.held,
        row.queued,
        row.sent,
        row.enroute,
        row.delivered,
        row.undelivered,
        row.expired,
        row.rejected,
        row.failed,
        row.canceled,
        row.unknown,
        row.parts,
        row.cost_micros,
        row.opt_outs,
        row.replies,
        row.clicks,
        row.unique_clicks,
    ]
}

/// The variants, once it is sure that they add up to the campaign.
async fn added_up(world: &World, campaign: &Campaign) -> Vec<Variant> {
    let ctx = &world.payer.ctx;
    let variants = campaigns::variants(ctx, &[campaign.id]).await.unwrap();
    let mut all = [0; 18];
    for row in &variants {
        all.iter_mut().zip(sums(row)).for_each(|(sum, more)| *sum += more);
    }
    let whole = campaigns::totals(ctx, &[campaign.id]).await.unwrap().remove(0);
    let whole = [
        whole.scheduled,
        whole.held,
        whole.queued,
        whole.sent,
        whole.enroute,
        whole.delivered,
        whole.undelivered,
        whole.expired,
        whole.rejected,
        whole.failed,
        whole.canceled,
        whole.unknown,
        whole.parts,
        whole.cost_micros,
        whole.opt_outs,
        whole.replies,
        whole.clicks,
        whole.unique_clicks,
    ];
    assert_eq!(all, whole);
    variants
}

fn refused(outcome: Result<Campaign, Error<WriteCampaignRejection>>) -> WriteCampaignRejection {
    match outcome.unwrap_err() {
        Error::Rejected(why) => why,
        other => panic!("{other:?}"),
    }
}

both_stores! {
    async fn recipients_are_split_as_the_preview_says(house: TestHouse) {
        let world = World::new(&house, 3).await;
        world.add_contacts(&house, 597).await;
        let ctx = &world.payer.ctx;
        opt_out_of(&world, &number(0)).await;
        let campaign = campaigns::create(ctx, two_to_one(&world)).await.unwrap();
        let tables = Payer::tables(&house).await;
        let wanted = Examples { count: 10, variant: Some("brief".to_owned()) };
        let told = campaigns::preview(ctx, &tables, campaign.id, &wanted).await.unwrap();
        assert!(told.is_exact);
        assert_eq!((told.examples.len(), told.recipients, told.suppressed), (10, 600, 1));
        assert!(told.examples.iter().all(|it| it.variant.as_deref() == Some("brief")
            && it.text.starts_with("brief http")));
        let [long, brief] = &told.variants[..] else { panic!("{:?}", told.variants) };
        assert_eq!(long.recipients + brief.recipients, 599);
        assert_eq!(long.parts + brief.parts, told.parts);
        assert_eq!(long.cost.0 + brief.cost.0, told.cost.0);
        // Six standard deviations around two thirds.
        assert!((330..=468).contains(&long.recipients), "{}", long.recipients);

        campaigns::start(ctx, campaign.id).await.unwrap();
        work(&house).await;
        let who = sent(&house, &campaign).await;
        let got = |name: &str| who.values().filter(|it| *it == name).count() as u64;
        assert_eq!((got("long"), got("brief")), (long.recipients, brief.recipients));
        for example in &told.examples {
            assert_eq!(who[&example.contact_id], "brief");
        }
        let read = world.read(&campaign).await;
        assert_eq!((read.accepted, read.suppressed), (599, 1));
        assert_eq!(read.price_micros, told.cost.0);
        let links: i64 = house.value("SELECT count(*) FROM short_link", []).await;
        assert_eq!(links, 2, "an address that both variants lead to has one row");
        fold_and_work(&house).await;
        let variants = added_up(&world, &campaign).await;
        let queued: Vec<_> = variants.iter().map(|it| (it.name.as_str(), it.queued)).collect();
        assert_eq!(queued, [("long", long.recipients as i64), ("brief", brief.recipients as i64)]);
    }

    async fn a_crash_a_pause_and_a_slow_rate_change_nobodys_variant(house: TestHouse) {
        let world = World::new(&house, 8).await;
        let ctx = &world.payer.ctx;
        let mut crashes = 0;
        let mut splits = HashSet::new();
        for after in (1..).step_by(3) {
            let new = NewCampaign { rate_per_s: Some(3), ..two_to_one(&world) };
            let campaign = campaigns::create(ctx, new).await.unwrap();
            let expected = previewed(&house, &world, &campaign).await;
            campaigns::start(ctx, campaign.id).await.unwrap();
            let tables = Payer::tables(&house).await;
            let worker = dying(&house, after);
            let run = AssertUnwindSafe(campaigns::run(&worker, &tables)).catch_unwind().await;
            for _ in 0..3 {
                work(&house).await;
                campaigns::pause(ctx, campaign.id).await.unwrap();
                work(&house).await;
                campaigns::resume(ctx, campaign.id).await.unwrap();
                house.hand.advance(std::time::Duration::from_secs(1));
            }
            work(&house).await;
            assert_eq!(sent(&house, &campaign).await, expected, "after {after} statements");
            campaigns::cancel(ctx, campaign.id).await.unwrap();
            work(&house).await;
            splits.insert(expected);
            if run.is_ok() {
                break;
            }
            crashes += 1;
        }
        assert!((3..100).contains(&crashes), "{crashes} crashes");
        assert!(splits.len() > 1, "each campaign splits anew");
        fold_and_work(&house).await;
    }

    async fn a_retry_keeps_everybodys_variant_and_so_does_its_own_retry(house: TestHouse) {
        let world = World::new(&house, 10).await;
        let ctx = &world.payer.ctx;
        let parent = campaigns::create(ctx, two_to_one(&world)).await.unwrap();
        let expected = previewed(&house, &world, &parent).await;
        let mut campaign = parent.clone();
        for generation in 0..3 {
            assert_eq!(previewed(&house, &world, &campaign).await, expected);
            campaigns::start(ctx, campaign.id).await.unwrap();
            work(&house).await;
            assert_eq!(sent(&house, &campaign).await, expected, "generation {generation}");
            let expire = "UPDATE message SET status = $1 WHERE campaign_id = $2";
            let expired = MessageStatus::ExpiredHere.code();
            house.execute(expire, [expired.into(), campaign.id.0.into()]).await;
            campaigns::cancel(ctx, campaign.id).await.unwrap();
            let retried = Retried { campaign_id: campaign.id, includes_unknown: false };
            campaign = campaigns::retry_failed(ctx, retried).await.unwrap();
            assert_eq!(campaign.split_from, Some(parent.id));
        }
        // Only what its variants say may change.
        let change = |text: Option<&str>, variants: Option<Vec<NewVariant>>| CampaignChange {
            text: text.map(str::to_owned),
            variants,
            ..CampaignChange::default()
        };
        let other = |names: [&str; 2], weights: [i32; 2]| {
            let text = |name: &str| format!("{name}, once more");
            let of = |n: usize| variant(names[n], &text(names[n]), weights[n]);
            Some(vec![of(0), of(1)])
        };
        let (id, version) = (campaign.id, campaign.version);
        for refusable in [
            change(Some("the same to all"), None),
            change(None, other(["long", "brief"], [1, 1])),
            change(None, other(["brief", "long"], [2, 1])),
            change(None, other(["long", "short"], [2, 1])),
        ] {
            let why = refused(campaigns::update(ctx, id, version, refusable).await);
            assert_eq!(why, WriteCampaignRejection::SplitOfRetry);
        }
        let texts = change(None, other(["long", "brief"], [2, 1]));
        campaigns::update(ctx, id, version, texts).await.unwrap();
        campaigns::start(ctx, id).await.unwrap();
        work(&house).await;
        assert_eq!(sent(&house, &campaign).await, expected);
        let sql = "SELECT count(DISTINCT text_id) FROM message WHERE campaign_id = $1";
        let texts: i64 = house.value(sql, [id.0.into()]).await;
        assert_eq!(texts, 2, "without merge fields or links");
    }

    async fn what_became_of_each_variant_adds_up_to_the_campaign(house: TestHouse) {
        let world = World::new(&house, 10).await;
        let ctx = &world.payer.ctx;
        let ours = "12345";
        senders::approve_value(&house.system(), world.payer.account_id, ours).await.unwrap();
        let new = NewCampaign { sender: ours.to_owned(), ..two_to_one(&world) };
        let campaign = campaigns::create(ctx, new).await.unwrap();
        campaigns::start(ctx, campaign.id).await.unwrap();
        work(&house).await;
        let who = sent(&house, &campaign).await;
        let of = |n: usize| who[&world.contacts[n]].as_str();
        let mut events = subscribe(&house, ctx).await;
        let mut carrier = scripted_carrier::start(&house, scripted_carrier::takes_all);
        let mut left = Vec::new();
        for _ in 0..10 {
            left.push(carrier.submission().await);
        }
        let ids: Vec<_> = left.iter().map(|it| it.message_id).collect();
        until_all(&mut events, &ids, &[MessageStatus::Sent]).await;
        let folder = rollups::Folder::default();
        folder.fold(&house.system()).await.unwrap();
        let mut reported = Vec::new();
        for submission in &left {
            let state = match submission.to.chars().last() {
                Some('0' | '3' | '4' | '7') => ReceiptState::Delivered,
                Some('2' | '8') => ReceiptState::Undeliverable,
                _ => continue,
            };
            carrier.came_to(submission, state);
            reported.push(submission.message_id);
        }
        let ends = [MessageStatus::Delivered, MessageStatus::Undelivered];
        until_all(&mut events, &reported, &ends).await;
        carrier.wrote(&number(0), ours, "is it open?").await;
        carrier.wrote(&number(1), ours, "STOP").await;
        carrier.stop().await;
        house.hand.advance(std::time::Duration::from_secs(60));
        let (links, writer) = Links::new(house.platform.clone());
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 \
            (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";
        let phone = HeaderMap::from_iter([(USER_AGENT, HeaderValue::from_static(phone))]);
        let texts = crate::links::texts(&house).await;
        for (n, times) in [(0, 3), (5, 1)] {
            for token in tokens(&house, &texts[n]) {
                for _ in 0..times {
                    assert!(links.follow(&token, None, Some(&phone)).await.unwrap().is_some());
                }
            }
        }
        let stop = CancellationToken::new();
        stop.cancel();
        writer.run(stop).await;
        // Two nodes at once, one of which remembers the messages.
        let (system, other) = (house.system(), rollups::Folder::default());
        let (one, two) = futures::join!(folder.fold(&system), other.fold(&system));
        assert!(one.unwrap() + two.unwrap() > 0);
        folder.fold(&system).await.unwrap();
        work(&house).await;
        assert_eq!(world.stands(&campaign).await.0, CampaignStatus::Finished);

        let variants = added_up(&world, &campaign).await;
        assert_eq!(variants.len(), 2);
        for row in &variants {
            let is = |n: &usize| of(*n) == row.name;
            let count = |of: &[usize]| of.iter().copied().filter(|n| is(n)).count() as i64;
            let all = count(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
            let (arrived, lost) = (count(&[0, 3, 4, 7]), count(&[2, 8]));
            assert_eq!((row.sent, row.delivered), (all - arrived - lost, arrived));
            assert_eq!((row.undelivered, row.parts), (lost, all));
            assert_eq!(row.cost_micros, all * PART);
            assert_eq!((row.replies, row.opt_outs), (count(&[0, 1]), count(&[1])));
            let links_of_text = if row.name == "long" { 1 } else { 2 };
            let clicks = links_of_text * (3 * count(&[0]) + count(&[5]));
            assert_eq!((row.clicks, row.unique_clicks), (clicks, count(&[0, 5])), "{}", row.name);
        }

        let api = Api::new(&house).await;
        let fields = "variants { name weight text totals { accepted sent delivered queued held scheduled \
            undelivered expired rejected failed canceled unknown parts cost { amount } } \
            engagement { optOuts replies clicks uniqueClicks } }";
        let document = format!("query($id: ID!) {{ campaign(id: $id) {{ text {fields} \
            messages {{ nodes {{ campaignVariant {{ name }} contact {{ id }} }} }} }} }}");
        let id = json!({ "id": campaign.id.to_string() });
        let read = api.data(ctx, &document, id.clone()).await["campaign"].clone();
        for (shown, row) in read["variants"].as_array().unwrap().iter().zip(&variants) {
            let made = row.sent + row.delivered + row.undelivered;
            assert_eq!((&shown["name"], &shown["text"]), (&json!(row.name), &json!(row.template)));
            assert_eq!(shown["totals"]["accepted"], made);
            assert_eq!(shown["totals"]["delivered"], row.delivered);
            assert_eq!(shown["totals"]["cost"]["amount"], format!("0.{made:02}"));
            assert_eq!(shown["engagement"], json!({ "optOuts": row.opt_outs, "replies": row.replies,
                "clicks": row.clicks, "uniqueClicks": row.unique_clicks }));
        }
        assert_eq!(read["text"], read["variants"][0]["text"]);
        for message in read["messages"]["nodes"].as_array().unwrap() {
            let contact: ContactId = message["contact"]["id"].as_str().unwrap().parse().unwrap();
            assert_eq!(message["campaignVariant"]["name"], json!(who[&contact]));
        }
        let stream = format!("subscription($id: ID!) {{ campaignProgress(campaignId: $id) {{ \
            campaign {{ {fields} }} }} }}");
        let mut stream = api.stream(ctx, &stream, id.clone());
        let told = within(PATIENCE, stream.next()).await.unwrap().data.into_json().unwrap();
        assert_eq!(told["campaignProgress"]["campaign"]["variants"], read["variants"]);
        let stranger = key(&house, account(&house, "Other").await, entity::enums::KeyMode::Live);
        let read = api.data(&stranger, &document, id).await;
        assert_eq!(read["campaign"], json!(null));
    }

    async fn what_is_wrong_with_variants_is_told_by_its_place(house: TestHouse) {
        let world = World::new(&house, 1).await;
        let api = Api::new(&house).await;
        let ctx = &world.payer.ctx;
        let create = "mutation($input: CreateCampaignInput!) { createCampaign(input: $input) { \
            campaign { id text variants { name text weight totals { accepted } } } \
            userErrors { code path } } }";
        let both = |second: serde_json::Value| json!([{ "name": "A", "text": "Hi" }, second]);
        let many: Vec<_> = (0..6).map(|n| json!({ "name": n.to_string(), "text": "Hi" })).collect();
        for (more, code, path) in [
            (json!({}), "TEXT_REQUIRED", json!(["text"])),
            (json!({ "text": "Hi", "variants": both(json!({ "name": "B", "text": "Ho" })) }),
                "TEXT_AND_VARIANTS", json!(["variants"])),
            (json!({ "variants": [] }), "INVALID_VARIANT_COUNT", json!(["variants"])),
            (json!({ "variants": many[..1] }), "INVALID_VARIANT_COUNT", json!(["variants"])),
            (json!({ "variants": many }), "INVALID_VARIANT_COUNT", json!(["variants"])),
            (json!({ "variants": both(json!({ "name": " ", "text": "Ho" })) }),
                "INVALID_VARIANT_NAME", json!(["variants", "1", "name"])),
            (json!({ "variants": both(json!({ "name": "x".repeat(51), "text": "Ho" })) }),
                "INVALID_VARIANT_NAME", json!(["variants", "1", "name"])),
            (json!({ "variants": both(json!({ "name": " A ", "text": "Ho" })) }),
                "DUPLICATE_VARIANT_NAME", json!(["variants", "1", "name"])),
            (json!({ "variants": both(json!({ "name": "B", "text": "Ho", "weight": 0 })) }),
                "INVALID_VARIANT_WEIGHT", json!(["variants", "1", "weight"])),
            (json!({ "variants": both(json!({ "name": "B", "text": "Ho", "weight": 101 })) }),
                "INVALID_VARIANT_WEIGHT", json!(["variants", "1", "weight"])),
            (json!({ "variants": both(json!({ "name": "B", "text": "Ho {{name" })) }),
                "INVALID_TEXT", json!(["variants", "1", "text"])),
            (json!({ "variants": both(json!({ "name": "B", "text": "{{link ftp://a}}" })) }),
                "INVALID_TEXT", json!(["variants", "1", "text"])),
            (json!({ "variants": both(json!({ "name": "B", "text": "Ho {{town}}" })) }),
                "UNKNOWN_ATTRIBUTE", json!(["variants", "1", "text"])),
        ] {
            let mut input = json!({ "name": "Spring", "sender": "Acme",
                "audience": { "listIds": [world.list.to_string()] } });
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let answer = api.data(ctx, create, json!({ "input": input })).await["createCampaign"].clone();
            assert_eq!(answer["userErrors"], json!([{ "code": code, "path": path }]), "{more}");
            assert_eq!(answer["campaign"], json!(null));
        }
        let kept: i64 = house.value("SELECT count(*) FROM campaign_variant", []).await;
        assert_eq!(kept, 0);
        // From one text to variants and back, until it runs.
        let campaign = world.create().await;
        let update = "mutation($input: UpdateCampaignInput!) { updateCampaign(input: $input) { \
            campaign { text variants { name text weight } } userErrors { code path } } }";
        let change = |version: i32, more: serde_json::Value| {
            let mut input = json!({ "campaignId": campaign.id.to_string(), "version": version });
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let (api, input) = (&api, json!({ "input": input }));
            async move { api.data(ctx, update, input).await["updateCampaign"].clone() }
        };
        let variants = both(json!({ "name": "B", "text": "Ho", "weight": 100 }));
        let changed = change(1, json!({ "variants": variants })).await;
        assert_eq!(changed["campaign"], json!({ "text": "Hi", "variants": [
            { "name": "A", "text": "Hi", "weight": 1 }, { "name": "B", "text": "Ho", "weight": 100 },
        ] }));
        let changed = change(2, json!({ "name": "Summer" })).await;
        assert_eq!(changed["campaign"]["variants"].as_array().unwrap().len(), 2, "they stay");
        let wrong = change(3, json!({ "variants": [] })).await;
        assert_eq!(wrong["userErrors"][0]["code"], "INVALID_VARIANT_COUNT");
        let wrong = change(3, json!({ "text": "Hey", "variants": variants })).await;
        assert_eq!(wrong["userErrors"][0]["code"], "TEXT_AND_VARIANTS");
        let stale = change(2, json!({ "text": "Hey" })).await;
        assert_eq!(stale["userErrors"][0]["code"], "VERSION_CONFLICT");
        let changed = change(3, json!({ "text": "Hey", "variants": [] })).await;
        assert_eq!(changed["campaign"], json!({ "text": "Hey", "variants": [] }));
        let changed = change(4, json!({ "variants": variants })).await;
        assert_eq!(changed["userErrors"], json!([]));
        campaigns::start(ctx, campaign.id).await.unwrap();
        let late = change(6, json!({ "variants": variants })).await;
        assert_eq!(late["userErrors"], json!([{ "code": "NOT_EDITABLE", "path": ["campaignId"] }]));
    }

    async fn a_preview_and_a_test_show_the_variant_that_is_asked_for(house: TestHouse) {
        let world = World::new(&house, 6).await;
        let api = Api::new(&house).await;
        let ctx = &world.payer.ctx;
        let carrier: entity::ids::CarrierId = house.platform.ids.next();
        let sql = "INSERT INTO carrier VALUES ($1, 'North', 1, '{}', NULL, true, 1, 0, 0)";
        house.execute(sql, [carrier.0.into()]).await;
        let sql = "INSERT INTO route VALUES ($1, '', $1, 0, 1, 0)";
        house.execute(sql, [carrier.0.into()]).await;
        let campaign = campaigns::create(ctx, two_to_one(&world)).await.unwrap();
        let id = campaign.id.to_string();
        let preview = "mutation($id: ID!, $variant: String) { previewCampaign(input: { \
            campaignId: $id, variant: $variant, examples: 10 }) { preview { recipients parts \
            variants { name recipients refused parts cost { amount } } examples { variant text } } \
            userErrors { code path } } }";
        let mut shown = 0;
        for name in ["long", "brief"] {
            let told = api.data(ctx, preview, json!({ "id": id, "variant": name })).await;
            let told = &told["previewCampaign"]["preview"];
            assert_eq!(told["recipients"], 6);
            let examples = told["examples"].as_array().unwrap();
            assert!(examples.iter().all(|it| it["variant"] == name), "{told}");
            let row = told["variants"].as_array().unwrap().iter().find(|it| it["name"] == name);
            assert_eq!(row.unwrap()["recipients"], examples.len());
            shown += examples.len();
        }
        assert_eq!(shown, 6);
        let wrong = api.data(ctx, preview, json!({ "id": id, "variant": "Long" })).await;
        assert_eq!(wrong["previewCampaign"],
            json!({ "preview": null, "userErrors": [{ "code": "VARIANT_NOT_FOUND", "path": ["variant"] }] }));

        let test = "mutation($input: SendCampaignTestInput!) { sendCampaignTest(input: $input) { \
            results { message { text campaignVariant { name } } } userErrors { code path } } }";
        let send = |key: &str, variant: Option<&str>| {
            let input = json!({ "campaignId": id, "idempotencyKey": key, "variant": variant,
                "to": ["+4915112345671"] });
            let (api, input) = (&api, json!({ "input": input }));
            async move { api.data(ctx, test, input).await["sendCampaignTest"].clone() }
        };
        for (key, variant, name) in [("a", None, "long"), ("b", Some("brief"), "brief"), ("c", Some("long"), "long")] {
            let sent = send(key, variant).await;
            let message = &sent["results"][0]["message"];
            assert!(message["text"].as_str().unwrap().starts_with(name), "{sent}");
            assert_eq!(message["campaignVariant"], json!(null), "it is no part of the campaign");
        }
        let reused = send("a", Some("brief")).await;
        assert_eq!(reused["userErrors"][0]["code"], "IDEMPOTENCY_KEY_REUSED");
        let wrong = send("d", Some("other")).await;
        assert_eq!(wrong["userErrors"], json!([{ "code": "VARIANT_NOT_FOUND", "path": ["variant"] }]));
        // A campaign with one text has no variants to be named.
        let plain = world.create().await.id.to_string();
        let wrong = api.data(ctx, preview, json!({ "id": plain, "variant": "long" })).await;
        assert_eq!(wrong["previewCampaign"]["userErrors"][0]["code"], "VARIANT_NOT_FOUND");
        let told = api.data(ctx, preview, json!({ "id": plain })).await;
        let told = &told["previewCampaign"]["preview"];
        assert_eq!((&told["variants"], &told["examples"][0]["variant"]), (&json!([]), &json!(null)));
    }
}
