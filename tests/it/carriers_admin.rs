//! Carriers and routes as the operator sets them up.

use entity::enums::Role;
use heliograph::carriers::registry::{self, CarrierAccess, SIMULATOR_CARRIER_ID};
use heliograph::routing::Routes;
use serde_json::{Value, json};

use crate::graphql_api::{Api, account, furnish, operator, person, text};
use crate::support::both_stores;

const ADD: &str = "mutation($input: AddCarrierInput!) { addCarrier(input: $input) \
    { carrier { id name enabled version kind link { state boundLinks seenAt } smpp { address systemId \
    bindMode binds window ratePartsPerSecond tlsServerName } } userErrors { code path } } }";
const UPDATE: &str = "mutation($input: UpdateCarrierInput!) { updateCarrier(input: $input) \
    { carrier { name version smpp { address systemId binds window ratePartsPerSecond receiptIdForm } } \
    userErrors { code path } } }";
const DISABLE: &str = "mutation($id: ID!) { disableCarrier(input: {carrierId: $id}) \
    { carrier { enabled version } userErrors { code } } }";
const ENABLE: &str = "mutation($id: ID!) { enableCarrier(input: {carrierId: $id}) \
    { carrier { enabled version } userErrors { code } } }";
const ROUTE: &str = "mutation($prefix: String!, $carrier: ID!) \
    { createRoute(input: {prefix: $prefix, carrierId: $carrier}) \
    { route { id prefix carrier { name } } userErrors { code path } } }";
const DELETE: &str = "mutation($id: ID!) { deleteRoute(input: {routeId: $id}) \
    { deletedRouteId userErrors { code } } }";

fn north() -> Value {
    json!({ "name": "North", "smpp": {
        "address": "smpp.example:2775", "systemId": "me", "password": "secret", "binds": 2,
        "window": null, "ratePartsPerSecond": 50.5, "tlsServerName": "smpp.example",
    } })
}

