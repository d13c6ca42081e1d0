//! Rate cards through the contract and from a shell.

use std::path::Path;
use std::process::{Command, Output};

use entity::enums::{MessageClass, Role};
use entity::ids::{AccountId, RateCardId};
use entity::time::UnixMillis;
use heliograph::ctx::Ctx;
use heliograph::types::money::Currency;
use serde_json::{Value, json};

use crate::graphql_api::{Api, account, operator, person, text};
use crate::support::{TestHouse, both_stores};

const CREATE: &str = "mutation($name: String!, $currency: CurrencyCode!, $isDefault: Boolean) { \
    createRateCard(input: {name: $name, currency: $currency, isDefault: $isDefault}) \
    { rateCard { id name currency isDefault version } userErrors { code path } } }";
const UPDATE: &str = "mutation($id: ID!, $name: String, $isDefault: Boolean) { \
    updateRateCard(input: {rateCardId: $id, name: $name, isDefault: $isDefault}) \
    { rateCard { name isDefault version } userErrors { code path } } }";
const DELETE: &str = "mutation($id: ID!) { deleteRateCard(input: {rateCardId: $id}) \
    { deletedRateCardId userErrors { code path } } }";
const ASSIGN: &str = "mutation($account: ID!, $card: ID) { \
    assignRateCard(input: {accountId: $account, rateCardId: $card}) \
    { accountTerms { currency terms account { name } rateCard { id } } userErrors { code path } } }";
const SET: &str = "mutation($id: ID!, $rates: [RateInput!]!) { \
    setRates(input: {rateCardId: $id, rates: $rates}) \
    { rateCard { version } userErrors { code path } } }";
const REMOVE: &str = "mutation($id: ID!, $rates: [RateKeyInput!]!) { \
    removeRates(input: {rateCardId: $id, rates: $rates}) \
    { removedCount userErrors { code path } } }";
const IMPORT: &str = "mutation($id: ID!, $csv: String!, $replace: Boolean) { \
    importRates(input: {rateCardId: $id, csv: $csv, replace: $replace}) \
    { importedCount faultyLines { line reason } userErrors { code path } } }";

async fn create(api: &Api, staff: &Ctx, name: &str, currency: &str, is_default: bool) -> String {
    let variables = json!({ "name": name, "currency": currency, "isDefault": is_default });
    let created = api.data(staff, CREATE, variables).await["createRateCard"].clone();
    assert_eq!(created["userErrors"], json!([]));
    text(&created["rateCard"]["id"])
}

/// The rates of a card as `prefix class price`, in the order of the list.
async fn rates(api: &Api, staff: &Ctx, id: &str) -> Vec<String> {
    let document = "query($id: ID!) { node(id: $id) { ... on RateCard { rates(first: 100) { nodes { \
        prefix class effectiveFrom price } } } } }";
    let read = api.data(staff, document, json!({ "id": id })).await;
    let nodes = read["node"]["rates"]["nodes"].as_array().unwrap().clone();
    let shown = |rate: &Value| {
        let class = rate["class"].as_str().unwrap_or("ALL").to_owned();
        format!("{} {class} {}", text(&rate["prefix"]), text(&rate["price"]))
    };
    nodes.iter().map(shown).collect()
}

/// What a part of a transactional message costs an account to a number now.
async fn price(house: &TestHouse, card: &str, digits: &str) -> Option<String> {
    let table = house.prices().current().await.unwrap();
    let (card, dollars): (RateCardId, Currency) = (card.parse().unwrap(), "USD".parse().unwrap());
    let class = MessageClass::Transactional;
    let price = table.price(Some(card), dollars, digits, class, house.now());
    price.map(|price| price.to_string())
}

fn admin(house: &TestHouse, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_heliograph"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HELIOGRAPH")) {
        command.env_remove(name);
    }
    let directory: &Path = house.directory();
    let url = house.platform.settings.store.database_url.as_str();
    command.arg("admin").args(arguments).arg("--data-dir").arg(directory);
    command.args(["--database-url", url]).output().unwrap()
}

