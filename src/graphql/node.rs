//! `Node`: every persisted object by its id, through the same scoped finders as the named fields.

use async_graphql::{Context, ID, Interface, Object};
use entity::ids::{
    self, AccountId, ApiKeyId, AttributeId, CampaignId, CarrierId, ConsentEventId, ContactExportId,
    ContactId, ContactImportId, EventId, GrantedPackageId, InboundMessageId, InvalidId, InvoiceId,
    KeywordId, LinkDomainId, ListId, MessageId, PackageId, PaymentId, PaymentMethodId, PersonId,
    PlanId, ProcessorId, RateCardId, ReconciliationReportId, RouteId, SegmentId, SenderId,
    SessionId, SuppressionId, TaxRateId, TransferId, VoucherBatchId, WebhookEventId,
};

use super::call;
use super::campaigns::Campaign;
use super::carriers::Carrier;
use super::contacts::{
    ConsentEvent, Contact, ContactAttribute, ContactExport, ContactImport, ContactList,
    InboundKeyword, ListRow, Segment, Suppression,
};
use super::errors::{Answer, Fault};
use super::identity::{Account, ApiKey, Person, Session};
use super::ids::parse_id;
use super::invoices::{Invoice, TaxRate};
use super::ledger::LedgerEntry;
use super::link_domains::LinkDomain;
use super::loaders::{AccountRow, ApiKeyRow, CarrierRow, PersonRow, RateCardRow, load};
use super::messages::events::{Event, MessageReceived, MessageStatusChanged, seq_of};
use super::messages::{InboundMessage, Message};
use super::packages::{GrantedPackage, Package};
use super::payments::{
    Payment, PaymentMethod, PaymentProcessor, ReconciliationReport, WebhookEvent,
};
use super::plans::Plan;
use super::rate_cards::RateCard;
use super::routes::Route;
use super::senders::Sender;
use super::vouchers::VoucherBatch;
use crate::billing::{packages, plans, vouchers};
use crate::contacts::{self, consent, keywords};
use crate::error::Failed;
use crate::messages::live;
use crate::{billing, identity, payments, routing, senders};

/// Ids that one `nodes` takes.
pub const NODES_MAX: usize = 100;

/// An object that is kept, and can be found by its id.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "The object's id; its prefix tells the type."))]
pub enum Node {
    /// `acct_…`
    Account(Account),
    /// `user_…`
    Person(Person),
    /// `key_…`
    ApiKey(ApiKey),
    /// `sess_…`
    Session(Session),
    /// `sndr_…`
    Sender(Sender),
    /// `carr_…`
    Carrier(Carrier),
    /// `plan_…`
    Plan(Plan),
    /// `pack_…`
    Package(Package),
    /// `gpkg_…`
    GrantedPackage(GrantedPackage),
    /// `rate_…`
    RateCard(RateCard),
    /// `route_…`
    Route(Route),
    /// `vbat_…`
    VoucherBatch(VoucherBatch),
    /// `tran_…`
    LedgerEntry(LedgerEntry),
    /// `msg_…`
    Message(Message),
    /// `inb_…`
    InboundMessage(InboundMessage),
    /// `pay_…`
    Payment(Payment),
    /// `pmt_…`
    PaymentMethod(PaymentMethod),
    /// `proc_…`
    PaymentProcessor(PaymentProcessor),
    /// `whev_…`
    WebhookEvent(WebhookEvent),
    /// `recon_…`
    ReconciliationReport(ReconciliationReport),
    /// `evt_…`
    MessageStatusChanged(MessageStatusChanged),
    /// `evt_…`
    MessageReceived(MessageReceived),
    /// `cont_…`
    Contact(Contact),
    /// `attr_…`
    ContactAttribute(ContactAttribute),
    /// `list_…`
    ContactList(ContactList),
    /// `segm_…`
    Segment(Segment),
    /// `supp_…`
    Suppression(Suppression),
    /// `cons_…`
    ConsentEvent(ConsentEvent),
    /// `keyw_…`
    InboundKeyword(InboundKeyword),
    /// `inv_…`
    Invoice(Invoice),
    /// `tax_…`
    TaxRate(TaxRate),
    /// `cimp_…`
    ContactImport(ContactImport),
    /// `cexp_…`
    ContactExport(ContactExport),
    /// `camp_…`
    Campaign(Campaign),
    /// `ldom_…`
    LinkDomain(LinkDomain),
}

