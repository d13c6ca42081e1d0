//! One object of each kind in one account, and as many accounts beside it as strangers need.

use std::collections::BTreeMap;

use entity::enums::{
    AttributeKind, EventKind, KeyMode, KeywordAction, MessageClass, PaymentPurpose, PaymentStatus,
    Purse, SuppressionReason, WebhookState,
};
use entity::ids::{AccountId, PaymentId};
use entity::{inbound_message, payment, payment_method, reconciliation_report, webhook_event};
use heliograph::authz::{Actor, Scope};
use heliograph::billing::invoices::{self, NewLine, NewTaxRate};
use heliograph::billing::packages;
use heliograph::billing::plans::{self, NewPlan};
use heliograph::billing::rate_cards::{self, NewRateCard};
use heliograph::billing::vouchers::{self, NewVouchers};
use heliograph::billing::{self, CreditChange, EntriesOf, Whose};
use heliograph::campaigns::{self, NewCampaign, NewVariant};
use heliograph::carriers::registry::{self, NewCarrier, SmppSettings};
use heliograph::contacts::consent::{self, ConsentFilter};
use heliograph::contacts::exports::{self, NewExport};
use heliograph::contacts::imports::{self, FileEncoding, ImportOptions, OnDuplicate};
use heliograph::contacts::keywords::{self, NewKeyword};
use heliograph::contacts::{
    self, Audience, Condition, NewAttribute, NewContact, NewSegment, ScopeRef,
};
use heliograph::ctx::Ctx;
use heliograph::db::page::PageRequest;
use heliograph::events::{self, NewEvent};
use heliograph::identity::{
    AcceptOwnerLink, CreateApiKey, IdentityService, SignedIn, create_api_key,
};
use heliograph::links::domains;
use heliograph::messages::opt_out::{self, Numbers};
use heliograph::routing::{self, NewRoute};
use heliograph::senders;
use heliograph::types::money::Micros;
use sea_orm::{EntityTrait, IntoActiveModel};
use serde_json::{Value, json};
use uuid::Uuid;

use super::callers::{Caller, Who};
use super::fields::{Field, Kind, Reach};
use crate::identity::{EMAIL, PASSWORD, log_in, secret, sign_up};
use crate::packages::of_parts;
use crate::payment_flows::world::add_stripe;
use crate::support::Served;

const SENDER: &str = "LAMPS";
/// A test number: "delivered at once".
const RECIPIENT: &str = "+9991000000001";
/// The text of the message.
pub const TEXT: &str = "your lamp is lit";

/// What was made.
pub struct Objects {
    pub account_id: AccountId,
    pub owner: SignedIn,
    ids: BTreeMap<Kind, String>,
}

