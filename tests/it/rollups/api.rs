//! Metrics in the contract.

use std::time::Duration;

use entity::enums::{KeyMode, MessageClass, MessageStatus, Role};
use entity::ids::{AccountId, CarrierId, RouteId};
use entity::time::UnixMillis;
use futures::StreamExt;
use futures::stream::BoxStream;
use heliograph::carriers::registry::SIMULATOR_CARRIER_ID;
use heliograph::ctx::Ctx;
use serde_json::{Value, json};
use uuid::Uuid;

use super::story::{Story, Told};
use super::{DAY_MS, HOUR_MS, MINUTE_MS, fold};
use crate::graphql_api::{Api, account, key, operator, person, text};
use crate::support::{PATIENCE, TestHouse, both_stores, within};

const METRICS: &str = "query($input: MetricsInput!) { metrics(input: $input) { interval asOf \
    current { from to totals { accepted sent inProgress delivered parts cost { amount currency } \
      deliveryRate } latency { toSent { count p50Ms p95Ms p99Ms } toDelivered { count p50Ms } } \
      points { from to totals { accepted delivered } latency { toSent { count } } } } \
    previous { from to totals { accepted } points { totals { accepted } } } } }";
const BREAKDOWN: &str = "query($input: BreakdownInput!) { breakdown(input: $input) { asOf \
    totals { accepted inProgress } other { accepted undelivered } groups { country sender class \
    errorCode carrier { id } route { id } \
    totals { accepted delivered undelivered deliveryRate } } } }";
const LIVE: &str = "subscription($minutes: Int, $filter: MetricsFilter) { \
    metricsLive(minutes: $minutes, filter: $filter) { asOf points { from to \
    totals { accepted delivered } } } }";

fn at(text: &str) -> UnixMillis {
    UnixMillis(chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis())
}

/// An account with these messages, all folded.
async fn told(house: &TestHouse, messages: &[Told]) -> AccountId {
    let account_id = account(house, "Acme").await;
    let mut story = Story::new(account_id);
    story.add(house, messages).await;
    story.tell_all(house).await;
    fold(house).await;
    account_id
}

async fn metrics(api: &Api, ctx: &Ctx, input: Value) -> Value {
    api.data(ctx, METRICS, json!({ "input": input })).await["metrics"].clone()
}

async fn breakdown(api: &Api, ctx: &Ctx, input: Value) -> Value {
    api.data(ctx, BREAKDOWN, json!({ "input": input })).await["breakdown"].clone()
}

/// Of each point, when it begins and how many were accepted.
fn points(period: &Value) -> Vec<(String, i64)> {
    let points = period["points"].as_array().unwrap().iter();
    points
        .map(|point| (text(&point["from"]), point["totals"]["accepted"].as_i64().unwrap()))
        .collect()
}

fn point(from: &str, accepted: i64) -> (String, i64) {
    (from.to_owned(), accepted)
}

