//! What was written of an account's money, in the contract. Behaviour: `crate::billing`.

use async_graphql::{Context, Enum, ID, Object};
use entity::enums;
use entity::ids::{AccountId, GrantedPackageId, InvoiceId, PaymentId};
use uuid::Uuid;

use super::billing::AccountBalance;
use super::call;
use super::connection::{Connection, PageArguments, cost, wants_total_count};
use super::errors::Answer;
use super::ids::{parse_id, show_id};
use super::money::Money;
use super::packages::{GrantedPackage, granted_packages};
use super::plans::PlanSubscription;
use super::rate_cards::AccountTerms;
use super::rollups::{
    Breakdown, BreakdownInput, Metrics, MetricsInput, read_breakdown, read_metrics,
};
use super::scalars::{CurrencyCode, Cursor, DateTime, Decimal};
use super::usage::{Usage, UsageInput};
use crate::billing::plans;
use crate::billing::{self, Balance, EntriesOf, Entry, Terms, Whose};
use crate::rollups;
use crate::types::cursor::CursorKind;
use crate::types::money::Micros;

/// What an account's money is kept in.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::Purse")]
pub enum Purse {
    /// Money.
    Money,
    /// Credit of a package, which expires.
    Credit,
    /// Parts of messages of a package, which expire.
    Parts,
}

/// What a transfer is for.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::TransferCode")]
pub enum TransferCode {
    /// Messages that carriers took; many of them may be in one transfer.
    Messages,
    /// The operator's own: a starting balance or a correction.
    Adjustment,
    /// A payment came in.
    Payment,
    /// The processor's fee for it.
    ProcessorFee,
    /// A payment went back.
    Refund,
    /// The bank took a payment back for the time being.
    DisputeWithdrawn,
    /// The bank gave it back.
    DisputeReinstated,
    /// The processor paid out to the operator's bank.
    Payout,
    /// A voucher was redeemed.
    Voucher,
    /// A package was bought.
    PackageBought,
    /// What a package gave.
    PackageGranted,
    /// What was left of a package when it expired.
    PackageExpired,
    /// A month of a plan.
    Subscription,
    /// Tax of an invoice.
    Tax,
    /// Tax that the customer paid to the authority on the operator's behalf.
    Withholding,
    /// A credit note.
    CreditNote,
    /// What cannot be collected any more.
    WriteOff,
    /// A transfer was taken back.
    Reversal,
    /// Money whose owner was found.
    SuspenseCleared,
}

/// An entry of an account's ledger.
#[derive(Clone, Debug)]
pub struct LedgerEntry(pub Entry);

/// What a transfer gave to an account or took from it. Never changed and never removed: what was
/// wrong is corrected by another one. Read by the account's owners, admins, developers and billing,
/// keys with the scope `billing:read`, and the operator's owners, admins and billing.
#[Object]
impl LedgerEntry {
    /// The transfer's id, `tran_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.transfer_id)
    }

    /// What for.
    async fn code(&self) -> TransferCode {
        self.0.code.into()
    }

    /// What it is about, to be looked up by `node`: a payment, `pay_…`, an invoice, `inv_…`, or a
    /// package that the account has, `gpkg_…`; null for what is about none of them.
    async fn subject(&self) -> Option<String> {
        subject(self.0.code, self.0.subject_id?)
    }

    /// Of which purse.
    async fn purse(&self) -> Purse {
        self.0.purse.into()
    }

    /// How much; negative was taken. Null for parts of messages.
    async fn amount(&self) -> Option<Money> {
        self.money(self.0.amount)
    }

    /// What the account had after it; negative is owed. Null for parts of messages.
    async fn balance_after(&self) -> Option<Money> {
        self.money(self.0.balance)
    }

    /// How many parts of messages; negative were taken. Null for money and credit.
    async fn parts(&self) -> Option<Decimal> {
        self.count(self.0.amount)
    }

    /// How many parts the account had after it. Null for money and credit.
    async fn parts_after(&self) -> Option<Decimal> {
        self.count(self.0.balance)
    }

    /// When it was so.
    async fn occurred_at(&self) -> DateTime {
        self.0.occurred_at.into()
    }
}

impl LedgerEntry {
    fn money(&self, amount: Micros) -> Option<Money> {
        self.0.unit.currency().map(|currency| Money::new(amount, currency))
    }

    fn count(&self, parts: Micros) -> Option<Decimal> {
        self.0.unit.currency().is_none().then_some(Decimal(parts))
    }
}

/// The typed id of what a transfer is about.
fn subject(code: enums::TransferCode, id: Uuid) -> Option<String> {
    use enums::TransferCode as Code;
    match code {
        Code::Payment
        | Code::ProcessorFee
        | Code::Refund
        | Code::DisputeWithdrawn
        | Code::DisputeReinstated
        | Code::SuspenseCleared => Some(PaymentId(id).to_string()),
        Code::Tax | Code::Withholding | Code::CreditNote | Code::WriteOff => {
            Some(InvoiceId(id).to_string())
        }
        Code::PackageBought | Code::PackageGranted | Code::PackageExpired | Code::Messages => {
            Some(GrantedPackageId(id).to_string())
        }
        Code::Adjustment | Code::Payout | Code::Voucher | Code::Subscription | Code::Reversal => {
            None
        }
    }
}

