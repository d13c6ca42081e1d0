//! The recipient's own preference page in a campaign's text.

use heliograph::campaigns::{
    self, CampaignTest, Examples, NewCampaign, TemplateFault, WriteCampaignRejection,
};
use heliograph::config::{NodeRole, Settings};
use heliograph::contacts::{self, CreateAttributeRejection, NewAttribute, preference_links};
use heliograph::error::Error;
use heliograph::types::phone::PhoneNumber;

use super::{World, number, work};
use crate::billing::Payer;
use crate::links::texts;
use crate::support::{TestHouse, both_stores};

const PUBLIC: &str = "https://sms.example";

/// A house whose pages have a public address.
fn public(mut house: TestHouse) -> TestHouse {
    house.platform = house.platform_with(|it| it.server.public_url = PUBLIC.to_owned());
    house
}

fn page_of(world: &World, house: &TestHouse, number: &str) -> String {
    let number = PhoneNumber::restore(number).unwrap();
    let key = &house.platform.master_key;
    format!("{PUBLIC}/p/{}", preference_links::sign(key, world.payer.account_id, &number))
}

fn refused<T: std::fmt::Debug, R>(outcome: Result<T, Error<R>>) -> R {
    match outcome.unwrap_err() {
        Error::Rejected(why) => why,
        Error::Failed(failed) => panic!("{failed}"),
    }
}

both_stores! {
    async fn each_text_leads_to_the_page_of_its_number(house: TestHouse) {
        let house = public(house);
        let world = World::new(&house, 2).await;
        let ctx = &world.payer.ctx;
        let text = "{{name}}, stop: {{preferences}}".to_owned();
        let new = NewCampaign { text: Some(text), ..world.new_campaign() };
        let made = campaigns::create(ctx, new).await.unwrap();
        campaigns::start(ctx, made.id).await.unwrap();
        work(&house).await;
        let pages = [0, 1].map(|n| page_of(&world, &house, &number(n)));
        let expected = [format!("N0, stop: {}", pages[0]), format!("N1, stop: {}", pages[1])];
        assert_eq!(texts(&house).await, expected);
        // It is the page of that number, as a browser gets it.
        let at_home = |settings: &mut Settings| {
            settings.server.roles = vec![NodeRole::Api];
            settings.server.public_url.clear();
        };
        let node = house.serve_with(at_home).await.unwrap();
        for (n, page) in pages.iter().enumerate() {
            let (status, body) = node.get(page.strip_prefix(PUBLIC).unwrap()).await;
            let number = number(n);
            assert_eq!(status, 200);
            assert!(body.contains(&number[number.len() - 2..]), "{body}");
        }
        node.stop().await;
    }

    async fn a_preview_counts_the_page_as_long_as_it_will_be_and_shows_none(house: TestHouse) {
        let house = public(house);
        let world = World::new(&house, 3).await;
        let ctx = &world.payer.ctx;
        let tables = Payer::tables(&house).await;
        let page = page_of(&world, &house, &number(0)).len();
        for (length, parts) in [(160, 1), (161, 2)] {
            let text = format!("{}{{{{preferences}}}}", "x".repeat(length - page));
            let new = NewCampaign { text: Some(text), ..world.new_campaign() };
            let made = campaigns::create(ctx, new).await.unwrap();
            let one = Examples { count: 1, variant: None };
            let told = campaigns::preview(ctx, &tables, made.id, &one).await.unwrap();
            assert_eq!((told.refused, told.parts), (0, 3 * parts));
            let shown = &told.examples[0].text;
            assert_eq!(shown.len(), length);
            assert!(shown.ends_with(&format!("{PUBLIC}/p/{}", "x".repeat(44))), "{shown}");
            campaigns::start(ctx, made.id).await.unwrap();
            work(&house).await;
            let sql = "SELECT CAST(SUM(parts) AS BIGINT) FROM message WHERE campaign_id = $1";
            let sent: i64 = house.value(sql, [made.id.0.into()]).await;
            assert_eq!(u64::try_from(sent).unwrap(), 3 * parts);
        }
    }

    async fn a_test_leads_to_the_page_of_who_gets_it(house: TestHouse) {
        let house = public(house);
        let world = World::new(&house, 1).await;
        let ctx = &world.payer.ctx;
        let text = "{{name}} {{preferences}}".to_owned();
        let new = NewCampaign { text: Some(text), ..world.new_campaign() };
        let made = campaigns::create(ctx, new).await.unwrap();
        let tables = Payer::tables(&house).await;
        let test = CampaignTest {
            idempotency_key: "try".to_owned(),
            // As people write it in the account's region, and what is no number.
            to: vec!["0151 23456789".to_owned(), "nobody".to_owned()],
            contact_id: Some(world.contacts[0]),
            variant: None,
        };
        let sent = campaigns::send_test(ctx, &tables, made.id, test).await.unwrap();
        let accepted: Vec<bool> = sent.results.iter().map(Result::is_ok).collect();
        assert_eq!(accepted, [true, false]);
        let page = page_of(&world, &house, "+4915123456789");
        assert_eq!(texts(&house).await, [format!("N0 {page}")]);
    }

    async fn without_a_public_address_there_is_no_page_to_name(house: TestHouse) {
        let world = World::new(&house, 1).await;
        let ctx = &world.payer.ctx;
        let new = || NewCampaign { text: Some("{{preferences}}".to_owned()), ..world.new_campaign() };
        let why = refused(campaigns::create(ctx, new()).await);
        assert_eq!(why, WriteCampaignRejection::NoPreferencePages);
        let draft = world.create().await;
        let change = campaigns::CampaignChange { text: new().text, ..Default::default() };
        let why = refused(campaigns::update(ctx, draft.id, draft.version, change).await);
        assert_eq!(why, WriteCampaignRejection::NoPreferencePages);
        let fallback = NewCampaign { text: Some("{{preferences|none}}".to_owned()), ..new() };
        let why = refused(campaigns::create(ctx, fallback).await);
        assert_eq!(why, WriteCampaignRejection::Text(TemplateFault::PreferencesFallback));
    }

    async fn the_page_is_no_attribute_and_goes_before_one_of_old(house: TestHouse) {
        let house = public(house);
        let world = World::new(&house, 1).await;
        let ctx = &world.payer.ctx;
        let kind = entity::enums::AttributeKind::Text;
        let new = NewAttribute { key: "preferences".to_owned(), kind };
        let why = refused(contacts::create_attribute(ctx, new).await);
        assert_eq!(why, CreateAttributeRejection::KeyReserved);
        // One that was made before the key was reserved.
        let new = NewAttribute { key: "likes".to_owned(), kind };
        let made = contacts::create_attribute(ctx, new).await.unwrap();
        let likes = contacts::AttributeValue::Text("Soup".to_owned());
        let change = contacts::ContactChange {
            attributes: vec![("likes".to_owned(), Some(likes))],
            ..Default::default()
        };
        contacts::update(ctx, world.contacts[0], change).await.unwrap();
        let sql = "UPDATE contact_attribute SET key = 'preferences' WHERE id = $1";
        house.execute(sql, [made.id.0.into()]).await;
        let text = "{{name}} {{preferences}}".to_owned();
        let new = NewCampaign { text: Some(text), ..world.new_campaign() };
        let campaign = campaigns::create(ctx, new).await.unwrap();
        campaigns::start(ctx, campaign.id).await.unwrap();
        work(&house).await;
        let page = page_of(&world, &house, &number(0));
        assert_eq!(texts(&house).await, [format!("N0 {page}")]);
    }
}
