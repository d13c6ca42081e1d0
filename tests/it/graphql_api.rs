//! The contract as a client sees it, without HTTP: a schema over a house, and callers of it.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Request, Response, Variables};
use entity::account;
use entity::enums::{AccountKind, AccountStatus, KeyMode, Role};
use entity::ids::AccountId;
use futures::stream::BoxStream;
use heliograph::authz::{Actor, KeyActor, PersonActor, Scope};
use heliograph::carriers::registry;
use heliograph::ctx::Ctx;
use heliograph::events::Hub;
use heliograph::graphql::{self, Schema, Services};
use heliograph::identity::IdentityService;
use heliograph::routing::Routes;
use sea_orm::{ActiveModelTrait, DbErr, Set};
use serde_json::{Value, json};

use crate::support::TestHouse;

/// A schema over a house.
pub struct Api {
    pub schema: Schema,
}

impl Api {
    /// As a node builds it, with the built-in carrier.
    pub async fn new(house: &TestHouse) -> Self {
        registry::ensure_simulator(&house.system()).await.unwrap();
        let platform = &house.platform;
        let (db, clock) = (platform.db.clone(), platform.clock.clone());
        let services = Services {
            identity: IdentityService::new(Arc::clone(platform)),
            hub: Hub::new(db.clone(), clock.clone(), platform.doorbell.clone()),
            routes: Routes::new(db, clock, &platform.doorbell),
            prices: house.prices(),
            complexity_max: platform.settings.graphql.complexity_max,
        };
        Self { schema: graphql::schema(services) }
    }

    /// The whole answer.
    pub async fn answer(&self, ctx: &Ctx, document: &str, variables: Value) -> Response {
        self.schema.execute(request(ctx, document, variables)).await
    }

    /// The data of an answer that has no errors.
    pub async fn data(&self, ctx: &Ctx, document: &str, variables: Value) -> Value {
        let answer = self.answer(ctx, document, variables).await;
        assert!(answer.errors.is_empty(), "{document}: {:?}", answer.errors);
        answer.data.into_json().unwrap()
    }

    /// The code of the first error of an answer.
    pub async fn code(&self, ctx: &Ctx, document: &str, variables: Value) -> String {
        let answer = self.answer(ctx, document, variables).await;
        let error = answer.errors.first().unwrap_or_else(|| panic!("{document}: no error"));
        code_of(error)
    }

    /// The answers of a subscription.
    pub fn stream(
        &self,
        ctx: &Ctx,
        document: &str,
        variables: Value,
    ) -> BoxStream<'static, Response> {
        self.schema.execute_stream(request(ctx, document, variables))
    }
}

/// `extensions.code`.
pub fn code_of(error: &async_graphql::ServerError) -> String {
    let code = error.extensions.as_ref().and_then(|extensions| extensions.get("code"));
    match code {
        Some(async_graphql::Value::String(code)) => code.clone(),
        other => panic!("{error:?}: no code but {other:?}"),
    }
}

fn request(ctx: &Ctx, document: &str, variables: Value) -> Request {
    let request = Request::new(document).variables(Variables::from_json(variables));
    graphql::attach(request, ctx.clone())
}

/// An account.
pub async fn account(house: &TestHouse, name: &str) -> AccountId {
    let id: AccountId = house.platform.ids.next();
    let now = house.now();
    let row = account::ActiveModel {
        id: Set(id),
        name: Set(name.to_owned()),
        kind: Set(AccountKind::Customer),
        status: Set(AccountStatus::Active),
        default_region: Set(Some("DE".to_owned())),
        version: Set(1),
        created_at_ms: Set(now),
        updated_at_ms: Set(now),
    };
    let row = &row;
    let written = house.platform.db.write(|tx| async move {
        row.clone().insert(&*tx).await?;
        Ok::<_, DbErr>(())
    });
    written.await.unwrap();
    house.give_credit(id).await;
    id
}

/// A key of an account, with every scope.
pub fn key(house: &TestHouse, account_id: AccountId, mode: KeyMode) -> Ctx {
    house.ctx_as(Actor::Key(KeyActor {
        api_key_id: house.platform.ids.next(),
        account_id,
        mode,
        scopes: Scope::ALL.to_vec(),
    }))
}

/// A person of an account, in a role.
pub fn person(house: &TestHouse, account_id: AccountId, role: Role) -> Ctx {
    house.ctx_as(Actor::Person(PersonActor {
        person_id: house.platform.ids.next(),
        session_id: house.platform.ids.next(),
        account_id,
        role,
        is_operator: false,
    }))
}

/// A person of the operator, in a role.
pub async fn operator(house: &TestHouse, role: Role) -> Ctx {
    let account_id = account(house, "Operator").await;
    house.ctx_as(Actor::Person(PersonActor {
        person_id: house.platform.ids.next(),
        session_id: house.platform.ids.next(),
        account_id,
        role,
        is_operator: true,
    }))
}

/// What a world without a carrier's house needs to send live: an approved sender, a carrier, a
/// route for all numbers. Returns their ids by name.
pub async fn furnish(
    house: &TestHouse,
    api: &Api,
    account_id: AccountId,
) -> HashMap<&'static str, String> {
    let operator = operator(house, Role::Owner).await;
    let owner = person(house, account_id, Role::Owner);
    let registered = api
        .data(
            &owner,
            "mutation { registerSender(input: {value: \"Acme\"}) { sender { id } } }",
            json!({}),
        )
        .await;
    let sender = text(&registered["registerSender"]["sender"]["id"]);
    let document =
        "mutation($id: ID!) { approveSender(input: {senderId: $id}) { sender { status } } }";
    api.data(&operator, document, json!({ "id": sender })).await;
    let document = "mutation { addCarrier(input: {name: \"North\", smpp: {address: \
                    \"localhost:2775\", systemId: \"me\", password: \"secret\"}}) \
                    { carrier { id } userErrors { message } } }";
    let added = api.data(&operator, document, json!({})).await;
    let carrier = text(&added["addCarrier"]["carrier"]["id"]);
    let document = "mutation($id: ID!) { createRoute(input: {prefix: \"+\", carrierId: $id}) \
                    { route { id } userErrors { message } } }";
    let created = api.data(&operator, document, json!({ "id": carrier })).await;
    let route = text(&created["createRoute"]["route"]["id"]);
    HashMap::from([("sender", sender), ("carrier", carrier), ("route", route)])
}

/// A JSON string.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a string: {value}")).to_owned()
}
