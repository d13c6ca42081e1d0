//! `heliograph admin import-rates`: a price list into a rate card, from a file.

use std::fmt::Write as _;
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::failure::Failure;
use crate::billing::rate_cards::{
    self, FaultyLines, ImportRejection, Present, PriceListFault, Target,
};
use crate::ctx::Ctx;
use crate::error::Error;
use crate::types::money::Currency;

/// Put a price list (CSV) into a rate card, whole or not at all
#[derive(Args, Clone, Debug)]
pub(super) struct ImportRatesArgs {
    /// The card's name; it is made if there is none
    #[arg(long, value_name = "NAME")]
    rate_card: String,
    /// What the prices are in: ISO 4217
    #[arg(long, value_name = "CODE")]
    currency: Currency,
    /// The list: the columns prefix, class, effective_from and price by their names in the first line
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// Remove the rates that the card has
    #[arg(long)]
    replace: bool,
    /// Make it the card of all accounts of the currency that have none of their own
    #[arg(long)]
    default: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Imports, and returns what to print.
///
/// # Errors
/// A file that cannot be read or is no price list; the store's own.
pub(super) async fn import_rates(ctx: &Ctx, args: &ImportRatesArgs) -> Result<String, Failure> {
    let file = File::open(&args.file).map_err(Failure::usage)?;
    let target = Target::Named {
        name: args.rate_card.clone(),
        currency: args.currency,
        becomes_default: args.default,
    };
    let present = if args.replace { Present::Replace } else { Present::Keep };
    let imported = match rate_cards::import(ctx, target, BufReader::new(file), present).await {
        Ok(imported) => imported,
        Err(Error::Rejected(ImportRejection::List(PriceListFault::Lines(faults)))) => {
            return Err(Failure::usage(told(&faults)));
        }
        Err(Error::Rejected(rejection)) => return Err(Failure::usage(rejection)),
        Err(Error::Failed(failed)) => return Err(Failure::new(failed)),
    };
    let (card, rates) = (&imported.card, imported.rates);
    if args.json {
        let answer = json!({
            "rateCardId": card.id,
            "name": card.name,
            "currency": card.currency,
            "isDefault": card.is_default,
            "importedCount": rates,
        });
        return Ok(format!("{answer}\n"));
    }
    let default = if card.is_default { ", its default" } else { "" };
    Ok(format!("{rates} rates in {} ({}, {}{default})\n", card.name, card.id, card.currency))
}

/// The faulty lines, each on a line.
fn told(faults: &FaultyLines) -> String {
    let mut text = format!("{} lines are not rates; nothing was imported", faults.count);
    for fault in &faults.first {
        // Writing to a string does not fail.
        let _ = write!(text, "\n  {fault}");
    }
    if faults.count > faults.first.len() {
        text.push_str("\n  …");
    }
    text
}
