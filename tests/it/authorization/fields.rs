//! What can be asked for, and what it needs.

use heliograph::authz::Action::{
    self, CancelMessages, CreateAccounts, DecideSenders, ManageAccount, ManageAccounts,
    ManageApiKeys, ManageBillingProfile, ManageCampaigns, ManageCarriers, ManageConsent,
    ManageContacts, ManageCredit, ManageInvoices, ManageLinkDomains, ManageOwnSessions,
    ManagePrices, ManageProcessors, ManageSenders, Pay, ReadAccount, ReadAllAccounts,
    ReadAllBilling, ReadApiKeys, ReadBilling, ReadCampaigns, ReadCarriers, ReadContacts,
    ReadLinkDomains, ReadMessageText, ReadMessages, ReadSenders, SendMessages,
};

use self::Access::{Everybody, To};

/// What a field needs.
#[derive(Clone, Copy, Debug)]
pub enum Access {
    /// Nothing: it is how people come in.
    Everybody,
    /// The policy lets the caller do this.
    To(Action),
}

/// A kind of object that a test makes in one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Account,
    LedgerEntry,
    Person,
    ApiKey,
    Session,
    Sender,
    Carrier,
    Plan,
    Package,
    GrantedPackage,
    RateCard,
    VoucherBatch,
    Route,
    Message,
    StatusEvent,
    ReceivedEvent,
    InboundMessage,
    Invoice,
    TaxRate,
    Contact,
    ContactAttribute,
    ContactList,
    Segment,
    Suppression,
    ConsentEvent,
    InboundKeyword,
    Payment,
    PaymentMethod,
    PaymentProcessor,
    WebhookEvent,
    ReconciliationReport,
    ContactImport,
    ContactExport,
    Campaign,
    LinkDomain,
}

/// Something that can be asked for.
pub struct Field {
    /// `Root.field`.
    pub name: &'static str,
    /// What it needs.
    pub access: Access,
    /// Asks for it, with `$id` if it takes one. What it asks for changes nothing.
    pub document: &'static str,
    /// What `$id` names.
    pub takes: Option<Kind>,
    /// Whether the object is an account's, so that other accounts must not learn of it.
    pub reach: Reach,
}

/// Whose objects a field reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// None, or the caller's own without being named.
    Unnamed,
    /// Those of the caller's account.
    Account,
    /// All, for the operator.
    Platform,
}

const fn unnamed(name: &'static str, access: Access, document: &'static str) -> Field {
    Field { name, access, document, takes: None, reach: Reach::Unnamed }
}

const fn of_account(
    name: &'static str,
    access: Access,
    kind: Kind,
    document: &'static str,
) -> Field {
    Field { name, access, document, takes: Some(kind), reach: Reach::Account }
}

const fn of_platform(
    name: &'static str,
    access: Access,
    kind: Kind,
    document: &'static str,
) -> Field {
    Field { name, access, document, takes: Some(kind), reach: Reach::Platform }
}

