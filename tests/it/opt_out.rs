//! Opting out: who objects is sent nothing any more, whatever was accepted before, and at whatever
//! moment it comes.

use std::collections::BTreeMap;
use std::sync::Arc;

use entity::enums::{ConsentKind, ConsentSource, MessageStatus, SuppressionReason};
use entity::ids::MessageId;
use heliograph::contacts::ScopeRef;
use heliograph::contacts::consent::{self, NewStatement};
use heliograph::ctx::Ctx;
use heliograph::messages::NewMessage;
use heliograph::messages::commands::{self, Tables};
use heliograph::messages::opt_out::{self, ConsentOutcome, Numbers};
use heliograph::sys::Randomness;
use heliograph::types::phone::PhoneNumber;
use sea_orm::DbErr;
use serde_json::json;

use crate::billing::scripted_carrier::{self, takes_all};
use crate::billing::{PART, Payer, accepted, assert_in_order};
use crate::graphql_api::{Api, account, key};
use crate::messages::{batch, stored, subscribe, to, until_all};
use crate::support::{PATIENCE, TestHouse, both_stores, within};

const ONE: &str = "+4915112345671";
const TWO: &str = "+4915112345672";

fn numbers(numbers: &[&str], scope: ScopeRef) -> Numbers {
    let numbers = numbers.iter().map(|number| (*number).to_owned()).collect();
    Numbers { numbers, scope: Some(scope), note: None }
}

async fn suppress(ctx: &Ctx, number: &str, scope: ScopeRef) -> ConsentOutcome {
    let input = numbers(&[number], scope);
    opt_out::suppress(ctx, input, SuppressionReason::Manual).await.unwrap()
}

/// What became of one message, by its code.
async fn outcome(house: &TestHouse, payer: &Payer, key: &str, message: NewMessage) -> String {
    let outcome = payer.send(house, key, vec![message]).await;
    match &outcome.results[0] {
        Ok(_) => "accepted".to_owned(),
        Err(error) => format!("{:?}", error.code),
    }
}

async fn statuses(house: &TestHouse, payer: &Payer, ids: &[MessageId]) -> Vec<MessageStatus> {
    let mut statuses = Vec::new();
    for id in ids {
        statuses.push(stored(house, &payer.ctx, *id).await.status);
    }
    statuses
}

