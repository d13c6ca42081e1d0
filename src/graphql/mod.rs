//! The GraphQL contract: types and resolvers, one file a domain, over the domains' own functions.
//!
//! Resolvers parse ids, call one command or query, and give its answer a shape. They decide
//! nothing: authorization is the first line of what they call. Not here: HTTP, its limits and its
//! status codes (`http`). `schema.graphql` is printed from here, and a test fails when it drifts.

/// Balances and credit.
pub mod billing;
/// What happens to invoices and balances, as a stream.
pub mod billing_events;
/// Campaigns.
pub mod campaigns;
/// Carriers.
pub mod carriers;
/// Relay connections.
pub mod connection;
/// Contacts, lists, segments, consent.
pub mod contacts;
/// Errors as the contract shows them.
pub mod errors;
/// What the executor leaves to its schema.
mod execution;
/// Accounts, people, API keys, log-ins.
pub mod identity;
/// `ID` and the typed ids.
pub mod ids;
/// What was written of accounts.
pub mod ledger;
/// Invoices, billing profiles, taxes.
pub mod invoices;
/// Accounts' own domains for short links.
pub mod link_domains;
/// Batched reads.
pub mod loaders;
/// Messages.
pub mod messages;
/// Amounts.
pub mod money;
/// Payments.
pub mod payments;
/// Packages.
pub mod packages;
/// The interface `Node`.
pub mod node;
/// Plans.
pub mod plans;
/// Rate cards.
pub mod rate_cards;
/// Series and breakdowns of what became of messages.
pub mod rollups;
/// Routes.
pub mod routes;
/// The scalars.
pub mod scalars;
/// Senders.
pub mod senders;
/// What messages cost.
pub mod usage;
/// Vouchers.
pub mod vouchers;

use async_graphql::{Context, MergedObject, MergedSubscription, Request, SDLExportOptions};

use crate::billing::Prices;
use crate::ctx::Ctx;
use crate::error::Failed;
use crate::events::Hub;
use crate::http::Metering;
use crate::identity::IdentityService;
use crate::routing::Routes;

/// The root of reads.
#[derive(MergedObject, Default)]
pub struct Query(
    node::NodeQuery,
    identity::queries::IdentityQuery,
    senders::SendersQuery,
    carriers::CarriersQuery,
    routes::RoutesQuery,
    MoneyQuery,
    invoices::InvoicesQuery,
    invoices::CertificatesQuery,
    invoices::TaxesQuery,
    payments::PaymentsQuery,
    payments::ReconciliationQuery,
    payments::PaymentMethodsQuery,
    contacts::ContactsQuery,
    contacts::ListsQuery,
    contacts::SegmentsQuery,
    contacts::ConsentQuery,
    contacts::KeywordsQuery,
    messages::MessagesQuery,
    FiguresQuery,
    contacts::ImportsQuery,
    contacts::ExportsQuery,
);

/// Reads of money, for [`Query`]: a list of all would nest types deeper than the compiler follows.
#[derive(MergedObject, Default)]
pub struct MoneyQuery(
    billing::BillingQuery,
    ledger::LedgerQuery,
    plans::PlansQuery,
    packages::PackagesQuery,
    rate_cards::RateCardsQuery,
    vouchers::VouchersQuery,
);

/// The root of writes.
#[derive(MergedObject, Default)]
pub struct Mutation(
    identity::sessions::SessionsMutation,
    identity::sign_up::SignUpMutation,
    identity::accounts::AccountsMutation,
    identity::standing::StandingMutation,
    identity::people::PeopleMutation,
    identity::api_keys::ApiKeysMutation,
    senders::SendersMutation,
    carriers::CarriersMutation,
    routes::RoutesMutation,
    MoneyMutation,
    invoices::InvoicesMutation,
    invoices::TaxesMutation,
    payments::PaymentsMutation,
    payments::PaymentMethodsMutation,
    contacts::ContactsMutation,
    contacts::ListsMutation,
    contacts::SegmentsMutation,
    contacts::ConsentMutation,
    contacts::KeywordsMutation,
    SendingMutation,
    contacts::ImportsMutation,
    contacts::ExportsMutation,
);

/// Reads of what is above the single message. Apart, since the compiler follows a root's parts
/// only so deep.
#[derive(MergedObject, Default)]
pub struct FiguresQuery(
    rollups::RollupsQuery,
    campaigns::CampaignsQuery,
    link_domains::LinkDomainsQuery,
);

/// Writes that send. Apart for the same reason.
#[derive(MergedObject, Default)]
pub struct SendingMutation(
    messages::MessagesMutation,
    campaigns::CampaignsMutation,
    campaigns::CampaignTestsMutation,
    link_domains::LinkDomainsMutation,
);

/// Writes of money, for [`Mutation`].
#[derive(MergedObject, Default)]
pub struct MoneyMutation(
    billing::BillingMutation,
    plans::PlansMutation,
    packages::PackagesMutation,
    packages::GrantingMutation,
    rate_cards::RateCardsMutation,
    rate_cards::RatesMutation,
    vouchers::VouchersMutation,
);

/// The root of streams.
#[derive(MergedSubscription, Default)]
pub struct Subscription(
    messages::MessagesSubscription,
    billing_events::BillingSubscription,
    rollups::RollupsSubscription,
    contacts::ImportsSubscription,
    campaigns::CampaignsSubscription,
);

/// The schema, ready to execute.
pub type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

/// What resolvers use beside the caller's [`Ctx`].
pub struct Services {
    /// Log-ins and keys.
    pub identity: IdentityService,
    /// Subscriptions.
    pub hub: Hub,
    /// Which carrier serves which numbers.
    pub routes: Routes,
    /// What a part costs.
    pub prices: Prices,
    /// Points of complexity of one operation.
    pub complexity_max: usize,
}

/// The schema of a running node, whose operations are charged to their callers.
pub fn schema(services: Services) -> Schema {
    builder()
        .data(services.identity)
        .data(services.hub)
        .data(services.routes)
        .data(services.prices)
        .limit_complexity(services.complexity_max)
        .extension(Metering)
        .extension(execution::Execution)
        .finish()
}

/// The contract in the schema definition language, sorted, so that a change shows as a small
/// difference. Needs no store.
pub fn sdl() -> String {
    let options = SDLExportOptions::new()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items()
        .use_space_ident()
        .indent_width(2);
    builder().finish().sdl_with_options(options)
}

fn builder() -> async_graphql::SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(Query::default(), Mutation::default(), Subscription::default())
        .register_output_type::<errors::UserError>()
        .register_output_type::<node::Node>()
}

/// `request` with what its resolvers need of the caller: call it once for each request, also for
/// each operation on a WebSocket.
pub fn attach(request: Request, ctx: Ctx) -> Request {
    request.data(loaders::Loaders::new(ctx))
}

/// The call that a resolver works for.
///
/// # Errors
/// If the edge forgot to [`attach`] it: a fault of ours.
pub fn call<'a>(context: &Context<'a>) -> Result<&'a Ctx, Failed> {
    let loaders = context.data_opt::<loaders::Loaders>();
    let ctx = loaders.map(loaders::Loaders::ctx);
    ctx.ok_or_else(|| Failed::internal("a request came without its Ctx: graphql::attach it"))
}