/// Every root field. Those that end a caller's log-in come last.
pub const FIELDS: &[Field] = &[
    unnamed("Query.viewer", To(ReadAccount), "{ viewer { account { id } } }"),
    unnamed("Query.account", To(ReadAccount), "{ account { id } }"),
    unnamed("Query.accounts", To(ReadAllAccounts), "{ accounts { nodes { id } } }"),
    unnamed("Query.apiKeys", To(ReadApiKeys), "{ apiKeys { nodes { id } totalCount } }"),
    unnamed("Query.sessions", To(ManageOwnSessions), "{ sessions { nodes { id } totalCount } }"),
    unnamed("Query.senders", To(ReadSenders), "{ senders { nodes { id } totalCount } }"),
    unnamed("Query.allSenders", To(DecideSenders), "{ allSenders { nodes { id } totalCount } }"),
    unnamed("Query.carriers", To(ReadCarriers), "{ carriers { nodes { id } } }"),
    unnamed("Query.routes", To(ReadCarriers), "{ routes { nodes { id } } }"),
    unnamed("Query.rateCards", To(ManagePrices), "{ rateCards { nodes { id } } }"),
    unnamed("Query.plans", To(ManagePrices), "{ plans { nodes { id } } }"),
    unnamed("Query.planSubscription", To(ReadBilling), "{ planSubscription { startedAt } }"),
    unnamed("Query.packages", To(ReadBilling), "{ packages { nodes { id } } }"),
    unnamed("Query.packageCatalog", To(ManagePrices), "{ packageCatalog { nodes { id } } }"),
    unnamed("Query.grantedPackages", To(ReadBilling), "{ grantedPackages { nodes { id } } }"),
    unnamed("Query.voucherBatches", To(ManagePrices), "{ voucherBatches { nodes { id } } }"),
    unnamed("Query.ledgerEntries", To(ReadBilling), "{ ledgerEntries { nodes { id } } }"),
    unnamed(
        "Query.usage",
        To(ReadBilling),
        "{ usage(input: { from: \"2026-01-01\", to: \"2026-01-02\" }) { total { messages } } }",
    ),
    of_platform(
        "Query.accountBilling",
        To(ReadAllBilling),
        Kind::Account,
        "query($id: ID!) { accountBilling(accountId: $id) { balance { posted } } }",
    ),
    unnamed("Query.payments", To(ReadBilling), "{ payments { nodes { id } totalCount } }"),
    of_account(
        "Query.payment",
        To(ReadBilling),
        Kind::Payment,
        "query($id: ID!) { payment(id: $id) { id status } }",
    ),
    unnamed("Query.paymentMethods", To(ReadBilling), "{ paymentMethods { id } }"),
    unnamed("Query.automaticTopUp", To(ReadBilling), "{ automaticTopUp { isEnabled } }"),
    unnamed("Query.processors", To(ManageProcessors), "{ processors { id } }"),
    unnamed(
        "Query.webhookEvents",
        To(ReadAllBilling),
        "{ webhookEvents { nodes { id } totalCount } }",
    ),
    unnamed(
        "Query.reconciliationReports",
        To(ReadAllBilling),
        "{ reconciliationReports { nodes { id } totalCount } }",
    ),
    of_account(
        "Query.contact",
        To(ReadContacts),
        Kind::Contact,
        "query($id: ID!) { contact(id: $id) { id } }",
    ),
    unnamed(
        "Query.contacts",
        To(ReadContacts),
        "{ contacts { nodes { id } totalCount } }",
    ),
    unnamed(
        "Query.contactAttributes",
        To(ReadContacts),
        "{ contactAttributes { id } }",
    ),
    of_account(
        "Query.list",
        To(ReadContacts),
        Kind::ContactList,
        "query($id: ID!) { list(id: $id) { id } }",
    ),
    unnamed(
        "Query.lists",
        To(ReadContacts),
        "{ lists { nodes { id } totalCount } }",
    ),
    of_account(
        "Query.segment",
        To(ReadContacts),
        Kind::Segment,
        "query($id: ID!) { segment(id: $id) { id } }",
    ),
    unnamed(
        "Query.segments",
        To(ReadContacts),
        "{ segments { nodes { id } totalCount } }",
    ),
    unnamed("Query.keywords", To(ReadContacts), "{ keywords { id } }"),
    unnamed(
        "Query.suppressions",
        To(ReadContacts),
        "{ suppressions { nodes { id } totalCount } }",
    ),
    unnamed(
        "Query.consentEvents",
        To(ReadContacts),
        "{ consentEvents { nodes { id } totalCount } }",
    ),
    of_account(
        "Query.contactImport",
        To(ReadContacts),
        Kind::ContactImport,
        "query($id: ID!) { contactImport(id: $id) { id } }",
    ),
    unnamed(
        "Query.contactImports",
        To(ReadContacts),
        "{ contactImports { nodes { id } totalCount } }",
    ),
    unnamed(
        "Subscription.contactImportProgress",
        To(ReadContacts),
        "subscription { contactImportProgress(importId: \"cimp_00000000000000000000000000\") {
            import { id } } }",
    ),
    of_account(
        "Query.contactExport",
        To(ReadContacts),
        Kind::ContactExport,
        "query($id: ID!) { contactExport(id: $id) { id } }",
    ),
    unnamed(
        "Query.contactExports",
        To(ReadContacts),
        "{ contactExports { nodes { id } totalCount } }",
    ),
    unnamed("Query.accountBalance", To(ReadBilling), "{ accountBalance { posted } }"),
    unnamed("Query.messages", To(ReadMessages), "{ messages { nodes { id } } }"),
    unnamed("Query.inboundMessages", To(ReadMessages), "{ inboundMessages { nodes { id } } }"),
    of_account(
        "Query.message",
        To(ReadMessages),
        Kind::Message,
        "query($id: ID!) { message(id: $id) { id status } }",
    ),
    // By the id of a message; the other types: NODES.
    of_account(
        "Query.node",
        To(ReadMessages),
        Kind::Message,
        "query($id: ID!) { node(id: $id) { id } }",
    ),
    of_account(
        "Query.nodes",
        To(ReadMessages),
        Kind::Message,
        "query($id: ID!) { nodes(ids: [$id]) { id } }",
    ),
    of_account(
        "Query.campaign",
        To(ReadCampaigns),
        Kind::Campaign,
        "query($id: ID!) { campaign(id: $id) { id status } }",
    ),
    unnamed("Query.campaigns", To(ReadCampaigns), "{ campaigns { nodes { id } } }"),
    unnamed("Query.linkDomains", To(ReadLinkDomains), "{ linkDomains { nodes { id } totalCount } }"),
    unnamed(
        "Mutation.createLinkDomain",
        To(ManageLinkDomains),
        "mutation { createLinkDomain(input: { host: \"\" }) { userErrors { code } } }",
    ),
    of_account(
        "Mutation.verifyLinkDomain",
        To(ManageLinkDomains),
        Kind::LinkDomain,
        "mutation($id: ID!) { verifyLinkDomain(input: { linkDomainId: $id }) {
            userErrors { code } } }",
    ),
    of_account(
        "Mutation.deleteLinkDomain",
        To(ManageLinkDomains),
        Kind::LinkDomain,
        "mutation($id: ID!) { deleteLinkDomain(input: { linkDomainId: $id }) {
            userErrors { code } } }",
    ),
    // There is no such campaign, and whoever may ask is told so.
    unnamed(
        "Subscription.campaignProgress",
        To(ReadCampaigns),
        "subscription { campaignProgress(campaignId: \"camp_00000000000000000000000000\") {
            campaign { id } } }",
    ),
    of_account(
        "Mutation.previewCampaign",
        To(ManageCampaigns),
        Kind::Campaign,
        "mutation($id: ID!) { previewCampaign(input: { campaignId: $id }) {
            preview { recipients } userErrors { code } } }",
    ),
    of_account(
        "Mutation.sendCampaignTest",
        To(ManageCampaigns),
        Kind::Campaign,
        "mutation($id: ID!) { sendCampaignTest(input: { campaignId: $id, idempotencyKey: \"\",
            to: [] }) { userErrors { code } } }",
    ),
    unnamed(
        "Mutation.createCampaign",
        To(ManageCampaigns),
        "mutation { createCampaign(input: { name: \"\", sender: \"\", text: \"\", audience: {} }) {
            userErrors { code } } }",
    ),
    of_account(
        "Mutation.updateCampaign",
        To(ManageCampaigns),
        Kind::Campaign,
        "mutation($id: ID!) { updateCampaign(input: { campaignId: $id, version: 0 }) {
            userErrors { code } } }",
    ),
    of_account(
        "Mutation.scheduleCampaign",
        To(ManageCampaigns),
        Kind::Campaign,
        "mutation($id: ID!) { scheduleCampaign(input: { campaignId: $id }) {
            userErrors { code } } }",
    ),
    of_account(
        "Mutation.startCampaign",
        To(ManageCampaigns),
        Kind::Campaign,
        "mutation($id: ID!) { startCampaign(input: { campaignId: $id }) {
            userErrors { code } } }",
    ),
    of_account(
        "Mutation.pauseCampaign",
        To(ManageCampaigns),
        Kind::Campaign,
        "mutation($id: ID!) { pauseCampaign(input: { campaignId: $id }) {
            userErrors { code } } }",
    ),
    of_account(
        "Mutation.resumeCampaign",
        To(ManageCampaigns),
        Kind::Campaign,
        "mutation($id: ID!) { resumeCampaign(input: { campaignId: $id }) {
            userErrors { code } } }",
    ),
    of_account(
        "Mutation.retryFailedCampaign",
        To(ManageCampaigns),
        Kind::Campaign,
        "mutation($id: ID!) { retryFailedCampaign(input: { campaignId: $id }) {
            userErrors { code } } }",
    ),
    of_account(
        "Mutation.cancelCampaign",
        To(ManageCampaigns),
        Kind::Campaign,
        "mutation($id: ID!) { cancelCampaign(input: { campaignId: $id }) {
            userErrors { code } } }",
    ),
    unnamed("Subscription.messageEvents", To(ReadMessages), EVENTS),
    unnamed("Subscription.billingEvents", To(ReadBilling), BILLING_EVENTS),
    unnamed(
        "Subscription.metricsLive",
        To(ReadMessages),
        "subscription { metricsLive(minutes: 1) { asOf } }",
    ),
    unnamed(
        "Query.metrics",
        To(ReadMessages),
        "{ metrics(input: { from: \"2026-01-05T00:00:00Z\", to: \"2026-01-06T00:00:00Z\" }) \
         { interval } }",
    ),
    unnamed(
        "Query.breakdown",
        To(ReadMessages),
        "{ breakdown(input: { from: \"2026-01-05T00:00:00Z\", to: \"2026-01-06T00:00:00Z\", \
         by: COUNTRY }) { totals { accepted } } }",
    ),
    unnamed("Query.billingProfile", To(ReadBilling), "{ billingProfile { legalName } }"),
    unnamed("Query.taxRates", To(ReadAllBilling), "{ taxRates { id } }"),
    unnamed("Query.invoices", To(ReadBilling), "{ invoices { nodes { id } totalCount } }"),
    unnamed("Query.allInvoices", To(ReadAllBilling), "{ allInvoices { nodes { id } } }"),
    of_account(
        "Query.invoice",
        To(ReadBilling),
        Kind::Invoice,
        "query($id: ID!) { invoice(id: $id) { id status } }",
    ),
    unnamed(
        "Query.withholdingCertificate",
        To(ReadBilling),
        "{ withholdingCertificate(year: 2026) { year } }",
    ),
    unnamed(
        "Mutation.setBillingProfile",
        To(ManageBillingProfile),
        "mutation { setBillingProfile(input: { legalName: \"\", line1: \"\", city: \"\",
            country: \"\", email: \"\" }) { userErrors { code } } }",
    ),
    unnamed(
        "Mutation.createTaxRate",
        To(ManagePrices),
        "mutation { createTaxRate(input: { name: \"\", percentage: \"1\" }) { userErrors { code } } }",
    ),
    of_platform(
        "Mutation.archiveTaxRate",
        To(ManagePrices),
        Kind::TaxRate,
        "mutation($id: ID!) { archiveTaxRate(input: { taxRateId: $id }) { userErrors { code } } }",
    ),
    of_platform(
        "Mutation.setAccountTaxRates",
        To(ManagePrices),
        Kind::Account,
        "mutation($id: ID!) { setAccountTaxRates(input: { accountId: $id, taxRateIds: [] }) {
            userErrors { code } } }",
    ),
    of_platform(
        "Mutation.createInvoice",
        To(ManageInvoices),
        Kind::Account,
        "mutation($id: ID!) { createInvoice(input: { accountId: $id }) { userErrors { code } } }",
    ),
    of_platform(
        "Mutation.addInvoiceLine",
        To(ManageInvoices),
        Kind::Invoice,
        "mutation($id: ID!) { addInvoiceLine(input: { invoiceId: $id, description: \"x\",
            amount: \"1\" }) { userErrors { code } } }",
    ),
    of_platform(
        "Mutation.removeInvoiceLine",
        To(ManageInvoices),
        Kind::Invoice,
        "mutation($id: ID!) { removeInvoiceLine(input: { invoiceId: $id, number: 1 }) {
            userErrors { code } } }",
    ),
    of_platform(
        "Mutation.finalizeInvoice",
        To(ManageInvoices),
        Kind::Invoice,
        "mutation($id: ID!) { finalizeInvoice(input: { invoiceId: $id }) { userErrors { code } } }",
    ),
    of_platform(
        "Mutation.voidInvoice",
        To(ManageInvoices),
        Kind::Invoice,
        "mutation($id: ID!) { voidInvoice(input: { invoiceId: $id, reason: \"x\" }) {
            userErrors { code } } }",
    ),
    of_platform(
        "Mutation.markUncollectible",
        To(ManageInvoices),
        Kind::Invoice,
        "mutation($id: ID!) { markUncollectible(input: { invoiceId: $id }) { userErrors { code } } }",
    ),
    of_platform(
        "Mutation.extendInvoice",
        To(ManageInvoices),
        Kind::Invoice,
        "mutation($id: ID!) { extendInvoice(input: { invoiceId: $id, dueAt: \"2000-01-01T00:00:00Z\" }) {
            userErrors { code } } }",
    ),
    of_platform(
        "Mutation.discardInvoice",
        To(ManageInvoices),
        Kind::Invoice,
        "mutation($id: ID!) { discardInvoice(input: { invoiceId: $id }) { userErrors { code } } }",
    ),
    of_platform(
        "Mutation.recordWithholding",
        To(ManageInvoices),
        Kind::Invoice,
        "mutation($id: ID!) { recordWithholding(input: { invoiceId: $id, amount: \"0\",
            idempotencyKey: \"x\" }) { userErrors { code } } }",
    ),
    of_platform(
        "Mutation.createCreditNote",
        To(ManageInvoices),
        Kind::Invoice,
        "mutation($id: ID!) { createCreditNote(input: { invoiceId: $id, reason: \"x\", lines: [],
            idempotencyKey: \"x\" }) { userErrors { code } } }",
    ),
    of_platform(
        "Mutation.recordPayment",
        To(ManageInvoices),
        Kind::Invoice,
        "mutation($id: ID!) { recordPayment(input: { invoiceId: $id, amount: \"1\",
            reference: \"x\", idempotencyKey: \"x\" }) { userErrors { code } } }",
    ),
    unnamed(
        "Mutation.logIn",
        Everybody,
        "mutation { logIn(input: { email: \"\", password: \"\" }) { userErrors { code } } }",
    ),
    unnamed(
        "Mutation.refreshSession",
        Everybody,
        "mutation { refreshSession(input: { refreshToken: \"\" }) { userErrors { code } } }",
    ),
    unnamed(
        "Mutation.signUp",
        Everybody,
        "mutation { signUp(input: { accountName: \"\", email: \"\", password: \"\", name: \"\" }) {
            userErrors { code } } }",
    ),
    unnamed(
        "Mutation.acceptOwnerLink",
        Everybody,
        "mutation { acceptOwnerLink(input: { token: \"\", password: \"\", name: \"x\" }) {
            userErrors { code } } }",
    ),
    unnamed(
        "Mutation.createAccount",
        To(CreateAccounts),
        "mutation { createAccount(input: { name: \"\", ownerEmail: \"\" }) { userErrors { code } } }",
    ),
    of_platform(
        "Mutation.suspendAccount",
        To(ManageAccounts),
        Kind::Account,
        "mutation($id: ID!) { suspendAccount(input: { accountId: $id }) { userErrors { code } } }",
    ),
    of_platform(
        "Mutation.reactivateAccount",
        To(ManageAccounts),
        Kind::Account,
        "mutation($id: ID!) { reactivateAccount(input: { accountId: $id }) {
            userErrors { code } } }",
    ),
    of_platform(
        "Mutation.reissueOwnerLink",
        To(ManageAccounts),
        Kind::Account,
        "mutation($id: ID!) { reissueOwnerLink(input: { accountId: $id }) {
            userErrors { code } } }",
    ),
    of_platform(
        "Mutation.setRole",
        To(ManageAccounts),
        Kind::Account,
        "mutation($id: ID!) { setRole(input: { accountId: $id, email: \"\", role: VIEWER }) {
            userErrors { code } } }",
    ),
    of_platform(
        "Mutation.removePerson",
        To(ManageAccounts),
        Kind::Account,
        "mutation($id: ID!) { removePerson(input: { accountId: $id, email: \"\" }) {
            userErrors { code } } }",
    ),
    unnamed(
        "Mutation.updateAccount",
        To(ManageAccount),
        "mutation { updateAccount(input: { name: \"\" }) { userErrors { code } } }",
    ),
    unnamed(
        "Mutation.createApiKey",
        To(ManageApiKeys),
        "mutation { createApiKey(input: { name: \"x\", mode: TEST, scopes: [] }) {
            userErrors { code } } }",
    ),
    of_account(
        "Mutation.rotateApiKey",
        To(ManageApiKeys),
        Kind::ApiKey,
        "mutation($id: ID!) { rotateApiKey(input: { apiKeyId: $id }) { userErrors { code } } }",
    ),
    of_account(
        "Mutation.revokeApiKey",
        To(ManageApiKeys),
        Kind::ApiKey,
        "mutation($id: ID!) { revokeApiKey(input: { apiKeyId: $id }) { userErrors { code } } }",
    ),
    unnamed(
        "Mutation.createContactAttribute",
        To(ManageContacts),
        "mutation { createContactAttribute(input: { key: \"\", kind: TEXT }) {
            userErrors { code } } }",
    ),
    unnamed(
        "Mutation.createContact",
        To(ManageContacts),
        "mutation { createContact(input: { number: \"\" }) {
            userErrors { code } } }",
    ),
    of_account(
        "Mutation.updateContact",
        To(ManageContacts),
        Kind::Contact,
        "mutation($id: ID!) { updateContact(input: { contactId: $id }) {
            userErrors { code } } }",
    ),
    unnamed(
        "Mutation.createList",
        To(ManageContacts),
        "mutation { createList(input: { name: \"\" }) {
            userErrors { code } } }",
    ),
    of_account(
        "Mutation.updateList",
        To(ManageContacts),
        Kind::ContactList,
        "mutation($id: ID!) { updateList(input: { listId: $id, name: \"x\" }) {
            userErrors { code } } }",
    ),
    of_account(
        "Mutation.addToList",
        To(ManageContacts),
        Kind::ContactList,
        "mutation($id: ID!) { addToList(input: { listId: $id, contactIds: [\"cont_00000000000000000000000000\"] }) {
            userErrors { code } } }",
    ),
    of_account(
        "Mutation.removeFromList",
        To(ManageContacts),
        Kind::ContactList,
        "mutation($id: ID!) { removeFromList(input: { listId: $id, contactIds: [\"cont_00000000000000000000000000\"] }) {
            userErrors { code } } }",
    ),
    unnamed(
        "Mutation.createSegment",
        To(ManageContacts),
        "mutation { createSegment(input: { name: \"\", condition: { tag: \"x\" } }) {
            userErrors { code } } }",
    ),
    of_account(
        "Mutation.updateSegment",
        To(ManageContacts),
        Kind::Segment,
        "mutation($id: ID!) { updateSegment(input: { segmentId: $id }) {
            userErrors { code } } }",
    ),
    of_account(
        "Mutation.deleteSegment",
        To(ManageContacts),
        Kind::Segment,
        "mutation($id: ID!) { deleteSegment(input: { segmentId: $id }) {
            userErrors { code } } }",
    ),
    of_account(
        "Mutation.recordConsent",
        To(ManageConsent),
        Kind::Contact,
        "mutation($id: ID!) { recordConsent(input: { whose: { contactId: $id }, granted: true,
            scope: { account: true }, source: PAPER, wording: \"x\" }) {
            userErrors { code } } }",
    ),
    unnamed(
        "Mutation.suppress",
        To(ManageConsent),
        "mutation { suppress(input: { numbers: [], scope: { account: true }, reason: MANUAL }) {
            userErrors { code } } }",
    ),
    unnamed(
        "Mutation.unsuppress",
        To(ManageConsent),
        "mutation { unsuppress(input: { numbers: [], scope: { account: true }, note: \"x\" }) {
            userErrors { code } } }",
    ),
    unnamed(
        "Mutation.createKeyword",
        To(ManageContacts),
        "mutation { createKeyword(input: { word: \"\", action: HELP }) { userErrors { code } } }",
    ),
    of_account(
        "Mutation.deleteKeyword",
        To(ManageContacts),
        Kind::InboundKeyword,
        "mutation($id: ID!) { deleteKeyword(input: { keywordId: $id }) { userErrors { code } } }",
    ),
    of_account(
        "Mutation.deleteContactAttribute",
        To(ManageContacts),
        Kind::ContactAttribute,
        "mutation($id: ID!) { deleteContactAttribute(input: { attributeId: $id }) {
            userErrors { code } } }",
    ),
    of_account(
        "Mutation.deleteList",
        To(ManageContacts),
        Kind::ContactList,
        "mutation($id: ID!) { deleteList(input: { listId: $id }) {
            userErrors { code } } }",
    ),
    of_account(
        "Mutation.deleteContact",
        To(ManageContacts),
        Kind::Contact,
        "mutation($id: ID!) { deleteContact(input: { contactId: $id }) {
            userErrors { code } } }",
    ),
    unnamed(
        "Mutation.registerSender",
        To(ManageSenders),
        "mutation { registerSender(input: { value: \"\" }) { userErrors { code } } }",
    ),
    of_platform(
        "Mutation.approveSender",
        To(DecideSenders),
        Kind::Sender,
        "mutation($id: ID!) { approveSender(input: { senderId: $id }) { userErrors { code } } }",
    ),
    of_platform(
        "Mutation.rejectSender",
        To(DecideSenders),
        Kind::Sender,
        "mutation($id: ID!) { rejectSender(input: { senderId: $id, reason: \"x\" }) {
            userErrors { code } } }",
    ),
    unnamed(
        "Mutation.sendMessages",
        To(SendMessages),
        "mutation { sendMessages(input: { idempotencyKey: \"x\", messages: [] }) {
            userErrors { code } } }",
    ),
    unnamed(
        "Mutation.estimateMessages",
        To(SendMessages),
        "mutation { estimateMessages(input: { messages: [] }) { userErrors { code } } }",
    ),
    of_account(
        "Mutation.cancelMessages",
        To(CancelMessages),
        Kind::Message,
        "mutation($id: ID!) { cancelMessages(input: { messageIds: [$id] }) {
            results { error { code } } userErrors { code } } }",
    ),
    unnamed(
        "Mutation.startTopUp",
        To(Pay),
        "mutation { startTopUp(input: { idempotencyKey: \"\", amount: \"1\", currency: \"USD\",
            processor: STRIPE }) { userErrors { code } } }",
    ),
    of_account(
        "Mutation.startInvoicePayment",
        To(Pay),
        Kind::Invoice,
        "mutation($id: ID!) { startInvoicePayment(input: { idempotencyKey: \"k\", invoiceId: $id,
            processor: PAYSTACK }) { payment { id } userErrors { code } } }",
    ),
    of_account(
        "Mutation.payInvoice",
        To(Pay),
        Kind::Invoice,
        "mutation($id: ID!) { payInvoice(input: { invoiceId: $id, idempotencyKey: \"k\" }) {
            invoice { id } userErrors { code } } }",
    ),
    of_account(
        "Mutation.setAutomaticTopUp",
        To(Pay),
        Kind::PaymentMethod,
        "mutation($id: ID!) { setAutomaticTopUp(input: { threshold: \"1\", amount: \"1\",
            currency: \"USD\", paymentMethodId: $id }) { userErrors { code } } }",
    ),
    of_account(
        "Mutation.removePaymentMethod",
        To(Pay),
        Kind::PaymentMethod,
        "mutation($id: ID!) { removePaymentMethod(input: { paymentMethodId: $id }) {
            paymentMethod { id } userErrors { code } } }",
    ),
    unnamed(
        "Mutation.disableAutomaticTopUp",
        To(Pay),
        "mutation { disableAutomaticTopUp { userErrors { code } } }",
    ),
    of_platform(
        "Mutation.refundPayment",
        To(ManageCredit),
        Kind::Payment,
        "mutation($id: ID!) { refundPayment(input: { idempotencyKey: \"\", paymentId: $id }) {
            userErrors { code } } }",
    ),
    of_platform(
        "Mutation.retryWebhookEvent",
        To(ManageCredit),
        Kind::WebhookEvent,
        "mutation($id: ID!) { retryWebhookEvent(input: { webhookEventId: $id }) {
            userErrors { code } } }",
    ),
    unnamed(
        "Mutation.addProcessor",
        To(ManageProcessors),
        "mutation { addProcessor(input: { kind: STRIPE, webhookSecret: \"\" }) {
            userErrors { code } } }",
    ),
    of_platform(
        "Mutation.rotateProcessorSecret",
        To(ManageProcessors),
        Kind::PaymentProcessor,
        "mutation($id: ID!) { rotateProcessorSecret(input: { processorId: $id, webhookSecret: \"\" }) {
            userErrors { code } } }",
    ),
    unnamed(
        "Mutation.setCredit",
        To(ManageCredit),
        "mutation { setCredit(input: { accountId: \"acct_00000000000000000000000000\", limit: \"-1\" }) {
            userErrors { code } } }",
    ),
    unnamed(
        "Mutation.createPlan",
        To(ManagePrices),
        "mutation { createPlan(input: { name: \"\", currency: \"USD\", monthlyPrice: \"1\" }) {
            userErrors { code } } }",
    ),
    of_platform(
        "Mutation.updatePlan",
        To(ManagePrices),
        Kind::Plan,
        "mutation($id: ID!) { updatePlan(input: { planId: $id }) { userErrors { code } } }",
    ),
    of_platform(
        "Mutation.deletePlan",
        To(ManagePrices),
        Kind::Plan,
        "mutation($id: ID!) { deletePlan(input: { planId: $id }) { userErrors { code } } }",
    ),
    of_platform(
        "Mutation.subscribeAccount",
        To(ManagePrices),
        Kind::Account,
        "mutation($id: ID!) { subscribeAccount(input: { accountId: $id,
            planId: \"plan_00000000000000000000000000\" }) { userErrors { code } } }",
    ),
    of_platform(
        "Mutation.unsubscribeAccount",
        To(ManagePrices),
        Kind::Account,
        "mutation($id: ID!) { unsubscribeAccount(input: { accountId: $id }) { userErrors { code } } }",
    ),
    unnamed(
        "Mutation.createPackage",
        To(ManagePrices),
        "mutation { createPackage(input: { name: \"\", currency: \"USD\", price: \"1\", parts: 1,
            validFor: { unit: DAYS, count: 1 } }) { userErrors { code } } }",
    ),
    of_platform(
        "Mutation.updatePackage",
        To(ManagePrices),
        Kind::Package,
        "mutation($id: ID!) { updatePackage(input: { packageId: $id, price: \"-1\" }) {
            userErrors { code } } }",
    ),
    unnamed(
        "Mutation.importPackages",
        To(ManagePrices),
        "mutation { importPackages(input: { csv: \"\" }) { userErrors { code } } }",
    ),
    of_platform(
        "Mutation.grantPackage",
        To(ManagePrices),
        Kind::Package,
        "mutation($id: ID!) { grantPackage(input: { idempotencyKey: \"\", packageId: $id,
            accountId: \"acct_00000000000000000000000000\" }) { userErrors { code } } }",
    ),
    of_platform(
        "Mutation.buyPackage",
        To(Pay),
        Kind::Package,
        "mutation($id: ID!) { buyPackage(input: { idempotencyKey: \"\", packageId: $id }) {
            userErrors { code } } }",
    ),
    of_platform(
        "Mutation.revokePackage",
        To(ManagePrices),
        Kind::GrantedPackage,
        "mutation($id: ID!) { revokePackage(input: { grantedPackageId: $id, refund: \"-1\" }) {
            userErrors { code } } }",
    ),
    of_platform(
        "Mutation.archivePackage",
        To(ManagePrices),
        Kind::Package,
        "mutation($id: ID!) { archivePackage(input: { packageId: $id }) { userErrors { code } } }",
    ),
    unnamed(
        "Mutation.createVouchers",
        To(ManagePrices),
        "mutation { createVouchers(input: { count: 0, amount: \"1\", currency: \"USD\",
            expiresAt: \"2026-11-22T00:00:00Z\" }) { userErrors { code } } }",
    ),
    unnamed(
        "Mutation.redeemVoucher",
        To(Pay),
        "mutation { redeemVoucher(input: { idempotencyKey: \"x\", code: \"\" }) {
            userErrors { code } } }",
    ),
    unnamed(
        "Mutation.createRateCard",
        To(ManagePrices),
        "mutation { createRateCard(input: { name: \"\", currency: \"USD\" }) { userErrors { code } } }",
    ),
    of_platform(
        "Mutation.updateRateCard",
        To(ManagePrices),
        Kind::RateCard,
        "mutation($id: ID!) { updateRateCard(input: { rateCardId: $id }) { userErrors { code } } }",
    ),
    of_platform(
        "Mutation.deleteRateCard",
        To(ManagePrices),
        Kind::RateCard,
        "mutation($id: ID!) { deleteRateCard(input: { rateCardId: $id }) { userErrors { code } } }",
    ),
    of_platform(
        "Mutation.assignRateCard",
        To(ManagePrices),
        Kind::Account,
        "mutation($id: ID!) { assignRateCard(input: { accountId: $id }) { userErrors { code } } }",
    ),
    of_platform(
        "Mutation.setRates",
        To(ManagePrices),
        Kind::RateCard,
        "mutation($id: ID!) { setRates(input: { rateCardId: $id, rates: [] }) { userErrors { code } } }",
    ),
    of_platform(
        "Mutation.removeRates",
        To(ManagePrices),
        Kind::RateCard,
        "mutation($id: ID!) { removeRates(input: { rateCardId: $id, rates: [] }) {
            userErrors { code } } }",
    ),
    of_platform(
        "Mutation.importRates",
        To(ManagePrices),
        Kind::RateCard,
        "mutation($id: ID!) { importRates(input: { rateCardId: $id, csv: \"\" }) {
            userErrors { code } } }",
    ),
    unnamed(
        "Mutation.addCarrier",
        To(ManageCarriers),
        "mutation { addCarrier(input: { name: \"\", smpp: { address: \"\", systemId: \"\",
            password: \"\" } }) { userErrors { code } } }",
    ),
    of_platform(
        "Mutation.updateCarrier",
        To(ManageCarriers),
        Kind::Carrier,
        "mutation($id: ID!) { updateCarrier(input: { carrierId: $id }) { userErrors { code } } }",
    ),
    of_platform(
        "Mutation.enableCarrier",
        To(ManageCarriers),
        Kind::Carrier,
        "mutation($id: ID!) { enableCarrier(input: { carrierId: $id }) { userErrors { code } } }",
    ),
    of_platform(
        "Mutation.disableCarrier",
        To(ManageCarriers),
        Kind::Carrier,
        "mutation($id: ID!) { disableCarrier(input: { carrierId: $id }) { userErrors { code } } }",
    ),
    of_platform(
        "Mutation.createRoute",
        To(ManageCarriers),
        Kind::Carrier,
        "mutation($id: ID!) { createRoute(input: { prefix: \"+1\", carrierId: $id }) {
            userErrors { code } } }",
    ),
    of_platform(
        "Mutation.updateRoute",
        To(ManageCarriers),
        Kind::Route,
        "mutation($id: ID!) { updateRoute(input: { routeId: $id, nationalLanguages: [TURKISH] }) {
            userErrors { code } } }",
    ),
    of_platform(
        "Mutation.deleteRoute",
        To(ManageCarriers),
        Kind::Route,
        "mutation($id: ID!) { deleteRoute(input: { routeId: $id }) { userErrors { code } } }",
    ),
    unnamed(
        "Mutation.importContacts",
        To(ManageContacts),
        "mutation { importContacts(input: { tags: [\"\"] }) { userErrors { code } } }",
    ),
    of_account(
        "Mutation.cancelContactImport",
        To(ManageContacts),
        Kind::ContactImport,
        "mutation($id: ID!) { cancelContactImport(input: { importId: $id }) {
            import { id } userErrors { code } } }",
    ),
    unnamed(
        "Mutation.exportContacts",
        To(ManageContacts),
        "mutation { exportContacts(input: { segmentId: \"segm_00000000000000000000000000\" }) {
            userErrors { code } } }",
    ),
    of_account(
        "Mutation.logOut",
        To(ManageOwnSessions),
        Kind::Session,
        "mutation($id: ID!) { logOut(input: { sessionId: $id }) { userErrors { code } } }",
    ),
    unnamed(
        "Mutation.logOutEverywhere",
        To(ManageOwnSessions),
        "mutation { logOutEverywhere { endedSessionCount } }",
    ),
];

