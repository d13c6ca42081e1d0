//! `heliograph admin create-account`, `owner-link`, `suspend-account`, `reactivate-account` and
//! `rotate-signing-key`: what concerns accounts and log-ins, from a shell, beside a running server
//! or before its first start.

use std::fmt::Write as _;
use std::sync::Arc;

use clap::Args;
use entity::account::Model as Account;
use entity::ids::AccountId;
use serde_json::json;

use super::admin_billing;
use super::failure::Failure;
use crate::ctx::{Ctx, Platform};
use crate::error::Error;
use crate::identity::{self, CreatedAccount, IdentityService, NewAccount, StatusRejection};
use crate::types::money::Micros;

/// Make an account, with a link for its first owner, a live and a test key
#[derive(Args, Clone, Debug)]
pub(super) struct CreateAccountArgs {
    /// What to call it
    #[arg(long)]
    name: String,
    /// The e-mail address of the first owner
    #[arg(long, value_name = "MAIL")]
    owner_email: String,
    /// The region of phone numbers that are written without a country code, two letters: GB
    #[arg(long, value_name = "REGION")]
    default_region: Option<String>,
    /// How far the account may go below zero, in the currency of the settings; it then pays by monthly
    /// invoice
    #[arg(long, value_name = "AMOUNT")]
    credit_limit: Option<Micros>,
    /// What the account starts with, in the currency of the settings
    #[arg(long, value_name = "AMOUNT")]
    balance: Option<Micros>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Make another link for the first owner of an account; the links before stop working
#[derive(Args, Clone, Debug)]
pub(super) struct OwnerLinkArgs {
    /// The account, acct_…
    #[arg(long, value_name = "ID")]
    account: AccountId,
    /// The e-mail address of the first owner; without it that of the link before
    #[arg(long, value_name = "MAIL")]
    owner_email: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Stop an account from sending; what waits does not leave until it is reactivated
#[derive(Args, Clone, Debug)]
pub(super) struct SuspendAccountArgs {
    #[command(flatten)]
    account: AccountArgs,
}

/// Let a suspended account send again
#[derive(Args, Clone, Debug)]
pub(super) struct ReactivateAccountArgs {
    #[command(flatten)]
    account: AccountArgs,
}

#[derive(Args, Clone, Debug)]
struct AccountArgs {
    /// The account, acct_…
    #[arg(long, value_name = "ID")]
    account: AccountId,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Make a new key to sign access tokens with; tokens signed before stay good until they expire
#[derive(Args, Clone, Debug)]
pub(super) struct RotateSigningKeyArgs {
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Makes an account, and returns what to print: the only time that its secrets are shown.
///
/// # Errors
/// A name, address or region that cannot be used; the store's own.
pub(super) async fn create_account(ctx: &Ctx, args: &CreateAccountArgs) -> Result<String, Failure> {
    let new = NewAccount {
        name: args.name.clone(),
        owner_email: args.owner_email.clone(),
        default_region: args.default_region.clone(),
    };
    let created = done(identity::create_account(ctx, new).await)?;
    let credit = (args.credit_limit, args.balance);
    admin_billing::give_credit(ctx, created.account.id, credit.0, credit.1).await?;
    if args.json {
        let answer = json!({
            "accountId": created.account.id,
            "ownerLink": created.owner_link.url.expose(),
            "apiKey": created.api_key.text.expose(),
            "testApiKey": created.test_api_key.text.expose(),
        });
        return Ok(format!("{answer}\n"));
    }
    Ok(in_words(&created))
}

fn in_words(created: &CreatedAccount) -> String {
    let mut text = String::new();
    let lines = [
        ("account", created.account.id.to_string()),
        ("owner's link", created.owner_link.url.expose().to_owned()),
        ("live key", created.api_key.text.expose().to_owned()),
        ("test key", created.test_api_key.text.expose().to_owned()),
    ];
    for (what, value) in lines {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{what:<13} {value}");
    }
    text.push_str("The link works once and for a week. None of this is shown again.\n");
    text
}

/// Makes another link, and returns what to print: the only time that it is shown.
///
/// # Errors
/// No such account, or it has an owner; an address that cannot be used; the store's own.
pub(super) async fn owner_link(ctx: &Ctx, args: &OwnerLinkArgs) -> Result<String, Failure> {
    let email = args.owner_email.as_deref();
    let link = done(identity::reissue_owner_link(ctx, args.account, email).await)?;
    let url = link.url.expose();
    if args.json {
        return Ok(format!("{}\n", json!({ "accountId": args.account, "ownerLink": url })));
    }
    Ok(format!("{url}\nThe link works once and for a week, and is not shown again.\n"))
}

/// Suspends an account, and returns what to print.
///
/// # Errors
/// No such account, or the operator's own; the store's own.
pub(super) async fn suspend_account(
    ctx: &Ctx,
    args: &SuspendAccountArgs,
) -> Result<String, Failure> {
    let outcome = identity::suspend_account(ctx, args.account.account).await;
    standing(outcome, &args.account)
}

/// Reactivates an account, and returns what to print.
///
/// # Errors
/// As [`suspend_account`].
pub(super) async fn reactivate_account(
    ctx: &Ctx,
    args: &ReactivateAccountArgs,
) -> Result<String, Failure> {
    let outcome = identity::reactivate_account(ctx, args.account.account).await;
    standing(outcome, &args.account)
}

fn standing(
    outcome: Result<Account, Error<StatusRejection>>,
    args: &AccountArgs,
) -> Result<String, Failure> {
    let account = done(outcome)?;
    let status = format!("{:?}", account.status).to_lowercase();
    if args.json {
        return Ok(format!("{}\n", json!({ "accountId": account.id, "status": status })));
    }
    Ok(format!("{} ({}) is {status} now\n", account.id, account.name))
}

/// What a command answered; a rejection is a fault of the command line.
fn done<T, R>(outcome: Result<T, Error<R>>) -> Result<T, Failure>
where
    R: std::error::Error + Send + Sync + 'static,
{
    outcome.map_err(|error| match error {
        Error::Rejected(rejection) => Failure::usage(rejection),
        Error::Failed(failed) => Failure::new(failed),
    })
}

/// Replaces the signing key, and returns what to print.
///
/// # Errors
/// The store's own.
pub(super) async fn rotate_signing_key(
    ctx: &Ctx,
    args: &RotateSigningKeyArgs,
) -> Result<String, Failure> {
    let identity = IdentityService::new(Arc::new(Platform::clone(ctx)));
    let kid = identity.rotate_signing_key(ctx).await.map_err(Failure::new)?;
    if args.json {
        return Ok(format!("{}\n", json!({ "kid": kid })));
    }
    Ok(format!("access tokens are signed by key {kid} within a minute\n"))
}
