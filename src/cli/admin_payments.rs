//! `heliograph admin add-processor` and `webhooks`: payment processors, from a shell.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use entity::enums::{ProcessorKind, WebhookState};
use entity::ids::WebhookEventId;
use entity::webhook_event::Model;
use serde_json::{Value, json};

use super::failure::Failure;
use crate::ctx::Ctx;
use crate::db::page::{PAGE_ROWS_MAX, PageRequest};
use crate::error::Error;
use crate::payments::{self, NewProcessor};
use crate::types::secret::SecretText;

/// Connect a payment processor
#[derive(Args, Clone, Debug)]
pub(super) struct AddProcessorArgs {
    /// Whose
    #[arg(long)]
    kind: Kind,
    /// A file that holds what its webhooks are signed with; a line break at its end does not belong
    /// to it
    #[arg(long, value_name = "FILE")]
    secret_file: PathBuf,
    /// A file that holds what its API is called with; without it payments cannot be started
    #[arg(long, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
    /// Where its API is, if it is not where the processor says
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Stripe,
    Paystack,
    Paymongo,
    Xendit,
    Mpesa,
}

impl From<Kind> for ProcessorKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Stripe => Self::Stripe,
            Kind::Paystack => Self::Paystack,
            Kind::Paymongo => Self::PayMongo,
            Kind::Xendit => Self::Xendit,
            Kind::Mpesa => Self::MPesa,
        }
    }
}

/// List the newest of what payment processors told
#[derive(Args, Clone, Debug)]
pub(super) struct ListWebhooksArgs {
    /// Only those in this state
    #[arg(long)]
    state: Option<State>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Have an event that was put aside worked through again
#[derive(Args, Clone, Debug)]
pub(super) struct RetryWebhookArgs {
    /// The event, whev_…
    #[arg(value_name = "ID")]
    id: WebhookEventId,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    Received,
    Folded,
    Parked,
    Dead,
    Ignored,
}

impl From<State> for WebhookState {
    fn from(state: State) -> Self {
        match state {
            State::Received => Self::Received,
            State::Folded => Self::Folded,
            State::Parked => Self::Parked,
            State::Dead => Self::Dead,
            State::Ignored => Self::Ignored,
        }
    }
}

/// Connects a processor, and returns what to print.
///
/// # Errors
/// A secret that cannot be used, a file that cannot be read; the store's own.
pub(super) async fn add_processor(ctx: &Ctx, args: &AddProcessorArgs) -> Result<String, Failure> {
    let new = NewProcessor {
        kind: args.kind.into(),
        secret: secret(&args.secret_file)?,
        api_key: args.api_key_file.as_deref().map(secret).transpose()?,
        base_url: args.base_url.clone(),
    };
    let row = match payments::add_processor(ctx, new).await {
        Ok(row) => row,
        Err(Error::Rejected(rejection)) => return Err(Failure::usage(rejection)),
        Err(Error::Failed(failed)) => return Err(Failure::new(failed)),
    };
    let path = payments::path(&row);
    if args.json {
        return Ok(format!("{}\n", json!({ "processorId": row.id, "webhookPath": path })));
    }
    Ok(format!(
        "{} is connected. Have it post webhooks to {}{path}\n",
        row.id,
        ctx.settings.public_url()
    ))
}

fn secret(path: &Path) -> Result<SecretText, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    let text = zeroize::Zeroizing::new(text);
    Ok(SecretText::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Lists events, and returns what to print.
///
/// # Errors
/// The store's own.
pub(super) async fn list_webhooks(ctx: &Ctx, args: &ListWebhooksArgs) -> Result<String, Failure> {
    let request = PageRequest { size: PAGE_ROWS_MAX, ..PageRequest::default() };
    let page = payments::webhooks(ctx, args.state.map(Into::into), &request).await;
    let rows = page.map_err(Failure::new)?.items;
    if args.json {
        let rows: Vec<Value> = rows.iter().map(shown).collect();
        return Ok(format!("{}\n", Value::from(rows)));
    }
    let mut text = String::new();
    for row in &rows {
        let reason = row.reason.as_deref().unwrap_or("");
        let (id, kind, state) = (row.id, &row.event_type, row.state);
        let _ = writeln!(text, "{id}  {state:?}  {kind}  {}  {reason}", row.event_id);
    }
    Ok(text)
}

/// Has an event worked through again, and returns what to print.
///
/// # Errors
/// An event that cannot be tried again; the store's own.
pub(super) async fn retry_webhook(ctx: &Ctx, args: &RetryWebhookArgs) -> Result<String, Failure> {
    match payments::retry_webhook(ctx, args.id).await {
        Ok(row) => Ok(format!("{} is worked through again\n", row.id)),
        Err(Error::Rejected(rejection)) => Err(Failure::usage(rejection)),
        Err(Error::Failed(failed)) => Err(Failure::new(failed)),
    }
}

fn shown(row: &Model) -> Value {
    json!({
        "id": row.id,
        "processorId": row.endpoint_id,
        "reference": row.event_id,
        "eventType": row.event_type,
        "state": row.state,
        "reason": row.reason,
        "attempts": row.attempts,
    })
}
