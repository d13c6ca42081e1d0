//! Contacts: attributes, tags, lists, segments, through the contract and on both stores.

use entity::enums::Role;
use heliograph::contacts;
use heliograph::ctx::Ctx;
use serde_json::{Value, json};

use crate::graphql_api::{Api, account, person, text};
use crate::support::{TestHouse, both_stores};

const CREATE: &str = "mutation($input: CreateContactInput!) { createContact(input: $input) { \
    contact { id number country tags version attributes { key text number boolean date } } \
    userErrors { code path } } }";
const UPDATE: &str = "mutation($input: UpdateContactInput!) { updateContact(input: $input) { \
    contact { number tags version attributes { key text number } } userErrors { code path } } }";
const LIST: &str = "query($filter: ContactFilter) { contacts(filter: $filter) { totalCount \
    nodes { number } } }";

/// A caller, and what it has.
struct World {
    api: Api,
    ctx: Ctx,
}

impl World {
    async fn new(house: &TestHouse) -> Self {
        let api = Api::new(house).await;
        let ctx = person(house, account(house, "Acme").await, Role::Owner);
        Self { api, ctx }
    }

    async fn ask(&self, document: &str, variables: Value) -> Value {
        self.api.data(&self.ctx, document, variables).await
    }

    async fn define(&self, key: &str, kind: &str) -> String {
        let document = "mutation($input: CreateContactAttributeInput!) { \
            createContactAttribute(input: $input) { attribute { id } userErrors { code } } }";
        let made = self.ask(document, json!({ "input": { "key": key, "kind": kind } })).await;
        text(&made["createContactAttribute"]["attribute"]["id"])
    }

    async fn contact(&self, input: Value) -> String {
        let made = self.ask(CREATE, json!({ "input": input })).await;
        text(&made["createContact"]["contact"]["id"])
    }

    async fn list(&self, name: &str) -> String {
        let document = "mutation($name: String!) { createList(input: {name: $name}) { list { id } \
            userErrors { code } } }";
        let made = self.ask(document, json!({ "name": name })).await;
        text(&made["createList"]["list"]["id"])
    }

    /// The numbers of the contacts that pass, sorted, as one text of their last digits.
    async fn found(&self, filter: Value) -> String {
        let page = self.ask(LIST, json!({ "filter": filter })).await["contacts"].clone();
        let nodes = page["nodes"].as_array().unwrap();
        assert_eq!(page["totalCount"], nodes.len());
        let mut digits: Vec<_> = nodes
            .iter()
            .map(|node| text(&node["number"]).chars().last().unwrap().to_string())
            .collect();
        digits.sort();
        digits.join("")
    }
}

