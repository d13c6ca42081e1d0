//! Money in the contract. Behaviour: `crate::billing`.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use entity::enums::BillingTerms as StoredTerms;
use entity::ids::AccountId;

use super::call;
use super::errors::{Answer, user_error, value_or_rejection};
use super::ids::parse_id;
use super::scalars::{CurrencyCode, Decimal};
use crate::billing::{self, Balance, CreditChange, SetCreditRejection, Unit};
use crate::error::Failed;
use crate::types::money::Micros;

/// When an account pays.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "StoredTerms")]
pub enum BillingTerms {
    /// Before it sends.
    Prepaid,
    /// By monthly invoice, up to its credit limit.
    Postpaid,
}

/// What an account has to spend.
#[derive(SimpleObject)]
pub struct AccountBalance {
    /// What it has by the ledger; negative is owed.
    posted: Decimal,
    /// What is promised to messages that no carrier took yet.
    held: Decimal,
    /// How far `posted` less `held` may go below zero.
    credit_limit: Decimal,
    /// What can still be spent: `posted` less `held` and the credit limit.
    available: Decimal,
    /// What all of these are in.
    currency: CurrencyCode,
}

impl AccountBalance {
    fn new(balance: Balance) -> Result<Self, Failed> {
        let Unit::Currency(currency) = balance.unit else {
            return Err(Failed::internal("a balance of money has a currency"));
        };
        Ok(Self {
            posted: Decimal(balance.posted),
            held: Decimal(balance.held),
            credit_limit: Decimal(balance.credit_limit),
            available: Decimal(balance.available()),
            currency: CurrencyCode(currency),
        })
    }
}

/// Reads.
#[derive(Default)]
pub struct BillingQuery;

#[Object]
impl BillingQuery {
    /// What the caller's account has to spend now. For owners, admins, developers, billing, and keys
    /// with the scope `billing:read`.
    async fn account_balance(&self, context: &Context<'_>) -> Answer<AccountBalance> {
        Ok(AccountBalance::new(billing::balance(call(context)?).await?)?)
    }
}

/// What `setCredit` takes. What is absent stays as it is.
#[derive(InputObject, Debug)]
pub struct SetCreditInput {
    /// The account, `acct_…`.
    pub account_id: ID,
    /// How far it may go below zero; above zero it pays by monthly invoice.
    pub limit: Option<Decimal>,
    /// Added to its balance; negative takes off.
    pub add_balance: Option<Decimal>,
    /// What it is charged in, if nothing was charged yet.
    pub currency: Option<CurrencyCode>,
}

/// What `setCredit` answers.
#[derive(SimpleObject)]
pub struct SetCreditPayload {
    /// What the account has then; null if nothing was changed.
    balance: Option<AccountBalance>,
    /// Why not; empty if it was.
    user_errors: Vec<SetCreditError>,
}

user_error! {
    /// Why an account's credit was not changed.
    SetCreditError,
    /// Why an account's credit was not changed, for a program to read.
    SetCreditErrorCode {
        /// There is no such account.
        AccountNotFound,
        /// A credit limit is zero or more.
        NegativeLimit,
        /// The account is charged in another currency.
        OtherCurrency,
        /// The balance would leave its range.
        OutOfRange,
    }
}

/// Writes.
#[derive(Default)]
pub struct BillingMutation;

#[Object]
impl BillingMutation {
    /// Sets an account's credit limit, and adds to its balance by a transfer of its own. For the
    /// operator's owners, admins and billing. Setting a limit is idempotent, adding is not.
    async fn set_credit(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Whose, and what.")] input: SetCreditInput,
    ) -> Answer<SetCreditPayload> {
        let account_id: AccountId = parse_id(&input.account_id)?;
        let micros = |amount: Option<Decimal>| -> Option<Micros> { amount.map(|amount| amount.0) };
        let change = CreditChange {
            limit: micros(input.limit),
            add_balance: micros(input.add_balance),
            currency: input.currency.map(|currency| currency.0),
        };
        let outcome = billing::set_credit(call(context)?, account_id, change).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(balance) => SetCreditPayload {
                balance: Some(AccountBalance::new(balance)?),
                user_errors: Vec::new(),
            },
            Err(rejection) => {
                SetCreditPayload { balance: None, user_errors: vec![credit_error(rejection)] }
            }
        })
    }
}

fn credit_error(rejection: SetCreditRejection) -> SetCreditError {
    use SetCreditErrorCode as Code;
    let (code, path): (_, &[&str]) = match rejection {
        SetCreditRejection::NoSuchAccount => (Code::AccountNotFound, &["accountId"]),
        SetCreditRejection::NegativeLimit => (Code::NegativeLimit, &["limit"]),
        SetCreditRejection::OtherCurrency => (Code::OtherCurrency, &["currency"]),
        SetCreditRejection::OutOfRange => (Code::OutOfRange, &["addBalance"]),
    };
    SetCreditError::new(code, path, rejection)
}
