//! Keywords that phones send: opting out and in, help, and the account's own, with their answers.

use entity::enums::{KeywordAction, MessageStatus, Role};
use entity::message;
use heliograph::contacts::keywords::{self, NewKeyword};
use heliograph::messages::{auto_reply, opt_out, sweeps};
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use crate::billing::scripted_carrier::{self, Hand, takes_all};
use crate::billing::{PART, Payer, accepted, assert_in_order};
use crate::graphql_api::{Api, person};
use crate::messages::{subscribe, to};
use crate::support::{TestHouse, both_stores};
use heliograph::messages::NewMessage;
use heliograph::senders;

/// The account's number.
const OURS: &str = "12345";
const PHONE: &str = "+4915112345671";

/// A payer that owns a number, and phones.
struct World {
    payer: Payer,
    carrier: Hand,
}

impl World {
    async fn new(house: &TestHouse) -> Self {
        let payer = Payer::with(house, 1_000 * PART).await;
        senders::approve_value(&house.system(), payer.account_id, OURS).await.unwrap();
        Self { payer, carrier: scripted_carrier::start(house, takes_all) }
    }

    /// What became of a message to the phone from the account's number.
    async fn outcome(&mut self, house: &TestHouse, key: &str, topic: Option<&str>) -> String {
        let message =
            NewMessage { from: OURS.to_owned(), topic: topic.map(str::to_owned), ..to(PHONE) };
        let outcome = self.payer.send(house, key, vec![message]).await;
        match &outcome.results[0] {
            Ok(sent) => {
                assert_eq!(self.carrier.submission().await.message_id, sent.id);
                "accepted".to_owned()
            }
            Err(error) => format!("{:?}", error.code),
        }
    }

    async fn answer(&self, house: &TestHouse) -> u64 {
        let tables = Payer::tables(house).await;
        auto_reply::answer_pending(&house.system(), &tables).await.unwrap()
    }

    /// Answers what is to be answered, waits until the answers left, and gives their texts.
    async fn answers(&mut self, house: &TestHouse) -> Vec<String> {
        let due = self.answer(house).await;
        let mut texts = Vec::new();
        for _ in 0..due {
            let submission = self.carrier.submission().await;
            let id = submission.message_id;
            let account_id = self.payer.account_id;
            let reader = house.platform.db.reader();
            let row = message::Entity::find_by_id((account_id, id)).one(reader).await.unwrap();
            let row = row.unwrap();
            assert_eq!((row.recipient.as_str(), row.sender.as_str()), (PHONE, OURS));
            let text = entity::message_text::Entity::find_by_id((account_id, row.text_id));
            let text = text.one(reader).await.unwrap().unwrap();
            texts.push(String::from_utf8(text.body).unwrap());
        }
        assert_eq!(self.answer(house).await, 0, "each is answered once");
        texts
    }

    /// The texts of the answers, each by how it begins.
    async fn answered(&mut self, house: &TestHouse, starts: &[&str]) {
        let texts = self.answers(house).await;
        assert_eq!(texts.len(), starts.len(), "{texts:?}");
        for (text, start) in texts.iter().zip(starts) {
            assert!(text.starts_with(start), "{text}");
        }
    }
}

