//! National language shift tables, from a route's setting to what a phone shows, and back.

use entity::enums::NationalLanguage::{Portuguese, Turkish};
use entity::enums::{Encoding, Role, SenderKind, SenderStatus};
use entity::{inbound_message, sender};
use heliograph::carriers::smsc::{PhoneMessage, ShownMessage};
use heliograph::routing::RouteChoice;
use heliograph::types::sms_text::{NationalLanguages, ShiftTables};
use serde_json::{Value, json};

use super::*;
use crate::graphql_api::{self, Api, furnish, key, operator, text};

const ESTIMATE: &str = "mutation($messages: [MessageInput!]!) \
    { estimateMessages(input: {messages: $messages}) \
    { results { estimate { encoding nationalLanguage parts offendingCharacters } } } }";
const SEND: &str = "mutation($input: SendMessagesInput!) \
    { sendMessages(input: $input) { results { message { id } error { code } } } }";
const MESSAGE: &str = "query($id: ID!) { message(id: $id) { encoding nationalLanguage parts } }";
const UPDATE: &str = "mutation($id: ID!, $languages: [NationalLanguage!]!) \
    { updateRoute(input: {routeId: $id, nationalLanguages: $languages}) \
    { route { version nationalLanguages } userErrors { code } } }";
const RECIPIENT: &str = "+905321234567";

/// 88 characters, eleven of which the default alphabet lacks.
const TURKISH: &str =
    "Sayın müşterimiz, siparişiniz yola çıktı. Gün içinde adresinize ulaşacağını bildiririz. ";

fn shift(
    locking: Option<entity::enums::NationalLanguage>,
    single: Option<entity::enums::NationalLanguage>,
) -> ShiftTables {
    ShiftTables { locking, single }
}

/// The texts, and how each is to leave: in how many parts, by which tables.
fn expected() -> Vec<(String, u8, ShiftTables)> {
    vec![
        ("Şifreniz 1234".to_owned(), 1, ShiftTables::DEFAULT),
        (TURKISH.to_owned(), 1, shift(None, Some(Turkish))),
        (TURKISH.repeat(3), 2, shift(Some(Turkish), None)),
        ("ş".repeat(300), 3, shift(Some(Turkish), None)),
        ("plain [text] ".repeat(20), 2, ShiftTables::DEFAULT),
        // An escape pair where the first part ends.
        (format!("{}ğ{}", "a".repeat(147), "b".repeat(20)), 2, shift(None, Some(Turkish))),
    ]
}

fn language(tables: ShiftTables) -> Value {
    if tables == ShiftTables::DEFAULT { Value::Null } else { json!("TURKISH") }
}

