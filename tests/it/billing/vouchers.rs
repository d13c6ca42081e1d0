//! Vouchers: made by the operator, worth their amount once.

use std::time::Duration;

use entity::enums::{BookKind, Role};
use heliograph::billing::vouchers::{self, RedeemRejection};
use heliograph::ctx::Ctx;
use heliograph::error::{Error, Failed};
use serde_json::{Value, json};

use super::assert_in_order;
use crate::graphql_api::{Api, account, operator, person, text};
use crate::support::{PATIENCE, TestHouse, both_stores, within};

const CREATE: &str = "mutation($input: CreateVouchersInput!) { createVouchers(input: $input) { \
    voucherBatch { id amount { amount currency } voucherCount redeemedCount } codes \
    userErrors { code path } } }";
const REDEEM: &str = "mutation($key: String!, $code: String!) { \
    redeemVoucher(input: {idempotencyKey: $key, code: $code}) { amount { amount currency } \
    balance { posted } replayed userErrors { code path } } }";

/// Vouchers of 5 dollars for a day; their codes.
async fn made(house: &TestHouse, api: &Api, count: i32) -> Vec<String> {
    let staff = operator(house, Role::Billing).await;
    let input = json!({
        "count": count, "amount": "5", "currency": "USD", "expiresAt": "2026-01-06T00:00:00Z",
    });
    let made = api.data(&staff, CREATE, json!({ "input": input })).await["createVouchers"].clone();
    assert_eq!(made["userErrors"], json!([]));
    assert_eq!(made["voucherBatch"]["amount"], json!({ "amount": "5.00", "currency": "USD" }));
    made["codes"].as_array().unwrap().iter().map(text).collect()
}

async fn redeem(api: &Api, ctx: &Ctx, key: &str, code: &str) -> Value {
    api.data(ctx, REDEEM, json!({ "key": key, "code": code })).await["redeemVoucher"].clone()
}

/// The code of the only error.
fn refusal(answer: &Value) -> String {
    assert_eq!(answer["amount"], Value::Null);
    text(&answer["userErrors"][0]["code"])
}

/// A code that is well made and belongs to no voucher.
fn wrong_code(house: &TestHouse) -> String {
    vouchers::VoucherCode::draw(&house.platform.randomness).to_text().expose().to_owned()
}

