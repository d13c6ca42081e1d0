//! Plans: a month is charged once, in advance, and as soon as the money is there.

use std::time::Duration;

use entity::enums::Role;
use entity::ids::AccountId;
use heliograph::billing::CreditChange;
use heliograph::billing::plans;
use heliograph::ctx::Ctx;
use heliograph::types::money::Micros;
use serde_json::{Value, json};

use super::{PART, Payer, assert_in_order};
use crate::graphql_api::{Api, operator, text};
use crate::support::{PATIENCE, TestHouse, both_stores, within};

const CREATE: &str = "mutation($input: CreatePlanInput!) { createPlan(input: $input) { \
    plan { id name monthlyPrice { amount } rateCard { id } version } userErrors { code path } } }";
const UPDATE: &str = "mutation($input: UpdatePlanInput!) { updatePlan(input: $input) { \
    plan { name monthlyPrice { amount } version } userErrors { code path } } }";
const DELETE: &str = "mutation($id: ID!) { deletePlan(input: {planId: $id}) { \
    deletedPlanId userErrors { code } } }";
const SUBSCRIBE: &str = "mutation($account: ID!, $plan: ID!) { \
    subscribeAccount(input: {accountId: $account, planId: $plan}) { \
    planSubscription { plan { id } startedAt dueAt overdueFrom } userErrors { code path } } }";
const UNSUBSCRIBE: &str = "mutation($account: ID!) { \
    unsubscribeAccount(input: {accountId: $account}) { unsubscribed userErrors { code } } }";
const SUBSCRIPTION: &str = "{ planSubscription { plan { name } dueAt overdueFrom } }";
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// What a month costs: a dollar.
const MONTH: i64 = 100 * PART;

async fn plan(api: &Api, staff: &Ctx, name: &str, rate_card: Option<&str>) -> String {
    let input = json!({
        "name": name, "currency": "USD", "monthlyPrice": "1", "rateCardId": rate_card,
    });
    let made = api.data(staff, CREATE, json!({ "input": input })).await["createPlan"].clone();
    assert_eq!(made["userErrors"], json!([]));
    text(&made["plan"]["id"])
}

async fn subscribe(api: &Api, staff: &Ctx, account_id: AccountId, plan: &str) -> Value {
    let variables = json!({ "account": account_id.to_string(), "plan": plan });
    api.data(staff, SUBSCRIBE, variables).await["subscribeAccount"].clone()
}

async fn charge_due(house: &TestHouse) -> u64 {
    plans::charge_due(&house.system()).await.unwrap()
}

async fn pay(house: &TestHouse, payer: &Payer, amount: i64) {
    let add_balance = Some(Micros(amount));
    payer.change(house, CreditChange { add_balance, ..CreditChange::default() }).await;
}