fn of(purse: Option<Purse>, currency: Option<CurrencyCode>) -> EntriesOf {
    EntriesOf {
        purse: purse.unwrap_or(Purse::Money).into(),
        currency: currency.map(|currency| currency.0),
    }
}

async fn entries(
    context: &Context<'_>,
    whose: Whose,
    of: EntriesOf,
    arguments: &PageArguments,
) -> Answer<Connection<LedgerEntry>> {
    let (ctx, kind) = (call(context)?, CursorKind::LedgerEntries);
    let request = arguments.request(kind)?;
    let page = billing::entries(ctx, whose, of, &request).await?;
    let total = match wants_total_count(context) {
        true => Some(billing::entries_count(ctx, whose, of).await?),
        false => None,
    };
    Ok(Connection::new(kind, page.map(|entry| (entry.seq, LedgerEntry(entry))), total))
}

/// An account's money.
pub struct AccountBilling {
    account_id: AccountId,
    terms: Terms,
    balance: Balance,
}

/// What any account has and how it pays, for the operator.
#[Object]
impl AccountBilling {
    /// How the account pays, and by which prices.
    async fn terms(&self) -> AccountTerms {
        AccountTerms::new(self.account_id, self.terms)
    }

    /// What it has to spend.
    async fn balance(&self) -> Answer<AccountBalance> {
        Ok(AccountBalance::new(self.balance)?)
    }

    /// Its plan; null if it has none.
    async fn plan_subscription(&self, context: &Context<'_>) -> Answer<Option<PlanSubscription>> {
        let found = plans::subscription(call(context)?, Whose::Of(self.account_id)).await?;
        Ok(found.map(Into::into))
    }

    /// What was written of it, newest first.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn ledger_entries(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Of which purse; null or absent: `MONEY`.")] purse: Option<Purse>,
        #[graphql(desc = "In which currency; null or absent: the account's.")] currency: Option<
            CurrencyCode,
        >,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<LedgerEntry>> {
        let arguments = PageArguments { first, after, last, before };
        entries(context, Whose::Of(self.account_id), of(purse, currency), &arguments).await
    }

    /// The packages that it has and had, newest first.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn granted_packages(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<GrantedPackage>> {
        let arguments = PageArguments { first, after, last, before };
        granted_packages(context, Whose::Of(self.account_id), &arguments).await
    }

    /// What its messages cost.
    async fn usage(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which days, and by what.")] input: UsageInput,
    ) -> Answer<Usage> {
        let whose = Whose::Of(self.account_id);
        Ok(billing::usage(call(context)?, whose, &(&input).into()).await?.into())
    }

    /// What became of its messages, as series.
    #[graphql(complexity = "100 + child_complexity")]
    async fn metrics(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Of which time and messages.")] input: MetricsInput,
    ) -> Answer<Metrics> {
        read_metrics(context, rollups::Whose::Of(self.account_id), input).await
    }

    /// What became of its messages, by one of their properties, also by carrier and route.
    #[graphql(complexity = "100 + child_complexity")]
    async fn breakdown(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Of which time and messages, and by what.")] input: BreakdownInput,
    ) -> Answer<Breakdown> {
        read_breakdown(context, rollups::Whose::Of(self.account_id), input).await
    }
}

/// Reads.
#[derive(Default)]
pub struct LedgerQuery;

#[Object]
impl LedgerQuery {
    /// What was given to the caller's account and taken from it, newest first. For owners, admins,
    /// developers, billing, and keys with the scope `billing:read`.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn ledger_entries(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Of which purse; null or absent: `MONEY`.")] purse: Option<Purse>,
        #[graphql(desc = "In which currency; null or absent: the account's.")] currency: Option<
            CurrencyCode,
        >,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<LedgerEntry>> {
        let arguments = PageArguments { first, after, last, before };
        entries(context, Whose::Own, of(purse, currency), &arguments).await
    }

    /// What the messages of the caller's account cost in some days, as charts and statements show
    /// it. For owners, admins, developers, billing, and keys with the scope `billing:read`.
    async fn usage(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which days, and by what.")] input: UsageInput,
    ) -> Answer<Usage> {
        Ok(billing::usage(call(context)?, Whose::Own, &(&input).into()).await?.into())
    }

    /// Any account's money; null if there is no such account. For the operator's owners, admins and
    /// billing.
    async fn account_billing(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The account, `acct_…`.")] account_id: ID,
    ) -> Answer<Option<AccountBilling>> {
        let account_id = parse_id(&account_id)?;
        let found = billing::balance_of_account(call(context)?, account_id).await?;
        Ok(found.map(|(terms, balance)| AccountBilling { account_id, terms, balance }))
    }
}
