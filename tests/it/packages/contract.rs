//! Packages through GraphQL: the catalog, buying, granting, plans, the stream.

use std::time::Duration;

use entity::enums::Role;
use futures::StreamExt;
use heliograph::billing::packages;
use heliograph::billing::plans;
use heliograph::ctx::Ctx;
use serde_json::{Value, json};

use super::{buyer, pay_in, payer_with_parts};
use crate::billing::{PART, Payer, assert_in_order, real_numbers};
use crate::graphql_api::{Api, account, operator, person, text};
use crate::support::{PATIENCE, both_stores, within};

const CREATE: &str = "mutation($input: CreatePackageInput!) { createPackage(input: $input) { \
    package { id name price { amount currency } parts credit { amount } validFor { unit count } \
    prefixes classes archivedAt version } userErrors { code path } } }";
const UPDATE: &str = "mutation($input: UpdatePackageInput!) { updatePackage(input: $input) { \
    package { name parts version classes } userErrors { code path } } }";
const ARCHIVE: &str = "mutation($id: ID!) { archivePackage(input: { packageId: $id }) { \
    package { archivedAt version } userErrors { code } } }";
const IMPORT: &str = "mutation($csv: String!, $replace: Boolean) { \
    importPackages(input: { csv: $csv, replace: $replace }) { createdCount updatedCount \
    archivedCount faultyLines { line reason } userErrors { code path } } }";
const BUY: &str = "mutation($key: String!, $id: ID!) { \
    buyPackage(input: { idempotencyKey: $key, packageId: $id }) { \
    grantedPackage { id source state price { amount } parts partsRemaining expiresAt \
    package { id } } balance { posted } replayed userErrors { code path } } }";
const GRANT: &str = "mutation($key: String!, $account: ID!, $id: ID!) { \
    grantPackage(input: { idempotencyKey: $key, accountId: $account, packageId: $id }) { \
    grantedPackage { id source price { amount } } replayed userErrors { code path } } }";
const OFFERED: &str = "{ packages { totalCount nodes { name } } }";
const CATALOG: &str = "{ packageCatalog { totalCount nodes { name archivedAt } } }";
const DAY: Duration = Duration::from_secs(24 * 3_600);

fn parts(name: &str, parts: i32) -> Value {
    json!({ "name": name, "currency": "USD", "price": "1.50", "parts": parts,
        "validFor": { "unit": "MONTHS", "count": 1 } })
}

async fn create(api: &Api, staff: &Ctx, input: Value) -> Value {
    api.data(staff, CREATE, json!({ "input": input })).await["createPackage"].clone()
}

async fn made(api: &Api, staff: &Ctx, input: Value) -> String {
    let answer = create(api, staff, input).await;
    assert_eq!(answer["userErrors"], json!([]));
    text(&answer["package"]["id"])
}

async fn buy(api: &Api, ctx: &Ctx, key: &str, id: &str) -> Value {
    api.data(ctx, BUY, json!({ "key": key, "id": id })).await["buyPackage"].clone()
}

fn refusal(answer: &Value) -> String {
    text(&answer["userErrors"][0]["code"])
}

