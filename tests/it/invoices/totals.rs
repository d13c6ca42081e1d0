//! One total: what charts, lists, the ledger and the invoice say of a month is one figure.

use entity::enums::{MessageStatus, Role};
use heliograph::types::money::Micros;
use serde_json::{Value, json};

use super::{Books, DAY, make_monthly, micros, sum};
use crate::billing::{Payer, accepted, of_three_parts, real_numbers, scripted_carrier};
use crate::graphql_api::{Api, operator, person};
use crate::messages::{subscribe, until_all};
use crate::support::both_stores;

fn total<'a>(amounts: impl IntoIterator<Item = &'a Value>) -> Micros {
    Micros::checked_sum(amounts.into_iter().map(micros)).unwrap()
}

both_stores! {
    async fn chart_list_ledger_and_invoice_have_one_total(house: TestHouse) {
        let payer = Payer::with(&house, 0).await;
        house.give_credit(payer.account_id).await;
        let account_id = payer.account_id;
        let books = Books {
            api: Api::new(&house).await,
            account_id,
            owner: person(&house, account_id, Role::Owner),
            staff: operator(&house, Role::Billing).await,
        };
        // Prices that no cent is a multiple of.
        let card = "mutation { createRateCard(input: { name: \"Fine\", currency: \"USD\", \
            isDefault: true }) { rateCard { id } userErrors { code } } }";
        let made = books.api.data(&books.staff, card, json!({})).await;
        let id = &made["createRateCard"]["rateCard"]["id"];
        let rates = "mutation($input: SetRatesInput!) { setRates(input: $input) { userErrors { code } } }";
        let input = json!({ "input": { "rateCardId": id, "rates": [
            { "prefix": "+49", "price": "0.0000375" }, { "prefix": "+44", "price": "0.012345678" } ] } });
        books.api.data(&books.staff, rates, input).await;
        let mut events = subscribe(&house, &payer.ctx).await;
        let carrier = scripted_carrier::start(&house, scripted_carrier::takes_all);
        for day in 0..3 {
            let mut messages = real_numbers(3);
            messages.push(of_three_parts());
            messages.push(crate::messages::to("+447400123456"));
            let sent = accepted(&payer.send(&house, &format!("day {day}"), messages).await);
            until_all(&mut events, &sent, &[MessageStatus::Sent]).await;
            house.hand.advance(DAY);
        }
        carrier.stop().await;
        let read = "{ usage(input: { from: \"2026-01-01\", to: \"2026-01-31\", groupBy: [DAY, COUNTRY] }) \
            { total { amount { amount } } groups { total { amount { amount } } } } \
            messages(first: 100) { nodes { charged { amount } } } \
            ledgerEntries(first: 100) { nodes { code purse amount { amount } } } }";
        let data = books.api.data(&books.owner, read, json!({})).await;
        let list = |path: &str| data[path]["nodes"].as_array().unwrap().clone();
        let charted = micros(&data["usage"]["total"]["amount"]["amount"]);
        let groups = data["usage"]["groups"].as_array().unwrap();
        assert_eq!(total(groups.iter().map(|it| &it["total"]["amount"]["amount"])), charted);
        let messages = list("messages");
        assert_eq!(messages.len(), 15);
        assert_eq!(total(messages.iter().map(|it| &it["charged"]["amount"])), charted);
        let entries = list("ledgerEntries");
        assert!(entries.iter().all(|entry| entry["purse"] == "MONEY"));
        let charged = entries.iter().filter(|entry| entry["code"] == "MESSAGES");
        assert_eq!(total(charged.map(|it| &it["amount"]["amount"])), charted.negated());
        house.hand.advance(DAY * 28);
        assert_eq!(make_monthly(&house).await, 1);
        let invoice = &books.documents().await[0];
        assert_eq!(sum(invoice, "MESSAGES"), charted);
        // 3 × (3 × 0.000038 + 0.000112) and 3 × 0.012346: each message is rounded to a micro-unit once.
        assert_eq!(charted, Micros(3 * (3 * 38 + 112) + 3 * 12_346));
        // Of other purses there is nothing to list.
        let read = "{ ledgerEntries(purse: PARTS) { totalCount } }";
        assert_eq!(books.api.data(&books.owner, read, json!({})).await["ledgerEntries"]["totalCount"], 0);
        let read = "{ ledgerEntries(purse: CREDIT) { totalCount } }";
        assert_eq!(books.api.data(&books.owner, read, json!({})).await["ledgerEntries"]["totalCount"], 0);
    }
}