both_stores! {
    async fn a_contact_is_one_number_with_typed_values(house: TestHouse) {
        let world = World::new(&house).await;
        for (key, kind) in [("city", "TEXT"), ("spent", "NUMBER"), ("vip", "BOOLEAN"), ("born", "DATE")] {
            world.define(key, kind).await;
        }
        let input = json!({ "number": "0151 12345678", "tags": [" b ", "a", "a"], "attributes": [
            { "key": "city", "value": { "text": "Ulm" } },
            { "key": "spent", "value": { "number": "-12.5" } },
            { "key": "vip", "value": { "boolean": false } },
            { "key": "born", "value": { "date": "1961-04-12" } },
        ] });
        let made = world.ask(CREATE, json!({ "input": input })).await["createContact"].clone();
        let contact = &made["contact"];
        assert_eq!((&contact["number"], &contact["country"]), (&json!("+4915112345678"), &json!("DE")));
        assert_eq!(contact["tags"], json!(["a", "b"]));
        let value = |key: &str, text: Value, number: Value, boolean: Value, date: Value| {
            json!({ "key": key, "text": text, "number": number, "boolean": boolean, "date": date })
        };
        let no = Value::Null;
        assert_eq!(contact["attributes"], json!([
            value("born", no.clone(), no.clone(), no.clone(), json!("1961-04-12")),
            value("city", json!("Ulm"), no.clone(), no.clone(), no.clone()),
            value("spent", no.clone(), json!("-12.50"), no.clone(), no.clone()),
            value("vip", no.clone(), no.clone(), json!(false), no.clone()),
        ]));
        let again = world.ask(CREATE, json!({ "input": { "number": "+49 151 12345678" } })).await;
        assert_eq!(
            again["createContact"]["userErrors"],
            json!([{ "code": "NUMBER_TAKEN", "path": ["number"] }])
        );
        let id = text(&contact["id"]);
        let change = json!({ "contactId": id, "tags": ["c"], "attributes": [
            { "key": "city", "value": { "text": "Bonn" } }, { "key": "spent" }, { "key": "vip" },
            { "key": "born" },
        ] });
        let changed = world.ask(UPDATE, json!({ "input": change })).await["updateContact"].clone();
        assert_eq!(changed["contact"], json!({ "number": "+4915112345678", "tags": ["c"],
            "version": 2, "attributes": [{ "key": "city", "text": "Bonn", "number": null }] }));
    }

    async fn what_is_wrong_with_a_contact_is_told_by_its_place(house: TestHouse) {
        let world = World::new(&house).await;
        world.define("city", "TEXT").await;
        let input = |more: Value| {
            let mut input = json!({ "number": "+4915112345678" });
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({ "input": input })
        };
        for (more, code, path) in [
            (json!({ "number": "12" }), "INVALID_NUMBER", json!(["number"])),
            (json!({ "tags": ["a", " "] }), "INVALID_TAG", json!(["tags", "1"])),
            (json!({ "tags": ["x".repeat(51)] }), "INVALID_TAG", json!(["tags", "0"])),
            (json!({ "tags": (0..51).map(|n| n.to_string()).collect::<Vec<_>>() }), "TOO_MANY_TAGS", json!(["tags"])),
            (json!({ "attributes": [{ "key": "town" }] }), "UNKNOWN_ATTRIBUTE", json!(["attributes", "0", "key"])),
            (json!({ "attributes": [{ "key": "city", "value": { "boolean": true } }] }), "INVALID_VALUE", json!(["attributes", "0", "value"])),
            (json!({ "attributes": [{ "key": "city", "value": { "text": "x".repeat(501) } }] }), "INVALID_VALUE", json!(["attributes", "0", "value"])),
        ] {
            let refused = world.ask(CREATE, input(more)).await["createContact"].clone();
            assert_eq!(refused["userErrors"], json!([{ "code": code, "path": path }]), "{refused}");
            assert_eq!(refused["contact"], Value::Null);
        }
        assert_eq!(world.found(json!({})).await, "", "nothing was kept");
        let fifty: Vec<_> = (0..50).map(|n| n.to_string()).collect();
        world.contact(input(json!({ "tags": fifty }))["input"].clone()).await;
    }

    async fn lists_hold_contacts_once_and_forget_the_deleted(house: TestHouse) {
        let world = World::new(&house).await;
        let one = world.contact(json!({ "number": "+4915112345671" })).await;
        let two = world.contact(json!({ "number": "+4915112345672" })).await;
        let list = world.list("News").await;
        let taken = world.ask("mutation { createList(input: {name: \" News \"}) { userErrors { code } } }", json!({})).await;
        assert_eq!(taken["createList"]["userErrors"][0]["code"], "NAME_TAKEN");
        let add = "mutation($input: AddToListInput!) { addToList(input: $input) { addedCount \
            unknownContacts list { size } userErrors { code } } }";
        let stranger = format!("cont_{}", "0".repeat(26));
        let input = json!({ "input": { "listId": list, "contactIds": [one, two, stranger, one] } });
        let added = world.ask(add, input.clone()).await["addToList"].clone();
        assert_eq!(added, json!({ "addedCount": 2, "unknownContacts": [stranger], "list": { "size": 2 }, "userErrors": [] }));
        assert_eq!(world.ask(add, input).await["addToList"]["addedCount"], 0, "nobody is on it twice");
        assert_eq!(world.found(json!({ "listId": list })).await, "12");
        let too_many = json!({ "input": { "listId": list, "contactIds": vec![one.clone(); 1_001] } });
        assert_eq!(world.ask(add, too_many).await["addToList"]["userErrors"][0]["code"], "TOO_MANY_CONTACTS");

        let document = "mutation($input: RemoveFromListInput!) { removeFromList(input: $input) { removedCount } }";
        let input = json!({ "input": { "listId": list, "contactIds": [one] } });
        for removed in [1, 0] {
            let answer = world.ask(document, input.clone()).await;
            assert_eq!(answer["removeFromList"]["removedCount"], removed);
        }
        let document = "mutation($id: ID!) { deleteContact(input: {contactId: $id}) { deletedContactId userErrors { code } } }";
        world.ask(document, json!({ "id": two })).await;
        assert_eq!(world.found(json!({ "listId": list })).await, "", "who is deleted is on no list");
        let again = world.ask(document, json!({ "id": two })).await;
        assert_eq!(again["deleteContact"]["userErrors"][0]["code"], "CONTACT_NOT_FOUND");
        world.ask(add, json!({ "input": { "listId": list, "contactIds": [one] } })).await;

        let document = "mutation($id: ID!) { deleteList(input: {listId: $id}) { deletedListId userErrors { code } } }";
        let deleted = world.ask(document, json!({ "id": list })).await;
        assert_eq!(deleted["deleteList"]["deletedListId"], json!(list));
        let gone = world.ask("query($id: ID!, $one: ID!) { list(id: $id) { id } node(id: $id) { id } contact(id: $one) { lists { name } } }"
            , json!({ "id": list, "one": one })).await;
        assert_eq!(gone, json!({ "list": null, "node": null, "contact": { "lists": [] } }));
        world.list("News").await;
        assert_eq!(contacts::purge_deleted(&house.system()).await.unwrap(), 2, "the place and the list");
        assert_eq!(contacts::purge_deleted(&house.system()).await.unwrap(), 0);
    }

    async fn segments_ask_of_everything_that_is_known(house: TestHouse) {
        let world = World::new(&house).await;
        for (key, kind) in [("city", "TEXT"), ("spent", "NUMBER"), ("vip", "BOOLEAN"), ("born", "DATE")] {
            world.define(key, kind).await;
        }
        let of = |digit: u8, country: &str, tag: &str, city: &str, spent: &str, vip: bool, born: &str| {
            let number = if country == "DE" { format!("+4915112345{digit:03}") } else { format!("+447400123{digit:03}") };
            json!({ "number": number, "tags": [tag], "attributes": [
                { "key": "city", "value": { "text": city } },
                { "key": "spent", "value": { "number": spent } },
                { "key": "vip", "value": { "boolean": vip } },
                { "key": "born", "value": { "date": born } },
            ] })
        };
        let one = world.contact(of(1, "DE", "a", "Ulm", "10", true, "1990-01-01")).await;
        world.contact(of(2, "DE", "b", "Ülzen", "10.000001", false, "2000-06-30")).await;
        world.contact(of(3, "GB", "a", "Umbria?", "-1", true, "2000-07-01")).await;
        world.contact(json!({ "number": "+4915112345004" })).await;
        let list = world.list("News").await;
        let add = "mutation($input: AddToListInput!) { addToList(input: $input) { addedCount } }";
        world.ask(add, json!({ "input": { "listId": list, "contactIds": [one] } })).await;
        let suppress = "mutation { suppress(input: { numbers: [\"+4915112345002\"], \
            scope: { topic: \"news\" }, reason: MANUAL }) { suppressedCount } }";
        world.ask(suppress, json!({})).await;
        let consent = "mutation($number: String!, $granted: Boolean!) { recordConsent(input: { \
            whose: { number: $number }, granted: $granted, scope: { account: true }, \
            source: WEB_FORM, wording: \"Yes, write to me\" }) { consentEvent { id } \
            userErrors { code } } }";
        for (number, granted) in [("+4915112345001", true), ("+447400123003", true), ("+447400123003", false)] {
            world.ask(consent, json!({ "number": number, "granted": granted })).await;
        }
        let attribute = |key: &str, test: &str, value: Value| json!({ "attribute": { "key": key, "test": test, "value": value } });
        let create = "mutation($input: CreateSegmentInput!) { createSegment(input: $input) { \
            segment { id size contacts { totalCount nodes { number } } } userErrors { code path message } } }";
        let rows = [
            (json!({ "tag": "a" }), "13"),
            (json!({ "country": "DE" }), "124"),
            (json!({ "listId": list }), "1"),
            (attribute("city", "EQUALS", json!({ "text": "Ulm" })), "1"),
            (attribute("city", "STARTS_WITH", json!({ "text": "Ü" })), "2"),
            (attribute("city", "STARTS_WITH", json!({ "text": "Umbria?" })), "3"),
            (attribute("spent", "AT_LEAST", json!({ "number": "10.000001" })), "2"),
            (attribute("spent", "LESS_THAN", json!({ "number": "10.000001" })), "13"),
            (attribute("vip", "EQUALS", json!({ "boolean": true })), "13"),
            (attribute("born", "AT_LEAST", json!({ "date": "2000-07-01" })), "3"),
            (attribute("born", "IS_SET", Value::Null), "123"),
            (json!({ "not": attribute("born", "IS_SET", Value::Null) }), "4"),
            (json!({ "suppressed": { "topic": "news" } }), "2"),
            (json!({ "suppressed": { "account": true } }), "3"),
            (json!({ "consented": { "account": true } }), "1"),
            (json!({ "all": [{ "tag": "a" }, { "not": { "country": "DE" } }] }), "3"),
            (json!({ "any": [{ "tag": "b" }, { "listId": list }] }), "12"),
            (json!({ "all": [] }), "1234"),
            (json!({ "any": [] }), ""),
            (json!({ "deliveredFrom": "2026-01-01T00:00:00Z" }), ""),
            (json!({ "repliedFrom": "2026-01-01T00:00:00Z" }), ""),
            (json!({ "createdFrom": "2026-01-01T00:00:00Z" }), "1234"),
            (json!({ "createdFrom": "2027-01-01T00:00:00Z" }), ""),
        ];
        for (place, (condition, expected)) in rows.into_iter().enumerate() {
            let found = world.found(json!({ "condition": condition })).await;
            assert_eq!(found, expected, "{condition}");
            let input = json!({ "input": { "name": format!("Segment {place}"), "condition": condition } });
            let made = world.ask(create, input).await["createSegment"].clone();
            assert_eq!(made["userErrors"], json!([]), "{condition}");
            let count = expected.len();
            assert_eq!(made["segment"]["size"], count, "{condition}");
            assert_eq!(made["segment"]["contacts"]["totalCount"], count, "{condition}");
        }
        let unfit = [
            attribute("town", "IS_SET", Value::Null),
            attribute("city", "EQUALS", json!({ "number": "1" })),
            attribute("city", "AT_LEAST", json!({ "text": "a" })),
            json!({ "listId": format!("list_{}", "0".repeat(26)) }),
            json!({ "country": "Germany" }),
            json!({ "tag": "" }),
        ];
        for condition in unfit {
            let input = json!({ "input": { "name": "x", "condition": condition } });
            let refused = world.ask(create, input).await["createSegment"].clone();
            assert_eq!(refused["userErrors"][0]["code"], "INVALID_CONDITION", "{condition}");
            assert_eq!(refused["segment"], Value::Null);
        }
        let deep = (0..9).fold(json!({ "tag": "a" }), |inner, _| json!({ "not": inner }));
        let refused = world.api.code(&world.ctx, LIST, json!({ "filter": { "condition": deep } })).await;
        assert_eq!(refused, "BAD_REQUEST");
    }

    async fn a_segment_shows_its_condition_and_keeps_its_attributes(house: TestHouse) {
        let world = World::new(&house).await;
        let id = world.define("spent", "NUMBER").await;
        let create = "mutation($input: CreateSegmentInput!) { createSegment(input: $input) { \
            segment { id version condition { all { attributeTest attributeValue { key number } not { tag } } } } } }";
        let condition = json!({ "all": [
            { "attribute": { "key": "spent", "test": "AT_LEAST", "value": { "number": "5" } } },
            { "not": { "tag": "vip" } },
        ] });
        let made = world.ask(create, json!({ "input": { "name": "Big", "condition": condition } })).await;
        let segment = &made["createSegment"]["segment"];
        assert_eq!(segment["condition"]["all"], json!([
            { "attributeTest": "AT_LEAST", "attributeValue": { "key": "spent", "number": "5.00" }, "not": null },
            { "attributeTest": null, "attributeValue": null, "not": { "tag": "vip" } },
        ]));
        let delete = "mutation($id: ID!) { deleteContactAttribute(input: {attributeId: $id}) { deletedAttributeId userErrors { code } } }";
        let refused = world.ask(delete, json!({ "id": id })).await["deleteContactAttribute"].clone();
        assert_eq!(refused["userErrors"][0]["code"], "ATTRIBUTE_IN_USE");
        let update = "mutation($input: UpdateSegmentInput!) { updateSegment(input: $input) { segment { version name } userErrors { code } } }";
        let change = json!({ "segmentId": segment["id"], "condition": { "tag": "vip" }, "name": "Few" });
        let changed = world.ask(update, json!({ "input": change })).await;
        assert_eq!(changed["updateSegment"]["segment"], json!({ "version": 2, "name": "Few" }));
        world.contact(json!({ "number": "+4915112345678", "attributes": [{ "key": "spent", "value": { "number": "1" } }] })).await;
        let deleted = world.ask(delete, json!({ "id": id })).await["deleteContactAttribute"].clone();
        assert_eq!(deleted["deletedAttributeId"], json!(id));
        let left = world.ask("{ contactAttributes { id } contacts { nodes { attributes { key } } } }", json!({})).await;
        assert_eq!(left, json!({ "contactAttributes": [], "contacts": { "nodes": [{ "attributes": [] }] } }));
        assert_eq!(contacts::purge_deleted(&house.system()).await.unwrap(), 2);
    }

    async fn strangers_find_nothing(house: TestHouse) {
        let world = World::new(&house).await;
        let id = world.contact(json!({ "number": "+4915112345678" })).await;
        let list = world.list("News").await;
        let other = person(&house, account(&house, "Other").await, Role::Owner);
        let seen = world.api.data(&other, "query($id: ID!) { contact(id: $id) { id } contacts { totalCount } lists { totalCount } }", json!({ "id": id })).await;
        assert_eq!(seen, json!({ "contact": null, "contacts": { "totalCount": 0 }, "lists": { "totalCount": 0 } }));
        let add = "mutation($input: AddToListInput!) { addToList(input: $input) { addedCount unknownContacts userErrors { code } } }";
        let input = json!({ "input": { "listId": list, "contactIds": [id] } });
        assert_eq!(world.api.data(&other, add, input).await["addToList"]["userErrors"][0]["code"], "LIST_NOT_FOUND");
        let document = "mutation { createList(input: {name: \"Mine\"}) { list { id } } }";
        let made = world.api.data(&other, document, json!({})).await;
        let input = json!({ "input": { "listId": made["createList"]["list"]["id"], "contactIds": [id] } });
        assert_eq!(world.api.data(&other, add, input).await["addToList"]["unknownContacts"], json!([id]));
        let viewer = person(&house, world.ctx.actor.account_id().unwrap(), Role::Viewer);
        assert_eq!(world.api.code(&viewer, "{ contacts { totalCount } }", json!({})).await, "FORBIDDEN");
    }
}