both_stores! {
    async fn a_card_is_made_changed_and_removed(house: TestHouse) {
        let api = Api::new(&house).await;
        let staff = operator(&house, Role::Billing).await;
        let first = create(&api, &staff, " Standard ", "USD", true).await;
        for (name, code, path) in
            [("Standard", "NAME_TAKEN", "name"), ("", "INVALID_NAME", "name")]
        {
            let variables = json!({ "name": name, "currency": "USD" });
            let refused = api.data(&staff, CREATE, variables).await;
            let error = &refused["createRateCard"]["userErrors"][0];
            assert_eq!(error, &json!({ "code": code, "path": [path] }));
        }
        // Another default takes over.
        let second = create(&api, &staff, "Better", "USD", true).await;
        create(&api, &staff, "Euro", "EUR", true).await;
        let document = "{ rateCards { totalCount nodes { name isDefault version } } }";
        let listed = api.data(&staff, document, json!({})).await["rateCards"].clone();
        assert_eq!(listed, json!({ "totalCount": 3, "nodes": [
            { "name": "Euro", "isDefault": true, "version": 1 },
            { "name": "Better", "isDefault": true, "version": 1 },
            { "name": "Standard", "isDefault": false, "version": 2 },
        ] }));
        let changed = api.data(&staff, UPDATE, json!({ "id": first, "name": "Old", "isDefault": true })).await;
        let card = &changed["updateRateCard"]["rateCard"];
        assert_eq!(card, &json!({ "name": "Old", "isDefault": true, "version": 3 }));
        let taken = api.data(&staff, UPDATE, json!({ "id": first, "name": "Better" })).await;
        assert_eq!(taken["updateRateCard"]["userErrors"][0]["code"], "NAME_TAKEN");

        let in_use = api.data(&staff, DELETE, json!({ "id": first })).await;
        assert_eq!(in_use["deleteRateCard"]["userErrors"][0]["code"], "RATE_CARD_IN_USE");
        let account_id = account(&house, "Acme").await;
        let variables = json!({ "account": account_id.to_string(), "card": second });
        api.data(&staff, ASSIGN, variables).await;
        let in_use = api.data(&staff, DELETE, json!({ "id": second })).await;
        assert_eq!(in_use["deleteRateCard"]["userErrors"][0]["code"], "RATE_CARD_IN_USE");
        api.data(&staff, ASSIGN, json!({ "account": account_id.to_string() })).await;
        let deleted = api.data(&staff, DELETE, json!({ "id": second })).await;
        assert_eq!(deleted["deleteRateCard"]["deletedRateCardId"], second);
        let again = api.data(&staff, DELETE, json!({ "id": second })).await;
        assert_eq!(again["deleteRateCard"]["userErrors"][0]["code"], "RATE_CARD_NOT_FOUND");
    }

    async fn an_account_gets_a_card_in_its_currency(house: TestHouse) {
        let api = Api::new(&house).await;
        let staff = operator(&house, Role::Owner).await;
        let dollars = create(&api, &staff, "Dollars", "USD", false).await;
        let euros = create(&api, &staff, "Euros", "EUR", false).await;
        let account_id = account(&house, "Acme").await;
        let assign = async |account: String, card: &Option<String>| {
            let variables = json!({ "account": account, "card": card });
            api.data(&staff, ASSIGN, variables).await["assignRateCard"].clone()
        };
        for _ in 0..2 {
            let assigned = assign(account_id.to_string(), &Some(dollars.clone())).await;
            assert_eq!(assigned, json!({ "userErrors": [], "accountTerms": {
                "currency": "USD", "terms": "POSTPAID", "account": { "name": "Acme" },
                "rateCard": { "id": dollars },
            } }));
        }
        let version: i32 = house.value(
            "SELECT version FROM billing_account WHERE account_id = $1", [account_id.into()],
        ).await;
        assert_eq!(version, 2, "the same again changes nothing");
        let refused = assign(account_id.to_string(), &Some(euros.clone())).await;
        assert_eq!(refused["userErrors"][0], json!({ "code": "OTHER_CURRENCY", "path": ["rateCardId"] }));
        house.execute("DELETE FROM billing_account WHERE account_id = $1", [account_id.into()]).await;
        let fresh = assign(account_id.to_string(), &Some(euros.clone())).await;
        assert_eq!(fresh["accountTerms"]["currency"], "EUR");
        assert_eq!(fresh["accountTerms"]["terms"], "PREPAID");
        let taken_back = assign(account_id.to_string(), &None).await;
        assert_eq!(taken_back["accountTerms"]["rateCard"], Value::Null);
        let nobody: AccountId = house.platform.ids.next();
        let refused = assign(nobody.to_string(), &Some(euros)).await;
        assert_eq!(refused["userErrors"][0]["code"], "ACCOUNT_NOT_FOUND");
        let nothing: RateCardId = house.platform.ids.next();
        let refused = assign(account_id.to_string(), &Some(nothing.to_string())).await;
        assert_eq!(refused["userErrors"][0]["code"], "RATE_CARD_NOT_FOUND");
    }

    async fn rates_are_set_and_removed_all_or_none(house: TestHouse) {
        let api = Api::new(&house).await;
        let staff = operator(&house, Role::Admin).await;
        let id = create(&api, &staff, "Standard", "USD", false).await;
        let prices = house.prices();
        let at = "2026-01-05T00:00:00.000Z";
        let new = json!([
            { "prefix": "+", "effectiveFrom": at, "price": "0.09" },
            { "prefix": "+49", "effectiveFrom": at, "price": "0.0750" },
            { "prefix": "4915", "class": "OTP", "price": "0.0000375" },
        ]);
        let set = api.data(&staff, SET, json!({ "id": id, "rates": new })).await;
        assert_eq!(set["setRates"], json!({ "rateCard": { "version": 2 }, "userErrors": [] }));
        let listed = ["+ ALL 0.09", "+49 ALL 0.075", "+4915 OTP 0.0000375"];
        assert_eq!(rates(&api, &staff, &id).await, listed);
        assert_eq!(price(&house, &id, "4915112345678").await.as_deref(), Some("0.075"));
        let table = prices.current().await.unwrap();

        let wrong = json!([
            { "prefix": "+1", "effectiveFrom": at, "price": "1" },
            { "prefix": "x", "effectiveFrom": at, "price": "1" },
            { "prefix": "1", "effectiveFrom": at, "price": "2" },
        ]);
        let refused = api.data(&staff, SET, json!({ "id": id, "rates": wrong })).await;
        assert_eq!(refused["setRates"], json!({ "rateCard": null, "userErrors": [
            { "code": "INVALID_PREFIX", "path": ["rates", "1", "prefix"] },
            { "code": "REPEATED_RATE", "path": ["rates", "2"] },
        ] }));
        assert_eq!(rates(&api, &staff, &id).await, listed);
        let many: Vec<_> = (0..1_001)
            .map(|n| json!({ "prefix": format!("+{}", n + 900_000), "price": "1" }))
            .collect();
        for (rates, code) in [
            (json!([]), "NO_RATES"),
            (json!(many), "TOO_MANY_RATES"),
        ] {
            let refused = api.data(&staff, SET, json!({ "id": id, "rates": rates })).await;
            assert_eq!(refused["setRates"]["userErrors"][0]["code"], code);
        }
        let full = api.data(&staff, SET, json!({ "id": id, "rates": many[..1_000] })).await;
        assert_eq!(full["setRates"]["userErrors"], json!([]));

        // The price table hears of it.
        let cheaper = json!([{ "prefix": "+49", "effectiveFrom": at, "price": "0.05" }]);
        api.data(&staff, SET, json!({ "id": id, "rates": cheaper })).await;
        let card: RateCardId = id.parse().unwrap();
        let of = |table: &heliograph::billing::PriceTable| {
            let dollars = "USD".parse().unwrap();
            let now = house.now();
            table.price(Some(card), dollars, "4930", MessageClass::Marketing, now)
        };
        assert_eq!(of(&table).map(|price| price.to_string()).as_deref(), Some("0.075"));
        let now = prices.current().await.unwrap();
        assert_eq!(of(&now).map(|price| price.to_string()).as_deref(), Some("0.05"));

        let gone = json!([
            { "prefix": "+49", "effectiveFrom": at },
            { "prefix": "+49", "class": "OTP", "effectiveFrom": at },
        ]);
        for removed in [1, 0] {
            let answer = api.data(&staff, REMOVE, json!({ "id": id, "rates": gone })).await;
            assert_eq!(answer["removeRates"], json!({ "removedCount": removed, "userErrors": [] }));
        }
        assert_eq!(price(&house, &id, "4930").await.as_deref(), Some("0.09"), "by the rate of all");
        let unknown: RateCardId = house.platform.ids.next();
        let answer = api.data(&staff, REMOVE, json!({ "id": unknown.to_string(), "rates": gone })).await;
        assert_eq!(answer["removeRates"]["userErrors"][0]["code"], "RATE_CARD_NOT_FOUND");
        let too_fine = json!([{ "prefix": "+49", "price": "0.0000000001" }]);
        assert_eq!(api.code(&staff, SET, json!({ "id": id, "rates": too_fine })).await, "BAD_REQUEST");
    }

    async fn a_card_s_rates_page_both_ways(house: TestHouse) {
        let api = Api::new(&house).await;
        let staff = operator(&house, Role::Owner).await;
        let id = create(&api, &staff, "Standard", "USD", false).await;
        create(&api, &staff, "Other", "USD", false).await;
        let csv = "prefix,class,effective_from,price\n+,,2026-01-01,1\n44,,2026-01-01,2\n\
            44,OTP,2026-01-01,3\n44,OTP,2026-01-02,4\n447,,2026-01-01,5\n";
        api.data(&staff, IMPORT, json!({ "id": id, "csv": csv })).await;
        let document = "query($id: ID!, $first: Int, $after: Cursor, $last: Int, $before: Cursor) { \
            node(id: $id) { ... on RateCard { rates(first: $first, after: $after, last: $last, \
            before: $before) { totalCount nodes { price } pageInfo { hasNextPage hasPreviousPage \
            startCursor endCursor } } } } }";
        let page = async |mut variables: Value| {
            variables["id"] = json!(id);
            let page = api.data(&staff, document, variables).await["node"]["rates"].clone();
            let nodes = page["nodes"].as_array().unwrap().clone();
            let shown: Vec<_> = nodes.iter().map(|node| text(&node["price"])).collect();
            assert_eq!(page["totalCount"], 5);
            (shown.join(" "), page["pageInfo"].clone())
        };
        let (shown, info) = page(json!({ "first": 2 })).await;
        assert_eq!((shown.as_str(), &info["hasNextPage"]), ("1.00 2.00", &json!(true)));
        let (shown, info) = page(json!({ "first": 2, "after": info["endCursor"] })).await;
        assert_eq!(shown, "3.00 4.00");
        let (shown, back) = page(json!({ "last": 1, "before": info["startCursor"] })).await;
        assert_eq!((shown.as_str(), &back["hasPreviousPage"]), ("2.00", &json!(true)));
        let (shown, info) = page(json!({ "after": info["endCursor"] })).await;
        assert_eq!((shown.as_str(), &info["hasNextPage"]), ("5.00", &json!(false)));
        let cards = "{ rateCards(first: 1) { pageInfo { endCursor } } }";
        let other = api.data(&staff, cards, json!({})).await;
        let cursor = &other["rateCards"]["pageInfo"]["endCursor"];
        let wrong = json!({ "id": id, "after": cursor });
        assert_eq!(api.code(&staff, document, wrong).await, "BAD_REQUEST");
    }

    async fn a_list_is_imported_whole_or_not_at_all(house: TestHouse) {
        let api = Api::new(&house).await;
        let staff = operator(&house, Role::Owner).await;
        let id = create(&api, &staff, "Standard", "USD", false).await;
        let import = async |csv: &str, replace: bool| {
            let variables = json!({ "id": id, "csv": csv, "replace": replace });
            api.data(&staff, IMPORT, variables).await["importRates"].clone()
        };
        let good = "price,Prefix,class,effective_from\r\n0.01,49,,2026-01-01\r\n\"0.02\",+44,otp,2026-01-01\r\n";
        for _ in 0..2 {
            let imported = import(good, false).await;
            assert_eq!(imported, json!({ "importedCount": 2, "faultyLines": [], "userErrors": [] }));
            assert_eq!(rates(&api, &staff, &id).await, ["+44 OTP 0.02", "+49 ALL 0.01"]);
        }
        let faulty = import("prefix,price\n33,0.01\nx,0.02\n34,free\n", true).await;
        assert_eq!(faulty["userErrors"], json!([{ "code": "FAULTY_LINES", "path": ["csv"] }]));
        let lines: Vec<_> =
            faulty["faultyLines"].as_array().unwrap().iter().map(|line| &line["line"]).collect();
        assert_eq!(lines, [&json!(3), &json!(4)]);
        assert_eq!(rates(&api, &staff, &id).await.len(), 2, "nothing was changed");
        for (csv, code) in [("", "INVALID_LIST"), ("a,b\n1,2\n", "INVALID_LIST")] {
            assert_eq!(import(csv, false).await["userErrors"][0]["code"], code);
        }
        let long = format!("prefix,price,{}\n1,1\n", "x".repeat(200 * 1_024));
        assert_eq!(import(&long, false).await["userErrors"][0]["code"], "LIST_TOO_LONG");
        let replaced = import("prefix,price\n33,0.03\n", true).await;
        assert_eq!(replaced["importedCount"], 1);
        assert_eq!(rates(&api, &staff, &id).await, ["+33 ALL 0.03"]);
        let owner = person(&house, account(&house, "Acme").await, Role::Owner);
        let variables = json!({ "id": id, "csv": good });
        assert_eq!(api.code(&owner, IMPORT, variables).await, "FORBIDDEN");
    }

    async fn a_long_list_is_imported_from_a_shell(house: TestHouse) {
        let file = house.directory().join("prices.csv");
        let path = file.to_str().unwrap();
        let line = |n: i32| format!("{},OTP,2026-01-01,0.0{}\n", 100_000 + n, n % 9 + 1);
        let lines: String = (0..20_000).map(line).collect();
        std::fs::write(&file, format!("prefix,class,effective_from,price\n{lines}")).unwrap();
        let import = ["import-rates", "--rate-card", "Big", "--currency", "USD", "--file", path];
        for more in [&[][..], &["--replace"], &["--default"]] {
            let done = admin(&house, &[&import[..], more, &["--json"]].concat());
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            let answer: Value = serde_json::from_slice(&done.stdout).unwrap();
            assert_eq!(answer["importedCount"], 20_000);
            assert_eq!(answer["isDefault"], more.contains(&"--default"));
        }
        let rows: i64 = house.value("SELECT count(*) FROM rate", []).await;
        assert_eq!(rows, 20_000);
        let table = house.prices().current().await.unwrap();
        let now = UnixMillis(house.now().0);
        let dollars = "USD".parse().unwrap();
        let price = table.price(None, dollars, "1000041234", MessageClass::Otp, now);
        assert_eq!(price.map(|price| price.to_string()).as_deref(), Some("0.05"));

        std::fs::write(&file, "prefix,price\n1,1\n2,x\n\n0,1\n").unwrap();
        let refused = admin(&house, &import);
        assert_eq!(refused.status.code(), Some(2));
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(said.contains("2 lines are not rates; nothing was imported"), "{said}");
        assert!(said.contains("line 3: a price is written in digits"), "{said}");
        assert!(said.contains("line 5: a prefix is"), "{said}");
        let euros = admin(&house, &["import-rates", "--rate-card", "Big", "--currency", "EUR", "--file", path]);
        assert_eq!(euros.status.code(), Some(2));
        let rows: i64 = house.value("SELECT count(*) FROM rate", []).await;
        assert_eq!(rows, 20_000);
    }
}