impl Objects {
    pub async fn make(node: &Served) -> Self {
        let identity = service(node);
        let owner = identity.sign_up(&nobody(node), sign_up(EMAIL)).await.unwrap();
        let account_id = owner.account.id;
        let second = identity.log_in(&nobody(node), log_in(EMAIL, PASSWORD)).await.unwrap();
        let ctx = ctx_of(node, &identity, &owner).await;
        let key = key_of(&ctx, Scope::ALL.to_vec()).await;
        let operator = node.ctx_as(Actor::CommandLine);
        let sender = senders::approve_value(&operator, account_id, SENDER).await.unwrap();
        let carrier = NewCarrier {
            name: "Carrier".to_owned(),
            settings: SmppSettings::new("127.0.0.1:1", "lamps"),
            password: secret("secret"),
        };
        let carrier = registry::add(&operator, carrier).await.unwrap();
        let route = routing::create(&operator, NewRoute::new("+44", carrier.id)).await.unwrap();
        let new = NewRateCard {
            name: "Prices".to_owned(),
            currency: "USD".parse().unwrap(),
            is_default: false,
        };
        let rate_card = rate_cards::create(&operator, new).await.unwrap();
        let new = NewPlan {
            name: "Plan".to_owned(),
            currency: "USD".parse().unwrap(),
            monthly_price: Micros(1),
            rate_card_id: None,
            package_id: None,
        };
        let plan = plans::create(&operator, new).await.unwrap();
        let package = packages::create(&operator, of_parts("Package", 1)).await.unwrap();
        let granted = packages::grant(&operator, account_id, package.id, "k").await.unwrap();
        let new = NewVouchers {
            count: 1,
            amount: Micros(1),
            currency: "USD".parse().unwrap(),
            expires_at: operator.clock.now().plus_ms(1),
        };
        let vouchers = vouchers::create(&operator, new).await.unwrap();
        let add_balance = Some(Micros(1));
        let change = CreditChange { add_balance, ..CreditChange::default() };
        billing::set_credit(&operator, account_id, change).await.unwrap();
        let money = EntriesOf { purse: Purse::Money, currency: None };
        let entries = billing::entries(&ctx, Whose::Own, money, &PageRequest::default()).await;
        let entry = entries.unwrap().items[0].transfer_id;
        let message = send(node, key.1.as_str()).await;
        let inbound = receive(node, account_id, carrier.id).await;
        let (invoice, tax_rate) = bill(&operator, account_id).await;
        let mut ids = BTreeMap::from([
            (Kind::Invoice, invoice),
            (Kind::TaxRate, tax_rate),
            (Kind::Account, account_id.to_string()),
            (Kind::LedgerEntry, entry.to_string()),
            (Kind::Person, owner.person.id.to_string()),
            (Kind::ApiKey, key.0),
            (Kind::Session, second.session.id.to_string()),
            (Kind::Sender, sender.id.to_string()),
            (Kind::Carrier, carrier.id.to_string()),
            (Kind::VoucherBatch, vouchers.batch_id.to_string()),
            (Kind::Plan, plan.id.to_string()),
            (Kind::Package, package.id.to_string()),
            (Kind::GrantedPackage, granted.row.id.to_string()),
            (Kind::RateCard, rate_card.id.to_string()),
            (Kind::Route, route.id.to_string()),
            (Kind::Message, message),
            (Kind::InboundMessage, inbound),
        ]);
        ids.extend(pay(node, account_id).await);
        ids.extend(keep_contacts(&ctx).await);
        let reader = Caller::new("reader", Some(key.1), Who::Nobody);
        for (kind, name) in
            [(Kind::StatusEvent, "MessageStatusChanged"), (Kind::ReceivedEvent, "MessageReceived")]
        {
            ids.insert(kind, reader.event_id(node, name).await);
        }
        Self { account_id, owner, ids }
    }

    /// The object of this kind.
    pub fn id_of(&self, kind: Kind) -> &str {
        &self.ids[&kind]
    }

    /// The object that `field` takes, if it is one that strangers must not learn of.
    pub fn own(&self, field: &Field) -> Option<&str> {
        match field.reach {
            Reach::Account => field.takes.map(|kind| self.id_of(kind)),
            Reach::Unnamed | Reach::Platform => None,
        }
    }

    /// A well-formed id of nothing, for what `field` takes.
    pub fn unknown(&self, field: &Field) -> Option<String> {
        let (prefix, _) = self.id_of(field.takes?).split_once('_').unwrap();
        Some(format!("{prefix}_{}", "0".repeat(26)))
    }

    /// What only those in the account may read.
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets: Vec<_> = self.ids.values().cloned().collect();
        secrets.extend([EMAIL.to_owned(), SENDER.to_owned(), RECIPIENT.to_owned()]);
        secrets
    }
}

pub fn service(node: &Served) -> IdentityService {
    IdentityService::new(node.platform().clone())
}

pub fn nobody(node: &Served) -> Ctx {
    node.ctx_as(Actor::Anonymous)
}

pub async fn ctx_of(node: &Served, identity: &IdentityService, signed_in: &SignedIn) -> Ctx {
    let token = signed_in.tokens.access_token.expose();
    node.ctx_as(identity.authenticate(Some(token)).await.unwrap().actor)
}

/// A test key's id and text.
pub async fn key_of(ctx: &Ctx, scopes: Vec<Scope>) -> (String, String) {
    let name = "Key".to_owned();
    let new = CreateApiKey { name, mode: KeyMode::Test, scopes, expires_at: None };
    let key = create_api_key(ctx, new).await.unwrap();
    (key.api_key.id.to_string(), key.text.expose().to_owned())
}

/// The operator's first owner.
pub async fn operator(node: &Served, email: &str) -> SignedIn {
    let link = node.app.operator_link().unwrap().url.expose();
    let (_, token) = link.split_once('#').unwrap();
    let accept = AcceptOwnerLink {
        token: secret(token),
        password: secret(PASSWORD),
        name: "Op".to_owned(),
        email: Some(email.to_owned()),
        client_address: None,
    };
    service(node).accept_owner_link(&nobody(node), accept).await.unwrap()
}

