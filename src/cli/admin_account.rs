//! `heliograph admin create-account` and `rotate-signing-key`: what concerns accounts and log-ins,
//! from a shell, beside a running server or before its first start.

use std::fmt::Write as _;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::admin_billing;
use super::failure::Failure;
use crate::ctx::{Ctx, Platform};
use crate::error::Error;
use crate::identity::{self, CreatedAccount, IdentityService, NewAccount};
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
    let created = match identity::create_account(ctx, new).await {
        Ok(created) => created,
        Err(Error::Rejected(rejection)) => return Err(Failure::usage(rejection)),
        Err(Error::Failed(failed)) => return Err(Failure::new(failed)),
    };
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