both_stores! {
    async fn a_turkish_text_leaves_by_the_routes_tables_and_is_read_on_the_phone(house: TestHouse) {
        let stop = CancellationToken::new();
        let config = SmscConfig { inbox_messages_max: 100, ..SmscConfig::default() };
        let smsc = Smsc::start(config, outside_world(), stop).await.unwrap();
        let api = Api::new(&house).await;
        let account_id = graphql_api::account(&house, "Acme").await;
        let route = furnish(&house, &api, account_id).await["route"].clone();
        let staff = operator(&house, Role::Admin).await;
        let ctx = key(&house, account_id, KeyMode::Live);
        let messages: Vec<Value> = expected()
            .into_iter()
            .map(|(text, ..)| json!({ "to": RECIPIENT, "from": "Acme", "text": text }))
            .collect();
        let estimate = async || {
            let answer = api.data(&ctx, ESTIMATE, json!({ "messages": messages })).await;
            answer["estimateMessages"]["results"].clone()
        };
        let update = async |languages: Value| {
            let variables = json!({ "id": route, "languages": languages });
            api.data(&staff, UPDATE, variables).await["updateRoute"]["route"].clone()
        };

        // Off by default.
        let before = estimate().await;
        assert_eq!(before[1]["estimate"], json!({ "encoding": "UCS2", "nationalLanguage": null,
            "parts": 2, "offendingCharacters": ["ı", "ş", "ç", "ğ"] }));
        assert_eq!(before[2]["estimate"]["parts"], 4);

        let allowed = json!(["TURKISH", "TURKISH"]);
        let changed = json!({ "version": 2, "nationalLanguages": ["TURKISH"] });
        assert_eq!(update(allowed.clone()).await, changed);
        assert_eq!(update(allowed).await, changed, "the same again is no change");
        let after = estimate().await;
        let input = json!({ "idempotencyKey": "k", "messages": messages });
        let sent = api.data(&ctx, SEND, json!({ "input": input })).await;
        let sent = &sent["sendMessages"]["results"];
        let mut ids = Vec::new();
        for (index, (_, parts, tables)) in expected().into_iter().enumerate() {
            let id = text(&sent[index]["message"]["id"]);
            let encoding = if index == 0 { "UCS2" } else { "GSM7" };
            let wanted = json!({ "encoding": encoding, "nationalLanguage": language(tables),
                "parts": parts });
            let shown = api.data(&ctx, MESSAGE, json!({ "id": id })).await;
            assert_eq!(shown["message"], wanted, "message {index}");
            let mut estimated = after[index]["estimate"].clone();
            let offending = estimated.as_object_mut().unwrap().remove("offendingCharacters");
            assert_eq!(offending, Some(if index == 0 { json!(["Ş"]) } else { json!([]) }));
            assert_eq!(estimated, wanted, "estimate {index}");
            ids.push(id.parse().unwrap());
        }

        // What was accepted leaves as it was counted, whatever its route says since.
        assert_eq!(update(json!([])).await, json!({ "version": 3, "nationalLanguages": [] }));
        let mut events = subscribe(&house, &ctx).await;
        let running = Running::start(&house, smpp_to(&smsc));
        until_all(&mut events, &ids, &[MessageStatus::Delivered]).await;
        running.stop().await;
        let mut shown = smsc.shown();
        assert_eq!(shown.len(), expected().len());
        for (text, parts, tables) in expected() {
            let place = shown.iter().position(|shown| shown.text == text);
            let ShownMessage { parts: got, tables: by, data_coding, to, .. } =
                shown.swap_remove(place.unwrap_or_else(|| panic!("nobody reads {text}")));
            assert_eq!((got, by, &*to), (parts, tables, &RECIPIENT[1..]), "{text}");
            assert_eq!(data_coding, if text.starts_with("Şifreniz") { 8 } else { 0 });
        }
        smsc.stop().await;
    }

    async fn a_test_key_shows_what_a_live_one_would_do(house: TestHouse) {
        let ctx = account(&house, KeyMode::Test).await;
        let choice = RouteChoice {
            national_languages: [Turkish].into_iter().collect(),
            ..SIMULATOR_CARRIER_ID.into()
        };
        let tables = Tables {
            routes: Arc::new(RouteTable::new([("90", choice)])),
            prices: house.prices().current().await.unwrap(),
        };
        let message = |recipient: &str| NewMessage { text: TURKISH.to_owned(), ..to(recipient) };
        let input = batch("k", vec![message(RECIPIENT), message("+4915123456789")]);
        let sent = ids(&commands::send(&ctx, &tables, input).await.unwrap());
        let rows = [stored(&house, &ctx, sent[0]).await, stored(&house, &ctx, sent[1]).await];
        let read = rows.map(|row| (row.encoding, row.national_language, row.parts));
        assert_eq!(read, [(Encoding::Gsm7, Some(Turkish), 1), (Encoding::Ucs2, None, 2)]);
    }

    async fn what_a_phone_writes_by_national_tables_is_read(house: TestHouse) {
        let ctx = account(&house, KeyMode::Live).await;
        let account_id = ctx.actor.account_id().unwrap();
        add_carrier(&house, SIMULATOR_CARRIER_ID, CarrierKind::Smpp).await;
        let id = house.platform.ids.next();
        insert(&house, &|tx| {
            let now = house.now();
            async move {
                sender::ActiveModel {
                    account_id: Set(account_id),
                    id: Set(id),
                    value: Set("12345".to_owned()),
                    kind: Set(SenderKind::ShortCode),
                    status: Set(SenderStatus::Approved),
                    reason: Set(None),
                    version: Set(1),
                    created_at_ms: Set(now),
                    updated_at_ms: Set(now),
                }
                .insert(&*tx)
                .await
                .map(drop)
            }
        })
        .await;
        let stop = CancellationToken::new();
        let smsc = Smsc::start(SmscConfig::default(), outside_world(), stop).await.unwrap();
        let running = Running::start(&house, smpp_to(&smsc));
        let mut stats = smsc.watch_stats();
        within(PATIENCE, stats.wait_for(|stats| stats.bound > 0)).await.unwrap();
        let mut events = subscribe(&house, &ctx).await;
        let portuguese = format!("{}Ω{}", "ª∞ çãõ ".repeat(20), "º".repeat(60));
        for (sent, languages, parts) in [
            (TURKISH.repeat(3), vec![Turkish], 2),
            ("ğ".repeat(100), vec![Turkish], 1),
            (portuguese, vec![Portuguese, Turkish], 2),
        ] {
            let national_languages: NationalLanguages = languages.into_iter().collect();
            let message =
                PhoneMessage { from: &RECIPIENT[1..], to: "12345", text: &sent, national_languages };
            smsc.send_inbound("heliograph", message).unwrap();
            let event = within(PATIENCE, events.next()).await.unwrap();
            let told = within(PATIENCE, events.next()).await.unwrap();
            assert_eq!((event.kind, told.kind), (EventKind::MessageReceived, EventKind::Replied));
            let row = inbound_message::Entity::find_by_id(event.subject_id)
                .one(house.platform.db.reader())
                .await
                .unwrap()
                .unwrap();
            assert_eq!(String::from_utf8(row.body).unwrap(), sent);
            assert_eq!((row.parts, row.parts_received), (parts, parts));
        }
        running.stop().await;
        smsc.stop().await;
    }
}