both_stores! {
    async fn stop_is_heeded_in_any_language_and_answered_once(house: TestHouse) {
        let mut world = World::new(&house).await;
        let sender = || heliograph::contacts::ScopeRef::sender(OURS).unwrap();
        for (round, (text, answer)) in [
            ("STOP", "You are unsubscribed"),
            ("  stop!! 🛑", "You are unsubscribed"),
            ("Opt-Out.", "You are unsubscribed"),
            ("ARRÊT", "Vous êtes désabonné"),
            ("Baja", "Se ha dado de baja"),
            ("SAIR", "A sua inscrição"),
            ("Stopp!", "Sie sind abgemeldet"),
            ("BASTA 😡", "Iscrizione annullata"),
            ("afmelden", "U bent afgemeld"),
            ("İptal", "Aboneliğiniz"),
            ("Sitisha", "Umejiondoa"),
            ("berhenti", "Anda telah berhenti"),
            ("الغاء", "تم إلغاء"),
            ("بند کریں۔", "آپ کی رکنیت"),
            ("रोकें", "आपकी सदस्यता"),
        ].into_iter().enumerate() {
            assert_eq!(world.outcome(&house, &format!("{round}-a"), None).await, "accepted");
            world.carrier.wrote(PHONE.trim_start_matches('+'), OURS, text).await;
            assert_eq!(world.outcome(&house, &format!("{round}-b"), None).await, "RecipientOptedOut", "{text}");
            world.answered(&house, &[answer]).await;
            world.carrier.wrote(PHONE, OURS, text).await;
            world.answered(&house, &[]).await;
            let numbers = opt_out::Numbers { numbers: vec![PHONE.to_owned()], scope: Some(sender()), note: None };
            assert_eq!(opt_out::unsuppress(&world.payer.ctx, numbers).await.unwrap().changed, 1);
        }
        let proofs: i64 = house
            .value("SELECT count(*) FROM consent_event WHERE kind = 1 AND source = 4 AND inbound_message_id IS NOT NULL", [])
            .await;
        assert_eq!(proofs, 30, "each message is a proof, also the second");
        world.carrier.stop().await;
        assert_in_order(&house).await;
    }

    async fn stop_cancels_what_waits_and_start_opts_in_again(house: TestHouse) {
        let mut world = World::new(&house).await;
        world.carrier.wrote(PHONE, OURS, "yes").await;
        world.carrier.wrote(PHONE, OURS, "start").await;
        world.answered(&house, &[]).await;
        let waiting = NewMessage {
            from: OURS.to_owned(),
            send_at: Some(house.now().plus_ms(3_600_000)),
            ..to(PHONE)
        };
        let from_another = NewMessage { from: "Acme".to_owned(), ..waiting.clone() };
        let sent = accepted(&world.payer.send(&house, "w", vec![waiting, from_another]).await);
        let mut events = subscribe(&house, &world.payer.ctx).await;
        world.carrier.wrote(PHONE, OURS, "Stop").await;
        let log = until_received(&mut events, &sent[..1]).await;
        assert_eq!(log, Some("RECIPIENT_OPTED_OUT".to_owned()));
        let held = world.payer.has().await.1;
        assert_eq!(held, PART, "what comes from another sender still waits");
        world.answered(&house, &["You are unsubscribed"]).await;
        // The answer itself is not canceled by a second one.
        world.carrier.wrote(PHONE, OURS, "START").await;
        world.carrier.wrote(PHONE, OURS, "stop").await;
        world.answered(&house, &["You are subscribed again", "You are unsubscribed"]).await;
        assert_eq!(world.outcome(&house, "x", None).await, "RecipientOptedOut");
        world.carrier.wrote(PHONE, OURS, "Yes").await;
        world.answered(&house, &["You are subscribed again"]).await;
        assert_eq!(world.outcome(&house, "y", None).await, "accepted");
        world.carrier.stop().await;
    }

    async fn stop_with_a_topic_is_about_that_alone_if_there_is_one(house: TestHouse) {
        let mut world = World::new(&house).await;
        assert_eq!(world.outcome(&house, "1", Some("news")).await, "accepted");
        world.carrier.wrote(PHONE, OURS, "Stop please").await;
        world.answered(&house, &[]).await;
        world.carrier.wrote(PHONE, OURS, "STOP News!").await;
        world.answered(&house, &["You are unsubscribed"]).await;
        assert_eq!(world.outcome(&house, "2", Some("news")).await, "RecipientOptedOut");
        assert_eq!(world.outcome(&house, "3", Some("sales")).await, "accepted");
        assert_eq!(world.outcome(&house, "4", None).await, "accepted");
        world.carrier.stop().await;
    }

    async fn help_and_own_words_are_answered_but_not_without_end(house: TestHouse) {
        let mut world = World::new(&house).await;
        let api = Api::new(&house).await;
        let owner = person(&house, world.payer.account_id, Role::Owner);
        let create = "mutation($input: CreateKeywordInput!) { createKeyword(input: $input) { \
            keyword { id word action answer } userErrors { code path } } }";
        let make = async |word: &str, action: &str, answer: Value| {
            let input = json!({ "input": { "word": word, "action": action, "answer": answer } });
            api.data(&owner, create, input).await["createKeyword"].clone()
        };
        let made = make("Menü!", "ANSWER", json!("Soup\nand bread")).await;
        assert_eq!(made["keyword"]["word"], "menu");
        for (word, action, answer, code) in [
            ("menu", "ANSWER", json!("x"), "WORD_TAKEN"),
            ("!!", "ANSWER", json!("x"), "INVALID_WORD"),
            ("x".repeat(31).as_str(), "ANSWER", json!("x"), "INVALID_WORD"),
            ("stop", "ANSWER", json!("x"), "RESERVED_WORD"),
            ("hours", "ANSWER", Value::Null, "INVALID_ANSWER"),
            ("hours", "ANSWER", json!(" "), "INVALID_ANSWER"),
            ("hours", "ANSWER", json!("x".repeat(601)), "INVALID_ANSWER"),
        ] {
            let refused = make(word, action, answer).await;
            assert_eq!(refused["userErrors"][0]["code"], code, "{word}: {refused}");
        }
        make("help", "HELP", json!("Call us")).await;
        make("enough", "OPT_OUT", json!("Bye")).await;
        world.carrier.wrote(PHONE, OURS, "menu?").await;
        world.carrier.wrote(PHONE, OURS, "HELP").await;
        world.carrier.wrote(PHONE, OURS, "AYUDA").await;
        world.answered(&house, &["Soup\nand bread", "Call us", "Acme: responda STOP"]).await;
        for _ in 0..4 {
            world.carrier.wrote(PHONE, OURS, "menu").await;
        }
        world.answered(&house, &["Soup", "Soup"]).await;
        world.carrier.stop().await;
    }

    async fn who_opted_out_is_told_how_and_no_more_than_that(house: TestHouse) {
        let mut world = World::new(&house).await;
        for (word, action, answer) in
            [("enough", KeywordAction::OptOut, "Bye"), ("menu", KeywordAction::Answer, "Soup")]
        {
            let (word, answer) = (word.to_owned(), Some(answer.to_owned()));
            let owner = person(&house, world.payer.account_id, Role::Owner);
            keywords::create_keyword(&owner, NewKeyword { word, action, answer }).await.unwrap();
        }
        world.carrier.wrote(PHONE, OURS, "Enough!").await;
        world.answered(&house, &["Bye"]).await;
        world.carrier.wrote(PHONE, OURS, "menu").await;
        world.carrier.wrote(PHONE, OURS, "info").await;
        let due = world.answer(&house).await;
        assert_eq!(due, 2, "one of them is refused");
        world.carrier.submission().await;
        assert!(world.carrier.is_idle());
        let refused: String = house.value("SELECT refusal FROM auto_reply WHERE state = 2", []).await;
        assert_eq!(refused, "RecipientOptedOut");
        world.carrier.stop().await;
        house.hand.advance(std::time::Duration::from_secs(31 * 24 * 3_600));
        sweeps::purge(&house.system()).await.unwrap();
        let left: i64 = house.value("SELECT count(*) FROM auto_reply", []).await;
        assert_eq!(left, 0);
    }

    async fn an_answer_that_nobody_can_pay_or_that_is_late_is_refused(house: TestHouse) {
        let world = World::new(&house).await;
        let system = house.system();
        let tables = heliograph::messages::commands::Tables::default();
        world.carrier.wrote(PHONE, OURS, "help").await;
        assert_eq!(auto_reply::answer_pending(&system, &tables).await.unwrap(), 1);
        world.carrier.wrote(PHONE, OURS, "help").await;
        world.carrier.stop().await;
        house.hand.advance(std::time::Duration::from_secs(24 * 3_600 + 1));
        let tables = Payer::tables(&house).await;
        assert_eq!(auto_reply::answer_pending(&system, &tables).await.unwrap(), 1);
        let refusals = house.rows("SELECT refusal FROM auto_reply ORDER BY inbound_message_id", []).await;
        let refusals: Vec<String> = refusals.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
        assert_eq!(refusals, ["NoRoute", "TOO_OLD"]);
        let sent: i64 = house.value("SELECT count(*) FROM message", []).await;
        assert_eq!(sent, 0);
    }

    async fn threads_are_found_by_contact_and_number(house: TestHouse) {
        let world = World::new(&house).await;
        let api = Api::new(&house).await;
        let owner = person(&house, world.payer.account_id, Role::Owner);
        world.carrier.wrote("4915112345671", OURS, "one").await;
        world.carrier.wrote(PHONE, OURS, "two").await;
        world.carrier.wrote("+4915112345672", OURS, "three").await;
        let document = "mutation { createContact(input: {number: \"+4915112345671\"}) { contact { id } } }";
        let made = api.data(&owner, document, json!({})).await;
        let id = made["createContact"]["contact"]["id"].clone();
        let list = "query($filter: InboundMessageFilter) { inboundMessages(filter: $filter) { \
            totalCount nodes { text contact { id } } } }";
        for (filter, texts) in [
            (json!({}), vec!["three", "two", "one"]),
            (json!({ "contactId": id }), vec!["two", "one"]),
            (json!({ "from": "0151 12345671", "to": OURS }), vec!["two", "one"]),
            (json!({ "to": "54321" }), vec![]),
            (json!({ "from": "nobody" }), vec![]),
        ] {
            let page = api.data(&owner, list, json!({ "filter": filter })).await["inboundMessages"].clone();
            let found: Vec<_> = page["nodes"].as_array().unwrap().iter().map(|it| it["text"].clone()).collect();
            assert_eq!(found, texts, "{filter}");
            assert_eq!(page["totalCount"], texts.len());
            for node in page["nodes"].as_array().unwrap() {
                let expected = if node["text"] == "three" { &Value::Null } else { &id };
                assert_eq!(&node["contact"]["id"], expected);
            }
        }
        let replied = "{ contacts(filter: {condition: {repliedFrom: \"2026-01-01T00:00:00Z\"}}) { totalCount } }";
        assert_eq!(api.data(&owner, replied, json!({})).await["contacts"]["totalCount"], 1);
        world.carrier.stop().await;
    }
}

/// Reads events until each of `ids` was canceled; the reason of the last.
async fn until_received(
    events: &mut heliograph::events::Subscription,
    ids: &[entity::ids::MessageId],
) -> Option<String> {
    let mut last = None;
    let mut open: std::collections::HashSet<_> = ids.iter().map(|id| id.0).collect();
    while !open.is_empty() {
        let event = crate::support::within(crate::support::PATIENCE, events.next()).await.unwrap();
        if event.status == MessageStatus::Canceled.code() {
            open.remove(&event.subject_id);
            last = event.error_code;
        }
    }
    last
}