both_stores! {
    async fn a_carrier_is_added_with_a_sealed_password(house: TestHouse) {
        let api = Api::new(&house).await;
        let staff = operator(&house, Role::Admin).await;
        let added = api.data(&staff, ADD, json!({ "input": north() })).await["addCarrier"].clone();
        assert_eq!(added["userErrors"], json!([]));
        let carrier = &added["carrier"];
        assert_eq!(carrier["smpp"], json!({
            "address": "smpp.example:2775", "systemId": "me", "bindMode": "TRANSCEIVER", "binds": 2,
            "window": null, "ratePartsPerSecond": 50.5, "tlsServerName": "smpp.example",
        }));
        assert_eq!(carrier["link"], json!({ "state": "STOPPED", "boundLinks": 0, "seenAt": null }));
        let id = text(&carrier["id"]).parse().unwrap();
        let row = registry::find(&staff, id).await.unwrap().unwrap();
        assert!(!row.settings.contains("secret"));
        assert!(!row.sealed_password.as_ref().unwrap().windows(6).any(|part| part == b"secret"));
        let access = registry::access(&house.platform, &row).unwrap();
        let CarrierAccess::Smpp(config) = access else { panic!("{access:?}") };
        assert_eq!(secrecy::ExposeSecret::expose_secret(&config.password), "secret");
        assert_eq!((config.name.as_str(), config.binds), ("North", 2));
    }

    async fn what_cannot_be_used_is_refused_and_names_its_field(house: TestHouse) {
        let api = Api::new(&house).await;
        let staff = operator(&house, Role::Owner).await;
        api.data(&staff, ADD, json!({ "input": north() })).await;
        for (pointer, value, code, path) in [
            ("/name", json!("North"), "NAME_TAKEN", json!(["name"])),
            ("/name", json!(" "), "INVALID_NAME", json!(["name"])),
            ("/name", json!("n".repeat(101)), "INVALID_NAME", json!(["name"])),
            ("/smpp/address", json!("smpp.example"), "INVALID_SETTING", json!(["smpp", "address"])),
            ("/smpp/systemId", json!("x".repeat(16)), "INVALID_SETTING", json!(["smpp", "systemId"])),
            ("/smpp/password", json!("123456789"), "INVALID_SETTING", json!(["smpp", "password"])),
            ("/smpp/binds", json!(0), "INVALID_SETTING", json!(["smpp", "binds"])),
            ("/smpp/binds", json!(-1), "INVALID_SETTING", json!(["smpp", "binds"])),
            ("/smpp/window", json!(70_000), "INVALID_SETTING", json!(["smpp", "window"])),
            (
                "/smpp/ratePartsPerSecond",
                json!(0),
                "INVALID_SETTING",
                json!(["smpp", "ratePartsPerSecond"]),
            ),
        ] {
            let mut input = north();
            if pointer != "/name" {
                input["name"] = json!("South");
            }
            *input.pointer_mut(pointer).unwrap() = value.clone();
            let refused = api.data(&staff, ADD, json!({ "input": input })).await;
            let expected = json!({ "carrier": null, "userErrors": [{ "code": code, "path": path }] });
            assert_eq!(refused["addCarrier"], expected, "{pointer} {value}");
        }
        assert_eq!(house.value::<i64>("SELECT count(*) FROM carrier", []).await, 2);
    }

    async fn a_change_keeps_what_it_does_not_name(house: TestHouse) {
        let api = Api::new(&house).await;
        let staff = operator(&house, Role::Owner).await;
        let added = api.data(&staff, ADD, json!({ "input": north() })).await;
        let id = added["addCarrier"]["carrier"]["id"].clone();
        let input = json!({ "carrierId": id, "smpp": {
            "binds": 3, "window": 20, "ratePartsPerSecond": null, "receiptIdForm": "HEXADECIMAL",
        } });
        let changed = api.data(&staff, UPDATE, json!({ "input": input })).await["updateCarrier"].clone();
        assert_eq!(changed["carrier"], json!({ "name": "North", "version": 2, "smpp": {
            "address": "smpp.example:2775", "systemId": "me", "binds": 3, "window": 20,
            "ratePartsPerSecond": null, "receiptIdForm": "HEXADECIMAL",
        } }));
        let learned = json!({ "carrierId": id, "smpp": { "receiptIdForm": null } });
        let changed = api.data(&staff, UPDATE, json!({ "input": learned })).await["updateCarrier"].clone();
        assert_eq!(changed["carrier"]["smpp"]["receiptIdForm"], Value::Null);
        api.data(&staff, UPDATE, json!({ "input": input })).await;
        let again = api.data(&staff, UPDATE, json!({ "input": input })).await;
        assert_eq!(again["updateCarrier"]["carrier"]["version"], 4, "the same again changes nothing");
        let row = registry::by_name(&staff, "North").await.unwrap().unwrap();
        let access = registry::access(&house.platform, &row).unwrap();
        let CarrierAccess::Smpp(config) = access else { panic!("{access:?}") };
        assert_eq!(secrecy::ExposeSecret::expose_secret(&config.password), "secret");
        let simulator = json!({ "carrierId": SIMULATOR_CARRIER_ID.to_string(), "name": "mine" });
        let refused = api.data(&staff, UPDATE, json!({ "input": simulator })).await;
        assert_eq!(refused["updateCarrier"]["userErrors"][0]["code"], "BUILT_IN_CARRIER");
    }

    async fn a_carrier_has_an_error_table_of_its_own(house: TestHouse) {
        let api = Api::new(&house).await;
        let staff = operator(&house, Role::Owner).await;
        let entry = |source: &str, value: i64, code: &str| {
            json!({ "source": source, "value": value, "code": code })
        };
        let table = json!([
            entry("COMMAND_STATUS", 1273, "CARRIER_REFUSED_CONTENT"),
            entry("RECEIPT_ERROR", 69, "RECEIPT_CALL_BARRED"),
        ]);
        let mut input = north();
        input["smpp"]["errorTable"] = table.clone();
        let document = "mutation($input: AddCarrierInput!) { addCarrier(input: $input) { carrier \
            { id smpp { errorTable { source value code } } } userErrors { code path } } }";
        let added = api.data(&staff, document, json!({ "input": input })).await["addCarrier"].clone();
        assert_eq!(added["carrier"]["smpp"]["errorTable"], table);
        let document = "mutation($input: UpdateCarrierInput!) { updateCarrier(input: $input) \
            { carrier { smpp { binds errorTable { value } } } userErrors { code path } } }";
        let update = async |smpp: Value| {
            let input = json!({ "carrierId": added["carrier"]["id"], "smpp": smpp });
            api.data(&staff, document, json!({ "input": input })).await["updateCarrier"].clone()
        };
        let kept = update(json!({ "binds": 3 })).await;
        assert_eq!(kept["carrier"]["smpp"]["errorTable"], json!([{ "value": 1273 }, { "value": 69 }]));
        let many: Vec<_> = (1..=301).map(|n| entry("RECEIPT_ERROR", n, "RECEIPT_DELETED")).collect();
        let good = entry("RECEIPT_ERROR", 1, "RECEIPT_DELETED");
        for (bad, path) in [
            (json!(many), json!(["smpp", "errorTable"])),
            (json!([good, entry("RECEIPT_ERROR", -1, "RECEIPT_DELETED")]), json!(["smpp", "errorTable", "1", "value"])),
            (json!([good, good]), json!(["smpp", "errorTable", "1", "value"])),
            (json!([entry("COMMAND_STATUS", 88, "CARRIER_REFUSED")]), json!(["smpp", "errorTable", "0", "value"])),
            (json!([entry("COMMAND_STATUS", 8, "CANCELED")]), json!(["smpp", "errorTable", "0", "code"])),
        ] {
            let refused = update(json!({ "errorTable": bad })).await;
            let expected = json!([{ "code": "INVALID_ERROR_TABLE", "path": path }]);
            assert_eq!(refused["userErrors"], expected);
        }
        let cleared = update(json!({ "errorTable": [] })).await;
        assert_eq!(cleared["carrier"]["smpp"], json!({ "binds": 3, "errorTable": [] }));
    }

    async fn routes_lead_to_enabled_carriers_at_once(house: TestHouse) {
        let api = Api::new(&house).await;
        let staff = operator(&house, Role::Owner).await;
        let platform = &house.platform;
        let routes = Routes::new(platform.db.clone(), platform.clock.clone(), &platform.doorbell);
        assert_eq!(routes.current().await.unwrap().choose("447700900123"), None);
        let mut ids = Vec::new();
        for name in ["North", "South"] {
            let mut input = north();
            input["name"] = json!(name);
            let added = api.data(&staff, ADD, json!({ "input": input })).await;
            ids.push(text(&added["addCarrier"]["carrier"]["id"]));
        }
        let create = async |prefix: &str, carrier: &str| {
            let variables = json!({ "prefix": prefix, "carrier": carrier });
            api.data(&staff, ROUTE, variables).await["createRoute"].clone()
        };
        let made = create("+", &ids[0]).await;
        assert_eq!(made["route"]["prefix"], "+");
        let longer = create("+44 77", &ids[1]).await;
        assert_eq!(longer["route"]["prefix"], "+4477");
        assert_eq!(longer["route"]["carrier"]["name"], "South");
        let taken = create("+4477", &ids[0]).await;
        assert_eq!(taken["userErrors"], json!([{ "code": "PREFIX_TAKEN", "path": ["prefix"] }]));
        assert_eq!(create("44", &ids[0]).await["userErrors"][0]["code"], "INVALID_PREFIX");
        let simulator = SIMULATOR_CARRIER_ID.to_string();
        assert_eq!(create("+1", &simulator).await["userErrors"][0]["code"], "CARRIER_NOT_FOUND");

        let chosen = async |digits: &str| {
            routes.current().await.unwrap().choose(digits).map(|route| route.carrier_id.to_string())
        };
        assert_eq!(chosen("447700900123").await.as_ref(), Some(&ids[1]));
        assert_eq!(chosen("4915112345678").await.as_ref(), Some(&ids[0]));
        let disabled = api.data(&staff, DISABLE, json!({ "id": ids[1] })).await;
        assert_eq!(disabled["disableCarrier"]["carrier"], json!({ "enabled": false, "version": 2 }));
        assert_eq!(chosen("447700900123").await.as_ref(), Some(&ids[0]));
        api.data(&staff, ENABLE, json!({ "id": ids[1] })).await;
        assert_eq!(chosen("447700900123").await.as_ref(), Some(&ids[1]));
        let route = longer["route"]["id"].clone();
        let deleted = api.data(&staff, DELETE, json!({ "id": route })).await;
        assert_eq!(deleted["deleteRoute"]["deletedRouteId"], route);
        assert_eq!(chosen("447700900123").await.as_ref(), Some(&ids[0]));
        let again = api.data(&staff, DELETE, json!({ "id": route })).await;
        assert_eq!(again["deleteRoute"]["userErrors"][0]["code"], "ROUTE_NOT_FOUND");
    }

    async fn a_route_changed_elsewhere_is_seen_within_a_second(house: TestHouse) {
        let api = Api::new(&house).await;
        let account_id = account(&house, "Acme").await;
        let platform = &house.platform;
        // A doorbell that nobody rings: as on a node that lost its connection to the others.
        let deaf = heliograph::events::Doorbell::default();
        let routes = Routes::new(platform.db.clone(), platform.clock.clone(), &deaf);
        assert!(routes.current().await.unwrap().choose("4915112345678").is_none());
        let ids = furnish(&house, &api, account_id).await;
        assert!(routes.current().await.unwrap().choose("4915112345678").is_none());
        house.hand.advance(heliograph::events::POLL_INTERVAL);
        let chosen = routes.current().await.unwrap().choose("4915112345678");
        assert_eq!(chosen.map(|route| route.carrier_id.to_string()).as_ref(), ids.get("carrier"));
    }

    async fn customers_neither_see_nor_change_carriers(house: TestHouse) {
        let api = Api::new(&house).await;
        let account_id = account(&house, "Acme").await;
        let owner = person(&house, account_id, Role::Owner);
        let viewer = operator(&house, Role::Viewer).await;
        assert_eq!(api.code(&owner, "{ carriers { nodes { id } } }", json!({})).await, "FORBIDDEN");
        assert_eq!(api.code(&owner, "{ routes { nodes { id } } }", json!({})).await, "FORBIDDEN");
        let node = json!({ "id": SIMULATOR_CARRIER_ID.to_string() });
        let document = "query($id: ID!) { node(id: $id) { id } }";
        assert_eq!(api.code(&owner, document, node).await, "FORBIDDEN");
        let input = json!({ "input": north() });
        assert_eq!(api.code(&owner, ADD, input.clone()).await, "FORBIDDEN");
        assert_eq!(api.code(&viewer, ADD, input).await, "FORBIDDEN");
        let seen = api.data(&viewer, "{ carriers { nodes { name kind smpp { address } } } }", json!({}));
        assert_eq!(
            seen.await["carriers"]["nodes"],
            json!([{ "name": "simulator", "kind": "SIMULATOR", "smpp": null }])
        );
    }
}
