//! Contacts into files.

use std::time::Duration;

use entity::enums::Role;
use serde_json::{Value, json};

use super::World;
use crate::graphql_api::{account, person, text};
use crate::support::both_stores;

const EXPORT: &str = "mutation($input: ExportContactsInput!) { exportContacts(input: $input) { \
    export { id downloadUrl downloadCount contactCount person { id } apiKey { id } } userErrors { code path } } }";

impl World {
    async fn export(&self, input: Value) -> Value {
        self.ask(EXPORT, json!({ "input": input })).await["exportContacts"].clone()
    }

    async fn exported(&self, input: Value) -> String {
        let export = self.export(input).await;
        assert_eq!(export["userErrors"], json!([]), "{export}");
        let url = text(&export["export"]["downloadUrl"]);
        let answer = self.node.http.get(url).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let name = answer.headers()["content-disposition"].to_str().unwrap().to_owned();
        assert_eq!(name, format!("attachment; filename=\"{}.csv\"", text(&export["export"]["id"])));
        assert_eq!(answer.headers()["cache-control"], "private, no-store");
        answer.text().await.unwrap()
    }
}

both_stores! {
    async fn contacts_go_out_and_come_back_as_they_were(house: TestHouse) {
        let world = World::new(house).await;
        for (key, kind) in [("city", "TEXT"), ("spent", "NUMBER"), ("vip", "BOOLEAN"), ("born", "DATE")] {
            world.define(key, kind).await;
        }
        let file = "number,city,spent,vip,born,tags\n\
            +4915112345671,\"=HYPERLINK(\"\"http://evil\"\",\"\"x\"\")\",-12.5,no,1961-04-12,@a;b\n\
            +4915112345672,\"two, words\",,,,\n";
        world.imported(json!({}), file).await;
        let before = world.contacts().await;
        let out = world.exported(json!({})).await;
        let lines: Vec<&str> = out.split("\r\n").collect();
        assert_eq!(lines[0], "\u{feff}number,tags,created_at,born,city,spent,vip");
        assert_eq!(lines[1], "+4915112345671,\"'@a;b\",2026-01-05T00:00:00.000Z,1961-04-12,\
            \"'=HYPERLINK(\"\"http://evil\"\",\"\"x\"\")\",-12.50,false");
        assert_eq!(lines[2], "+4915112345672,,2026-01-05T00:00:00.000Z,,\"two, words\",,");
        assert_eq!(lines[3..], [""]);
        for table in ["contact_value", "contact_tag", "contact"] {
            world.house.execute(&format!("DELETE FROM {table}"), []).await;
        }
        world.imported(json!({}), out).await;
        assert_eq!(world.contacts().await, before);
        world.node.stop().await;
    }

    async fn a_link_ends_with_the_membership_of_who_asked(house: TestHouse) {
        let world = World::new(house).await;
        let export = world.export(json!({})).await;
        let url = text(&export["export"]["downloadUrl"]);
        let status = async || world.node.http.get(&url).send().await.unwrap().status().as_u16();
        assert_eq!(status().await, 200);
        world.house.execute("DELETE FROM membership", []).await;
        assert_eq!(status().await, 404);
        world.node.stop().await;
    }

    async fn a_file_holds_more_than_a_page_once_each(house: TestHouse) {
        let world = World::new(house).await;
        let rows: String = (0..1_234).map(|n| format!("+49{}\n", 15_100_000_000_u64 + n)).collect();
        world.imported(json!({ "tags": ["all"] }), format!("number\n{rows}")).await;
        let made = world.export(json!({})).await["export"].clone();
        assert_eq!((&made["downloadCount"], &made["contactCount"]), (&json!(0), &Value::Null));
        let asked = "SELECT COUNT(*) FROM contact_export WHERE person_id IS NOT NULL AND api_key_id IS NULL";
        assert_eq!(world.house.value::<i64>(asked, []).await, 1, "who asked is kept");
        let url = text(&made["downloadUrl"]);
        let out = world.node.http.get(&url).send().await.unwrap().text().await.unwrap();
        let mut numbers: Vec<&str> =
            out.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!((out.lines().count(), numbers.len()), (1_235, 1_234));
        let query = "query($id: ID!) { contactExport(id: $id) { downloadCount contactCount } \
            contactExports { totalCount nodes { id } } node(id: $id) { __typename } }";
        let seen = world.ask(query, json!({ "id": made["id"] })).await;
        assert_eq!(seen["contactExport"], json!({ "downloadCount": 1, "contactCount": 1_234 }));
        assert_eq!(seen["contactExports"]["totalCount"], 1);
        assert_eq!(seen["node"]["__typename"], "ContactExport");
        let stranger = person(&world.house, account(&world.house, "Other").await, Role::Owner);
        let seen = world.api.data(&stranger, query, json!({ "id": made["id"] })).await;
        assert_eq!(seen, json!({ "contactExport": null, "node": null,
            "contactExports": { "totalCount": 0, "nodes": [] } }));
        let changed = format!("{}A", &url[..url.len() - 1]);
        assert_eq!(world.node.http.get(changed).send().await.unwrap().status(), 404);
        world.house.hand.advance(Duration::from_secs(86_400));
        assert_eq!(world.node.http.get(&url).send().await.unwrap().status(), 404, "a day is over");
        world.node.stop().await;
    }

    async fn filters_and_segments_say_who_goes_out(house: TestHouse) {
        let world = World::new(house).await;
        world.define("city", "TEXT").await;
        let list = world.list("News").await;
        let rows = "number,city,tags\n+4915112345671,Ulm,a\n+4915112345672,Bonn,a\n+447400123456,Ulm,b\n";
        world.imported(json!({ "listIds": [list] }), rows).await;
        let document = "mutation { createSegment(input: { name: \"Ulm\", condition: \
            { attribute: { key: \"city\", test: EQUALS, value: { text: \"Ulm\" } } } }) { segment { id } userErrors { message } } }";
        let made = world.ask(document, json!({})).await;
        let segment = text(&made["createSegment"]["segment"]["id"]);
        for (input, digits) in [
            (json!({}), "126"),
            (json!({ "segmentId": segment }), "16"),
            (json!({ "segmentId": segment, "filter": { "tag": "a" } }), "1"),
            (json!({ "segmentId": segment, "filter": { "condition": { "country": "GB" } } }), "6"),
            (json!({ "filter": { "listId": list, "condition": { "country": "DE" } } }), "12"),
            (json!({ "filter": { "number": "nobody" } }), ""),
        ] {
            let out = world.exported(input.clone()).await;
            let last = |line: &str| line.split(',').next().unwrap().chars().last().unwrap();
            let mut found: Vec<char> = out.lines().skip(1).map(last).collect();
            found.sort_unstable();
            assert_eq!(found.into_iter().collect::<String>(), digits, "{input}");
        }
        for (input, code, path) in [
            (json!({ "segmentId": format!("segm_{}", "0".repeat(26)) }), "SEGMENT_NOT_FOUND", json!(["segmentId"])),
            (json!({ "filter": { "listId": format!("list_{}", "0".repeat(26)) } }), "LIST_NOT_FOUND", json!(["filter", "listId"])),
        ] {
            let refused = world.export(input).await;
            assert_eq!(refused["userErrors"], json!([{ "code": code, "path": path }]));
        }
        world.node.stop().await;
    }
}
