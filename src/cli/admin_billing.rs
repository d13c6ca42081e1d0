//! `heliograph admin set-credit` and `verify-ledger`: money, from a shell.

use clap::Args;
use entity::ids::AccountId;
use serde_json::json;

use super::failure::Failure;
use crate::billing::{self, Balance, CreditChange};
use crate::ctx::Ctx;
use crate::error::Error;
use crate::types::money::{Currency, Micros};

/// Set how far an account may go below zero, and add to what it has
#[derive(Args, Clone, Debug)]
pub(super) struct SetCreditArgs {
    /// The account, acct_…
    #[arg(long, value_name = "ID")]
    account: AccountId,
    /// How far it may go below zero; above zero it pays by monthly invoice
    #[arg(long, value_name = "AMOUNT")]
    limit: Option<Micros>,
    /// What to add to its balance; negative takes off
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    add_balance: Option<Micros>,
    /// What it is charged in, if nothing was charged yet: ISO 4217
    #[arg(long, value_name = "CODE")]
    currency: Option<Currency>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Check every account's ledger: the chains, the sums and the holds
#[derive(Args, Clone, Debug)]
pub(super) struct VerifyLedgerArgs {
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Sets credit, and returns what to print.
///
/// # Errors
/// An account or amount that cannot be; the store's own.
pub(super) async fn set_credit(ctx: &Ctx, args: &SetCreditArgs) -> Result<String, Failure> {
    let change =
        CreditChange { limit: args.limit, add_balance: args.add_balance, currency: args.currency };
    let balance = change_credit(ctx, args.account, change).await?;
    let (currency, available) = (balance.unit.as_str().to_owned(), balance.available());
    if args.json {
        let answer = json!({
            "posted": balance.posted.to_string(),
            "held": balance.held.to_string(),
            "creditLimit": balance.credit_limit.to_string(),
            "available": available.to_string(),
            "currency": currency,
        });
        return Ok(format!("{answer}\n"));
    }
    Ok(format!(
        "{currency} {} posted, {} held, {} credit: {available} available\n",
        balance.posted, balance.held, balance.credit_limit
    ))
}

/// Gives a new account what it starts with.
///
/// # Errors
/// As [`set_credit`].
pub(super) async fn give_credit(
    ctx: &Ctx,
    account_id: AccountId,
    limit: Option<Micros>,
    add_balance: Option<Micros>,
) -> Result<(), Failure> {
    if limit.is_none() && add_balance.is_none() {
        return Ok(());
    }
    let change = CreditChange { limit, add_balance, currency: None };
    change_credit(ctx, account_id, change).await.map(drop)
}

async fn change_credit(
    ctx: &Ctx,
    account_id: AccountId,
    change: CreditChange,
) -> Result<Balance, Failure> {
    match billing::set_credit(ctx, account_id, change).await {
        Ok(balance) => Ok(balance),
        Err(Error::Rejected(rejection)) => Err(Failure::usage(rejection)),
        Err(Error::Failed(failed)) => Err(Failure::new(failed)),
    }
}

/// Checks the ledger, and returns what to print.
///
/// # Errors
/// A fault that was found; the store's own.
pub(super) async fn verify_ledger(ctx: &Ctx, args: &VerifyLedgerArgs) -> Result<String, Failure> {
    let verified = billing::verify(ctx).await.map_err(Failure::new)?;
    if let Some(fault) = verified.faults.first() {
        return Err(Failure::new(fault.clone()));
    }
    let (journals, transfers) = (verified.journals, verified.transfers);
    if args.json {
        return Ok(format!("{}\n", json!({ "journals": journals, "transfers": transfers })));
    }
    Ok(format!("{transfers} transfers in {journals} journals: all in order\n"))
}
