//! Messages through the contract: what a client sends, reads and follows.

use std::sync::{Arc, Mutex};

use entity::enums::{KeyMode, Role};
use entity::ids::{AccountId, CarrierId, InboundMessageId, MessageId};
use futures::StreamExt;
use futures::stream::BoxStream;
use heliograph::carriers::registry::SIMULATOR_CARRIER_ID;
use heliograph::ctx::{Ctx, Platform};
use heliograph::db::page::COUNT_ROWS_MAX;
use heliograph::db::{Bulk, BulkColumn, BulkType};
use serde_json::{Value, json};

use crate::graphql_api::{Api, account, code_of, furnish, key, person, text};
use crate::support::{PATIENCE, TestHouse, both_stores, within};

const SEND: &str = "mutation($input: SendMessagesInput!) { sendMessages(input: $input) { \
    results { message { id status } error { code path message } } replayed userErrors { code path } } }";
const CANCEL: &str = "mutation($ids: [ID!]!) { cancelMessages(input: {messageIds: $ids}) { \
    results { message { id status } error { code path } } userErrors { code path } } }";
const FOLLOW: &str = "subscription($filter: MessageEventFilter, $after: Cursor) { \
    messageEvents(filter: $filter, after: $after) { __typename id cursor seq occurredAt \
    ... on MessageStatusChanged { status version message { id status } } } }";

fn to(recipient: &str) -> Value {
    json!({ "to": recipient, "from": "Acme", "text": "Hello there" })
}

fn batch(idempotency_key: &str, messages: Vec<Value>) -> Value {
    json!({ "input": { "idempotencyKey": idempotency_key, "messages": messages } })
}

async fn send(api: &Api, ctx: &Ctx, variables: Value) -> Value {
    api.data(ctx, SEND, variables).await["sendMessages"].clone()
}

/// Sends to as many test numbers, and returns the ids.
async fn send_test(api: &Api, ctx: &Ctx, idempotency_key: &str, count: usize) -> Vec<String> {
    let messages = (0..count).map(|n| to(&format!("+999100{n:07}"))).collect();
    let sent = send(api, ctx, batch(idempotency_key, messages)).await;
    let results = sent["results"].as_array().unwrap();
    results.iter().map(|result| text(&result["message"]["id"])).collect()
}

/// The next event of a stream that has no error.
async fn next(stream: &mut BoxStream<'static, async_graphql::Response>) -> Value {
    let answer = within(PATIENCE, stream.next()).await.expect("the stream goes on");
    assert!(answer.errors.is_empty(), "{:?}", answer.errors);
    answer.data.into_json().unwrap()["messageEvents"].clone()
}

/// The code with which a stream ends.
async fn last_word(mut stream: BoxStream<'static, async_graphql::Response>) -> String {
    let answer = within(PATIENCE, stream.next()).await.expect("an answer");
    let code = code_of(answer.errors.first().expect("an error"));
    assert!(within(PATIENCE, stream.next()).await.is_none(), "the error is the last word");
    code
}

/// A caller of the same house whose statements are written down.
fn observed(house: &TestHouse, ctx: &Ctx) -> (Ctx, Arc<Mutex<Vec<String>>>) {
    let statements = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&statements);
    let db =
        house.platform.db.clone().observed(move |sql| log.lock().unwrap().push(sql.to_owned()));
    let platform = Platform { db, ..Platform::clone(&house.platform) };
    (Ctx::new(Arc::new(platform), ctx.actor.clone(), Arc::from("test")), statements)
}