both_stores! {
    async fn each_month_is_charged_once_and_in_advance(house: TestHouse) {
        let api = Api::new(&house).await;
        let staff = operator(&house, Role::Billing).await;
        let id = plan(&api, &staff, "Standard", None).await;
        let payer = Payer::with(&house, 10 * MONTH).await;
        for _ in 0..2 {
            let subscribed = subscribe(&api, &staff, payer.account_id, &id).await;
            assert_eq!(subscribed, json!({ "userErrors": [], "planSubscription": {
                "plan": { "id": id }, "startedAt": "2026-01-05T00:00:00.000Z",
                "dueAt": "2026-02-05T00:00:00.000Z", "overdueFrom": null,
            } }));
            assert_eq!(payer.has().await, (9 * MONTH, 0));
            assert_eq!(charge_due(&house).await, 0);
        }
        house.hand.advance(DAY * 31);
        assert_eq!(charge_due(&house).await, 1);
        assert_eq!(charge_due(&house).await, 0);
        assert_eq!(payer.has().await, (8 * MONTH, 0));
        // Three months in which nothing ran.
        house.hand.advance(DAY * (28 + 31 + 30));
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let system = house.system();
                tokio::spawn(async move { plans::charge_due(&system).await.unwrap() })
            })
            .collect();
        for task in tasks {
            within(PATIENCE, task).await.unwrap();
        }
        assert_eq!(payer.has().await, (5 * MONTH, 0));
        let months = house.rows(
            "SELECT occurred_at_ms, key FROM ledger_transfer WHERE code = 12 ORDER BY seq", [],
        ).await;
        let days: Vec<String> = months
            .iter()
            .map(|row| row.try_get::<String>("", "key").unwrap()[id.len() + 6..].to_owned())
            .collect();
        assert_eq!(days, ["2026-01-05", "2026-02-05", "2026-03-05", "2026-04-05", "2026-05-05"]);
        assert_in_order(&house).await;

        let ended = api.data(&staff, UNSUBSCRIBE, json!({ "account": payer.account_id.to_string() })).await;
        assert_eq!(ended["unsubscribeAccount"]["unsubscribed"], true);
        let again = api.data(&staff, UNSUBSCRIBE, json!({ "account": payer.account_id.to_string() })).await;
        assert_eq!(again["unsubscribeAccount"]["userErrors"][0]["code"], "NOT_SUBSCRIBED");
        house.hand.advance(DAY * 31);
        assert_eq!(charge_due(&house).await, 0);
        assert_eq!(payer.has().await, (5 * MONTH, 0));
    }

    async fn what_the_money_does_not_reach_to_is_tried_again_each_day(house: TestHouse) {
        let api = Api::new(&house).await;
        let staff = operator(&house, Role::Owner).await;
        let id = plan(&api, &staff, "Standard", None).await;
        let payer = Payer::with(&house, MONTH - 1).await;
        let subscribed = subscribe(&api, &staff, payer.account_id, &id).await;
        assert_eq!(subscribed["planSubscription"]["overdueFrom"], "2026-01-05T00:00:00.000Z");
        assert_eq!(payer.has().await, (MONTH - 1, 0));
        pay(&house, &payer, 1).await;
        assert_eq!(charge_due(&house).await, 0, "not before a day has passed");
        // Held money is not there.
        let held = super::real_numbers(1);
        payer.send(&house, "held", held).await;
        house.hand.advance(DAY);
        assert_eq!(charge_due(&house).await, 1);
        let own = api.data(&payer.ctx, SUBSCRIPTION, json!({})).await["planSubscription"].clone();
        assert_eq!(own, json!({
            "plan": { "name": "Standard" }, "dueAt": "2026-01-07T00:00:00.000Z",
            "overdueFrom": "2026-01-05T00:00:00.000Z",
        }));
        pay(&house, &payer, PART).await;
        house.hand.advance(DAY);
        assert_eq!(charge_due(&house).await, 1);
        assert_eq!(payer.has().await, (PART, PART));
        let own = api.data(&payer.ctx, SUBSCRIPTION, json!({})).await["planSubscription"].clone();
        assert_eq!(own["overdueFrom"], Value::Null);
        assert_eq!(own["dueAt"], "2026-02-05T00:00:00.000Z");
        // Two months later the money reaches to one.
        house.hand.advance(DAY * 60);
        pay(&house, &payer, MONTH + PART).await;
        assert_eq!(charge_due(&house).await, 1);
        assert_eq!(payer.has().await, (2 * PART, PART));
        let own = api.data(&payer.ctx, SUBSCRIPTION, json!({})).await["planSubscription"].clone();
        assert_eq!(own["overdueFrom"], "2026-03-08T00:00:00.000Z");
        assert_in_order(&house).await;
    }

    async fn who_comes_back_on_the_same_day_does_not_pay_twice(house: TestHouse) {
        let api = Api::new(&house).await;
        let staff = operator(&house, Role::Admin).await;
        let id = plan(&api, &staff, "Standard", None).await;
        let payer = Payer::with(&house, 10 * MONTH).await;
        for price in ["1", "2"] {
            let input = json!({ "planId": id, "monthlyPrice": price });
            api.data(&staff, UPDATE, json!({ "input": input })).await;
            subscribe(&api, &staff, payer.account_id, &id).await;
            assert_eq!(payer.has().await, (9 * MONTH, 0));
            let account = json!({ "account": payer.account_id.to_string() });
            api.data(&staff, UNSUBSCRIBE, account).await;
        }
        house.hand.advance(DAY);
        subscribe(&api, &staff, payer.account_id, &id).await;
        assert_eq!(payer.has().await, (7 * MONTH, 0));
        assert_in_order(&house).await;
    }

    async fn a_plan_brings_its_rate_card_and_takes_it_along(house: TestHouse) {
        let api = Api::new(&house).await;
        let staff = operator(&house, Role::Owner).await;
        let document = "mutation { createRateCard(input: {name: \"Cheap\", currency: \"USD\"}) \
            { rateCard { id } } }";
        let made = api.data(&staff, document, json!({})).await;
        let card = text(&made["createRateCard"]["rateCard"]["id"]);
        let (with, without) =
            (plan(&api, &staff, "With", Some(&card)).await, plan(&api, &staff, "Without", None).await);
        let payer = Payer::with(&house, 10 * MONTH).await;
        let account = json!({ "id": payer.account_id.to_string() });
        let terms = "query($id: ID!) { accountBilling(accountId: $id) { terms { rateCard { id } } } }";
        let card_of = async || {
            let read = api.data(&staff, terms, account.clone()).await;
            read["accountBilling"]["terms"]["rateCard"]["id"].clone()
        };
        subscribe(&api, &staff, payer.account_id, &with).await;
        assert_eq!(card_of().await, card);
        let refused = subscribe(&api, &staff, payer.account_id, &without).await;
        assert_eq!(refused["userErrors"][0]["code"], "ALREADY_SUBSCRIBED");
        let delete = "mutation($id: ID!) { deleteRateCard(input: {rateCardId: $id}) \
            { userErrors { code } } }";
        let in_use = api.data(&staff, delete, json!({ "id": card })).await;
        assert_eq!(in_use["deleteRateCard"]["userErrors"][0]["code"], "RATE_CARD_IN_USE");
        let in_use = api.data(&staff, DELETE, json!({ "id": with })).await;
        assert_eq!(in_use["deletePlan"]["userErrors"][0]["code"], "PLAN_IN_USE");
        api.data(&staff, UNSUBSCRIBE, json!({ "account": payer.account_id.to_string() })).await;
        assert_eq!(card_of().await, Value::Null);
        let deleted = api.data(&staff, DELETE, json!({ "id": with })).await;
        assert_eq!(deleted["deletePlan"]["deletedPlanId"], with);
        let again = api.data(&staff, DELETE, json!({ "id": with })).await;
        assert_eq!(again["deletePlan"]["userErrors"][0]["code"], "PLAN_NOT_FOUND");
    }

    async fn plans_have_their_bounds(house: TestHouse) {
        let api = Api::new(&house).await;
        let staff = operator(&house, Role::Owner).await;
        let id = plan(&api, &staff, "Standard", None).await;
        let unknown_card = "rate_00000000000000000000000000";
        for (name, price, card, code) in [
            ("Standard", "1", None, "NAME_TAKEN"),
            ("", "1", None, "INVALID_NAME"),
            ("Other", "-0.000001", None, "INVALID_PRICE"),
            ("Other", "1", Some(unknown_card), "RATE_CARD_NOT_FOUND"),
        ] {
            let input =
                json!({ "name": name, "currency": "USD", "monthlyPrice": price, "rateCardId": card });
            let refused = api.data(&staff, CREATE, json!({ "input": input })).await;
            assert_eq!(refused["createPlan"]["userErrors"][0]["code"], code);
        }
        let input = json!({ "planId": id, "name": "Renamed", "monthlyPrice": "0" });
        let changed = api.data(&staff, UPDATE, json!({ "input": input })).await;
        assert_eq!(changed["updatePlan"]["plan"], json!({
            "name": "Renamed", "monthlyPrice": { "amount": "0.00" }, "version": 2,
        }));
        let euros = json!({ "name": "Euros", "currency": "EUR", "monthlyPrice": "1" });
        let made = api.data(&staff, CREATE, json!({ "input": euros })).await;
        let euros = text(&made["createPlan"]["plan"]["id"]);
        let payer = Payer::with(&house, 0).await;
        let refused = subscribe(&api, &staff, payer.account_id, &euros).await;
        assert_eq!(refused["userErrors"][0]["code"], "OTHER_CURRENCY");
        let nobody: AccountId = house.platform.ids.next();
        let refused = subscribe(&api, &staff, nobody, &id).await;
        assert_eq!(refused["userErrors"][0]["code"], "ACCOUNT_NOT_FOUND");
        // What is free needs no money, and writes nothing.
        let free = subscribe(&api, &staff, payer.account_id, &id).await;
        assert_eq!(free["planSubscription"]["overdueFrom"], Value::Null);
        assert_eq!(house.value::<i64>("SELECT count(*) FROM ledger_transfer", []).await, 0);
        let listed = api.data(&staff, "{ plans { totalCount nodes { name } } }", json!({})).await;
        let plans = json!({ "totalCount": 2, "nodes": [{ "name": "Euros" }, { "name": "Renamed" }] });
        assert_eq!(listed["plans"], plans);
        assert_eq!(api.code(&payer.ctx, "{ plans { nodes { id } } }", json!({})).await, "FORBIDDEN");
    }
}