/// Reads.
#[derive(Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// The object with this id, or null if there is none that the caller may see: what is another
    /// account's is answered like what does not exist. For whoever may read the named field of that
    /// type.
    async fn node(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The object's id.")] id: ID,
    ) -> Answer<Option<Node>> {
        find(context, &id).await
    }

    /// The objects with these ids, in their order, null for each that the caller may not see. For
    /// whoever may read the named fields of their types.
    #[graphql(complexity = "ids.len().saturating_mul(child_complexity)")]
    async fn nodes(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 100 ids.")] ids: Vec<ID>,
    ) -> Answer<Vec<Option<Node>>> {
        if ids.len() > NODES_MAX {
            let text = format!("at most {NODES_MAX} ids, not {}", ids.len());
            return Err(Failed::BadRequest(text).into());
        }
        futures::future::try_join_all(ids.iter().map(|id| find(context, id))).await
    }
}

async fn find(context: &Context<'_>, id: &ID) -> Answer<Option<Node>> {
    let ctx = call(context)?;
    let prefix = id.split_once('_').map_or("", |(prefix, _)| prefix);
    Ok(match prefix {
        AccountId::PREFIX => {
            let found = load(context, AccountRow(parse_id(id)?)).await?;
            found.map(|row| Node::Account(Account(row)))
        }
        PersonId::PREFIX => {
            let found = load(context, PersonRow(parse_id(id)?)).await?;
            found.map(|person| Node::Person(Person(person)))
        }
        ApiKeyId::PREFIX => {
            let found = load(context, ApiKeyRow(parse_id(id)?)).await?;
            found.map(|key| Node::ApiKey(ApiKey(key)))
        }
        SessionId::PREFIX => {
            let found = identity::find_session(ctx, parse_id(id)?).await?;
            found.map(|row| Node::Session(Session(row)))
        }
        SenderId::PREFIX => {
            senders::find(ctx, parse_id(id)?).await?.map(|row| Node::Sender(Sender(row)))
        }
        CarrierId::PREFIX => {
            let found = load(context, CarrierRow(parse_id(id)?)).await?;
            found.map(|row| Node::Carrier(Carrier(row)))
        }
        PlanId::PREFIX => plans::find(ctx, parse_id(id)?).await?.map(|row| Node::Plan(Plan(row))),
        PackageId::PREFIX => {
            packages::find(ctx, parse_id(id)?).await?.map(|row| Node::Package(Package(row)))
        }
        GrantedPackageId::PREFIX => {
            let found = packages::find_granted(ctx, parse_id(id)?).await?;
            found.map(|owned| Node::GrantedPackage(GrantedPackage(owned)))
        }
        RateCardId::PREFIX => {
            let found = load(context, RateCardRow(parse_id(id)?)).await?;
            found.map(|row| Node::RateCard(RateCard(row)))
        }
        RouteId::PREFIX => {
            routing::find(ctx, parse_id(id)?).await?.map(|row| Node::Route(Route(row)))
        }
        VoucherBatchId::PREFIX => {
            let found = vouchers::find(ctx, parse_id(id)?).await?;
            found.map(|batch| Node::VoucherBatch(VoucherBatch(batch)))
        }
        TransferId::PREFIX => {
            let found = billing::find_entry(ctx, parse_id(id)?).await?;
            found.map(|entry| Node::LedgerEntry(LedgerEntry(entry)))
        }
        MessageId::PREFIX => {
            super::messages::find(context, parse_id(id)?).await?.map(Node::Message)
        }
        InboundMessageId::PREFIX => {
            InboundMessage::load(context, parse_id(id)?).await?.map(Node::InboundMessage)
        }
        PaymentId::PREFIX => {
            payments::payment(ctx, parse_id(id)?).await?.map(|row| Node::Payment(Payment(row)))
        }
        PaymentMethodId::PREFIX => {
            let found = payments::method(ctx, parse_id(id)?).await?;
            found.map(|method| Node::PaymentMethod(PaymentMethod(method)))
        }
        ProcessorId::PREFIX => {
            let found = payments::processor(ctx, parse_id(id)?).await?;
            found.map(|row| Node::PaymentProcessor(PaymentProcessor(row)))
        }
        WebhookEventId::PREFIX => {
            let found = payments::webhook(ctx, parse_id(id)?).await?;
            found.map(|row| Node::WebhookEvent(WebhookEvent(row)))
        }
        ReconciliationReportId::PREFIX => {
            let found = ReconciliationReport::load(context, parse_id(id)?).await?;
            found.map(Node::ReconciliationReport)
        }
        ContactId::PREFIX => Contact::load(context, parse_id(id)?).await?.map(Node::Contact),
        AttributeId::PREFIX => {
            let found = contacts::attributes_by_ids(ctx, &[parse_id(id)?]).await?;
            found.into_iter().next().map(|row| Node::ContactAttribute(ContactAttribute(row)))
        }
        ListId::PREFIX => {
            let found = load(context, ListRow(parse_id(id)?)).await?;
            found.map(|row| Node::ContactList(ContactList(row)))
        }
        SegmentId::PREFIX => Segment::load(context, parse_id(id)?).await?.map(Node::Segment),
        SuppressionId::PREFIX => {
            let found = consent::find_suppression(ctx, parse_id(id)?).await?;
            found.map(|row| Node::Suppression(Suppression(row)))
        }
        ConsentEventId::PREFIX => {
            let found = consent::find_event(ctx, parse_id(id)?).await?;
            found.map(|row| Node::ConsentEvent(ConsentEvent(row)))
        }
        KeywordId::PREFIX => {
            let found = keywords::find_keyword(ctx, parse_id(id)?).await?;
            found.map(|row| Node::InboundKeyword(InboundKeyword(row)))
        }
        EventId::PREFIX => find_event(context, parse_id(id)?).await?,
        InvoiceId::PREFIX => Invoice::load(context, parse_id(id)?).await?.map(Node::Invoice),
        TaxRateId::PREFIX => TaxRate::load(context, parse_id(id)?).await?.map(Node::TaxRate),
        ContactImportId::PREFIX => {
            ContactImport::find(ctx, parse_id(id)?).await?.map(Node::ContactImport)
        }
        ContactExportId::PREFIX => {
            ContactExport::find(ctx, parse_id(id)?).await?.map(Node::ContactExport)
        }
        CampaignId::PREFIX => Campaign::load(context, parse_id(id)?).await?.map(Node::Campaign),
        LinkDomainId::PREFIX => {
            LinkDomain::load(context, parse_id(id)?).await?.map(Node::LinkDomain)
        }
        _ => return Err(unknown_prefix(prefix)),
    })
}

async fn find_event(context: &Context<'_>, id: EventId) -> Answer<Option<Node>> {
    let found = live::event(call(context)?, |account_id| seq_of(account_id, id)).await?;
    Ok(found.and_then(Event::of).map(|event| match event {
        Event::MessageStatusChanged(event) => Node::MessageStatusChanged(event),
        Event::MessageReceived(event) => Node::MessageReceived(event),
    }))
}

/// No object is found by an id of this prefix.
fn unknown_prefix(prefix: &str) -> Fault {
    let expected_prefix =
        ids::PREFIXES.iter().find(|known| **known == prefix).copied().unwrap_or(SenderId::PREFIX);
    Failed::InvalidId(InvalidId { expected_prefix }).into()
}