both_stores! {
    async fn the_operator_keeps_a_catalog(house: TestHouse) {
        let api = Api::new(&house).await;
        let staff = operator(&house, Role::Billing).await;
        let mut input = parts(" Starter ", 100);
        input["prefixes"] = json!(["+49", "+43"]);
        input["classes"] = json!(["OTP"]);
        let answer = create(&api, &staff, input.clone()).await;
        let id = text(&answer["package"]["id"]);
        assert_eq!(answer, json!({ "userErrors": [], "package": {
            "id": id, "name": "Starter", "price": { "amount": "1.50", "currency": "USD" },
            "parts": 100, "credit": null, "validFor": { "unit": "MONTHS", "count": 1 },
            "prefixes": ["+43", "+49"], "classes": ["OTP"], "archivedAt": null, "version": 1,
        } }));
        assert_eq!(refusal(&create(&api, &staff, input.clone()).await), "NAME_TAKEN");
        for (field, value, code) in [
            ("name", json!(""), "INVALID_NAME"),
            ("price", json!("-1"), "INVALID_PRICE"),
            ("parts", json!(0), "INVALID_AMOUNT"),
            ("parts", json!(100_000_001), "INVALID_AMOUNT"),
            ("credit", json!("1"), "INVALID_AMOUNT"),
            ("parts", Value::Null, "INVALID_AMOUNT"),
            ("validFor", json!({ "unit": "DAYS", "count": 3_661 }), "INVALID_VALIDITY"),
            ("prefixes", json!(["x"]), "INVALID_PREFIXES"),
        ] {
            let mut bad = input.clone();
            bad[field] = value;
            assert_eq!(refusal(&create(&api, &staff, bad).await), code, "{field}");
        }
        let update = |input: Value| {
            let (api, staff) = (&api, &staff);
            async move {
                api.data(staff, UPDATE, json!({ "input": input })).await["updatePackage"].clone()
            }
        };
        let changed = update(json!({ "packageId": id, "parts": 200, "classes": [] })).await;
        assert_eq!(changed["package"]["version"], 2);
        assert_eq!(changed["package"]["parts"], 200);
        assert_eq!(changed["package"]["classes"], json!(["OTP", "TRANSACTIONAL", "MARKETING"]));
        let other = update(json!({ "packageId": id, "credit": "1" })).await;
        assert_eq!(refusal(&other), "OTHER_KIND");
        let nobody = update(json!({ "packageId": "pack_00000000000000000000000000" })).await;
        assert_eq!(refusal(&nobody), "PACKAGE_NOT_FOUND");
        for _ in 0..2 {
            let archived = api.data(&staff, ARCHIVE, json!({ "id": id })).await;
            assert_eq!(archived["archivePackage"]["package"]["version"], 3);
        }
        assert_eq!(refusal(&update(json!({ "packageId": id, "parts": 1 })).await), "PACKAGE_ARCHIVED");
        let customer = person(&house, account(&house, "Acme").await, Role::Owner);
        assert_eq!(api.data(&customer, OFFERED, json!({})).await["packages"]["totalCount"], 0);
        assert_eq!(api.code(&customer, CATALOG, json!({})).await, "FORBIDDEN");
        assert_eq!(api.data(&staff, CATALOG, json!({})).await["packageCatalog"]["totalCount"], 1);
    }

    async fn a_list_of_packages_is_imported_whole_or_not_at_all(house: TestHouse) {
        let api = Api::new(&house).await;
        let staff = operator(&house, Role::Billing).await;
        let import = |csv: &str, replace: bool| {
            let (api, staff) = (&api, &staff);
            let variables = json!({ "csv": csv, "replace": replace });
            async move { api.data(staff, IMPORT, variables).await["importPackages"].clone() }
        };
        let head = "name,currency,price,kind,amount,validity,prefixes,classes\n";
        let list = format!("{head}A,USD,1,PARTS,100,30d,,\nB,USD,2,CREDIT,2.50,1m,+49,OTP\n");
        for created in [2, 0] {
            let answer = import(&list, false).await;
            assert_eq!(answer, json!({ "createdCount": created, "updatedCount": 0,
                "archivedCount": 0, "faultyLines": [], "userErrors": [] }));
        }
        let other = format!("{head}A,USD,3,PARTS,100,30d,,\nC,EUR,2,PARTS,5,1m,,\n");
        let answer = import(&other, true).await;
        let counts = ["createdCount", "updatedCount", "archivedCount"].map(|name| answer[name].clone());
        assert_eq!(counts, [json!(1), json!(1), json!(1)]);
        // Back on offer; and a line that cannot be keeps all from being written.
        let answer = import(&list, false).await;
        assert_eq!(answer["updatedCount"], 2);
        let before = api.data(&staff, CATALOG, json!({})).await;
        let bad = format!("{head}D,USD,1,PARTS,1,30d,,\nA,USD,1,CREDIT,100,30d,,\n");
        let answer = import(&bad, true).await;
        assert_eq!(refusal(&answer), "FAULTY_LINES");
        assert_eq!(answer["faultyLines"][0]["line"], 3);
        assert_eq!(refusal(&import("name\nA", true).await), "INVALID_LIST");
        assert_eq!(refusal(&import(&"x".repeat(200 * 1024 + 1), true).await), "LIST_TOO_LONG");
        assert_eq!(api.data(&staff, CATALOG, json!({})).await, before);
        let customer = person(&house, account(&house, "Acme").await, Role::Billing);
        let offered = api.data(&customer, OFFERED, json!({})).await["packages"].clone();
        assert_eq!(offered["totalCount"], 2, "of its currency alone");
        assert_eq!(api.code(&customer, IMPORT, json!({ "csv": list })).await, "FORBIDDEN");
    }

    async fn a_package_is_bought_once_with_the_balance(house: TestHouse) {
        let api = Api::new(&house).await;
        let staff = operator(&house, Role::Billing).await;
        let id = made(&api, &staff, parts("Starter", 100)).await;
        let other = made(&api, &staff, parts("Other", 100)).await;
        let mut euros = parts("Euros", 5);
        euros["currency"] = json!("EUR");
        let euros = made(&api, &staff, euros).await;
        let payer = Payer::with(&house, 200 * PART).await;
        let buyer = buyer(&house, &payer);
        let first = buy(&api, &buyer, "k", &id).await;
        assert_eq!(first["balance"]["posted"], "0.50");
        let granted = &first["grantedPackage"];
        assert_eq!(granted["partsRemaining"], 100);
        assert_eq!(granted["source"], "PURCHASE");
        assert_eq!(granted["price"]["amount"], "1.50");
        assert_eq!(granted["expiresAt"], "2026-02-05T00:00:00.000Z");
        let again = buy(&api, &buyer, "k", &id).await;
        assert_eq!(again["replayed"], true);
        assert_eq!(again["grantedPackage"], first["grantedPackage"]);
        for (key, id, code) in [
            ("k", other.as_str(), "IDEMPOTENCY_KEY_REUSED"),
            ("", id.as_str(), "INVALID_IDEMPOTENCY_KEY"),
            ("x", "pack_00000000000000000000000000", "PACKAGE_NOT_FOUND"),
            ("x", euros.as_str(), "OTHER_CURRENCY"),
            ("x", id.as_str(), "INSUFFICIENT_BALANCE"),
        ] {
            assert_eq!(refusal(&buy(&api, &buyer, key, id).await), code);
        }
        // Many at once under one key buy one, under keys of their own what the money reaches to.
        pay_in(&house, &payer, 300 * PART).await;
        for same in [true, false] {
            let tasks: Vec<_> = (0..8)
                .map(|task| {
                    let (buyer, id) = (buyer.clone(), id.parse().unwrap());
                    let key = if same { "same".to_owned() } else { format!("own {task}") };
                    tokio::spawn(async move { packages::buy(&buyer, id, &key).await.is_ok() })
                })
                .collect();
            let mut bought = 0;
            for task in tasks {
                bought += usize::from(within(PATIENCE, task).await.unwrap());
            }
            assert_eq!(bought, if same { 8 } else { 1 });
        }
        assert_eq!(payer.has().await, (50 * PART, 0));
        let document = "{ grantedPackages { totalCount nodes { id } } }";
        let own = api.data(&buyer, document, json!({})).await["grantedPackages"].clone();
        assert_eq!(own["totalCount"], 3);
        let stranger = person(&house, account(&house, "Other").await, Role::Owner);
        let theirs = api.data(&stranger, document, json!({})).await["grantedPackages"].clone();
        assert_eq!(theirs["totalCount"], 0);
        let entries = "{ ledgerEntries(purse: PARTS, first: 1) { nodes { code parts partsAfter } } }";
        assert_eq!(
            api.data(&buyer, entries, json!({})).await["ledgerEntries"]["nodes"][0],
            json!({ "code": "PACKAGE_GRANTED", "parts": "100.00", "partsAfter": "300.00" })
        );
        assert_in_order(&house).await;
    }

    async fn the_operator_gives_packages_once(house: TestHouse) {
        let api = Api::new(&house).await;
        let staff = operator(&house, Role::Billing).await;
        let id = made(&api, &staff, parts("Starter", 100)).await;
        let other = made(&api, &staff, parts("Other", 100)).await;
        let payer = Payer::with(&house, 0).await;
        let grant = |key: &str, account: String, id: &str| {
            let variables = json!({ "key": key, "account": account, "id": id });
            let (api, staff) = (&api, &staff);
            async move { api.data(staff, GRANT, variables).await["grantPackage"].clone() }
        };
        let own = payer.account_id.to_string();
        let first = grant("k", own.clone(), &id).await;
        assert_eq!(first["grantedPackage"]["source"], "OPERATOR");
        assert_eq!(first["grantedPackage"]["price"]["amount"], "0.00");
        let again = grant("k", own.clone(), &id).await;
        assert_eq!(again["grantedPackage"]["id"], first["grantedPackage"]["id"]);
        assert_eq!(again["replayed"], true);
        api.data(&staff, ARCHIVE, json!({ "id": other })).await;
        let nobody = "acct_00000000000000000000000000".to_owned();
        let unknown = "pack_00000000000000000000000000";
        for (key, account, id, code) in [
            ("k", own.clone(), other.as_str(), "IDEMPOTENCY_KEY_REUSED"),
            ("x", own.clone(), other.as_str(), "PACKAGE_ARCHIVED"),
            ("x", own.clone(), unknown, "PACKAGE_NOT_FOUND"),
            ("x", nobody, id.as_str(), "ACCOUNT_NOT_FOUND"),
        ] {
            assert_eq!(refusal(&grant(key, account, id).await), code);
        }
        let document = format!("{{ accountBilling(accountId: \"{own}\") {{ grantedPackages {{ \
            nodes {{ id }} }} }} }}");
        let shown = api.data(&staff, &document, json!({})).await;
        let nodes = &shown["accountBilling"]["grantedPackages"]["nodes"];
        assert_eq!(nodes, &json!([{ "id": first["grantedPackage"]["id"] }]));
        assert_in_order(&house).await;
    }

    async fn a_plan_includes_a_package_each_month(house: TestHouse) {
        let api = Api::new(&house).await;
        let staff = operator(&house, Role::Billing).await;
        let mut included = parts("Included", 10);
        included["validFor"] = json!({ "unit": "MONTHS", "count": 1 });
        let package = made(&api, &staff, included).await;
        let document = "mutation($package: ID!, $currency: CurrencyCode!) { createPlan(input: { \
            name: \"Standard\", currency: $currency, monthlyPrice: \"1\", packageId: $package }) { \
            plan { id package { id } } userErrors { code path } } }";
        let variables = json!({ "package": package, "currency": "EUR" });
        let refused = api.data(&staff, document, variables).await["createPlan"].clone();
        assert_eq!(refusal(&refused), "PACKAGE_IN_OTHER_CURRENCY");
        let variables = json!({ "package": package, "currency": "USD" });
        let plan = api.data(&staff, document, variables).await["createPlan"]["plan"].clone();
        assert_eq!(plan["package"]["id"], json!(package));
        let payer = Payer::with(&house, 250 * PART).await;
        let subscribe = format!("mutation {{ subscribeAccount(input: {{ accountId: \"{}\", \
            planId: {} }}) {{ userErrors {{ code }} }} }}", payer.account_id, plan["id"]);
        for _ in 0..2 {
            api.data(&staff, &subscribe, json!({})).await;
        }
        let owned = "{ grantedPackages { nodes { source state partsRemaining expiresAt } } }";
        let buyer = buyer(&house, &payer);
        let own = |document: &'static str| {
            let (api, buyer) = (&api, &buyer);
            async move { api.data(buyer, document, json!({})).await["grantedPackages"]["nodes"].clone() }
        };
        let first = json!({ "source": "PLAN", "state": "ACTIVE", "partsRemaining": 10,
            "expiresAt": "2026-02-05T00:00:00.000Z" });
        assert_eq!(own(owned).await, json!([first]));
        assert_eq!(payer.has().await, (150 * PART, 0));
        payer.send(&house, "k", real_numbers(1)).await;
        assert_eq!(payer.has().await, (150 * PART, 0));
        house.hand.advance(DAY * 58);
        let system = house.system();
        assert_eq!(plans::charge_due(&system).await.unwrap(), 1);
        assert_eq!(plans::charge_due(&system).await.unwrap(), 0);
        assert_eq!(payer.has().await, (50 * PART, 0));
        assert_eq!(packages::close_due(&system).await.unwrap(), 1);
        let second = json!({ "source": "PLAN", "state": "ACTIVE", "partsRemaining": 10,
            "expiresAt": "2026-03-05T00:00:00.000Z" });
        let expired = json!({ "source": "PLAN", "state": "EXPIRED", "partsRemaining": 0,
            "expiresAt": "2026-02-05T00:00:00.000Z" });
        assert_eq!(own(owned).await, json!([second, expired]));
        // What the money does not reach to includes nothing.
        house.hand.advance(DAY * 2);
        assert_eq!(plans::charge_due(&system).await.unwrap(), 1);
        assert_eq!(own(owned).await.as_array().unwrap().len(), 2);
        // Of months that are made up for, those that are over include nothing any more.
        pay_in(&house, &payer, 250 * PART).await;
        house.hand.advance(DAY * 60);
        assert_eq!(plans::charge_due(&system).await.unwrap(), 1);
        assert_eq!(payer.has().await, (0, 0));
        let third = json!({ "source": "PLAN", "state": "ACTIVE", "partsRemaining": 10,
            "expiresAt": "2026-06-05T00:00:00.000Z" });
        assert_eq!(own(owned).await.as_array().unwrap().len(), 3);
        assert_eq!(own(owned).await[0], third);
        assert_in_order(&house).await;
    }

    async fn what_happens_to_packages_is_told(house: TestHouse) {
        let (payer, id) = payer_with_parts(&house, 0, 3).await;
        house.hand.advance(DAY * 30);
        assert_eq!(packages::close_due(&house.system()).await.unwrap(), 1);
        let api = Api::new(&house).await;
        let document = "subscription { billingEvents(after: \"AQEAAAAAAAAAAA\") { __typename \
            ... on PackageChanged { seq state grantedPackage { id state } } } }";
        let mut stream = api.stream(&buyer(&house, &payer), document, json!({}));
        let mut told = Vec::new();
        while told.len() < 2 {
            let answer = within(PATIENCE, stream.next()).await.expect("goes on");
            assert!(answer.errors.is_empty(), "{:?}", answer.errors);
            let event = answer.data.into_json().unwrap()["billingEvents"].clone();
            if event["__typename"] == "PackageChanged" {
                told.push(event);
            }
        }
        let now = json!({ "id": id.to_string(), "state": "EXPIRED" });
        for (event, (seq, state)) in told.iter().zip([(1, "ACTIVE"), (2, "EXPIRED")]) {
            assert_eq!(event, &json!({ "__typename": "PackageChanged", "seq": seq,
                "state": state, "grantedPackage": now }));
        }
    }
}