both_stores! {
    async fn who_is_suppressed_is_refused_in_just_that_scope(house: TestHouse) {
        let payer = Payer::with(&house, 100 * PART).await;
        let about = |topic: &str| NewMessage { topic: Some(topic.to_owned()), ..to(ONE) };
        suppress(&payer.ctx, ONE, ScopeRef::topic("News").unwrap()).await;
        assert_eq!(outcome(&house, &payer, "1", to(ONE)).await, "accepted");
        assert_eq!(outcome(&house, &payer, "2", about("sales")).await, "accepted");
        assert_eq!(outcome(&house, &payer, "3", about(" NEWS")).await, "RecipientOptedOut");
        assert_eq!(outcome(&house, &payer, "4", about("no topic")).await, "InvalidTopic");
        suppress(&payer.ctx, ONE, ScopeRef::sender("Other").unwrap()).await;
        assert_eq!(outcome(&house, &payer, "5", to(ONE)).await, "accepted");
        suppress(&payer.ctx, ONE, ScopeRef::sender("Acme").unwrap()).await;
        assert_eq!(outcome(&house, &payer, "6", to(ONE)).await, "RecipientOptedOut");
        assert_eq!(outcome(&house, &payer, "7", to(TWO)).await, "accepted");
        let scope = || ScopeRef::sender("Acme").unwrap();
        let lifted = opt_out::unsuppress(&payer.ctx, numbers(&[ONE], scope())).await.unwrap();
        assert_eq!(lifted.changed, 1);
        assert_eq!(outcome(&house, &payer, "8", to(ONE)).await, "accepted");
        suppress(&payer.ctx, ONE, ScopeRef::Account).await;
        assert_eq!(outcome(&house, &payer, "9", to(ONE)).await, "RecipientOptedOut");
        // A number is another account's own affair.
        let other = account(&house, "Other").await;
        let other = key(&house, other, entity::enums::KeyMode::Test);
        let tables = Tables::default();
        let estimates = heliograph::messages::estimate(&other, &tables, vec![to(ONE)]).await.unwrap();
        assert!(estimates.items[0].is_ok());
    }

    async fn what_waits_is_canceled_and_paid_back_in_the_same_moment(house: TestHouse) {
        let payer = Payer::with(&house, 100 * PART).await;
        let later = NewMessage { send_at: Some(house.now().plus_ms(3_600_000)), ..to(ONE) };
        let sales = NewMessage { topic: Some("sales".to_owned()), ..to(ONE) };
        let sent = accepted(&payer.send(&house, "k", vec![to(ONE), later, sales, to(TWO)]).await);
        assert_eq!(payer.has().await, (100 * PART, 4 * PART));
        let mut events = subscribe(&house, &payer.ctx).await;
        let stopped = suppress(&payer.ctx, ONE, ScopeRef::topic("sales").unwrap()).await;
        assert_eq!((stopped.changed, stopped.canceled), (1, 1));
        assert_eq!(payer.has().await, (100 * PART, 3 * PART));
        let stopped = suppress(&payer.ctx, ONE, ScopeRef::Account).await;
        assert_eq!((stopped.changed, stopped.canceled), (1, 2));
        use MessageStatus::{Canceled, Queued};
        assert_eq!(statuses(&house, &payer, &sent).await, [Canceled, Canceled, Canceled, Queued]);
        assert_eq!(payer.has().await, (100 * PART, PART));
        let told = until_all(&mut events, &sent[..3], &[Canceled]).await;
        let code = |status: MessageStatus| {
            let of = told.iter().filter(|event| event.status == status.code());
            of.map(|event| event.error_code.clone()).collect::<Vec<_>>()
        };
        assert_eq!(code(Canceled), vec![Some("RECIPIENT_OPTED_OUT".to_owned()); 3]);
        let again = suppress(&payer.ctx, ONE, ScopeRef::Account).await;
        assert_eq!((again.changed, again.canceled), (0, 0));
        assert_in_order(&house).await;
    }

    async fn what_slipped_through_is_canceled_at_the_claim(house: TestHouse) {
        let payer = Payer::with(&house, 100 * PART).await;
        let sent = accepted(&payer.send(&house, "k", vec![to(ONE), to(TWO)]).await);
        // As if it had been accepted by a node that did not see the suppression yet.
        let statement = &NewStatement {
            id: house.platform.ids.next(),
            suppression_id: house.platform.ids.next(),
            account_id: payer.account_id,
            number: PhoneNumber::restore(ONE).unwrap(),
            kind: ConsentKind::Withdrawn,
            scope: ScopeRef::Account,
            source: ConsentSource::WebForm,
            wording: "no more".to_owned(),
            ip: None,
            inbound_message_id: None,
            reason: SuppressionReason::OptedOut,
            note: None,
            occurred_at: house.now(),
        };
        let (db, key) = (&house.platform.db, &house.platform.master_key);
        db.write(|tx| async move {
            let statements = std::slice::from_ref(statement);
            consent::suppress(&tx, key, statements, statement.occurred_at).await.map(drop)
        })
        .await
        .unwrap();
        let mut events = subscribe(&house, &payer.ctx).await;
        let mut carrier = scripted_carrier::start(&house, takes_all);
        assert_eq!(carrier.submission().await.message_id, sent[1]);
        use MessageStatus::{Canceled, Sent};
        until_all(&mut events, &sent, &[Canceled, Sent]).await;
        carrier.stop().await;
        assert_eq!(statuses(&house, &payer, &sent).await, [Canceled, Sent]);
        let canceled = stored(&house, &payer.ctx, sent[0]).await;
        assert_eq!((canceled.attempt, canceled.submitted_at_ms), (0, None), "it never left");
        assert_eq!(payer.has().await, (99 * PART, 0));
        assert_in_order(&house).await;
    }

    async fn nothing_is_dispatched_after_an_opt_out_whatever_runs_beside_it(house: TestHouse) {
        const NUMBERS: usize = 12;
        const ROUNDS: u32 = 6;
        for round in 0..ROUNDS {
            let payer = Arc::new(Payer::with(&house, 10_000 * PART).await);
            let tables = Arc::new(Payer::tables(&house).await);
            let mut carrier = scripted_carrier::start(&house, takes_all);
            let number = move |n: usize| format!("+49151123{round:02}{n:03}");
            let senders: Vec<_> = (0..3usize)
                .map(|sender| {
                    let (ctx, tables) = (payer.ctx.clone(), Arc::clone(&tables));
                    tokio::spawn(async move {
                        for call in 0..8 {
                            let items = (0..NUMBERS).map(|n| to(&number(n))).collect();
                            let input = batch(&format!("{round}-{sender}-{call}"), items);
                            commands::send(&ctx, &tables, input).await.unwrap();
                        }
                    })
                })
                .collect();
            let chance = Randomness::seeded(round.into());
            let stops: Vec<_> = (0..NUMBERS)
                .map(|n| {
                    let (payer, yields) = (Arc::clone(&payer), u32::from(chance.bytes::<1>()[0]) * 8);
                    let db = house.platform.db.clone();
                    tokio::spawn(async move {
                        for _ in 0..yields {
                            tokio::task::yield_now().await;
                        }
                        suppress(&payer.ctx, &number(n), ScopeRef::Account).await;
                        // From here on not one more may leave.
                        (number(n), claimed(&db, &payer, &number(n)).await)
                    })
                })
                .collect();
            let mut at_opt_out = BTreeMap::new();
            for stop in stops {
                let (number, claimed) = within(PATIENCE, stop).await.unwrap();
                at_opt_out.insert(number, claimed);
            }
            for sender in senders {
                within(PATIENCE, sender).await.unwrap();
            }
            // Messages to somebody else leave last, so that all before them were looked at.
            let last = accepted(&payer.send(&house, &format!("{round}-last"), vec![to(TWO)]).await);
            while carrier.submission().await.message_id != last[0] {}
            let mut events = subscribe(&house, &payer.ctx).await;
            until_all(&mut events, &last, &[MessageStatus::Sent]).await;
            carrier.stop().await;
            let db = &house.platform.db;
            for (number, before) in &at_opt_out {
                let after = claimed(db, &payer, number).await;
                assert_eq!(after, *before, "round {round}: {number} was sent to after it objected");
            }
            let open: i64 = house
                .value("SELECT count(*) FROM message WHERE status NOT IN (30, 100, 105)", [])
                .await;
            assert_eq!(open, 0, "what was not sent is canceled");
            let (_, held) = payer.has().await;
            assert_eq!(held, 0);
        }
        assert_in_order(&house).await;
    }

    async fn consent_is_kept_with_its_proof_and_cannot_be_changed(house: TestHouse) {
        let api = Api::new(&house).await;
        let account_id = account(&house, "Acme").await;
        let ctx = key(&house, account_id, entity::enums::KeyMode::Live);
        let record = "mutation($input: RecordConsentInput!) { recordConsent(input: $input) { \
            consentEvent { kind scope scopeValue source wording ip occurredAt contact { number } } \
            canceledCount userErrors { code path } } }";
        let made = api.data(&ctx, "mutation { createContact(input: {number: \"+4915112345671\"}) { contact { id } } }", json!({})).await;
        let id = made["createContact"]["contact"]["id"].clone();
        let input = |more: serde_json::Value| {
            let mut input = json!({ "whose": { "contactId": id }, "granted": false,
                "scope": { "sender": "acme 1" }, "source": "PHONE", "wording": "Stop it" });
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({ "input": input })
        };
        let said = json!({ "ip": "2001:DB8::1", "occurredAt": "2025-12-31T12:00:00Z" });
        let recorded = api.data(&ctx, record, input(said)).await["recordConsent"].clone();
        assert_eq!(recorded["consentEvent"], json!({ "kind": "WITHDRAWN", "scope": "SENDER",
            "scopeValue": "acme 1", "source": "PHONE", "wording": "Stop it", "ip": "2001:db8::1",
            "occurredAt": "2025-12-31T12:00:00.000Z", "contact": { "number": "+4915112345671" } }));
        for (more, code) in [
            (json!({ "whose": { "number": "1" } }), "INVALID_NUMBER"),
            (json!({ "whose": { "contactId": format!("cont_{}", "0".repeat(26)) } }), "CONTACT_NOT_FOUND"),
            (json!({ "scope": { "account": false } }), "INVALID_SCOPE"),
            (json!({ "wording": " " }), "INVALID_WORDING"),
            (json!({ "wording": "x".repeat(2_001) }), "INVALID_WORDING"),
            (json!({ "ip": "here" }), "INVALID_IP"),
            (json!({ "occurredAt": "2026-01-05T01:00:00Z" }), "IN_FUTURE"),
        ] {
            let refused = api.data(&ctx, record, input(more)).await["recordConsent"].clone();
            assert_eq!(refused["userErrors"][0]["code"], code, "{refused}");
        }
        let all = "{ suppressions { totalCount nodes { lastDigits scope scopeValue reason contact { number } } } \
            consentEvents(filter: {number: \"0151 12345671\"}) { totalCount } }";
        let seen = api.data(&ctx, all, json!({})).await;
        assert_eq!(seen["suppressions"], json!({ "totalCount": 1, "nodes": [{ "lastDigits": "71",
            "scope": "SENDER", "scopeValue": "acme 1", "reason": "OPTED_OUT",
            "contact": { "number": "+4915112345671" } }] }));
        assert_eq!(seen["consentEvents"]["totalCount"], 1);
        // It outlives the contact, and is found by the number again.
        api.data(&ctx, "mutation($id: ID!) { deleteContact(input: {contactId: $id}) { deletedContactId } }", json!({ "id": id })).await;
        let seen = api.data(&ctx, all, json!({})).await;
        assert_eq!(seen["suppressions"]["nodes"][0]["contact"], serde_json::Value::Null);
        assert_eq!(seen["consentEvents"]["totalCount"], 1);
        let granted = input(json!({ "granted": true, "whose": { "number": ONE } }));
        api.data(&ctx, record, granted).await;
        let seen = api.data(&ctx, all, json!({})).await;
        assert_eq!(seen["suppressions"]["totalCount"], 0, "agreement ends the suppression");
        assert_eq!(seen["consentEvents"]["totalCount"], 2);
        for sql in ["UPDATE consent_event SET wording = 'x'", "DELETE FROM consent_event"] {
            let tampered = house.platform.db.write(|tx| async move {
                use sea_orm::ConnectionTrait;
                tx.execute_unprepared(sql).await.map(drop)
            });
            let refused: DbErr = tampered.await.unwrap_err();
            assert!(refused.to_string().contains("append-only"), "{refused}");
        }
    }
}

/// How many messages to a number were ever claimed.
async fn claimed(db: &heliograph::db::Db, payer: &Payer, number: &str) -> i64 {
    use sea_orm::{ConnectionTrait, Statement};
    let statement = Statement::from_sql_and_values(
        db.store().backend(),
        "SELECT count(*) AS claimed FROM message WHERE account_id = $1 AND recipient = $2 AND attempt > 0",
        [payer.account_id.0.into(), number.into()],
    );
    let row = db.migrator().query_one_raw(statement).await.unwrap().unwrap();
    row.try_get("", "claimed").unwrap()
}
