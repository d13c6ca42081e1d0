//! Which package pays for which message, and that none pays more than it holds.

use std::sync::Arc;
use std::time::Duration;

use entity::enums::PackageState::{Active, UsedUp};
use entity::enums::{MessageClass, MessageStatus, Purse, Role, ValidityUnit};
use heliograph::billing::CreditChange;
use heliograph::billing::packages::{self, ScopeText, Validity};
use heliograph::carriers::registry::{self, NewCarrier, SmppSettings};
use heliograph::error::Error;
use heliograph::messages::commands::{self, CancelResult};
use heliograph::messages::{ItemErrorCode, NewMessage};
use heliograph::routing::{self, NewRoute};
use heliograph::types::money::Micros;
use serde_json::json;

use super::{ONE, give, left, of_credit, of_parts, offer, payer_with_parts};
use crate::billing::scripted_carrier::{self, takes_all, takes_one};
use crate::billing::{PART, Payer, accepted, assert_in_order, of_three_parts, real_numbers};
use crate::graphql_api::{Api, person};
use crate::identity::secret;
use crate::messages::{batch, stored, subscribe, to, until_all};
use crate::support::{PATIENCE, both_stores, within};

both_stores! {
    async fn a_package_pays_before_the_money_does(house: TestHouse) {
        let (payer, id) = payer_with_parts(&house, 100 * PART, 5).await;
        let mut messages = vec![of_three_parts()];
        messages.extend(real_numbers(4));
        let sent = accepted(&payer.send(&house, "k", messages.clone()).await);
        // Three parts and two of one; the last two are paid with money.
        assert_eq!(left(&house, id).await, (5 * ONE, 5 * ONE, Active));
        assert_eq!(payer.has().await, (100 * PART, 2 * PART));
        assert_in_order(&house).await;
        let again = accepted(&payer.send(&house, "k", messages).await);
        assert_eq!(again, sent);
        assert_eq!(payer.has().await, (100 * PART, 2 * PART), "a replay holds nothing");
        let canceled = commands::cancel(&payer.ctx, &sent[2..3]).await.unwrap();
        assert_eq!(canceled, [CancelResult::Canceled]);
        assert_eq!(left(&house, id).await, (5 * ONE, 4 * ONE, Active));
        assert_in_order(&house).await;
        let mut events = subscribe(&house, &payer.ctx).await;
        let carrier = scripted_carrier::start(&house, takes_all);
        let rest = [sent[0], sent[1], sent[3], sent[4]];
        until_all(&mut events, &rest, &[MessageStatus::Sent]).await;
        carrier.stop().await;
        assert_eq!(left(&house, id).await, (ONE, 0, Active));
        assert_eq!(payer.has().await, (98 * PART, 0));
        assert_in_order(&house).await;
        let row = stored(&house, &payer.ctx, sent[0]).await;
        assert_eq!((row.purse, row.granted_package_id), (Purse::Parts, Some(id)));
        assert_eq!((row.currency.as_str(), row.charged_micros), ("USD", Some(3 * ONE)));
        assert_eq!(stored(&house, &payer.ctx, sent[3]).await.purse, Purse::Money);
    }

    async fn of_a_message_that_was_taken_in_part_the_rest_goes_back(house: TestHouse) {
        let (payer, id) = payer_with_parts(&house, 0, 3).await;
        let sent = accepted(&payer.send(&house, "k", vec![of_three_parts()]).await);
        let mut events = subscribe(&house, &payer.ctx).await;
        let carrier = scripted_carrier::start(&house, takes_one);
        until_all(&mut events, &sent, &[MessageStatus::Failed]).await;
        carrier.stop().await;
        assert_eq!(left(&house, id).await, (2 * ONE, 0, Active));
        let parts: i64 = house.value("SELECT parts FROM usage_day", []).await;
        assert_eq!(parts, 1);
        assert_in_order(&house).await;
    }

    async fn the_first_to_expire_pays_first_and_then_the_oldest(house: TestHouse) {
        let payer = Payer::with(&house, 0).await;
        let long = offer(&house, of_parts("Long", 2)).await;
        let days = |count| Validity { unit: ValidityUnit::Days, count };
        let short = packages::NewPackage { validity: days(5), ..of_parts("Short", 2) };
        let short = offer(&house, short).await.id;
        let first = give(&house, &payer, long.id, "1").await;
        let second = give(&house, &payer, long.id, "2").await;
        let third = give(&house, &payer, short, "3").await;
        let mut expected = [(third, 0), (first, 0), (second, 0)];
        for turn in 0..5 {
            let message = to(&format!("+4915112{turn:06}"));
            accepted(&payer.send(&house, &format!("k{turn}"), vec![message]).await);
            expected[turn / 2].1 += ONE;
            for (id, held) in expected {
                assert_eq!(left(&house, id).await.1, held, "{turn}");
            }
        }
        assert_in_order(&house).await;
    }

    async fn a_package_pays_only_for_its_numbers_and_classes(house: TestHouse) {
        let payer = Payer::with(&house, 100 * PART).await;
        let scope = ScopeText {
            prefixes: vec!["+4915".to_owned()],
            classes: vec![MessageClass::Marketing],
        };
        let package = offer(&house, packages::NewPackage { scope, ..of_parts("Some", 9) }).await;
        let id = give(&house, &payer, package.id, "k").await;
        let marketing = |number: &str| NewMessage {
            class: Some(MessageClass::Marketing), ..to(number)
        };
        let messages =
            vec![marketing("+4915112000001"), marketing("+4916012000001"), to("+4915112000002")];
        accepted(&payer.send(&house, "k", messages).await);
        assert_eq!(left(&house, id).await.1, ONE);
        assert_eq!(payer.has().await, (100 * PART, 2 * PART));
        assert_in_order(&house).await;
    }

    async fn credit_pays_what_messages_cost_and_not_a_bit_of_one(house: TestHouse) {
        let payer = Payer::with(&house, 100 * PART).await;
        let package = offer(&house, of_credit("Credit", 5 * PART / 2)).await;
        let id = give(&house, &payer, package.id, "k").await;
        let sent = accepted(&payer.send(&house, "k", real_numbers(3)).await);
        assert_eq!(left(&house, id).await, (5 * PART / 2, 2 * PART, Active));
        assert_eq!(payer.has().await, (100 * PART, PART));
        let mut events = subscribe(&house, &payer.ctx).await;
        let carrier = scripted_carrier::start(&house, takes_all);
        until_all(&mut events, &sent, &[MessageStatus::Sent]).await;
        carrier.stop().await;
        assert_eq!(left(&house, id).await, (PART / 2, 0, Active));
        assert_in_order(&house).await;
    }

    async fn what_is_neither_in_packages_nor_in_money_is_refused(house: TestHouse) {
        let (payer, id) = payer_with_parts(&house, 2 * PART, 2).await;
        let mut messages = vec![of_three_parts()];
        messages.extend(real_numbers(5));
        let told: Vec<_> = payer
            .send(&house, "k", messages)
            .await
            .results
            .iter()
            .map(|result| result.as_ref().map(drop).map_err(|error| error.code))
            .collect();
        let refused = Err(ItemErrorCode::InsufficientCredit);
        assert_eq!(told, [refused, Ok(()), Ok(()), Ok(()), Ok(()), refused]);
        assert_eq!(left(&house, id).await, (2 * ONE, 2 * ONE, Active));
        assert_eq!(payer.has().await, (2 * PART, 2 * PART));
        assert_in_order(&house).await;
    }

    async fn sixty_four_at_once_never_overspend_a_package(house: TestHouse) {
        let (payer, id) = payer_with_parts(&house, 50 * PART, 100).await;
        let credit = offer(&house, of_credit("Credit", 10 * PART)).await;
        let credit = give(&house, &payer, credit.id, "credit").await;
        let tables = Arc::new(Payer::tables(&house).await);
        let tasks: Vec<_> = (0..64)
            .map(|task| {
                let (ctx, tables) = (payer.ctx.clone(), Arc::clone(&tables));
                let input = batch(&format!("k{task}"), real_numbers(3));
                tokio::spawn(async move { commands::send(&ctx, &tables, input).await.unwrap() })
            })
            .collect();
        let mut accepted = 0;
        for task in tasks {
            let outcome = within(PATIENCE, task).await.unwrap();
            accepted += outcome.results.iter().filter(|result| result.is_ok()).count();
        }
        assert_eq!(accepted, 160, "all that packages and money reach to, and no more");
        assert_eq!(left(&house, id).await, (100 * ONE, 100 * ONE, Active));
        assert_eq!(left(&house, credit).await, (10 * PART, 10 * PART, Active));
        assert_eq!(payer.has().await, (50 * PART, 50 * PART));
        assert_in_order(&house).await;
    }

    async fn what_costs_nothing_is_given_and_not_bought(house: TestHouse) {
        let payer = Payer::with(&house, 100 * PART).await;
        let free = packages::NewPackage { price: Micros::ZERO, ..of_parts("Free", 9) };
        let free = offer(&house, free).await;
        let buyer = super::buyer(&house, &payer);
        let bought = packages::buy(&buyer, free.id, "k").await;
        assert!(matches!(bought, Err(Error::Rejected(packages::BuyRejection::NotFound))));
        let id = give(&house, &payer, free.id, "k").await;
        assert_eq!(left(&house, id).await, (9 * ONE, 0, Active));
    }

    async fn the_same_call_eight_times_at_once_takes_from_packages_once(house: TestHouse) {
        let payer = Payer::with(&house, 0).await;
        let scope = ScopeText { prefixes: vec!["+49".to_owned()], ..ScopeText::default() };
        let package = offer(&house, packages::NewPackage { scope, ..of_parts("Germany", 100) }).await;
        let id = give(&house, &payer, package.id, "k").await;
        let tables = Arc::new(Payer::tables(&house).await);
        let mut messages: Vec<_> =
            (1..=3).map(|n| crate::messages::to(&format!("+491511234567{n}"))).collect();
        // No package pays for this one, and no money is there: the rest is found under the locks.
        messages.push(crate::messages::to("+447400123456"));
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (ctx, tables) = (payer.ctx.clone(), Arc::clone(&tables));
                let input = batch("same", messages.clone());
                tokio::spawn(async move { commands::send(&ctx, &tables, input).await.unwrap() })
            })
            .collect();
        for task in tasks {
            let outcome = within(PATIENCE, task).await.unwrap();
            assert_eq!(outcome.results.iter().filter(|result| result.is_ok()).count(), 3);
        }
        assert_eq!(left(&house, id).await, (100 * ONE, 3 * ONE, Active));
        assert_in_order(&house).await;
    }

    async fn a_postpaid_account_uses_its_packages_before_its_credit(house: TestHouse) {
        let (payer, id) = payer_with_parts(&house, 0, 1).await;
        let limit = Some(Micros(PART));
        payer.change(&house, CreditChange { limit, ..CreditChange::default() }).await;
        let results = payer.send(&house, "k", real_numbers(3)).await.results;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 2);
        assert_eq!(left(&house, id).await, (ONE, ONE, Active));
        assert_eq!(payer.has().await, (0, PART));
        assert_in_order(&house).await;
    }

    async fn an_estimate_says_what_packages_would_pay(house: TestHouse) {
        let (payer, id) = payer_with_parts(&house, 100 * PART, 2).await;
        let system = house.system();
        let carrier = NewCarrier {
            name: "Carrier".to_owned(),
            settings: SmppSettings::new("127.0.0.1:1", "lamps"),
            password: secret("secret"),
        };
        let carrier = registry::add(&system, carrier).await.unwrap();
        routing::create(&system, NewRoute::new("+", carrier.id)).await.unwrap();
        let api = Api::new(&house).await;
        let owner = person(&house, payer.account_id, Role::Owner);
        let document = "mutation($input: EstimateMessagesInput!) { estimateMessages(input: $input) { \
            total { amount } results { estimate { price { amount } packageUse { \
            grantedPackage { id } parts } } } } }";
        let message = |n| json!({ "to": format!("+491511200000{n}"), "from": "Acme", "text": "x" });
        let input = json!({ "input": { "messages": [message(1), message(2), message(3)] } });
        let estimated = api.data(&owner, document, input).await;
        let by_package = json!({ "estimate": { "price": { "amount": "0.00" },
            "packageUse": { "grantedPackage": { "id": id.to_string() }, "parts": 1 } } });
        let by_money = json!({ "estimate": { "price": { "amount": "0.01" }, "packageUse": null } });
        assert_eq!(estimated["estimateMessages"]["total"]["amount"], "0.01");
        assert_eq!(
            estimated["estimateMessages"]["results"],
            json!([by_package, by_package, by_money])
        );
        assert_eq!(left(&house, id).await, (2 * ONE, 0, Active), "nothing is held");
    }

    async fn what_packages_pay_is_counted_and_costs_no_money(house: TestHouse) {
        let (payer, id) = payer_with_parts(&house, 100 * PART, 2).await;
        let api = Api::new(&house).await;
        let owner = person(&house, payer.account_id, Role::Owner);
        let sent = accepted(&payer.send(&house, "k", real_numbers(3)).await);
        let mut events = subscribe(&house, &payer.ctx).await;
        let carrier = scripted_carrier::start(&house, takes_all);
        until_all(&mut events, &sent, &[MessageStatus::Sent]).await;
        carrier.stop().await;
        let usage = "{ usage(input: { from: \"2026-01-01\", to: \"2026-01-31\" }) { \
            total { messages parts amount { amount } } } \
            messages { nodes { price { amount } charged { amount } packageUse { parts } } } }";
        let shown = api.data(&owner, usage, json!({})).await;
        assert_eq!(shown["usage"]["total"]["amount"]["amount"], "0.01");
        assert_eq!(shown["usage"]["total"]["messages"], 3);
        let money = json!({ "amount": "0.01" });
        let none = json!({ "amount": "0.00" });
        assert_eq!(shown["messages"]["nodes"], json!([
            { "price": money, "charged": money, "packageUse": null },
            { "price": none, "charged": none, "packageUse": { "parts": 1 } },
            { "price": none, "charged": none, "packageUse": { "parts": 1 } },
        ]));

        // The statement of the month says the same.
        house.hand.advance(Duration::from_secs(31 * 24 * 3_600));
        let made = heliograph::billing::invoices::make_monthly(&house.system()).await.unwrap();
        assert_eq!(made, 1);
        let document = "{ invoices(first: 1) { nodes { total lines(first: 5) { \
            description unitPrice quantity amount } } } }";
        let invoices = api.data(&owner, document, json!({})).await;
        let statement = &invoices["invoices"]["nodes"][0];
        assert_eq!(statement["total"], "0.01");
        assert_eq!(statement["lines"], json!([
            { "description": null, "unitPrice": "0.01", "quantity": "1.00",
              "amount": "0.01" },
            { "description": "paid by packages", "unitPrice": "0.00", "quantity": "2.00",
              "amount": "0.00" },
        ]));
        assert_eq!(packages::close_due(&house.system()).await.unwrap(), 1);
        assert_eq!(left(&house, id).await, (0, 0, UsedUp));
        assert_in_order(&house).await;
    }
}
