//! Contacts from files and into files: over HTTP with signed links, on both stores.

mod exports;
mod uploads;

use entity::enums::Role;
use entity::ids::AccountId;
use heliograph::authz::Actor;
use heliograph::config::{NodeRole, Settings};
use heliograph::contacts::imports;
use heliograph::ctx::Ctx;
use serde_json::{Value, json};

use crate::graphql_api::{Api, account, person, text};
use crate::support::{Served, TestHouse, both_stores};

/// Keeps the person that `ctx` stands for, and that it belongs to its account: links end with that.
async fn keep_member(house: &TestHouse, ctx: &Ctx) {
    let Actor::Person(person) = &ctx.actor else { panic!("not a person") };
    let (id, account_id) = (person.person_id, person.account_id);
    let keep = "INSERT INTO person VALUES ($1, $2, NULL, NULL, 1, 0, 0)";
    house.execute(keep, [id.0.into(), format!("{id}@example.com").into()]).await;
    let join = "INSERT INTO membership (account_id, person_id, role, created_at_ms, updated_at_ms) \
        VALUES ($1, $2, 0, 0, 0)";
    house.execute(join, [account_id.0.into(), id.0.into()]).await;
}

/// Everything about an import that does not change from run to run.
const IMPORT: &str = "id status uploadUrl percentDone rowCount createdCount matchedCount failedCount \
    errorsUrl failure failureDetail lists { name } finishedAt";

/// A node whose worker does nothing by itself, and an account's owner.
pub struct World {
    pub house: TestHouse,
    pub node: Served,
    pub api: Api,
    pub account_id: AccountId,
    pub ctx: Ctx,
}

impl World {
    pub async fn new(house: TestHouse) -> Self {
        Self::with(house, |_| {}).await
    }

    pub async fn with(house: TestHouse, change: impl Fn(&mut Settings)) -> Self {
        let node = house
            .serve_with(|settings| {
                settings.server.roles = vec![NodeRole::Api];
                change(settings);
            })
            .await
            .unwrap();
        let api = Api::new(&house).await;
        let account_id = account(&house, "Acme").await;
        let owner = person(&house, account_id, Role::Owner);
        keep_member(&house, &owner).await;
        // Links name the node's address.
        let ctx = node.ctx_as(owner.actor);
        Self { house, node, api, account_id, ctx }
    }

    pub async fn ask(&self, document: &str, variables: Value) -> Value {
        self.api.data(&self.ctx, document, variables).await
    }

    pub async fn define(&self, key: &str, kind: &str) {
        let document = "mutation($input: CreateContactAttributeInput!) { \
            createContactAttribute(input: $input) { userErrors { code } } }";
        let made = self.ask(document, json!({ "input": { "key": key, "kind": kind } })).await;
        assert_eq!(made["createContactAttribute"]["userErrors"], json!([]));
    }

    pub async fn list(&self, name: &str) -> String {
        let document =
            "mutation($name: String!) { createList(input: {name: $name}) { list { id } } }";
        text(&self.ask(document, json!({ "name": name })).await["createList"]["list"]["id"])
    }

    /// What `importContacts` answers.
    pub async fn begin(&self, input: Value) -> Value {
        let document = format!(
            "mutation($input: ImportContactsInput!) {{ importContacts(input: $input) {{ \
             import {{ {IMPORT} }} replayed userErrors {{ code path }} }} }}"
        );
        self.ask(&document, json!({ "input": input })).await["importContacts"].clone()
    }

    /// Id and address of a new import.
    pub async fn waiting(&self, input: Value) -> (String, String) {
        let begun = self.begin(input).await;
        assert_eq!(begun["userErrors"], json!([]), "{begun}");
        assert_eq!(begun["import"]["status"], "AWAITING_UPLOAD");
        (text(&begun["import"]["id"]), text(&begun["import"]["uploadUrl"]))
    }