async fn send(node: &Served, key: &str) -> String {
    let document = "mutation($input: SendMessagesInput!) { sendMessages(input: $input) {
        results { message { id } error { code message } } userErrors { code } } }";
    let message = json!({ "to": RECIPIENT, "from": SENDER, "text": TEXT });
    let input = json!({ "idempotencyKey": "1", "messages": [message] });
    let answer = node.graphql(Some(key), document, json!({ "input": input })).await;
    let id = answer.pointer("/data/sendMessages/results/0/message/id").and_then(Value::as_str);
    id.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// An open invoice and a rate.
async fn bill(operator: &Ctx, account_id: AccountId) -> (String, String) {
    let draft = invoices::create(operator, account_id, None).await.unwrap();
    let amount = Micros(1_000_000);
    let line = NewLine { description: "Setup".to_owned(), quantity: amount, amount };
    invoices::add_line(operator, draft.id, line).await.unwrap();
    invoices::finalize(operator, draft.id).await.unwrap();
    let kind = entity::enums::TaxKind::Sales;
    let rate = NewTaxRate { name: "VAT".to_owned(), percentage: amount, country: None, kind };
    let rate = invoices::create_tax_rate(operator, rate).await.unwrap();
    (draft.id.to_string(), rate.id.to_string())
}

/// A processor, a payment and a means of payment of the account, and something that the processor told.
async fn pay(node: &Served, account_id: AccountId) -> [(Kind, String); 5] {
    let platform = node.platform();
    let operator = node.ctx_as(Actor::CommandLine);
    let endpoint = add_stripe(&operator, None).await;
    let (now, id): (_, PaymentId) = (platform.clock.now(), platform.ids.next());
    let payment = payment::Model {
        account_id,
        id,
        purpose: PaymentPurpose::TopUp,
        endpoint_id: endpoint.id,
        amount_micros: 25_000_000,
        currency: "USD".to_owned(),
        status: PaymentStatus::Open,
        redirect_url: None,
        facts: "{}".to_owned(),
        posted: "{}".to_owned(),
        idempotency_key: None,
        input_mac: None,
        polls: 0,
        next_poll_at_ms: None,
        stale: false,
        version: 1,
        created_at_ms: now,
        updated_at_ms: now,
        invoice_id: None,
        saves_method: false,
        payment_method_id: None,
        flow: entity::enums::PaymentFlow::HostedPage,
    };
    let told = webhook_event::Model {
        id: platform.ids.next(),
        endpoint_id: endpoint.id,
        event_id: "evt_1".to_owned(),
        body_mac: None,
        event_type: "unknown".to_owned(),
        facts: "[]".to_owned(),
        state: WebhookState::Ignored,
        attempts: 0,
        next_at_ms: now,
        reason: None,
        occurred_at_ms: None,
        received_at_ms: now,
    };
    let method = payment_method::Model {
        account_id,
        id: platform.ids.next(),
        endpoint_id: endpoint.id,
        customer_id: "cus_1".to_owned(),
        method_id: "pm_1".to_owned(),
        added_at_ms: now,
        removed_at_ms: None,
        detached_at_ms: None,
    };
    let report = reconciliation_report::Model {
        id: platform.ids.next(),
        endpoint_id: endpoint.id,
        currency: "USD".to_owned(),
        day: 0,
        opening_micros: 0,
        gross_micros: 0,
        fees_micros: 0,
        refunds_micros: 0,
        disputes_micros: 0,
        reinstated_micros: 0,
        payouts_micros: 0,
        closing_micros: 0,
        is_compared: true,
        matched: 0,
        differences: 0,
        version: 1,
        made_at_ms: now,
    };
    let report_id = report.id;
    let method_id = method.id;
    let told_id = told.id;
    let db = platform.db.migrator();
    let insert = payment::Entity::insert(payment.into_active_model());
    insert.exec_without_returning(db).await.unwrap();
    let insert = payment_method::Entity::insert(method.into_active_model());
    insert.exec_without_returning(db).await.unwrap();
    let insert = webhook_event::Entity::insert(told.into_active_model());
    insert.exec_without_returning(db).await.unwrap();
    let insert = reconciliation_report::Entity::insert(report.into_active_model());
    insert.exec_without_returning(db).await.unwrap();
    [
        (Kind::ReconciliationReport, report_id.to_string()),
        (Kind::Payment, id.to_string()),
        (Kind::PaymentMethod, method_id.to_string()),
        (Kind::PaymentProcessor, endpoint.id.to_string()),
        (Kind::WebhookEvent, told_id.to_string()),
    ]
}

