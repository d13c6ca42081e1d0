//! What an account is told of its money: its entries, and what its messages cost.

use std::time::Duration;

use entity::enums::{MessageStatus, Role};
use entity::ids::AccountId;
use heliograph::billing::CreditChange;
use heliograph::messages::NewMessage;
use heliograph::types::money::Micros;
use serde_json::{Value, json};

use super::{PART, Payer, accepted, of_three_parts, real_numbers, scripted_carrier};
use crate::graphql_api::{Api, account, operator, person, text};
use crate::messages::{subscribe, to, until_all};
use crate::support::{TestHouse, both_stores};

const ENTRIES: &str = "query($first: Int, $after: Cursor, $currency: CurrencyCode) { \
    ledgerEntries(first: $first, after: $after, currency: $currency) { totalCount \
    nodes { id code subject amount { amount currency } balanceAfter { amount } occurredAt } \
    pageInfo { hasNextPage endCursor } } }";
const USAGE: &str = "query($input: UsageInput!) { usage(input: $input) { \
    total { messages parts amount { amount } } \
    groups { day country class total { messages parts amount { amount currency } } } } }";

/// Messages to two countries and of two classes, on two days.
async fn spend(house: &TestHouse, payer: &Payer) {
    let mut events = subscribe(house, &payer.ctx).await;
    let carrier = scripted_carrier::start(house, scripted_carrier::takes_all);
    let british =
        NewMessage { class: Some(entity::enums::MessageClass::Otp), ..to("+447400123456") };
    let days = [vec![of_three_parts(), british.clone()], real_numbers(2), vec![british]];
    for (day, messages) in days.into_iter().enumerate() {
        let sent = accepted(&payer.send(house, &format!("day {day}"), messages).await);
        until_all(&mut events, &sent, &[MessageStatus::Sent]).await;
        if day != 1 {
            house.hand.advance(Duration::from_secs(24 * 3_600));
        }
    }
    carrier.stop().await;
}