both_stores! {
    async fn series_have_no_gaps_and_latencies_are_told(house: TestHouse) {
        let api = Api::new(&house).await;
        let start = house.now();
        house.hand.advance(Duration::from_secs(3 * 3_600));
        let messages = [
            Told::delivered(start.plus_ms(30 * MINUTE_MS)),
            Told { parts: 2, ..Told::delivered(start.plus_ms(31 * MINUTE_MS)) },
            Told {
                steps: vec![(MessageStatus::Queued, 0, None)],
                ..Told::delivered(start.plus_ms(2 * HOUR_MS))
            },
            Told { is_test: true, ..Told::delivered(start.plus_ms(40 * MINUTE_MS)) },
        ];
        let account_id = told(&house, &messages).await;
        let ctx = key(&house, account_id, KeyMode::Live);
        let range = json!({ "from": "2026-01-05T00:00:00Z", "to": "2026-01-05T03:00:00Z",
            "interval": "HOUR" });
        let read = metrics(&api, &ctx, range.clone()).await;
        assert_eq!(points(&read["current"]), [
            point("2026-01-05T00:00:00.000Z", 2),
            point("2026-01-05T01:00:00.000Z", 0),
            point("2026-01-05T02:00:00.000Z", 1),
        ]);
        assert_eq!(read["asOf"], "2026-01-05T03:00:00.000Z");
        assert_eq!(read["previous"], Value::Null);
        assert_eq!(read["current"]["totals"], json!({
            "accepted": 3, "sent": 2, "inProgress": 1, "delivered": 2, "parts": 3,
            "cost": { "amount": "0.0375", "currency": "USD" }, "deliveryRate": 1.0,
        }));
        let to_sent = &read["current"]["latency"]["toSent"];
        assert_eq!(to_sent["count"], 2);
        let p95 = to_sent["p95Ms"].as_i64().unwrap();
        assert!((94..=106).contains(&p95), "{p95} for 100 ms");
        let p50 = read["current"]["latency"]["toDelivered"]["p50Ms"].as_i64().unwrap();
        assert!((844..=956).contains(&p50), "{p50} for 900 ms");

        let mut test = range.clone();
        test["filter"] = json!({ "mode": "TEST" });
        let test = metrics(&api, &ctx, test).await["current"]["totals"].clone();
        assert_eq!((&test["accepted"], &test["parts"]), (&json!(1), &json!(1)));
        assert_eq!(test["cost"]["amount"], "0.00");

        // Who may read messages and no money sees all but that.
        let support = person(&house, account_id, Role::Support);
        let read = metrics(&api, &support, range.clone()).await["current"]["totals"].clone();
        assert_eq!((&read["accepted"], &read["cost"]), (&json!(3), &Value::Null));
        let mut costly = range.clone();
        costly.as_object_mut().unwrap().remove("interval");
        costly["by"] = json!("SENDER");
        costly["measure"] = json!("COST");
        let costly = json!({ "input": costly });
        assert_eq!(api.code(&support, BREAKDOWN, costly).await, "FORBIDDEN");
        let stranger = key(&house, account(&house, "Other").await, KeyMode::Live);
        let none = metrics(&api, &stranger, range).await;
        assert_eq!(none["current"]["totals"]["accepted"], 0);
        assert_eq!(none["current"]["totals"]["deliveryRate"], Value::Null);
    }

    async fn days_are_those_of_the_time_zone(house: TestHouse) {
        let api = Api::new(&house).await;
        // Long after: minutes are gone, quarters and hours are there.
        house.hand.advance(Duration::from_secs(300 * 86_400));
        let moments = [
            // The last and the first millisecond of a day in Kolkata, and in Kathmandu.
            "2026-03-01T18:29:59.999Z", "2026-03-01T18:30:00Z",
            "2026-03-02T18:14:59.999Z", "2026-03-02T18:15:00Z",
            // Berlin's day of 23 hours, and that of 25.
            "2026-03-28T22:59:59Z", "2026-03-28T23:00:00Z", "2026-03-29T21:59:59Z", "2026-03-29T22:00:00Z",
            "2026-10-24T22:00:00Z", "2026-10-25T22:59:59Z", "2026-10-25T23:00:00Z",
        ];
        let messages: Vec<_> = moments.iter().map(|text| Told::delivered(at(text))).collect();
        let account_id = told(&house, &messages).await;
        let ctx = key(&house, account_id, KeyMode::Live);
        let days = async |from: &str, to: &str, zone: &str| {
            let input = json!({ "from": from, "to": to, "interval": "DAY", "timeZone": zone });
            points(&metrics(&api, &ctx, input).await["current"])
        };
        let kolkata = days("2026-02-28T18:30:00Z", "2026-03-03T18:30:00Z", "Asia/Kolkata").await;
        assert_eq!(kolkata, [
            point("2026-02-28T18:30:00.000Z", 1),
            point("2026-03-01T18:30:00.000Z", 3),
            point("2026-03-02T18:30:00.000Z", 0),
        ]);
        let kathmandu = days("2026-02-28T18:15:00Z", "2026-03-03T18:15:00Z", "Asia/Kathmandu").await;
        assert_eq!(kathmandu, [
            point("2026-02-28T18:15:00.000Z", 0),
            point("2026-03-01T18:15:00.000Z", 3),
            point("2026-03-02T18:15:00.000Z", 1),
        ]);
        let spring = days("2026-03-27T23:00:00Z", "2026-03-30T22:00:00Z", "Europe/Berlin").await;
        assert_eq!(spring, [
            point("2026-03-27T23:00:00.000Z", 1),
            point("2026-03-28T23:00:00.000Z", 2),
            point("2026-03-29T22:00:00.000Z", 1),
        ]);
        let autumn = days("2026-10-23T22:00:00Z", "2026-10-26T23:00:00Z", "Europe/Berlin").await;
        assert_eq!(autumn, [
            point("2026-10-23T22:00:00.000Z", 0),
            point("2026-10-24T22:00:00.000Z", 2),
            point("2026-10-25T23:00:00.000Z", 1),
        ]);

        let input = json!({ "from": "2026-03-28T23:00:00Z", "to": "2026-03-29T22:00:00Z",
            "interval": "DAY", "timeZone": "Europe/Berlin", "compareToPrevious": true });
        let compared = metrics(&api, &ctx, input).await;
        assert_eq!(compared["previous"]["from"], "2026-03-27T23:00:00.000Z");
        assert_eq!(compared["previous"]["to"], "2026-03-28T23:00:00.000Z");
        assert_eq!(compared["previous"]["totals"]["accepted"], 1);
        assert_eq!(compared["current"]["totals"]["accepted"], 2);

        let input = json!({ "from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z" });
        let year = metrics(&api, &ctx, input).await;
        assert_eq!((&year["interval"], points(&year["current"]).len()), (&json!("WEEK"), 53));
        assert_eq!(year["current"]["totals"]["accepted"], 11);
    }

    async fn what_cannot_be_shown_is_refused(house: TestHouse) {
        let api = Api::new(&house).await;
        let account_id = account(&house, "Acme").await;
        let ctx = key(&house, account_id, KeyMode::Live);
        let (from, to) = ("2026-01-05T00:00:00Z", "2026-01-06T01:00:00Z");
        let refused = async |input: Value| api.code(&ctx, METRICS, json!({ "input": input })).await;
        for input in [
            json!({ "from": from, "to": from }),
            json!({ "from": to, "to": from }),
            json!({ "from": from, "to": "2026-01-06T01:01:00Z", "interval": "MINUTE" }),
            json!({ "from": from, "to": "2036-01-14T00:00:00Z" }),
            json!({ "from": "1969-12-31T23:59:59Z", "to": "1970-01-02T00:00:00Z" }),
            json!({ "from": from, "to": to, "timeZone": "Mars/Olympus" }),
            json!({ "from": from, "to": to, "filter": { "senders": vec!["a"; 101] } }),
        ] {
            assert_eq!(refused(input.clone()).await, "BAD_REQUEST", "{input}");
        }
        let input = json!({ "from": from, "to": "2026-01-06T01:00:00Z", "interval": "MINUTE" });
        let whole = metrics(&api, &ctx, input).await;
        assert_eq!(points(&whole["current"]).len(), 1_500, "as many as a series may have");
        let most = json!({ "from": from, "to": to, "filter": { "senders": vec!["a"; 100] } });
        metrics(&api, &ctx, most).await;
        for top in [0, -1, 101] {
            let input = json!({ "input": { "from": from, "to": to, "by": "COUNTRY", "top": top } });
            assert_eq!(api.code(&ctx, BREAKDOWN, input).await, "BAD_REQUEST", "{top}");
        }
        for filter in [json!({ "carrierIds": [] }), json!({ "routeIds": [] })] {
            let input = json!({ "from": from, "to": to, "filter": filter });
            assert_eq!(refused(input).await, "FORBIDDEN");
        }
        let wrong = json!({ "from": from, "to": to, "filter": { "carrierIds": ["acct_x"] } });
        assert_eq!(refused(wrong).await, "INVALID_ID");
        for by in ["CARRIER", "ROUTE"] {
            let input = json!({ "input": { "from": from, "to": to, "by": by } });
            assert_eq!(api.code(&ctx, BREAKDOWN, input).await, "FORBIDDEN");
        }
    }

    async fn breakdowns_have_the_largest_groups_and_the_rest(house: TestHouse) {
        let api = Api::new(&house).await;
        house.hand.advance(Duration::from_secs(86_400));
        let start = house.now().plus_ms(-DAY_MS);
        let route_id = RouteId(Uuid::from_u128(7));
        house.execute(
            "INSERT INTO route VALUES ($1, '91', $2, 0, 1, 0)",
            [route_id.into(), SIMULATOR_CARRIER_ID.into()],
        ).await;
        use MessageStatus::{Queued, Sent, Undelivered};
        let lost = |error| vec![(Queued, 0, None), (Sent, 1, None), (Undelivered, 1, Some(error))];
        let mut messages = Vec::new();
        for (country, count) in [("DE", 4), ("GB", 3), ("IN", 2), ("FR", 1)] {
            for n in 0..count {
                let told = Told::delivered(start.plus_ms(n * HOUR_MS));
                let route_id = (country == "IN").then_some(route_id);
                messages.push(Told { country, route_id, ..told });
            }
        }
        messages[0].class = MessageClass::Otp;
        messages[1].sender = "Bells";
        messages[4].steps = lost("ABSENT_SUBSCRIBER");
        messages[5].steps = lost("ABSENT_SUBSCRIBER");
        messages[7].steps = lost("MEMORY_FULL");
        let other_carrier = CarrierId(Uuid::from_u128(9));
        messages[9].carrier_id = other_carrier;
        let account_id = told(&house, &messages).await;
        let ctx = key(&house, account_id, KeyMode::Live);
        let range = |by: &str, more: Value| {
            let mut input = json!({ "from": "2026-01-05T00:00:00Z", "to": "2026-01-06T00:00:00Z",
                "by": by });
            for (name, value) in more.as_object().unwrap() {
                input[name] = value.clone();
            }
            input
        };
        let by_country = breakdown(&api, &ctx, range("COUNTRY", json!({ "top": 2 }))).await;
        let shown = |read: &Value, name: &str| {
            let groups = read["groups"].as_array().unwrap().clone();
            let counted = |group: &Value| (text(&group[name]), group["totals"]["accepted"].as_i64().unwrap());
            groups.iter().map(counted).collect::<Vec<_>>()
        };
        let group = |key: &str, count| (key.to_owned(), count);
        assert_eq!(shown(&by_country, "country"), [group("DE", 4), group("GB", 3)]);
        assert_eq!(by_country["other"], json!({ "accepted": 3, "undelivered": 1 }));
        assert_eq!(by_country["totals"]["accepted"], 10);
        let rate = by_country["groups"][1]["totals"]["deliveryRate"].as_f64().unwrap();
        assert!((rate - 1.0 / 3.0).abs() < 1e-9);
        let by_undelivered = json!({ "measure": "UNDELIVERED", "top": 1 });
        let worst = breakdown(&api, &ctx, range("COUNTRY", by_undelivered)).await;
        assert_eq!(shown(&worst, "country"), [group("GB", 3)]);
        let by_sender = breakdown(&api, &ctx, range("SENDER", json!({}))).await;
        assert_eq!(shown(&by_sender, "sender"), [group("Acme", 9), group("Bells", 1)]);
        let by_class = breakdown(&api, &ctx, range("CLASS", json!({}))).await;
        assert_eq!(shown(&by_class, "class"), [group("TRANSACTIONAL", 9), group("OTP", 1)]);
        let errors = json!({ "measure": "UNDELIVERED" });
        let by_error = breakdown(&api, &ctx, range("ERROR_CODE", errors)).await;
        let groups = by_error["groups"].as_array().unwrap();
        let codes: Vec<_> = groups.iter().map(|it| (text(&it["errorCode"]), it["totals"]["undelivered"].clone())).collect();
        let code = |code: &str, count: i64| (code.to_owned(), json!(count));
        assert_eq!(codes, [code("ABSENT_SUBSCRIBER", 2), code("MEMORY_FULL", 1)]);
        assert_eq!(by_error["totals"]["inProgress"], 0);
        let only = json!({ "filter": { "countries": ["GB", "IN"], "classes": ["TRANSACTIONAL"], "senders": ["Acme"] } });
        let filtered = breakdown(&api, &ctx, range("COUNTRY", only)).await;
        assert_eq!(shown(&filtered, "country"), [group("GB", 3), group("IN", 2)]);
        let nothing = json!({ "filter": { "countries": [] } });
        assert_eq!(breakdown(&api, &ctx, range("COUNTRY", nothing)).await["groups"], json!([]));

        // The operator sees by which carriers and routes.
        let staff = operator(&house, Role::Admin).await;
        let document = "query($id: ID!, $input: BreakdownInput!) { accountBilling(accountId: $id) { \
            breakdown(input: $input) { groups { carrier { id } route { id } totals { accepted } } } } }";
        let of = async |input: Value| {
            let variables = json!({ "id": account_id.to_string(), "input": input });
            let read = api.data(&staff, document, variables).await;
            read["accountBilling"]["breakdown"]["groups"].clone()
        };
        let simulator = json!({ "id": SIMULATOR_CARRIER_ID.to_string() });
        assert_eq!(of(range("CARRIER", json!({}))).await, json!([
            { "carrier": simulator, "route": null, "totals": { "accepted": 9 } },
            { "carrier": null, "route": null, "totals": { "accepted": 1 } },
        ]));
        let by_route = of(range("ROUTE", json!({}))).await;
        assert_eq!(by_route[1]["route"]["id"], route_id.to_string());
        assert_eq!(by_route[1]["totals"]["accepted"], 2);
        let filter = json!({ "filter": { "routeIds": [route_id.to_string()], "carrierIds": [SIMULATOR_CARRIER_ID.to_string()] } });
        assert_eq!(of(range("COUNTRY", filter)).await[0]["totals"]["accepted"], 2);
        let document = "query($id: ID!, $input: MetricsInput!) { accountBilling(accountId: $id) { \
            metrics(input: $input) { current { totals { accepted cost { amount } } } } } }";
        let input = json!({ "from": "2026-01-05T00:00:00Z", "to": "2026-01-06T00:00:00Z" });
        let variables = json!({ "id": account_id.to_string(), "input": input });
        let read = api.data(&staff, document, variables.clone()).await;
        let totals = &read["accountBilling"]["metrics"]["current"]["totals"];
        assert_eq!(totals, &json!({ "accepted": 10, "cost": { "amount": "0.125" } }));
        assert_eq!(api.code(&ctx, document, variables).await, "FORBIDDEN");
    }

    async fn the_last_minutes_are_told_as_they_change(house: TestHouse) {
        let api = Api::new(&house).await;
        house.hand.advance(Duration::from_secs(3_600));
        let account_id = account(&house, "Acme").await;
        let ctx = key(&house, account_id, KeyMode::Live);
        for minutes in [0, 61, -1] {
            let mut refused = api.stream(&ctx, LIVE, json!({ "minutes": minutes }));
            let answer = within(PATIENCE, refused.next()).await.unwrap();
            assert_eq!(crate::graphql_api::code_of(&answer.errors[0]), "BAD_REQUEST");
        }
        let mut stream = api.stream(&ctx, LIVE, json!({ "minutes": 3 }));
        let first = next(&mut stream).await;
        assert_eq!(accepted(&first), [0, 0, 0]);
        assert_eq!(first["points"][2]["from"], "2026-01-05T01:00:00.000Z");
        let mut story = Story::new(account_id);
        let now = house.now();
        story.add(&house, &[Told::delivered(now), Told::delivered(now.plus_ms(-MINUTE_MS))]).await;
        story.tell_all(&house).await;
        fold(&house).await;
        // It tells once a second at most, however often it changes meanwhile.
        let second = waited(&house, &mut stream).await;
        assert_eq!(accepted(&second), [0, 1, 1]);
        story.add(&house, &[Told::delivered(now), Told::delivered(now)]).await;
        story.tell_all(&house).await;
        fold(&house).await;
        let third = waited(&house, &mut stream).await;
        assert_eq!(accepted(&third), [0, 1, 3]);
        // With the next minute begins a point.
        house.hand.advance(Duration::from_secs(60));
        let fourth = waited(&house, &mut stream).await;
        assert_eq!(accepted(&fourth), [1, 3, 0]);
        // Whoever comes later has the whole state at once.
        let mut late = api.stream(&ctx, LIVE, json!({ "minutes": 4 }));
        assert_eq!(accepted(&next(&mut late).await), [0, 1, 3, 0]);
        let mut other = api.stream(&ctx, LIVE, json!({ "minutes": 4, "filter": { "countries": ["GB"] } }));
        assert_eq!(accepted(&next(&mut other).await), [0, 0, 0, 0]);
    }
}

type Stream = BoxStream<'static, async_graphql::Response>;

async fn next(stream: &mut Stream) -> Value {
    let answer = within(PATIENCE, stream.next()).await.expect("the stream goes on");
    assert!(answer.errors.is_empty(), "{:?}", answer.errors);
    answer.data.into_json().unwrap()["metricsLive"].clone()
}

/// The next state, a second later: as soon as a stream tells again.
async fn waited(house: &TestHouse, stream: &mut Stream) -> Value {
    house.hand.advance(Duration::from_secs(1));
    next(stream).await
}

fn accepted(state: &Value) -> Vec<i64> {
    let points = state["points"].as_array().unwrap().iter();
    points.map(|point| point["totals"]["accepted"].as_i64().unwrap()).collect()
}