/// From the beginning of the log (the cursor of event 0), so that there is a first event at once.
pub const EVENTS: &str =
    "subscription { messageEvents(after: \"AQEAAAAAAAAAAA\") { id __typename } }";

/// The same of money: any event is followed by what the balance is.
const BILLING_EVENTS: &str =
    "subscription { billingEvents(after: \"AQEAAAAAAAAAAA\") { __typename } }";

/// A type whose objects are found by id.
pub struct NodeKind {
    /// Its name.
    pub name: &'static str,
    /// Which object of it.
    pub kind: Kind,
    /// What those in the object's account need to see it.
    pub inside: Action,
    /// What those in other accounts need; `None`: they never do.
    pub outside: Option<Action>,
}

const fn inside(name: &'static str, kind: Kind, action: Action) -> NodeKind {
    NodeKind { name, kind, inside: action, outside: None }
}

/// Every type that is a `Node`. A log-in is seen by its person alone, which `Caller::sees` adds.
pub const NODES: &[NodeKind] = &[
    NodeKind { outside: Some(ReadAllAccounts), ..inside("Account", Kind::Account, ReadAccount) },
    inside("LedgerEntry", Kind::LedgerEntry, ReadBilling),
    inside("Person", Kind::Person, ReadAccount),
    inside("ApiKey", Kind::ApiKey, ReadApiKeys),
    inside("Session", Kind::Session, ManageOwnSessions),
    NodeKind { outside: Some(DecideSenders), ..inside("Sender", Kind::Sender, ReadSenders) },
    NodeKind { outside: Some(ReadCarriers), ..inside("Carrier", Kind::Carrier, ReadCarriers) },
    NodeKind { outside: Some(ManagePrices), ..inside("Plan", Kind::Plan, ManagePrices) },
    // On offer to every account of its currency.
    NodeKind { outside: Some(ReadBilling), ..inside("Package", Kind::Package, ReadBilling) },
    NodeKind {
        outside: Some(ReadAllBilling),
        ..inside("GrantedPackage", Kind::GrantedPackage, ReadBilling)
    },
    NodeKind { outside: Some(ManagePrices), ..inside("RateCard", Kind::RateCard, ManagePrices) },
    NodeKind {
        outside: Some(ManagePrices),
        ..inside("VoucherBatch", Kind::VoucherBatch, ManagePrices)
    },
    NodeKind { outside: Some(ReadCarriers), ..inside("Route", Kind::Route, ReadCarriers) },
    inside("Contact", Kind::Contact, ReadContacts),
    inside("ContactAttribute", Kind::ContactAttribute, ReadContacts),
    inside("ContactList", Kind::ContactList, ReadContacts),
    inside("Segment", Kind::Segment, ReadContacts),
    inside("Suppression", Kind::Suppression, ReadContacts),
    inside("ConsentEvent", Kind::ConsentEvent, ReadContacts),
    inside("InboundKeyword", Kind::InboundKeyword, ReadContacts),
    inside("ContactImport", Kind::ContactImport, ReadContacts),
    inside("ContactExport", Kind::ContactExport, ReadContacts),
    inside("Message", Kind::Message, ReadMessages),
    inside("InboundMessage", Kind::InboundMessage, ReadMessages),
    NodeKind { outside: Some(ReadAllBilling), ..inside("Payment", Kind::Payment, ReadBilling) },
    inside("PaymentMethod", Kind::PaymentMethod, ReadBilling),
    NodeKind {
        outside: Some(ManageProcessors),
        ..inside("PaymentProcessor", Kind::PaymentProcessor, ManageProcessors)
    },
    NodeKind {
        outside: Some(ReadAllBilling),
        ..inside("WebhookEvent", Kind::WebhookEvent, ReadAllBilling)
    },
    NodeKind {
        outside: Some(ReadAllBilling),
        ..inside("ReconciliationReport", Kind::ReconciliationReport, ReadAllBilling)
    },
    inside("MessageStatusChanged", Kind::StatusEvent, ReadMessages),
    inside("MessageReceived", Kind::ReceivedEvent, ReadMessages),
    NodeKind { outside: Some(ReadAllBilling), ..inside("Invoice", Kind::Invoice, ReadBilling) },
    NodeKind { outside: Some(ReadAllBilling), ..inside("TaxRate", Kind::TaxRate, ReadAllBilling) },
    inside("Campaign", Kind::Campaign, ReadCampaigns),
    inside("LinkDomain", Kind::LinkDomain, ReadLinkDomains),
];

/// A part that needs more than the whole.
pub struct Part {
    pub node: NodeKind,
    pub kind: Kind,
    pub document: &'static str,
}

/// The text of a message needs more than the message does.
pub const TEXT: Part = Part {
    node: inside("Message", Kind::Message, ReadMessageText),
    kind: Kind::Message,
    document: "query($id: ID!) { message(id: $id) { id text } }",
};