    /// Status and error message of an upload.
    pub async fn upload(&self, url: &str, file: impl Into<reqwest::Body>) -> (u16, String) {
        let answer = self.node.http.put(url).body(file).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    pub async fn run(&self) -> u64 {
        imports::run_imports(&self.house.system()).await.unwrap()
    }

    pub async fn import(&self, id: &str) -> Value {
        let document = format!("query($id: ID!) {{ contactImport(id: $id) {{ {IMPORT} }} }}");
        self.ask(&document, json!({ "id": id })).await["contactImport"].clone()
    }

    /// An import of a whole file: what became of it.
    pub async fn imported(&self, input: Value, file: impl Into<reqwest::Body>) -> Value {
        let (id, url) = self.waiting(input).await;
        let (status, answer) = self.upload(&url, file).await;
        assert_eq!(status, 202, "{answer}");
        self.run().await;
        self.import(&id).await
    }

    /// The lines of the file of faults, without the header.
    pub async fn faults(&self, import: &Value) -> Vec<String> {
        let answer = self.node.http.get(text(&import["errorsUrl"])).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8");
        let text = answer.text().await.unwrap();
        let mut lines = text.trim_start_matches('\u{feff}').lines().map(str::to_owned);
        assert_eq!(lines.next().as_deref(), Some("line,column,code,message,value"));
        lines.collect()
    }

    /// The contacts by number: values by key, tags and lists, in short.
    pub async fn contacts(&self) -> Vec<String> {
        let document = "{ contacts(first: 100) { nodes { number tags lists { name } version \
            attributes { key text number boolean date } } } }";
        let page = self.ask(document, json!({})).await;
        let mut contacts: Vec<String> = page["contacts"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|contact| {
                let strings = |list: &Value, name: Option<&str>| {
                    let list = list.as_array().unwrap().iter();
                    let shown = list
                        .map(|it| name.map_or(it, |name| &it[name]).as_str().unwrap().to_owned());
                    shown.collect::<Vec<_>>().join("+")
                };
                let values = contact["attributes"].as_array().unwrap().iter().map(|value| {
                    let shown = ["text", "number", "boolean", "date"].map(|name| &value[name]);
                    let shown = shown.into_iter().find(|it| !it.is_null()).unwrap();
                    let shown = shown.as_str().map_or_else(|| shown.to_string(), str::to_owned);
                    format!(" {}={shown}", value["key"].as_str().unwrap())
                });
                format!(
                    "{} v{} [{}] ({}){}",
                    text(&contact["number"]),
                    contact["version"],
                    strings(&contact["tags"], None),
                    strings(&contact["lists"], Some("name")),
                    values.collect::<String>(),
                )
            })
            .collect();
        contacts.sort();
        contacts
    }
}

/// Status, and the counts of rows, created, matched, failed.
pub fn counts(import: &Value) -> (String, [i64; 4]) {
    let counts = ["rowCount", "createdCount", "matchedCount", "failedCount"];
    (text(&import["status"]), counts.map(|name| import[name].as_i64().unwrap()))
}

fn finished(counts: [i64; 4]) -> (String, [i64; 4]) {
    ("FINISHED".to_owned(), counts)
}

both_stores! {
    async fn rows_become_contacts_and_faults_are_told_by_line(house: TestHouse) {
        let world = World::new(house).await;
        for (key, kind) in [("city", "TEXT"), ("spent", "NUMBER"), ("vip", "BOOLEAN"), ("born", "DATE")] {
            world.define(key, kind).await;
        }
        let list = world.list("News").await;
        let file = "Phone Number,City,Spent,VIP,Born,Tags,Color\r\n\
            0151 12345671,\"Ulm, Donau\",-12.5,yes,1961-04-12,a;b,red,,\r\n\
            \r\n\
            ,,,,,,\r\n\
            nobody,Bonn,,,,,\r\n\
            0151 12345672,=1+1,1.0000001,,,,\r\n\
            0151 12345673,,,maybe,,,\r\n\
            0151 12345674,,,,12.04.1961,,\r\n\
            0151 12345675,,,,,x\u{7}y,\r\n\
            ,Rome,,,,,\r\n\
            0151 12345676,a,b,c,d,e,f,g\r\n\
            +49 151 12345671,Köln,,,,c,\r\n\
            '+4915112345677,\"'=2\",,,,,\r\n";
        let input = json!({ "listIds": [list], "tags": ["file"] });
        let import = world.imported(input, file).await;
        assert_eq!(counts(&import), finished([10, 2, 1, 7]));
        assert_eq!(import["percentDone"], 100);
        assert_eq!(import["lists"], json!([{ "name": "News" }]));
        assert_eq!(import["uploadUrl"], Value::Null);
        assert!(import["finishedAt"].is_string());
        assert_eq!(world.contacts().await, [
            "+4915112345671 v1 [a+b+c+file] (News) born=1961-04-12 city=Köln spent=-12.50 vip=true",
            "+4915112345677 v1 [file] (News) city==2",
        ]);
        let faults = world.faults(&import).await;
        let short: Vec<_> = faults
            .iter()
            .map(|line| line.split(',').take(3).collect::<Vec<_>>().join(","))
            .collect();
        assert_eq!(short, [
            "5,Phone Number,INVALID_NUMBER",
            "6,Spent,INVALID_VALUE",
            "7,VIP,INVALID_VALUE",
            "8,Born,INVALID_VALUE",
            "9,Tags,INVALID_TAG",
            "10,Phone Number,MISSING_NUMBER",
            "11,,TOO_MANY_FIELDS",
        ]);
        assert!(faults[0].ends_with(",nobody"), "{faults:?}");
        let kept: i64 = world.house
            .value("SELECT COUNT(*) FROM contact_import_part WHERE kind = 0", []).await;
        assert_eq!(kept, 0, "the file is gone");
        let sealed: Vec<u8> = world.house
            .value("SELECT body FROM contact_import_part WHERE kind = 1", []).await;
        assert!(!sealed.windows(6).any(|it| it == b"nobody"), "what is wrong is sealed");
        world.node.stop().await;
    }

    async fn contacts_that_are_there_are_merged_or_kept(house: TestHouse) {
        let world = World::new(house).await;
        world.define("city", "TEXT").await;
        world.define("shoe", "NUMBER").await;
        let first = "number,city,shoe,tags\n+4915112345671,Ulm,42,old\n+4915112345672,Bonn,,\n";
        world.imported(json!({}), first).await;
        let list = world.list("Second").await;
        let second = "number,city,shoe,tags\n+4915112345671,,43,new\n+4915112345672,Rome,44,\n\
            +4915112345672,Oslo,,\n+4915112345673,Kiel,,\n+4915112345673,Lund,,\n";
        let kept = world.imported(json!({ "listIds": [list], "onDuplicate": "KEEP" }), second).await;
        assert_eq!(counts(&kept), finished([5, 1, 4, 0]));
        assert_eq!(world.contacts().await, [
            "+4915112345671 v1 [old] (Second) city=Ulm shoe=42.00",
            "+4915112345672 v1 [] (Second) city=Bonn",
            "+4915112345673 v1 [] (Second) city=Kiel",
        ]);
        let merged = world.imported(json!({}), second).await;
        assert_eq!(counts(&merged), finished([5, 0, 5, 0]));
        let all = [
            "+4915112345671 v2 [new+old] (Second) city=Ulm shoe=43.00",
            "+4915112345672 v2 [] (Second) city=Oslo shoe=44.00",
            "+4915112345673 v2 [] (Second) city=Lund",
        ];
        assert_eq!(world.contacts().await, all);
        let many: String = (0..50).map(|n| format!("t{n};")).collect();
        let full = format!("number,tags\n+4915112345671,{many}\n+4915112345672,{many}\n");
        let import = world.imported(json!({}), full).await;
        assert_eq!(counts(&import), finished([2, 0, 1, 1]));
        let faults = world.faults(&import).await;
        assert!(faults[0].starts_with("2,tags,TOO_MANY_TAGS"), "{faults:?}");
        world.node.stop().await;
    }

    async fn columns_are_named_by_header_or_place(house: TestHouse) {
        let world = World::new(house).await;
        world.define("city", "TEXT").await;
        let columns = json!([
            { "column": { "header": " handy " }, "target": { "number": true } },
            { "column": { "position": 2 }, "target": { "attributeKey": "city" } },
        ]);
        let file = "number;Handy;Ort\n1;015112345671;Ulm\n";
        let import = world.imported(json!({ "columns": columns }), file).await;
        assert_eq!(counts(&import), finished([1, 1, 0, 0]));
        let columns = json!([{ "column": { "position": 0 }, "target": { "number": true } }]);
        let input = json!({ "columns": columns, "hasHeader": false, "defaultRegion": "GB" });
        let import = world.imported(input, "07400123456\tx\n07400123457\t2").await;
        assert_eq!(counts(&import), finished([2, 2, 0, 0]));
        assert_eq!(world.contacts().await, [
            "+447400123456 v1 [] ()", "+447400123457 v1 [] ()", "+4915112345671 v1 [] () city=Ulm",
        ]);
        for (input, file, failure, detail) in [
            (json!({}), "name,city\nAda,Ulm\n", "NO_NUMBER_COLUMN", Value::Null),
            (json!({}), "phone,mobile\n1,2\n", "AMBIGUOUS_COLUMN", json!("mobile")),
            (json!({}), "number\n\n\n", "EMPTY", Value::Null),
            (json!({ "columns": [{ "column": { "header": "Tel" }, "target": { "number": true } }] }),
                "number\n1\n", "UNKNOWN_COLUMN", json!("Tel")),
            (json!({ "columns": [{ "column": { "position": 7 }, "target": { "number": true } }] }),
                "number\n1\n", "UNKNOWN_COLUMN", json!("8")),
        ] {
            let import = world.imported(input, file).await;
            assert_eq!(import["status"], "FAILED", "{import}");
            assert_eq!((&import["failure"], &import["failureDetail"]), (&json!(failure), &detail));
        }
        world.node.stop().await;
    }

    async fn an_import_is_refused_by_its_place(house: TestHouse) {
        let world = World::new(house).await;
        world.define("city", "TEXT").await;
        let list = world.list("News").await;
        let stranger = format!("list_{}", "0".repeat(26));
        let number = json!({ "column": { "position": 0 }, "target": { "number": true } });
        for (input, code, path) in [
            (json!({ "idempotencyKey": "" }), "INVALID_IDEMPOTENCY_KEY", json!(["idempotencyKey"])),
            (json!({ "hasHeader": false }), "INVALID_COLUMNS", json!(["columns"])),
            (json!({ "columns": [{ "column": { "position": -1 }, "target": { "number": true } }] }),
                "INVALID_COLUMNS", json!(["columns"])),
            (json!({ "columns": [{ "column": { "header": "a" }, "target": { "tags": true } }] }),
                "INVALID_COLUMNS", json!(["columns"])),
            (json!({ "columns": [number, { "column": { "position": 1 }, "target": { "attributeKey": "town" } }] }),
                "UNKNOWN_ATTRIBUTE", json!(["columns", "1", "target", "attributeKey"])),
            (json!({ "listIds": [list, stranger] }), "LIST_NOT_FOUND", json!(["listIds", "1"])),
            (json!({ "listIds": vec![list.clone(); 11] }), "TOO_MANY_LISTS", json!(["listIds"])),
            (json!({ "tags": ["a", ""] }), "INVALID_TAG", json!(["tags", "1"])),
            (json!({ "tags": (0..51).map(|n| n.to_string()).collect::<Vec<_>>() }), "TOO_MANY_TAGS", json!(["tags"])),
            (json!({ "defaultRegion": "Narnia" }), "INVALID_REGION", json!(["defaultRegion"])),
        ] {
            let refused = world.begin(input).await;
            assert_eq!(refused["userErrors"], json!([{ "code": code, "path": path }]), "{refused}");
            assert_eq!(refused["import"], Value::Null);
        }
        let input = json!({ "idempotencyKey": "k", "tags": ["a"] });
        let one = world.begin(input.clone()).await;
        let again = world.begin(input).await;
        assert_eq!((&one["replayed"], &again["replayed"]), (&json!(false), &json!(true)));
        assert_eq!(one["import"], again["import"], "with the same address");
        let other = world.begin(json!({ "idempotencyKey": "k" })).await;
        assert_eq!(other["userErrors"][0]["code"], "IDEMPOTENCY_KEY_REUSED");
        for _ in 1..imports::OPEN_MAX {
            world.waiting(json!({})).await;
        }
        let refused = world.begin(json!({})).await;
        assert_eq!(refused["userErrors"], json!([{ "code": "TOO_MANY_IMPORTS", "path": null }]));
        let cancel = "mutation($id: ID!) { cancelContactImport(input: {importId: $id}) { \
            import { status uploadUrl } userErrors { code } } }";
        let id = json!({ "id": one["import"]["id"] });
        let canceled = world.ask(cancel, id.clone()).await["cancelContactImport"].clone();
        assert_eq!(canceled["import"], json!({ "status": "CANCELED", "uploadUrl": null }));
        let again = world.ask(cancel, id).await["cancelContactImport"].clone();
        assert_eq!(again["userErrors"][0]["code"], "TOO_LATE");
        world.waiting(json!({})).await;
        world.node.stop().await;
    }
}