/// A contact, and what goes with it.
async fn keep_contacts(ctx: &Ctx) -> [(Kind, String); 11] {
    let new = NewAttribute { key: "city".to_owned(), kind: AttributeKind::Text };
    let attribute = contacts::create_attribute(ctx, new).await.unwrap();
    let new = NewContact { number: "+447400123456".to_owned(), ..NewContact::default() };
    let contact = contacts::create(ctx, new).await.unwrap();
    let list = contacts::create_list(ctx, "All").await.unwrap();
    let condition = Condition::Tag("vip".to_owned());
    let new = NewSegment { name: "Few".to_owned(), condition };
    let segment = contacts::create_segment(ctx, new).await.unwrap();
    let numbers = Numbers {
        numbers: vec!["+447400999999".to_owned()],
        scope: Some(ScopeRef::Account),
        note: None,
    };
    let outcome = opt_out::suppress(ctx, numbers, SuppressionReason::Manual).await.unwrap();
    let new = NewKeyword {
        word: "menu".to_owned(),
        action: KeywordAction::Answer,
        answer: Some("Soup".to_owned()),
    };
    let keyword = keywords::create_keyword(ctx, new).await.unwrap();
    let options = ImportOptions {
        columns: Vec::new(),
        has_header: true,
        encoding: FileEncoding::Detected,
        default_region: None,
        list_ids: Vec::new(),
        tags: Vec::new(),
        on_duplicate: OnDuplicate::Update,
    };
    let import = imports::begin_import(ctx, None, options).await.unwrap().import;
    let export = exports::create_export(ctx, NewExport::default()).await.unwrap();
    let variant = |name: &str| {
        let text = "Lamps {{city|here}}".to_owned();
        NewVariant { name: name.to_owned(), text, weight: 1 }
    };
    let variants = ["A", "B"].map(variant).to_vec();
    let new = NewCampaign {
        name: "Spring".to_owned(),
        sender: SENDER.to_owned(),
        class: MessageClass::Marketing,
        topic: None,
        text: None,
        variants: Some(variants),
        // Nobody is in it, so it cannot start.
        audience: Audience { segments: vec![segment.id], ..Audience::default() },
        send_at: None,
        send_at_local: None,
        rate_per_s: None,
        link_domain_id: None,
    };
    let campaign = campaigns::create(ctx, new).await.unwrap();
    let link_domain = domains::create(ctx, "go.lamps.example").await.unwrap();
    let filter = ConsentFilter::default();
    let page = consent::suppressions_page(ctx, &filter, &PageRequest::default()).await.unwrap();
    [
        (Kind::Contact, contact.id.to_string()),
        (Kind::ContactAttribute, attribute.id.to_string()),
        (Kind::ContactList, list.id.to_string()),
        (Kind::Segment, segment.id.to_string()),
        (Kind::Suppression, page.items[0].id.to_string()),
        (Kind::InboundKeyword, keyword.id.to_string()),
        (Kind::ConsentEvent, outcome.statement_id.to_string()),
        (Kind::ContactImport, import.id.to_string()),
        (Kind::ContactExport, export.id.to_string()),
        (Kind::Campaign, campaign.id.to_string()),
        (Kind::LinkDomain, link_domain.id.to_string()),
    ]
}

/// A message from a phone.
async fn receive(
    node: &Served,
    account_id: AccountId,
    carrier_id: entity::ids::CarrierId,
) -> String {
    let platform = node.platform();
    let row = inbound_message::Model {
        id: platform.ids.next(),
        account_id: Some(account_id),
        carrier_id,
        sender: "447400123456".to_owned(),
        recipient: "447400654321".to_owned(),
        body: b"thank you".to_vec(),
        parts: 1,
        parts_received: 1,
        received_at_ms: platform.clock.now(),
    };
    let id = row.id;
    let insert = inbound_message::Entity::insert(row.into_active_model());
    insert.exec_without_returning(platform.db.migrator()).await.unwrap();
    tell(node, account_id, EventKind::MessageReceived, id.0).await;
    id.to_string()
}

/// An event in an account's log.
pub async fn tell(node: &Served, account_id: AccountId, kind: EventKind, subject_id: Uuid) {
    let event = NewEvent {
        account_id,
        kind,
        subject_id,
        status: 0,
        version: 1,
        error_code: None,
        occurred_at: node.platform().clock.now(),
    };
    let event = &event;
    let append = |tx| async move { events::append(&tx, vec![event.clone()]).await };
    node.platform().db.write(append).await.unwrap();
}