both_stores! {
    async fn entries_are_listed_newest_first_with_what_was_left(house: TestHouse) {
        let api = Api::new(&house).await;
        let payer = Payer::with(&house, 100 * PART).await;
        spend(&house, &payer).await;
        let less = CreditChange { add_balance: Some(Micros(-250_000)), ..CreditChange::default() };
        payer.change(&house, less).await;
        let read = async |variables: Value| {
            api.data(&payer.ctx, ENTRIES, variables).await["ledgerEntries"].clone()
        };
        let mut all = Vec::new();
        let mut after = Value::Null;
        loop {
            let page = read(json!({ "first": 2, "after": after })).await;
            all.extend(page["nodes"].as_array().unwrap().clone());
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                assert_eq!(page["totalCount"], all.len());
                break;
            }
        }
        let shown = |entry: &Value| {
            let (code, amount) = (text(&entry["code"]), text(&entry["amount"]["amount"]));
            format!("{code} {amount} {}", text(&entry["balanceAfter"]["amount"]))
        };
        assert_eq!(shown(&all[0]), "ADJUSTMENT -0.25 0.68");
        assert_eq!(shown(all.last().unwrap()), "ADJUSTMENT 1.00 1.00");
        assert_eq!(all[0]["amount"]["currency"], "USD");
        assert_eq!(all[0]["occurredAt"], "2026-01-07T00:00:00.000Z");
        assert!(all[1..all.len() - 1].iter().all(|entry| entry["code"] == "MESSAGES"));
        let sum: i64 = all
            .iter()
            .map(|entry| text(&entry["amount"]["amount"]).parse::<Micros>().unwrap().0)
            .sum();
        assert_eq!(sum, payer.has().await.0, "what was written sums to what there is");

        let one = "query($id: ID!) { node(id: $id) { ... on LedgerEntry { code balanceAfter { amount } } } }";
        let found = api.data(&payer.ctx, one, json!({ "id": all[0]["id"] })).await;
        assert_eq!(found["node"]["balanceAfter"]["amount"], "0.68");
        let stranger = person(&house, account(&house, "Other").await, Role::Owner);
        let hidden = api.data(&stranger, one, json!({ "id": all[0]["id"] })).await;
        assert_eq!(hidden["node"], Value::Null);
        assert_eq!(read(json!({ "currency": "EUR" })).await["totalCount"], 0);
        let support = person(&house, payer.account_id, Role::Support);
        assert_eq!(api.code(&support, ENTRIES, json!({})).await, "FORBIDDEN");
    }

    async fn charts_lists_and_books_have_one_total(house: TestHouse) {
        let api = Api::new(&house).await;
        let payer = Payer::with(&house, 100 * PART).await;
        // Somebody else's messages are not in it.
        let other = Payer::with(&house, 100 * PART).await;
        other.send(&house, "other", real_numbers(1)).await;
        spend(&house, &payer).await;
        let usage = async |from: &str, to: &str, by: &[&str]| {
            let input = json!({ "from": from, "to": to, "groupBy": by });
            api.data(&payer.ctx, USAGE, json!({ "input": input })).await["usage"].clone()
        };
        let whole = usage("2026-01-01", "2026-01-31", &[]).await;
        let total = json!({ "messages": 5, "parts": 7, "amount": { "amount": "0.07" } });
        assert_eq!(whole["total"], total);
        assert_eq!(whole["groups"].as_array().unwrap().len(), 1);
        let charged: i64 = house.value(
            "SELECT CAST(SUM(charged_micros) AS BIGINT) FROM message WHERE account_id = $1",
            [payer.account_id.into()],
        ).await;
        let earned: i64 = house.value(
            "SELECT balance_micros FROM ledger_book WHERE account_id = $1 AND kind = 1",
            [payer.account_id.into()],
        ).await;
        assert_eq!((charged, earned), (7 * PART, 7 * PART));

        for by in [&["DAY"][..], &["COUNTRY"], &["CLASS"], &["DAY", "COUNTRY", "CLASS"], &["CLASS", "COUNTRY"]] {
            let told = usage("2026-01-05", "2026-01-06", by).await;
            assert_eq!(told["total"], total, "{by:?}");
            let groups = told["groups"].as_array().unwrap().iter();
            let parts: i64 = groups.map(|group| group["total"]["parts"].as_i64().unwrap()).sum();
            assert_eq!(parts, 7, "{by:?}");
        }
        let daily = usage("2026-01-04", "2026-01-07", &["DAY"]).await;
        let shown = |group: &Value| (text(&group["day"]), group["total"]["parts"].as_i64().unwrap());
        let days: Vec<_> = daily["groups"].as_array().unwrap().iter().map(shown).collect();
        let day = |text: &str, parts| (text.to_owned(), parts);
        assert_eq!(days, [
            day("2026-01-04", 0), day("2026-01-05", 4), day("2026-01-06", 3), day("2026-01-07", 0),
        ]);
        let by_country = usage("2026-01-05", "2026-01-07", &["DAY", "COUNTRY"]).await;
        let shown = |group: &Value| {
            let (day, parts) = (text(&group["day"]), &group["total"]["parts"]);
            format!("{} {} {parts}", &day[8..], text(&group["country"]))
        };
        let groups: Vec<_> = by_country["groups"].as_array().unwrap().iter().map(shown).collect();
        assert_eq!(groups, ["05 DE 3", "05 GB 1", "06 DE 2", "06 GB 1", "07 DE 0", "07 GB 0"]);
        let classes = usage("2026-01-05", "2026-01-07", &["CLASS"]).await;
        assert_eq!(classes["groups"][0]["class"], "OTP");
        assert_eq!(classes["groups"][0]["total"]["messages"], 2);
        let empty = usage("2025-01-01", "2025-01-02", &["COUNTRY"]).await;
        assert_eq!(empty["groups"], json!([]));
        for (from, to) in [("2026-01-02", "2026-01-01"), ("2025-01-01", "2026-02-05")] {
            let input = json!({ "input": { "from": from, "to": to } });
            assert_eq!(api.code(&payer.ctx, USAGE, input).await, "BAD_REQUEST");
        }
    }

    async fn the_operator_reads_any_account_s_money(house: TestHouse) {
        let api = Api::new(&house).await;
        let payer = Payer::with(&house, 100 * PART).await;
        spend(&house, &payer).await;
        let staff = operator(&house, Role::Billing).await;
        let document = "query($id: ID!) { accountBilling(accountId: $id) { \
            terms { currency terms account { name } rateCard { id } } \
            balance { posted held available } ledgerEntries(first: 1) { totalCount nodes { code } } \
            usage(input: { from: \"2026-01-05\", to: \"2026-01-06\" }) { total { messages } } } }";
        let id = json!({ "id": payer.account_id.to_string() });
        let read = api.data(&staff, document, id.clone()).await["accountBilling"].clone();
        assert_eq!(read["balance"], json!({ "posted": "0.93", "held": "0.00", "available": "0.93" }));
        assert_eq!(read["terms"], json!({
            "currency": "USD", "terms": "PREPAID", "account": { "name": "Acme" }, "rateCard": null,
        }));
        assert_eq!(read["ledgerEntries"]["nodes"], json!([{ "code": "MESSAGES" }]));
        assert_eq!(read["usage"]["total"]["messages"], 5);
        let nobody: AccountId = house.platform.ids.next();
        let missing = api.data(&staff, document, json!({ "id": nobody.to_string() })).await;
        assert_eq!(missing["accountBilling"], Value::Null);
        assert_eq!(api.code(&payer.ctx, document, id).await, "FORBIDDEN");
    }
}