both_stores! {
    async fn a_voucher_is_worth_its_amount_once(house: TestHouse) {
        let api = Api::new(&house).await;
        let codes = made(&house, &api, 3).await;
        let acme = person(&house, account(&house, "Acme").await, Role::Billing);
        let other = person(&house, account(&house, "Other").await, Role::Owner);
        let sloppy = codes[0].to_lowercase().replace('-', " ");
        for replayed in [false, true] {
            assert_eq!(redeem(&api, &acme, "k", &sloppy).await, json!({
                "amount": { "amount": "5.00", "currency": "USD" },
                "balance": { "posted": "5.00" }, "replayed": replayed, "userErrors": [],
            }));
        }
        assert_eq!(refusal(&redeem(&api, &acme, "again", &codes[0]).await), "ALREADY_REDEEMED");
        assert_eq!(refusal(&redeem(&api, &other, "k", &codes[0]).await), "ALREADY_REDEEMED");
        assert_eq!(refusal(&redeem(&api, &acme, "k", &codes[1]).await), "IDEMPOTENCY_KEY_REUSED");
        assert_eq!(refusal(&redeem(&api, &acme, "", &codes[1]).await), "INVALID_IDEMPOTENCY_KEY");
        assert_eq!(refusal(&redeem(&api, &acme, "x", &codes[1][1..]).await), "INVALID_CODE");
        assert_eq!(refusal(&redeem(&api, &acme, "x", &wrong_code(&house)).await), "VOUCHER_NOT_FOUND");
        assert_eq!(redeem(&api, &acme, "second", &codes[1]).await["balance"]["posted"], "10.00");
        let promotion: i64 = house.value(
            "SELECT balance_micros FROM ledger_book WHERE kind = $1",
            [BookKind::Promotion.code().into()],
        ).await;
        assert_eq!(promotion, -10_000_000);
        assert_in_order(&house).await;

        house.hand.advance(Duration::from_secs(24 * 3_600));
        assert_eq!(refusal(&redeem(&api, &acme, "late", &codes[2]).await), "VOUCHER_EXPIRED");
        let staff = operator(&house, Role::Owner).await;
        let document = "{ voucherBatches { totalCount nodes { voucherCount redeemedCount } } }";
        let batches = api.data(&staff, document, json!({})).await["voucherBatches"].clone();
        assert_eq!(batches, json!({
            "totalCount": 1, "nodes": [{ "voucherCount": 3, "redeemedCount": 2 }],
        }));
        let developer = person(&house, account(&house, "Third").await, Role::Developer);
        assert_eq!(
            api.code(&developer, REDEEM, json!({ "key": "k", "code": codes[2] })).await,
            "FORBIDDEN"
        );
    }

    async fn what_is_stored_tells_no_code(house: TestHouse) {
        let api = Api::new(&house).await;
        let codes = made(&house, &api, 1_000).await;
        let distinct: std::collections::HashSet<_> = codes.iter().collect();
        assert_eq!(distinct.len(), 1_000);
        let rows = house.rows("SELECT code_hash FROM voucher", []).await;
        assert_eq!(rows.len(), 1_000);
        for row in rows {
            let stored: Vec<u8> = row.try_get("", "code_hash").unwrap();
            assert_eq!(stored.len(), 32);
        }
        let shown = format!("{:?}", codes[0].parse::<vouchers::VoucherCode>().unwrap());
        assert_eq!(shown, "VoucherCode");
    }

    async fn vouchers_have_their_bounds(house: TestHouse) {
        let api = Api::new(&house).await;
        let staff = operator(&house, Role::Admin).await;
        let good = json!({
            "count": 1, "amount": "0.000001", "currency": "KES", "expiresAt": "2026-01-05T00:00:01Z",
        });
        let create = async |field: &str, value: Value| {
            let mut input = good.clone();
            input[field] = value;
            api.data(&staff, CREATE, json!({ "input": input })).await["createVouchers"].clone()
        };
        for (field, value, code) in [
            ("count", json!(0), "INVALID_COUNT"),
            ("count", json!(-1), "INVALID_COUNT"),
            ("count", json!(1_001), "INVALID_COUNT"),
            ("amount", json!("0"), "INVALID_AMOUNT"),
            ("amount", json!("-1"), "INVALID_AMOUNT"),
            ("amount", json!("100000000.000001"), "INVALID_AMOUNT"),
            ("expiresAt", json!("2026-01-05T00:00:00Z"), "INVALID_EXPIRY"),
            ("expiresAt", json!("2037-01-05T00:00:00Z"), "INVALID_EXPIRY"),
        ] {
            let refused = create(field, value).await;
            assert_eq!(refused["userErrors"], json!([{ "code": code, "path": [field] }]));
            assert_eq!(refused["codes"], json!([]));
        }
        assert_eq!(house.value::<i64>("SELECT count(*) FROM voucher", []).await, 0);
        let made = create("count", json!(1)).await;
        let acme = person(&house, account(&house, "Acme").await, Role::Owner);
        let shillings = text(&made["codes"][0]);
        assert_eq!(refusal(&redeem(&api, &acme, "k", &shillings).await), "OTHER_CURRENCY");
        let owner_may_not = json!({ "input": good });
        assert_eq!(api.code(&acme, CREATE, owner_may_not).await, "FORBIDDEN");
    }

    async fn of_sixty_four_at_once_one_redeems(house: TestHouse) {
        let api = Api::new(&house).await;
        let code = made(&house, &api, 1).await.remove(0);
        let mut tasks = Vec::new();
        for _ in 0..64 {
            let ctx = person(&house, account(&house, "One of many").await, Role::Owner);
            let code = code.clone();
            tasks.push(tokio::spawn(async move { vouchers::redeem(&ctx, &code, "k").await }));
        }
        let mut redeemed = 0;
        for task in tasks {
            match within(PATIENCE, task).await.unwrap() {
                Ok(_) => redeemed += 1,
                Err(Error::Rejected(rejection)) => {
                    assert_eq!(rejection, RedeemRejection::AlreadyRedeemed);
                }
                Err(Error::Failed(failed)) => panic!("{failed:?}"),
            }
        }
        assert_eq!(redeemed, 1);
        let posted: i64 = house.value(
            "SELECT CAST(SUM(balance_micros) AS BIGINT) FROM wallet", [],
        ).await;
        assert_eq!(posted, 5_000_000);
        assert_in_order(&house).await;
    }

    async fn the_same_call_at_once_is_one_redemption(house: TestHouse) {
        let api = Api::new(&house).await;
        let code = made(&house, &api, 1).await.remove(0);
        let acme = person(&house, account(&house, "Acme").await, Role::Owner);
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let (ctx, code) = (acme.clone(), code.clone());
                tokio::spawn(async move { vouchers::redeem(&ctx, &code, "k").await })
            })
            .collect();
        let mut first = 0;
        for task in tasks {
            let redeemed = within(PATIENCE, task).await.unwrap().unwrap();
            first += i32::from(!redeemed.replayed);
        }
        assert_eq!(first, 1);
        assert_eq!(redeem(&api, &acme, "k", &code).await["balance"]["posted"], "5.00");
    }

    async fn who_guesses_waits_longer_and_longer(house: TestHouse) {
        let api = Api::new(&house).await;
        let code = made(&house, &api, 2).await;
        let acme = person(&house, account(&house, "Acme").await, Role::Owner);
        let other = person(&house, account(&house, "Other").await, Role::Owner);
        let guess = async |ctx: &Ctx| {
            match vouchers::redeem(ctx, &wrong_code(&house), "k").await {
                Err(Error::Rejected(RedeemRejection::NotFound)) => 0,
                Err(Error::Failed(Failed::RateLimited { retry_after_ms })) => retry_after_ms,
                other => panic!("{other:?}"),
            }
        };
        for _ in 0..5 {
            assert_eq!(guess(&acme).await, 0);
        }
        assert_eq!(guess(&acme).await, 1_000);
        let waiting = json!({ "key": "good", "code": code[0] });
        assert_eq!(api.code(&acme, REDEEM, waiting).await, "RATE_LIMITED");
        assert_eq!(guess(&other).await, 0, "nobody else waits");
        for wait_ms in [1_000, 2_000, 4_000] {
            assert_eq!(guess(&acme).await, wait_ms);
            house.hand.advance(Duration::from_millis(wait_ms));
            assert_eq!(guess(&acme).await, 0);
        }
        house.hand.advance(Duration::from_secs(8));
        // A code that is right ends it, and a mistyped one does not count.
        assert_eq!(redeem(&api, &acme, "good", &code[0]).await["balance"]["posted"], "5.00");
        for _ in 0..9 {
            assert_eq!(refusal(&redeem(&api, &acme, "x", "0000").await), "INVALID_CODE");
        }
        for _ in 0..5 {
            assert_eq!(guess(&acme).await, 0);
        }
        assert_eq!(guess(&acme).await, 1_000);
    }
}