/// Messages from phones, straight into the store.
async fn arrive(house: &TestHouse, account_id: AccountId, count: u64) {
    const COLUMNS: &[BulkColumn] = &[BulkColumn::new("id", BulkType::Uuid)];
    let ids: Vec<InboundMessageId> = (0..count).map(|_| house.platform.ids.next()).collect();
    let written = house.platform.db.write(|tx| {
        let mut rows = Bulk::new(COLUMNS);
        ids.iter().for_each(|id| rows.push([id.0.into()]));
        async move {
            let sql = "INSERT INTO inbound_message (id, account_id, carrier_id, sender, recipient, \
                body, parts, parts_received, received_at_ms) \
                SELECT id, {1}, {2}, '4915112345678', '12345', {3}, 1, 1, 0 FROM rows";
            let body = b"Hi".to_vec();
            let values = vec![account_id.into(), SIMULATOR_CARRIER_ID.into(), body.into()];
            rows.execute(&tx, sql, values).await
        }
    });
    written.await.unwrap();
}

both_stores! {
    async fn each_message_of_a_call_stands_for_itself(house: TestHouse) {
        let api = Api::new(&house).await;
        let account_id = account(&house, "Acme").await;
        furnish(&house, &api, account_id).await;
        let ctx = key(&house, account_id, KeyMode::Live);
        let with = |field: &str, value: Value| {
            let mut message = to("+4915112345678");
            message[field] = value;
            message
        };
        let far = "2099-01-01T00:00:00Z";
        let messages = vec![
            to("+4915112345678"),
            with("to", json!("hello")),
            with("to", json!("+9991000000000")),
            with("from", json!("Other")),
            with("from", json!("")),
            with("text", json!("")),
            with("text", json!("x".repeat(1_521))),
            with("clientReference", json!("")),
            with("sendAt", json!(far)),
            with("validityPeriodSeconds", json!(1)),
            with("sendAt", json!("2026-01-06T00:00:00Z")),
            with("class", json!("OTP")),
        ];
        let sent = send(&api, &ctx, batch("one", messages.clone())).await;
        assert_eq!((&sent["userErrors"], &sent["replayed"]), (&json!([]), &json!(false)));
        let results = sent["results"].as_array().unwrap();
        let shown: Vec<Value> = results
            .iter()
            .map(|result| match &result["error"] {
                Value::Null => result["message"]["status"].clone(),
                error => json!([error["code"], error["path"][2]]),
            })
            .collect();
        assert_eq!(json!(shown), json!([
            "QUEUED",
            ["INVALID_RECIPIENT", "to"],
            ["TEST_RECIPIENT", "to"],
            ["SENDER_NOT_APPROVED", "from"],
            ["INVALID_SENDER", "from"],
            ["EMPTY_TEXT", "text"],
            ["TEXT_TOO_LONG", "text"],
            ["INVALID_CLIENT_REFERENCE", "clientReference"],
            ["SEND_AT_TOO_FAR", "sendAt"],
            ["INVALID_VALIDITY_PERIOD", "validityPeriodSeconds"],
            "SCHEDULED",
            "QUEUED",
        ]));
        assert_eq!(results[3]["error"]["path"], json!(["messages", "3", "from"]));
        assert_eq!(house.value::<i64>("SELECT count(*) FROM message", []).await, 3);

        let again = send(&api, &ctx, batch("one", messages)).await;
        assert_eq!(again["replayed"], true);
        assert_eq!(again["results"], sent["results"]);
        let reused = send(&api, &ctx, batch("one", vec![to("+4915112345679")])).await;
        assert_eq!(
            reused,
            json!({ "results": [], "replayed": false, "userErrors": [
                { "code": "IDEMPOTENCY_KEY_REUSED", "path": ["idempotencyKey"] }
            ] })
        );
        assert_eq!(house.value::<i64>("SELECT count(*) FROM message", []).await, 3);
    }

    async fn a_call_that_is_wrong_as_a_whole_does_nothing(house: TestHouse) {
        let api = Api::new(&house).await;
        let account_id = account(&house, "Acme").await;
        let ctx = key(&house, account_id, KeyMode::Test);
        for (variables, code) in [
            (batch("k", vec![]), "NO_MESSAGES"),
            (batch("k", vec![to("+9991000000000"); 1_001]), "TOO_MANY_MESSAGES"),
            (batch("", vec![to("+9991000000000")]), "INVALID_IDEMPOTENCY_KEY"),
            (batch(&"k".repeat(256), vec![to("+9991000000000")]), "INVALID_IDEMPOTENCY_KEY"),
        ] {
            let refused = send(&api, &ctx, variables).await;
            assert_eq!(refused["userErrors"][0]["code"], code);
            assert_eq!(refused["results"], json!([]));
        }
        let full = send(&api, &ctx, batch("full", vec![to("+9991000000000"); 1_000])).await;
        assert_eq!(full["results"].as_array().unwrap().len(), 1_000);
        let viewer = person(&house, account_id, Role::Viewer);
        assert_eq!(api.code(&viewer, SEND, batch("k", vec![])).await, "FORBIDDEN");
        assert_eq!(house.value::<i64>("SELECT count(*) FROM message", []).await, 1_000);
    }

    async fn a_message_shows_what_is_known_of_it(house: TestHouse) {
        let api = Api::new(&house).await;
        let account_id = account(&house, "Acme").await;
        let ctx = key(&house, account_id, KeyMode::Test);
        let mut message = to("+9991000000000");
        message["clientReference"] = json!("order-1");
        message["text"] = json!("Здравствуйте");
        let sent = send(&api, &ctx, batch("one", vec![message])).await;
        let id = sent["results"][0]["message"]["id"].clone();
        let document = "query($id: ID!) { message(id: $id) { id to from class status version parts \
            partsDelivered encoding clientReference isTest createdAt scheduledAt expiresAt sentAt \
            deliveredAt finishedAt error { code } attempts { number } events { status seq } text } }";
        let read = api.data(&ctx, document, json!({ "id": id })).await["message"].clone();
        assert_eq!(read, json!({
            "id": id, "to": "+9991000000000", "from": "Acme", "class": "TRANSACTIONAL",
            "status": "QUEUED", "version": 1, "parts": 1, "partsDelivered": 0, "encoding": "UCS2",
            "clientReference": "order-1", "isTest": true, "createdAt": "2026-01-05T00:00:00.000Z",
            "scheduledAt": null, "expiresAt": "2026-01-05T04:00:00.000Z", "sentAt": null,
            "deliveredAt": null, "finishedAt": null, "error": null, "attempts": [],
            "events": [{ "status": "QUEUED", "seq": 1 }], "text": "Здравствуйте",
        }));
        // Billing may read messages, not their text: the rest of the answer stands.
        let billing = person(&house, account_id, Role::Billing);
        let document = "query($id: ID!) { message(id: $id) { status text } }";
        let partly = api.answer(&billing, document, json!({ "id": id })).await;
        assert_eq!(code_of(&partly.errors[0]), "FORBIDDEN");
        let data = partly.data.into_json().unwrap();
        assert_eq!(data["message"], json!({ "status": "QUEUED", "text": null }));

        let stranger = key(&house, account(&house, "Other").await, KeyMode::Test);
        let unseen = api.data(&stranger, document, json!({ "id": id })).await;
        assert_eq!(unseen["message"], Value::Null);
        let unknown: MessageId = house.platform.ids.next();
        let unknown = api.data(&ctx, document, json!({ "id": unknown.to_string() })).await;
        assert_eq!(unknown["message"], Value::Null);
        assert_eq!(api.code(&ctx, document, json!({ "id": "nonsense" })).await, "INVALID_ID");
    }

    async fn attempts_and_errors_are_told_part_by_part(house: TestHouse) {
        let api = Api::new(&house).await;
        let account_id = account(&house, "Acme").await;
        let ctx = key(&house, account_id, KeyMode::Test);
        let ids = send_test(&api, &ctx, "one", 2).await;
        let id: MessageId = ids[0].parse().unwrap();
        // A first attempt that was refused for now, as dispatch records it, and a second one that
        // the row alone tells of.
        house.execute(
            "INSERT INTO submission (account_id, message_id, attempt, part, carrier_id, state, \
             error_code, submitted_at_ms, updated_at_ms) VALUES ($1, $2, 1, 1, $3, 1, \
             'CARRIER_REFUSED', 0, 0)",
            [account_id.into(), id.into(), SIMULATOR_CARRIER_ID.into()],
        ).await;
        house.execute(
            "UPDATE message SET attempt = 2, status = 101, error_code = 'RECEIPT_UNDELIVERED', \
             carrier_message_id = 'abc', submitted_at_ms = 5000 WHERE id = $1",
            [id.into()],
        ).await;
        let document = "query($id: ID!) { message(id: $id) { error { code title cause fix } attempts \
            { number submittedAt parts { number state carrierMessageId error { code } } } } }";
        let read = api.data(&ctx, document, json!({ "id": ids[0] })).await["message"].clone();
        assert_eq!(read["attempts"], json!([
            { "number": 1, "submittedAt": "1970-01-01T00:00:00.000Z", "parts": [
                { "number": 1, "state": "REFUSED", "carrierMessageId": null,
                  "error": { "code": "CARRIER_REFUSED" } },
            ] },
            { "number": 2, "submittedAt": "1970-01-01T00:00:05.000Z", "parts": [
                { "number": 1, "state": "UNDELIVERED", "carrierMessageId": "abc",
                  "error": { "code": "RECEIPT_UNDELIVERED" } },
            ] },
        ]));
        assert_eq!(read["error"]["code"], "RECEIPT_UNDELIVERED");
        for field in ["title", "cause", "fix"] {
            assert!(!text(&read["error"][field]).is_empty());
        }
    }

    async fn filters_are_joined(house: TestHouse) {
        let api = Api::new(&house).await;
        let account_id = account(&house, "Acme").await;
        let ctx = key(&house, account_id, KeyMode::Test);
        let mut early = to("+9991000000001");
        early["class"] = json!("OTP");
        early["clientReference"] = json!("a");
        send(&api, &ctx, batch("early", vec![early])).await;
        house.hand.advance(std::time::Duration::from_secs(60));
        let ids = send_test(&api, &ctx, "late", 3).await;
        api.data(&ctx, CANCEL, json!({ "ids": [ids[2]] })).await;
        let document = "query($filter: MessageFilter) { messages(filter: $filter) { totalCount \
            nodes { to } } }";
        for (filter, count) in [
            (json!(null), 4),
            (json!({}), 4),
            (json!({ "statuses": ["QUEUED"] }), 3),
            (json!({ "statuses": ["QUEUED", "CANCELED"] }), 4),
            (json!({ "statuses": [] }), 0),
            (json!({ "classes": ["OTP"] }), 1),
            (json!({ "classes": ["OTP"], "statuses": ["CANCELED"] }), 0),
            (json!({ "to": "+999 100 0000001" }), 2),
            (json!({ "clientReference": "a" }), 1),
            (json!({ "createdFrom": "2026-01-05T00:01:00Z" }), 3),
            (json!({ "createdBefore": "2026-01-05T00:01:00Z" }), 1),
            (json!({ "createdBefore": "2026-01-05T00:01:00Z", "classes": ["MARKETING"] }), 0),
        ] {
            let found = api.data(&ctx, document, json!({ "filter": filter })).await;
            assert_eq!(found["messages"]["totalCount"], count, "{filter}");
            let nodes = found["messages"]["nodes"].as_array().unwrap();
            assert_eq!(nodes.len(), usize::try_from(count).unwrap(), "{filter}");
        }
        let wrong = json!({ "filter": { "to": "nobody" } });
        assert_eq!(api.code(&ctx, document, wrong).await, "BAD_REQUEST");
        let other = key(&house, account(&house, "Other").await, KeyMode::Test);
        let found = api.data(&other, document, json!({})).await;
        assert_eq!(found["messages"]["totalCount"], 0);
    }

    async fn only_what_has_not_left_is_canceled(house: TestHouse) {
        let api = Api::new(&house).await;
        let account_id = account(&house, "Acme").await;
        let ctx = key(&house, account_id, KeyMode::Test);
        let ids = send_test(&api, &ctx, "one", 3).await;
        let gone: MessageId = ids[1].parse().unwrap();
        house.execute("UPDATE message SET status = 30 WHERE id = $1", [gone.into()]).await;
        let unknown: MessageId = house.platform.ids.next();
        let named = json!({ "ids": [ids[0], ids[1], unknown.to_string()] });
        for _ in 0..2 {
            let canceled = api.data(&ctx, CANCEL, named.clone()).await["cancelMessages"].clone();
            assert_eq!(canceled["results"], json!([
                { "message": { "id": ids[0], "status": "CANCELED" }, "error": null },
                { "message": null, "error": { "code": "TOO_LATE", "path": ["messageIds", "1"] } },
                { "message": null, "error": { "code": "MESSAGE_NOT_FOUND", "path": ["messageIds", "2"] } },
            ]));
        }
        let stranger = key(&house, account(&house, "Other").await, KeyMode::Test);
        let foreign = api.data(&stranger, CANCEL, json!({ "ids": [ids[2]] })).await;
        assert_eq!(foreign["cancelMessages"]["results"][0]["error"]["code"], "MESSAGE_NOT_FOUND");
        let none = api.data(&ctx, CANCEL, json!({ "ids": [] })).await;
        assert_eq!(none["cancelMessages"]["userErrors"][0]["code"], "NO_MESSAGES");
        let many = vec![ids[2].clone(); 1_001];
        let many = api.data(&ctx, CANCEL, json!({ "ids": many })).await;
        assert_eq!(many["cancelMessages"]["userErrors"][0]["code"], "TOO_MANY_MESSAGES");
    }

    async fn an_estimate_stores_nothing(house: TestHouse) {
        let api = Api::new(&house).await;
        let account_id = account(&house, "Acme").await;
        let ctx = key(&house, account_id, KeyMode::Test);
        let mut long = to("+9991000000000");
        long["text"] = json!(format!("{}ж", "a".repeat(70)));
        let document = "mutation($messages: [MessageInput!]!) { estimateMessages(input: \
            {messages: $messages}) { results { estimate { to encoding parts offendingCharacters } \
            error { code path } } userErrors { code } } }";
        let messages = json!({ "messages": [to("+9991000000000"), long, to("x")] });
        let estimated = api.data(&ctx, document, messages).await["estimateMessages"].clone();
        assert_eq!(estimated["results"], json!([
            { "estimate": { "to": "+9991000000000", "encoding": "GSM7", "parts": 1,
                "offendingCharacters": [] }, "error": null },
            { "estimate": { "to": "+9991000000000", "encoding": "UCS2", "parts": 2,
                "offendingCharacters": ["ж"] }, "error": null },
            { "estimate": null,
                "error": { "code": "INVALID_RECIPIENT", "path": ["messages", "2", "to"] } },
        ]));
        assert_eq!(house.value::<i64>("SELECT count(*) FROM message", []).await, 0);
    }

    async fn a_page_costs_the_same_number_of_statements_whatever_its_size(house: TestHouse) {
        let api = Api::new(&house).await;
        let account_id = account(&house, "Acme").await;
        let ctx = key(&house, account_id, KeyMode::Test);
        send_test(&api, &ctx, "one", 60).await;
        let (ctx, statements) = observed(&house, &ctx);
        let document = "query($first: Int!) { messages(first: $first) { nodes { id text \
            attempts { parts { state } } events { status message { to } } } } }";
        let mut counts = Vec::new();
        for first in [1, 50] {
            let page = api.data(&ctx, document, json!({ "first": first })).await;
            assert_eq!(page["messages"]["nodes"].as_array().unwrap().len(), first);
            counts.push(std::mem::take(&mut *statements.lock().unwrap()));
        }
        // Messages, texts, attempts, events, the events' messages.
        assert_eq!(counts[0].len(), 5, "{:#?}", counts[0]);
        assert_eq!(counts[1].len(), 5, "{:#?}", counts[1]);
    }

    async fn a_stream_without_a_cursor_begins_now_and_has_no_gaps(house: TestHouse) {
        let api = Api::new(&house).await;
        let account_id = account(&house, "Acme").await;
        let ctx = key(&house, account_id, KeyMode::Test);
        send_test(&api, &ctx, "before", 5).await;
        let mut stream = api.stream(&ctx, FOLLOW, json!({}));
        // When exactly it begins is not told, so messages are sent until it tells of one.
        let sending = async {
            for n in 0.. {
                send_test(&api, &ctx, &format!("after {n}"), 1).await;
            }
        };
        let first = tokio::select! {
            event = next(&mut stream) => event,
            () = sending => unreachable!("it sends for ever"),
        };
        let mut seq = first["seq"].as_i64().unwrap();
        assert!(seq > 5, "what happened before is not told");
        let ids = send_test(&api, &ctx, "last", 3).await;
        api.data(&ctx, CANCEL, json!({ "ids": [ids[1]] })).await;
        let mut told = Vec::new();
        while told.len() < 4 {
            let event = next(&mut stream).await;
            seq += 1;
            assert_eq!(event["seq"], seq, "no gap, no repetition");
            assert_eq!(event["__typename"], "MessageStatusChanged");
            assert_eq!(event["message"]["status"], event["status"]);
            if ids.iter().any(|id| event["message"]["id"] == json!(id)) {
                told.push(json!([event["message"]["id"], event["status"], event["version"]]));
            }
        }
        assert_eq!(json!(told), json!([
            [ids[0], "QUEUED", 1],
            [ids[1], "QUEUED", 1],
            [ids[2], "QUEUED", 1],
            [ids[1], "CANCELED", 2],
        ]));
    }

    async fn a_cursor_leads_on_from_its_event(house: TestHouse) {
        let api = Api::new(&house).await;
        let account_id = account(&house, "Acme").await;
        let ctx = key(&house, account_id, KeyMode::Test);
        let ids = send_test(&api, &ctx, "one", 3).await;
        let document = "query($id: ID!) { message(id: $id) { events { id cursor } } }";
        let read = api.data(&ctx, document, json!({ "id": ids[0] })).await;
        let event = read["message"]["events"][0].clone();
        let mut stream = api.stream(&ctx, FOLLOW, json!({ "after": event["cursor"] }));
        let second = next(&mut stream).await;
        assert_eq!((&second["message"]["id"], &second["seq"]), (&json!(ids[1]), &json!(2)));
        let third = next(&mut stream).await;
        assert_eq!(third["seq"], 3);
        let mut again = api.stream(&ctx, FOLLOW, json!({ "after": second["cursor"] }));
        assert_eq!(next(&mut again).await["id"], third["id"]);

        let node = "query($id: ID!) { node(id: $id) { ... on MessageStatusChanged { seq } } }";
        let found = api.data(&ctx, node, json!({ "id": third["id"] })).await;
        assert_eq!(found["node"]["seq"], 3);
        let stranger = key(&house, account(&house, "Other").await, KeyMode::Test);
        let unseen = api.data(&stranger, node, json!({ "id": third["id"] })).await;
        assert_eq!(unseen["node"], Value::Null);

        let filtered = json!({ "filter": { "messageIds": [ids[2]], "statuses": ["QUEUED"] },
            "after": event["cursor"] });
        let mut filtered = api.stream(&ctx, FOLLOW, filtered);
        assert_eq!(next(&mut filtered).await["seq"], 3);

        // Retention removes the front of the log.
        house.execute("DELETE FROM event WHERE account_id = $1 AND seq <= 2", [account_id.into()]).await;
        let old = api.stream(&ctx, FOLLOW, json!({ "after": event["cursor"] }));
        assert_eq!(last_word(old).await, "EVENT_CURSOR_EXPIRED");
        let foreign = api.stream(&stranger, FOLLOW, json!({ "after": third["cursor"] }));
        assert_eq!(last_word(foreign).await, "BAD_REQUEST");
        let wrong = api.stream(&ctx, FOLLOW, json!({ "after": "nonsense" }));
        assert_eq!(last_word(wrong).await, "BAD_REQUEST");
        let campaign = json!({ "filter": { "campaignId": ids[0] } });
        assert_eq!(last_word(api.stream(&ctx, FOLLOW, campaign)).await, "INVALID_ID");
        let nobody = house.ctx_as(heliograph::authz::Actor::Anonymous);
        assert_eq!(last_word(api.stream(&nobody, FOLLOW, json!({}))).await, "UNAUTHENTICATED");
    }

    async fn an_event_costs_no_statement_for_what_it_tells_itself(house: TestHouse) {
        let api = Api::new(&house).await;
        let account_id = account(&house, "Acme").await;
        let ctx = key(&house, account_id, KeyMode::Test);
        let ids = send_test(&api, &ctx, "one", 20).await;
        let document = "query($id: ID!) { message(id: $id) { events { cursor } } }";
        let read = api.data(&ctx, document, json!({ "id": ids[0] })).await;
        let after = json!({ "after": read["message"]["events"][0]["cursor"] });
        let (observed, statements) = observed(&house, &ctx);
        let mut stream = api.stream(&observed, FOLLOW, after.clone());
        for _ in 1..20 {
            next(&mut stream).await;
        }
        // The hub's statements are its own, whoever subscribes; the caller's resolvers have none.
        assert_eq!(*statements.lock().unwrap(), Vec::<String>::new());
        let mut stream = api.stream(
            &observed,
            "subscription($after: Cursor) { messageEvents(after: $after) { \
             ... on MessageStatusChanged { message { to } } } }",
            after,
        );
        assert_eq!(next(&mut stream).await["message"]["to"], "+9991000000001");
        assert_eq!(statements.lock().unwrap().len(), 1, "what is asked for is read");
    }

    async fn messages_from_phones_are_listed_and_told(house: TestHouse) {
        let api = Api::new(&house).await;
        let account_id = account(&house, "Acme").await;
        let ctx = key(&house, account_id, KeyMode::Live);
        let id: entity::ids::InboundMessageId = house.platform.ids.next();
        let carrier: CarrierId = SIMULATOR_CARRIER_ID;
        house.execute(
            "INSERT INTO inbound_message (id, account_id, carrier_id, sender, recipient, body, \
             parts, parts_received, received_at_ms) \
             VALUES ($1, $2, $3, '4915112345678', '12345', $4, 3, 2, 0)",
            [id.into(), account_id.into(), carrier.into(), b"STOP".to_vec().into()],
        ).await;
        let document = "query($id: ID!) { inboundMessages { totalCount nodes { id from to text \
            receivedAt parts partsReceived } } node(id: $id) { id } }";
        let read = api.data(&ctx, document, json!({ "id": id.to_string() })).await;
        assert_eq!(read["inboundMessages"], json!({ "totalCount": 1, "nodes": [{
            "id": id.to_string(), "from": "4915112345678", "to": "12345", "text": "STOP",
            "receivedAt": "1970-01-01T00:00:00.000Z",
            "parts": 3, "partsReceived": 2,
        }] }));
        assert_eq!(read["node"]["id"], id.to_string());
        let stranger = key(&house, account(&house, "Other").await, KeyMode::Live);
        let unseen = api.data(&stranger, document, json!({ "id": id.to_string() })).await;
        assert_eq!((&unseen["inboundMessages"]["totalCount"], &unseen["node"]), (&json!(0), &Value::Null));
        let billing = person(&house, account_id, Role::Billing);
        let document = "{ inboundMessages { nodes { from text } } }";
        assert_eq!(api.code(&billing, document, json!({})).await, "FORBIDDEN");
    }

    async fn several_statuses_are_one_list(house: TestHouse) {
        let api = Api::new(&house).await;
        let account_id = account(&house, "Acme").await;
        let ctx = key(&house, account_id, KeyMode::Test);
        let mut ids = send_test(&api, &ctx, "one", 7).await;
        api.data(&ctx, CANCEL, json!({ "ids": [ids[1], ids[2], ids[5]] })).await;
        ids.reverse();
        let document = "query($statuses: [MessageStatus!], $first: Int, $after: Cursor, $last: Int, \
            $before: Cursor) { messages(filter: {statuses: $statuses}, first: $first, after: $after, \
            last: $last, before: $before) { totalCount nodes { id } \
            pageInfo { hasNextPage startCursor endCursor } } }";
        let page = async |variables: Value| {
            let mut variables = variables;
            variables["statuses"] = json!(["QUEUED", "CANCELED", "SENT", "QUEUED"]);
            let page = api.data(&ctx, document, variables).await["messages"].clone();
            assert_eq!(page["totalCount"], 7);
            let nodes = page["nodes"].as_array().unwrap();
            let ids: Vec<_> = nodes.iter().map(|node| text(&node["id"])).collect();
            (ids, page["pageInfo"].clone())
        };
        let (first, info) = page(json!({ "first": 3 })).await;
        assert_eq!((&first[..], &info["hasNextPage"]), (&ids[..3], &json!(true)));
        let (rest, info) = page(json!({ "first": 10, "after": info["endCursor"] })).await;
        assert_eq!((&rest[..], &info["hasNextPage"]), (&ids[3..], &json!(false)));
        let (last, info) = page(json!({ "last": 2 })).await;
        assert_eq!(last[..], ids[5..]);
        let (before, _) = page(json!({ "last": 2, "before": info["startCursor"] })).await;
        assert_eq!(before[..], ids[3..5]);
        let none = json!({ "statuses": ["DELIVERED", "FAILED"] });
        let none = api.data(&ctx, document, none).await["messages"].clone();
        assert_eq!((&none["totalCount"], &none["nodes"]), (&json!(0), &json!([])));
    }

    async fn a_list_of_messages_is_counted_up_to_a_limit(house: TestHouse) {
        let api = Api::new(&house).await;
        let account_id = account(&house, "Acme").await;
        let ctx = key(&house, account_id, KeyMode::Live);
        let count = async || {
            let document = "{ inboundMessages(first: 1) { totalCount nodes { id } } }";
            api.data(&ctx, document, json!({})).await["inboundMessages"]["totalCount"].clone()
        };
        arrive(&house, account_id, COUNT_ROWS_MAX).await;
        assert_eq!(count().await, COUNT_ROWS_MAX);
        arrive(&house, account_id, 1).await;
        assert_eq!(count().await, Value::Null, "more than are counted");
        let other = account(&house, "Other").await;
        let ctx = key(&house, other, KeyMode::Live);
        let document = "{ inboundMessages { totalCount } messages { totalCount } }";
        let none = api.data(&ctx, document, json!({})).await;
        assert_eq!((&none["inboundMessages"]["totalCount"], &none["messages"]["totalCount"]),
            (&json!(0), &json!(0)));
    }

    async fn nodes_come_in_the_order_asked_for_and_have_a_limit(house: TestHouse) {
        let api = Api::new(&house).await;
        let account_id = account(&house, "Acme").await;
        let ctx = key(&house, account_id, KeyMode::Test);
        let ids = send_test(&api, &ctx, "one", 3).await;
        let unknown: MessageId = house.platform.ids.next();
        let document = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
        let (observed, statements) = observed(&house, &ctx);
        let named = json!({ "ids": [ids[2], unknown.to_string(), ids[0]] });
        let found = api.data(&observed, document, named).await;
        assert_eq!(found["nodes"], json!([{ "id": ids[2] }, null, { "id": ids[0] }]));
        assert_eq!(statements.lock().unwrap().len(), 1);
        let many = json!({ "ids": vec![ids[0].clone(); 101] });
        assert_eq!(api.code(&ctx, document, many).await, "BAD_REQUEST");
    }
}
